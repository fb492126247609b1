"""GPUs by model: memory, MIG profiles, NVLink, and what a server of a pool offers to pods.

Sources: NVIDIA's MIG user guide (profiles of each model), data sheets (memory, NVLink).
"""

from __future__ import annotations

from dataclasses import dataclass

from daiku.plan.model import PoolPlan
from daiku.spec.machines import GpuPool

MIG_SLICES = 7
"""Compute slices of a GPU."""


@dataclass(frozen=True, slots=True)
class GpuModel:
    """`nvlink_gb` is the NVLink bandwidth of one GPU in GB/s, one direction; `nvlink` its generation.

    `profiles` gives for each MIG profile how many of the GPU's `memory_slices` a device takes, smallest first.
    """

    memory_gib: int
    nvlink: int
    nvlink_gb: int
    profiles: dict[str, int]
    memory_slices: int = 8


MODELS: dict[str, GpuModel] = {
    "a100-sxm4-80gb": GpuModel(
        80, 3, 300, {"1g.10gb": 1, "1g.20gb": 2, "2g.20gb": 2, "3g.40gb": 4, "4g.40gb": 4, "7g.80gb": 8}
    ),
    "h100-sxm5-80gb": GpuModel(
        80, 4, 450, {"1g.10gb": 1, "1g.20gb": 2, "2g.20gb": 2, "3g.40gb": 4, "4g.40gb": 4, "7g.80gb": 8}
    ),
    "h200-sxm5-141gb": GpuModel(
        141, 4, 450, {"1g.18gb": 1, "1g.35gb": 2, "2g.35gb": 2, "3g.71gb": 4, "4g.71gb": 4, "7g.141gb": 8}
    ),
    "b200-sxm6-180gb": GpuModel(
        180, 5, 900, {"1g.23gb": 1, "1g.45gb": 2, "2g.45gb": 2, "3g.90gb": 4, "4g.90gb": 4, "7g.180gb": 8}
    ),
}


def mig_devices(pool: GpuPool) -> tuple[tuple[str, int], ...]:
    """Profiles and their number on every GPU of the pool; empty without MIG. Default: seven of the smallest."""
    if pool.sharing != "mig":
        return ()
    if not pool.mig:
        return ((next(iter(MODELS[pool.gpu.model].profiles)), MIG_SLICES),)
    counts: dict[str, int] = {}
    for device in pool.mig:
        counts[device.profile] = counts.get(device.profile, 0) + device.count
    return tuple(sorted(counts.items()))


def resources(pool: PoolPlan) -> tuple[tuple[str, int], ...]:
    """What one server of the pool offers to pods, by resource name.

    MIG devices have names of their own, and so has a shared GPU (`.shared`): a quota of `nvidia.com/gpu` always
    counts whole GPUs.
    """
    if pool.sharing == "mig":
        return tuple((f"nvidia.com/mig-{profile}", pool.gpus * count) for profile, count in pool.mig)
    if pool.sharing in {"mps", "time-slicing"}:
        return (("nvidia.com/gpu.shared", pool.gpus * pool.replicas),)
    return (("nvidia.com/gpu", pool.gpus),)
