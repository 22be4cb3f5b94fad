"""Whether somebody at a terminal waits for what is run, and may end it: the program stands in for what it runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.model.calls import literal
from flake8_concurrency.model.handlers import caught
from flake8_concurrency.model.locks import words
from flake8_concurrency.model.spelling import dotted, last_name

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

#: What ends the program with a status.
_EXITS = frozenset({"sys.exit", "os._exit", "builtins.exit", "builtins.quit", "builtins.SystemExit"})
#: What writes for somebody who reads along.
_TALKING = frozenset({"builtins.print", "builtins.input"})
#: Functions that give back what a program writes.
_CAPTURING = frozenset({"check_output", "getoutput", "getstatusoutput"})
_VERBOSE = frozenset("verbose verbosity debug debugging quiet".split())


class Terminals:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    def waits_at_one(self, call: cst.Call) -> bool:
        """Whether a call runs what its user may interrupt or reads about, or what gives the program its status."""
        return self._is_interrupted(call) or self._gives_the_status(call) or self._talks(call)

    def _is_interrupted(self, call: cst.Call) -> bool:
        """`try: run(…) except KeyboardInterrupt: …`, in the function of the call."""
        child: cst.CSTNode = call
        for parent in self._file.ancestors(call):
            if isinstance(parent, cst.FunctionDef | cst.Lambda):
                return False
            if (
                isinstance(parent, cst.Try)
                and child is parent.body
                and any("KeyboardInterrupt" in caught(handler) for handler in parent.handlers)
            ):
                return True
            child = parent
        return False

    def _gives_the_status(self, call: cst.Call) -> bool:
        """`sys.exit(call(command))`, or through variables: `done = run(command); sys.exit(done.returncode)`."""
        function = self._file.function_of(call)
        if function is None:
            return False
        process = dotted(call.func.value) if isinstance(call.func, cst.Attribute) else ""
        for other in function.calls:
            # `if done.returncode: sys.exit(1)` only reports a failure.
            if self._file.qualified(other.func) not in _EXITS or not self._is_unconditional(other, call):
                continue
            for part in self._parts(other):
                if part is call or (process and dotted(part) == f"{process}.returncode"):
                    return True
                if isinstance(part, cst.Name) and any(
                    call in self._file.tree.within(binding.value) or binding.value is call
                    for binding in self._file.names.reaching(part) or ()
                    if binding.value is not None
                ):
                    return True
        return False

    def _is_unconditional(self, later: cst.Call, call: cst.Call) -> bool:
        """Whether no test decides about a later call that does not decide about the first one as well."""
        around = set(self._file.ancestors(call))
        return not any(
            isinstance(parent, cst.If | cst.IfExp | cst.ExceptHandler) and parent not in around
            for parent in self._file.ancestors(later)
        )

    def _talks(self, call: cst.Call) -> bool:
        """Whether a program's output is seen, in a function that prints, and not only when it is told to be verbose."""
        function = self._file.function_of(call)
        if function is None or any(map(_is_captured, self._started(call))):
            return False
        return any(
            self._file.qualified(other.func) in _TALKING and not self._is_verbose(other) for other in function.calls
        )

    def _started(self, call: cst.Call) -> list[cst.Call]:
        """The call itself, or what started the process that it waits for."""
        made = self._file.origins.of(call.func.value) if isinstance(call.func, cst.Attribute) else None
        return [call, *(made or ())]

    def _is_verbose(self, call: cst.Call) -> bool:
        return any(
            isinstance(parent, cst.If)
            and any(
                isinstance(part, cst.Name | cst.Attribute) and not _VERBOSE.isdisjoint(words(dotted(part)))
                for part in [parent.test, *self._file.tree.within(parent.test)]
            )
            for parent in self._file.ancestors(call)
        )

    def _parts(self, call: cst.Call) -> Iterator[cst.CSTNode]:
        for arg in call.args:
            yield arg.value
            yield from self._file.tree.within(arg.value)


def _is_captured(call: cst.Call) -> bool:
    """Whether a call keeps a program's output for itself: nobody sees that it hangs."""
    if any(last_name(node) in _CAPTURING for node in (call.func, *(arg.value for arg in call.args))):
        return True
    given = {arg.keyword.value: literal(arg.value) for arg in call.args if arg.keyword is not None}
    return given.get("stdout", (None,)) != (None,) or given.get("capture_output", (False,)) != (False,)
