"""A small `pulumi-language-python` for machines without a Pulumi installation, for the lab's stock CLI.

The real one comes with Pulumi's own distribution, and its module is not published for building. This one runs a
Python program of a project whose packages are installed already; it installs nothing and makes no projects.
`daiku up` needs none of it.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

PARENT_CHECK_SECONDS = 1.0
LARGEST_MESSAGE = 400 * 1024 * 1024
USER_ERROR_EXIT = 32
"""The program told its error itself: the engine need not add one."""


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """Answers the engine; what is not here it does not need, and gRPC says so by itself."""

    def __init__(self, engine: str) -> None:
        self._engine = engine

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        return plugin_pb2.PluginInfo(version="")

    def About(self, request: Any, context: Any) -> Any:  # noqa: N802
        version = ".".join(map(str, sys.version_info[:3]))
        return language_pb2.AboutResponse(executable=sys.executable, version=version)

    def GetRequiredPackages(self, request: Any, context: Any) -> Any:  # noqa: N802
        """None: plugins are found on PATH or are installed by the user, never fetched."""
        return language_pb2.GetRequiredPackagesResponse()

    def GetRequiredPlugins(self, request: Any, context: Any) -> Any:  # noqa: N802
        return language_pb2.GetRequiredPluginsResponse()

    def GetProgramDependencies(self, request: Any, context: Any) -> Any:  # noqa: N802
        return language_pb2.GetProgramDependenciesResponse()

    def Run(self, request: Any, context: Any) -> Any:  # noqa: N802
        """The program runs in a process of its own, so that a preview and the update after it share nothing."""
        command = [_python(request), "-m", "daiku.stacks.language_run", self._engine]
        done = subprocess.run(command, input=request.SerializeToString(), check=False)
        if done.returncode == USER_ERROR_EXIT:
            return language_pb2.RunResponse(bail=True)
        error = f"the program ended with exit status {done.returncode}" if done.returncode else ""
        return language_pb2.RunResponse(error=error)


def _python(request: Any) -> str:
    """The interpreter of the project's `virtualenv` option; ours where there is none."""
    info = request.info
    options = {name: value.string_value for name, value in info.options.fields.items()}
    if name := options.get("virtualenv"):
        python = Path(info.root_directory) / name / "bin" / "python"
        if python.exists():
            return str(python)
    return sys.executable


def main() -> None:
    """Serve until the engine goes; the engine's address is the last argument, our port the first line we print."""
    server = grpc.server(
        ThreadPoolExecutor(max_workers=4),
        options=[
            ("grpc.max_receive_message_length", LARGEST_MESSAGE),
            ("grpc.max_send_message_length", LARGEST_MESSAGE),
        ],
    )
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageHost(sys.argv[-1]), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    parent = os.getppid()
    # The engine ends its plugins with an interrupt: that is the normal end, not a failure.
    with contextlib.suppress(KeyboardInterrupt):
        while os.getppid() == parent:
            threading.Event().wait(PARENT_CHECK_SECONDS)
    server.stop(0)


if __name__ == "__main__":
    main()
