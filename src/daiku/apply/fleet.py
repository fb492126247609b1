"""Many hosts at once: a bastion first, then the hosts through it, so many at a time, each for itself.

A host that fails stops no other. After an interruption no host begins to change; those that have begun finish, because
a host that is left half way is worse than one that is waited for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from daiku.apply.bastion import HOSTS_A_WAY, Bastion, cut_off
from daiku.apply.converge import CONFIRM_SECONDS, REBOOT_SECONDS, Approve, SecretOf, StoppedError, converge
from daiku.apply.conversation import SILENCE_SECONDS
from daiku.apply.report import FleetReport, HostReport
from daiku.apply.targets import Target, Targets
from daiku.errors import DaikuError, HostError, HostUnreachableError, LockHeldError
from daiku.render.bundle import HostBundle
from daiku.wire.ssh import Session, connect
from daiku.wire.ssh_login import Login
from daiku.wire.ssh_types import Endpoint, HostKeys

RECONNECT_SECONDS = 60.0
"""How long a host that went away while it changed (its network is new, say) is looked for, beyond the time after which
it takes back a network that cut it off."""

OnEvent = Callable[[str, str, str], None]
"""Called with the host, the step (`connect`, `files`, `trigger`, `done`, `failed` ...) and a message.

Calls come from many threads, but never two at a time.
"""


_Outcome = HostReport | HostError | None
"""What became of a host. None: the run was stopped, or the budget of failures spent, before the host changed."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Settings:
    """How the fleet is worked on. Times are in seconds.

    `parallel` hosts at a time; `timeout` for each stage of a log-in; `patience`: how long a host that does not answer
    yet is tried again, as one that boots; `silence`: how long a host may say nothing before its connection counts as
    lost; `retries`: how often a connection that is lost before anything changed is made anew; `confirm`: how long after
    a new network a host waits to be reached before it takes that network back. `budget`: once so many hosts have
    failed, no further one is begun; None: all are. `root`: a folder to take for the root of every host, in rehearsals.
    `hosts_a_way`: hosts at a time on one connection to the bastion.
    """

    parallel: int = 16
    timeout: float = 15.0
    patience: float = 0.0
    silence: float = SILENCE_SECONDS
    retries: int = 1
    confirm: float = CONFIRM_SECONDS
    budget: int | None = None
    root: str = "/"
    hosts_a_way: int = HOSTS_A_WAY


@dataclass
class _Work:
    """What the threads of one run share."""

    key_file: Path | Login
    host_keys: HostKeys
    settings: Settings
    dry_run: bool
    run_id: str
    on_event: OnEvent
    approve: Approve
    secrets: SecretOf | None
    check: Callable[[], None]
    bastion: Bastion | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    told: threading.Lock = field(default_factory=threading.Lock)
    connections: int = 0
    abandoned: bool = False
    sessions: set[Session] = field(default_factory=set[Session])
    failed: int = 0
    lost: LockHeldError | None = None

    @property
    def over_budget(self) -> bool:
        budget = self.settings.budget
        return budget is not None and self.failed >= budget

    def may_begin(self) -> bool:
        """Whether a host that has not changed yet may still do so."""
        if self.stop.is_set() or self.over_budget:
            return False
        try:
            self.check()
        except LockHeldError as error:
            self.lost = error
            self.stop.set()
            return False
        return True

    def fail(self, host: str, error: HostError) -> None:
        with self.lock:
            self.failed += 1
        self.tell(host, "failed", error.message)

    def tell(self, host: str, step: str, message: str) -> None:
        with self.told:
            self.on_event(host, step, message)

    def count(self, _name: str, _endpoint: Endpoint) -> None:
        with self.lock:
            self.connections += 1

    def connect(self, target: Target, patience: float) -> Session:
        """Log in; while the host does not answer, again until `patience` seconds are over.

        HostError: of the host, or of the bastion when that cannot be used.
        """
        end = time.monotonic() + patience
        pause = 0.5
        while True:
            try:
                session = self._log_in(target)
            except HostUnreachableError as error:
                if time.monotonic() + pause > end:
                    raise
                self.tell(target.name, "wait", error.message)
                if self.stop.wait(pause):
                    raise
                pause = min(5.0, pause * 2)
            else:
                with self.lock:
                    self.sessions.add(session)
                if self.abandoned:
                    session.close()
                return session

    def _log_in(self, target: Target) -> Session:
        """Once; again over another way when the way through the bastion was lost meanwhile."""
        bastion = self.bastion if self.bastion is not None and self.bastion.name != target.name else None
        retries = self.settings.retries
        while True:
            if self.abandoned:
                raise HostUnreachableError(
                    "not tried again: the run was left", host=target.name, step="connect"
                )
            place = bastion.place() if bastion is not None else None
            try:
                session = connect(
                    target.name,
                    target.endpoint,
                    key_file=self.key_file,
                    jump=place.session if place is not None else None,
                    host_keys=self.host_keys,
                    timeout=self.settings.timeout,
                    on_connect=self.count,
                )
            except BaseException as error:
                if place is None:
                    raise
                place.close()
                unreachable = isinstance(error, HostUnreachableError)
                if retries <= 0 or not unreachable or not place.session.lost():
                    raise
                retries -= 1
            else:
                return session.owns([place]) if place is not None else session

    def abandon(self) -> None:
        """Cut every connection: what runs on a host goes on there, but nobody waits for it."""
        with self.lock:
            self.abandoned = True
            for session in self.sessions:
                session.close()


