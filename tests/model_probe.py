"""Asks the model about a source in which `probe(...)` stands round the expressions in question."""

from __future__ import annotations

import textwrap

import libcst as cst

from flake8_concurrency.model.definitions import ClassInfo, FunctionInfo
from flake8_concurrency.model.facts import Kind
from flake8_concurrency.model.file import FileModel
from flake8_concurrency.model.positions import Positions
from flake8_concurrency.model.tree import Tree


def model(source: str, package: str = "") -> FileModel:
    """The model of a source, which may be indented as a whole."""
    tree = Tree(cst.parse_module(textwrap.dedent(source)))
    return FileModel(tree, Positions(tree, ()), package=package)


def probes(file: FileModel) -> list[cst.BaseExpression]:
    """What stands in the calls of `probe`, in source order."""
    return [
        node.args[0].value
        for node in file.tree.nodes
        if isinstance(node, cst.Call) and isinstance(node.func, cst.Name) and node.func.value == "probe"
    ]


def kinds(source: str, package: str = "") -> list[str]:
    """The kinds of all probes of a source, as text."""
    file = model(source, package)
    return [shown(file.kind(node)) for node in probes(file)]


def kind(source: str) -> str:
    """The kind of the only probe of a source, as text."""
    (found,) = kinds(source)
    return found


def qualified(source: str, package: str = "") -> str | None:
    """The qualified name of the only probe of a source."""
    file = model(source, package)
    (node,) = probes(file)
    return file.qualified(node)


def shown(kind: Kind | None) -> str:
    """A kind as text: `list[Future[int]]`, the last parts of the names only; `?` for one that is not known."""
    if kind is None:
        return "?"
    if kind.name == "union":
        return " | ".join(sorted(shown(part) for part in kind.args))
    name = kind.name.rpartition(".")[2]
    if isinstance(kind.ref, ClassInfo | FunctionInfo):
        name = f"{name} {kind.ref.name}"
    elif kind.name in ("symbol", "method"):
        return f"{name} {kind.ref}"
    return f"{name}[{', '.join(shown(arg) for arg in kind.args)}]" if kind.args else name
