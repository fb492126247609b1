"""What the documents show is true."""

from __future__ import annotations

import re
from pathlib import Path

from daiku.plan.make import make
from daiku.spec.cluster import Cluster
from daiku.spec.load import parse
from daiku.spec.walk import settings

DOCS = Path(__file__).parents[2] / "docs"


def test_the_shortest_cluster_of_the_how_to_can_be_built() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", (DOCS / "specification.md").read_text(), flags=re.DOTALL)
    assert len(make(parse(block, "docs.yaml")).nodes) == 2


def test_every_setting_that_the_how_to_names_exists() -> None:
    text = (DOCS / "specification.md").read_text()
    rows = text[text.index("## What an edit does") : text.index("`daiku plan` says")]
    named = {word.split(".")[-1] for word in re.findall(r"`([A-Za-z.]+)`", rows)}
    assert named <= {str(s.path[-1]) for s in settings(Cluster)}


def test_links_lead_somewhere() -> None:
    for page in (DOCS / "specification.md", DOCS / "decisions" / "0002-rail-routes.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), target
