"""CNC617 unlocked-cache."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model import cache_shapes
from flake8_concurrency.rule import Gate, Rule

_KEPT = (
    "several threads use {place} and no lock is held on line {lines}: caches of cachetools are not thread-safe, even a"
    " lookup changes them, and entries are lost or a KeyError comes up; hold one threading.Lock() around every use"
)


class UnlockedCache(Rule):
    """A cache of cachetools is shared by threads without a lock.

    These caches are not thread-safe: even a lookup moves entries about or drops what has expired. Two threads at once
    break the order it keeps; then a `KeyError` comes out of a plain read or write, or the cache grows beyond its size.

    Bad:

        from cachetools import TTLCache, cached
        from flask import Flask

        app = Flask(__name__)

        @cached(TTLCache(maxsize=1024, ttl=300))
        def exchange_rate(currency):
            return fetch_rate(currency)

    Bad:

        import threading
        from cachetools import LRUCache

        class Templates:
            def __init__(self):
                self._cache = LRUCache(maxsize=100)

            def start(self):
                self._thread = threading.Thread(target=self._watch, daemon=True)
                self._thread.start()

            def get(self, name):
                if name not in self._cache:
                    self._cache[name] = load(name)
                return self._cache[name]

    Good:

        import threading
        from cachetools import TTLCache, cached
        from flask import Flask

        app = Flask(__name__)

        @cached(TTLCache(maxsize=1024, ttl=300), lock=threading.Lock())
        def exchange_rate(currency):
            return fetch_rate(currency)

    Good:

        import threading
        from cachetools import LRUCache

        class Templates:
            def __init__(self):
                self._cache = LRUCache(maxsize=100)
                self._lock = threading.Lock()

            def get(self, name):
                with self._lock:
                    if name not in self._cache:
                        self._cache[name] = load(name)
                    return self._cache[name]

    Known limits:
        Reported where the file shows threads: it uses `threading` or a thread pool, or is written for a framework whose
        servers give each request a thread (Flask, Django, plain `def` endpoints of FastAPI); a cache in an attribute
        wants them in its class, or an object of the class in the module. Named by its code (`enable = CNC617`) it
        reports every such cache without a lock. What only async code uses runs in one thread and is silent, and so is a
        cache that is handed to a function, and `cachetools.func`, which locks. `cached(…, lock=…)` holds the lock while
        it looks a key up and stores it, not while the function runs: two threads may still compute the same value.
    """

    code = "CNC617"
    name = "unlocked-cache"
    message = "{what}"
    gate = Gate(
        anchors=cache_shapes.CONSTRUCTORS,
        context=(frozenset({"import cachetools"}),),
        asks=cache_shapes.asks,
        answers=cache_shapes.answers,
        keeps=cache_shapes.KEEPS,
    )

    def visit_Call(self, node: cst.Call) -> None:
        uses = self.file.caches.unlocked(node)
        kept = self.file.caches.kept(node) if uses else None
        if kept is not None:
            lines = sorted({self.file.line(use.node) for use in uses})
            shown = ", ".join(map(str, lines[:3])) + (" and others" if len(lines) > 3 else "")
            self.report(node, what=_KEPT.format(place=kept[0], lines=shown))

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        function = self.file.definitions.functions[node]
        call = self.file.caches.unlocked_decorator(function)
        if call is not None:
            name = function.qualified_name
            self.report(
                call,
                what=f"several threads may call {name}() at once, and its cache has no lock: caches of cachetools are "
                "not thread-safe, and a KeyError comes up or entries are lost; pass lock=threading.Lock()",
            )
