"""CNC215 shared-lock-without-bound."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.knowledge.waiting import SHARED_LOCKS
from flake8_concurrency.model.spelling import last_name
from flake8_concurrency.rule import Gate, Rule


class SharedLockWithoutBound(Rule):
    """A lock that other processes hold, in Redis or in a file, is waited for without a bound.

    Its holder can hang or lose the network, on another machine, where nobody here sees it; then every process that
    wants the lock waits for ever.

    Bad:

        import redis

        client = redis.Redis(socket_timeout=5)

        def settle(account):
            with client.lock(f"account:{account}", timeout=60):
                return account

    Bad:

        from filelock import FileLock

        def build(path):
            with FileLock(f"{path}.lock"):
                return path

    Good:

        import redis

        client = redis.Redis(socket_timeout=5)

        def settle(account):
            with client.lock(f"account:{account}", timeout=60, blocking_timeout=10):
                return account

    Good:

        from filelock import FileLock

        def build(path):
            with FileLock(f"{path}.lock", timeout=60):
                return path

    Known limits:
        The `timeout` of a Redis lock is how long its key lives and bounds no wait. Where the lock is made must be in
        the file.
    """

    code = "CNC215"
    name = "shared-lock-without-bound"
    message = "{lock} is waited for without a bound, and its holder, another process, can hang: pass {bound}="
    gate = Gate(
        anchors=frozenset({"acquire", "with", "async with", "enter_context", "enter_async_context"}),
        context=(frozenset({"import redis", "import valkey", "import filelock"}),),
        awaited=True,
    )
    quiet = True

    def visit_With(self, node: cst.With) -> None:
        for item in node.items:
            self._check(item.item, None)

    def visit_Call(self, node: cst.Call) -> None:
        if isinstance(node.func, cst.Attribute) and node.func.attr.value == "acquire":
            self._check(node.func.value, node)
        elif last_name(node.func) in ("enter_context", "enter_async_context") and len(node.args) == 1:
            self._check(node.args[0].value, None)

    def _check(self, lock: cst.BaseExpression, acquire: cst.Call | None) -> None:
        name = next((name for name in SHARED_LOCKS if self.file.is_a(lock, name)), None)
        if name is None or self.file.waits.is_shared_lock_bounded(lock, acquire, SHARED_LOCKS[name]):
            return
        bound = SHARED_LOCKS[name].acquire[0] if acquire is not None else SHARED_LOCKS[name].maker[0]
        kind = "the file lock" if name.startswith("filelock") else "the Redis lock"
        self.report(lock if acquire is None else acquire, lock=kind, bound=bound)
