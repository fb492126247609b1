"""Carrying out one step of a decision."""

from __future__ import annotations

from collections.abc import Callable

from daiku.apply.phases.decide import STATIC_PODS, Step
from daiku.apply.phases.drain import drain
from daiku.apply.phases.facts import HostFacts
from daiku.apply.phases.marks import marks
from daiku.apply.phases.remote import Kubeadm, forget_member, kubeadm, restart_kubelet
from daiku.apply.phases.work import Work, as_host_error, node_seen
from daiku.errors import ApiError, HostError
from daiku.render.host_kubernetes import DISCOVERY, KUBEADM, RUNTIME, node_registration
from daiku.wire.kubernetes import KubernetesApi

INIT_SECONDS = 300.0
JOIN_SECONDS = 300.0
OTHER_SECONDS = 120.0
"""How long kubeadm may say nothing: it announces each step, and its own longest wait is four minutes."""
RUN = DISCOVERY.rpartition("/")[0]
SILENT = ("--skip-certificate-key-print", "--skip-token-print")
ETCD_DATA = "/var/lib/etcd"
_HALF_DONE = ",".join(
    [
        "DirAvailable--var-lib-etcd",
        *(f"FileAvailable--etc-kubernetes-manifests-{name}.yaml" for name in STATIC_PODS),
        *(f"Port-{port}" for port in (6443, 10257, 10259, 10250, 2379, 2380)),
    ]
)
"""Preflight checks that an init which goes on cannot pass: they ask for a machine that was never touched."""


def carry_out(work: Work, step: Step, facts: dict[str, HostFacts]) -> None:
    """Do one step, told before and after. `facts` are those of the decision. HostError, also where the run may not."""
    work.permit(step)
    actions: dict[str, Callable[[Work, Step, dict[str, HostFacts]], None]] = {
        "init": _init,
        "resume init": _init,
        "forget etcd member": _forget,
        "delete node": _delete_node,
        "drain": _drain,
        "reset": _reset,
        "join": _join,
        "restart kubelet": _restart,
        "mark": _mark,
    }
    with work.teller.step(step.phase, step.host, step.do) as did:
        try:
            actions[step.do](work, step, facts)
        except ApiError as error:
            raise as_host_error(error, step.host, step.do) from error
        finally:
            work.outdated()
        did.append(f"{step.do}: {step.reason}")


def _init(work: Work, step: Step, _facts: dict[str, HostFacts]) -> None:
    again = ("--ignore-preflight-errors", _HALF_DONE) if step.do == "resume init" else ()
    rendered = work.bundles[step.host].file(f"{KUBEADM}/init.yaml").content
    call = Kubeadm(
        ("init", "--config", f"{RUN}/init.yaml", "--upload-certs", *SILENT, *again),
        INIT_SECONDS,
        files={"init.yaml": work.secrets.init_configuration(rendered)},
        vips=_vips(work, step.host),
        # kubeadm reaches the API server it starts by the balancer's address; there is nobody else behind that yet.
        carry="before",
        secrets=work.secrets.hidden,
    )
    _kubeadm(work, step, call)
    work.uploaded = True


def _join(work: Work, step: Step, facts: dict[str, HostFacts]) -> None:
    machine = work.machine(step.host)
    access = work.api(facts)
    work.let_in(access.api)
    ca = access.credentials.ca_pem
    if machine.control_plane:
        _upload(work, step, facts)
    files = {DISCOVERY.rpartition("/")[2]: work.secrets.discovery(work.plan.api_endpoint, ca)}
    config = f"{KUBEADM}/join.yaml"
    if machine.control_plane:
        files["join.yaml"] = work.secrets.join_configuration(work.bundles[step.host].file(config).content)
        config = f"{RUN}/join.yaml"
    call = Kubeadm(
        ("join", "--config", config),
        JOIN_SECONDS,
        files=files,
        vips=_vips(work, step.host) if machine.control_plane else (),
        carry="ready" if machine.control_plane else "as-is",
        secrets=work.secrets.hidden,
    )
    _kubeadm(work, step, call)


def _upload(work: Work, step: Step, facts: dict[str, HostFacts]) -> None:
    """The control planes' certificates, encrypted with this run's key, for two hours at most."""
    if work.uploaded:
        return
    source = next(m for m in work.planes if m.name in facts and facts[m.name].api == "ok")
    node = work.plan.node(source.name)
    version = "v" + work.plan.release.kubernetes.removeprefix("v")
    registration = node_registration(node, source.provider_id)
    call = Kubeadm(
        ("init", "phase", "upload-certs", "--upload-certs", "--config", f"{RUN}/upload.yaml", SILENT[0]),
        OTHER_SECONDS,
        files={"upload.yaml": work.secrets.upload_configuration(version, registration, node.address)},
        secrets=work.secrets.hidden,
    )
    _kubeadm(work, Step(step.phase, source.name, step.do, step.reason), call)
    work.uploaded = True


def _reset(work: Work, step: Step, _facts: dict[str, HostFacts]) -> None:
    call = Kubeadm(
        # The member is out of etcd already, or never was in it; kubeadm would look for it by the old credentials.
        ("reset", "--force", "--skip-phases", "remove-etcd-member", "--cri-socket", RUNTIME),
        OTHER_SECONDS,
        vips=_vips(work, step.host),
        carry="never" if work.machine(step.host).control_plane else "as-is",
        wipe=(ETCD_DATA,) if work.machine(step.host).control_plane else (),
    )
    _kubeadm(work, step, call)


def _forget(work: Work, step: Step, facts: dict[str, HostFacts]) -> None:
    asked = next(
        m.name
        for m in work.planes
        if m.name != step.host and m.name in facts and facts[m.name].quorum and facts[m.name].api == "ok"
    )
    forget_member(work.reach.session(asked), step.detail, step.do)


def _delete_node(work: Work, step: Step, facts: dict[str, HostFacts]) -> None:
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": step.host}}
    work.api(facts).api.delete(node)


def _drain(work: Work, step: Step, facts: dict[str, HostFacts]) -> None:
    drain(work.api(facts).api, step.host, lambda line: work.teller.detail(step.host, line))


def _restart(work: Work, step: Step, _facts: dict[str, HostFacts]) -> None:
    restart_kubelet(work.reach.session(step.host), step.do)


def _mark(work: Work, step: Step, facts: dict[str, HostFacts]) -> None:
    mark(work, work.api(facts).api, step.host)


def mark(work: Work, api: KubernetesApi, name: str) -> str:
    """Bring the Node's labels and taints in line; what was changed, in words. ApiError."""
    body = api.get("v1", "Node", name)
    if body is None:
        raise HostError("it has no Node", host=name, step="mark", hint=f"run: {work.again}")
    wrong = marks(work.machine(name), node_seen(body))
    if wrong:
        # The version guards the taints, which are written as a whole: another's change meanwhile is not undone.
        patch = wrong.patch()
        patch.setdefault("metadata", {})["resourceVersion"] = body["metadata"]["resourceVersion"]
        headers = {"Content-Type": "application/merge-patch+json"}
        api.call("PATCH", f"/api/v1/nodes/{name}", body=patch, headers=headers, where=f"Node {name}")
    return wrong.words()


def _kubeadm(work: Work, step: Step, call: Kubeadm) -> None:
    address = work.machine(step.host).address
    kubeadm(
        work.reach.session(step.host),
        address,
        call,
        f"kubeadm {call.arguments[0]}",
        again=work.again,
        on_line=lambda line: work.teller.detail(step.host, line),
    )


def _vips(work: Work, name: str) -> tuple[str, ...]:
    return work.plan.node(name).vips
