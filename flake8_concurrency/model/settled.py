"""Waits that are over before they begin: the future is done, the process has ended, the pool has nothing left to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.model.calls import argument, literal
from flake8_concurrency.model.flow import Condition
from flake8_concurrency.model.futures import FUTURE
from flake8_concurrency.model.locks import called_name, words
from flake8_concurrency.model.spelling import dotted

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

#: What asks whether a wait would end at once: methods, each with the answer that says so.
_ASKS = {
    "join": {"is_alive": False},
    "wait": {"is_set": True},
    "get": {"ready": True, "empty": False},
    "put": {"full": False},
    "recv": {"poll": True},
    "recv_bytes": {"poll": True},
    "result": {"done": True},
}
_POPEN, _SOCKET, _LOCK = "subprocess.Popen", "socket.socket", "threading.Lock"
_QUEUES = ("queue.Queue", "queue.SimpleQueue", "multiprocessing.queues.Queue", "multiprocessing.queues.SimpleQueue")
_WORKERS = ("threading", "concurrent", "_thread", "multiprocessing", "asyncio", "gevent", "eventlet")
_SQLITE = "sqlite3.Connection"
#: Functions of `os` that send a signal, words in the names of helpers that kill.
_KILLING = frozenset({"kill", "killpg"})
#: What waits for the work of a pool inside its `with`.
_READS = frozenset({"result", "exception", "wait", "as_completed"})


class Settled:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    def before(self, call: cst.Call) -> bool:
        """Whether what a method call waits for is surely over when it is reached."""
        func = call.func
        if not isinstance(func, cst.Attribute):
            return False
        subject = func.value
        if self._file.is_a(subject, FUTURE):
            return self._file.futures.is_done(subject)
        if func.attr.value == "get" and any(_counts(subject, one) for one in self._file.flow.conditions(call)):
            return True
        name = dotted(subject)
        if not name:
            return False
        if self._file.is_a(subject, _SOCKET):
            return self._is_non_blocking(name, call)
        if self._file.is_a(subject, _POPEN):
            conditions = self._file.flow.conditions(call)
            return any(_has_ended(name, one) for one in conditions) or self._was_ended(name, call)
        if self._file.is_a(subject, _LOCK):
            return self._is_new(subject, call)
        if self._file.is_a(subject, _SQLITE):
            made = self._file.origins.of(subject) or ()
            return bool(made) and all(is_in_memory(argument(one, 0, "database")) for one in made)
        if func.attr.value in ("get", "put") and self._file.is_a(subject, *_QUEUES):
            return self._is_ready(subject, func.attr.value, call)
        return self._was_asked(name, func.attr.value, call)

    def _is_ready(self, queue: cst.BaseExpression, method: str, call: cst.Call) -> bool:
        """Whether a queue surely has an item to get, or room for one."""
        name = dotted(queue)
        if method == "put":
            ready = self._has_room(queue, call) or self._fills(name, call) or self._made_room(name, call)
        else:
            ready = self._has_own_item(name, call)
        return ready or self._is_alone(queue, method, call) or self._was_asked(name, method, call)

    def _was_asked(self, name: str, method: str, call: cst.Call) -> bool:
        """Whether a test asked the subject itself: `if not jobs.empty(): jobs.get()`."""
        asking = {f"{name}.{asked}": answer for asked, answer in _ASKS.get(method, {}).items()}
        return any(
            isinstance(test, cst.Call) and asking.get(dotted(test.func)) is truth
            for test, truth in self._file.flow.conditions(call)
        )

    def _is_alone(self, queue: cst.BaseExpression, method: str, call: cst.Call) -> bool:
        """Whether a function made a queue and hands it to nobody: it is a heap or a list, and nobody waits for another.

        Only its methods are called, by the function itself, for another function may run in another thread. Where the
        file starts none, functions of the file may have it too, and take out what is put in.
        """
        scope = self._file.tree.scope_of(call)
        if not isinstance(queue, cst.Name) or not isinstance(scope, cst.FunctionDef):
            return False
        bindings = self._file.names.reaching(queue) or ()
        if not bindings or any(one.how != "assign" or not isinstance(one.value, cst.Call) for one in bindings):
            return False
        inside = self._file.tree.within(scope.body)
        uses = [node for node in inside if isinstance(node, cst.Name) and node.value == queue.value]
        around = [self._file.parent(use) for use in uses]
        return (
            all(self._file.tree.scope_of(use) is scope for use in uses)
            and all(
                isinstance(one, cst.Attribute | cst.AssignTarget | cst.AnnAssign) or self._stays_here(one)
                for one in around
            )
            and any(isinstance(one, cst.Attribute) and one.attr.value == "put" for one in around)
            and (method == "get" or any(isinstance(one, cst.Arg) for one in around))
        )

    def _stays_here(self, given: cst.CSTNode) -> bool:
        """Whether an argument goes to a function of the file, in a file that knows no threads and no processes."""
        call = self._file.parent(given) if isinstance(given, cst.Arg) else None
        return (
            isinstance(call, cst.Call)
            and self._file.callee(call) is not None
            and not self._file.threaded.imports(*_WORKERS)
        )

    def _has_room(self, queue: cst.BaseExpression, call: cst.Call) -> bool:
        """Whether the function made a queue for as many items as something has: `Queue(len(jobs))`."""
        bindings = (self._file.names.reaching(queue) or ()) if isinstance(queue, cst.Name) else ()
        made = bindings[0].value if len(bindings) == 1 else None
        if not isinstance(made, cst.Call) or self._file.function_of(made) is not self._file.function_of(call):
            return False
        return any(isinstance(part, cst.Call) and called_name(part) == "len" for part in self._file.tree.within(made))

    def _fills(self, queue: str, call: cst.Call) -> bool:
        """Whether a loop fills a new queue, and no more: `self.free = Queue(size)`, `for _ in range(size): …`."""
        loop = self._round(call)
        if not isinstance(loop, cst.For) or not isinstance(loop.iter, cst.Call) or called_name(loop.iter) != "range":
            return False
        times = loop.iter.args
        return any(
            isinstance(event, cst.Assign)
            and any(dotted(each.target) == queue for each in event.targets)
            and isinstance(event.value, cst.Call)
            and len(event.value.args) == len(times) == 1
            and event.value.args[0].value.deep_equals(times[0].value)
            for earlier in self._file.flow.earlier(loop)
            for event in self._file.flow.certain(earlier)
        )

    def _made_room(self, queue: str, call: cst.Call) -> bool:
        """`if jobs.full(): jobs.get_nowait()` in the statements before."""
        return any(
            isinstance(earlier, cst.If)
            and isinstance(earlier.test, cst.Call)
            and dotted(earlier.test.func) == f"{queue}.full"
            and any(
                isinstance(node, cst.Call) and dotted(node.func) in (f"{queue}.get_nowait", f"{queue}.get")
                for node in self._file.tree.within(earlier.body)
            )
            for earlier in self._file.flow.earlier(call)
        )

    def _has_own_item(self, queue: str, call: cst.Call) -> bool:
        """Whether the function has put something into the queue in the same round: a token that it takes back."""
        return any(
            isinstance(event, cst.Call)
            and dotted(event.func) == f"{queue}.put"
            and self._round(event) is self._round(call)
            for earlier in self._file.flow.earlier(call)
            for event in self._file.flow.certain(earlier)
        )

    def _round(self, node: cst.CSTNode) -> cst.CSTNode | None:
        """The loop around a node."""
        return next((one for one in self._file.ancestors(node) if isinstance(one, cst.For | cst.While)), None)

    def _was_ended(self, name: str, call: cst.Call) -> bool:
        """`kill()` then `wait()`: the process is gone, this only takes its status."""
        ending = {f"{name}.{method}" for method in ("kill", "wait", "communicate")}
        return any(
            isinstance(event, cst.Call) and (dotted(event.func) in ending or self._kills(event, f"{name}.pid"))
            for earlier in self._file.flow.earlier(call)
            for event in self._file.flow.certain(earlier)
        )

    def _kills(self, call: cst.Call, pid: str) -> bool:
        """Whether a call kills a process by its number: `os.kill(p.pid, SIGKILL)`, `kill_group(p.pid)`.

        A helper that is called so is taken at its word; the functions of `os` send any signal.
        """
        name = called_name(call)
        if _KILLING.isdisjoint(words(name)):
            return False
        given = [arg.value for arg in call.args]
        return any(dotted(part) == pid for value in given for part in self._file.tree.within(value)) and (
            name not in _KILLING or any(_last_part(value) == "SIGKILL" or literal(value) == (9,) for value in given)
        )

    def _is_new(self, lock: cst.BaseExpression, call: cst.Call) -> bool:
        """Whether a lock was made in the statements before, in the same block: nobody else can hold it yet."""
        if isinstance(lock, cst.Name):
            bindings = self._file.names.reaching(lock) or ()
            made = [binding.node for binding in bindings if isinstance(binding.value, cst.Call)]
            block = self._file.parent(self._file.parent(self._file.tree.statement(call)))
            return len(made) == len(bindings) == 1 and self._file.parent(self._file.parent(made[0])) is block
        return self._is_made_before(dotted(lock), call)

    def _is_made_before(self, name: str, call: cst.Call) -> bool:
        """Whether an attribute got a new object in the statements before, and what mentions it next is the call."""
        statement = self._file.tree.statement(call)
        line = self._file.parent(statement)
        block = self._file.parent(line)
        if not isinstance(line, cst.SimpleStatementLine) or not isinstance(block, cst.IndentedBlock):
            return False
        for earlier in reversed(block.body[: block.body.index(line)]):
            if isinstance(earlier, cst.SimpleStatementLine) and any(_makes(one, name) for one in earlier.body):
                return True
            if any(
                isinstance(node, cst.Attribute) and dotted(node) == name for node in self._file.tree.within(earlier)
            ):
                return False
        return False

    def _is_non_blocking(self, name: str, call: cst.Call) -> bool:
        """Whether a socket never waits, or only hands datagrams to the system."""
        function = self._file.function_of(call)
        if "." in name or function is None:
            nodes = [node for own in self._file.tree.own.values() for node in own]
        else:
            nodes = function.own
        return any(isinstance(node, cst.Call) and _frees(node, name) for node in nodes)

    def on_leaving(self, statement: cst.With, item: cst.WithItem) -> bool:
        """Whether a pool surely has no work left when its `with` is left, or somebody has already waited for it."""
        tree = self._file.tree
        pool = dotted(item.asname.name if item.asname is not None else item.item)
        last_use = last_await = -1
        for node in tree.within(statement.body):
            if isinstance(node, cst.Await):
                last_await = max(last_await, *map(tree.order, tree.within(node)))
            elif isinstance(node, cst.Call):
                name = called_name(node)
                if name in _READS or (name == "map" and not isinstance(tree.parents[node], cst.Expr)):
                    return True
                if name == "shutdown" and dotted(node.func) == f"{pool}.shutdown":
                    return True
            if isinstance(node, cst.Name | cst.Attribute) and dotted(node) == pool:
                last_use = tree.order(node)
        return -1 < last_use < last_await


def is_in_memory(database: cst.BaseExpression | None) -> bool:
    """Whether the name of a database says that it is in memory: `:memory:`, `file:cache?mode=memory`."""
    if not isinstance(database, cst.SimpleString):
        return False
    name = str(database.evaluated_value)
    return ":memory:" in name or "mode=memory" in name


def _counts(queue: cst.BaseExpression, condition: Condition) -> bool:
    """Whether a test says that a queue holds something, whatever it is a part of: `while jobs[key].qsize() == 0: …`."""
    match condition.test:
        case cst.Comparison(
            left=cst.Call(func=cst.Attribute(value=asked, attr=cst.Name(value="qsize"))),
            comparisons=[cst.ComparisonTarget(operator=operator, comparator=number)],
        ) if literal(number) == (0,) and asked.deep_equals(queue):
            return isinstance(operator, cst.GreaterThan | cst.NotEqual if condition.truth else cst.Equal)
    return False


def _has_ended(name: str, condition: Condition) -> bool:
    """Whether a test says that a process is over: `p.poll() is not None`, `p.returncode is not None`."""
    match condition.test:
        case cst.Comparison(left=left, comparisons=[cst.ComparisonTarget(operator=operator, comparator=other)]):
            asked = dotted(left.func if isinstance(left, cst.Call) else left)
            if literal(other) != (None,) or asked not in (f"{name}.poll", f"{name}.returncode"):
                return False
            return isinstance(operator, cst.IsNot if condition.truth else cst.Is)
    return False


def _makes(statement: cst.BaseSmallStatement, name: str) -> bool:
    """Whether a statement is `name = …(…)`."""
    match statement:
        case cst.Assign(targets=targets, value=cst.Call()):
            return any(dotted(each.target) == name for each in targets)
        case cst.AnnAssign(target=target, value=cst.Call()):
            return dotted(target) == name
    return False


def _frees(call: cst.Call, name: str) -> bool:
    if dotted(call.func) in (f"{name}.setblocking", f"{name}.settimeout") and call.args:
        return literal(call.args[0].value) in ((False,), (0,))
    return any(_last_part(arg.value) == "SOCK_DGRAM" for arg in call.args)


def _last_part(node: cst.BaseExpression) -> str:
    return dotted(node).rpartition(".")[2]
