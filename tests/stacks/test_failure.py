"""What a user is told when the engine fails."""

from __future__ import annotations

import pytest

from daiku.stacks.failure import GO_ON, clean, split

URN = "urn:pulumi:ishikari::daiku::daiku:cluster:Network$sakura:cloud:Switch::nodes"

CASES = [
    (
        f"<{{%reset%}}>creating {URN}: 1 error occurred:\n\t* the token is not accepted\nmake a key [daiku-10]\n\n",
        ("the token is not accepted", "make a key", 10),
    ),
    (f"error: updating {URN}: 1 error occurred:\n\t* it failed [daiku-12]\n", ("it failed", GO_ON, 12)),
    ("rpc error: code = Unknown desc = AccessDenied: no", ("AccessDenied: no", GO_ON, 0)),
    (
        "something broke\nTraceback (most recent call last):\n  File x\nValueError: secret",
        ("something broke", GO_ON, 0),
    ),
    (
        "error: could not load plugin: no resource plugin 'pulumi-resource-aws' found in the workspace",
        (
            "could not load plugin: no resource plugin 'pulumi-resource-aws' found in the workspace",
            "install the plugin once, where there is network: pulumi plugin install resource aws",
            0,
        ),
    ),
]


@pytest.mark.parametrize(("message", "expected"), CASES)
def test_the_providers_own_words_remain(message: str, expected: tuple[str, str, int]) -> None:
    said = split(message)
    assert (said.message, said.hint, said.exit_code) == expected


def test_a_message_is_one_line() -> None:
    assert clean("a\n  b\n\tc [daiku-1]") == "a b c"
