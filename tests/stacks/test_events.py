"""From the engine's events to changes, steps and errors."""

from __future__ import annotations

from typing import Any

import pytest
from pulumi.automation.events import EngineEvent

from daiku.stacks.changes import PropertyChange, Step
from daiku.stacks.events import Recorder, shown, value_at

SEALED = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:abc"}
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
TYPE = "sakura:cloud:Internet"


def urn(name: str, type_: str = TYPE) -> str:
    return f"urn:pulumi:ishikari::daiku::daiku:cluster:Network${type_}::{name}"


def step(op: str, name: str = "uplink", type_: str = TYPE, **more: Any) -> EngineEvent:
    state = {"urn": urn(name, type_), "type": type_, "custom": more.pop("custom", True)}
    metadata = {
        "op": op,
        "urn": urn(name, type_),
        "type": type_,
        "provider": "",
        "old": {**state, **more.pop("old", {})},
        "new": {**state, **more.pop("new", {})},
        **more,
    }
    return EngineEvent.from_json({"resourcePreEvent": {"metadata": metadata}})


def diagnostic(severity: str, message: str, name: str = "uplink") -> EngineEvent:
    return EngineEvent.from_json(
        {"diagnosticEvent": {"severity": severity, "message": message, "color": "never", "urn": urn(name)}}
    )


def played(*events: EngineEvent) -> Recorder:
    recorder = Recorder()
    for event in events:
        recorder(event)
    return recorder


def test_an_update_is_shown_property_by_property() -> None:
    recorder = played(
        step(
            "update",
            old={"outputs": {"bandwidthMbps": 500, "tags": ["a"]}},
            new={"inputs": {"bandwidthMbps": 1000, "tags": ["a", "b"]}},
            detailedDiff={
                "tags[1]": {"diffKind": "add", "inputDiff": False},
                "bandwidthMbps": {"diffKind": "update", "inputDiff": False},
            },
        ),
        diagnostic("info", "bandwidthMbps stops it: the API gives it a new ID"),
    )
    (change,) = recorder.changes()
    assert change.properties == (
        PropertyChange("bandwidthMbps", "update", "500", "1000"),
        PropertyChange("tags[1]", "add", "", '"b"'),
    )
    assert change.notes == ("bandwidthMbps stops it: the API gives it a new ID",)


def test_a_replacement_is_one_change_with_its_reasons() -> None:
    diff = {"mask": {"diffKind": "update-replace", "inputDiff": True}}
    values: dict[str, Any] = {
        "old": {"inputs": {"mask": 28}},
        "new": {"inputs": {"mask": 27}},
        "detailedDiff": diff,
        "keys": ["mask"],
    }
    recorder = played(
        step("delete-replaced", **values), step("replace", **values), step("create-replacement", **values)
    )
    (change,) = recorder.changes()
    assert (change.op, change.replace_reasons) == ("replace", ("mask",))
    assert change.properties == (PropertyChange("mask", "update", "28", "27"),)


@pytest.mark.parametrize("op", ["same", "read", "refresh"])
def test_what_changes_nothing_is_no_change(op: str) -> None:
    assert played(step(op)).changes() == ()


@pytest.mark.parametrize(
    ("type_", "custom"), [("daiku:cluster:Network", False), ("pulumi:providers:aws", True)]
)
def test_components_and_providers_are_not_things_in_the_world(type_: str, custom: bool) -> None:
    assert played(step("create", type_=type_, custom=custom)).changes() == ()


def test_changes_come_in_one_order_whatever_the_engines() -> None:
    events = [step("create", name) for name in ("c", "a", "b")]
    assert played(*events).changes() == played(*reversed(events)).changes()


def test_secrets_are_masked_and_unknown_values_named() -> None:
    recorder = played(
        step(
            "update",
            old={"outputs": {"key": SEALED, "peer": {"key": SEALED}, "id": "x"}},
            new={"inputs": {"key": SEALED, "peer": {"key": SEALED, "port": 1}, "id": UNKNOWN}},
            detailedDiff={p: {"diffKind": "update"} for p in ("key", "peer", "peer.key", "id")},
        )
    )
    texts = {p.path: (p.before, p.after) for p in recorder.changes()[0].properties}
    assert texts["key"] == texts["peer.key"] == ("[secret]", "[secret]")
    assert texts["peer"] == ('{"key": [secret]}', '{"key": [secret], "port": 1}')
    assert texts["id"] == ('"x"', "[unknown]")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a.b[1].c", 3),
        ('t["x.y"]', "dotted"),
        ("a.none", None),
        ("a.b[9]", None),
        ("a.b[1].c.deeper", None),
    ],
)
def test_a_property_path_leads_to_its_value(path: str, value: object) -> None:
    assert value_at({"a": {"b": [0, {"c": 3}]}, "t": {"x.y": "dotted"}}, path) == value


def test_a_long_value_is_cut() -> None:
    assert len(shown("x" * 1000)) == 120
    assert "…" in shown("x" * 1000)
    assert shown("x" * 1000) != shown("x" * 999 + "y")


def test_one_error_names_its_resource_and_keeps_its_exit_code() -> None:
    recorder = played(diagnostic("error", "creating it failed\nmake a new key [daiku-10]"))
    error = recorder.error("")
    assert (error.where, error.message, error.hint, error.exit_code) == (
        "uplink",
        "creating it failed",
        "make a new key",
        10,
    )


def test_several_errors_name_each_resource() -> None:
    recorder = played(diagnostic("error", "no", "a"), diagnostic("error", "also no", "b"))
    error = recorder.error("")
    assert error.message == "2 resources failed: a: no; b: also no"
    assert error.exit_code == 15


def test_a_closed_api_is_told_once_for_all_resources() -> None:
    refused = "GET /{}: Authentication failed.\ncheck the key [daiku-10]"
    recorder = played(*(diagnostic("error", refused.format(name), name) for name in ("a", "b", "c")))
    error = recorder.error("")
    expected = "3 resources failed: a: GET /a: Authentication failed. (and 2 more for the same reason)"
    assert (error.message, error.hint, error.exit_code) == (expected, "check the key", 10)


def test_an_engine_that_says_nothing_still_ends_with_a_message() -> None:
    assert played().error("").message
    assert (
        played().error("error: the passphrase is wrong: incorrect passphrase").hint.startswith("set PULUMI")
    )


def test_a_listener_that_fails_is_not_silenced() -> None:
    def fails(_: Step) -> None:
        raise ValueError("in the listener")

    recorder = Recorder(fails)
    recorder(step("create"))
    with pytest.raises(ValueError, match="in the listener"):
        recorder.raise_fault()


def test_what_a_refresh_finds_is_drift_and_not_a_change_of_ours() -> None:
    begun = step("refresh")
    ended = EngineEvent.from_json(
        {
            "resOutputsEvent": {
                "metadata": {
                    "op": "update",
                    "urn": urn("uplink"),
                    "type": TYPE,
                    "provider": "",
                    "old": {"urn": urn("uplink"), "type": TYPE, "custom": True, "outputs": {"vlan": 1}},
                    "new": {"urn": urn("uplink"), "type": TYPE, "custom": True, "outputs": {"vlan": 2}},
                    "detailedDiff": {"vlan": {"diffKind": "update", "inputDiff": False}},
                }
            }
        }
    )
    recorder = played(begun, ended)
    (drift,) = recorder.drifts()
    assert drift.properties == (PropertyChange("vlan", "update", "1", "2"),)
    assert recorder.changes() == ()
    assert recorder.counts() == {}
