# ruff: noqa: PTH123
"""Restarting the machine, for what only a boot brings about: a kernel, its command line, huge pages.

It comes last and once, whatever many triggers ask for it. Before it, the intent says which boot this is; a later
conversation that finds another one knows that the restart happened, so that it is never done twice.
"""

from __future__ import annotations

import signal
import time

from daiku.apply.helper.host import Host
from daiku.apply.helper.trigger import run_trigger
from daiku.apply.helper.wire import HelperError

TYPE_CHECKING = False  # not from typing: importing it costs a host 3 ms
if TYPE_CHECKING:
    from typing import Any, NoReturn

LEAVE_SECONDS = 300.0
"""Most that a machine takes from the order to restart until it ends us."""
_POLL_SECONDS = 0.1


def boot_of(host: Host) -> str:
    """What tells this boot from all others."""
    with open(f"{host.root}/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()


def settled(host: Host, intent: dict[str, Any]) -> dict[str, Any]:
    """The intent, with triggers that waited for a restart counted as run when it happened."""
    begun = intent.get("rebooting")
    if not begun or begun["boot"] == boot_of(host):
        return intent
    ran = [
        {"name": name, "seconds": round(max(0.0, time.time() - begun["at"]), 3)} for name in begun["inputs"]
    ]
    return {
        **{key: value for key, value in intent.items() if key != "rebooting"},
        "triggers": [name for name in intent.get("triggers", []) if name not in begun["inputs"]],
        "ran": {**intent.get("ran", {}), **begun["inputs"]},
        "done": [*intent.get("done", []), *ran],
    }


def await_end(host: Host) -> None:
    """Of a conversation that finds the machine about to restart: wait until that ends us, too."""
    begun = host.record("intent.json").get("rebooting")
    if not begun or begun["boot"] != boot_of(host):
        return
    while time.monotonic() - begun["uptime"] < LEAVE_SECONDS:
        host.wire.beat()
        time.sleep(_POLL_SECONDS)


def restart(host: Host, triggers: list[dict[str, Any]], intent: dict[str, Any], limit: float) -> NoReturn:
    """Restart the machine by the first trigger's command; HelperError when it does not."""
    begun: dict[str, Any] = {
        "boot": boot_of(host),
        "inputs": {trigger["name"]: trigger["input"] for trigger in triggers},
        "at": time.time(),
        "uptime": time.monotonic(),
    }
    host.write_record("intent.json", {**intent, "rebooting": begun})
    host.wire.send({"kind": "event", "step": "reboot", "message": ", ".join(begun["inputs"])})
    signal.signal(
        signal.SIGTERM, signal.SIG_DFL
    )  # all is on the disk: the machine need not wait for us to end
    try:
        run_trigger(host, triggers[0], limit)
    except HelperError as error:
        # The restart may have ended its own command; then it ends us, too.
        if "killed by signal" not in str(error):
            host.write_record("intent.json", intent)
            raise
    end = time.monotonic() + LEAVE_SECONDS
    while time.monotonic() < end:
        host.wire.beat()
        time.sleep(_POLL_SECONDS)
    host.write_record("intent.json", intent)
    name = triggers[0]["name"]
    raise HelperError(
        "trigger", f"trigger {name}: the machine did not restart within {LEAVE_SECONDS:g} s", trigger=name
    )
