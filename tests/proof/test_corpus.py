"""Every real misconfiguration is found by its own finding, and by nothing else, at the lines of the user's file."""

from __future__ import annotations

import re
from typing import Any

import pytest

from daiku.errors import Fault
from daiku.plan.proof.prove import DOUBTING, REFUSING
from daiku.plan.review import REFUSALS, WARNINGS
from tests.proof.cases import cases, findings, text_of

CASES = cases()
REFUSED = {rule.code for rule in REFUSING}
DOUBTED = {rule.code for rule in DOUBTING}


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['file']}: {c['name']}")
def test_a_misconfiguration_is_one_finding_with_its_lines(case: dict[str, Any]) -> None:
    text = text_of(case)
    errors, warnings = findings(case, text)
    assert [f.code for f in (*errors, *warnings)] == [case["code"]]
    assert bool(errors) == (case["code"] in REFUSED)
    (found,) = (*errors, *warnings)
    assert found.path == case["path"]
    assert found.source.strip() == case["at"]
    assert [other.source.strip() for other in found.others] == case.get("with", [])
    for one in (found, *found.others):
        assert _line(text, one) == one.source
    assert all((found.message, found.happens, found.hint))


def test_the_patched_cluster_itself_is_sound() -> None:
    assert findings({}, text_of({})) == ([], [])


def test_the_corpus_is_large_and_each_case_names_its_source() -> None:
    assert len({(case["file"], case["name"]) for case in CASES}) == len(CASES) >= 60
    assert [case["name"] for case in CASES if not case["because"].strip()] == []


def test_every_rule_of_the_proof_has_been_seen() -> None:
    from daiku.plan.proof.prove import ERRORS
    from daiku.plan.proof.prove import WARNINGS as PROOF_WARNINGS

    missing = {rule.code for rule in (*ERRORS, *PROOF_WARNINGS)} - {case["code"] for case in CASES}
    assert missing == set()


def test_every_check_has_a_code_and_codes_differ() -> None:
    codes = [rule.code for rule in (*REFUSING, *DOUBTING)]
    assert len(set(codes)) == len(codes)
    assert {*REFUSALS, *WARNINGS} <= {rule.check for rule in (*REFUSING, *DOUBTING)}


def test_texts_are_sentences_of_one_line() -> None:
    for rule in (*REFUSING, *DOUBTING):
        for text in (rule.happens, rule.fix):
            assert re.fullmatch(r"([A-Z0-9]|kubeadm|sshd )[^|\n]*\.", text), rule.code
            assert "  " not in text, rule.code


def test_a_doubt_about_a_refused_setting_is_not_told_as_well() -> None:
    case = next(c for c in CASES if c["code"] == "mtu-node-over-transit")
    errors, warnings = findings(case, text_of(case))
    assert [f.path for f in errors] == ["network.node.mtu"]
    assert warnings == []


def _line(text: str, fault: Fault) -> str:
    assert fault.file == "cluster.yaml"
    return text.split("\n")[fault.line - 1]
