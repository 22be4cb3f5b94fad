"""CNC608 racy-lazy-init."""

from __future__ import annotations

import re

import libcst as cst

from flake8_concurrency.model import thread_shapes, write_shapes
from flake8_concurrency.rule import Gate, Rule


class RacyLazyInit(Rule):
    """Something of which there should be one is made when it is first wanted, and several threads may want it at once.

    Two threads find nothing, and both make it: two connections or clients of which one is lost, with whatever has been
    put into it. Nobody closes that one.

    Bad:

        from concurrent.futures import ThreadPoolExecutor

        _client = None

        def client():
            global _client
            if _client is None:
                _client = Client()
            return _client

        def fetch(url):
            return client().get(url)

        def fetch_all(urls):
            with ThreadPoolExecutor(max_workers=4) as pool:
                return list(pool.map(fetch, urls, timeout=60))

    Bad:

        from flask import Flask

        app = Flask(__name__)

        class Models:
            _loaded = None

            @classmethod
            def loaded(cls):
                if cls._loaded is not None:
                    return cls._loaded
                cls._loaded = Models()
                return cls._loaded

        @app.route("/predict")
        def predict():
            return Models.loaded().predict()

    Good:

        import threading
        from concurrent.futures import ThreadPoolExecutor

        _client = None
        _lock = threading.Lock()

        def client():
            global _client
            if _client is None:
                with _lock:
                    if _client is None:
                        _client = Client()
            return _client

        def fetch(url):
            return client().get(url)

        def fetch_all(urls):
            with ThreadPoolExecutor(max_workers=4) as pool:
                return list(pool.map(fetch, urls, timeout=60))

    Good:

        from concurrent.futures import ThreadPoolExecutor

        _client = Client()

        def fetch(url):
            return _client.get(url)

        def fetch_all(urls):
            with ThreadPoolExecutor(max_workers=4) as pool:
                return list(pool.map(fetch, urls, timeout=60))

    Known limits:
        Reported where the file shows that several threads run the function. Named by its code (`enable = CNC608`) it
        reports every such variable of a module or class in a file that imports what threads need, Flask, Django or
        FastAPI. What is made is an object, a connection or an empty container; a value that is only computed or read
        again is silent, and so are functions behind a cache (`functools.cache` runs a function twice if two threads
        call it before it is done), start-up code and what each thread has of its own.
    """

    code = "CNC608"
    name = "racy-lazy-init"
    message = (
        "{place} is tested on line {test} and made here without a lock, in threads (started by {how}): two of them make"
        " it at once, and one is lost; test again under a threading.Lock(), or make it when the module is imported"
    )
    gate = Gate(
        anchors=thread_shapes.RUNNING,
        asks=write_shapes.asks_lazy,
        answers=thread_shapes.answers_running,
        keeps=thread_shapes.KEEPS,
        where=write_shapes.STORING,
        speaks=thread_shapes.speaks_of_threads,
    )
    named_gate = Gate(anchors=write_shapes.ASKING, called=False, keeps=re.compile(""))
    quiet = True

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        for found in self.file.lazy_inits.racy(self.file.definitions.functions[node]):
            self.report(found.write.node, place=found.write.place, test=self.file.line(found.test), how=found.how)
