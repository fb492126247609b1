"""What the acceptance jobs of a live cluster came to, read from their pods."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from daiku.observe.acceptance import NAMESPACE, SELECTOR, Acceptance, Outcome, read
from daiku.plan.model import Plan
from daiku.wire.kubernetes import KubernetesApi, Object
from daiku.wire.kubernetes_logs import PodLog, pod_logs


@dataclass(frozen=True, slots=True)
class Proof:
    """The verdicts; the jobs that have not ended, whose results are not all there yet; those that failed, whatever they
    printed; and the pods without a log."""

    acceptance: Acceptance
    running: tuple[str, ...]
    failed: tuple[str, ...]
    silent: tuple[PodLog, ...]

    @property
    def accepted(self) -> bool:
        """Every verdict is good, and no job failed."""
        return self.acceptance.accepted and not self.failed

    def summary(self) -> str:
        """One line."""
        said = self.acceptance.summary()
        if self.acceptance.accepted and self.failed:
            said = f"not {said}"
        return f"{said}; failed jobs: {', '.join(self.failed)}" if self.failed else said

    def of(self, jobs: AbstractSet[str]) -> Proof:
        """The same of these jobs alone."""
        outcomes = tuple(one for one in self.acceptance.outcomes if job_of(one) in jobs)
        return replace(
            self,
            acceptance=Acceptance(outcomes),
            running=tuple(name for name in self.running if name in jobs),
            failed=tuple(name for name in self.failed if name in jobs),
            silent=tuple(log for log in self.silent if log.labels.get(SELECTOR) in jobs),
        )


def look(plan: Plan, api: KubernetesApi) -> Proof | None:
    """The proof as far as it got; None where no acceptance job was ever begun, or all are removed. ApiError."""
    jobs = api.list("batch/v1", "Job", namespace=NAMESPACE)
    if not jobs:
        return None
    logs: tuple[PodLog, ...] = ()

    def texts(namespace: str, labels: str) -> list[str]:
        nonlocal logs
        logs = pod_logs(api, namespace, labels)
        return [log.text for log in logs]

    acceptance = read(plan, texts)
    states = {str(job["metadata"]["name"]): ended(job) for job in jobs}
    running, failed = (
        tuple(sorted(name for name, state in states.items() if state == wanted)) for wanted in ("", "Failed")
    )
    return Proof(acceptance, running, failed, tuple(log for log in logs if log.why))


def ended(job: Object) -> str:
    """Complete or Failed, as Kubernetes says it; "" while the job runs."""
    conditions = (job.get("status") or {}).get("conditions") or []
    over = (str(one["type"]) for one in conditions if one.get("status") == "True")
    return next((word for word in over if word in {"Complete", "Failed"}), "")


def job_of(outcome: Outcome) -> str:
    """The job that measures this: `h100-ring` for a rail alone, too."""
    check = outcome.check
    for many, job in (("rail", "ring"), ("port", "port")):
        check = job if check.startswith(many) else check
    return f"{outcome.pool}-{check}"
