"""The layer between a host's own disk and this machine's root, the same for all hosts.

It brings what a container-less root lacks (sshd, sudo, the stand-ins with their Python code, unit files) and hides
what is this machine's own business: home folders, its network and service configuration, backups of password files.
"""

from __future__ import annotations

import compileall
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

from daiku.errors import LabError
from daiku.lab.hosts.guest.boot import PROGRAMS_SHOWN, TOOLS_SHOWN
from daiku.lab.hosts.guest.commands import PROGRAMS
from daiku.lab.hosts.guest.kwok import write_stages

CODE = "usr/lib/daiku-lab"
STAGES = f"{CODE}/kwok-stages.yaml"
_HIDDEN_FOLDERS = (
    "boot",
    "etc/apt/auth.conf.d",
    "etc/kubernetes",
    "etc/netplan",
    "etc/ssh",
    "etc/sudoers.d",
    "etc/sysctl.d",
    "etc/systemd/system",
    "home",
    "media",
    "mnt",
    "root",
    "srv",
    "usr/lib/sysctl.d",
    "usr/lib/systemd/system",
    "var/lib/containerd",
    "var/lib/etcd",
    "var/lib/kubelet",
    "var/log",
    "var/spool/cron",
    "var/tmp",
)
_HIDDEN_FILES = ("etc/passwd-", "etc/shadow-", "etc/group-", "etc/gshadow-", "etc/sysctl.conf")
_SSHD_CONFIG = """\
Include /etc/ssh/sshd_config.d/*.conf
Port 22
HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
AuthorizedKeysFile .ssh/authorized_keys
UsePAM no
UseDNS no
PrintMotd no
MaxStartups 200
MaxSessions 200
AcceptEnv LANG LC_*
SetEnv PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
Subsystem sftp internal-sftp
"""
_UNITS = {
    "ssh.service": """\
[Unit]
Description=OpenBSD Secure Shell server

[Service]
ExecStartPre=/usr/sbin/sshd -t
ExecStart=/usr/sbin/sshd -D -e
ExecReload=/usr/sbin/sshd -t
ExecReload=/bin/kill -HUP $MAINPID
KillMode=process
Restart=always

[Install]
WantedBy=multi-user.target
""",
    "systemd-sysctl.service": """\
[Unit]
Description=Apply Kernel Variables

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/sysctl -q --system

[Install]
WantedBy=sysinit.target
""",
    "systemd-modules-load.service": """\
[Unit]
Description=Load Kernel Modules

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'cat /etc/modules-load.d/*.conf | grep -v "^[#;]" | xargs -r -n 1 modprobe'

[Install]
WantedBy=sysinit.target
""",
    **{
        f"{name}.service": f"[Unit]\nDescription={text}\n\n[Service]\nExecStart=/usr/lib/systemd/{name}\n\n"
        "[Install]\nWantedBy=multi-user.target\n"
        for name, text in (
            ("systemd-networkd", "Network Configuration"),
            ("systemd-resolved", "Network Name Resolution"),
            ("systemd-timesyncd", "Network Time Synchronization"),
        )
    },
    "multi-user.target": "[Unit]\nDescription=Multi-User System\n",
    # As Kubernetes' Debian package has it: enabled from the start, failing until the machine has joined.
    "kubelet.service": """\
[Unit]
Description=kubelet: The Kubernetes Node Agent

[Service]
ExecStart=/usr/bin/kubelet
Restart=always
RestartSec=10

[Install]
WantedBy=multi-user.target
""",
    "kwok.service": f"""\
[Unit]
Description=KWOK plays the nodes that lab-nodes makes

[Service]
ExecStart=/usr/bin/kwok --kubeconfig=/etc/kubernetes/admin.conf --config=/{STAGES} --manage-all-nodes=false \
--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake --node-lease-duration-seconds=40 \
--server-address=127.0.0.1:10247 --v=WARN
Restart=always
RestartSec=2

[Install]
WantedBy=multi-user.target
""",
    "kubelet.service.d/10-kubeadm.conf": """\
[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf \
--kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
EnvironmentFile=-/etc/default/kubelet
ExecStart=
ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
""",
}
_ENABLED = (
    "kubelet.service",
    "ssh.service",
    "systemd-networkd.service",
    "systemd-resolved.service",
    "systemd-timesyncd.service",
)


