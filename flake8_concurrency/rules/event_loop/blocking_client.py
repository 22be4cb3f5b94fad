"""CNC406 blocking-client."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.knowledge.words import blocking_words
from flake8_concurrency.rule import Gate, Rule

_WORDS = blocking_words("client")


class BlockingClient(Rule):
    """Async code talks to a service, a broker, a mail server or a name server through a synchronous client.

    The event loop stands still until the other side has answered, and a model or a broker can take minutes to.

    Bad:

        import redis

        CACHE = redis.Redis(socket_timeout=5)

        async def cached(key):
            return CACHE.get(key)

    Bad:

        import boto3

        class Uploads:
            def __init__(self, bucket):
                self.bucket = bucket
                self.s3 = boto3.client("s3")

            async def put(self, key, body):
                self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)

    Bad:

        from openai import OpenAI

        async def answer(client: OpenAI, messages):
            return client.chat.completions.create(model="small", messages=messages)

    Good:

        import redis.asyncio

        CACHE = redis.asyncio.Redis()

        async def cached(key):
            return await CACHE.get(key)

    Good:

        import asyncio
        import boto3

        class Uploads:
            def __init__(self, bucket):
                self.bucket = bucket
                self.s3 = boto3.client("s3")

            async def put(self, key, body):
                await asyncio.to_thread(self.s3.put_object, Bucket=self.bucket, Key=key, Body=body)

    Good:

        from openai import AsyncOpenAI

        async def answer(client: AsyncOpenAI, messages):
            return await client.chat.completions.create(model="small", messages=messages)

    Known limits:
        A client is known when the file shows what it is: by its constructor, an annotation, or a function of the file
        that returns it. What only prepares a request (`generate_presigned_url`, `pipeline()`) and sockets that do not
        wait are not reported. Silent where nothing else runs yet, or any more: once in a `lifespan`, a start-up or
        shutdown function, a `main` that starts no tasks. A call in a function of the file is CNC409.
    """

    code = "CNC406"
    name = "blocking-client"
    message = "{call} stops the event loop until the other side has answered: use {twin}"
    gate = Gate(anchors=frozenset(_WORDS), needs=_WORDS, only_async=True, wants="call")

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        for leaf in self.file.exchanges.holding_up(node, "client"):
            self.report(leaf.node, call=leaf, twin=leaf.fact.twin)
