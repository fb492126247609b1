"""What is sent is the program that was written, less what only its readers need."""

from __future__ import annotations

import ast
import inspect
from importlib.resources import files

import pytest

from daiku.apply import payload
from daiku.apply.payload import FIRST, HELPER, first_look, modules

MODULES = sorted(file.name[:-3] for file in files(HELPER).iterdir() if file.name.endswith(".py"))
TRICKY = '''
"""A docstring
# with a line that looks like a comment."""
import os  # said beside code
LONG = """kept
# kept, too

"""
LONG_F = f"""{os.sep}
# kept {LONG}"""
"""Of the constant."""


class Empty:
    """Nothing but this."""


class Told:
    """One.
    """
    # a comment
    x = 1

    def said(self):
        """Two
        lines."""
        ...

    def twice(self):
        """One."""
        """Two."""
'''


def plain(source: str) -> str:
    """The program's tree without strings that are used for nothing."""
    tree = ast.parse(inspect.cleandoc(source))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef):
            node.body = [one for one in node.body if not is_string(one)] or [ast.Pass()]
    return ast.dump(tree)


def is_string(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


@pytest.mark.parametrize("name", [name for name in MODULES if name not in ("__init__", FIRST)])
def test_a_module_is_sent_as_it_was_written(name: str) -> None:
    sent: dict[str, dict[str, str]] = {}
    exec(modules(HELPER, FIRST).partition("\n")[0], sent)  # the line that holds the sources
    written = (files(HELPER) / f"{name}.py").read_text()
    assert plain(sent["SOURCES"][f"{HELPER}.{name}"]) == plain(written)
    assert len(sent["SOURCES"][f"{HELPER}.{name}"]) < len(written)


def test_only_strings_that_nobody_reads_and_comments_are_cut() -> None:
    bare = payload._bare(TRICKY)  # pyright: ignore[reportPrivateUsage]
    assert plain(bare) == plain(TRICKY)
    assert [line for line in bare.splitlines() if "kept" in line] == [
        'LONG = """kept',
        "# kept, too",
        '# kept {LONG}"""',
    ]
    assert not any(word in bare for word in ("looks like", "a comment", "Nothing", "One", "Two", "Of the"))


def test_the_first_look_needs_nothing_that_an_interpreter_does_not_have_loaded_or_built_in() -> None:
    tree = ast.parse(first_look())
    top = {alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
    assert top == {"grp", "posix", "pwd", "sys", "zlib"}
    assert not any(isinstance(node, ast.arg) and node.annotation for node in ast.walk(tree))
