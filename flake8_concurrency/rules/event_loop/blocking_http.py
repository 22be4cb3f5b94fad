"""CNC402 blocking-http."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.knowledge.words import blocking_words
from flake8_concurrency.model.blocking_calls import Leaf
from flake8_concurrency.rule import Gate, Rule

_WORDS = blocking_words("http")


class BlockingHttp(Rule):
    """A synchronous HTTP request in async code stops the event loop until the other side has answered.

    Everything that runs on the loop waits for somebody else's server: a slow one makes every request of yours slow,
    and one that hangs stops the process.

    Bad:

        import requests

        async def load_user(user_id):
            return requests.get(f"https://api.example.org/users/{user_id}", timeout=10).json()

    Bad:

        import httpx

        class Users:
            def __init__(self, base_url):
                self.client = httpx.Client(base_url=base_url)

            async def load(self, user_id):
                return self.client.get(f"/users/{user_id}").json()

    Good:

        import httpx

        async def load_user(client: httpx.AsyncClient, user_id):
            response = await client.get(f"/users/{user_id}")
            return response.json()

    Good:

        import asyncio
        import requests

        async def load_user(user_id):
            url = f"https://api.example.org/users/{user_id}"
            response = await asyncio.to_thread(requests.get, url, timeout=10)
            return response.json()

    Good:

        import requests
        from flake8_concurrency.runtime import Offloader

        OFFLOAD = Offloader(max_threads=8, queue_timeout=5)

        async def load_user(user_id):
            response = await OFFLOAD(requests.get, f"https://api.example.org/users/{user_id}", timeout=10)
            return response.json()

    Known limits:
        A client is known when the file shows what it is: by its constructor, an annotation, or a function of the file
        that returns it. Reading the answer is not reported where the request is. A request that is
        reached through a function of the file is CNC409. ASYNC210, ASYNC211 and ASYNC212 of flake8-async and ruff
        report the calls whose module is named at the call.
    """

    code = "CNC402"
    name = "blocking-http"
    message = "{call} stops the event loop until the server has answered: use {twin}"
    gate = Gate(anchors=frozenset(_WORDS), needs=_WORDS, only_async=True, wants="call")
    overlaps = ("ASYNC210", "ASYNC211", "ASYNC212")

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        requests: set[cst.CSTNode] = set()
        for leaf in self.file.blocking_in(node):
            if leaf.fact.category == "http" and not self._reads_answer(leaf, requests):
                requests.add(leaf.node)
                self.report(leaf.node, call=leaf, twin=leaf.fact.twin)

    def _reads_answer(self, leaf: Leaf, requests: set[cst.CSTNode]) -> bool:
        """Whether a call reads the answer of a request that is already reported."""
        if not leaf.name.startswith("http.client.HTTPResponse."):
            return False
        receiver = leaf.node
        if isinstance(receiver, cst.Call) and isinstance(receiver.func, cst.Attribute):
            receiver = receiver.func.value
        if not isinstance(receiver, cst.Name):
            return receiver in requests
        return any(binding.value in requests for binding in self.file.names.reaching(receiver) or ())
