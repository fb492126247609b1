"""The reference pages are those of the tables; the README and the provider's page lead to them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from daiku.provider.plugin import PLUGIN
from daiku.provider.reference import page_of, pages, rows, write

ROOT = Path(__file__).parents[2]
PAGES = pages(PLUGIN)


def test_the_pages_are_not_stale() -> None:
    found = {file.name: file.read_text() for file in (ROOT / "docs" / "reference").iterdir()}
    assert found == PAGES, "run: python -m daiku.provider.reference docs/reference"


def test_writing_removes_what_is_no_more(tmp_path: Path) -> None:
    (tmp_path / "gone.md").write_text("old")
    write(tmp_path, PLUGIN)
    assert {file.name for file in tmp_path.iterdir()} == PAGES.keys()


def test_the_readme_has_the_table_of_resources() -> None:
    readme = (ROOT / "README.md").read_text()
    table = "\n".join(rows([handler.type for handler in PLUGIN.handlers], "docs/reference/"))
    assert table in readme


@pytest.mark.parametrize("handler", PLUGIN.handlers, ids=lambda handler: handler.type.name)
def test_every_property_is_on_the_page_of_its_resource(handler: object) -> None:
    kind = handler.type  # pyright: ignore[reportAttributeAccessIssue]
    page = PAGES[f"{page_of(kind.name)}.md"]
    for field in kind.fields:
        assert f"| `{field.name}` |" in page


def test_the_providers_page_imports_every_kind() -> None:
    text = (ROOT / "docs" / "provider.md").read_text()
    imported = set(re.findall(r"^\$ pulumi import (\S+) ", text, re.MULTILINE))
    assert imported == {handler.type.name for handler in PLUGIN.handlers}
