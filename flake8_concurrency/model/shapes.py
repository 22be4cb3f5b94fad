"""What a function must look like, in the `ast` tree, before `rows` can have anything to say about it.

The gate asks, so this must never be narrower than `writes` and `claims`, which see the libcst tree.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator

from flake8_concurrency.model.locks import is_class_word, words
from flake8_concurrency.model.pieces import STORED, Function, below, inside, last_name, remembered
from flake8_concurrency.model.vocabulary import (
    BY_KEY,
    CHANGING,
    CHOOSING,
    COMBINING,
    COMMITS,
    COPYING,
    DISPATCHING,
    FETCHING,
    FILTERS,
    INJECTING,
    JUNCTIONS,
    KEEPING_ROW,
    KEYS,
    MANAGERS,
    MERGING,
    NO_COLUMNS,
    NO_ROWS,
    NOW,
    ONLY_COLLECTIONS,
    SAVING,
    SENDING,
    SPLITTING,
    STATES,
    TAKERS,
    VISITOR,
    WITH_KEYWORDS,
    is_claimant,
    is_session_name,
)

#: Words that decide something about the rows of a whole file, or of a view whose framework calls what has them.
KEEPS = re.compile(r"(?i)\b(select_for_update|serializable|repeatable\w*|version_id_col|\w*VersionField)\b")
#: Nothing is asked by a function that has none of these: the words of `Gate.where`.
WRITING = CHANGING | SENDING | {STORED}
CLAIMING = DISPATCHING | frozenset("update aupdate delete adelete".split()) | {STORED}
#: Asked and answered where any row, or any state, will do.
ANY = "*"
#: Asked where a column must be known to hold a collection, and where that is so or the row is one of Django's.
_IN_PLACE = "collection"
_APPENDED = "list"
_COLLECTION = re.compile("^(JSONField|ArrayField|HStoreField|flag_modified|as_mutable)$|Mutable")
_UPDATING = frozenset("update aupdate delete adelete".split())
_SELF = frozenset({"self", "cls"})


def asks_row(root: ast.AST) -> set[str]:
    """A row, where a function may write an attribute of another object from its own old value."""
    written = _written(root)
    found = {asked for row, asked in written if not _is_self(row)}
    return found | {asked for _, asked in written} if written and _saves_columns(root) else found


def _saves_columns(root: ast.AST) -> bool:
    """Whether a function saves columns that it names, or an object as it is, which makes a row of what it saves."""
    return any(
        isinstance(node, ast.Call)
        and last_name(node.func) in SAVING
        and not node.args
        and (not node.keywords or any(word.arg == "update_fields" for word in node.keywords))
        for node in inside(root)
    )


def asks_own_row(root: ast.AST) -> set[str]:
    """The same of a method's own object."""
    return {asked for row, asked in _written(root) if _is_self(row)}


def answers_row(root: ast.AST, names: Collection[str]) -> set[str]:
    """A row, where a piece of the text may read one, and a collection where it may say that a column holds one.

    `names` are all names of READERS in this text.
    """
    found: set[str] = set()
    for node in inside(root):
        if _may_read(node, names):
            found.update([ANY] if _APPENDED in found or _is_of_sqlalchemy(node) else [ANY, _APPENDED])
        name = last_name(node.func if isinstance(node, ast.Call) else node)
        if _COLLECTION.search(name):
            found.update([_IN_PLACE, _APPENDED])
    if _APPENDED not in found and (_is_given(root) or _saves_columns(root)):
        found.update([ANY, _APPENDED])
    if ANY not in found and _is_handed_row(root):
        found.add(ANY)
    return found


def _is_of_sqlalchemy(node: ast.AST) -> bool:
    """Whether what may read a row can read none of Django's: `session.query(M)`, `M.query`, `session.get(M, key)`."""
    match node:
        case ast.Attribute(attr=name):
            return name == "query"
        case ast.Call(func=ast.Name(id="select")):
            return True
        case ast.Call(args=[first, *_], keywords=[]) if last_name(node.func) in BY_KEY:
            return not isinstance(first, ast.Compare)
    return isinstance(node, ast.Call) and last_name(node.func) == "query"


