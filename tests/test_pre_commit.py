"""The real pre-commit runs our hook on a small repository, and installs it from this working tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

BAD = """\
import time


async def poll():
    time.sleep(1)
"""

GOOD = """\
import asyncio


async def poll():
    await asyncio.sleep(1)
"""

CONFIG = """\
repos:
  - repo: {repository}
    rev: {revision}
    hooks:
      - id: flake8-concurrency
"""

#: What pip says when there is no registry to install from.
NO_REGISTRY = ("No matching distribution found", "Could not find a version that satisfies")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Nothing of the user's: neither git's configuration, nor pre-commit's cache, nor what git tells its own hooks."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PRE_COMMIT"))}
    identity = dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), "tester")
    address = dict.fromkeys(("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), "tester@example.org")
    isolated = {"GIT_CONFIG_GLOBAL": os.devnull, "PRE_COMMIT_HOME": str(tmp_path / "home"), "PRE_COMMIT_COLOR": "never"}
    return {**kept, **identity, **address, **isolated}


def git(folder: Path, environment: Mapping[str, str], *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True).stdout


def committed(folder: Path, environment: Mapping[str, str]) -> str:
    """Make a repository of a folder, and tell its only commit."""
    git(folder, environment, "init", "--quiet")
    git(folder, environment, "add", "--all", "--force")
    git(folder, environment, "commit", "--quiet", "--message", "all")
    return git(folder, environment, "rev-parse", "HEAD").strip()


def working_tree(into: Path, environment: Mapping[str, str]) -> Path:
    """A copy of what would be committed here now."""
    listed = git(ROOT, environment, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():  # pragma: no branch - false for a file that was deleted and not yet committed
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, into / name)
    return into


def pre_commit(folder: Path, environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pre_commit", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=550, check=False
    )


def install_hook(folder: Path, environment: Mapping[str, str]) -> None:
    """Let pre-commit build the hook's environment. Without a registry there is nothing to test, except in CI."""
    installed = pre_commit(folder, environment, "install-hooks")
    said = installed.stdout + installed.stderr
    if any(text in said for text in NO_REGISTRY) and not os.environ.get("CI"):  # pragma: no cover
        pytest.skip("pip has no registry to install flake8 and libcst from")
    assert installed.returncode == 0, said


@pytest.mark.timeout(600)
def test_the_hook_reports_a_defect_and_passes_without_it(tmp_path: Path, environment: dict[str, str]) -> None:
    repository = working_tree(tmp_path / "flake8-concurrency", environment)
    revision = committed(repository, environment)
    project = tmp_path / "project"
    project.mkdir()
    (project / "poll.py").write_text(BAD)
    (project / "notes.txt").write_text("async def poll(): time.sleep(1)\n")
    (project / ".pre-commit-config.yaml").write_text(CONFIG.format(repository=repository, revision=revision))
    committed(project, environment)
    install_hook(project, environment)

    reported = pre_commit(project, environment, "run", "--all-files")
    assert reported.returncode == 1, reported.stdout + reported.stderr
    assert "poll.py:5:5: CNC401 " in reported.stdout
    assert "notes.txt" not in reported.stdout

    (project / "poll.py").write_text(GOOD)
    passed = pre_commit(project, environment, "run", "--all-files")
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert "Passed" in passed.stdout
