"""The helper as one program: all its modules, imported on the host from memory and only when they are needed."""

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
from daiku.apply.helper.quick import begin
begin()
"""


@cache
def program() -> str:
    """The program's text. A package is a name without a source."""
    sources = {"daiku": "", "daiku.apply": "", PACKAGE: ""}
    for file in sorted(files(PACKAGE).iterdir(), key=lambda f: f.name):
        if file.name.endswith(".py") and file.name != "__init__.py":
            sources[f"{PACKAGE}.{file.name[:-3]}"] = _bare(file.read_text())
    return f"SOURCES = {sources!r}\n{_IMPORTER}"


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


def packed_program() -> bytes:
    """What is sent to start the helper. Hosts are worked on in threads: the first one makes it, the others wait."""
    with _ONE_AT_A_TIME:
        return _packed_program()


@cache
def _packed_program() -> bytes:
    return python_input(program())
