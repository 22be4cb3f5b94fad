"""Whether a file is a program that somebody starts from a terminal, and not part of a service."""

from __future__ import annotations

import ast
import re

_SCRIPT = re.compile(
    r"(?:^|/)(?:setup|manage|noxfile|fabfile|__main__|cli|\w+_cli)\.py$|(?:^|/)(?:bin|scripts?|cli|management/commands)/"
)
#: Whoever prints and asks with these does so at a terminal.
_TALKS = re.compile(r"\b(?:click|typer)\.s?echo\(")
_BUILDERS = frozenset({"setuptools", "distutils", "hatchling", "flit_core", "nox", "invoke", "fabric"})
_COMMAND = frozenset({"command", "group"})
#: Calls that start a service, and names of what is one when it is told to `run`.
_SERVING = frozenset(
    """run_forever serve_forever run_app start_polling run_polling run_until_disconnected serve start_server
    create_server run_server start_serving""".split()
)
_SERVICES = frozenset("app application api bot client server socketio sio uvicorn waitress mcp worker daemon".split())
_RUNNERS = frozenset({"asyncio.run", "anyio.run", "trio.run", "uvloop.run"})
#: What makes commands for a terminal.
_COMMAND_LINES = frozenset(
    "click typer asyncclick rich_click cloup cyclopts async_typer asynctyper invoke fabric flask quart".split()
)
#: What makes commands for people in a chat: a service answers them, many at once.
_CHATS = frozenset(
    """discord nextcord disnake hikari lightbulb crescent tanjun interactions redbot twitchio telegram telebot aiogram
    pyrogram telethon slack_bolt slack_sdk nio simplematrixbotlib revolt guilded mattermost""".split()
)


def is_program(filename: str, source: str, tree: ast.Module) -> bool:
    """Whether a file is a script, builds something, or is for a terminal: by its name, its `__main__`, its commands."""
    path = filename.replace("\\", "/")
    return (
        "ArgumentParser(" in source
        or _SCRIPT.search(path) is not None
        or _TALKS.search(source) is not None
        or any(_is_main_part(node, tree) or _is_build(node) or _is_command(node, tree) for node in tree.body)
    )


def is_for_terminals(decorator: str, package: str, *, is_async: bool) -> bool:
    """Whether a decorator (`bot.command`) makes a command of a function, to be called from a terminal.

    `package` is the one that the decorator comes from, empty where that is not known: then chat bots are told by their
    commands, which are coroutines.
    """
    *owners, name = decorator.split(".")
    if name not in _COMMAND:
        return False
    if package in _COMMAND_LINES or "cli" in owners:
        return True
    return not is_async and package not in _CHATS


def _is_main_part(node: ast.stmt, tree: ast.Module) -> bool:
    """Whether a statement is what runs when the file is started, and does something that comes to an end."""
    match node:
        case ast.If(test=ast.Compare(left=ast.Name(id="__name__"), comparators=[ast.Constant(value="__main__")])):
            return not _serves(node, tree, set())
        case ast.FunctionDef(name="main"):
            # An entry point of the package.
            runs = any(
                isinstance(part, ast.Call) and ".".join(_words(part.func)) in _RUNNERS for part in ast.walk(node)
            )
            return runs and not _serves(node, tree, set())
    return False


def _serves(node: ast.stmt, tree: ast.Module, seen: set[str]) -> bool:
    """Whether a statement, or a function of the module that it calls, starts a service."""
    called = [_words(part.func) for part in ast.walk(node) if isinstance(part, ast.Call)]
    if any(
        words[-1] in _SERVING or (words[-1] == "run" and len(words) > 1 and words[-2].lstrip("_") in _SERVICES)
        for words in called
    ):
        return True
    names = {words[0] for words in called if len(words) == 1} - seen
    seen |= names
    return any(
        isinstance(other, ast.FunctionDef | ast.AsyncFunctionDef) and other.name in names and _serves(other, tree, seen)
        for other in tree.body
    )


def _is_build(node: ast.stmt) -> bool:
    """Whether a statement imports what builds a package."""
    match node:
        case ast.Import(names=names):
            return any(alias.name.partition(".")[0] in _BUILDERS for alias in names)
        case ast.ImportFrom(module=str(module), level=0):
            return module.partition(".")[0] in _BUILDERS
    return False


def _is_command(node: ast.stmt, tree: ast.Module) -> bool:
    """Whether a statement defines a command of click, typer or Django."""
    if isinstance(node, ast.ClassDef):
        return any(_words(base)[-1] == "BaseCommand" and is_djangos(_module(base, tree)) for base in node.bases)
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    for decorator in node.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        if isinstance(called, ast.Attribute) and called.attr in _COMMAND:
            is_async = isinstance(node, ast.AsyncFunctionDef)
            if is_for_terminals(".".join(_words(called)), _package(called, tree), is_async=is_async):
                return True
    return False


def is_djangos(module: str) -> bool:
    """Whether a `BaseCommand` of this module is Django's, or made from it: others are what a service does on request.

    Where it comes from is not always seen; then it is taken for Django's.
    """
    return not module or "management" in module


def _module(node: ast.expr, tree: ast.Module) -> str:
    """The module that a class, named alone, is imported from."""
    if isinstance(node, ast.Name):
        for statement in tree.body:
            if isinstance(statement, ast.ImportFrom) and any(
                (alias.asname or alias.name) == node.id for alias in statement.names
            ):
                return statement.module or "."
    return ""


def _words(node: ast.expr) -> list[str]:
    """The names in a chain of attributes and calls, in order: `commands.group(…).command` has three."""
    found: list[str] = []
    while isinstance(node, ast.Attribute | ast.Call):
        if isinstance(node, ast.Attribute):
            found.append(node.attr)
            node = node.value
        else:
            node = node.func
    # What is no name stands for itself, and is called nothing.
    return [*([node.id] if isinstance(node, ast.Name) else [""]), *reversed(found)]


def _package(node: ast.expr, tree: ast.Module, depth: int = 5) -> str:
    """The package that an object of the module's own scope comes from: `typer` for `app`, if `app = typer.Typer()`."""
    while isinstance(node, ast.Attribute | ast.Call):
        node = node.value if isinstance(node, ast.Attribute) else node.func
    if not isinstance(node, ast.Name) or depth == 0:
        return ""
    for statement in tree.body:
        match statement:
            case ast.Import(names=names):
                for alias in names:
                    if (alias.asname or alias.name.partition(".")[0]) == node.id:
                        return alias.name.partition(".")[0]
            case ast.ImportFrom(module=str(module), level=0, names=names):
                if any((alias.asname or alias.name) == node.id for alias in names):
                    return module.partition(".")[0]
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as value) if name == node.id:
                return _package(value, tree, depth - 1)
            case ast.FunctionDef(name=name, decorator_list=[*_, decorator]) if name == node.id:
                # A group is made of a function: `@click.group() def cli(): …`, `@cli.command()`.
                return _package(decorator, tree, depth - 1)
    return ""
