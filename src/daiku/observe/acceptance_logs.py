"""What the tools of the acceptance jobs print, as values. Pure parsers of each tool's own format.

A job's log is cut into sections: a line `@daiku check=ring node=NAME rail=0` begins one, the tool's output follows.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

MARK = "@daiku "
_PAIR = re.compile(r"([a-z]+)=(\S*)")
_CORRUPT = re.compile(r"#\s*Out of bounds values\s*:\s*(\d+)")


class UnreadableError(ValueError):
    """The tool did not print a result: it died, or it is another tool."""


@dataclass(frozen=True, slots=True)
class Section:
    """`about` is what the mark says; `text` the tool's output, up to the next mark."""

    about: dict[str, str]
    text: str


@dataclass(frozen=True, slots=True)
class Collective:
    """A run of nccl-tests: bus bandwidth in GB/s at the largest size, the size in bytes, and wrong values."""

    busbw: float
    size: int
    wrong: int


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A run of `dcgmi diag`: tests that failed, those with warnings, those skipped, each once, and how many passed."""

    failed: tuple[str, ...]
    warned: tuple[str, ...]
    skipped: tuple[str, ...]
    passed: int


@dataclass(frozen=True, slots=True)
class Throughput:
    """A run of fio: GB/s written and read, all its jobs together, and the first error's number."""

    write: float
    read: float
    error: int


def sections(log: str) -> tuple[Section, ...]:
    """The sections of a pod's log, in order. What comes before the first mark is nobody's."""
    found: list[tuple[dict[str, str], list[str]]] = []
    for line in log.splitlines():
        if line.startswith(MARK):
            found.append((dict(_PAIR.findall(line[len(MARK) :])), []))
        elif found:
            found[-1][1].append(line)
    return tuple(Section(about, "\n".join(lines)) for about, lines in found)


def nccl_tests(text: str) -> Collective:
    """The table of an nccl-tests program: size, count, type, redop, root, then time, algbw, busbw and #wrong twice, out
    of place and in place. The better of both at the largest size counts. UnreadableError: no row."""
    best: tuple[int, float] | None = None
    wrong = 0
    for line in text.splitlines():
        words = line.split()
        if len(words) != 13 or not (words[0].isdigit() and words[1].isdigit()):
            continue
        try:
            busbw = max(float(words[7]), float(words[11]))
        except ValueError:
            continue
        wrong += sum(int(float(word)) for word in (words[8], words[12]) if word != "N/A")
        if best is None or int(words[0]) >= best[0]:
            best = int(words[0]), busbw
    if best is None:
        raise UnreadableError(f"no row of nccl-tests{_last(text)}")
    corrupt = _CORRUPT.search(text)
    return Collective(best[1], best[0], max(wrong, int(corrupt[1]) if corrupt else 0))


def ib_write_bw(text: str) -> float:
    """The average of the last row, in Gb/s. UnreadableError: no row, or a table in another unit."""
    header = re.search(r"#bytes\s+#iterations\s+BW peak\[(\S+?)\]\s+BW average\[(\S+?)\]", text)
    if header is None:
        raise UnreadableError(f"no table of ib_write_bw{_last(text)}")
    if header[2] != "Gb/sec":
        raise UnreadableError(f"ib_write_bw printed {header[2]}, not Gb/sec: it wants --report_gbits")
    rows = [line.split() for line in text[header.end() :].splitlines()]
    numbers = [row for row in rows if len(row) >= 5 and row[0].isdigit() and row[1].isdigit()]
    if not numbers:
        raise UnreadableError(f"no row of ib_write_bw{_last(text)}")
    return float(numbers[-1][3])


def dcgmi_diag(text: str) -> Diagnosis:
    """The JSON of `dcgmi diag -j`, of DCGM 3 and of DCGM 4. UnreadableError: none."""
    document = _json(text, "dcgmi diag")
    body = document.get("DCGM Diagnostic") or document.get("DCGM GPU Diagnostic")
    if not isinstance(body, dict) or not isinstance(body.get("test_categories"), list):
        raise UnreadableError(f"no diagnosis of dcgmi{_last(text)}")
    by_state: dict[str, set[str]] = {"fail": set(), "warn": set(), "skip": set(), "pass": set()}
    for category in body["test_categories"]:
        for test in category.get("tests", []):
            name = f"{category.get('category', '')}/{test.get('name', '')}"
            states = [str(result.get("status", "")) for result in test.get("results", [])]
            states.append(str(test.get("test_summary", {}).get("status", "")))
            for state in states:
                by_state.get(state.lower().removesuffix("ed"), set()).add(name)
    failed, warned, skipped = by_state["fail"], by_state["warn"], by_state["skip"]
    if not any(by_state.values()):
        raise UnreadableError(f"dcgmi ran no test{_last(text)}")
    passed = by_state["pass"] - failed - warned
    return Diagnosis(
        tuple(sorted(failed)), tuple(sorted(warned)), tuple(sorted(skipped - passed)), len(passed)
    )


def fio(text: str) -> Throughput:
    """The JSON of `fio --output-format=json`. UnreadableError: none."""
    jobs = _json(text, "fio").get("jobs")
    if not isinstance(jobs, list) or not jobs:
        raise UnreadableError(f"no job of fio{_last(text)}")
    errors = [int(job.get("error", 0)) for job in jobs]
    return Throughput(
        sum(job["write"]["bw_bytes"] for job in jobs) / 1e9,
        sum(job["read"]["bw_bytes"] for job in jobs) / 1e9,
        next((error for error in errors if error), 0),
    )


def _json(text: str, tool: str) -> dict[str, Any]:
    # Both tools may print notes around it.
    start = text.find("{")
    try:
        value, _ = json.JSONDecoder().raw_decode(text[start:]) if start >= 0 else (None, 0)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise UnreadableError(f"no JSON of {tool}{_last(text)}")
    return value


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f"; its last line: {lines[-1][:200]}" if lines else "; it printed nothing"