def run(
    targets: Targets,
    bundles: Mapping[str, HostBundle],
    *,
    key_file: Path | Login,
    host_keys: HostKeys,
    settings: Settings | None = None,
    dry_run: bool = False,
    run_id: str = "",
    on_event: OnEvent = lambda _host, _step, _message: None,
    approve: Approve = lambda _report: None,
    secrets: SecretOf | None = None,
    check: Callable[[], None] = lambda: None,
) -> FleetReport:
    """Converge every target that has a bundle; the others are not contacted. With `dry_run` nothing changes.
    `approve` sees, from many threads, what is about to be done on a host; its HostError keeps that host as it is.
    `check` is called before a host is begun and again before it changes; its LockHeldError (another run has the cluster
    now) lets no host begin any more, and is raised when those that change have finished.

    The bastion comes last, because its new network could cut off the hosts behind it. Hosts' failures are in the
    report, none is raised. StateError: a private key or the agent cannot be used.
    Ctrl-C (KeyboardInterrupt in the calling thread) ends the run cleanly and is told by `interrupted`; one before the
    first host is begun is raised, and so is a second one, which cuts the connections.
    """
    with Login.of(key_file).keys():
        began = time.monotonic()
    work = _Work(
        key_file, host_keys, settings or Settings(), dry_run, run_id, on_event, approve, secrets, check
    )
    outcomes: dict[str, _Outcome] = {}
    chosen = [host for host in targets.hosts if host.name in bundles]
    bastion = targets.bastion
    names = [host.name for host in chosen]
    if bastion is not None and bastion.name in bundles:
        names.insert(0, bastion.name)
    interrupted = False
    try:
        if bastion is not None and names:
            first = _guarded(bastion.name, lambda: work.connect(bastion, work.settings.patience))
            work.bastion = Bastion(first, lambda: work.connect(bastion, 0.0), work.settings.hosts_a_way)
        jobs = {host.name: partial(_host, work, host, bundles[host.name]) for host in chosen}
        interrupted = _all(work, jobs, outcomes)
        if work.bastion is not None and bastion is not None and bastion.name in bundles:
            last = {bastion.name: partial(_bastion, work, work.bastion, bastion, bundles[bastion.name])}
            interrupted = _all(work, last, outcomes) or interrupted
    except HostError as error:
        names = list(dict.fromkeys([error.host, *names]))
        outcomes.update({name: cut_off(name, error) for name in names})
    finally:
        if work.bastion is not None:
            work.bastion.close()
    if work.lost is not None:
        raise work.lost
    skipped = tuple(n for n in names if outcomes.get(n) is None)
    return FleetReport(
        reports=tuple(o for n in names if isinstance(o := outcomes.get(n), HostReport)),
        failures=tuple(o for n in names if isinstance(o := outcomes.get(n), HostError)),
        skipped=skipped,
        interrupted=interrupted,
        connections=work.connections,
        seconds=time.monotonic() - began,
        over_budget=work.over_budget and bool(skipped),
    )


