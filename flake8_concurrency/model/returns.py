"""What the file's own functions give: by their annotation, or by what they return and yield."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.facts import ASYNC_ITERATOR, ITERATOR, NONE, Kind, union

if TYPE_CHECKING:
    from flake8_concurrency.model.kinds import Kinds

#: Decorators that leave what a function returns as it is.
_TRANSPARENT = frozenset(
    """staticmethod classmethod property cached_property lru_cache cache wraps abstractmethod override final overload
    inject hybrid_property deprecated retry synchronized no_type_check singledispatch beartype typechecked validate_call
    log_call callback setter getter asynccontextmanager contextmanager""".split()
)


class Returns:
    """What the functions of one file give."""

    def __init__(self, kinds: Kinds) -> None:
        self._kinds = kinds
        self._memo = kinds.memo

    def of(self, info: FunctionInfo, receiver: Kind | None = None) -> Kind | None:
        """What calling a function of the file gives."""
        kind = self._memo.find(info, lambda: self._return_kind(info))
        if receiver is not None and info.owner is not None and kind is not None:
            this = receiver.args[0] if receiver.name == "type" else receiver
            own = Kind("instance", ref=info.owner)
            if this is not None and this.ref is not info.owner and self._gives_receiver(info):
                if kind == Kind("awaitable", (own,)):
                    return Kind("awaitable", (this,))
                return this if kind == own else kind
        return kind

    def _gives_receiver(self, info: FunctionInfo) -> bool:
        """Whether a method gives its own object, or a new one of its own class, whatever class that is."""
        written = info.node.returns.annotation if info.node.returns is not None else None
        if isinstance(written, cst.SimpleString):
            return written.raw_value.rpartition(".")[2] == "Self"
        if written is not None and self._kinds.symbol_name(written) == "typing.Self":
            return True
        values = [node.value for node in info.own if isinstance(node, cst.Return)]
        made = [value.func if isinstance(value, cst.Call) and info.is_classmethod else value for value in values]
        return bool(made) and all(isinstance(value, cst.Name) and value.value == info.this for value in made)

    def _return_kind(self, info: FunctionInfo) -> Kind | None:
        managed = info.decorator_names & {"contextmanager", "asynccontextmanager"}
        if info.node.returns is not None:
            kind = self._kinds.annotated(info.node.returns.annotation)
            if managed:
                return self._manager(managed, None if kind is None or not kind.args else kind.args[0])
        elif managed:
            return self._manager(managed, self._yielded(info))
        elif not info.decorator_names <= _TRANSPARENT:
            return None
        elif info.is_generator:
            return Kind(ASYNC_ITERATOR if info.is_async else ITERATOR, (self._yielded(info),))
        else:
            kind = self._inferred(info)
        if info.is_async and not info.is_generator:
            return Kind("awaitable", (kind,))
        return kind

    @staticmethod
    def _manager(managed: frozenset[str], kind: Kind | None) -> Kind:
        is_async = "asynccontextmanager" in managed
        return Kind(f"contextlib.Abstract{'Async' if is_async else ''}ContextManager", (kind,))

    def _yielded(self, info: FunctionInfo) -> Kind | None:
        values = [node.value for node in info.own if isinstance(node, cst.Yield)]
        return union(tuple(self._sent(value) for value in values))

    def _sent(self, value: cst.BaseExpression | cst.From | None) -> Kind | None:
        if isinstance(value, cst.From):
            return self._kinds.element(self._kinds.of(value.item))
        return self._kinds.of(value)

    def _inferred(self, info: FunctionInfo) -> Kind | None:
        values = [node.value for node in info.own if isinstance(node, cst.Return)]
        if not values:
            return NONE
        return union(tuple(NONE if value is None else self._kinds.of(value) for value in values))
