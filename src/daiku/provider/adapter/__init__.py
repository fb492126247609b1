"""The bridge to Pulumi: serves a `Plugin` of plain handlers. The only place that touches pulumi.provider.experimental.

That server is young; what is designed around here (Pulumi 3.272):
- it has no way to say that a thing was made but not finished: `IncompleteError` is sent as the engine's own detail;
- it adds a stack trace to every error: the original is taken back out and becomes one short text;
- it neither reads nor writes unknown values: they cross as the engine's marker strings;
- it fails on output values without dependencies: outputs are not accepted, only secrets;
- its DiffConfig and its `main` (which ignores its arguments) are wrong: neither is used;
- it runs on one event loop: handlers run in threads of their own;
- a plugin outlives a killed engine: the parent process is watched.
"""

from daiku.provider.adapter.server import serve

__all__ = ["serve"]
