"""What the rules about executors say: fixtures show where they speak."""

from __future__ import annotations

import pytest

from flake8_concurrency import engine


@pytest.mark.parametrize(
    ("call", "name", "parameter"),
    [
        ("ThreadPoolExecutor()", "ThreadPoolExecutor", "max_workers="),
        ("multiprocessing.Pool()", "Pool", "processes="),
        ("Named()", "Named", "max_workers="),
    ],
)
def test_the_message_names_the_class_and_the_parameter(call: str, name: str, parameter: str) -> None:
    source = (
        "import multiprocessing\nfrom concurrent.futures import ThreadPoolExecutor\n"
        f"class Named(ThreadPoolExecutor):\n    pass\nPOOL = {call}\n"
    )
    (found,) = engine.lint(source)
    assert found.code == "CNC101"
    assert found.message.startswith(f"{name} has no size")
    assert parameter in found.message


def test_the_message_repeats_the_length_that_needs_a_limit() -> None:
    source = (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "def run(urls):\n    count = len(urls)\n    with ThreadPoolExecutor(count):\n        pass\n"
    )
    (found,) = engine.lint(source)
    assert found.code == "CNC102"
    assert "min(len(urls), <a limit>)" in found.message
