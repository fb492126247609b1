"""The program `pulumi-resource-sakura`: the engine starts it and reads its port from standard output."""

from __future__ import annotations

import sys

from daiku.provider.plugin import PLUGIN


def main() -> None:
    """Serve the plugin; with `--schema` print the package schema instead."""
    arguments = sys.argv[1:]
    if "--schema" in arguments:
        sys.stdout.write(PLUGIN.schema() + "\n")
        return
    from daiku.provider.adapter import serve

    serve(PLUGIN, arguments)


if __name__ == "__main__":
    main()