def _is_given(root: ast.AST) -> bool:
    """Whether Django hands a function a row as its parameter."""
    if not isinstance(root, Function):
        return False
    names = {arg.arg for arg in (*root.args.posonlyargs, *root.args.args, *root.args.kwonlyargs)}
    return "instance" in names and (root.name == "update" or "sender" in names)


def _is_handed_row(root: ast.AST) -> bool:
    """Whether a function commits a session, and may be handed a row by something that shows no query."""
    nodes = inside(root)
    if not any(isinstance(node, ast.Call) and _is_of_session(node, COMMITS) for node in nodes):
        return False
    return any(map(_hands_row, nodes)) or any(
        isinstance(node, ast.Name | ast.Attribute) and last_name(node) in INJECTING
        for function in below(root)
        if isinstance(function, Function)
        for arg in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
        if arg.annotation is not None
        for node in ast.walk(arg.annotation)
    )


def _is_of_session(call: ast.Call, methods: Collection[str]) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr in methods and _is_session(call.func.value)


def _is_session(node: ast.AST) -> bool:
    while isinstance(node, ast.Call):
        node = node.func
    return is_session_name(last_name(node))


def _hands_row(node: ast.AST) -> bool:
    match node:
        case ast.Attribute(value=ast.Name(id=name)) | ast.Assign(value=ast.Name(id=name)):
            return name == VISITOR
        case ast.Call():
            name = last_name(node.func)
            if name in INJECTING or _is_of_session(node, KEEPING_ROW):
                return True
            given = (*node.args, *(word.value for word in node.keywords))
            return (words(name) or [""])[0] in FETCHING and any(map(_is_session, given))
    return False


def _may_read(node: ast.AST, names: Collection[str]) -> bool:
    if isinstance(node, ast.Attribute):
        if node.attr in ("object", "instance"):
            return isinstance(node.value, ast.Name)
        return node.attr in MANAGERS or _is_user(node) or (node.attr == "query" and _may_be_class(node.value))
    if not isinstance(node, ast.Call):
        return False
    name = last_name(node.func)
    if name in BY_KEY and node.args and (_may_be_class(node.args[0]) or isinstance(node.args[0], ast.Compare)):
        return True
    if name == "get_or_404":
        return True
    if name in WITH_KEYWORDS:
        return _only_django(name, node)
    if name == "query":
        return bool(node.args) and (_may_be_class(node.args[0]) or isinstance(node.args[0], ast.Attribute))
    return name in names and name not in COMMITS and name not in SAVING and name not in ("object", "instance")


def _only_django(name: str, call: ast.Call) -> bool:
    """Whether a call may be one of a manager or queryset, and of nothing else."""
    if name == "order_by":
        return any(isinstance(arg, ast.Constant) and isinstance(arg.value, str) for arg in call.args)
    return bool(call.keywords) and (name in ("filter", "exclude", "annotate") or not call.args)


def _may_be_class(node: ast.AST) -> bool:
    name = last_name(node).lstrip("_")
    if isinstance(node, ast.Call) or name == "class__":
        return True
    is_capital = name[:1].isupper() and not name.isupper()
    return is_capital or is_class_word(name)


def asks_claim(root: ast.AST) -> set[str]:
    """The columns whose state a function may move on rows, and any where it may dispatch, delete or update rows."""
    found = {target.attr for node in inside(root) for target in _moved(node) if not _is_self(target.value)}
    for node in inside(root):
        if isinstance(node, ast.Call):
            name = last_name(node.func)
            if name in DISPATCHING or (name in ("delete", "adelete") and _last_name_of_row(node)):
                found.add(ANY)
            found |= _updated(node)
    return found


