"""The coverage page is the one that the record gives, its evidence exists, and nothing stands outside of the lists."""

from __future__ import annotations

import re
from pathlib import Path

from daiku.lab.sakura.iaas.wire import routes

from . import coverage_page
from .conftest import Caller


def test_the_page_is_not_stale() -> None:
    page = coverage_page.PAGE.read_text(encoding="utf-8")
    assert page == coverage_page.render(coverage_page.record()), "run: python -m tests.emulator.coverage_page"


def test_every_test_that_the_page_names_exists() -> None:
    for test in sorted(set(coverage_page.record().values())):
        file, _, name = test.partition("::")
        source = (coverage_page.HERE.parents[1] / Path(file)).read_text(encoding="utf-8")
        assert f"def {name.split('[')[0]}(" in source, test
    assert set(coverage_page.record()) <= coverage_page.known_items()


def test_every_endpoint_is_tested() -> None:
    sections = (*coverage_page.iaas_sections(), *coverage_page.phy_sections())
    untested = [e for section in sections for e in section.endpoints if e not in coverage_page.record()]
    assert untested == []


def test_no_endpoint_is_implemented_that_the_facts_do_not_list() -> None:
    listed = {endpoint for section in coverage_page.iaas_sections() for endpoint in section.endpoints}
    implemented = {re.sub(r":\w+\}", "}", f"{method} {pattern}") for method, pattern in routes.listing()}
    assert implemented - listed == set()


def test_a_call_that_was_refused_tests_nothing(api: Caller) -> None:
    assert coverage_page.hits("GET", "/cloud/zone/is1a/api/cloud/1.1/switch", "", b"", 404, {}, []) == set()
    sent = b'{"Switch": {"Name": "n", "Colour": "red", "Tags": []}}'
    path = "/cloud/zone/is1a/api/cloud/1.1/switch"
    found = coverage_page.hits("POST", path, "", sent, 201, {}, ["unknown key Tags"])
    assert found == {"POST /switch", "Switch sends Switch.Name", "Switch sends Switch.Colour"}
    assert found - coverage_page.known_items() == {"Switch sends Switch.Colour"}
