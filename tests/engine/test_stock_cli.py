"""The stock `pulumi` CLI in the repository's root: the same program, found through Pulumi.yaml."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from daiku.plan.facts import Facts
from tests.engine.conftest import Datacentre, write_starter
from tests.stacks.recorder import EXAMPLE

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(datacentre: Datacentre) -> Path:
    """A checkout in small: what the CLI needs of it, and a cluster file without bare metal and AWS."""
    root = datacentre.folder / "checkout"
    root.mkdir()
    shutil.copy(ROOT / "Pulumi.yaml", root)
    (root / "stacks").symlink_to(ROOT / "stacks")
    (root / ".venv").symlink_to(sys.prefix)
    text = re.sub(
        r"\n(gpuPools|aws|storage|tenants):.*?(?=\n\w|\Z)", "", EXAMPLE.read_text(), flags=re.DOTALL
    )
    (root / "cluster.yaml").write_text(text)
    write_starter(datacentre.folder / "bin" / "pulumi-language-python", "daiku.stacks.language_host")
    scripts = Path(sys.executable).parent
    datacentre.environ |= {
        "PATH": f"{datacentre.folder / 'bin'}:{scripts}:/usr/bin:/bin",
        "PULUMI_BACKEND_URL": f"file://{datacentre.folder / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "passphrase",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }
    (datacentre.folder / "state").mkdir()
    return root


def pulumi(datacentre: Datacentre, project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [datacentre.environ["DAIKU_TEST_ENGINE"], "--non-interactive", *arguments],
        cwd=project,
        env=datacentre.environ,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_up_preview_refresh_and_destroy_in_the_projects_root(datacentre: Datacentre, project: Path) -> None:
    for arguments in (
        ("stack", "init", "ishikari"),
        ("preview",),
        ("up", "--yes", "--skip-preview"),
        ("preview", "--expect-no-changes"),
        ("refresh", "--yes", "--skip-preview", "--expect-no-changes"),
    ):
        done = pulumi(datacentre, project, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
    output = pulumi(datacentre, project, "stack", "output", "--json").stdout
    facts = Facts.model_validate(json.loads(output)["facts"])
    assert [node.name for node in facts.nodes][:1] == ["ishikari-cp-1"]
    assert (project / ".daiku" / "ishikari" / "keys" / "deploy").stat().st_mode & 0o077 == 0
    done = pulumi(datacentre, project, "destroy", "--yes", "--skip-preview")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_faulty_cluster_file_is_told_without_a_traceback(datacentre: Datacentre, project: Path) -> None:
    file = project / "cluster.yaml"
    file.write_text(file.read_text().replace("count: 3, cpu", "count: 2, cpu"))
    assert pulumi(datacentre, project, "stack", "init", "ishikari").returncode == 0
    done = pulumi(datacentre, project, "preview")
    assert done.returncode != 0
    told = done.stdout + done.stderr
    assert "cluster.yaml:" in told
    assert "controlPlane" in told
    assert "Traceback" not in told
