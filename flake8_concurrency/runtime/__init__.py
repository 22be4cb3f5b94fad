"""The correct patterns of concurrent code, as code: what the messages of the linter advise.

The core (errors, pool, wait, aio, coalesce, guard, retry) needs nothing but Python; what needs a library lives in the
module of its name, and says which extra to install (MissingExtra). Every name here is imported when it is first used;
no import starts a thread. The names that the databases share (`claim_batch`, `locked`, ...) are those for SQLAlchemy;
Django's have the same names in `flake8_concurrency.runtime.django`.

Nothing of the linter is imported, so this works where flake8 is not installed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flake8_concurrency.runtime.aio import Offloader as Offloader
    from flake8_concurrency.runtime.aio import OffloadStats as OffloadStats
    from flake8_concurrency.runtime.aio import amap as amap
    from flake8_concurrency.runtime.aio import background as background
    from flake8_concurrency.runtime.aio import gather_bounded as gather_bounded
    from flake8_concurrency.runtime.aio import wait_all_async as wait_all_async
    from flake8_concurrency.runtime.celery import TaskQueues as TaskQueues
    from flake8_concurrency.runtime.coalesce import AsyncCoalescer as AsyncCoalescer
    from flake8_concurrency.runtime.coalesce import Coalescer as Coalescer
    from flake8_concurrency.runtime.coalesce import CoalescerStats as CoalescerStats
    from flake8_concurrency.runtime.coalesce import flush_on_signals as flush_on_signals
    from flake8_concurrency.runtime.coalesce import last_wins as last_wins
    from flake8_concurrency.runtime.errors import BacklogFull as BacklogFull
    from flake8_concurrency.runtime.errors import CoalescerClosed as CoalescerClosed
    from flake8_concurrency.runtime.errors import ConcurrencyError as ConcurrencyError
    from flake8_concurrency.runtime.errors import DeadlineExceeded as DeadlineExceeded
    from flake8_concurrency.runtime.errors import FlushFailed as FlushFailed
    from flake8_concurrency.runtime.errors import LeaseLost as LeaseLost
    from flake8_concurrency.runtime.errors import LockingUnsupported as LockingUnsupported
    from flake8_concurrency.runtime.errors import LockNotAvailable as LockNotAvailable
    from flake8_concurrency.runtime.errors import LockOrderError as LockOrderError
    from flake8_concurrency.runtime.errors import MissingExtra as MissingExtra
    from flake8_concurrency.runtime.errors import NestedSubmit as NestedSubmit
    from flake8_concurrency.runtime.errors import NotGuarded as NotGuarded
    from flake8_concurrency.runtime.errors import PoolClosed as PoolClosed
    from flake8_concurrency.runtime.errors import RetriesExhausted as RetriesExhausted
    from flake8_concurrency.runtime.errors import UnknownQueue as UnknownQueue
    from flake8_concurrency.runtime.errors import UnroutedTask as UnroutedTask
    from flake8_concurrency.runtime.errors import WorkCancelled as WorkCancelled
    from flake8_concurrency.runtime.guard import OwnedLock as OwnedLock
    from flake8_concurrency.runtime.guard import guarded as guarded
    from flake8_concurrency.runtime.guard import guarded_by as guarded_by
    from flake8_concurrency.runtime.guard import not_thread_safe as not_thread_safe
    from flake8_concurrency.runtime.guard import requires_lock as requires_lock
    from flake8_concurrency.runtime.guard import thread_safe as thread_safe
    from flake8_concurrency.runtime.pool import BoundedExecutor as BoundedExecutor
    from flake8_concurrency.runtime.pool import PoolStats as PoolStats
    from flake8_concurrency.runtime.pool import cancelled as cancelled
    from flake8_concurrency.runtime.pool import check_cancelled as check_cancelled
    from flake8_concurrency.runtime.redis import RedisCoalescer as RedisCoalescer
    from flake8_concurrency.runtime.redis import RedisGate as RedisGate
    from flake8_concurrency.runtime.retry import is_transient as is_transient
    from flake8_concurrency.runtime.retry import run_transaction as run_transaction
    from flake8_concurrency.runtime.retry import run_transaction_async as run_transaction_async
    from flake8_concurrency.runtime.sqlalchemy import Claim as Claim
    from flake8_concurrency.runtime.sqlalchemy import LeaseColumns as LeaseColumns
    from flake8_concurrency.runtime.sqlalchemy import claim_batch as claim_batch
    from flake8_concurrency.runtime.sqlalchemy import claim_batch_async as claim_batch_async
    from flake8_concurrency.runtime.sqlalchemy import claim_each as claim_each
    from flake8_concurrency.runtime.sqlalchemy import claim_each_async as claim_each_async
    from flake8_concurrency.runtime.sqlalchemy import complete as complete
    from flake8_concurrency.runtime.sqlalchemy import complete_async as complete_async
    from flake8_concurrency.runtime.sqlalchemy import extend as extend
    from flake8_concurrency.runtime.sqlalchemy import extend_async as extend_async
    from flake8_concurrency.runtime.sqlalchemy import lock_batch as lock_batch
    from flake8_concurrency.runtime.sqlalchemy import lock_batch_async as lock_batch_async
    from flake8_concurrency.runtime.sqlalchemy import locked as locked
    from flake8_concurrency.runtime.sqlalchemy import locked_async as locked_async
    from flake8_concurrency.runtime.sqlalchemy import release as release
    from flake8_concurrency.runtime.sqlalchemy import release_async as release_async
    from flake8_concurrency.runtime.sqlalchemy import update_if_stale as update_if_stale
    from flake8_concurrency.runtime.sqlalchemy import update_if_stale_async as update_if_stale_async
    from flake8_concurrency.runtime.wait import WaitReport as WaitReport
    from flake8_concurrency.runtime.wait import as_completed as as_completed
    from flake8_concurrency.runtime.wait import map_bounded as map_bounded
    from flake8_concurrency.runtime.wait import run_all as run_all
    from flake8_concurrency.runtime.wait import wait_all as wait_all

_MODULES = {
    "errors": """
        BacklogFull CoalescerClosed ConcurrencyError DeadlineExceeded FlushFailed LeaseLost LockNotAvailable
        LockOrderError LockingUnsupported MissingExtra NestedSubmit NotGuarded PoolClosed RetriesExhausted
        UnknownQueue UnroutedTask WorkCancelled
    """,
    "pool": """
        BoundedExecutor PoolStats cancelled check_cancelled
    """,
    "wait": """
        WaitReport as_completed map_bounded run_all wait_all
    """,
    "aio": """
        OffloadStats Offloader amap background gather_bounded wait_all_async
    """,
    "coalesce": """
        AsyncCoalescer Coalescer CoalescerStats flush_on_signals last_wins
    """,
    "guard": """
        OwnedLock guarded guarded_by not_thread_safe requires_lock thread_safe
    """,
    "retry": """
        is_transient run_transaction run_transaction_async
    """,
    "sqlalchemy": """
        Claim LeaseColumns claim_batch claim_batch_async claim_each claim_each_async complete complete_async
        extend extend_async lock_batch lock_batch_async locked locked_async release release_async
        update_if_stale update_if_stale_async
    """,
    "redis": """
        RedisCoalescer RedisGate
    """,
    "celery": """
        TaskQueues
    """,
    "django": "",
    "testing": "",
}
#: The module that has each name.
_HOMES = {name: module for module, names in _MODULES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    """Import what is asked for: a module, or a name out of one. Raises MissingExtra where a library is missing."""
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES, *_HOMES})
