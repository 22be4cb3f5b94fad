"""CNC103 executor-never-shut-down."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.executors import CONSTRUCTORS, PACKAGES
from flake8_concurrency.model.spelling import dotted
from flake8_concurrency.rule import Gate, Rule

#: Attributes of an executor that use it and leave it to somebody else to end it.
_USES = frozenset(
    """submit map apply apply_async map_async imap imap_unordered starmap starmap_async _max_workers _work_queue
    _processes""".split()
)


class ExecutorNeverShutDown(Rule):
    """A function makes an executor or pool for itself and never ends it.

    When its workers end is left to the garbage collector (those of a multiprocessing pool may then be stopped in the
    middle of their work, or stay for ever), nobody waits for work that is still running, every further call starts new
    workers, and the interpreter waits for all of them before it exits.

    Bad:

        from concurrent.futures import ThreadPoolExecutor

        def send_all(messages):
            executor = ThreadPoolExecutor(max_workers=4)
            return list(executor.map(send, messages, timeout=60))

    Good:

        from concurrent.futures import ThreadPoolExecutor

        def send_all(messages):
            with ThreadPoolExecutor(max_workers=4) as executor:
                return list(executor.map(send, messages, timeout=60))

    Good:

        from flake8_concurrency.runtime import BoundedExecutor

        class Mailer:
            def __init__(self):
                self._pool = BoundedExecutor(max_workers=4, max_pending=1000, submit_timeout=5)

            def send(self, message):
                return self._pool.submit(send, message)

            def close(self):
                return self._pool.shutdown(timeout=30)

    Known limits:
        Only executors that stay in the function are reported: one that is returned, stored, passed to another function
        or used by a nested function may be ended there.
    """

    code = "CNC103"
    name = "executor-never-shut-down"
    message = (
        "{executor} is never shut down: when its workers end is left to the garbage collector, and nobody waits for "
        "work that is still running; "
        "use it in a `with` block, or as long-lived pool flake8_concurrency.runtime.BoundedExecutor"
    )
    gate = Gate(anchors=CONSTRUCTORS, context=(PACKAGES,))

    def visit_Call(self, node: cst.Call) -> None:
        made = self.file.executors.construction(node)
        if made is None or self._is_super_init(node):
            return
        function = self.file.function_of(node)
        if function is not None and self._stays(node, function.node):
            self.report(node, executor=made.name)

    @staticmethod
    def _is_super_init(node: cst.Call) -> bool:
        return isinstance(node.func, cst.Attribute) and node.func.attr.value == "__init__"

    def _stays(self, value: cst.BaseExpression, function: cst.FunctionDef) -> bool:
        """Whether the executor that an expression gives is only used, and only here."""
        parent = self.file.parent(value)
        match parent:
            case cst.Attribute(attr=cst.Name(value=used)):
                return used in _USES
            case cst.IfExp() if value is not parent.test:
                return self._stays(parent, function)
            case cst.NamedExpr(target=cst.Name() as target):
                return self._stays(parent, function) and self._variable_stays(target, function)
            case cst.AnnAssign(target=cst.Name() as target):
                return self._variable_stays(target, function)
            case cst.Assign(targets=[cst.AssignTarget(target=cst.Name() as target)]):
                return self._variable_stays(target, function)
            case cst.Expr():
                return not self._is_expected_to_raise(parent)
            case cst.Arg():
                return self._is_lent(parent)
            case cst.If() | cst.IfExp() | cst.UnaryOperation() | cst.Comparison() | cst.ComparisonTarget():
                return True
        return False

    def _is_expected_to_raise(self, node: cst.CSTNode) -> bool:
        """Whether a statement stands in `with pytest.raises(…):`."""
        return any(
            isinstance(item.item, cst.Call) and dotted(item.item.func).lower().endswith("raises")
            for around in self.file.ancestors(node)
            if isinstance(around, cst.With)
            for item in around.items
        )

    def _variable_stays(self, target: cst.Name, function: cst.FunctionDef) -> bool:
        tree, names = self.file.tree, self.file.names
        scope = tree.scope_of(target)
        home = names.home(target.value, scope)
        if home is not function:
            return False
        for node in tree.within(function.body):
            if isinstance(node, cst.Name) and node.value == target.value and not self._is_name_of_other(node):
                place = tree.scope_of(node)
                if names.home(node.value, place) is not home:
                    continue
                if self.file.function_of(node) is not self.file.function_of(target):
                    return False
                if not self._is_bound(node) and not self._stays(node, function):
                    return False
        return True

    def _is_bound(self, node: cst.Name) -> bool:
        """Whether a name stands where it is assigned or deleted."""
        match self.file.parent(node):
            case cst.AssignTarget() | cst.Del():
                return True
            case (cst.AnnAssign() | cst.NamedExpr()) as parent:
                return parent.target is node
        return False

    def _is_name_of_other(self, node: cst.Name) -> bool:
        """Whether a name is that of an attribute or of a keyword argument."""
        match self.file.parent(node):
            case cst.Attribute() as parent:
                return parent.attr is node
            case cst.Arg() as parent:
                return parent.keyword is node
        return False

    def _is_lent(self, arg: cst.Arg) -> bool:
        """Whether an executor is only passed to the loop to run something in it."""
        call = self.file.parent(arg)
        func = call.func if isinstance(call, cst.Call) else None
        return isinstance(func, cst.Attribute) and func.attr.value == "run_in_executor"
