"""What a sweep of kills came to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Swept:
    """One sweep: where was killed (`points` by kind of call), and what was wrong afterwards, one line each."""

    name: str
    points: Counter[str] = field(default_factory=Counter[str])
    repeated: Counter[int] = field(default_factory=Counter[int])
    """How many points led to so many steps done a second time."""
    wrong: list[str] = field(default_factory=list[str])

    @property
    def total(self) -> int:
        return sum(self.points.values())

    def row(self) -> str:
        """A row of a Markdown table: sweep, points, most steps repeated at a point, points that ended otherwise."""
        return f"| {self.name} | {self.total} | {max(self.repeated, default=0)} | {len(self.wrong)} |"


HEAD = "| killed | points | steps repeated, at most | other end states |\n| --- | ---: | ---: | ---: |"
