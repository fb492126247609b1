"""From the engine's events to values: steps on the way, planned changes, and one clear error."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from pulumi.automation.events import (
    DiagnosticEvent,
    DiffKind,
    EngineEvent,
    OpType,
    PropertyDiff,
    StepEventMetadata,
)

from daiku.errors import CredentialsError, DaikuError, EngineError, UnreachableError
from daiku.stacks.changes import OnStep, Op, PlannedChange, PropertyChange, Step, name_of
from daiku.stacks.failure import Said, clean, split

_OPS: Final[Mapping[OpType, Op]] = {
    OpType.CREATE: "create",
    OpType.UPDATE: "update",
    OpType.DELETE: "delete",
    OpType.REPLACE: "replace",
    OpType.CREATE_REPLACEMENT: "replace",
    OpType.DELETE_REPLACED: "replace",
    OpType.IMPORT: "import",
    OpType.IMPORT_REPLACEMENT: "replace",
}
"""Operations that change something; `same`, `read` and `refresh` are not changes."""

_SEAL: Final = "4dabf18193072939515e22adb298388d"  # the key that marks a wrapped secret in the engine's JSON
_UNKNOWN: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"  # the engine's text for a value not yet known
_PATH: Final = re.compile(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.\[\]]+)')
_LONGEST: Final = 120


class Recorder:
    """Listens to one run. The engine's events come from threads of their own; `on_step` is called in order."""

    def __init__(self, on_step: OnStep | None = None) -> None:
        self._on_step = on_step
        self._lock = threading.Lock()
        self._changes: dict[str, PlannedChange] = {}
        self._refreshing: set[str] = set()
        self._drifts: dict[str, PlannedChange] = {}
        self._done: dict[str, Op] = {}
        self._notes: dict[str, list[str]] = {}
        self._errors: list[tuple[str, str]] = []
        self._fault: Exception | None = None

    def __call__(self, event: EngineEvent) -> None:
        """Take one event of the engine's stream. The stream swallows exceptions: the first is kept for later."""
        with self._lock:
            try:
                self._take(event)
            except Exception as error:  # noqa: BLE001 - raised again by raise_fault
                self._fault = self._fault or error

    def raise_fault(self) -> None:
        """Raise what `on_step` raised, if it did."""
        if self._fault is not None:
            raise self._fault

    def _take(self, event: EngineEvent) -> None:
        if event.resource_pre_event:
            self._before(event.resource_pre_event.metadata)
        elif event.res_outputs_event:
            self._after(event.res_outputs_event.metadata, "done")
        elif event.res_op_failed_event:
            self._after(event.res_op_failed_event.metadata, "failed")
        elif event.diagnostic_event:
            self._diagnostic(event.diagnostic_event)

    def changes(self) -> tuple[PlannedChange, ...]:
        """Every resource that changes, once, by URN; the providers' notes are with them."""
        with self._lock:
            return tuple(
                PlannedChange(
                    urn=change.urn,
                    type=change.type,
                    name=change.name,
                    op=change.op,
                    replace_reasons=change.replace_reasons,
                    properties=change.properties,
                    notes=tuple(self._notes.get(urn, ())),
                )
                for urn, change in sorted(self._changes.items())
            )

    def drifts(self) -> tuple[PlannedChange, ...]:
        """What a refresh found otherwise than the state said, by URN: `update`, or `delete` for what is gone."""
        with self._lock:
            return tuple(change for _, change in sorted(self._drifts.items()))

    def counts(self) -> dict[str, int]:
        """Operation -> number of resources on which it was done to the end."""
        with self._lock:
            operations = sorted(self._done.values())
        return {op: operations.count(op) for op in dict.fromkeys(operations)}

    def error(self, fallback: str) -> DaikuError:
        """The run's failure as one message: the provider's own words, and which resource they are about."""
        with self._lock:
            told = list(dict.fromkeys(self._errors))
        about = [(urn, text) for urn, text in told if urn and not _is_stack(urn)] or told
        if not about:
            said = split(fallback)
            return EngineError(said.message or "the engine ended without saying why", hint=said.hint)
        words = [split(text) for _, text in about]
        names = [name_of(urn) if urn and not _is_stack(urn) else "" for urn, _ in about]
        if len(about) == 1:
            failure = EngineError(words[0].message, where=names[0], hint=words[0].hint)
        else:
            told_once = _by_reason(list(zip(names, words, strict=True)))
            failure = EngineError(
                f"{len(about)} resources failed: {'; '.join(told_once)}", hint=words[0].hint
            )
        # Our plugins tell what kind of failure it was: a wrong token keeps its own exit code.
        failure.exit_code = words[0].exit_code or failure.exit_code
        return failure

    def _before(self, step: StepEventMetadata) -> None:
        if step.op is OpType.REFRESH:
            self._refreshing.add(step.urn)
            return
        op = _OPS.get(step.op)
        if op is None or not _is_real(step):
            return
        change = planned_change(step, op)
        known = self._changes.get(step.urn)
        if known is None or not known.properties:
            self._changes[step.urn] = change
        if step.op is not OpType.REPLACE:  # a logical step: the create and the delete of it follow
            self._tell("started", step, op)

    def _after(self, step: StepEventMetadata, stage: Literal["done", "failed"]) -> None:
        op = _OPS.get(step.op)
        if step.urn in self._refreshing:
            # A refresh begins as one and ends as what it found: that is no change that we make.
            self._refreshing.discard(step.urn)
            if op is not None and _is_real(step):
                self._drifts[step.urn] = planned_change(step, op, found=True)
            return
        if op is None or not _is_real(step):
            return
        if stage == "done":
            self._done[step.urn] = op
        if step.op is not OpType.REPLACE:
            self._tell(stage, step, op)

    def _diagnostic(self, event: DiagnosticEvent) -> None:
        text, urn = clean(event.message), event.urn or ""
        if not text or event.ephemeral:
            return
        if event.severity == "error":
            self._errors.append((urn, event.message))
            return
        if event.severity not in ("info", "warning") or _NOISE.search(text):
            return
        if urn and not _is_stack(urn) and text not in self._notes.setdefault(urn, []):
            self._notes[urn].append(text)
        if self._on_step:
            self._on_step(Step("note", urn, "", name_of(urn) if urn else "", text=text))

    def _tell(self, stage: Literal["started", "done", "failed"], step: StepEventMetadata, op: Op) -> None:
        if self._on_step:
            self._on_step(Step(stage, step.urn, step.type, name_of(step.urn), op))


