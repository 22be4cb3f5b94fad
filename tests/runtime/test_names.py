"""The names that the linter's messages give resolve, late, and a type checker sees the same ones."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flake8_concurrency import runtime

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", sorted(runtime._HOMES))
def test_a_name_is_the_one_of_its_module(name: str) -> None:
    module = importlib.import_module(f"flake8_concurrency.runtime.{runtime._HOMES[name]}")
    assert getattr(module, name) is getattr(runtime, name)
    assert name in module.__all__
    assert name in dir(runtime)


def test_a_type_checker_sees_the_same_names() -> None:
    assert runtime.__file__ is not None
    tree = ast.parse(Path(runtime.__file__).read_text())
    stub = {
        alias.asname: (node.module or "").rpartition(".")[2]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("flake8_concurrency")
        for alias in node.names
    }
    assert stub == runtime._HOMES


def test_every_name_in_a_message_resolves() -> None:
    text = "\n".join(path.read_text() for path in (ROOT / "flake8_concurrency" / "rules").rglob("*.py"))
    named = set(re.findall(r"flake8_concurrency\.runtime\.(\w+)", text))
    assert {"BoundedExecutor", "claim_batch", "locked", "map_bounded", "run_all", "wait_all"} <= named
    for name in named:
        assert getattr(runtime, name)


def test_an_unknown_name() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        runtime.nothing  # noqa: B018


def test_the_import_is_late_and_starts_nothing(start_python: Callable[[str], subprocess.Popen[str]]) -> None:
    process = start_python(
        """
        import sys, threading
        import flake8_concurrency.runtime as runtime
        loaded = lambda: {name for name in sys.modules if name.startswith("flake8_concurrency.runtime.")}
        assert not loaded(), loaded()
        runtime.BoundedExecutor, runtime.wait_all, runtime.Offloader, runtime.Coalescer, runtime.OwnedLock, runtime.pool
        foreign = {"flake8", "libcst", "sqlalchemy", "django", "redis", "celery"} & set(sys.modules)
        assert not foreign, foreign
        assert threading.active_count() == 1
        """
    )
    _, errors = process.communicate(timeout=20)
    assert 0 == process.returncode, errors
