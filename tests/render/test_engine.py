"""Templates: strict, sandboxed, and unable to print a value that nothing has quoted."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import tomllib
from collections.abc import Iterator

import jinja2
import jinja2.exceptions
import jinja2.meta
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import daiku.render
from daiku.render.engine import TEMPLATES, environment, render

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=40)
AWKWARD = [
    "",
    "on",
    "null",
    "1e3",
    "a: b",
    "- a",
    "#",
    "'",
    '"',
    "\\",
    "{{ x }}",
    "a\nb: c",
    "\x7f",
    "\u2028",
    "é",
]


def fill(text: str, **values: object) -> str:
    return environment().from_string(text).render(values)


@pytest.mark.parametrize("value", ["plain", "a: b\nc: d", None, True, 1.5, ["a"], {"a": 1}])
def test_a_bare_value_is_an_error(value: object) -> None:
    with pytest.raises(ValueError, match="without a filter"):
        fill("key: {{ value }}", value=value)


def test_an_integer_may_be_bare() -> None:
    assert fill("key: {{ value }}", value=9000) == "key: 9000"


def test_what_two_values_make_together_is_bare_again() -> None:
    with pytest.raises(ValueError, match="without a filter"):
        fill("{{ value | word ~ other }}", value="a", other="b: c")


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError):
        fill("{{ nothing | yaml }}")
    with pytest.raises(jinja2.UndefinedError):
        fill("{% if nothing %}{% endif %}")


def test_templates_are_fenced_in() -> None:
    with pytest.raises(jinja2.exceptions.SecurityError):
        fill("{{ ().__class__.__base__.__subclasses__() | yaml }}")
    with pytest.raises(jinja2.exceptions.SecurityError):
        fill("{% set _ = values.append(1) %}", values=[])


@pytest.mark.parametrize("value", [*AWKWARD, True, None, 5, ["a", "b: c"], {"a: b": ["c"]}])
def test_yaml_reads_back_as_it_was(value: object) -> None:
    assert yaml.safe_load(fill("key: {{ value | yaml }}", value=value)) == {"key": value}


@given(TEXT.filter(lambda text: all(ord(c) < 0x10000 for c in text)))
def test_no_text_escapes_from_yaml(text: str) -> None:
    assert yaml.safe_load(fill("a:\n  b: {{ value | yaml }}\n  c: 1\n", value=text)) == {
        "a": {"b": text, "c": 1}
    }


@given(st.dictionaries(TEXT, TEXT | st.lists(TEXT) | st.integers() | st.booleans(), min_size=1, max_size=5))
def test_no_mapping_escapes_from_a_block(value: dict[str, object]) -> None:
    read = yaml.safe_load(fill("a:\n  b:\n    {{ value | block(4) }}\n  c: 1\n", value=value))
    assert read == {"a": {"b": value, "c": 1}}


def test_a_block_repeats_a_value_instead_of_naming_it() -> None:
    shared = ["a"]
    assert "&" not in fill("{{ value | block(0) }}", value={"x": shared, "y": shared})


@given(TEXT.filter(lambda text: all(ord(c) < 0x10000 for c in text)))
def test_no_text_escapes_from_toml(text: str) -> None:
    assert tomllib.loads(fill("a = {{ value | toml }}\nb = 1\n", value=text)) == {"a": text, "b": 1}


@pytest.mark.parametrize("value", ["", "a b", "a\n", "a\tb", "é", "a\0", 5, None])
def test_a_word_is_one_word(value: object) -> None:
    with pytest.raises(ValueError, match="plain word"):
        fill("{{ value | word }}", value=value)


@pytest.mark.parametrize("value", ["a\nb", "a\r", "é", None])
def test_a_line_is_one_line(value: object) -> None:
    with pytest.raises(ValueError, match="plain line"):
        fill("{{ value | line }}", value=value)


def contexts() -> Iterator[tuple[str, type]]:
    for module in pkgutil.iter_modules(daiku.render.__path__):
        loaded = importlib.import_module(f"daiku.render.{module.name}")
        for value in vars(loaded).values():
            if (
                isinstance(value, type)
                and value.__module__ == loaded.__name__
                and dataclasses.is_dataclass(value)
            ):
                template = vars(value).get("template")
                if isinstance(template, str):
                    yield template, value


def test_every_template_with_values_has_exactly_one_context_and_every_context_a_template() -> None:
    claimed = sorted(template for template, _ in contexts())
    rooms = ("host", "cluster")
    there = sorted(str(p.relative_to(TEMPLATES)) for room in rooms for p in (TEMPLATES / room).rglob("*.j2"))
    with_values = [name for name in there if names(name)]
    assert claimed == with_values
    assert len(with_values) < len(there)


def names(template: str) -> set[str]:
    """What a template asks for."""
    return jinja2.meta.find_undeclared_variables(environment().parse((TEMPLATES / template).read_text()))


@pytest.mark.parametrize("template", ["cluster/cache/fluid-values.yaml.j2", "cluster/acceptance/ring.sh.j2"])
def test_a_template_without_values_is_rendered_by_its_name(template: str) -> None:
    assert render(template).decode() == environment().get_template(template).render()


def test_a_template_with_values_is_not_rendered_by_its_name() -> None:
    with pytest.raises(jinja2.exceptions.UndefinedError):
        render("cluster/kueue/kueue-values.yaml.j2")


@pytest.mark.parametrize(("template", "context"), sorted(contexts(), key=lambda pair: pair[0]))
def test_a_template_uses_each_field_of_its_context_and_no_other_name(template: str, context: type) -> None:
    assert names(template) == {f.name for f in dataclasses.fields(context)}


@pytest.mark.parametrize(("template", "context"), sorted(contexts(), key=lambda pair: pair[0]))
def test_contexts_are_frozen(template: str, context: type) -> None:
    assert context.__dataclass_params__.frozen, template  # type: ignore[attr-defined]