def build(layer: Path, programs: Path | None) -> tuple[str, str]:
    """Write the layer into the empty folder `layer`; returns the Python program for the hosts and the folder
    to show in them for it ("" when it lies in /usr).

    `programs` is a folder laid out like a root with sshd and sudo, None when this machine has them. Raises LabError.
    """
    layer.chmod(0o755)
    for name in _HIDDEN_FOLDERS:
        folder = layer / name
        folder.mkdir(parents=True, exist_ok=True)
        os.setxattr(folder, "trusted.overlay.opaque", b"y")
    for name in _HIDDEN_FILES:
        (layer / name).parent.mkdir(parents=True, exist_ok=True)
        os.mknod(layer / name, stat.S_IFCHR | 0o600, os.makedev(0, 0))  # overlayfs: "no such file"
    (layer / "root").chmod(0o700)
    (layer / "var/tmp").chmod(0o1777)
    if programs is not None:
        shutil.copytree(programs, layer, symlinks=True, dirs_exist_ok=True)
    interpreter, prefix = _interpreter()
    _code(layer, interpreter)
    _settings(layer)
    write_stages(layer / STAGES)
    for folder in (PROGRAMS_SHOWN, TOOLS_SHOWN):
        (layer / folder).mkdir(parents=True, exist_ok=True)
    if not Path("/usr/bin/python3").exists():
        (layer / "usr/bin/python3").symlink_to(interpreter)
    return interpreter, prefix


def sysctl_template(folder: Path, source: Path = Path("/proc/sys")) -> None:
    """Copy the values of this machine's sysctls: what the hosts start from. Unreadable ones become empty files."""
    for base, _, names in os.walk(source):
        relative = Path(base).relative_to(source)
        if relative.parts[:1] == ("net",) and relative.parts[1:2] not in ((), ("core",)):
            continue
        (folder / relative).mkdir(parents=True, exist_ok=True)
        for name in names:
            path, copy = Path(base, name), folder / relative / name
            try:
                mode = stat.S_IMODE(path.stat().st_mode)
                copy.write_bytes(path.read_bytes() if mode & 0o400 else b"")
                copy.chmod(mode | 0o200 if mode & 0o222 else mode)
            except OSError:
                copy.touch()


def _interpreter() -> tuple[str, str]:
    """A Python for the stand-ins that every account of a host may run: the system's, else ours."""
    check = "import sys, ctypes, json, ipaddress, subprocess; sys.exit(sys.version_info < (3, 11))"
    system = Path("/usr/bin/python3")
    if (
        system.exists()
        and subprocess.run([system, "-IS", "-c", check], capture_output=True, check=False).returncode == 0
    ):
        return str(system.resolve()), ""
    program = Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}")
    if not program.exists():
        raise LabError(
            f"no Python for the lab's hosts: {program} does not exist", hint="sudo apt-get install python3"
        )
    return str(program), "" if sys.base_prefix == "/usr" else sys.base_prefix


def _code(layer: Path, interpreter: str) -> None:
    import yaml

    package = layer / CODE / "daiku/lab/hosts"
    shutil.copytree(
        Path(__file__).parent / "guest", package / "guest", ignore=shutil.ignore_patterns("__pycache__")
    )
    for folder in (package, *package.parents[:2]):
        (folder / "__init__.py").touch()
    shutil.copytree(
        Path(yaml.__file__).parent,
        layer / CODE / "yaml",
        ignore=shutil.ignore_patterns("*.so", "__pycache__"),
    )
    start = f"#!{interpreter} -IS\nimport sys\n\nsys.path.insert(0, '/{CODE}')\n"
    for name in PROGRAMS:
        program = layer / name.lstrip("/")
        _write(
            program, start + "from daiku.lab.hosts.guest.commands import main\n\nsys.exit(main())\n", 0o755
        )
    _write(layer / CODE / "boot", start.replace(f"'/{CODE}'", "sys.argv[1]") + _BOOT, 0o755)
    _compile(layer / CODE, interpreter)


_BOOT = "from daiku.lab.hosts.guest.boot import main\n\nsys.exit(main())\n"


def _compile(folder: Path, interpreter: str) -> None:
    """Byte code by the interpreter that will read it, once for all hosts."""
    if Path(interpreter).resolve() == Path(sys.executable).resolve():
        compileall.compile_dir(folder, quiet=2, stripdir=folder, prependdir=f"/{CODE}")
    else:
        subprocess.run(
            [interpreter, "-IS", "-m", "compileall", "-q", str(folder)], check=False, capture_output=True
        )


def _settings(layer: Path) -> None:
    _write(layer / "etc/ssh/sshd_config", _SSHD_CONFIG)
    (layer / "etc/ssh/sshd_config.d").mkdir()
    _write(
        layer / "etc/sudoers",
        "Defaults env_reset\nroot ALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n",
        0o440,
    )
    _write(layer / "etc/fstab", "# the lab keeps this host's disk\n")
    for name in ("etc/environment", "etc/motd", "etc/resolv.conf", "etc/crontab"):
        _write(layer / name, "")
    _write(
        layer / "etc/profile", "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
    )
    for name, text in _UNITS.items():
        _write(layer / "usr/lib/systemd/system" / name, text)
    wants = layer / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir()
    for name in _ENABLED:
        (wants / name).symlink_to(f"/usr/lib/systemd/system/{name}")


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(text)
    path.chmod(mode)
