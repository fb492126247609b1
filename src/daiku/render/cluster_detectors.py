"""Node problem detection: kernel messages and small checks become conditions of the node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from daiku.plan.model import Plan
from daiku.plan.namespaces import MONITORING
from daiku.render.cluster_parts import MANAGEMENT_POOL, POOL_LABEL, Files, gpu_pools
from daiku.render.engine import render
from daiku.render.images import image

NAME = "node-problem-detector"
FATAL_XIDS = (48, 64, 74, 79, 95, 119, 120)
"""Codes after which a GPU is of no use until it is reset."""
_INTERVAL, _TIMEOUT = "30s", "10s"


@dataclass(frozen=True, slots=True)
class Detector:
    """The detector of one kind of machine. `rails` (NICs, with spaces between) and `gpus` are what each of these
    machines must have; empty on those without GPUs. `arguments` name its configuration files."""

    name: str
    pools: tuple[str, ...]
    rails: str
    gpus: str
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Detectors:
    template: ClassVar[str] = "cluster/monitoring/detectors.yaml.j2"
    name: str
    namespace: str
    image: str
    pool_label: str
    kernel: dict[str, Any]
    gpu_kernel: dict[str, Any]
    gpu_plugin: dict[str, Any]
    rail_plugin: dict[str, Any]
    detectors: tuple[Detector, ...]


def detector_parts(plan: Plan) -> Files:
    """A DaemonSet for the virtual machines and one for each GPU pool, which differ in what must be there."""
    return {
        "81-node-problems/detectors.yaml": render(
            Detectors(
                name=NAME,
                namespace=MONITORING,
                image=image(plan.release, "node-problem-detector"),
                pool_label=POOL_LABEL,
                kernel=kernel_monitor(),
                gpu_kernel=gpu_kernel_monitor(),
                gpu_plugin=plugin("gpu", "GpuMissing", "AllGpusThere", "every GPU is there", "GpusGone"),
                rail_plugin=plugin(
                    "rails", "RailLinkDown", "AllRailsUp", "every rail has its link", "RailsDown"
                ),
                detectors=detectors(plan),
            )
        )
    }


def detectors(plan: Plan) -> tuple[Detector, ...]:
    """Who watches which machines."""
    found = [Detector(NAME, ("control-plane", MANAGEMENT_POOL), "", "", _arguments("kernel"))]
    for pool in gpu_pools(plan):
        rails = " ".join(sorted(rail.nic for rail in plan.rails if rail.pool == pool))
        gpus = next(p.gpus for p in plan.pools if p.name == pool)
        arguments = _arguments("kernel", "gpu-kernel", plugins=("gpu", "rails") if rails else ("gpu",))
        found.append(Detector(f"{NAME}-{pool}", (pool,), rails, str(gpus), arguments))
    return tuple(found)


def _arguments(*monitors: str, plugins: tuple[str, ...] = ()) -> tuple[str, ...]:
    def paths(names: tuple[str, ...]) -> str:
        return ",".join(f"/config/{name}.json" for name in names)

    logs = f"--config.system-log-monitor={paths(monitors)}"
    return (logs, f"--config.custom-plugin-monitor={paths(plugins)}") if plugins else (logs,)


def plugin(name: str, condition: str, good: str, message: str, bad: str) -> dict[str, Any]:
    """A check by a script, as the detector reads it: exit status 1 sets the condition, with the script's words."""
    return {
        "plugin": "custom",
        "pluginConfig": {
            "invoke_interval": _INTERVAL,
            "timeout": _TIMEOUT,
            "max_output_length": 200,
            "concurrency": 1,
            "enable_message_change_based_condition_update": True,
        },
        "source": f"{name}-check",
        "metricsReporting": True,
        "conditions": [{"type": condition, "reason": good, "message": message}],
        "rules": [
            {
                "type": "permanent",
                "condition": condition,
                "reason": bad,
                "path": f"/config/{name}.sh",
                "timeout": _TIMEOUT,
            }
        ],
    }


def kernel_monitor() -> dict[str, Any]:
    """What every machine's kernel may say about its disks and itself."""
    return _kmsg(
        "kernel-monitor",
        [
            _condition("KernelDeadlock", "KernelHasNoDeadlock", "kernel has no deadlock"),
            _condition("ReadonlyFilesystem", "FilesystemIsNotReadOnly", "file systems can be written"),
        ],
        [
            _permanent("ReadonlyFilesystem", "FilesystemIsReadOnly", r"Remounting filesystem read-only"),
            _permanent(
                "KernelDeadlock",
                "TaskHung",
                r"task (containerd|kubelet|ceph-osd)\S*:\w+ blocked for more than \w+ seconds\.",
            ),
            _event("OOMKilling", r"Killed process \d+ (.+) total-vm:\d+kB, anon-rss:\d+kB, file-rss:\d+kB.*"),
            _event("IOError", r"(Buffer )?I/O error.*"),
            _event("MemoryCorrected", r"(EDAC .* CE .*|mce: \[Hardware Error\].*)"),
        ],
    )


def gpu_kernel_monitor() -> dict[str, Any]:
    """XID messages of the GPU driver. The condition stays until the machine boots again: the GPU does too."""
    codes = "|".join(str(code) for code in FATAL_XIDS)
    return _kmsg(
        "gpu-monitor",
        [_condition("GpuFatal", "NoFatalXid", "no fatal XID since boot")],
        [
            _permanent("GpuFatal", "FatalXid", rf"NVRM: Xid \(PCI:[^)]*\): ({codes}),.*"),
            _permanent("GpuFatal", "OffTheBus", r"NVRM: .*GPU has fallen off the bus.*"),
            _event("Xid", r"NVRM: Xid \(PCI:[^)]*\): \d+,.*"),
        ],
    )


def _kmsg(source: str, conditions: list[dict[str, str]], rules: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "plugin": "kmsg",
        "logPath": "/dev/kmsg",
        "lookback": "24h",
        "bufferSize": 20,
        "source": source,
        "metricsReporting": True,
        "conditions": conditions,
        "rules": rules,
    }


def _condition(kind: str, reason: str, message: str) -> dict[str, str]:
    return {"type": kind, "reason": reason, "message": message}


def _permanent(condition: str, reason: str, pattern: str) -> dict[str, str]:
    return {"type": "permanent", "condition": condition, "reason": reason, "pattern": pattern}


def _event(reason: str, pattern: str) -> dict[str, str]:
    return {"type": "temporary", "reason": reason, "pattern": pattern}