def asks_own_claim(root: ast.AST) -> set[str]:
    """The columns whose state a method may move on its own object."""
    return {target.attr for node in inside(root) for target in _moved(node) if _is_self(target.value)}


def answers_claim(root: ast.AST, names: Collection[str]) -> set[str]:
    """The columns that the queries in a piece of the text may test."""
    found: set[str] = set()
    for node in inside(root):
        if isinstance(node, ast.Call) and last_name(node.func) in {*names, *JUNCTIONS}:
            found.update(word.arg.partition("__")[0] for word in node.keywords if word.arg is not None)
            parts = (part for arg in node.args for part in ast.walk(arg))
            found.update(part.attr for part in parts if isinstance(part, ast.Attribute))
    if not STATES.isdisjoint(word for column in found for word in words(column)):
        found.add(ANY)
    return found


def _last_name_of_row(call: ast.Call) -> str:
    """The row that a call deletes: `row.delete()`, `session.delete(row)`."""
    row = call.args[0] if call.args else call.func.value if isinstance(call.func, ast.Attribute) else None
    return row.id if isinstance(row, ast.Name) and not call.keywords else ""


def _updated(call: ast.Call) -> set[str]:
    """The columns that an UPDATE with a condition sets, any for a DELETE with one."""
    links: list[ast.Call] = []
    node: ast.AST = call
    while isinstance(node, ast.Call):
        links.append(node)
        node = node.func.value if isinstance(node.func, ast.Attribute) else node.func
    made = {last_name(link.func) for link in links}
    if made.isdisjoint(FILTERS) or made.isdisjoint(_UPDATING):
        return set()
    found = set() if made.isdisjoint({"delete", "adelete"}) else {ANY}
    for link in links:
        if last_name(link.func) in ("update", "aupdate", "values"):
            found.update(word.arg for word in link.keywords if word.arg is not None)
            for key in (key for arg in link.args if isinstance(arg, ast.Dict) for key in arg.keys):
                found.add(
                    key.value
                    if isinstance(key, ast.Constant) and isinstance(key.value, str)
                    else _last_name_or_any(key)
                )
    return found


def _last_name_or_any(node: ast.AST | None) -> str:
    return ANY if node is None else last_name(node) or ANY


@remembered
def _written(root: ast.AST) -> tuple[tuple[ast.expr, str], ...]:
    """The objects whose attributes may be written from their old values, each with what that asks."""
    nodes = inside(root)
    sources = _Sources(nodes)
    changed = [pair for node in nodes if node.__class__ in _CHANGED for pair in _changed(node, sources)]
    if not changed:
        return ()
    aliases = {name: held for node in nodes for name, held in _aliases(node)}
    held = ((aliases.get(target.id) if isinstance(target, ast.Name) else target, asked) for target, asked in changed)
    return tuple((one.value, asked) for one, asked in held if isinstance(one, ast.Attribute) and _may_be_column(one))


#: The node types that `_changed` knows.
_CHANGED = frozenset({ast.AugAssign, ast.Assign, ast.AnnAssign, ast.Delete, ast.Call})


def _may_be_column(node: ast.Attribute) -> bool:
    if node.attr in NO_COLUMNS or node.attr.startswith("_"):
        return False
    chain: ast.AST = node.value
    while isinstance(chain, ast.Attribute | ast.Subscript):
        if last_name(chain) in NO_ROWS:
            return False
        if _is_user(chain):
            return True
        chain = chain.value
    return last_name(chain) not in NO_ROWS


def _is_user(node: ast.AST) -> bool:
    """`request.user` is a row that the middleware has read."""
    return isinstance(node, ast.Attribute) and node.attr == "user" and last_name(node.value) == "request"


