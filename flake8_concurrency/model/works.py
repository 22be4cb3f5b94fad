"""What an executor is given to run, and whether it lets an exception out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.handlers import caught
from flake8_concurrency.model.locks import words
from flake8_concurrency.model.spelling import dotted

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_BROAD = frozenset({"Exception", "BaseException"})
_CONTEXT_RUN = "contextvars.Context.run"
_CONTEXTS = frozenset({"context", "ctx"})
#: Calls without arguments that cannot fail, by their last name: clocks, flags, and who is running.
_SAFE_CALLS = frozenset(
    """time monotonic perf_counter process_time now utcnow get_ident current_thread uuid4 copy_context is_set locked
    empty is_alive done cancelled""".split()
)


class Works:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    def catches_everything(self, submit: cst.Call) -> bool:
        """Whether the work is a function of this file that lets no exception out."""
        function = self.function(submit)
        if function is not None:
            return _swallows(function.node.body)
        work = self.of(submit)
        if self._only_sleeps(work):
            return True
        if isinstance(work, cst.Attribute) and self._file.kind(work) is None:
            return self._only_method_swallows(work.attr.value)
        return False

    def function(self, submit: cst.Call) -> FunctionInfo | None:
        """The function of this file that a call is given to run."""
        return self._file.functions.handed(self.of(submit))

    def of(self, call: cst.Call) -> cst.BaseExpression | None:
        """What a call is given to run; `context.run` and `partial` only hand it on."""
        given = [arg.value for arg in call.args if arg.keyword is None and not arg.star]
        work = given[0] if given else None
        while work is not None:
            if isinstance(work, cst.Call) and self._file.qualified(work.func) == "functools.partial" and work.args:
                given = [*(arg.value for arg in work.args if arg.keyword is None and not arg.star), *given[1:]]
            elif self._runs_in_context(work):
                given = given[1:]
            else:
                return work
            work = given[0] if given else None
        return None

    def _runs_in_context(self, work: cst.BaseExpression) -> bool:
        """Whether work is `context.run`, of a context of which the name is all that is known as well."""
        if _CONTEXT_RUN in self._file.functions.table_names(work):
            return True
        if not isinstance(work, cst.Attribute) or work.attr.value != "run" or self._file.kind(work) is not None:
            return False
        owner = work.value.func if isinstance(work.value, cst.Call) else work.value
        return not _CONTEXTS.isdisjoint(words(dotted(owner)))

    def _only_sleeps(self, work: cst.BaseExpression | None) -> bool:
        """Whether work is there to keep a thread busy for a while: `lambda: time.sleep(0.1)`."""
        if isinstance(work, cst.Lambda):
            work = work.body.func if isinstance(work.body, cst.Call) else None
        return work is not None and "time.sleep" in self._file.functions.table_names(work)

    def _only_method_swallows(self, name: str) -> bool:
        """Whether all methods of the file that a method of this name may be catch everything: a reason to be silent."""
        methods = [info.methods[name] for info in self._file.definitions.classes.values() if name in info.methods]
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
    return handler.type is None or not _BROAD.isdisjoint(caught(handler))


def _raises(node: cst.CSTNode) -> bool:
    if isinstance(node, cst.Raise):
        return True
    return not isinstance(node, cst.FunctionDef | cst.Lambda) and any(_raises(child) for child in node.children)
