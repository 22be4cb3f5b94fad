"""What a class promises to threads, and whether it keeps it."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.model.definitions import ClassInfo
from flake8_concurrency.model.facts import Kind
from flake8_concurrency.model.guards import Access
from flake8_concurrency.model.locks import called_name
from flake8_concurrency.model.spelling import last_name

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

#: Words one of which stands in every text with a claim.
CLAIMING = frozenset("safe Safe SAFE safely safety threadsafe Threadsafe ThreadSafe THREADSAFE".split())
_CLAIM = re.compile(
    r"\bthread[-\s]?safe(?:ly)?\b|\bsafe\s+(?:to\s+(?:use|call|share)|for\s+use|for\s+concurrent\s+use)\s+"
    r"(?:it\s+)?(?:from|by|in|across|between)\s+(?:multiple|several|different|many|concurrent|all)?\s*threads\b",
    re.IGNORECASE,
)
#: A sentence with one of these says something else, or says it of something else.
_DENIAL = re.compile(
    r"\b(?:not|never|no|non|neither|nor|isn|aren|unless|todo|fixme|assum\w+|must|should|require\w*|needs?|if|when"
    r"|without|make|makes|but|only|read|reads|reading|except|once|while|underlying|caller\w*|however)\b|n't\b|\bnon-",
    re.IGNORECASE,
)
#: A line about an attribute or a parameter: `_lock (threading.Lock): Lock for thread-safe access.`, `:ivar lock: …`.
_PARTICULAR = re.compile(
    r"^[ \t]*(?::\w+[ \t]+\w+:|(?!note\b|thread_?safe\b)[a-z_]\w*[ \t]*(?:\([^)\n]*\))?[ \t]*:)[ \t].*$", re.MULTILINE
)
_SENTENCE = re.compile(r"(?<=[.!?:;])\s+|\n\s*\n|\n\s*[-*]\s")
_SPEAKS = re.compile(r"thread|lock|concurren|parallel|race|synchroni[sz]", re.IGNORECASE)
#: Decorators of our own that say it.
_DECORATORS = frozenset({"thread_safe", "not_thread_safe"})
_MAKING = ("threading.", "concurrent.futures.", "multiprocessing.pool.")


class Breach(NamedTuple):
    """A change of an attribute that two threads may make at once, in a class that says it is thread-safe."""

    access: Access
    claim: str


class ThreadPromises:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._tree = file.tree

    def breaches(self, info: ClassInfo) -> Iterator[Breach]:
        """What breaks the promise of a class: the first of each attribute."""
        claim = claimed(info.node.get_docstring() or "")
        for accesses in self._file.guards.accesses(info).values() if claim else ():
            if self._file.guards.is_safe(accesses):
                continue
            for access in accesses:
                if access.is_write and self._is_racy(access) and not self._is_held(access):
                    yield Breach(access, claim)
                    break

    def _is_held(self, access: Access) -> bool:
        return bool(
            access.held
            or self._file.lock_regions.held_at(access.node)
            or self._file.sections.encloses(access.node, access.node)
        )

    def _is_racy(self, access: Access) -> bool:
        """Whether a write takes several steps, and does so in the midst of the object's life."""
        if not self._file.guards.is_entered_bare(access.function):
            return False
        current: cst.CSTNode = access.node
        parent = self._file.parent(current)
        while isinstance(parent, cst.Subscript) and parent.value is current:
            current, parent = parent, self._file.parent(parent)
        if isinstance(parent, cst.AugAssign):
            return True
        # `if self.x: self.x = None` gives back what it has.
        statement = self._file.parent(parent) if isinstance(parent, cst.AssignTarget) else None
        is_end = isinstance(statement, cst.Assign) and last_name(statement.value) in ("None", "False")
        return not is_end and not self._is_settling(statement, access) and self._file.guards.is_tested(access)

    def _is_settling(self, statement: cst.CSTNode | None, access: Access) -> bool:
        """`self.path = os.path.expanduser(self.path)`: whoever does it, and how often, it comes to the same."""
        match statement:
            case cst.Assign(value=cst.Call(args=[cst.Arg(value=cst.Attribute() as given)]) as call):
                name = self._file.qualified(call.func) or ""
                return name.startswith("os.path.") and given.deep_equals(access.node)
        return False

    # -- what is not said ----------------------------------------------------------------------------------------------

    def owns(self, info: ClassInfo) -> str:
        """What a class has to do with threads, as a message says it; empty where it has nothing."""
        locks = self._file.guards.locks(info)
        if locks:
            return f"has a lock (self.{min(locks)})"
        if self._file.kinds.is_a(Kind("instance", ref=info), "threading.Thread"):
            return "is a thread"
        for node in self._tree.within(info.node.body):
            name = self._file.qualified(node.func) if isinstance(node, cst.Call) else None
            if name is not None and name.startswith(_MAKING) and name.endswith(("Thread", "Timer", "Pool", "Executor")):
                return f"starts threads ({name})"
        return ""

    def is_silent(self, info: ClassInfo) -> bool:
        """Whether a class has a docstring that says nothing about threads, nor does a decorator."""
        docstring = info.node.get_docstring()
        decorators = (decorator.decorator for decorator in info.node.decorators)
        named = {called_name(node) if isinstance(node, cst.Call) else last_name(node) for node in decorators}
        return bool(docstring) and _DECORATORS.isdisjoint(named) and not _SPEAKS.search(docstring or "")

    def guarded(self, info: ClassInfo) -> dict[str, str]:
        """By attribute: the lock that guards it by use, where no note says so."""
        notes = self._file.guard_notes.of(info)
        return {name: lock for name, lock in self._file.guards.guarded(info).items() if name not in notes}


def claimed(docstring: str) -> str:
    """The words by which a docstring claims to be safe for threads; empty where it doesn't, or denies it."""
    for sentence in _SENTENCE.split(_PARTICULAR.sub("", docstring)):
        found = _CLAIM.search(sentence)
        if found is not None and not _DENIAL.search(sentence):
            return " ".join(found[0].split())
    return ""


# -- what the gate asks ------------------------------------------------------------------------------------------------


def asks_claim(root: ast.AST) -> Collection[str]:
    """A claim, where a class makes one."""
    is_claim = isinstance(root, ast.ClassDef) and claimed(ast.get_docstring(root) or "")
    return {"claim"} if is_claim else ()


def answers_claim(root: ast.AST, anchors: Collection[str]) -> Collection[str]:
    """A claim, where a piece of the text makes one."""
    del anchors
    return asks_claim(root)
