"""Which lock guards what, as the code says it: in comments, annotations and decorators."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.model.calls import argument
from flake8_concurrency.model.definitions import ClassInfo, FunctionInfo
from flake8_concurrency.model.guards import Access
from flake8_concurrency.model.lock_identity import LockIdentity
from flake8_concurrency.model.locks import called_name
from flake8_concurrency.model.spelling import last_name

if TYPE_CHECKING:
    from flake8_concurrency.model.bindings import Binding
    from flake8_concurrency.model.file import FileModel

#: `# guarded-by: _lock`, `# Protected by self._lock.`, `# GUARDED_BY(_lock)`
_COMMENT = re.compile(r"\b(?:guarded|protected)[-_ ]by\b[:(\s]*[`'\"]*(?:self\.|cls\.)?([^\W\d]\w*)", re.IGNORECASE)
_MARKER = re.compile(r"\bGuardedBy\(\s*['\"](\w+)['\"]\s*\)")
#: So many lines of comment above an assignment are read.
_LINES = 4


class Broken(NamedTuple):
    """A use of an attribute, or a call of a method, without the lock that its note names."""

    access: Access
    lock: str
    is_method: bool


class GuardNotes:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._notes: dict[ClassInfo, dict[str, str]] = {}

    def of(self, info: ClassInfo) -> dict[str, str]:
        """By attribute: the lock of the same object that guards it; by method: the one that its callers hold."""
        found = self._notes.get(info)
        if found is None:
            known = self._file.lock_regions.locks_of(info).items()
            locks = {name for name, lock in known if self._is_made(lock, info, name)}
            written = (*self._on_attributes(info), *self._on_methods(info))
            found = self._notes[info] = {name: lock for name, lock in written if lock in locks and name not in locks}
        return found

    def broken(self, info: ClassInfo) -> Iterator[Broken]:
        """The uses of a class's attributes that break a note; the first of each attribute in each method."""
        notes = self.of(info)
        seen: set[tuple[FunctionInfo, str]] = set()
        for name, accesses in self._file.guards.accesses(info).items() if notes else ():
            lock = notes.get(name)
            if lock is None:
                continue
            accepted = {lock, "*", *self._under(info, lock)}
            for access in accesses:
                key = (access.function, name)
                if key in seen or not access.held.isdisjoint(accepted) or notes.get(access.function.name) == lock:
                    continue
                if access.is_write or not self._is_looked_up_again(access, accepted):
                    seen.add(key)
                    yield Broken(access, lock, name in info.methods)

    def _is_made(self, lock: LockIdentity, info: ClassInfo, name: str) -> bool:
        """Whether a lock is one by its kind or its annotation, and not by its name alone."""
        declared = (binding.annotation for binding in info.attributes.get(name, ()))
        return self._file.lock_regions.kind(lock) is not None or any(one is not None for one in declared)

    # -- notes -------------------------------------------------------------------------------------------------------

    def _on_attributes(self, info: ClassInfo) -> Iterator[tuple[str, str]]:
        for table in (info.attributes, info.assigned):
            for name, bindings in table.items():
                for binding in bindings:
                    lock = self._marked(binding) or self._commented(binding.node)
                    if lock:
                        yield name, lock

    def _on_methods(self, info: ClassInfo) -> Iterator[tuple[str, str]]:
        for name, method in info.methods.items():
            for decorator in method.node.decorators:
                node = decorator.decorator
                if isinstance(node, cst.Call) and called_name(node) == "requires_lock":
                    yield name, _string(argument(node, 0, "lock"))

    def _marked(self, binding: Binding) -> str:
        """`Annotated[int, GuardedBy("_lock")]`, also as a string, and `guarded_by("_lock")`."""
        value = binding.value
        if isinstance(value, cst.Call) and called_name(value) == "guarded_by":
            return _string(argument(value, 0, "lock"))
        if binding.annotation is None:
            return ""
        found = _MARKER.search(self._file.tree.module.code_for_node(binding.annotation))
        return found[1] if found is not None else ""

    def _commented(self, node: cst.CSTNode) -> str:
        line = self._file.parent(node) if isinstance(node, cst.BaseSmallStatement) else node
        if not isinstance(line, cst.SimpleStatementLine):
            return ""
        above = [empty.comment.value for empty in line.leading_lines[-_LINES:] if empty.comment is not None]
        beside = line.trailing_whitespace.comment
        text = " ".join(part.lstrip("# ") for part in above)
        found = (None if beside is None else _COMMENT.search(beside.value)) or _COMMENT.search(text)
        return found[1] if found is not None else ""

    # -- locks -------------------------------------------------------------------------------------------------------

    def _under(self, info: ClassInfo, lock: str) -> Iterator[str]:
        """The lock that a condition was made with."""
        for binding in (*info.assigned.get(lock, ()), *info.attributes.get(lock, ())):
            value = binding.value
            if isinstance(value, cst.Call) and called_name(value) == "Condition":
                yield from (last_name(arg.value) for arg in value.args)

    def _is_looked_up_again(self, access: Access, accepted: set[str]) -> bool:
        """`if self.x is None:` `with self.lock:`: what is read once more under the lock, in the same method."""
        order = self._file.tree.order
        name = access.node.attr.value
        return any(
            one.node.attr.value == name
            and not one.is_write
            and order(one.node) > order(access.node)
            and not one.held.isdisjoint(accepted)
            for one in self._file.guards.of(access.function)
        )


def _string(node: cst.BaseExpression | None) -> str:
    value = node.evaluated_value if isinstance(node, cst.SimpleString) else None
    return value if isinstance(value, str) else ""
