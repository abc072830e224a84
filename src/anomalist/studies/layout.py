"""Layout: how a study's points are laid out, and the claims that it puts to the test."""

from __future__ import annotations

from pydantic import Field

from anomalist.config import Config
from anomalist.metrics.comparison import Direction

__all__ = ["Claim", "Layout"]

Value = int | float | str


class Claim(Config):
    """A sentence that the data may support, contradict or leave open."""

    statement: str = Field(description="the claim in words")
    along: str = Field(description="the axis that it speaks of")
    direction: Direction = Field(description="what it says of a metric as the axis' values grow")
    reference: Value | None = Field(
        None,
        description="the value that the others are compared with; by default each is with the one "
        "before it",
    )
    margin: float = Field(
        0.0, ge=0, description="a change for the worse that still agrees with the statement"
    )

    def asks(self, base: Value, setting: Value) -> tuple[Direction, float]:
        """Return what it says of ``setting`` against ``base``: a direction, and the difference to test against."""
        rises = setting > base  # type: ignore[operator]
        direction: Direction = "greater" if (self.direction == "greater") == rises else "less"
        return direction, -self.margin if direction == "greater" else self.margin


class Layout(Config):
    """What a report needs to know of a study, besides its rows."""

    name: str = Field(description="the study's name")
    x: str = Field(description="the axis along the pictures, a column of the table")
    lines: tuple[str, ...] = Field((), description="the axes that tell lines apart")
    columns: str | None = Field(
        None,
        description="an axis whose values become columns of a leaderboard, which takes the place "
        "of the pictures",
    )
    sections: tuple[str, ...] = Field(
        (), description="axes of which each combination has a leaderboard of its own"
    )
    levels: tuple[float, ...] = Field(
        (), description="AUROCs whose severities are looked for along x"
    )
    claims: tuple[Claim, ...] = Field((), description="what is put to the test")

    @property
    def axes(self) -> tuple[str, ...]:
        """All axes, ``x`` last."""
        return (*self.lines, self.x)
