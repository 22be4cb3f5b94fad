"""Calls of library functions whose result follows from their arguments in a way that no table can write down."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.model.calls import passes_unknown
from flake8_concurrency.model.facts import DICT, DONE, ITERATOR, NONE, POOL_FUTURE, SET, TUPLE, Kind, union
from flake8_concurrency.model.tree import COMPREHENSIONS

if TYPE_CHECKING:
    from flake8_concurrency.model.kinds import Kinds

#: Takes the call and its positional arguments.
_Special = Callable[[cst.Call, list[cst.BaseExpression]], Kind | None]


class SpecialCalls:
    """One method for each function, named after it."""

    def __init__(self, kinds: Kinds) -> None:
        self._kinds = kinds
        self._tree = kinds.tree
        self._definitions = kinds.definitions

    def named(self, name: str) -> _Special | None:
        """The method for a function, by its dotted name."""
        found: _Special | None = getattr(self, "_call_" + name.replace(".", "_"), None)
        return found

    def _call_builtins_next(self, node: cst.Call, arguments: list[cst.BaseExpression]) -> Kind | None:
        kinds = [self._kinds.element(self._kinds.of(arguments[0]))] if arguments else [None]
        kinds += [self._kinds.of(default) for default in arguments[1:2]]
        return union(tuple(kinds))

    def _call_builtins_enumerate(self, node: cst.Call, arguments: list[cst.BaseExpression]) -> Kind | None:
        inner = self._kinds.element(self._kinds.of(arguments[0])) if arguments else None
        return Kind(ITERATOR, (Kind(TUPLE, (Kind("builtins.int"), inner)),))

    def _call_builtins_zip(self, node: cst.Call, arguments: list[cst.BaseExpression]) -> Kind | None:
        inner = tuple(self._kinds.element(self._kinds.of(argument)) for argument in arguments)
        return Kind(ITERATOR, (Kind(TUPLE, inner),)) if len(inner) > 1 else Kind(ITERATOR)

    def _call_builtins_filter(self, node: cst.Call, arguments: list[cst.BaseExpression]) -> Kind | None:
        return Kind(ITERATOR, (self._kinds.element(self._kinds.of(arguments[1])),)) if len(arguments) == 2 else None

    def _call_builtins_map(self, node: cst.Call, arguments: list[cst.BaseExpression]) -> Kind | None:
        return Kind(ITERATOR, (self._kinds.result_of(arguments[0]),)) if arguments else None

    def _call_builtins_super(self, node: cst.Call, arguments: list[cst.BaseExpression]) -> Kind | None:
        scope = self._tree.scope_of(node)
        while isinstance(scope, COMPREHENSIONS):
            scope = self._tree.scope_of(scope)
        info = self._definitions.functions.get(scope)  # type: ignore[arg-type]
        if info is None or info.owner is None:
            return None
        bases = self._kinds.bases(info.owner)
        if not bases or bases[0] is None:
            return None
        return Kind("type", (bases[0],)) if info.is_classmethod else bases[0]

    def _call_builtins_type(self, node: cst.Call, arguments: list[cst.BaseExpression]) -> Kind | None:
        return Kind("type", (self._kinds.of(arguments[0]),)) if len(arguments) == 1 else None

    def _call_functools_partial(self, node: cst.Call, arguments: list[cst.BaseExpression]) -> Kind | None:
        return Kind("partial", (self._kinds.of(arguments[0]),), node) if arguments else None

    def _call_concurrent_futures_as_completed(self, node: cst.Call, arguments: list[cst.BaseExpression]) -> Kind | None:
        inner = self._kinds.element(self._kinds.of(arguments[0])) if arguments else None
        return Kind(ITERATOR, (_done(inner),))

    def _call_typing_cast(self, node: cst.Call, arguments: list[cst.BaseExpression]) -> Kind | None:
        if len(arguments) != 2:
            return None
        return self._kinds.annotated(arguments[0]) or self._kinds.of(arguments[1])

    def _call_itertools_chain(self, node: cst.Call, arguments: list[cst.BaseExpression]) -> Kind | None:
        if passes_unknown(node):
            return Kind(ITERATOR)
        return Kind(ITERATOR, (union(tuple(self._kinds.element(self._kinds.of(given)) for given in arguments)),))

    def _call_builtins_dict(self, node: cst.Call, arguments: list[cst.BaseExpression]) -> Kind | None:
        if not node.args:
            return Kind(DICT)
        given = self._kinds.of(arguments[0]) if arguments else None
        if given is None or len(node.args) > 1:
            return Kind(DICT, (None, None))
        if self._kinds.is_a(given, DICT):
            return given
        pair = self._kinds.element(given)
        is_pair = pair is not None and pair.name == TUPLE and len(pair.args) == 2
        return Kind(DICT, pair.args if pair is not None and is_pair else (None, None))

    def _call_collections_defaultdict(self, node: cst.Call, arguments: list[cst.BaseExpression]) -> Kind | None:
        made = self._kinds.result_of(arguments[0]) if arguments else NONE
        return Kind("collections.defaultdict", () if made == NONE else (None, made))

    def _call_contextlib_closing(self, node: cst.Call, arguments: list[cst.BaseExpression]) -> Kind | None:
        return Kind("contextlib.AbstractContextManager", (self._kinds.of(arguments[0]) if arguments else NONE,))

    _call_contextlib_nullcontext = _call_contextlib_aclosing = _call_contextlib_closing

    def _call_concurrent_futures_wait(self, node: cst.Call, arguments: list[cst.BaseExpression]) -> Kind | None:
        inner = self._kinds.element(self._kinds.of(arguments[0])) if arguments else None
        return Kind(TUPLE, (Kind(SET, (_done(inner),)), Kind(SET, (inner,))))

    def _call_asyncio_wait(self, node: cst.Call, arguments: list[cst.BaseExpression]) -> Kind | None:
        inner = self._kinds.element(self._kinds.of(arguments[0])) if arguments else None
        return Kind("awaitable", (Kind(TUPLE, (Kind(SET, (inner,)), Kind(SET, (inner,)))),))

    def _call_asyncio_create_task(self, node: cst.Call, arguments: list[cst.BaseExpression]) -> Kind | None:
        return Kind("asyncio.Task", (self._kinds.awaited(self._kinds.of(arguments[0])) if arguments else None,))

    _call_asyncio_ensure_future = _call_asyncio_create_task

    def _call_asyncio_to_thread(self, node: cst.Call, arguments: list[cst.BaseExpression]) -> Kind | None:
        return Kind("awaitable", (self._kinds.result_of(arguments[0]) if arguments else None,))

    _call_anyio_to_thread_run_sync = _call_asyncio_to_thread


def _done(kind: Kind | None) -> Kind | None:
    return Kind(kind.name, kind.args, DONE) if kind is not None and kind.name == POOL_FUTURE else kind
