"""Start, describe and stop the lab. The lab is one process of its own; these functions talk about it, not in it."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

from daiku.errors import LabError
from daiku.lab.files import LabConfig, LabState, alive, holder, read_state, write_private

Progress = Callable[[str], None]

_START_SECONDS = 90.0
_STOP_SECONDS = 60.0


def up(
    folder: Path,
    cluster_file: Path,
    *,
    cluster: str,
    bastion_port: int,
    scale: float,
    spares: int,
    progress: Progress,
    restore: Path | None = None,
) -> LabState:
    """The running lab of `folder`, started when there is none. Tools that are missing are built first (cached).

    cluster, bastion_port: as in `cluster_file`. scale: virtual seconds a real second, for the emulated APIs.
    restore: a state that `daiku lab save` wrote, to begin with. LabError, MissingToolError.
    """
    running = read_state(folder)
    if running and restore is not None:
        raise LabError("a lab runs here already", where=str(folder), hint="stop it with: daiku lab down")
    if running:
        return running
    from daiku.lab import restore as saved
    from daiku.lab.hosts.support import require_programs, supports_namespaces
    from daiku.lab.ports import need_free
    from daiku.lab.toolbox import prepare

    # Before anything is built for minutes.
    require_programs()
    if reason := supports_namespaces():
        raise LabError(reason, where="lab", hint="docs/lab-hosts.md says what the lab needs")
    kept = saved.connect_secret(restore) if restore is not None else None

    need_free(bastion_port)
    _make(folder)
    prepare(folder / "bin", progress)
    config = LabConfig(
        cluster=cluster,
        cluster_file=str(cluster_file.absolute()),
        state_dir=str(folder / "state"),
        scale=scale,
        seed=1,
        spares=spares,
        token=str(uuid.uuid4()),
        secret=secrets.token_urlsafe(24),
        admin_token=secrets.token_urlsafe(24),
        connect_secret=kept or secrets.token_urlsafe(18),
        bin_dir=str(folder / "bin"),
        restore=str(restore.absolute()) if restore is not None else "",
    )
    write_private(folder / "config.json", config.model_dump_json(indent=1))
    (folder / "lab.json").unlink(missing_ok=True)
    progress("starting the emulated APIs and the fabric")
    log = folder / "lab.log"
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "daiku.lab.daemon", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
        )
    finally:
        os.close(descriptor)
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        state = read_state(folder)
        if state:
            return state
        if process.poll() is not None:
            raise LabError(f"the lab did not start: {_last_line(log)}", where=str(log), hint=f"read {log}")
        time.sleep(0.05)
    process.terminate()
    raise LabError(f"the lab did not start within {_START_SECONDS:.0f} s", where=str(log), hint=f"read {log}")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise LabError(
            f"cannot make the lab's folder: {error.strerror}",
            where=str(folder),
            hint="set DAIKU_LAB_DIR to a folder that you may write",
        ) from error


def down(folder: Path) -> bool:
    """Stop the lab of `folder` and remove what it left. False when none was running."""
    pid = holder(folder)
    if pid is None:
        (folder / "lab.json").unlink(missing_ok=True)
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while alive(pid):
        if time.monotonic() > deadline:
            raise LabError(
                f"the lab's process {pid} does not end", where=str(folder), hint=f"end it with: kill -9 {pid}"
            )
        # Our own child stays a zombie until it is waited for; another's is reaped by init.
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        time.sleep(0.05)
    (folder / "lab.json").unlink(missing_ok=True)
    (folder / "config.json").unlink(missing_ok=True)
    return True


def require(folder: Path) -> LabState:
    """The running lab; LabError with the next step when there is none."""
    state = read_state(folder)
    if state is None:
        raise LabError("no lab is running here", where=str(folder), hint="start it with: daiku lab up")
    return state


def environment(state: LabState) -> dict[str, str]:
    """Every endpoint and dummy key, as environment variables that daiku and public clients read.

    PATH gets the lab's tools in front: the engine, and the `aws` plugin that speaks to the lab only. The state is the
    lab's own, so that a rehearsal never touches the real cluster's; the stock `pulumi` finds the same stack there.
    """
    cloud = f"{state.sakura_url}/cloud/zone"
    config = state.config
    cluster_state = Path(config.state_dir) / ".daiku" / config.cluster
    both = {
        "ACCESS_TOKEN": config.token,
        "ACCESS_TOKEN_SECRET": config.secret,
        "API_ROOT_URL": cloud,
        "RATE_LIMIT": "100",
    }
    values = {
        f"{prefix}_{name}": value for prefix in ("SAKURA", "SAKURACLOUD") for name, value in both.items()
    }
    return {
        **values,
        "SAKURA_PHY_API_ROOT_URL": f"{state.sakura_url}/cloud/api/dedicated-phy/1.0",
        "DAIKU_SAKURA_RATE_LIMIT": "0",
        "SAKURA_POLL_INTERVAL": "0.25",
        "AWS_ENDPOINT_URL": state.aws_url,
        "AWS_ACCESS_KEY_ID": "AKIALAB0000000000000",
        "AWS_SECRET_ACCESS_KEY": config.secret,
        "AWS_EC2_METADATA_DISABLED": "true",
        "DAIKU_AWS_CONNECT_SECRET": config.connect_secret,
        "DAIKU_FILE": config.cluster_file,
        "DAIKU_STATE_DIR": config.state_dir,
        "PULUMI_BACKEND_URL": f"file://{cluster_state / 'pulumi'}",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(cluster_state / "passphrase"),
        "PATH": f"{config.bin_dir}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }


def describe(state: LabState) -> dict[str, Any]:
    """What stands in the lab now: hosts, and the counts of API calls, read from its process."""
    return json.loads(knock(state, "GET", "status"))


def knock(state: LabState, method: str, page: str, content: Any = None) -> str:
    """One call at the running lab's own door, `/_lab/PAGE`; the answer's text. LabError with what the lab said."""
    request = urllib.request.Request(  # noqa: S310 - the address is the lab's own, on loopback
        f"{state.sakura_url}/_lab/{page}",
        data=None if content is None else json.dumps(content).encode(),
        headers={"Authorization": f"Bearer {state.config.admin_token}"},
        method=method,
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
            return answer.read().decode()
    except urllib.error.HTTPError as error:
        bad = error.code == HTTPStatus.BAD_REQUEST
        said = json.loads(error.read()).get("error", "") if bad else str(error)
        raise LabError(f"the lab refused: {said}", where=page) from error
    except OSError as error:
        raise LabError(
            f"the lab does not answer: {error}", where=state.sakura_url, hint="run: daiku lab down"
        ) from error


def purge(folder: Path) -> None:
    """Remove the folder of a lab that is not running."""
    if holder(folder) is None:
        shutil.rmtree(folder, ignore_errors=True)


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
