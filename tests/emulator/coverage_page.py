"""Which endpoints and fields of the two APIs are tested, and by which test: the page, and how it stays true.

Nothing here is claimed by hand. The `api` fixture notes what each test sent with success and was shown. The committed
record names one test for each thing that is tested; that test fails when it no longer does so, and any test fails that
tests what the record does not know yet. So neither can the page be stale, nor its claims empty.

    python -m tests.emulator.coverage_page      (runs the emulator's tests, writes recorded.json and docs/coverage.md)
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import yaml

from daiku.lab.sakura.iaas.wire import routes as iaas_routes

from .phy_contract import operations, resolve, schema_of, template_of

HERE = Path(__file__).parent
RECORD, PAGE = HERE / "recorded.json", HERE.parents[1] / "docs" / "coverage.md"
RECORDING = "DAIKU_COVERAGE_RECORDING"
_IAAS = re.compile(r"/cloud/zone/[^/]+/api/cloud/1\.1(/.*)")
_PHY = re.compile(r"/cloud/api/dedicated-phy/1\.0(/.*)")


@dataclass(frozen=True)
class Section:
    """One part of the page. `fields` are `(what is done with it, field)`."""

    title: str
    endpoints: tuple[str, ...]
    fields: tuple[tuple[str, str], ...]


@cache
def iaas_sections() -> tuple[Section, ...]:
    """From the list of facts."""
    facts = (HERE / "iaas_facts.yaml").read_text(encoding="utf-8")
    listed: dict[str, Any] = yaml.load(facts, yaml.CSafeLoader)
    return tuple(
        Section(
            title,
            tuple(part["endpoints"]),
            tuple(
                (verb, f"{top}.{name}" if top else name)
                for verb in ("sends", "shows")
                for top, names in part.get(verb, {}).items()
                for name in names
            ),
        )
        for title, part in listed.items()
    )


@cache
def phy_sections() -> tuple[Section, ...]:
    """From the OpenAPI document: a section for each operation."""
    found = list[Section]()
    for (method, template), operation in operations().items():
        asked = [("asks", p["name"]) for p in operation["parameters"] if p["in"] == "query"]
        sent = list[tuple[str, str]]()
        if "requestBody" in operation:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            sent = [("sends", name) for name in _schema_fields(schema)]
        shown_schema = schema_of(operation, 200 if "200" in operation["responses"] else 204)
        shown = [("shows", name) for name in _schema_fields(shown_schema)] if shown_schema else []
        found.append(Section(f"{method} {template}", (f"{method} {template}",), (*asked, *sent, *shown)))
    return tuple(found)


def _schema_fields(schema: dict[str, Any], place: str = "") -> list[str]:
    schema = resolve(schema)
    parts = [resolve(part) for part in schema.get("allOf", [])] or [schema]
    properties = {name: inner for part in parts for name, inner in part.get("properties", {}).items()}
    if "items" in schema and not properties:
        return _schema_fields(schema["items"], place)
    if not properties:
        return [place] if place else []
    return [
        field
        for name, inner in properties.items()
        for field in _schema_fields(inner, f"{place}.{name}" if place else name)
    ]


@cache
def known_items() -> frozenset[str]:
    """Everything that the page has a line for."""
    return frozenset(
        item
        for section in (*iaas_sections(), *phy_sections())
        for item in (*section.endpoints, *(_item(section, verb, field) for verb, field in section.fields))
    )


def _item(section: Section, verb: str, field: str) -> str:
    return f"{section.title} {verb} {field}"


def hits(
    method: str, path: str, query: str, body: bytes, status: int, answer: Any, warnings: list[str]
) -> set[str]:
    """What one successful call tested; of the fields it sent those that were understood."""
    if not 200 <= status < 300:
        return set()
    sent = {
        field
        for field in _fields(json.loads(body) if body else None)
        if not any(field.endswith(note.removeprefix("unknown key ")) for note in warnings)
    }
    if (cloud := _IAAS.fullmatch(path)) is not None:
        pattern = iaas_routes.pattern(method, cloud[1])
        endpoint = f"{method} {pattern}".replace(":address", "")
        for section in iaas_sections():
            if endpoint in section.endpoints:
                return _found(section, endpoint, set(), sent, set(_fields(answer)))
    elif (phy := _PHY.fullmatch(path)) is not None:
        endpoint = f"{method} {template_of(phy[1])}"
        for section in phy_sections():
            if section.title == endpoint:
                return _found(section, endpoint, set(parse_qs(query)), sent, set(_fields(answer)))
    return set()


def _found(section: Section, endpoint: str, asked: set[str], sent: set[str], shown: set[str]) -> set[str]:
    done = {"asks": asked, "sends": sent, "shows": shown}
    listed = {field for verb, field in section.fields if verb == "sends"}
    unlisted = {field for field in sent if not any(_same_branch(field, known) for known in listed)}
    return (
        {endpoint}
        | {_item(section, verb, field) for verb, field in section.fields if field in done[verb]}
        | {_item(section, "sends", field) for field in unlisted}
    )


def _same_branch(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


def _fields(value: Any, place: str = "") -> Iterator[str]:
    """Dotted paths of everything in a document, through arrays; what is null or empty counts by its own name."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _fields(inner, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list) and value:
        for inner in value:
            yield from _fields(inner, place)
    if place:
        yield place


