"""What the rules about waits say, and in which files they are silent: fixtures show where they speak."""

from __future__ import annotations

import pytest

from flake8_concurrency import engine

IN_POOL = """
from concurrent.futures import ThreadPoolExecutor, wait

def run(items):
    with ThreadPoolExecutor(max_workers=3) as executor:
        wait([executor.submit(print, item) for item in items])
"""
OUTSIDE = """
from concurrent.futures import Future, wait

def finish(futures: list[Future]):
    wait(futures)
"""
PROGRAM = """
import subprocess

def build(path):
    subprocess.run(["make"], cwd=path)
"""


def messages(source: str, filename: str = "app/example.py") -> list[str]:
    return [f"{found.code} {found.message}" for found in engine.lint(source, filename=filename)]


def test_inside_the_with_of_its_own_pool_a_timeout_alone_is_no_remedy() -> None:
    (message,) = messages(IN_POOL)
    assert "cancel_futures=True" in message
    assert "runtime.map_bounded" in message


def test_elsewhere_the_timeout_is_the_remedy() -> None:
    (message,) = messages(OUTSIDE)
    assert "pass timeout=" in message
    assert "runtime.wait_all" in message


@pytest.mark.parametrize("source", [IN_POOL, OUTSIDE, PROGRAM])
def test_rules_about_timeouts_are_silent_in_tests(source: str) -> None:
    assert messages(source)
    assert not messages(source, "tests/test_example.py")


@pytest.mark.parametrize(
    "filename",
    ["setup.py", "app/__main__.py", "bin/release.py", "scripts/build.py", "app/management/commands/build.py", "cli.py"],
)
def test_programs_may_run_programs(filename: str) -> None:
    assert not messages(PROGRAM, filename)


@pytest.mark.parametrize("filename", ["app/client.py", "app/descriptions/views.py", "robin/tasks.py"])
def test_names_that_only_resemble_those_of_programs(filename: str) -> None:
    assert len(messages(PROGRAM, filename)) == 1


@pytest.mark.parametrize(
    "rest",
    [
        'if __name__ == "__main__":\n    build(".")\n',
        "import argparse\nparser = argparse.ArgumentParser()\n",
        'import click\n@click.command("make")\ndef make():\n    build(".")\n',
        "from setuptools import Command\n",
        "class Command(BaseCommand):\n    pass\n",
        "from django.core.management.base import BaseCommand\nclass Command(BaseCommand):\n    pass\n",
        "from ..management import BaseCommand as Base\nfrom x import BaseCommand\nclass Command(x.BaseCommand): ...\n",
    ],
)
def test_what_else_makes_a_file_a_program(rest: str) -> None:
    assert not messages(PROGRAM + rest)


@pytest.mark.parametrize("module", ["app.commands.base", ".base", "."])
def test_a_command_of_a_service_layer_makes_no_program(module: str) -> None:
    rest = f"from {module} import BaseCommand\nclass Make(BaseCommand):\n    pass\n"
    assert len(messages(PROGRAM + rest)) == 1
