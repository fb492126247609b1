"""The verdict on a cluster: what its acceptance jobs measured, against what its hardware must reach."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from daiku.observe.acceptance_logs import (
    Section,
    UnreadableError,
    dcgmi_diag,
    fio,
    ib_write_bw,
    nccl_tests,
    sections,
)
from daiku.plan.acceptance import Threshold, places, thresholds
from daiku.plan.model import Plan

Verdict = Literal["passed", "failed", "measured", "missing"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One check at one place. `value` is None where nothing is counted; `least` None where the hardware says nothing:
    then a sound run is only `measured`. `missing`: the job printed no result, or never ran."""

    pool: str
    check: str
    where: str
    verdict: Verdict
    value: float | None
    least: float | None
    unit: str
    detail: str


@dataclass(frozen=True, slots=True)
class Acceptance:
    """All outcomes, failures first."""

    outcomes: tuple[Outcome, ...]

    @property
    def accepted(self) -> bool:
        """Nothing failed and nothing is missing."""
        return bool(self.outcomes) and all(o.verdict in {"passed", "measured"} for o in self.outcomes)

    def summary(self) -> str:
        """One line for `daiku status`."""
        counts = dict.fromkeys(("passed", "measured", "failed", "missing"), 0)
        for outcome in self.outcomes:
            counts[outcome.verdict] += 1
        told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
        return f"accepted: {told}" if self.accepted else f"not accepted: {told or 'no check ran'}"


ReadLogs = Callable[[str, str], Iterable[str]]
"""(namespace, label selector) -> the log of each pod."""
NAMESPACE = "acceptance"
SELECTOR = "daiku.io/acceptance"


def read(plan: Plan, logs: ReadLogs) -> Acceptance:
    """The acceptance of a cluster from the logs of its jobs. Errors are those of `logs`."""
    found = [section for log in logs(NAMESPACE, SELECTOR) for section in sections(log)]
    return judge(thresholds(plan), places(plan), found)


def judge(
    wanted: Iterable[Threshold], expected: Iterable[tuple[str, str, str]], found: Iterable[Section]
) -> Acceptance:
    """Sections against thresholds. What is expected somewhere (`daiku.plan.acceptance.places`) and was not seen
    there is missing: a job that never ran proves nothing."""
    least = {(threshold.pool, threshold.name): threshold for threshold in wanted}
    outcomes: list[Outcome] = []
    seen: set[tuple[str, str, str]] = set()
    for section in found:
        outcomes += _outcomes(section, least)
        pool, check = section.about.get("pool", ""), section.about.get("check", "")
        seen |= {(pool, check, section.about.get("node", "")), (pool, check, "")}
    for pool, check, node in expected:
        if (pool, check, node) not in seen:
            threshold = least.get((pool, check))
            unit, wants = (threshold.unit, threshold.least) if threshold else ("", None)
            outcomes.append(
                Outcome(pool, check, node, "missing", None, wants, unit, "no job printed a result")
            )
    rank = {"failed": 0, "missing": 1, "passed": 2, "measured": 3}
    return Acceptance(tuple(sorted(outcomes, key=lambda o: (rank[o.verdict], o.pool, o.check, o.where))))


def _outcomes(section: Section, least: Mapping[tuple[str, str], Threshold]) -> list[Outcome]:
    about = section.about
    pool, check, where = about.get("pool", ""), about.get("check", ""), about.get("node", "")
    if "peer" in about:
        where += f" -> {about['peer']}"
    threshold = least.get((pool, check))

    def outcome(verdict: Verdict, value: float | None, unit: str, detail: str) -> list[Outcome]:
        wanted = threshold.least if threshold else None
        return [Outcome(pool, check, where, verdict, value, wanted, unit, detail)]

    def counted(value: float, unit: str, detail: str, *, broken: bool = False) -> list[Outcome]:
        if broken:
            return outcome("failed", value, unit, detail)
        if threshold is None:
            return outcome("measured", value, unit, detail)
        enough = value >= threshold.least
        return outcome("passed" if enough else "failed", value, unit, detail or threshold.formula)

    try:
        if check == "diag":
            found = dcgmi_diag(section.text)
            told = [f"failed: {', '.join(found.failed)}"] if found.failed else []
            told += [f"warnings: {', '.join(found.warned)}"] if found.warned else []
            told += [f"skipped: {', '.join(found.skipped)}"] if found.skipped else []
            detail = "; ".join(told) or f"{found.passed} tests"
            sound = not found.failed and not found.warned and found.passed
            return outcome("passed" if sound else "failed", None, "", detail)
        if check.startswith("storage-"):
            run = fio(section.text)
            detail = f"error {run.error}" if run.error else f"read {run.read:.2f} GB/s"
            return counted(round(run.write, 2), "GB/s", detail, broken=run.error != 0)
        if check.startswith("port"):
            return counted(ib_write_bw(section.text), "Gb/s", "")
        collective = nccl_tests(section.text)
        wrong = f"{collective.wrong} wrong values" if collective.wrong else ""
        return counted(collective.busbw, "GB/s", wrong, broken=collective.wrong > 0)
    except UnreadableError as error:
        return outcome("missing", None, "", str(error))
