"""Layout of a study's report, and the claims that the study tests."""

from __future__ import annotations

from pydantic import Field

from anomalist.core.config import Config
from anomalist.metrics.comparison import Direction

__all__ = ["Claim", "Layout"]

Value = int | float | str


class Claim(Config):
    """A statement that the data may support, contradict or leave open."""

    statement: str = Field(description="statement of the claim")
    along: str = Field(description="axis of the claim")
    direction: Direction = Field(description="how the metric changes if the axis' values increase")
    reference: Value | None = Field(
        None,
        description="value that the others are compared with; by default each is compared with the "
        "previous one",
    )
    margin: float = Field(
        0.0, ge=0, description="largest change for the worse that still agrees with the claim"
    )

    def asks(self, base: Value, setting: Value) -> tuple[Direction, float]:
        """Return the prediction of the claim for ``setting`` compared with ``base``.

        Returns:
            a direction, and the difference to test against.
        """
        rises = setting > base  # type: ignore[operator]
        if (self.direction == "greater") == rises:
            return "greater", -self.margin
        return "less", self.margin


class Layout(Config):
    """The layout of a study's report."""

    name: str = Field(description="name of the study")
    x: str = Field(description="x axis of the plots, a column of the table")
    lines: tuple[str, ...] = Field((), description="axes that distinguish lines")
    columns: str | None = Field(
        None,
        description="axis whose values are the columns of a leaderboard, which replaces the plots",
    )
    sections: tuple[str, ...] = Field(
        (), description="axes of which each combination has a separate leaderboard"
    )
    levels: tuple[float, ...] = Field(
        (), description="AUROC levels whose severities are estimated along x"
    )
    claims: tuple[Claim, ...] = Field((), description="claims to test")

    @property
    def axes(self) -> tuple[str, ...]:
        """All axes, ``x`` last."""
        return (*self.lines, self.x)
