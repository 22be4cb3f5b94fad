"""What a function must look like, in the `ast` tree, before `key_locks` can have anything to say about it.

The gate asks, so this must never be narrower than `key_locks`, which sees the libcst tree.
"""

from __future__ import annotations

import ast
from collections.abc import Collection

from flake8_concurrency.model.pieces import below, last_name

_ANY, _SERVER = "any", "server"
_READING = frozenset("get hgetall lrange smembers".split())
_DELETING = frozenset({"delete", "unlink"})
#: The calls that take a lock, make one, or delete what was read.
KEYS = frozenset("set setnx lock Lock add aadd".split()) | _DELETING
#: What makes a client, whatever the text calls it.
CLIENTS = frozenset("Redis StrictRedis RedisCluster Valkey ValkeyCluster Lock from_url master_for".split())
_WORDS = ("redis", "valkey")
_MARKS = (*_WORDS, "cache")


def speaks_of_keys(some: Collection[str]) -> bool:
    """Whether a text, by all its words, may have such a lock."""
    if "nx" in some or "setnx" in some:
        return True
    if KEYS.isdisjoint(some):
        return False
    text = " ".join(some).lower()
    return any(mark in text for mark in _MARKS)


def asks_lock(root: ast.AST) -> set[str]:
    """Whether a function may take a lock that is a key, or read a key and delete it; both perhaps of a server."""
    found: set[str] = set()
    read: set[str] = set()
    deleted: set[str] = set()
    for node in below(root):
        if not isinstance(node, ast.Call):
            continue
        name = last_name(node.func)
        given = {word.arg for word in node.keywords}
        on = _on(node.func)
        match name:
            case "setnx":
                return {_ANY}
            case "set" if "nx" in given:
                return {_ANY}
            case "add" | "aadd" if _may_be_endless(node):
                return {_ANY}
            case "lock" | "Lock" if node.args or node.keywords:
                found.add(_SERVER)
            case "delete" | "unlink" if len(node.args) == 1 and on is not None:
                deleted.add(on)
            case _ if name in _READING and on is not None:
                read.add(on)
    return found if deleted.isdisjoint(read) else found | {_SERVER}


def answers_lock(root: ast.AST, names: Collection[str]) -> set[str]:
    """Whether a piece of the text speaks of a server; every other lock stands where it is asked for."""
    clients = set(names) - KEYS
    for node in below(root):
        name = node.arg if isinstance(node, ast.arg) else last_name(node)
        if name in clients or any(mark in name.lower() for mark in _WORDS):
            return {_ANY, _SERVER}
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "edis" in node.value:
            return {_ANY, _SERVER}
    return {_ANY}


def _on(func: ast.AST) -> str | None:
    """The last name of what a method is called on, also where that is called or subscripted."""
    if not isinstance(func, ast.Attribute):
        return None
    node: ast.AST = func.value
    while isinstance(node, ast.Call | ast.Subscript | ast.Await):
        node = node.func if isinstance(node, ast.Call) else node.value
    return last_name(node)


def _may_be_endless(call: ast.Call) -> bool:
    """Whether a call gives None as a timeout."""
    values = [word.value for word in call.keywords if word.arg == "timeout"] + call.args[2:3]
    return any(isinstance(value, ast.Constant) and value.value is None for value in values)
