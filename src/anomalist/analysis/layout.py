"""Layout: how a study's points are arranged, and the claims that it tests."""

from __future__ import annotations

from pydantic import Field

from anomalist.core.config import Config
from anomalist.metrics.comparison import Direction

__all__ = ["Claim", "Layout"]

Value = int | float | str


class Claim(Config):
    """A sentence that the data may support, contradict or leave open."""

    statement: str = Field(description="the claim in words")
    along: str = Field(description="the axis that it is about")
    direction: Direction = Field(description="how a metric changes as the axis' values grow")
    reference: Value | None = Field(
        None,
        description="the value that the others are compared with; by default each is compared with "
        "the one before it",
    )
    margin: float = Field(
        0.0, ge=0, description="a change for the worse that still agrees with the statement"
    )

    def asks(self, base: Value, setting: Value) -> tuple[Direction, float]:
        """Return what the claim predicts for ``setting`` compared with ``base``.

        Returns:
            a direction, and the difference to test against.
        """
        rises = setting > base  # type: ignore[operator]
        if (self.direction == "greater") == rises:
            return "greater", -self.margin
        return "less", self.margin


class Layout(Config):
    """What a report needs to know about a study, besides its rows."""

    name: str = Field(description="the study's name")
    x: str = Field(description="the axis along the pictures, a column of the table")
    lines: tuple[str, ...] = Field((), description="the axes that distinguish lines")
    columns: str | None = Field(
        None,
        description="an axis whose values become columns of a leaderboard, which replaces the "
        "pictures",
    )
    sections: tuple[str, ...] = Field(
        (), description="axes of which each combination has a leaderboard of its own"
    )
    levels: tuple[float, ...] = Field(
        (), description="AUROCs whose severities are looked for along x"
    )
    claims: tuple[Claim, ...] = Field((), description="what is tested")

    @property
    def axes(self) -> tuple[str, ...]:
        """All axes, ``x`` last."""
        return (*self.lines, self.x)
