"""What went wrong, from the engine's wrapping to the provider's own words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_COLOUR: Final = re.compile(r"<\{%.*?%\}>|\x1b\[[0-9;]*m")
_TRACE: Final = re.compile(r"\n\s*(?:Traceback|goroutine \d+|stack trace:)")
_WRAPPING: Final = (
    re.compile(r"^(?:error|warning):\s+"),
    re.compile(r"^(?:creating|updating|deleting|reading|refreshing|checking|diffing) urn:\S+\s+"),
    re.compile(r"^Preview failed:\s+"),
    re.compile(r"^\d+ errors? occurred:\s*"),
    re.compile(r"^\*\s+"),
    re.compile(r"^rpc error: code = \w+ desc = "),
)
_CODE: Final = re.compile(r"\s*\[daiku-(\d+)\]")
GO_ON: Final = "run the same command again once the cause is mended: what was made is kept"


@dataclass(frozen=True, slots=True)
class Said:
    """A provider's error in parts; `exit_code` is 0 where the provider is not ours."""

    message: str
    hint: str
    exit_code: int


def split(message: str) -> Said:
    """Our plugins put their hint on the lines after the message and `[daiku-<exit code>]` at the end."""
    text = _unwrapped(message)
    code = _CODE.search(text)
    if code is None:
        text = clean(text)
        return Said(text, _hint(text), 0)
    first, _, rest = text[: code.start()].partition("\n")
    return Said(clean(first), clean(rest) or GO_ON, int(code[1]))


def clean(message: str) -> str:
    """One line, without colours, the engine's wrapping or a stack trace."""
    text = _TRACE.split(_unwrapped(message), maxsplit=1)[0]
    return " ".join(_CODE.sub("", text).split())


def _unwrapped(message: str) -> str:
    text = _COLOUR.sub("", message).strip()
    while True:
        shorter = text
        for wrapping in _WRAPPING:
            shorter = wrapping.sub("", shorter).lstrip()
        if shorter == text:
            return text
        text = shorter


def _hint(text: str) -> str:
    if plugin := re.search(r"no resource plugin '?(?:pulumi-resource-)?([a-z]+)", text):
        return f"install the plugin once, where there is network: pulumi plugin install resource {plugin[1]}"
    if "incorrect passphrase" in text:
        return "set PULUMI_CONFIG_PASSPHRASE, or restore the cluster's passphrase file"
    return GO_ON
