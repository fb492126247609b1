"""The rendered `cluster/` folder as values: objects, and charts with their values."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any, cast

import yaml

from daiku.apply.cluster.charts import ChartWanted
from daiku.apply.cluster.model import Wanted
from daiku.render.tree import Tree

CHART, VALUES = "chart.yaml", "values.yaml"


def wanted_objects(tree: Tree) -> tuple[Wanted, ...]:
    """Every object of the manifests, by path and place. `tree` is that of `cluster_tree`.

    ValueError: a document that is no object.
    """
    found: list[Wanted] = []
    for path, file in tree.items():
        if not path.endswith((".yaml", ".yml")) or PurePosixPath(path).name in {CHART, VALUES}:
            continue
        for document in cast("list[object]", list(yaml.load_all(file.content, yaml.CSafeLoader))):
            if document is None:
                continue
            body = cast("dict[str, Any]", document)
            if not isinstance(document, dict) or not {"apiVersion", "kind", "metadata"} <= body.keys():
                raise ValueError(f"{path} holds a document that is no Kubernetes object")
            found.append(Wanted(body, path))
    return tuple(found)


def wanted_charts(tree: Tree) -> tuple[ChartWanted, ...]:
    """Every chart in the order of the folders."""
    found: list[ChartWanted] = []
    for path, file in tree.items():
        folder = PurePosixPath(path)
        if folder.name != CHART:
            continue
        note = cast("dict[str, str]", yaml.load(file.content, yaml.CSafeLoader))
        values = tree.get(str(folder.parent / VALUES))
        found.append(
            ChartWanted(
                note["chart"],
                note["version"],
                note["release"],
                note["namespace"],
                values.content if values else b"",
                note.get("sha256", ""),
                path,
            )
        )
    return tuple(found)
