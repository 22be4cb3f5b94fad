"""What a function must look like, in the `ast` tree, before `inserts` can have anything to say about it.

The gate asks, so this must never be narrower than `looks`, `inserts` and `numbering`, which see the libcst tree.
"""

from __future__ import annotations

import ast
from collections.abc import Collection
from functools import lru_cache

from flake8_concurrency.model.insert_words import (
    BULK,
    COUNTS,
    CREATING,
    EXISTS,
    FINDING,
    INSERTING_VERBS,
    MAXIMUM,
    NUMBERS,
    ORDERED_ROW,
    RECORD_READS,
    SAVING_ROW,
    SESSION_ADDING,
    is_store_name,
)
from flake8_concurrency.model.locks import words
from flake8_concurrency.model.shapes import inside
from flake8_concurrency.model.vocabulary import BY_KEY, CLASS_WORDS, FILTERS, MANAGERS, SHORTCUTS

#: Answered by every look: asked where an insert does not name its model.
_ANY = "*"
#: Answered by looks through `cls` and `self.model`, asked by every insert.
_UNNAMED = "cls"
#: Asked and answered by repositories.
_STORE = "store"
_NUMBER = "number"

#: One of them stands in every text with a look.
LOOKING = (
    EXISTS
    | COUNTS
    | RECORD_READS
    | MANAGERS
    | SHORTCUTS
    | BY_KEY
    | FILTERS
    | FINDING
    | {"query", "select", "select_from"}
)
#: One of them stands in every text that deletes rows, or that counts them.
DELETING = frozenset({"delete", "adelete"})
LIMITING = COUNTS | {"len", "scalar", "scalar_one"}
_NAMING = frozenset("query select select_from count exists aliased delete".split()) | BY_KEY | SHORTCUTS
_RECORD = frozenset("filter get_or_none exists get select".split())
_SENDING = SAVING_ROW | SESSION_ADDING | BULK


@lru_cache(maxsize=512)
def asks_insert(root: ast.AST) -> frozenset[str]:
    """The models of which a function may insert rows."""
    found: set[str] = set()
    made: set[str] = set()
    sends = False
    for node in inside(root):
        if not isinstance(node, ast.Call):
            continue
        name = _last_name(node.func)
        if _may_be_class(node.func):
            made.add(name)
        if not isinstance(node.func, ast.Attribute):
            continue
        if name in CREATING or name == "create_user":
            found |= _asked(node.func.value)
        elif name in _SENDING:
            sends = True
            if name == "insert_many":
                found |= _asked(node.func.value)
        elif name in ("insert", "pg_insert"):
            found |= {asked for arg in node.args for asked in _asked(arg)}
        if _is_store(node.func.value) and words(name)[:1] and words(name)[0] in INSERTING_VERBS:
            found.add(_STORE)
    for node in inside(root):
        if isinstance(node, ast.Call) and _last_name(node.func) in ("insert", "pg_insert"):
            found |= {asked for arg in node.args for asked in _asked(arg)}
    if sends:
        found |= {_ANY if _is_class_word(name) else name for name in made}
    return frozenset(found | {_UNNAMED}) if found else frozenset()


def _asked(receiver: ast.AST) -> set[str]:
    """The model of what `create` is called on: `M.objects`, `M`, and any where it is not named."""
    node = receiver
    while isinstance(node, ast.Call | ast.Attribute):
        if isinstance(node, ast.Call):
            if _last_name(node.func) == "get_user_model":
                return {"get_user_model"}
            node = node.func
            continue
        if _is_capital(node.attr):
            return {node.attr}
        node = node.value
    name = _last_name(node)
    return {name} if _is_capital(name) else {_ANY}


def answers_look(root: ast.AST, names: Collection[str]) -> set[str]:
    """The models whose rows a piece of the text may look for."""
    del names
    found: set[str] = set()
    for node in inside(root):
        if isinstance(node, ast.Attribute):
            if node.attr in MANAGERS or node.attr == "query":
                found |= _looked_for(node.value)
        elif isinstance(node, ast.Call):
            found |= _looked_by(node)
    return found | {_ANY} if found else found


def _looked_by(call: ast.Call) -> set[str]:
    name = _last_name(call.func)
    found: set[str] = set()
    if name in _NAMING:
        for arg in call.args:
            found |= _looked_for(arg)
    if name in FILTERS:
        for arg in call.args:
            for part in ast.walk(arg):
                if isinstance(part, ast.Compare):
                    found |= _looked_for(part.left)
    if isinstance(call.func, ast.Attribute):
        if name in _RECORD:
            found |= _looked_for(call.func.value)
        if name in FINDING and _is_store(call.func.value):
            found.add(_STORE)
    return found


def _looked_for(node: ast.AST) -> set[str]:
    """The class that a node may name, or whose column it may be."""
    found: set[str] = set()
    while isinstance(node, ast.Attribute | ast.Call):
        if isinstance(node, ast.Call):
            if _last_name(node.func) in ("get_user_model", "type"):
                found |= {_last_name(node.func), _UNNAMED}
            node = node.func
            continue
        found |= _named(node.attr)
        node = node.value
    return found | _named(_last_name(node))


def _named(name: str) -> set[str]:
    if _is_class_word(name) or name == "__class__":
        return {_UNNAMED}
    return {name} if _is_capital(name) else set()


# -- numbers -----------------------------------------------------------------------------------------------------------

#: One of them stands in every text that makes a number of the rows that are there.
NUMBERING = COUNTS | MAXIMUM | ORDERED_ROW | {"len"}


def asks_number(root: ast.AST) -> set[str]:
    """A number, where a function may make one of the rows that are there."""
    for node in inside(root):
        if isinstance(node, ast.Call):
            name = _last_name(node.func)
            if name in MAXIMUM or (name in COUNTS and not node.args) or (name in ORDERED_ROW and node.keywords == []):
                return {_NUMBER}
    return set()


def answers_number(root: ast.AST, names: Collection[str]) -> set[str]:
    """A number, where a piece of the text may make the next one and give it to a column."""
    del names
    for node in ast.walk(root):
        match node:
            case (
                ast.BinOp(left=ast.Constant(value=int()), op=ast.Add())
                | ast.BinOp(op=ast.Add(), right=ast.Constant(value=int()))
                | ast.AugAssign(op=ast.Add(), value=ast.Constant(value=int()))
            ):
                return {_NUMBER}
            case ast.keyword(arg=str() as name) if not NUMBERS.isdisjoint(words(name)):
                return {_NUMBER}
            case ast.Attribute(attr=name, ctx=ast.Store()) if not NUMBERS.isdisjoint(words(name)):
                return {_NUMBER}
    return set()


# -- names -------------------------------------------------------------------------------------------------------------


def _is_store(node: ast.AST) -> bool:
    while isinstance(node, ast.Attribute):
        if is_store_name(node.attr):
            return True
        node = node.value
    return is_store_name(_last_name(node))


def _may_be_class(node: ast.AST) -> bool:
    name = _last_name(node)
    return _is_capital(name) or _is_class_word(name) or name == "__class__"


def _is_class_word(name: str) -> bool:
    return not CLASS_WORDS.isdisjoint(words(name)) and not _is_capital(name)


def _is_capital(name: str) -> bool:
    bare = name.lstrip("_")
    return bare[:1].isupper() and not bare.isupper()


def _last_name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
