"""CNC113 stored-executor-never-shut-down."""

from __future__ import annotations

import re

import libcst as cst

from flake8_concurrency.model.definitions import ClassInfo
from flake8_concurrency.model.executors import CONSTRUCTORS, PACKAGES
from flake8_concurrency.rule import Gate, Rule

#: Attributes of an executor that use it and leave it to somebody else to end it.
_USES = frozenset(
    "submit map apply apply_async map_async imap imap_unordered starmap starmap_async _max_workers _work_queue".split()
)


class StoredExecutorNeverShutDown(Rule):
    """A class keeps an executor or pool in an attribute, and no method of it ends the workers.

    Every object of the class leaves its threads or processes behind when it is done; the interpreter waits for all of
    them before it exits.

    Bad:

        from concurrent.futures import ThreadPoolExecutor

        class Sender:
            def __init__(self):
                self._executor = ThreadPoolExecutor(max_workers=2)

            def send(self, message):
                return self._executor.submit(deliver, message)

    Good:

        from concurrent.futures import ThreadPoolExecutor

        class Sender:
            def __init__(self):
                self._executor = ThreadPoolExecutor(max_workers=2)

            def send(self, message):
                return self._executor.submit(deliver, message)

            def close(self):
                self._executor.shutdown(cancel_futures=True)

    Good:

        from flake8_concurrency.runtime import BoundedExecutor

        class Sender:
            def __init__(self):
                self._executor = BoundedExecutor(max_workers=2, max_pending=100, submit_timeout=30)

            def send(self, message):
                return self._executor.submit(deliver, message)

            def close(self):
                return self._executor.shutdown(cancel_futures=True, timeout=10)

    Known limits:
        Opt-in, because an object that lives as long as its process may leave it to the exit. An executor that is handed
        to anybody, or read from outside the class in this file, is silent.
    """

    code = "CNC113"
    name = "stored-executor-never-shut-down"
    message = (
        "no method of {owner} shuts {attribute} down: each object leaves its workers behind; give it a close(), or use "
        "flake8_concurrency.runtime.BoundedExecutor in a `with`"
    )
    # Anything in the file may end it.
    gate = Gate(anchors=CONSTRUCTORS, context=(PACKAGES,), keeps=re.compile(""))
    enabled = False

    def visit_Call(self, node: cst.Call) -> None:
        made = self.file.executors.construction(node)
        if made is None:
            return
        match self.file.parent(node):
            case cst.Assign(targets=[cst.AssignTarget(target=cst.Attribute() as target)]):
                self._check(node, target)
            case cst.AnnAssign(target=cst.Attribute() as target):
                self._check(node, target)

    def _check(self, node: cst.Call, target: cst.Attribute) -> None:
        function = self.file.function_of(node)
        owner = None if function is None else function.owner
        if function is None or owner is None or not isinstance(target.value, cst.Name):
            return
        if target.value.value == function.this and not self._may_end(owner, target.attr.value):
            self.report(node, owner=owner.name, attribute=f"self.{target.attr.value}")

    def _may_end(self, owner: ClassInfo, name: str) -> bool:
        """Whether anything in the file does more with the attribute than giving it work."""
        return any(
            isinstance(node, cst.Attribute) and node.attr.value == name and not self._is_use(node)
            for node in self.file.tree.nodes
        ) or any(method in owner.methods for method in ("__getattr__", "__getattribute__"))

    def _is_use(self, attribute: cst.Attribute) -> bool:
        match self.file.parent(attribute):
            case cst.AssignTarget():
                return True
            case cst.AnnAssign() as parent:
                return parent.target is attribute
            case cst.Attribute(attr=cst.Name(value=used)):
                return used in _USES
            case cst.If() | cst.UnaryOperation() | cst.Comparison():
                return True
        return False
