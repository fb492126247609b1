"""What runs on hosts as one program: all modules of a package, imported there from memory and only when needed."""

from __future__ import annotations

import ast
import threading
from functools import cache
from importlib.resources import files

from daiku.wire.ssh_python import python_input

PACKAGE = "daiku.apply.helper"

_ONE_AT_A_TIME = threading.Lock()
"""CPython's parser counts its depth in one place for all threads, and fails when several build trees at once."""

_IMPORTER = """
import sys
class Sent:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name in SOURCES:
            return type(sys.__spec__)(name, Sent, is_package=not SOURCES[name])
    @staticmethod
    def create_module(spec):
        return None
    @staticmethod
    def exec_module(module):
        exec(compile(SOURCES[module.__name__], module.__name__, "exec"), module.__dict__)
sys.meta_path.insert(0, Sent)
"""


@cache
def program(package: str = PACKAGE, start: str = "daiku.apply.helper.quick") -> str:
    """The text of a program made of a package's modules that begins with `begin()` of the module `start`."""
    parts = package.split(".")
    # A package is a name without a source.
    sources = {".".join(parts[:length]): "" for length in range(1, len(parts) + 1)}
    for file in sorted(files(package).iterdir(), key=lambda f: f.name):
        if file.name.endswith(".py") and file.name != "__init__.py":
            sources[f"{package}.{file.name[:-3]}"] = _bare(file.read_text())
    return f"SOURCES = {sources!r}\n{_IMPORTER}from {start} import begin\nbegin()\n"


def _bare(source: str) -> str:
    """The same program without comments and docstrings: a third of what would be sent to every host."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef)
            and ast.get_docstring(node) is not None
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def packed_program(package: str = PACKAGE, start: str = "daiku.apply.helper.quick") -> bytes:
    """What is sent to start it. Hosts are worked on in threads: the first one makes it, the others wait."""
    with _ONE_AT_A_TIME:
        return _packed_program(package, start)


@cache
def _packed_program(package: str, start: str) -> bytes:
    return python_input(program(package, start))
