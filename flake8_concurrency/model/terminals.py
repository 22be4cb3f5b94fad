"""Whether somebody at a terminal waits for what is run, and may end it: the program stands in for what it runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.model.locks import called_name, words
from flake8_concurrency.model.spelling import dotted

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

#: What ends the program with a status.
_EXITS = frozenset({"sys.exit", "os._exit", "builtins.exit", "builtins.quit", "builtins.SystemExit"})
#: What writes for somebody who reads along.
_TALKING = frozenset({"builtins.print", "builtins.input"})
_CAPTURING = frozenset({"capture_output", "stdout"})
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
            if isinstance(parent, cst.Try) and child is parent.body and any(map(_catches_interrupt, parent.handlers)):
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
        """Whether the function of a call prints, and not only when verbose, and what it runs writes there as well."""
        function = self._file.function_of(call)
        if function is None or self._is_captured(call):
            return False
        return any(
            self._file.qualified(other.func) in _TALKING and not self._is_verbose(other) for other in function.calls
        )

    def _is_captured(self, call: cst.Call) -> bool:
        """Whether the output goes to the program, and not to the terminal: `capture_output=True`, `stdout=PIPE`."""
        made = self._file.origins.of(call.func.value) if isinstance(call.func, cst.Attribute) else None
        calls = [call, *(made or ())]
        return any(called_name(one) == "check_output" for one in calls) or any(
            arg.keyword is not None and arg.keyword.value in _CAPTURING for one in calls for arg in one.args
        )

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


def _catches_interrupt(handler: cst.ExceptHandler) -> bool:
    caught = handler.type
    types = [element.value for element in caught.elements] if isinstance(caught, cst.Tuple) else [caught]
    return any(one is not None and dotted(one) == "KeyboardInterrupt" for one in types)
