"""What makes a transaction wait for somebody else: the network, a clock, another program, a queue of tasks."""

from __future__ import annotations

#: Categories of the table of blocking calls that wait for others; a file or a query of the database is over soon.
CATEGORIES = ("http", "sleep", "subprocess", "client")
#: Clients in the category `client` that answer as fast as the database does.
NEAR = frozenset(
    "redis valkey rediscluster pymemcache memcache socket ssl select pymongo kombu pika elasticsearch".split()
)
#: The async calls that the table of blocking calls does not have, by class, and functions by their dotted name.
ASYNC_CLIENTS = ("httpx.AsyncClient", "httpx2.AsyncClient", "aiohttp.ClientSession")
REQUESTING = frozenset("get post put patch delete head options request send stream ws_connect".split())
ASYNC_FUNCTIONS = frozenset(
    "asyncio.sleep anyio.sleep trio.sleep asyncio.create_subprocess_exec asyncio.create_subprocess_shell".split()
)
#: Methods that hand a task to a broker. Those with `on_commit` in their name wait for the commit.
DISPATCHING = frozenset("delay apply_async send_task send_with_options enqueue enqueue_call enqueue_job".split())
#: Words in the name of what `enqueue` is called on, where it sends: the outbox of the same database is no broker.
QUEUES = frozenset("queue queues rq scheduler arq broker".split())
