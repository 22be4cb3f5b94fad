"""CNC209 http-without-timeout."""

from __future__ import annotations

import ast

import libcst as cst

from flake8_concurrency.knowledge.waiting import PATIENT, REQUESTS
from flake8_concurrency.knowledge.words import calling_words
from flake8_concurrency.model.calls import argument, literal
from flake8_concurrency.model.http import KEEPS
from flake8_concurrency.rule import Gate, Rule

_PLAIN = calling_words(*REQUESTS)
_PATIENT = calling_words(*PATIENT)
_WORDS = {name: _PLAIN.get(name, frozenset()) | _PATIENT.get(name, frozenset()) for name in {*_PLAIN, *_PATIENT}}
_ANY_PLAIN: frozenset[str] = frozenset().union(*_PLAIN.values())
_ANY: frozenset[str] = _ANY_PLAIN.union(*_PATIENT.values())
#: What a dict has as well, where it is given a key.
_OF_DICTS = frozenset({"get", "options", "patch"})


def _may_wait(call: ast.Call) -> frozenset[str] | None:
    """Only a client that waits for ever of itself does so without a `timeout=`, and a key without a slash is no URL."""
    timeout = next((word.value for word in call.keywords if word.arg == "timeout"), None)
    if timeout is not None:
        return _ANY if not isinstance(timeout, ast.Constant) or timeout.value is None else None
    url = call.args[0] if call.args else None
    is_key = isinstance(url, ast.Constant) and isinstance(url.value, str) and "/" not in url.value
    return None if is_key and isinstance(call.func, ast.Attribute) and call.func.attr in _OF_DICTS else _ANY_PLAIN


class HttpWithoutTimeout(Rule):
    """An HTTP request has no timeout, or its client's own is turned off.

    A server that accepts the connection and never answers keeps the caller for ever; with all workers waiting for it,
    the whole service stands still.

    Bad:

        import requests

        def load(url):
            return requests.get(url).json()

    Bad:

        import requests

        class Client:
            def __init__(self):
                self.session = requests.Session()

            def load(self, url):
                return self.session.get(url).json()

    Good:

        import requests

        def load(url):
            return requests.get(url, timeout=(3, 30)).json()

    Known limits:
        requests, urllib and urllib3 wait for ever unless told otherwise; httpx and aiohttp only when they get
        `timeout=None`, an async client where it is made. A session counts as bounded when the file mounts an adapter
        of its own, replaces its `request` or `send`, or calls `socket.setdefaulttimeout`; so does `**kwargs`. In async
        code a blocking request is CNC402.
    """

    code = "CNC209"
    name = "http-without-timeout"
    message = "{call}() has no timeout and waits for ever if the server never answers: pass timeout="
    gate = Gate(anchors=frozenset(_WORDS), needs=_WORDS, keeps=KEEPS, may=_may_wait, wants="call")
    quiet = True
    overlaps = ("S113",)

    def visit_Call(self, node: cst.Call) -> None:
        leaf = self.file.waits.unbounded_leaf(node, REQUESTS)
        if leaf is not None:
            if not self.file.http.is_bounded(node, leaf.name):
                self.report(node, call=leaf.name)
            return
        timeout = argument(node, None, "timeout")
        if timeout is not None and literal(timeout) == (None,):
            names = [*self.file.functions.table_names(node.func), self.file.qualified(node.func)]
            name = next((name for name in names if name in PATIENT), None)
            if name is not None:
                self.report(node, call=name)
