"""Draw the cost pictures of docs/detectors.md from the page's own tables.

    python experiments/plot_costs.py docs/detectors.md

Each section's table is drawn into its picture, docs/detectors/one_class_auc_vs_cost.png and the
other. A table has the columns `mean`, `fit, s` and `images/s`, the best mean first; its rows come
from several runs.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from anomalist.analysis.leaderboard import Cost, Standing
from anomalist.reports.pages import save
from anomalist.reports.study_pictures import against_cost

_COLUMNS = ("mean", "fit, s", "images/s")


def main() -> None:
    """Draw each section's picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("page", type=Path)
    page = parser.parse_args().page
    for section in page.read_text(encoding="utf-8").split("\n## "):
        if not (picture := re.search(r'src="([^"]+_vs_cost\.png)"', section)):
            continue
        head, _, *rows = (_cells(line) for line in section.splitlines() if line.startswith("|"))
        standings, costs = [], {}
        for row in rows:
            model = row[0].replace("`", "")
            mean, fit, rate = (_numbers(row[head.index(name)]) for name in _COLUMNS)
            middle, half = mean[0] / 100, mean[1] / 100 if len(mean) > 1 else None
            ends = (
                {"low": None, "high": None}
                if half is None
                else {"low": middle - half, "high": middle + half}
            )
            standings.append(Standing(model, {}, {"mean": middle, **ends}))
            costs[model] = Cost(fit[0], rate[0], 1)
        save(against_cost(standings, costs, "AUROC"), page.parent / picture[1])
        print(f"{picture[1]}: {len(standings)} detectors")


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def _numbers(cell: str) -> list[float]:
    return [float(number) for number in re.findall(r"\d+\.?\d*", cell.replace(",", ""))]


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        raise SystemExit(f"error: {error}") from None
