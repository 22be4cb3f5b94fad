"""Whether somebody at a terminal waits for what is run, and may end it: the program stands in for what it runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.model.spelling import dotted

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

#: What ends the program with a status.
_EXITS = frozenset({"sys.exit", "os._exit", "builtins.exit", "builtins.quit", "builtins.SystemExit"})


class Terminals:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    def waits_at_one(self, call: cst.Call) -> bool:
        """Whether a call runs something that its user may interrupt, or whose status becomes that of the program."""
        return self._is_interrupted(call) or self._gives_the_status(call)

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
            if self._file.qualified(other.func) not in _EXITS:
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

    def _parts(self, call: cst.Call) -> Iterator[cst.CSTNode]:
        for arg in call.args:
            yield arg.value
            yield from self._file.tree.within(arg.value)


def _catches_interrupt(handler: cst.ExceptHandler) -> bool:
    caught = handler.type
    types = [element.value for element in caught.elements] if isinstance(caught, cst.Tuple) else [caught]
    return any(one is not None and dotted(one) == "KeyboardInterrupt" for one in types)
