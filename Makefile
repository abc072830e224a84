# Two commands for everyone: `make baseline` and `make test`. Each sets up .venv first, once.
PYTHON ?= python3
BIN := .venv/bin
PARALLEL := --numprocesses auto --dist loadfile

.PHONY: baseline quick browser test test-fast check format notebooks docs tables dist bench bench-check clean

baseline: .venv/ready
	$(BIN)/python experiments/baseline_mnist.py

quick: .venv/ready
	$(BIN)/python experiments/baseline_mnist.py --quick

test: .venv/ready-dev check browser
	$(BIN)/python -m pytest $(PARALLEL)

browser:  # Chromium and its driver, for the tests of pages; where apt-get may not, they are skipped
	@command -v chromedriver >/dev/null && command -v chromium >/dev/null \
	|| { apt-get update -qq && apt-get install -y -qq chromium chromium-driver; } >/dev/null 2>&1 \
	|| echo "no Chromium, and apt-get cannot install it: the tests of pages will be skipped" >&2

test-fast: .venv/ready-dev
	$(BIN)/python -m pytest -m "not slow" -x -q $(PARALLEL)

check: .venv/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/ready-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

notebooks: .venv/ready-dev  # execute them anew and keep the outputs
	cd docs/notebooks && ../../$(BIN)/jupyter execute --inplace *.ipynb

docs: .venv/ready-dev  # the site, in docs/_build/html; warnings are errors
	$(BIN)/python -m sphinx -b html -W --keep-going -q docs docs/_build/html
	@echo "open docs/_build/html/index.html"

tables: .venv/ready-dev  # write the documentation's tables and cost figures from docs/measured/
	$(BIN)/python docs/tools/make_tables.py --figures

dist: .venv/ready-dist  # build the package into dist/ and check it
	rm -rf dist
	$(BIN)/python -m build --outdir dist .
	$(BIN)/python -m twine check --strict dist/*

bench: .venv/ready-bench  # run benchmarks/ and keep the ratios in benchmarks/results/
	$(BIN)/python benchmarks/run.py

bench-check: .venv/ready-bench  # compare with the kept ratios
	$(BIN)/python benchmarks/run.py --check

.venv/ready: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -r requirements.txt
	touch $@

.venv/ready-dev: .venv/ready requirements-dev.txt
	$(BIN)/python -m pip install --quiet -r requirements-dev.txt
	touch $@

.venv/ready-bench: .venv/ready-dev requirements-bench.txt
	$(BIN)/python -m pip install --quiet --no-deps -r requirements-bench.txt
	touch $@

.venv/ready-dist: .venv/ready requirements-dist.txt
	$(BIN)/python -m pip install --quiet -r requirements-dist.txt
	touch $@

clean:
	rm -rf .venv build dist docs/_build src/*.egg-info .mypy_cache .ruff_cache .pytest_cache