def _all(work: _Work, jobs: Mapping[str, Callable[[], HostReport]], outcomes: dict[str, _Outcome]) -> bool:
    """Do the jobs, note each one's outcome under the host's name; True when interrupted."""
    with ThreadPoolExecutor(max(1, min(work.settings.parallel, len(jobs))), "converge") as pool:
        futures: dict[Future[_Outcome], str] = {}
        try:
            futures.update({pool.submit(_outcome, work, name, job): name for name, job in jobs.items()})
            wait(futures)
        except KeyboardInterrupt:
            work.stop.set()
            work.tell(
                "", "interrupt", "waiting for the hosts that change now; press Ctrl-C again to leave them"
            )
            try:
                wait(futures)
            except KeyboardInterrupt:
                work.abandon()
                raise
        outcomes.update({name: future.result() for future, name in futures.items()})
    return work.stop.is_set()


def _outcome(work: _Work, host: str, job: Callable[[], HostReport]) -> _Outcome:
    """What became of a host; None when the run was stopped, or the budget spent, before it changed."""
    if not work.may_begin():
        return None
    try:
        report = _guarded(host, job)
    except StoppedError:
        return None
    except HostError as error:
        if work.bastion is not None and error.host == work.bastion.name != host:
            work.bastion.gone = error
            error = cut_off(host, error)
        work.fail(host, error)
        return error
    work.tell(host, "done", _summary(report))
    return report


def _guarded(host: str, job: Callable[[], T]) -> T:
    """Run `job`; whatever it raises (but StoppedError) becomes a HostError of this host."""
    try:
        return job()
    except (HostError, StoppedError):
        raise
    except DaikuError as error:
        raise HostError(str(error), host=host, hint=error.hint) from error
    except Exception as error:
        # A fault of ours on one host must not take the others with it.
        raise HostError(
            f"daiku failed: {type(error).__name__}: {error}",
            host=host,
            hint="this is a fault of daiku: report it",
        ) from error


def _host(work: _Work, target: Target, bundle: HostBundle) -> HostReport:
    began = time.monotonic()
    if work.bastion is not None and work.bastion.gone is not None:
        raise work.bastion.gone
    work.tell(target.name, "connect", str(target.endpoint.host))
    with work.connect(target, work.settings.patience) as session:
        report = _converge(work, session, target, bundle)
    return replace(report, seconds=time.monotonic() - began)


def _bastion(work: _Work, bastion: Bastion, target: Target, bundle: HostBundle) -> HostReport:
    return _converge(work, bastion.session(), target, bundle)


def _converge(work: _Work, session: Session, target: Target, bundle: HostBundle) -> HostReport:
    restarts = any(trigger.reboot for trigger in bundle.triggers)
    away = REBOOT_SECONDS if restarts else work.settings.confirm + RECONNECT_SECONDS
    return converge(
        session,
        bundle,
        dry_run=work.dry_run,
        run_id=work.run_id,
        root=work.settings.root,
        reconnect=lambda: work.connect(target, away),
        stopped=lambda: not work.may_begin(),
        silence=work.settings.silence,
        confirm=work.settings.confirm,
        retries=work.settings.retries,
        approve=work.approve,
        secrets=work.secrets,
        on_step=lambda step, message: work.tell(target.name, step, message),
    )


def _summary(report: HostReport) -> str:
    if not report.changed:
        return "unchanged"
    verb = "to change" if report.dry_run else "changed"
    parts = [f"{_counted(report.changes, 'file')} {verb}"] if report.changes else []
    if report.drift:
        parts.append(f"{_counted(report.drift, 'setting')} of the running machine {verb}")
    if report.triggers:
        parts.append(", ".join(trigger.name for trigger in report.triggers))
    return "; ".join(parts)


def _counted(things: Sequence[object], name: str) -> str:
    return f"{len(things)} {name}" if len(things) == 1 else f"{len(things)} {name}s"
