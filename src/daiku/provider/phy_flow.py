"""When a PHY server is installed, waited for, or left alone: a pure state machine over what can be observed.

The API has no idempotency key and no job ID: it knows one lock. So the intent is written into the service's
description before the order, and every key that the order installs carries the intent's token as its comment: a host
that shows the token was installed by this very order. Promises, whatever crashes when: no order while the server is
locked, and never two orders for one token.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any, cast

_PREFIX = "daiku="


class Step(Enum):
    """How far an installation has come, as the description says."""

    ASKING = "asking"
    ASKED = "asked"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Intent:
    """One installation. `at` is when the step was written (UTC, ISO 8601); `key` the host key, once it is done."""

    token: str
    step: Step
    at: str
    key: str = ""


class Evidence(Enum):
    """What the host itself tells about its installation."""

    UNPROBED = "unprobed"
    NEW = "new"
    """It shows our token."""
    OLD = "old"
    """It answers, and was not installed by our order."""
    SILENT = "silent"
    """It does not answer."""


class Action(Enum):
    """What to do next."""

    HELD = "held"
    """The vendor holds the machine: stop, and tell."""
    WAIT = "wait"
    """Something is under way: look again later."""
    RECORD_ASKING = "record asking"
    ORDER = "order"
    RECORD_ASKED = "record asked"
    PROBE = "probe"
    POWER_ON = "power on"
    RECORD_DONE = "record done"
    FINISHED = "finished"
    UNDECIDED = "undecided"
    """Whether the order was carried out cannot be known: stop, and let a person raise the generation."""


@dataclass(frozen=True, slots=True)
class Observed:
    """The facts of one moment, read in this order: the server, then the host.

    `fresh`: this process wrote the intent itself and has sent no order since. `accepted`: this process got the API's
    yes to the order. `settled`: so much time went by since the intent that an order would show as a lock.
    """

    lock: str | None
    powered: bool
    intent: Intent | None
    evidence: Evidence = Evidence.UNPROBED
    fresh: bool = False
    accepted: bool = False
    settled: bool = False


def token_of(server_id: str, image_id: str, generation: int) -> str:
    """The name of one installation: the same inputs are the same installation, in every run."""
    return hashlib.sha256(f"{server_id}\0{image_id}\0{generation}".encode()).hexdigest()[:16]


def decide(token: str, seen: Observed, *, can_probe: bool) -> Action:
    """The next action towards the installation `token`. `can_probe`: we can log in to the host."""
    intent = seen.intent
    ours = intent is not None and intent.token == token
    if intent is not None and ours and intent.step is Step.DONE:
        return Action.FINISHED
    if seen.lock == "administrative_lock":
        return Action.HELD
    if seen.lock is not None:
        return Action.WAIT
    if intent is None or not ours:
        return Action.RECORD_ASKING
    if intent.step is Step.ASKING and seen.fresh:
        return Action.ORDER
    if intent.step is Step.ASKING and seen.accepted:
        return Action.RECORD_ASKED
    if not seen.settled:
        return Action.WAIT
    if can_probe:
        return _by_evidence(intent.step, seen)
    return Action.RECORD_DONE if intent.step is Step.ASKED else Action.UNDECIDED


def _by_evidence(step: Step, seen: Observed) -> Action:
    """The order was sent or not, the server is free, and the host may tell."""
    if seen.evidence is Evidence.UNPROBED:
        return Action.PROBE
    if seen.evidence is Evidence.NEW:
        return Action.RECORD_DONE
    if seen.evidence is Evidence.SILENT:
        return Action.WAIT if seen.powered else Action.POWER_ON
    # The host answers and was not installed by us: an order that was accepted is lost, one that was not never went.
    return Action.ORDER if step is Step.ASKING else Action.UNDECIDED


def read_intent(description: str | None) -> tuple[str, Intent | None]:
    """The user's part of a service's description, and the intent in its last line."""
    text = description or ""
    head, _, last = text.rpartition("\n")
    if not last.startswith(_PREFIX):
        return text, None
    try:
        parts = cast("dict[str, Any]", json.loads(last.removeprefix(_PREFIX)))
        intent = Intent(
            str(parts["token"]), Step(parts["step"]), str(parts.get("at", "")), str(parts.get("key", ""))
        )
    except (ValueError, KeyError, TypeError):
        return text, None
    return head, intent


def write_intent(text: str, intent: Intent | None) -> str | None:
    """A description with the intent as its last line; None for an empty one. The API takes 1000 characters, of which
    the intent needs about 220.
    """
    if intent is None:
        return text or None
    parts = {name: value for name, value in asdict(intent).items() if value} | {"step": intent.step.value}
    line = _PREFIX + json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return f"{text}\n{line}" if text else line
