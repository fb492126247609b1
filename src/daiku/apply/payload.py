"""What runs on hosts as one program: all modules of a package, imported there from memory and only when needed.

The helper comes in two: its first look, which is all that most hosts need, and everything.
"""

from __future__ import annotations

import ast
import threading
from functools import cache
from importlib.resources import files

from daiku.wire.ssh_python import python_input

HELPER, FIRST = "daiku.apply.helper", "quick"

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
def first_look() -> str:
    """The text of the helper's first part, which reads the manifest and the rest, and starts that if need be.

    What is there for readers alone is left out: it would take a host 1 ms.
    """
    tree = _Untyped().visit(ast.parse(_bare((files(HELPER) / f"{FIRST}.py").read_text())))
    return ast.unparse(ast.fix_missing_locations(tree)) + "\nbegin()\n"


def program(package: str, start: str) -> str:
    """The text of a program made of a package's modules that begins with `begin()` of the module `start`."""
    return f"{modules(package)}from {start} import begin\nbegin()\n"


def modules(package: str, without: str = "__init__") -> str:
    """The text of a program after which a package's modules can be imported, all but one."""
    parts = package.split(".")
    # A package is a name without a source.
    sources = {".".join(parts[:length]): "" for length in range(1, len(parts) + 1)}
    for file in sorted(files(package).iterdir(), key=lambda f: f.name):
        if file.name.endswith(".py") and file.name not in ("__init__.py", f"{without}.py"):
            sources[f"{package}.{file.name[:-3]}"] = _bare(file.read_text())
    return f"SOURCES = {sources!r}\n{_IMPORTER}"


def _bare(source: str) -> str:
    """The same program without docstrings, comments of whole lines, and empty lines: a third of what would be sent to
    every host. Cut from the text, because making text of a syntax tree takes four times as long."""
    lines = source.splitlines()
    kept, said = set[int](), set[int]()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef):
            unused = [statement for statement in node.body if _is_unused(statement)]
            said.update(number for one in unused for number in _lines_of(one))
            if len(unused) == len(node.body) and unused:
                lines[unused[0].lineno - 1] = " " * unused[0].col_offset + "pass"
        elif isinstance(node, ast.Constant | ast.JoinedStr) and node.end_lineno != node.lineno:
            kept.update(_lines_of(node))
    said -= {number for number in said if lines[number - 1].strip() == "pass"}
    bare = (
        line
        for number, line in enumerate(lines, 1)
        if number not in said and (number in kept or (line.strip() and not line.lstrip().startswith("#")))
    )
    return "\n".join(bare) + "\n"


def _is_unused(statement: ast.stmt) -> bool:
    """Whether it is a string that is used for nothing, as a docstring is by the interpreter."""
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def _lines_of(node: ast.stmt | ast.expr) -> range:
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)


class _Untyped(ast.NodeTransformer):
    """Drops annotations and what they need."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        return ast.Assign([node.target], node.value) if node.value else None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        return None if node.module == "__future__" else node

    def visit_If(self, node: ast.If) -> ast.AST | None:
        named = isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        return None if named else self.generic_visit(node)


def packed_helper() -> tuple[bytes, bytes]:
    """What is sent to start the helper, and what after the manifest. Hosts are worked on in threads: the first one
    makes it, the others wait."""
    with _ONE_AT_A_TIME:
        return _packed_helper()


@cache
def _packed_helper() -> tuple[bytes, bytes]:
    return python_input(first_look()), python_input(modules(HELPER, FIRST))


def packed_program(package: str, start: str) -> bytes:
    """What is sent to start another program, once at a time as well."""
    with _ONE_AT_A_TIME:
        return _packed_program(package, start)


@cache
def _packed_program(package: str, start: str) -> bytes:
    return python_input(program(package, start))
