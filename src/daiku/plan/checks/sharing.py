"""How GPUs are shared, and who speaks for the cluster to routers, against what there is."""

from __future__ import annotations

from collections.abc import Iterator

from daiku.errors import Fault
from daiku.plan.gpus import MIG_SLICES, MODELS
from daiku.plan.view import View


def mig(view: View) -> Iterator[Fault]:
    """MIG devices are profiles that the model has, and fit one GPU."""
    for _, path, pool in view.pools():
        model = MODELS[pool.gpu.model]
        if not pool.mig:
            continue
        if pool.sharing != "mig":
            yield view.clash(
                (*path, "mig"),
                f"pool {pool.name} has MIG devices and is shared by {pool.sharing}",
                (*path, "sharing"),
                "how its GPUs are shared",
                "set `sharing: mig`, or leave `mig` out",
            )
            continue
        unknown = [d.profile for d in pool.mig if d.profile not in model.profiles]
        if unknown:
            yield view.clash(
                (*path, "mig"),
                f"{pool.gpu.model} has no MIG profile {unknown[0]}",
                (*path, "gpu", "model"),
                "model of the GPUs",
                f"it has {', '.join(model.profiles)}",
            )
            continue
        compute = sum(int(d.profile.partition("g")[0]) * d.count for d in pool.mig)
        memory = sum(model.profiles[d.profile] * d.count for d in pool.mig)
        if compute > MIG_SLICES or memory > model.memory_slices:
            yield view.source.fault(
                (*path, "mig"),
                f"a GPU has {MIG_SLICES} compute and {model.memory_slices} memory slices; "
                f"these devices want {compute} and {memory}",
                "take fewer or smaller devices",
            )


def manager(view: View) -> Iterator[Fault]:
    """MIG is laid out by the manager that comes with NVIDIA's operator."""
    if view.cluster.kubernetes.gpu_stack == "operator":
        return
    for _, path, pool in view.pools():
        if pool.sharing == "mig":
            yield view.clash(
                (*path, "sharing"),
                "the device plugin alone does not lay out MIG devices",
                ("kubernetes", "gpuStack"),
                "what gives GPUs to pods",
                "take `gpuStack: operator`",
            )


def speakers(view: View) -> Iterator[Fault]:
    """The machines that speak BGP exist."""
    bgp = view.cluster.network.bgp
    if bgp is None:
        return
    known = ["control-plane", "management", *(pool.name for _, _, pool in view.pools())]
    if bgp.pool not in known:
        yield view.source.fault(
            ("network", "bgp", "pool"),
            f"there are no machines called {bgp.pool} that could speak BGP",
            f"one of {', '.join(known)}",
        )
