"""`/usr/bin/kubelet` of a lab host."""

from __future__ import annotations

import http.server
import os
import signal
import sys
import threading
import time
from types import FrameType

from daiku.lab.hosts.guest import packages, programs
from daiku.lab.hosts.guest.kubelet.reporter import Reporter
from daiku.lab.hosts.guest.kubelet.settings import Settings, SettingsError, parse_flags, read
from daiku.lab.hosts.guest.kubelet.static import StaticPods

_LOOK_SECONDS = 0.3


def main(arguments: list[str]) -> int:
    """Run until SIGTERM; static pods go on running, as with the real kubelet."""
    version = packages.version("kubelet")
    if parse_flags(arguments).get("version"):
        sys.stdout.write(f"Kubernetes v{version}\n")
        return 0
    try:
        settings = read(arguments)
    except SettingsError as error:
        log(f"E {error}")
        return 1
    signal.signal(signal.SIGTERM, _end)
    _serve_health(settings)
    static = StaticPods(settings.manifests, settings.node_name, programs.find, log)
    reporter = Reporter(settings, static, version, log)
    static.sync()
    threading.Thread(target=reporter.run, daemon=True).start()
    log(f"I the lab's kubelet runs for node {settings.node_name} at {settings.node_ip}")
    while True:
        time.sleep(_LOOK_SECONDS)
        static.sync()


def log(line: str) -> None:
    """A line with the time, into the unit's log."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    sys.stderr.flush()


def _end(_signal: int, _frame: FrameType | None) -> None:
    os._exit(0)


def _serve_health(settings: Settings) -> None:
    server = http.server.ThreadingHTTPServer((settings.healthz_address, settings.healthz_port), _Health)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()


class _Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()
        self.wfile.write(b"ok" if self.path == "/healthz" else b"")

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Health checks are not worth a line."""
