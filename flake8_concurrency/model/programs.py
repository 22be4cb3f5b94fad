"""Whether a file is a program that somebody starts from a terminal, and not part of a service."""

from __future__ import annotations

import ast
import re

_SCRIPT = re.compile(
    r"(?:^|/)(?:setup|manage|noxfile|fabfile|__main__|cli|\w+_cli)\.py$|(?:^|/)(?:bin|scripts?|cli|management/commands)/"
)
_BUILDERS = frozenset({"setuptools", "distutils", "hatchling", "flit_core", "nox", "invoke", "fabric"})
_COMMAND = frozenset({"command", "group"})


def is_program(filename: str, source: str, tree: ast.Module) -> bool:
    """Whether a file is a script, a build file, or defines commands: by its name, its `__main__` part, its commands."""
    path = filename.replace("\\", "/")
    return (
        "ArgumentParser(" in source
        or _SCRIPT.search(path) is not None
        or any(_is_main_part(node) or _is_build(node) or _is_command(node) for node in tree.body)
    )


def _is_main_part(node: ast.stmt) -> bool:
    match node:
        case ast.If(test=ast.Compare(left=ast.Name(id="__name__"), comparators=[ast.Constant(value="__main__")])):
            return True
    return False


def _is_build(node: ast.stmt) -> bool:
    """Whether a statement imports what builds a package."""
    match node:
        case ast.Import(names=names):
            return any(alias.name.partition(".")[0] in _BUILDERS for alias in names)
        case ast.ImportFrom(module=str(module), level=0):
            return module.partition(".")[0] in _BUILDERS
    return False


def _is_command(node: ast.stmt) -> bool:
    """Whether a statement defines a command of click, typer or Django."""
    if isinstance(node, ast.ClassDef):
        return any(ast.unparse(base).rpartition(".")[2] == "BaseCommand" for base in node.bases)
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    for decorator in node.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        if isinstance(called, ast.Attribute) and called.attr in _COMMAND:
            return True
    return False