def _by_reason(failures: Sequence[tuple[str, Said]]) -> list[str]:
    """One text a reason, and how many more resources failed for it: a wrong token stops all of them alike."""
    reasons: dict[str | int, list[str]] = {}
    for name, said in failures:
        # Each resource asked for a path of its own, so the words differ where the whole API is closed to us.
        closed = said.exit_code in (CredentialsError.exit_code, UnreachableError.exit_code)
        reasons.setdefault(said.exit_code if closed else said.message, []).append(
            f"{name}: {said.message}".removeprefix(": ")
        )
    return [
        texts[0] if len(texts) == 1 else f"{texts[0]} (and {len(texts) - 1} more for the same reason)"
        for texts in reasons.values()
    ]


_NOISE: Final = re.compile(r"^using pulumi-(resource|language)-\S+ from \$PATH|debug|^Update failed$")


def planned_change(step: StepEventMetadata, op: Op, *, found: bool = False) -> PlannedChange:
    """One step of the engine as a change: the detailed difference where the provider gave one.

    `found` is for what a refresh finds: the new side is then what is there, not what is wanted.
    """
    old_inputs = (step.old.inputs if step.old else None) or {}
    old_outputs = (step.old.outputs if step.old else None) or {}
    new_side = step.new and (step.new.outputs if found else step.new.inputs)
    news = new_side or {}
    properties: list[PropertyChange] = []
    for path, diff in sorted((step.detailed_diff or {}).items()):
        olds = old_inputs if diff.input_diff else old_outputs
        properties.append(_property(path, diff, olds, news))
    if not properties and op in ("update", "replace"):
        properties = [
            _property(name, PropertyDiff(DiffKind.UPDATE, True), old_inputs, news)
            for name in sorted(step.diffs or ())
        ]
    reasons = {
        p for p, diff in (step.detailed_diff or {}).items() if diff.diff_kind.value.endswith("-replace")
    }
    return PlannedChange(
        urn=step.urn,
        type=step.type,
        name=name_of(step.urn),
        op=op,
        replace_reasons=tuple(sorted(reasons or step.keys or ())) if op == "replace" else (),
        properties=tuple(properties),
    )


def _is_real(step: StepEventMetadata) -> bool:
    """Whether something exists in the world for it: components only group, providers are settings."""
    state = step.new or step.old
    return bool(state and state.custom) and not step.type.startswith("pulumi:providers:")


def _is_stack(urn: str) -> bool:
    return "::pulumi:pulumi:Stack::" in urn


def _property(
    path: str, diff: PropertyDiff, olds: Mapping[str, Any], news: Mapping[str, Any]
) -> PropertyChange:
    kind = diff.diff_kind.value.removesuffix("-replace")
    assert kind in ("add", "update", "delete")
    return PropertyChange(
        path=path,
        kind=kind,
        before="" if kind == "add" else shown(value_at(olds, path)),
        after="" if kind == "delete" else shown(value_at(news, path)),
    )


def value_at(properties: Any, path: str) -> Any:
    """The value at a property path such as `rules[0].port` or `tags["a.b"]`; None when there is none."""
    at = properties
    for quoted, index, name in _PATH.findall(path):
        if isinstance(at, Mapping) and _SEAL in at:
            return at
        if index and isinstance(at, list):
            at = at[int(index)] if int(index) < len(at) else None
        elif isinstance(at, Mapping):
            at = at.get(quoted or name or index)
        else:
            return None
    return at


def shown(value: Any) -> str:
    """A value as short JSON; secrets masked, what only the run will give as `[unknown]`."""
    if value is None:
        return ""
    text = json.dumps(_masked(value), ensure_ascii=False, sort_keys=True)
    text = text.replace('"[secret]"', "[secret]").replace('"[unknown]"', "[unknown]")
    if len(text) <= _LONGEST:
        return text
    # Two long values that differ beyond the cut must not look the same: saved plans are compared by these texts.
    mark = f"… {hashlib.sha256(text.encode()).hexdigest()[:12]}"
    return text[: _LONGEST - len(mark)] + mark


def _masked(value: Any) -> Any:
    if isinstance(value, Mapping):
        return "[secret]" if _SEAL in value else {k: _masked(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_masked(v) for v in value]
    return "[unknown]" if value == _UNKNOWN else value
