"""What mocks never check: that the provider would take what the program gives it."""

from __future__ import annotations

from typing import Any

import pytest

from daiku.provider.checking import accept
from daiku.provider.plugin import PLUGIN
from tests.stacks.recorder import SECRET_MARK, declared, example

TYPES = {handler.type.name: handler.type for handler in PLUGIN.handlers}
FUNCTIONS = {function.type.name: function.type for function in PLUGIN.functions}
SETTINGS = {"zone": "is1b"}


def unwrapped(value: Any) -> Any:
    """Secrets as the plain values that the provider gets."""
    if isinstance(value, dict):
        return (
            unwrapped(value["value"]) if SECRET_MARK in value else {k: unwrapped(v) for k, v in value.items()}
        )
    return [unwrapped(v) for v in value] if isinstance(value, list) else value


def with_made_up_ids(value: Any) -> Any:
    """The mocks' IDs are readable; the provider wants twelve digits."""
    if isinstance(value, dict):
        return {k: with_made_up_ids(v) for k, v in value.items()}
    if isinstance(value, list):
        return [with_made_up_ids(v) for v in value]
    return "113000000009" if isinstance(value, str) and value.endswith(("-rid", "uplink-switch")) else value


@pytest.mark.parametrize("router", ["premium, bandwidthMbps: 500", "standard"])
def test_the_provider_takes_every_input_of_the_program(monkeypatch: pytest.MonkeyPatch, router: str) -> None:
    plan = example(lambda text: text.replace("premium, bandwidthMbps: 500", router))
    recorder, _ = declared(monkeypatch, plan)
    seen = set[str]()
    for resource in recorder.found:
        if not resource.type.startswith("sakura:"):
            continue
        given = with_made_up_ids(unwrapped(resource.inputs))
        _, failures = accept(TYPES[resource.type].inputs, given, SETTINGS)
        assert failures == [], (resource.name, failures)
        seen.add(resource.type)
    assert len(seen) >= 8


def test_the_provider_takes_its_settings_and_look_ups(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder, _ = declared(monkeypatch, example())
    for provider in recorder.of("pulumi:providers:sakura"):
        _, failures = accept(PLUGIN.config, unwrapped(provider.inputs), {})
        assert failures == [], provider.name
    for token, arguments in recorder.calls:
        assert accept(FUNCTIONS[token].inputs, arguments, SETTINGS)[1] == []
