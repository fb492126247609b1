"""What the command line says of phases and of a cluster that is not there yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from daiku.apply.phases.names import PHASES, SAYS
from tests.cli.conftest import Daiku

EXAMPLE = Path(__file__).parents[2] / "examples" / "ishikari" / "cluster.yaml"


@pytest.mark.parametrize("verb", ["up", "plan"])
@pytest.mark.parametrize(
    ("said", "meant"),
    [("host", "hosts"), ("controlplane", "control-plane"), ("addons", "add-ons"), ("worker", "workers")],
)
def test_a_phase_that_is_none_gets_the_nearest_one(daiku: Daiku, verb: str, said: str, meant: str) -> None:
    done = daiku(verb, "-f", str(EXAMPLE), "--until", said)
    assert done.code == 2
    assert f"did you mean {meant}?" in done.err


def test_a_word_like_none_gets_them_all_with_what_they_do(daiku: Daiku) -> None:
    done = daiku("up", "-f", str(EXAMPLE), "--until", "zzz")
    assert done.code == 2
    for phase in PHASES:
        assert f"{phase}: {SAYS[phase]}" in done.err


def test_the_help_names_every_phase_in_order(daiku: Daiku) -> None:
    told = " ".join(daiku("up", "--help").out.split())
    places = [told.index(phase) for phase in PHASES]
    assert places == sorted(places)


def test_kubectl_before_the_first_up_says_what_to_do(daiku: Daiku) -> None:
    done = daiku("kubectl", "-f", str(EXAMPLE), "--", "get", "nodes")
    assert done.code == 8
    assert "was not made yet" in done.err
    assert "daiku up" in done.err
