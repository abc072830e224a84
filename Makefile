# Two commands for everyone: `make baseline` and `make test`. Each sets up .venv first, once.
PYTHON ?= python3
BIN := .venv/bin
PARALLEL := --numprocesses auto --dist loadfile

.PHONY: baseline quick test test-fast check format notebooks bench bench-check clean

baseline: .venv/ready
	$(BIN)/python experiments/baseline_mnist.py

quick: .venv/ready
	$(BIN)/python experiments/baseline_mnist.py --quick

test: .venv/ready-dev check
	$(BIN)/python -m pytest $(PARALLEL)

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
	cd notebooks && ../$(BIN)/jupyter execute --inplace *.ipynb

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

clean:
	rm -rf .venv build dist src/*.egg-info .mypy_cache .ruff_cache .pytest_cache
