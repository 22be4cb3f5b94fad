"""What a piece of the text must look like, in the `ast` tree, before a rule can speak about a task and its options.

The gate asks, so this must never be narrower than `tasks` and `task_options`, which see the libcst tree.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection

from flake8_concurrency.knowledge import task_queues as known
from flake8_concurrency.model.dispatch_shapes import speaks_of_tasks
from flake8_concurrency.model.locks import words
from flake8_concurrency.model.pieces import last_name, own

_TASK = "task"
#: Every task, and what routes them: whether a task should name a queue, the others tell.
ROUTES = re.compile(
    r"^\s*@.*\b\w*(?:task|actor|job)\b|task_routes|TASK_ROUTES|CELERY_ROUTES|task_default_queue|TaskQueues",
    re.MULTILINE,
)
#: Whatever names a queue, and every setting of queues.
QUEUES = re.compile(r"queue", re.IGNORECASE)
#: What limits a task where it is sent, or all of them.
LIMITS = re.compile(r"time_limit", re.IGNORECASE)


#: Classes that may let Celery run coroutines.
ASYNC_CLASS = re.compile(r"class\s+\w*(?:async|aio|coroutine|awaitable)\w*", re.IGNORECASE)
#: The decorators of tasks, and their base classes.
DECORATING = known.METHODS | frozenset(known.NAMED) | {"Task", "GenericActor"}


def is_task(root: ast.AST) -> bool:
    """Whether a function or class may be a task: by its decorators, or its bases."""
    decorators = [node.func if isinstance(node, ast.Call) else node for node in getattr(root, "decorator_list", [])]
    names = [last_name(node) for node in (*decorators, *getattr(root, "bases", []))]
    return any(name in DECORATING or words(name)[-1:] in (["task"], ["actor"], ["job"]) for name in names)


def asks_retries(root: ast.AST) -> set[str]:
    """A task that may be retried without end."""
    if _says_no_end(root) and is_task(root):
        return {_TASK}
    # What a class's `run` does decides with it.
    is_run = isinstance(root, ast.FunctionDef | ast.AsyncFunctionDef) and root.name in ("run", "perform")
    return {_TASK} if is_run and any(isinstance(n, ast.Attribute) and n.attr == "retry" for n in own(root)) else set()


def _says_no_end(root: ast.AST) -> bool:
    for node in own(root):
        if isinstance(node, ast.keyword) and node.arg in ("max_retries", "retry", "retry_kwargs"):
            return True
        if isinstance(node, ast.Assign) and any(last_name(target) in _ATTRIBUTES for target in node.targets):
            return True
    return False


_ATTRIBUTES = ("max_retries", "retry_kwargs")


def asks_task(root: ast.AST) -> set[str]:
    """Any task."""
    return {_TASK} if is_task(root) else set()


def answers_queue_of_task(root: ast.AST, names: Collection[str]) -> set[str]:
    """A task that names a queue: the gate keeps all of a file where there is one."""
    del names
    return {_TASK} if is_task(root) else set()


def asks_timeless(root: ast.AST) -> set[str]:
    """A task that names no limit itself."""
    words = (
        word.arg or ""
        for node in getattr(root, "decorator_list", [])
        if isinstance(node, ast.Call)
        for word in node.keywords
    )
    return {_TASK} if is_task(root) and not any("time_limit" in word for word in words) else set()


def asks_coroutine(root: ast.AST) -> set[str]:
    """A task that is a coroutine function."""
    return {_TASK} if isinstance(root, ast.AsyncFunctionDef) and (is_task(root) or root.name == "run") else set()


def answers_task(root: ast.AST, names: Collection[str]) -> set[str]:
    """Whatever mentions a decorator of tasks."""
    del root, names
    return {_TASK}


def speaks_of_retries(some: Collection[str]) -> bool:
    """Whether a text, by all its words, may have a task that is retried."""
    return "max_retries" in some or ("retry" in some and any("procrastinate" in word for word in some))


def speaks_of_celery(some: Collection[str]) -> bool:
    """Whether a text, by all its words, has to do with Celery."""
    return "shared_task" in some or any("celery" in word.lower() for word in some)


#: What waits for the result of a task.
WAITING = frozenset("get join join_native get_result get_results".split())
_SENT = frozenset(known.SENDING) | frozenset(known.ENQUEUING) | known.CANVAS
_RESULTS = frozenset("AsyncResult GroupResult ResultSet".split())


def speaks_of_waits(some: Collection[str]) -> bool:
    """Whether a text, by all its words, may have a task that waits for one."""
    if WAITING.isdisjoint(some):
        return False
    return speaks_of_tasks(some) or any("huey" in word.lower() for word in some)


def asks_wait(root: ast.AST) -> set[str]:
    """A task, or a method that may be the `run` of one and waits itself."""
    if is_task(root):
        return {_TASK}
    return {_TASK} if getattr(root, "name", "") in ("run", "perform") and _may_wait(root) else set()


def answers_wait(root: ast.AST, names: Collection[str]) -> set[str]:
    """Whatever may send a task and wait for it."""
    del names
    return {_TASK} if _may_wait(root) else set()


def _may_wait(root: ast.AST) -> bool:
    calls = [node for node in own(root) if isinstance(node, ast.Call)]
    called = {last_name(call.func) for call in calls}
    if WAITING.isdisjoint(called):
        return False
    # Huey's tasks are sent by calling them.
    return not (_SENT | _RESULTS).isdisjoint(called) or any(_is_blocking(call) for call in calls)


def _is_blocking(call: ast.Call) -> bool:
    """`result.get(blocking=True)`."""
    given = [*call.args[:1], *(word.value for word in call.keywords if word.arg == "blocking")]
    return last_name(call.func) == "get" and any(isinstance(v, ast.Constant) and v.value is True for v in given)


def speaks_of_limits(some: Collection[str]) -> bool:
    """Whether a text, by all its words, has to do with Celery, and with limits of its tasks."""
    return any("time_limit" in word for word in some) and speaks_of_celery(some)
