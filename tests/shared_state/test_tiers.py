"""Rules that report where the file shows threads, and elsewhere only when the user names them."""

from __future__ import annotations

import pytest

from flake8_concurrency.engine import lint
from flake8_concurrency.options import Options

CACHE = """
from cachetools import LRUCache
{imports}

class Pages:
    def __init__(self):
        self._cache = LRUCache(10)

    def put(self, key):
        self._cache[key] = 1
{more}
"""
REMEMBERED = """
from cachetools import LRUCache, cached
{imports}

@cached(LRUCache(10))
def render(key):
    return key
{more}
"""
ONE_FOR_ALL = "PAGES = Pages()"
LAZY = """
{imports}

_client = None

def client():
    global _client
    if _client is None:
        _client = Client()
    return _client
{more}
"""
IN_A_POOL = """
from concurrent.futures import ThreadPoolExecutor

def start(items):
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(work, items, timeout=9))

def work(item):
    return client().get(item)
"""
DEFAULT: tuple[str, ...] = ()
NAMED = ("CNC617",)


@pytest.mark.parametrize("gate", [True, False])
@pytest.mark.parametrize(
    ("source", "imports", "more", "enable", "count"),
    [
        (CACHE, "", "", DEFAULT, 0),
        (CACHE, "", "", NAMED, 1),
        (CACHE, "", ONE_FOR_ALL, DEFAULT, 0),
        (CACHE, "import threading", "", DEFAULT, 0),
        (CACHE, "import threading", ONE_FOR_ALL, DEFAULT, 1),
        (CACHE, "import threading", "        self.lock = threading.Lock()", DEFAULT, 1),
        (REMEMBERED, "", "", DEFAULT, 0),
        (REMEMBERED, "", "", NAMED, 1),
        (REMEMBERED, "import threading", "", DEFAULT, 1),
        (REMEMBERED, "from django.http import HttpResponse", "", DEFAULT, 1),
        (REMEMBERED, "from fastapi import APIRouter", "", DEFAULT, 0),
        (REMEMBERED, "", "async def show(key):\n    return render(key)", NAMED, 0),
    ],
)
def test_617_a_cache_is_reported_where_the_file_shows_threads(
    source: str, imports: str, more: str, enable: tuple[str, ...], count: int, gate: bool
) -> None:
    text = source.format(imports=imports, more=more)
    found = lint(text, filename="app/pages.py", options=Options(enable=frozenset(enable)), gate=gate)
    assert [finding.code for finding in found] == ["CNC617"] * count


@pytest.mark.parametrize("gate", [True, False])
@pytest.mark.parametrize(
    ("imports", "more", "enable", "count"),
    [
        ("", "", DEFAULT, 0),
        ("import threading", "", DEFAULT, 0),
        ("import threading", "", ("CNC608",), 1),
        ("from flask import g", "", ("CNC6",), 1),
        ("", "", ("CNC608",), 0),
        ("import threading", "def main(): client()", ("CNC608",), 1),
        ("", IN_A_POOL, DEFAULT, 1),
        ("", IN_A_POOL, ("CNC608",), 1),
    ],
)
def test_608_a_lazy_object_is_reported_where_threads_run_the_function(
    imports: str, more: str, enable: tuple[str, ...], count: int, gate: bool
) -> None:
    text = LAZY.format(imports=imports, more=more)
    found = lint(text, filename="app/pages.py", options=Options(enable=frozenset(enable)), gate=gate)
    assert [finding.code for finding in found] == ["CNC608"] * count


MANAGER = """
import os
{imports}

class Inside:
    def __init__(self, path):
        self.path, self.before = path, os.getcwd()

    def __enter__(self):
        os.chdir(self.path)

    def __exit__(self, *exc):
        os.chdir(self.before)

async def build(project):
    with Inside(project):
        await project.build()
"""


@pytest.mark.parametrize("gate", [True, False])
def test_613_a_context_manager_of_the_file_is_known_where_it_is_entered(gate: bool) -> None:
    assert [found.line for found in lint(MANAGER.format(imports=""), filename="app/pages.py", gate=gate)] == [16]
