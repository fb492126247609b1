"""One cluster file with everything that belongs to it, composed for the verbs that touch the world."""

from __future__ import annotations

import json
import os
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from daiku.cli.common import command
from daiku.cli.output import Progress
from daiku.errors import StateError

if TYPE_CHECKING:
    from daiku.apply.phases.facts import ClusterFacts
    from daiku.ledger.audit import AuditLog
    from daiku.ledger.database import Database
    from daiku.ledger.host_keys import PinnedHostKeys
    from daiku.ledger.journal import Journal
    from daiku.ledger.paths import State
    from daiku.ledger.running import Running
    from daiku.ledger.secrets import Secrets
    from daiku.plan.facts import Facts
    from daiku.plan.model import Plan
    from daiku.spec.cluster import Cluster
    from daiku.spec.load import Loaded
    from daiku.stacks.engine import Engine
    from daiku.wire.ssh_login import Login


@dataclass(frozen=True, slots=True)
class Job:
    """A cluster file, its plan, and what daiku remembers of it."""

    file: Path
    loaded: Loaded
    plan: Plan
    state: State
    database: Database

    @property
    def facts_file(self) -> Path:
        """Facts of the last `up`, so that verbs that only touch hosts need no engine."""
        return self.state.directory / "facts.json"

    def facts(self) -> Facts | None:
        """Facts of the last `up`; None before the first."""
        from daiku.plan.facts import Facts

        try:
            return Facts.model_validate_json(self.facts_file.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise StateError(
                "the facts of the last `up` cannot be read",
                where=str(self.facts_file),
                hint=f"run: {command('up', self.file)}",
            ) from error

    def keep_facts(self, facts: Facts | None) -> None:
        """Remember the facts; None forgets them."""
        if facts is None:
            self.facts_file.unlink(missing_ok=True)
            return
        temporary = self.facts_file.with_suffix(".new")
        temporary.write_text(facts.model_dump_json(indent=1), encoding="utf-8")
        temporary.replace(self.facts_file)

    def need_facts(self) -> Facts:
        """Facts of the last `up`; StateError when the cluster was never made."""
        facts = self.facts()
        if facts is None:
            raise StateError(
                f"cluster {self.plan.cluster} was not made yet",
                where=str(self.file),
                hint=f"run: {command('up', self.file)}",
            )
        return facts

    @property
    def _applied_file(self) -> Path:
        return self.state.directory / "applied.json"

    def keep_applied(self) -> None:
        """Remember the file and the plan that the cluster was brought to, for the next `plan`'s comparison."""
        text = json.dumps(
            {"spec": self.loaded.cluster.model_dump_json(), "plan": self.plan.model_dump_json()}
        )
        temporary = self._applied_file.with_suffix(".new")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(self._applied_file)

    @property
    def _begun_file(self) -> Path:
        return self.state.directory / "begun.json"

    def keep_begun(self) -> None:
        """Remember the file that Kubernetes was first begun with: from here on some settings are built in, even if
        this run fails."""
        if not self._begun_file.exists():
            temporary = self._begun_file.with_suffix(".new")
            temporary.write_text(self.loaded.cluster.model_dump_json(), encoding="utf-8")
            temporary.replace(self._begun_file)

    def forget_applied(self) -> None:
        self._applied_file.unlink(missing_ok=True)
        self._begun_file.unlink(missing_ok=True)

    def check_standing(self) -> None:
        """SpecError when the file changes what a cluster that stands cannot change. Before the first `up` all is
        free."""
        if (old := self.standing()) is not None:
            self._refuse(old)

    def check_built(self, cluster: ClusterFacts | None) -> None:
        """The same against what the cluster itself says that it was built with; nothing while it does not answer."""
        from daiku.spec.disruption import as_built

        if cluster is not None:
            self._refuse(as_built(self.loaded.cluster, cluster.built))

    def standing(self) -> Cluster | None:
        """The file that the cluster was brought to or begun with; None where that is not remembered: before the first
        `up`, or when the record was lost, or another version wrote it."""
        from daiku.spec.cluster import Cluster

        if applied := self.applied():
            return applied[0]
        try:
            return Cluster.model_validate_json(self._begun_file.read_text("utf-8"))
        except (OSError, ValueError):
            return None

    def _refuse(self, old: Cluster) -> None:
        from daiku.errors import SpecError
        from daiku.spec.disruption import refusals

        if faults := refusals(old, self.loaded.cluster, self.loaded.source):
            raise SpecError(faults)

    def applied(self) -> tuple[Cluster, Plan] | None:
        """What the cluster was last brought to; None before the first `up`, or when another version wrote it."""
        from daiku.plan.model import Plan
        from daiku.spec.cluster import Cluster

        try:
            kept = json.loads(self._applied_file.read_text(encoding="utf-8"))
            return Cluster.model_validate_json(kept["spec"]), Plan.model_validate_json(kept["plan"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def host_keys(self, facts: Facts) -> PinnedHostKeys:
        """The pinned keys of the hosts as they are now; keys that a provider saw at an install are pinned too."""
        from daiku.ledger.host_keys import PinnedHostKeys

        keys = PinnedHostKeys(self.database, {node.name: node.incarnation for node in facts.nodes})
        for node in facts.nodes:
            if node.host_key and keys.pinned(node.name) is None:
                keys.pin(node.name, node.host_key)
        return keys

    def journal(self) -> Journal:
        from daiku.ledger.journal import Journal

        return Journal(self.database)

    def deploy_key(self) -> tuple[Path, str]:
        """The cluster's own SSH key: path of the private half, text of the public one."""
        from daiku.ledger.keys import ensure_deploy_key

        return ensure_deploy_key(self.state.keys)

    def login(self) -> Login:
        """How this operator logs in to hosts: the cluster's key, and what the environment adds."""
        from daiku.wire.ssh_login import login_from_environment

        return login_from_environment(self.deploy_key()[0])

    def secrets(self) -> Secrets:
        """The cluster's own secrets, for files on hosts that hold one."""
        from daiku.ledger.secrets import Secrets

        return Secrets(self.state.keys / "secrets")

    def given(self, name: str) -> dict[str, bytes]:
        """The data of the Kubernetes Secret that the operator's secret `name` becomes. StateError: it cannot be read,
        or is not as it was kept."""
        from daiku.plan.given import GIVEN

        given, secret = self.secrets().given, GIVEN[name]
        try:
            return secret.data(secret.kept(given.read(name)))
        except ValueError as error:
            raise StateError(
                f"the secret {name} is damaged: {error}",
                where=str(given.directory / name),
                hint=f"daiku secret set {name} --from FILE",
            ) from None

    def check_given(self) -> None:
        """StateError when a secret that the operator gave cannot be read: told before anything is touched."""
        from daiku.plan.given import taken

        for name in taken(self.plan):
            self.given(name)

    def secret_marks(self) -> dict[str, str]:
        """The marks of the secrets that the plan brings to hosts and to the cluster, by name; of those that the
        operator gives, such as there are. StateError: one cannot be read."""
        from daiku.plan.given import PREFIX, taken
        from daiku.render.host_kubernetes import ENCRYPTION_KEY

        secrets = self.secrets()
        there = secrets.given.times()
        names = [f"{PREFIX}{name}" for name in taken(self.plan) if name in there]
        own = [ENCRYPTION_KEY] if self.plan.encrypt_secrets else []
        return {name: secrets.mark(name) for name in (*names, *own)}

    def engine(self, progress: Progress) -> Engine:
        """The Pulumi engine for this cluster.

        MissingToolError when it can be neither found nor built; CredentialsError or UnreachableError when the APIs
        do not let us in: told once and before anything is begun, not by every resource in its own words.
        """
        from daiku.lab.tools.build import find_or_build
        from daiku.stacks.engine import Engine
        from daiku.stacks.inputs import gather
        from daiku.stacks.program import declare

        private, public = self.deploy_key()
        inputs = gather(self.plan, public, os.environ, key_file=private, host_keys=self.state.database)
        self._knock()
        with progress.waiting("looking for the Pulumi engine"):
            binary = find_or_build("pulumi", progress.detail)
        return Engine(
            lambda: declare(inputs), self.plan.cluster, directory=self.state.directory, binary=binary
        )

    def _knock(self) -> None:
        """One small read of each of Sakura's APIs."""
        from dataclasses import replace

        from daiku.wire.credentials import credentials_from_environment, endpoints_from_environment
        from daiku.wire.phy import Phy
        from daiku.wire.sakura_cloud import SakuraCloud
        from daiku.wire.sakura_kinds import SWITCH

        credentials = credentials_from_environment()
        endpoints = replace(endpoints_from_environment(), zone=self.plan.zone)
        with closing(SakuraCloud.at(credentials, endpoints)) as cloud:
            cloud.find_by_name(SWITCH, f"{self.plan.cluster}-nodes")
        if self.plan.by_role("gpu"):
            with closing(Phy.at(credentials, endpoints)) as phy:
                phy.services()

    def audit(self) -> AuditLog:
        from daiku.ledger.audit import AuditLog

        return AuditLog(self.state.audit_log, self.database, self.plan.cluster)

    def exclusively(self, verb: str, **details: str) -> AbstractContextManager[Running]:
        """Hold the cluster for `verb`, with an entry in the journal and two in the audit log, where `details` stand."""
        from daiku.ledger.running import running
        from daiku.ledger.shared_lock import shared_lock

        about = {"plan": self.plan.digest(), "release": self.plan.release.name, **details}
        shared = shared_lock(self.plan.cluster, verb, os.environ)
        return running(self.database, self.audit(), verb, about, shared=shared)


def open_job(file: Path) -> Job:
    """Load and plan the file, and open what daiku remembers of its cluster. SpecError with all faults."""
    from daiku.ledger.database import Database
    from daiku.ledger.given import Given
    from daiku.ledger.paths import State
    from daiku.plan.given import with_given
    from daiku.plan.make import make
    from daiku.spec.load import load

    loaded = load(file)
    plan = make(loaded)
    state = State.of(file, plan.cluster)
    plan = with_given(plan, Given.beside(state.keys).times())
    return Job(file=file, loaded=loaded, plan=plan, state=state, database=Database(state.database))
