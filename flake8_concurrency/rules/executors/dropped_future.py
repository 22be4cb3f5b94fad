"""CNC105 dropped-future."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.rule import Gate, Rule

_GROWING = frozenset({"append", "appendleft", "add", "insert"})


class DroppedFuture(Rule):
    """The future that `submit` gives is dropped, and with it the outcome of the work.

    An exception in the work is kept in the future and nowhere else: nothing is logged, nothing is raised, the work is
    simply not done and nobody finds out.

    Bad:

        from concurrent.futures import ThreadPoolExecutor

        def index_all(documents):
            with ThreadPoolExecutor(max_workers=4) as executor:
                for document in documents:
                    executor.submit(index, document)

    Good:

        from concurrent.futures import ThreadPoolExecutor

        def index_all(documents):
            with ThreadPoolExecutor(max_workers=4) as executor:
                futures = [executor.submit(index, document) for document in documents]
            return [future.result() for future in futures]

    Good:

        from functools import partial

        from flake8_concurrency.runtime import run_all

        def index_all(documents):
            run_all((partial(index, document) for document in documents), max_workers=4, timeout=60)

    Known limits:
        A future that is stored in an attribute or in somebody else's collection counts as read. Work of the file that
        catches every exception itself may be dropped.
    """

    code = "CNC105"
    name = "dropped-future"
    message = (
        "nobody reads the future of {call}: an exception in the work vanishes; keep it and ask for its result(), "
        "or add_done_callback(...), or use flake8_concurrency.runtime.run_all, which raises it"
    )
    gate = Gate(anchors=frozenset({"submit"}), context=(frozenset({"concurrent"}),))
    quiet = True

    def visit_Call(self, node: cst.Call) -> None:
        if (
            self.file.futures.is_submit(node)
            and self._is_dropped(node)
            and not self.file.works.catches_everything(node)
        ):
            self.report(node, call=f"{self.file.tree.module.code_for_node(node.func)}(...)")

    # -- where the future goes ---------------------------------------------------------------------------------------

    def _is_dropped(self, value: cst.CSTNode) -> bool:
        parent = self.file.parent(value)
        match parent:
            case cst.Expr():
                return True
            case cst.Element() | cst.List() | cst.Set() | cst.Tuple() | cst.ListComp() | cst.SetComp():
                return self._is_dropped(parent)
            case cst.DictElement() | cst.Dict() | cst.DictComp():
                return self._is_dropped(parent)
            case cst.IfExp() if value is not parent.test:
                return self._is_dropped(parent)
            case cst.BooleanOperation() if value is parent.right:
                return self._is_dropped(parent)
            case cst.Assign(targets=[cst.AssignTarget(target=target)]):
                return self._is_target_unread(target)
            case cst.AnnAssign(target=target) | cst.AugAssign(target=target):
                return self._is_target_unread(target)
            case cst.Arg():
                return self._is_put_away(parent)
        return False

    def _is_put_away(self, arg: cst.Arg) -> bool:
        """Whether a future is put into a local collection that nobody reads."""
        call = self.file.parent(arg)
        match call:
            case cst.Call(func=cst.Attribute(value=cst.Name() as container, attr=cst.Name(value=method))):
                is_growth = method in _GROWING and isinstance(self.file.parent(call), cst.Expr)
                return is_growth and self._is_unread(container)
        return False

    def _is_target_unread(self, target: cst.BaseExpression) -> bool:
        if isinstance(target, cst.Subscript):
            target = target.value
        return isinstance(target, cst.Name) and self._is_unread(target)

    def _is_unread(self, variable: cst.Name) -> bool:
        """Whether a local variable that was made here is only filled and never read."""
        tree, names = self.file.tree, self.file.names
        home = names.home(variable.value, tree.scope_of(variable))
        if not isinstance(home, cst.FunctionDef):
            return False
        if any(binding.how not in ("assign", "augmented") for binding in names.all_bindings(variable.value, home)):
            return False
        return not any(
            isinstance(node, cst.Name)
            and node.value == variable.value
            and self._is_read(node)
            and names.home(node.value, tree.scope_of(node)) is home
            for node in tree.within(home.body)
        )

    def _is_read(self, node: cst.Name) -> bool:
        parent = self.file.parent(node)
        match parent:
            case cst.AssignTarget() | cst.Del():
                return False
            case cst.Element() | cst.StarredElement():
                return not self._is_unpacked_into(parent)
            case cst.AnnAssign() | cst.AugAssign():
                return parent.target is not node
            case cst.Attribute():
                return parent.value is node and not self._is_growth(parent)
            case cst.Subscript():
                return not (parent.value is node and isinstance(self.file.parent(parent), cst.AssignTarget))
            case cst.Arg():
                # What is put into a collection is read where the collection is.
                return parent.keyword is not node and not self._is_put_away(parent)
        return True

    def _is_unpacked_into(self, node: cst.CSTNode) -> bool:
        """Whether a part of a tuple is assigned to: `kept, lost = [], []`."""
        while isinstance(node, cst.BaseElement | cst.Tuple | cst.List):
            node = self.file.parent(node)
        return isinstance(node, cst.AssignTarget)

    def _is_growth(self, attribute: cst.Attribute) -> bool:
        call = self.file.parent(attribute)
        return attribute.attr.value in _GROWING and isinstance(self.file.parent(call), cst.Expr)
