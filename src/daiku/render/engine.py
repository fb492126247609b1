"""The only place that touches Jinja: typed contexts in, bytes out.

A template gets exactly the fields of its context, a frozen dataclass that names its template. Every value
that it prints must go through a filter that knows the file's syntax (`yaml`, `toml`, `word` ...); a bare `{{
name }}` is an error, because a value with a colon or a line break would otherwise change the meaning of the
file. Only integers may be printed bare: they look the same in every syntax.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import yaml
from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

import daiku

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(daiku.__file__).parent / "templates"


class Context(Protocol):
    """A frozen dataclass whose fields are the names that its template may use."""

    template: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, Any]]


class _Quoted(str):
    """Text that is safe to print, because a filter has quoted or checked it."""

    __slots__ = ()


def render(context: Context | str) -> bytes:
    """The template of this context, filled in; one that needs no values is given by its name.

    A mistake in a template or a value that a filter refuses is a bug or was let through by the specification's
    checks: it raises ValueError or jinja2's own error, never half a file."""
    try:
        return _remembered(context)
    except TypeError as error:
        if "unhashable" not in str(error):
            raise
        return _filled(context)


@functools.lru_cache(maxsize=1024)
def _remembered(context: Context | str) -> bytes:
    # Most files of a machine are those of every machine of its kind. Equal contexts are of one class, so of
    # one template.
    return _filled(context)


def _filled(context: Context | str) -> bytes:
    if isinstance(context, str):
        return environment().get_template(context).render().encode()
    fields = {f.name: getattr(context, f.name) for f in dataclasses.fields(context)}
    return environment().get_template(context.template).render(fields).encode()


@functools.cache
def environment() -> Environment:
    """The one environment: sandboxed, strict about names, with the filters of this room."""
    made = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        # Templates do not change while a program runs: no look at the disk a file.
        auto_reload=False,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_finalize,
    )
    # Jinja's own helpers (`namespace`, `range`, `dict` ...) would answer for a field that a context lacks.
    made.globals.clear()
    made.filters.update(
        yaml=_yaml,
        block=_block,
        toml=_toml,
        word=_word,
        line=_line,
        pretty_json=_pretty_json,
        json_block=_json_block,
    )
    return made


def _finalize(value: object) -> object:
    if isinstance(value, _Quoted) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise ValueError(f"a template prints {value!r} without a filter that quotes it")


def _foreign(value: object) -> object:
    str(value)  # an undefined name raises here, and says which
    raise ValueError(f"no plain value: {value!r}")


_JSON = json.JSONEncoder(default=_foreign)


def _yaml(value: object) -> _Quoted:
    """A value in YAML's flow style, on one line: every text quoted, every list in brackets."""
    # JSON is a subset of YAML as long as no line separator of Unicode is left bare: ensure_ascii escapes
    # them.
    return _Quoted(_JSON.encode(value))


class _Dumper(yaml.CSafeDumper):
    """Writes no anchors, so that a repeated value reads the same everywhere."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _block(value: object, indent: int) -> _Quoted:
    """A mapping or list in YAML's block style; every line after the first is indented by `indent` spaces."""
    text = yaml.dump(value, Dumper=_Dumper, default_flow_style=False, sort_keys=False, width=1 << 16).rstrip(
        "\n"
    )
    return _Quoted(text.replace("\n", "\n" + " " * indent))


def _toml(value: object) -> _Quoted:
    """Text, integer, boolean or a list of them as TOML."""
    # TOML's basic strings take JSON's escapes; both write booleans and lists of one kind the same way.
    return _Quoted(_JSON.encode(value).replace("\x7f", "\\u007f"))


_WORD = re.compile(r"[!-~]+")
_LINE = re.compile(r"[ -~]*")


def _word(value: object) -> _Quoted:
    """One word of a line-based file: printable ASCII without spaces."""
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        raise ValueError(f"not one plain word: {value!r}")
    return _Quoted(value)


def _line(value: object) -> _Quoted:
    """The rest of a line of a line-based file: printable ASCII."""
    if not isinstance(value, str) or not _LINE.fullmatch(value):
        raise ValueError(f"not one plain line: {value!r}")
    return _Quoted(value)


def _pretty_json(value: object) -> _Quoted:
    """JSON that people can read, with sorted keys."""
    return _Quoted(json.dumps(value, default=_foreign, indent=2, sort_keys=True))


def _json_block(value: object, indent: int) -> _Quoted:
    """JSON inside a block of YAML: every line after the first is indented by `indent` spaces."""
    return _Quoted(_pretty_json(value).replace("\n", "\n" + " " * indent))
