"""How an object in the cloud is known to be ours: a tag, or a last line in its description where the API has no tags.

The mark is a hash of the resource's URN, so a run that crashed between the API's answer and the state file finds
what it made. Both are hidden from the state: users see their own tags and text only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

TAG = "daiku-id="
PREVIOUS = "@previous-id="
PENDING = "daiku-unapplied"
"""On an appliance whose saved settings are not live yet."""


def mark(namespace: str, urn: str) -> str:
    """`daiku-id=` and 20 hexadecimal digits: 29 characters, a tag may have 32."""
    digest = hashlib.sha256(f"{namespace}\0{urn}".encode()).hexdigest()
    return TAG + digest[:20]


def own_tags(tags: Iterable[str]) -> list[str]:
    """The user's tags among all of an object's, sorted."""
    return sorted(tag for tag in tags if not tag.startswith((TAG, PREVIOUS)) and tag != PENDING)


def signed(description: str, identity: str) -> str:
    """A description with the mark as its last line."""
    return f"{description}\n[{identity}]" if description else f"[{identity}]"


def unsigned(description: str) -> str:
    """The user's part of a description."""
    head, _, last = description.rpartition("\n")
    return head if last.startswith(f"[{TAG}") and last.endswith("]") else description


def carries(description: str, identity: str) -> bool:
    """Whether the description ends with this mark."""
    return description.rpartition("\n")[2] == f"[{identity}]"
