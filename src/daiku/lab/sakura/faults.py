"""Bad days on demand: rules that spoil chosen calls or chosen things, for tests of those who call.

Two sorts of rule. An *answer* fault (`423`, `slow`, `eof` ...) spoils calls whose `"METHOD /path"` the rule's `route`
matches: before the call is carried out, or after it was (`after`), with the answer lost: the crash that leaves a thing
behind which nobody knows of. A *thing* fault (`disk_failed`, `install_hangs` ...) strikes an object whose label
`"KIND ID NAME"` the `route` matches, at the moment that the object's next step is due.

A rule may strike by `chance`; the dice depend on the seed, the rule and how often it was asked, so that a run with the
same calls is spoilt in the same places.
"""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Callable
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
)

AnswerKind = Literal["423", "503", "409", "429", "404", "eof", "slow"]
ThingKind = Literal["disk_failed", "install_hangs", "no_ssh", "administrative_lock", "half_applied"]
FaultKind = Literal[
    "423",
    "503",
    "409",
    "429",
    "404",
    "eof",
    "slow",
    "disk_failed",
    "install_hangs",
    "no_ssh",
    "administrative_lock",
    "half_applied",
]
ANSWERS: tuple[str, ...] = get_args(AnswerKind)
MAX_SECONDS = 1e9
MEANINGS: dict[str, str] = {
    "423": "the answer is: locked",
    "503": "the answer is: busy",
    "409": "the answer is: still creating (IaaS), conflict (PHY)",
    "429": "the answer is: too many calls, with Retry-After `seconds`",
    "404": "the answer is: not found",
    "eof": "the connection ends in the middle of the answer",
    "slow": "the answer comes after `seconds` of real time",
    "disk_failed": "the copy of a disk or archive ends as failed",
    "install_hangs": "an OS install of a bare-metal server ends `seconds` late, or never",
    "no_ssh": "a VM or bare-metal server that boots never answers, until it boots again",
    "administrative_lock": "a bare-metal server is locked by the vendor for `seconds`, or until cleared",
    "half_applied": "`config` of an appliance makes only half of the changed settings live and reports success",
}
"""What each kind of rule does, one line each."""


def _status(value: object) -> object:
    """A status is written as a number in YAML."""
    return str(value) if isinstance(value, int) else value


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return value


class FaultRule(BaseModel):
    """`route`: a regular expression that is searched in `"METHOD /path"`, for thing faults in `"KIND ID NAME"`.

    times: how often it may strike; None: always. chance: how likely it strikes each time that it could.
    seconds: see `MEANINGS`; None leaves 1 second to 429 and slow. asked, struck: how often it could strike and did.
    """

    model_config = ConfigDict(extra="forbid")

    route: Annotated[str, AfterValidator(_pattern)]
    kind: Annotated[FaultKind, BeforeValidator(_status)]
    times: Annotated[int, Field(ge=0)] | None = 1
    seconds: Annotated[float, Field(ge=0, le=MAX_SECONDS, allow_inf_nan=False)] | None = None
    after: bool = False
    chance: Annotated[float, Field(gt=0, le=1)] = 1.0
    asked: int = 0
    struck: int = 0

    def delay(self) -> float:
        """Seconds of a 429 (virtual) or a slow answer (real)."""
        return 1.0 if self.seconds is None else self.seconds


class FaultPlan(BaseModel):
    """The rules in force, in order; the first that matches and strikes decides. Safe to use from any thread."""

    model_config = ConfigDict(extra="forbid")

    seed: int = 0
    rules: list[FaultRule] = Field(default_factory=list[FaultRule])
    _lock: threading.Lock = PrivateAttr(default_factory=threading.Lock)
    _listener: Callable[[list[FaultRule]], None] | None = PrivateAttr(default=None)

    def listen(self, action: Callable[[list[FaultRule]], None]) -> None:
        """Call `action` with the new rules after some were added, with none after all were cleared."""
        self._listener = action

    def add(
        self,
        route: str,
        kind: FaultKind,
        *,
        times: int | None = 1,
        seconds: float | None = None,
        after: bool = False,
        chance: float = 1.0,
    ) -> None:
        """Add one rule behind the others; pydantic's `ValidationError` (a ValueError) for a wrong one."""
        rule = FaultRule(route=route, kind=kind, times=times, seconds=seconds, after=after, chance=chance)
        self.extend([rule])

    def extend(self, rules: list[FaultRule]) -> None:
        """Add rules behind the others."""
        with self._lock:
            self.rules.extend(rules)
        self._tell(rules)

    def load(self, source: object) -> int:
        """Add the rules of a fault file (YAML text, or its content): `seed` (optional) and `faults`, a list of rules.

        Returns how many. ValueError, naming each fault's place, for what is no such file; nothing is added then.
        """
        plan = parse_plan(source)
        if plan.seed is not None:
            self.seed = plan.seed
        self.extend(plan.faults)
        return len(plan.faults)

    def clear(self) -> None:
        """Good weather again. What struck already stays struck; the vendor gives back what it locked."""
        with self._lock:
            self.rules.clear()
        self._tell([])

    def take(self, method: str, path: str) -> FaultRule | None:
        """The answer fault that spoils this call, if any."""
        return self._strike(f"{method} {path}", ANSWERS)

    def strikes(
        self, kind: ThingKind, label: str, *, among: list[FaultRule] | None = None
    ) -> FaultRule | None:
        """The thing fault of this kind that strikes the object with this label, if any; of the rules `among` only."""
        return self._strike(label, (kind,), among)

    def _strike(
        self, text: str, kinds: tuple[str, ...], among: list[FaultRule] | None = None
    ) -> FaultRule | None:
        with self._lock:
            for number, rule in enumerate(self.rules):
                if rule.kind not in kinds or not re.search(rule.route, text):
                    continue
                if among is not None and all(rule is not other for other in among):
                    continue
                if rule.times is not None and rule.struck >= rule.times:
                    continue
                rule.asked += 1
                dice = random.Random(f"{self.seed}/{number}/{rule.asked}")  # noqa: S311 - repeatable on purpose
                if dice.random() < rule.chance:
                    rule.struck += 1
                    return rule
            return None

    def _tell(self, rules: list[FaultRule]) -> None:
        if self._listener is not None:
            self._listener(rules)


class FaultFile(BaseModel):
    """A fault file's content."""

    model_config = ConfigDict(extra="forbid")

    seed: int | None = None
    faults: list[FaultRule]


def parse_plan(source: object) -> FaultFile:
    """A fault file's seed and rules, from YAML text or its content. ValueError with every wrong place."""
    try:
        content: Any = yaml.safe_load(source) if isinstance(source, str) else source
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"not YAML: {error}") from None
    try:
        return FaultFile.model_validate(content)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False, include_context=False)
        places = [
            f"{'.'.join(str(step) for step in fault['loc']) or 'file'}: {fault['msg']}" for fault in faults
        ]
        raise ValueError("; ".join(places)) from None
