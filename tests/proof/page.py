"""The table of docs/fabric-proof.md, made of the rules. `python -m tests.proof.page` writes it into the page."""

from __future__ import annotations

from pathlib import Path

from daiku.plan.proof import standing
from daiku.plan.proof.clashes import CLASHES, DOUBTS
from daiku.plan.proof.prove import ERRORS, WARNINGS

PAGE = Path(__file__).parents[2] / "docs" / "fabric-proof.md"
START, END = "<!-- made of the rules: start -->", "<!-- made of the rules: end -->"

_SECTIONS = (
    ("Refused: no plan can be made", CLASHES),
    ("Refused: the plan would not work", ERRORS),
    ("Refused after `up`: what stands is not what was planned", standing.ERRORS),
    ("Told as a warning", (*DOUBTS, *WARNINGS, *standing.WARNINGS)),
)


def table() -> str:
    """Every code with what would happen and the fix, in three parts, sorted by code."""
    lines: list[str] = []
    for title, rules in _SECTIONS:
        lines += [f"## {title}", "", "| code | what would happen | fix |", "|---|---|---|"]
        lines += [f"| `{r.code}` | {r.happens} | {r.fix} |" for r in sorted(rules, key=lambda r: r.code)]
        lines.append("")
    return "\n".join(lines)


def written(page: str) -> str:
    """The page with the table in its place."""
    before, _, rest = page.partition(START)
    return f"{before}{START}\n{table()}{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