@cache
def record() -> dict[str, str]:
    """Thing to the test that tests it."""
    return json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}


def note(nodeid: str, found: set[str]) -> None:
    """At the end of a test: keep what it tested, or hold it to the record. AssertionError: list or page is stale."""
    unlisted = sorted(found - known_items())
    assert not unlisted, f"the emulator understands what iaas_facts.yaml does not list: {unlisted}"
    if folder := os.environ.get(RECORDING):
        path = Path(tempfile.mkstemp(dir=folder)[1])
        path.write_text(json.dumps([nodeid, sorted(found)]), encoding="utf-8")
        return
    again = "run: python -m tests.emulator.coverage_page"
    new = sorted(found - record().keys())
    assert not new, f"docs/coverage.md is stale: now tested: {new}; {again}"
    empty = sorted(item for item, test in record().items() if test == nodeid and item not in found)
    assert not empty, f"docs/coverage.md is stale: no longer tested here: {empty}; {again}"


def render(recorded: dict[str, str]) -> str:
    """The page."""
    total, tested = len(known_items()), sum(item in recorded for item in known_items())
    lines = [
        "# What of Sakura's two APIs is implemented and tested",
        "",
        f"Generated by `python -m tests.emulator.coverage_page`: {tested} of {total} endpoints and fields are tested.",
        "",
        "A thing is *tested* when a test of the emulator called it, or sent or was shown the field, with success; the",
        "test stands beside the endpoint. A test that stops doing so fails, and so does one that tests what is missing",
        "here: this page cannot be stale. What is not tested is not claimed to work.",
        "",
        "## IaaS (Sakura Cloud)",
        "",
        *(line for section in iaas_sections() for line in _lines(section, recorded)),
        "## PHY",
        "",
        *(line for section in phy_sections() for line in _lines(section, recorded)),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _lines(section: Section, recorded: dict[str, str]) -> Iterator[str]:
    yield f"### {section.title}"
    yield ""
    yield "| endpoint | state |"
    yield "| --- | --- |"
    for endpoint in section.endpoints:
        test = recorded.get(endpoint)
        state = f"tested: {test.rpartition('/')[2].split('[')[0]}" if test else "**not tested**"
        yield f"| `{endpoint}` | {state} |"
    yield ""
    for verb, words in (("asks", "Query"), ("sends", "Sent"), ("shows", "Shown")):
        names = [field for v, field in section.fields if v == verb]
        tested = [field for field in names if _item(section, verb, field) in recorded]
        if names:
            yield f"{words}, tested {len(tested)} of {len(names)}: {_names(tested)}"
            if len(tested) < len(names):
                yield f"**not tested**: {_names([name for name in names if name not in tested])}"
            yield ""


def _names(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


def main() -> int:
    """Run the tests, write the record and the page."""
    with tempfile.TemporaryDirectory() as folder:
        ran = subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-p",
                "no:randomly",
                "-n",
                "2",
                "-m",
                "not slow",
                "--timeout=1800",
                f"--ignore={HERE}/test_coverage.py",
                str(HERE),
            ],
            env=os.environ | {RECORDING: folder},
            cwd=HERE.parents[1],
            check=False,
        )
        if ran.returncode != 0:
            return ran.returncode
        found: dict[str, list[str]] = {}
        for path in Path(folder).iterdir():
            nodeid, items = json.loads(path.read_text(encoding="utf-8"))
            for item in items:
                found.setdefault(item, []).append(nodeid)
    chosen = {item: min(tests, key=lambda test: ("[" in test, test)) for item, tests in sorted(found.items())}
    RECORD.write_text(json.dumps(chosen, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    PAGE.write_text(render(chosen), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
