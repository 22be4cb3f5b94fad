"""CNC105 dropped-future."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.spelling import dotted
from flake8_concurrency.rule import Gate, Rule

_GROWING = frozenset({"append", "appendleft", "add", "insert"})
_BROAD = frozenset({"Exception", "BaseException"})
_CONTEXT_RUN = "contextvars.Context.run"
#: Calls without arguments that cannot fail, by their last name: clocks, flags, and who is running.
_SAFE_CALLS = frozenset(
    """time monotonic perf_counter process_time now utcnow get_ident current_thread uuid4 copy_context is_set locked
    empty is_alive""".split()
)


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

        from concurrent.futures import ThreadPoolExecutor, as_completed

        def index_all(documents):
            with ThreadPoolExecutor(max_workers=4) as executor:
                futures = [executor.submit(index, document) for document in documents]
                for future in as_completed(futures, timeout=60):
                    future.result()

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
        if not self.file.futures.is_submit(node) or self.file.offloads.hands_over_nothing(node):
            return
        if self._is_dropped(node) and not self._catches_everything(node):
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

    # -- work that has nothing to tell -------------------------------------------------------------------------------

    def _catches_everything(self, submit: cst.Call) -> bool:
        """Whether the work is a function of this file that lets no exception out."""
        work = self._work(submit)
        kind = self.file.kind(work)
        while kind is not None and kind.name == "partial":
            kind = kind.args[0]
        if kind is not None and isinstance(kind.ref, FunctionInfo):
            return _swallows(kind.ref.node.body)
        if kind is None and isinstance(work, cst.Attribute):
            return self._only_method_swallows(work.attr.value)
        return False

    def _work(self, call: cst.Call) -> cst.BaseExpression | None:
        """What a call is given to run; `context.run` and `partial` only hand it on."""
        given = [arg.value for arg in call.args if arg.keyword is None and not arg.star]
        work = given[0] if given else None
        while work is not None:
            if isinstance(work, cst.Call) and self.file.qualified(work.func) == "functools.partial" and work.args:
                given = [*(arg.value for arg in work.args if arg.keyword is None and not arg.star), *given[1:]]
            elif _CONTEXT_RUN in self.file.functions.table_names(work):
                given = given[1:]
            else:
                return work
            work = given[0] if given else None
        return None

    def _only_method_swallows(self, name: str) -> bool:
        """Whether all methods of the file that a method of this name may be catch everything: a reason to be silent."""
        methods = [info.methods[name] for info in self.file.definitions.classes.values() if name in info.methods]
        return bool(methods) and all(_swallows(method.node.body) for method in methods)


def _swallows(block: cst.CSTNode) -> bool:
    """Whether everything in a block that may raise stands in a `try` that catches all."""
    if not isinstance(block, cst.IndentedBlock):
        return False
    risky = [statement for statement in block.body if not _is_harmless(statement)]
    return bool(risky) and all(_catches_all(statement) for statement in risky)


def _is_harmless(statement: cst.BaseStatement) -> bool:
    """Whether a statement does nothing that could fail: docstrings, plain assignments, declarations, logging.

    So does a `with lock:` or an `if` of plain parts with nothing else in it.
    """
    match statement:
        case cst.SimpleStatementLine():
            return all(_is_harmless_part(small) for small in statement.body)
        case cst.With(asynchronous=None, items=items, body=cst.IndentedBlock(body=body)):
            entered = [item.item for item in items]
            return all(isinstance(item, cst.Name | cst.Attribute) for item in entered) and all(map(_is_harmless, body))
        case cst.If(test=test, body=cst.IndentedBlock(body=body), orelse=None):
            return _is_plain(test) and all(map(_is_harmless, body))
    return False


def _is_harmless_part(small: cst.BaseSmallStatement) -> bool:
    match small:
        case (
            cst.Pass() | cst.Global() | cst.Nonlocal() | cst.Break() | cst.Continue() | cst.Import() | cst.ImportFrom()
        ):
            return True
        case cst.Return(value=None):
            return True
        case cst.Return(value=value) | cst.Assign(value=value) | cst.AnnAssign(value=value) | cst.Expr(value=value):
            return value is None or _is_plain(value)
        case cst.AugAssign(value=value):
            return isinstance(value, cst.BaseNumber)
    return False


def _is_plain(value: cst.BaseExpression) -> bool:
    match value:
        case cst.Call(func=func, args=args):
            name = dotted(func)
            is_logging = isinstance(func, cst.Attribute) and "log" in dotted(func.value).lower()
            return is_logging or (not args and name.rpartition(".")[2] in _SAFE_CALLS)
        case cst.UnaryOperation(operator=cst.Not(), expression=inner):
            return _is_plain(inner)
        case cst.BooleanOperation(left=left, right=right):
            return _is_plain(left) and _is_plain(right)
        case cst.Comparison(left=left, comparisons=[cst.ComparisonTarget(operator=operator, comparator=other)]):
            surely = isinstance(operator, cst.Is | cst.IsNot | cst.Equal | cst.NotEqual | cst.In | cst.NotIn)
            return surely and _is_plain(left) and _is_plain(other)
    return isinstance(
        value, cst.Name | cst.Attribute | cst.BaseNumber | cst.BaseString | cst.List | cst.Tuple | cst.Dict
    )


def _catches_all(statement: cst.CSTNode) -> bool:
    match statement:
        case cst.Try(handlers=handlers):
            return any(_is_broad(handler) and not _raises(handler.body) for handler in handlers)
        case cst.With(body=body) | cst.While(body=body):
            return _swallows(body)
    return False


def _is_broad(handler: cst.ExceptHandler) -> bool:
    caught = handler.type
    if isinstance(caught, cst.Tuple):
        return any(dotted(element.value) in _BROAD for element in caught.elements)
    return caught is None or dotted(caught) in _BROAD


def _raises(node: cst.CSTNode) -> bool:
    if isinstance(node, cst.Raise):
        return True
    return not isinstance(node, cst.FunctionDef | cst.Lambda) and any(_raises(child) for child in node.children)
