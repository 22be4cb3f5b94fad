"""Which functions of a file, in the `ast` tree, may refresh a token once it has expired: the gate asks."""

from __future__ import annotations

import ast
from collections.abc import Collection

from flake8_concurrency.model.awaited_shapes import answers as awaited_answers
from flake8_concurrency.model.awaited_shapes import answers_waiting, asks_check, asks_fill
from flake8_concurrency.model.locks import words
from flake8_concurrency.model.pieces import below, last_name, own

#: What a test asks that is about the age of a token.
AGE = frozenset("expire expires expired expiry expiration expiring exp valid validity".split())
#: In the names of what gets another one.
REFRESHING = frozenset("refresh renew reauth reauthenticate authenticate authorize ensure token".split())
#: What is sent to get another token, and is good for one time as a rule.
SENT = "refresh_token"


def is_of_age(name: str) -> bool:
    """Whether a name is about how long a token is good."""
    return not AGE.isdisjoint(words(name))


def is_refreshing(name: str) -> bool:
    """Whether a function's name says that it may refresh a token."""
    return not REFRESHING.isdisjoint(words(name))


def asks(root: ast.AST) -> Collection[str]:
    """Something for a function that opens what is missing, or refreshes what is too old."""
    return {*asks_fill(root), *_refreshing(root)}


def answers(root: ast.AST, anchors: Collection[str]) -> Collection[str]:
    """What those want to hear: that something may wait, and that a method sends a token to get another."""
    return {*answers_waiting(root, anchors), *_sending(root)}


def asks_named(root: ast.AST) -> Collection[str]:
    """The same for those who ask for every test of state."""
    return {*asks_check(root), *_refreshing(root)}


def answers_named(root: ast.AST, anchors: Collection[str]) -> Collection[str]:
    """What they want to hear."""
    return {*awaited_answers(root, anchors), *_sending(root)}


def _refreshing(root: ast.AST) -> Collection[str]:
    """The methods that an async function awaits to refresh what a test of its age found too old."""
    found: set[str] = set()
    for function in own(root):
        if not isinstance(function, ast.AsyncFunctionDef):
            continue
        awaited: set[str] = set()
        is_exchanged = False
        is_tested = False
        for node in below(function):
            match node:
                case ast.Await(value=ast.Call(func=ast.Attribute(attr=method))) if is_refreshing(method):
                    awaited.add(method)
                case ast.Assign(targets=[ast.Attribute(attr=place)], value=ast.Await(value=ast.Call() as call)):
                    is_exchanged = is_exchanged or _gives_away(call, place)
                case ast.If(test=test):
                    is_tested = is_tested or any(map(is_of_age, map(last_name, below(test))))
        if is_tested:
            found.update(f"{method} refreshes" for method in awaited)
            if is_exchanged:
                found.update(answers_waiting(root, ()))
    return found


def _gives_away(call: ast.Call, place: str) -> bool:
    """Whether a call is given what its result replaces: `self.token = await self.auth.refresh(self.token)`."""
    given = (*call.args, *(keyword.value for keyword in call.keywords))
    return is_refreshing(last_name(call.func)) and any(last_name(node) == place for arg in given for node in below(arg))


def _sending(root: ast.AST) -> Collection[str]:
    return {
        f"{function.name} refreshes"
        for function in own(root)
        if isinstance(function, ast.AsyncFunctionDef) and is_refreshing(function.name) and _sends(function)
    }


def _sends(function: ast.AsyncFunctionDef) -> bool:
    return any(SENT in _spelled(node) for node in below(function))


def _spelled(node: ast.AST) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    return last_name(node)
