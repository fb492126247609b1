"""A cluster file with the place of every setting in it, so that any later finding can point at its line.

YAML is read here and nowhere else. PyYAML's own constructors are not used: they would turn `2026.10` into 2026.1,
`0000:10:00.0` into a base-60 number and the second of two equal keys into the only one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import yaml

from daiku.errors import Fault

Path = tuple[str | int, ...]
"""Where a setting stands: keys as the user writes them and list positions from 0."""

Value = None | bool | int | float | str | list["Value"] | dict[str, "Value"]

MAX_DEPTH = 32
MAX_VALUES = 250_000

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_DECIMAL = re.compile(r"[-+]?[0-9]+\.[0-9]+")
_SECRET_KEY = re.compile(r"(?i)secret\w*")
_SECRET = re.compile(r"""(?i)(secret\w*["']?\s*:\s*)(?!\{\s*fromEnv\s*:\s*[A-Z_][A-Z0-9_]*\s*[,}])\S.*""")
_TRUE = frozenset({"yes", "true", "on"})


@dataclass(frozen=True, slots=True)
class Place:
    """Lines and columns from 1: of the key (or the item in a list) and of the value. `text`: a scalar as written."""

    key_line: int
    key_column: int
    line: int
    column: int
    text: str | None


@dataclass(frozen=True, slots=True)
class Source:
    """The file: its name as the user gave it, its lines and the place of every path in it."""

    file: str
    lines: tuple[str, ...]
    places: Mapping[Path, Place]

    def given(self, path: Path) -> bool:
        """Whether the file itself says this, rather than a default."""
        return path in self.places

    def fault(
        self,
        path: Path,
        message: str,
        hint: str = "",
        *,
        others: tuple[Fault, ...] = (),
        at_key: bool = False,
    ) -> Fault:
        """A fault at that path. What the file does not say is shown at the nearest setting around it."""
        around = path
        while around and around not in self.places:
            around = around[:-1]
        place = self.places.get(around)
        line = column = 0
        if place is not None:
            on_key = at_key or place.text is None or around != path
            line, column = (place.key_line, place.key_column) if on_key else (place.line, place.column)
        return self.fault_at(dotted(path), message, line, column, hint, others=others)

    def fault_at(
        self,
        path: str,
        message: str,
        line: int,
        column: int,
        hint: str = "",
        *,
        others: tuple[Fault, ...] = (),
    ) -> Fault:
        """A fault at a line that is known, for faults of the YAML itself."""
        text = _shown(self.lines[line - 1].rstrip(), path) if 0 < line <= len(self.lines) else ""
        return Fault(
            path=path,
            message=message,
            hint=hint,
            file=self.file,
            line=line,
            column=column,
            source=text,
            others=others,
        )


def _shown(line: str, path: str) -> str:
    # Whoever writes a secret into the file by mistake must not find it in the log of a CI run as well: neither at its
    # own place nor because something else on the line is wrong.
    if any(_SECRET_KEY.fullmatch(part) for part in path.split(".")):
        return ""
    return _SECRET.sub(r"\1********", line)


def dotted(path: Path) -> str:
    """`("gpuPools", 0, "name")` as `gpuPools.0.name`."""
    return ".".join(str(part) for part in path)


@dataclass(frozen=True, slots=True)
class Document:
    """What was read: plain values in file order, where they stand, and the faults of the YAML itself."""

    value: Value
    source: Source
    faults: tuple[Fault, ...]


def read(text: str, file: str) -> Document:
    """Read one YAML document. Never raises for bad input: `faults` says what is wrong, `value` what could be read."""
    lines = tuple(text.split("\n"))
    bare = Source(file, lines, {})
    try:
        problem = _too_deep(text)
        node = None if problem else yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        return Document(None, bare, (_yaml_fault(bare, error, text),))
    if problem is not None:
        line, column = problem
        message = f"nested more than {MAX_DEPTH} deep"
        return Document(None, bare, (bare.fault_at("", message, line, column),))
    if node is None:
        hint = "`daiku new` writes a first one"
        return Document(None, bare, (bare.fault_at("", "the file is empty", 1, 1, hint),))
    walk = _Walk(bare)
    value = walk.value(node, (), node)
    return Document(value, Source(file, lines, walk.places), tuple(walk.faults))


def _too_deep(text: str) -> tuple[int, int] | None:
    # The C composer recurses without a limit and would end the process on a file of 100,000 brackets; events do not.
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                mark = event.start_mark
                return mark.line + 1, mark.column + 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return None


def _yaml_fault(source: Source, error: yaml.YAMLError, text: str) -> Fault:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        line, column = mark.line + 1, mark.column + 1
        words = error.problem or "cannot be read"
        message = f"not valid YAML: {words}{' ' + error.context if error.context else ''}"
        at = source.lines[line - 1] if line <= len(source.lines) else ""
        if "\t" in at[: len(at) - len(at.lstrip())]:
            return source.fault_at("", "indented with a tab", line, column, "YAML allows spaces only")
        return source.fault_at("", message, line, column, _yaml_hint(words))
    if isinstance(error, yaml.reader.ReaderError):
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        return source.fault_at("", f"not valid YAML: {error.reason}", line, column)
    return source.fault_at("", "not valid YAML", 1, 1)


def _yaml_hint(problem: str) -> str:
    if "mapping values are not allowed" in problem:
        return "put text that holds ': ' in quotes, and check the indentation"
    if "expected a single document" in problem or "another document" in problem:
        return "a file holds one cluster: remove the '---'"
    return ""


class _Walk:
    """One pass over the nodes: values, places, and what YAML lets through but nobody means."""

    def __init__(self, source: Source) -> None:
        self.places: dict[Path, Place] = {}
        self.faults: list[Fault] = []
        self._source = source
        self._open: set[int] = set()
        self._count = 0

    def value(self, node: yaml.Node, path: Path, key: yaml.Node) -> Value:
        self._count += 1
        self.places[path] = Place(
            key.start_mark.line + 1,
            key.start_mark.column + 1,
            node.start_mark.line + 1,
            node.start_mark.column + 1,
            node.value if isinstance(node, yaml.ScalarNode) else None,
        )
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        # An alias that holds itself never ends, and aliases of aliases grow without bound.
        if id(node) in self._open or self._count > MAX_VALUES:
            self._fault(node, path, "aliases that hold themselves, or too many values")
            return None
        self._open.add(id(node))
        result = self._collection(node, path)
        self._open.discard(id(node))
        return result

    def _collection(self, node: yaml.Node, path: Path) -> Value:
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, i), item) for i, item in enumerate(node.value)]
        assert isinstance(node, yaml.MappingNode)
        result: dict[str, Value] = {}
        merged: list[yaml.Node] = []
        for key, item in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                merged.append(item)
            elif not isinstance(key, yaml.ScalarNode):
                self._fault(key, path, "a key must be one word")
            elif key.value in result:
                first = self.places[*path, key.value]
                other = self._source.fault_at(
                    dotted((*path, key.value)), "written here first", first.key_line, first.key_column
                )
                self._fault(key, (*path, key.value), "written twice", "remove one of the two", (other,))
            else:
                result[key.value] = self.value(item, (*path, key.value), key)
        for item in merged:
            self._merge(result, item, path)
        return result

    def _merge(self, result: dict[str, Value], node: yaml.Node, path: Path) -> None:
        parts = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for part in parts:
            if not isinstance(part, yaml.MappingNode):
                self._fault(part, path, "'<<' takes a mapping or a list of mappings")
                continue
            for key, item in part.value:
                if isinstance(key, yaml.ScalarNode) and key.value not in result:
                    result[key.value] = self.value(item, (*path, key.value), key)

    def _fault(
        self, node: yaml.Node, path: Path, message: str, hint: str = "", others: tuple[Fault, ...] = ()
    ) -> None:
        mark = node.start_mark
        self.faults.append(
            self._source.fault_at(dotted(path), message, mark.line + 1, mark.column + 1, hint, others=others)
        )


def _scalar(node: yaml.ScalarNode) -> Value:
    # What is not plainly a number, truth value or nothing stays text: the model then says what it wanted instead.
    kind = node.tag.rpartition(":")[2]
    text: str = node.value
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() in _TRUE
    if kind == "int" and _INTEGER.fullmatch(text) and len(text) <= 30:
        return int(text)
    if kind == "float" and _DECIMAL.fullmatch(text) and len(text) <= 30:
        return float(text)
    return text
