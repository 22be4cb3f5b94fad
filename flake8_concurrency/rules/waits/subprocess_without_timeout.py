"""CNC207 subprocess-without-timeout."""

from __future__ import annotations

import re

import libcst as cst

from flake8_concurrency.rule import Gate, Rule

#: Options by which programs bound themselves.
_OPTION = re.compile(r"-W|--(?:\w+-)*(?:timeout|max-time|deadline)(?:=.*)?")
_FUNCTIONS = frozenset({"subprocess.run", "subprocess.call", "subprocess.check_call", "subprocess.check_output"})


class SubprocessWithoutTimeout(Rule):
    """A program is run and waited for without a timeout.

    A program that asks a question nobody sees, waits for the network or for a lock never returns, and the thread that
    started it is gone for good.

    Bad:

        import subprocess

        def convert(path):
            subprocess.run(["convert", path, "out.png"], check=True)

    Good:

        import subprocess

        def convert(path):
            subprocess.run(["convert", path, "out.png"], check=True, timeout=60)

    Known limits:
        Files that are programs themselves (`__main__`, commands, setup.py) are left alone: the person at the terminal
        is their timeout. In async code the call is CNC403, whatever its timeout.
    """

    code = "CNC207"
    name = "subprocess-without-timeout"
    message = "{call}() has no timeout and waits for ever if the program hangs: pass timeout= and handle TimeoutExpired"
    gate = Gate(anchors=frozenset({"run", "call", "check_call", "check_output"}), context=(frozenset({"subprocess"}),))
    quiet = True

    def visit_Call(self, node: cst.Call) -> None:
        if self.file.is_program:
            return
        name = next((name for name in self.file.functions.table_names(node.func) if name in _FUNCTIONS), None)
        if name is None or self.file.waits.blocks_the_loop(node):
            return
        if self.file.waits.is_unbounded(node) and not self._bounds_itself(node):
            self.report(node, call=name)

    def _bounds_itself(self, node: cst.Call) -> bool:
        """Whether the program is `timeout`, or is told by an option how long it may take."""
        words = self._words(node.args[0].value) if node.args else []
        return bool(words) and (
            words[0].rpartition("/")[2] in ("timeout", "gtimeout") or any(map(_OPTION.fullmatch, words))
        )

    def _words(self, command: cst.BaseExpression) -> list[str]:
        """The words of a command that stand in the text."""
        match command:
            case cst.SimpleString():
                value = command.evaluated_value
                return value.split() if isinstance(value, str) else []
            case cst.List() | cst.Tuple():
                strings = (self._words(element.value)[:1] or [""] for element in command.elements)
                return [word for words in strings for word in words]
            case cst.BinaryOperation():
                return self._words(command.left) + self._words(command.right)
            case cst.Name():
                values = [binding.value for binding in self.file.names.reaching(command) or ()]
                is_list = len(values) == 1 and isinstance(values[0], cst.List | cst.Tuple)
                return self._words(values[0]) if is_list and values[0] is not None else []
        return []
