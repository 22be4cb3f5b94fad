"""CNC207 subprocess-without-timeout."""

from __future__ import annotations

import re

import libcst as cst

from flake8_concurrency.model.waits import HANDS_ON, HandedOver
from flake8_concurrency.rule import Gate, Rule

#: Options by which programs bound themselves.
_OPTION = re.compile(r"-W|--(?:\w+-)*(?:timeout|max-time|deadline)(?:=.*)?")
#: Programs that bound themselves by a time, and those that wait for nobody.
_BOUNDED = frozenset("timeout gtimeout kill pkill killall taskkill".split())
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
        is their timeout. In async code the call is CNC403, whatever its timeout; handed to a thread (`to_thread`,
        `run_in_executor`, `submit`) it is reported here, except under a deadline of its caller's (`wait_for`). What is
        told `sys.argv`, what gives its status to `sys.exit`, and the body of a daemon (`run_as_daemon(body)`), is the
        program itself and may last, as may the editor or pager of its user and what `except KeyboardInterrupt` ends. A
        function that prints, and not only when told to be verbose, has somebody at a terminal, too, unless it captures
        the output.
    """

    code = "CNC207"
    name = "subprocess-without-timeout"
    message = "{call}() has no timeout and waits for ever if the program hangs: pass timeout= and handle TimeoutExpired"
    # A mention is enough: what is handed to a thread (`to_thread(subprocess.run, …)`) is not called here.
    gate = Gate(
        anchors=frozenset({"run", "call", "check_call", "check_output"}),
        context=(frozenset({"subprocess"}),),
        called=False,
        keeps=HANDS_ON,
    )
    quiet = True

    def visit_Call(self, node: cst.Call) -> None:
        if self.file.is_program:
            return
        name = self._name(node.func)
        if name is not None:
            called = HandedOver(node.func, [arg.value for arg in node.args[:1]])
            if not self.file.waits.blocks_the_loop(node) and self._is_unbounded(node, called):
                self.report(node, call=name)
            return
        handed = self.file.waits.handed_over(node)
        if handed is None or self.file.waits.is_abandoned(node):
            return
        name = self._name(handed.function)
        if name is not None and self._is_unbounded(node, handed):
            self.report(node, call=name)

    def _name(self, function: cst.BaseExpression) -> str | None:
        return next((name for name in self.file.functions.table_names(function) if name in _FUNCTIONS), None)

    def _is_unbounded(self, node: cst.Call, called: HandedOver) -> bool:
        has_none = self.file.waits.is_unbounded(node, function=called.function)
        if not has_none or self._bounds_itself(called.arguments):
            return False
        return not self.file.waits.is_for_the_program(node, called.arguments[:1])

    def _bounds_itself(self, arguments: list[cst.BaseExpression]) -> bool:
        """Whether the program is `timeout`, one that does not wait, or is told by an option how long it may take."""
        words = self._words(arguments[0]) if arguments else []
        return bool(words) and (words[0].rpartition("/")[2] in _BOUNDED or any(map(_OPTION.fullmatch, words)))

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
