"""The small cluster that Kubernetes is rehearsed with: of the example's file, made and asked."""

from __future__ import annotations

import re
from typing import Any

from tests.main_job.kit import Done, Rehearsal

WHOLE = ("--until", "checks")
FIRST = "ishikari-cp-1"


def small(text: str) -> str:
    """One control plane, one management node and two GPU servers, at Sakura alone."""
    text = re.sub(r"\naws:\n(  .*\n)+", "\n", text)
    text = text.replace("controlPlane: { count: 3,", "controlPlane: { count: 1,")
    text = text.replace("management: { count: 2,", "management: { count: 1,")
    text = re.sub(r"      - \{ index: [34].*\n", "", text)
    text = re.sub(r"  reliable: .*\n", "  reliable: null\n", text)
    return text.replace("gpus: 24", "gpus: 8")


def edited(text: str, *changes: tuple[str, str]) -> str:
    """The text with each replaced, of which there is exactly one."""
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def up(lab: Rehearsal, *more: str) -> Any:
    """The whole of it, Kubernetes too."""
    return lab.ok("--lab", "up", "--yes", "--json", *WHOLE, *more).json


def kubectl(lab: Rehearsal, *arguments: str) -> Done:
    return lab.run("--lab", "kubectl", "--", *arguments)