class _Sources:
    """What the locals of a function may be made from: the attributes, as far as assignments tell."""

    def __init__(self, nodes: Iterable[ast.AST]) -> None:
        self._nodes = nodes
        self._names: dict[str, set[str]] = {}
        self._attributes: dict[str, set[str]] = {}
        self._is_read = False
        self._loaded: set[tuple[str, str]] | None = None

    def _read(self) -> None:
        """Most functions write no attribute that needs it."""
        self._is_read = True
        for node in self._nodes:
            match node:
                case ast.Assign(targets=targets, value=value):
                    for target in targets:
                        self._add(target, value)
                case (
                    ast.AnnAssign(target=target, value=ast.expr() as value) | ast.AugAssign(target=target, value=value)
                ):
                    self._add(target, value)
                case ast.NamedExpr(target=target, value=value):
                    self._add(target, value)

    def _add(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            names, attributes = _mentioned(value)
            self._names.setdefault(target.id, set()).update(names)
            # What starts empty may be filled from anything.
            self._attributes.setdefault(target.id, set()).update(attributes or ({ANY} if not names else ()))

    def reads(self, target: ast.Attribute) -> bool:
        """Whether the function reads what it writes: an attribute of this name, of what is called so."""
        if self._loaded is None:
            loaded = (node for node in self._nodes if isinstance(node, ast.Attribute))
            self._loaded = {_of_owner(node) for node in loaded if isinstance(node.ctx, ast.Load)}
        return _of_owner(target) in self._loaded

    def lead_to(self, value: ast.expr, attribute: str) -> bool:
        """Whether a value may be made from an attribute of this name."""
        if not self._is_read:
            self._read()
        names, attributes = _mentioned(value)
        pending = list(names)
        while pending:
            name = pending.pop()
            attributes |= self._attributes.get(name, set())
            fresh = self._names.get(name, set()) - names
            names |= fresh
            pending += fresh
        return attribute in attributes or ANY in attributes


def _of_owner(node: ast.Attribute) -> tuple[str, str]:
    return last_name(node.value), node.attr


def _mentioned(value: ast.expr) -> tuple[set[str], set[str]]:
    parts = list(ast.walk(value))
    names = {part.id for part in parts if isinstance(part, ast.Name)}
    return names, {part.attr for part in parts if isinstance(part, ast.Attribute)}


def _changed(node: ast.AST, sources: _Sources) -> Iterator[tuple[ast.expr, str]]:
    """The attributes that a node may write, and the names of what it may change in place."""
    match node:
        case ast.AugAssign(target=ast.Attribute() as target):
            yield target, ANY
        case ast.AugAssign(target=ast.Subscript() as target):
            yield _container(target), ANY
        case ast.Assign(targets=targets):
            yield from _assigned(targets, node.value, sources)
        case ast.AnnAssign(target=target) if node.value is not None:
            yield from _assigned([target], node.value, sources)
        case ast.Delete(targets=targets):
            yield from ((_container(target), ANY) for target in targets if isinstance(target, ast.Subscript))
        case ast.Call(func=ast.Attribute(value=value, attr=method)):
            if method in CHANGING:
                yield _container(value), _of_collection(method, node)
            if method in SENDING:
                yield from _sent(node, sources)


def _sent(call: ast.Call, sources: _Sources) -> Iterator[tuple[ast.expr, str]]:
    """The rows from whose old values an UPDATE may get its new ones, whatever they are called."""
    given = [(word.arg, word.value) for word in call.keywords if word.arg is not None]
    for arg in call.args:
        if isinstance(arg, ast.Dict):
            given += [(_key(key), value) for key, value in zip(arg.keys, arg.values, strict=True)]
    for column, value in given:
        if column and _may_be_made(value) and sources.lead_to(value, column):
            yield ast.Attribute(ast.Name("row"), column), ANY


def _key(node: ast.expr | None) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else "" if node is None else last_name(node)


def _of_collection(method: str, call: ast.Call) -> str:
    """What a change in place asks: it may be one of a manager or of a relationship, which SQLAlchemy's append is."""
    if method in ONLY_COLLECTIONS or (method == "update" and call.args):
        return ANY
    return _APPENDED if method in ("append", "extend") else _IN_PLACE


def _assigned(targets: list[ast.expr], value: ast.expr, sources: _Sources) -> Iterator[tuple[ast.expr, str]]:
    for target in targets:
        if isinstance(target, ast.Subscript):
            yield _container(target), ANY
        elif (
            isinstance(target, ast.Attribute)
            and _may_be_made(value)
            and sources.reads(target)
            and sources.lead_to(value, target.attr)
        ):
            yield target, ANY


def _may_be_made(value: ast.expr) -> bool:
    match value:
        case ast.Constant() | ast.Attribute() | ast.Lambda() | ast.Compare() | ast.Await():
            return False
        case ast.Subscript():
            return isinstance(value.slice, ast.Slice) and _may_be_made(value.value)
        case ast.JoinedStr():
            return sum(isinstance(part, ast.FormattedValue) for part in value.values) > 1
        case ast.Call():
            name = last_name(value.func)
            return name in COPYING | CHOOSING | MERGING | SPLITTING or not COMBINING.isdisjoint(words(name))
        case ast.IfExp():
            return _may_be_made(value.body) or _may_be_made(value.orelse)
        case ast.BoolOp():
            return any(_may_be_made(part) for part in value.values)
        case ast.List() | ast.Tuple() | ast.Set():
            return any(isinstance(part, ast.Starred) for part in value.elts)
        case ast.Dict():
            return None in value.keys
    return True


def _aliases(node: ast.AST) -> Iterator[tuple[str, ast.Attribute]]:
    """The locals that a node binds to what an attribute holds, or to its items."""
    match node:
        case ast.Assign(value=ast.Attribute() as held):
            yield from ((target.id, held) for target in node.targets if isinstance(target, ast.Name))
        case (
            ast.AnnAssign(target=ast.Name(id=name), value=ast.Attribute() as held)
            | ast.NamedExpr(target=ast.Name(id=name), value=ast.Attribute() as held)
        ):
            yield name, held
        case (
            ast.For(iter=ast.Attribute() as held)
            | ast.AsyncFor(iter=ast.Attribute() as held)
            | ast.For(iter=ast.Call(func=ast.Attribute(value=ast.Attribute() as held, attr="items" | "values")))
        ):
            yield from ((part.id, held) for part in ast.walk(node.target) if isinstance(part, ast.Name))


def _moved(node: ast.AST) -> Iterator[ast.Attribute]:
    """The attributes that a node sets to what may be another state."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Attribute) and may_be_state(node.value, target.attr):
                yield from [target] if last_name(target.value) not in NO_ROWS else []


def may_be_state(value: ast.expr, column: str) -> bool:
    """Whether a value is written in the code, the time, or who has taken the row."""
    if column in KEYS or column.startswith("_"):
        return False
    if isinstance(value, ast.Name | ast.Attribute) and is_claimant(column, words(column)):
        return True
    match value:
        case ast.IfExp():
            return may_be_state(value.body, column) and may_be_state(value.orelse, column)
        case ast.Constant():
            return True
        case ast.List() | ast.Tuple() | ast.Set():
            return bool(value.elts)
        case ast.Call():
            name = last_name(value.func)
            return not NOW.isdisjoint([name, *words(name)]) or name in ("true", "false", "null")
        case ast.Name(id=name):
            return name.isupper() or not (STATES | TAKERS).isdisjoint(words(column)) or not NOW.isdisjoint(words(name))
        case ast.Attribute():
            chain = ast.unparse(value)
            return (
                any(part[:1].isupper() for part in chain.split("."))
                or not (STATES | TAKERS).isdisjoint(words(column))
                or not {"now", "timestamp"}.isdisjoint(words(chain))
            )
    return False


def _container(node: ast.expr) -> ast.expr:
    while True:
        if isinstance(node, ast.Subscript):
            node = node.value
        elif (
            isinstance(node, ast.Call)
            and last_name(node.func) in ("setdefault", "get")
            and isinstance(node.func, ast.Attribute)
        ):
            node = node.func.value
        else:
            return node


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in _SELF
