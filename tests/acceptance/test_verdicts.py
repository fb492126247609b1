"""Thresholds follow the hardware, and what the tools print is read as they print it."""

from __future__ import annotations

from pathlib import Path

import pytest

from daiku.observe.acceptance import NAMESPACE, SELECTOR, Acceptance, read
from daiku.observe.acceptance_logs import (
    Collective,
    Diagnosis,
    Throughput,
    UnreadableError,
    dcgmi_diag,
    fio,
    ib_write_bw,
    nccl_tests,
    sections,
)
from daiku.plan.acceptance import places, thresholds, wire_share
from tests.render.plans import fabric, plan

LOGS = Path(__file__).parent / "logs"
PLAN = plan(gpus=2, storage={"reliable": {"replicas": 2}}, tenants=[])
FIRST, SECOND = "ishikari-h100-001", "ishikari-h100-002"


def log(name: str) -> str:
    return (LOGS / name).read_text()


def test_eight_h100_with_four_rails() -> None:
    found = {t.name: (t.least, t.unit) for t in thresholds(PLAN)}
    assert found == {
        "nvlink": (382.5, "GB/s"),
        # 200 x 4096 / 4178 x 0.97
        **{f"port{rail}": (190.2, "Gb/s") for rail in range(4)},
        # 200 / 8 x 4096 / 4178 x 0.85, and four times as much
        **{f"rail{rail}": (20.8, "GB/s") for rail in range(4)},
        "ring": (83.3, "GB/s"),
        "storage-fast": (2.0, "GB/s"),
    }


def test_older_gpus_and_small_packets_are_not_measured_by_newer_ones() -> None:
    small = {t.name: t.least for t in thresholds(fabric(mtu=1500))}
    assert wire_share(1500) == pytest.approx(1024 / 1106)
    assert small["ring"] == pytest.approx(4 * 25 * 1024 / 1106 * 0.85, abs=0.05)
    (pool,) = PLAN.pools
    a100 = PLAN.model_copy(update={"pools": (pool.model_copy(update={"gpu_model": "a100-sxm4-80gb"}),)})
    assert {t.name: t.least for t in thresholds(a100)}["nvlink"] == pytest.approx(300 * 0.8 * 0.85)


def test_one_machine_has_no_fabric_to_prove_and_mig_no_collectives() -> None:
    alone = {t.name for t in thresholds(plan(gpus=1, storage={"reliable": None}, tenants=[]))}
    assert alone == {"nvlink", "storage-fast"}
    (pool,) = PLAN.pools
    mig = PLAN.model_copy(update={"pools": (pool.model_copy(update={"sharing": "mig"}),)})
    assert not {t.name for t in thresholds(mig)} & {"nvlink", "ring", "rail0"}


def test_nccl_tests_counts_at_the_largest_size() -> None:
    assert nccl_tests(log("nccl-ring.txt")) == Collective(93.55, 4294967296, 0)
    assert nccl_tests(log("nccl-wrong.txt")) == Collective(452.36, 2147483648, 19)


def test_without_validation_nothing_is_known_to_be_wrong() -> None:
    text = log("nccl-ring.txt").replace("       0 ", "     N/A ")
    assert nccl_tests(text).busbw == 93.55


def test_ib_write_bw_in_its_own_unit_only() -> None:
    assert ib_write_bw(log("port.txt")) == 195.3
    with pytest.raises(UnreadableError, match="MiB/sec, not Gb/sec"):
        ib_write_bw(log("port-mib.txt"))


def test_both_forms_of_dcgms_diagnosis() -> None:
    assert dcgmi_diag(log("diag-4.json")) == Diagnosis(
        ("Integration/pcie",), (), ("Stress/targeted_power",), 1
    )
    assert dcgmi_diag(log("diag-3.json")) == Diagnosis((), (), (), 2)


def test_fio_adds_its_writers_up() -> None:
    assert fio(log("fio.json")) == Throughput(4.8, 0.0, 0)
    assert fio(log("fio.json").replace('"error": 0', '"error": 28')).error == 28


