"""Lines and columns, computed only for the function or statement a finding stands in.

libcst's PositionProvider costs twice the parse of the whole file. Generating the code of one top-level statement, or of
one method, gives the positions in it relative to each other, and flake8's `ast` tree says on which line it begins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import MappingProxyType

import libcst as cst
from libcst.metadata import CodePosition, CodeRange
from libcst.metadata.position_provider import PositionProvidingCodegenState

from flake8_concurrency.model.tree import Tree


class _Recorder:
    """The part of a metadata provider that recording positions needs."""

    def __init__(self) -> None:
        self._computed: dict[cst.CSTNode, CodeRange] = {}


class _State(PositionProvidingCodegenState):
    """libcst's own, without its `finally`: there a RecursionError becomes a KeyError, a thousand times over."""

    @contextmanager
    def record_syntactic_position(
        self, node: cst.CSTNode, *, start_node: cst.CSTNode | None = None, end_node: cst.CSTNode | None = None
    ) -> Iterator[None]:
        computed: dict[cst.CSTNode, CodeRange] = self.provider._computed  # type: ignore[assignment]  # noqa: SLF001
        start = CodePosition(self.line, self.column)
        # In case the code below is too deep: then this is all that will be known.
        computed[node] = CodeRange(start, start)
        yield
        end = CodePosition(self.line, self.column)
        computed[node] = CodeRange(
            start if start_node is None else computed[start_node].start,
            end if end_node is None else computed[end_node].end,
        )


class Positions:
    """Positions of the nodes of one tree in the text that the user sees."""

    def __init__(
        self,
        tree: Tree,
        starts: Sequence[int],
        lines: Sequence[int] | None = None,
        methods: Mapping[int, Sequence[int]] = MappingProxyType({}),
    ) -> None:
        """`starts` are the lines on which the module's statements begin in the parsed text, all from 1.

        `lines` gives for each line of the parsed text (from 0) its line in the user's text, where they differ;
        `methods` for the line on which a class of the module begins those on which the functions in its body do.
        """
        self._tree = tree
        self._lines = lines
        self._known: dict[cst.CSTNode, tuple[int, int]] = {}
        #: What was generated, as far as that went: statements of the module, and methods.
        self._generated: set[cst.CSTNode] = set()
        body = tree.module.body
        # Without a matching list of starts the whole module has to be generated.
        self._starts: dict[cst.CSTNode, int] = {}
        if len(body) == len(starts):
            self._starts.update(zip(body, starts, strict=True))
            for statement, start in zip(body, starts, strict=True):
                self._starts.update(_starts_of_methods(statement, methods.get(start, ())))

    def of(self, node: cst.CSTNode) -> tuple[int, int]:
        """Line, from 1, and column, from 0, of the first character of a node.

        From code nested too deeply to be generated on, it is the first line of the method or the module's statement
        around the node.
        """
        if node not in self._known:
            self._generate(node)
        return self._known[node]

    def _generate(self, node: cst.CSTNode) -> None:
        around = [node, *self._tree.ancestors(node)]
        top = next((one for one in around if one in self._starts), None)
        root = top or self._tree.module
        if root not in self._generated:
            self._generated.add(root)
            self._generate_from(root, None if top is None else self._starts[top])
        self._known.setdefault(node, (self._line(1 if top is None else self._starts[top]), 0))

    def _generate_from(self, root: cst.CSTNode, start: int | None) -> None:
        module = self._tree.module
        recorder = _Recorder()
        state = _State(
            default_indent=module.default_indent,
            default_newline=module.default_newline,
            provider=recorder,  # type: ignore[arg-type]
        )
        for around in self._tree.ancestors(root):
            if isinstance(around, cst.IndentedBlock):
                state.increase_indent(module.default_indent if around.indent is None else around.indent)
        with suppress(RecursionError):
            root._codegen(state)  # noqa: SLF001 - what PositionProvider does
        computed = recorder._computed  # noqa: SLF001
        offset = 0
        if start is not None:
            if root not in computed:
                return
            offset = start - computed[root].start.line
        for known, range_ in computed.items():
            self._known[known] = (self._line(range_.start.line + offset), range_.start.column)

    def _line(self, line: int) -> int:
        """The line in the user's text for one in the parsed text."""
        return line if self._lines is None else self._lines[line - 1]


def _starts_of_methods(statement: cst.CSTNode, starts: Sequence[int]) -> Iterator[tuple[cst.CSTNode, int]]:
    """The functions in the body of a class, each with the line on which it begins; none unless all are known."""
    if starts and isinstance(statement, cst.ClassDef):
        functions = [part for part in statement.body.body if isinstance(part, cst.FunctionDef)]
        if len(functions) == len(starts):
            yield from zip(functions, starts, strict=True)
