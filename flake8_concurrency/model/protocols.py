"""What `for`, `with` and `await` get out of a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flake8_concurrency.model.facts import ASYNC_ITERATOR, DICT, ITERATOR, LIST, SET, TUPLE, UNDECIDED, Kind, union

if TYPE_CHECKING:
    from flake8_concurrency.model.kinds import Kinds


class Protocols:
    """Follows the methods that Python calls for a statement."""

    def __init__(self, kinds: Kinds) -> None:
        self._kinds = kinds

    def element(self, kind: Kind | None, is_async: bool = False) -> Kind | None:
        """What iterating over a value gives."""
        if kind is None or kind is UNDECIDED:
            return kind
        if kind.name == "union":
            return union(tuple(self.element(part, is_async) for part in kind.args))
        if kind.name == TUPLE and len(kind.args) > 1:
            return union(kind.args)
        if kind.name in (LIST, SET, TUPLE, DICT, ITERATOR, ASYNC_ITERATOR):
            return kind.args[0] if kind.args else None
        given = self._kinds.gives(kind, "__aiter__" if is_async else "__iter__")
        if given is None or given is UNDECIDED:
            return given
        if given != kind and given.name.startswith("collections.abc."):
            return given.args[0] if given.args else None
        following = self._kinds.gives(given, "__anext__" if is_async else "__next__")
        return self.awaited(following) if is_async else following

    def entered(self, kind: Kind | None, is_async: bool = False) -> Kind | None:
        """What `with` (or `async with`) binds for a context manager."""
        if kind is None or kind is UNDECIDED:
            return kind
        if kind.name == "union":
            return union(tuple(self.entered(part, is_async) for part in kind.args))
        if kind.name in ("contextlib.AbstractContextManager", "contextlib.AbstractAsyncContextManager"):
            return kind.args[0] if kind.args else None
        given = self._kinds.gives(kind, "__aenter__" if is_async else "__enter__")
        return self.awaited(given) if is_async else given

    def awaited(self, kind: Kind | None) -> Kind | None:
        """What awaiting a value gives."""
        if kind is None or kind is UNDECIDED:
            return kind
        if kind.name in ("awaitable", "asyncio.Task", "asyncio.Future"):
            return kind.args[0] if kind.args else None
        if kind.name == "union":
            return union(tuple(self.awaited(part) for part in kind.args))
        given = self._kinds.gives(kind, "__await__")
        return given.args[-1] if given is not None and given.args else None