@pytest.mark.parametrize("parse", [nccl_tests, ib_write_bw, dcgmi_diag, fio])
@pytest.mark.parametrize("text", ["", "command not found", '{"jobs": []}', log("nccl-died.txt"), "{"])
def test_a_tool_that_died_is_no_result(parse: object, text: str) -> None:
    assert callable(parse)
    with pytest.raises(UnreadableError):
        parse(text)


def pod(check: str, body: str, node: str = FIRST, peer: str = "") -> str:
    told = f" peer={peer}" if peer else ""
    return f"noise before\n@daiku pool=h100 check={check} node={node}{told}\n{body}\n"


def sound() -> list[str]:
    """The logs of a cluster in which all is well."""
    nvlink = log("nccl-ring.txt").replace("93.55", "450.1")
    diagnosis = log("diag-3.json")
    logs = [pod("ring", log("nccl-ring.txt"), "all")]
    logs += [pod(f"rail{n}", log("nccl-ring.txt").replace("93.5", "23.5"), "all") for n in range(4)]
    for node in (FIRST, SECOND):
        logs += [pod(f"port{n}", log("port.txt"), node, "next") for n in range(4)]
        logs += [pod("nvlink", nvlink, node), pod("diag", diagnosis, node)]
        logs += [pod("storage-fast", log("fio.json"), node)]
    logs.append(pod("storage-reliable", log("fio.json"), FIRST))
    return logs


def judged(logs: list[str]) -> Acceptance:
    asked: list[tuple[str, str]] = []

    def reading(namespace: str, selector: str) -> list[str]:
        asked.append((namespace, selector))
        return logs

    result = read(PLAN, reading)
    assert asked == [(NAMESPACE, SELECTOR)]
    return result


def test_a_sound_cluster_is_accepted() -> None:
    result = judged(sound())
    assert [o for o in result.outcomes if o.verdict not in {"passed", "measured"}] == []
    assert result.accepted
    assert result.summary() == f"accepted: {len(places(PLAN))} passed, 1 measured"


@pytest.mark.parametrize(
    ("change", "check", "where", "verdict", "says"),
    [
        (("195.30", "96.10"), "port2", f"{SECOND} -> next", "failed", "payload"),
        (("450.1", "210.0"), "nvlink", SECOND, "failed", "NVLink 4"),
        (("Pass", "Fail"), "diag", SECOND, "failed", "Hardware/GPU Memory"),
        (("4294967296    1073741824", "broken"), "ring", "all", "passed", "4 x 200"),
    ],
)
def test_one_bad_place_is_named(
    change: tuple[str, str], check: str, where: str, verdict: str, says: str
) -> None:
    logs = [
        text.replace(*change) if f"check={check} node={where.partition(' ')[0]}" in text else text
        for text in sound()
    ]
    result = judged(logs)
    (outcome,) = [o for o in result.outcomes if (o.check, o.where) == (check, where)]
    assert (outcome.verdict, says in outcome.detail) == (verdict, True)
    assert result.accepted is (verdict == "passed")


def test_wrong_values_fail_however_fast_they_were() -> None:
    logs = [t for t in sound() if f"check=nvlink node={FIRST}" not in t]
    result = judged([*logs, pod("nvlink", log("nccl-wrong.txt"))])
    assert (result.outcomes[0].verdict, result.outcomes[0].detail) == ("failed", "19 wrong values")


def test_a_machine_that_was_left_out_is_missing() -> None:
    result = judged([text for text in sound() if SECOND not in text])
    assert not result.accepted
    assert {(o.check, o.where) for o in result.outcomes if o.verdict == "missing"} == {
        (check, SECOND) for check in ("nvlink", "diag", "storage-fast", "port0", "port1", "port2", "port3")
    }


def test_nothing_that_ran_is_nothing_proven() -> None:
    result = judged([])
    assert not result.accepted
    assert {o.verdict for o in result.outcomes} == {"missing"}


def test_a_log_is_cut_at_its_marks() -> None:
    cut = sections("before\n@daiku pool=a check=ring node=all\n1\n2\n@daiku pool=a check=rail0 node=all\n3")
    assert [(s.about["check"], s.text) for s in cut] == [("ring", "1\n2"), ("rail0", "3")]
