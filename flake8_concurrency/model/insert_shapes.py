"""What a function must look like, in the `ast` tree, before `inserts` can have anything to say about it.

The gate asks, so this must never be narrower than `looks`, `inserts` and `numbering`, which see the libcst tree.
"""

from __future__ import annotations

import ast
from collections.abc import Collection

from flake8_concurrency.model.insert_words import (
    BULK,
    COUNTS,
    CREATING,
    EXISTS,
    FINDING,
    FOREIGN,
    INSERTING_VERBS,
    RECORD_CHOOSING,
    RECORD_READS,
    SAVING_ROW,
    SERIALIZER,
    SERIALIZING,
    SESSION_ADDING,
    is_creating,
    is_for_numbers,
    is_making,
    is_store_name,
)
from flake8_concurrency.model.locks import is_class_word, words
from flake8_concurrency.model.pieces import Function, below, inside, last_name, own, remembered
from flake8_concurrency.model.vocabulary import BY_KEY, FILTERS, MANAGERS, SHORTCUTS, may_be_session

#: Answered by every look: asked where an insert does not name its model.
_ANY = "*"
#: Answered by looks through `cls` and `self.model`, asked by every insert.
_UNNAMED = "cls"
#: Asked and answered by repositories.
_STORE = "store"
_COUNT = "count()"
#: A word for a class, which may be of any model.
_SOME_MODEL = "model"
#: Methods of a manager that read nothing, or read and insert in one.
_ONLY_CREATING = (
    CREATING | BULK | frozenset("create_user get_or_create aget_or_create update_or_create aupdate_or_create".split())
)

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
_RECORD = RECORD_CHOOSING | {"select"}
_SENDING = SAVING_ROW | SESSION_ADDING | BULK
#: Nothing is asked by a function that has none of these: the words of `Gate.where`.
_BEGINNINGS = {f"{start}{verb}*" for verb in INSERTING_VERBS for start in ("", "_")}
INSERTING_WORDS = CREATING | _SENDING | {"pg_insert"} | _BEGINNINGS


@remembered
def asks_insert(root: ast.AST) -> frozenset[str]:
    """The models of which a function may insert rows."""
    found: set[str] = set()
    sent: list[ast.expr] = []
    for node in inside(root):
        if not isinstance(node, ast.Call):
            continue
        name = last_name(node.func)
        if name in ("insert", "pg_insert"):
            found |= {asked for arg in node.args for asked in _asked(arg)}
        if not isinstance(node.func, ast.Attribute):
            continue
        is_own = is_creating(name) and isinstance(node.func.value, ast.Name)
        is_own = is_own or (is_making(name) and last_name(node.func.value) in MANAGERS)
        if name in CREATING or name in {"create_user", "insert_many"} or is_own:
            found |= _asked(node.func.value)
        elif name in SAVING_ROW:
            sent.append(node.func.value)
        elif name in BULK or (name in SESSION_ADDING and _is_session(node.func.value)):
            sent += [*node.args, *(word.value for word in node.keywords)][:1]
        if _is_store(node.func.value) and words(name)[:1] and words(name)[0] in INSERTING_VERBS:
            found.add(_STORE)
    if sent and isinstance(root, Function) and root.name == "perform_create":
        # What a view of Django REST framework is handed.
        found.add(_ANY)
    found |= {_ANY if _is_class_word(name) else name for name in _made(root, sent)}
    return frozenset(found | {_UNNAMED}) if found else frozenset()


def _is_session(node: ast.expr) -> bool:
    while isinstance(node, ast.Call):
        node = node.func
    return may_be_session(last_name(node))


def _makes_serializer(func: ast.expr) -> bool:
    """Whether a call makes a serializer, whose model other lines tell."""
    name = last_name(func.func if isinstance(func, ast.Call) else func)
    return name.endswith(SERIALIZER) or name in SERIALIZING


def _made(root: ast.AST, sent: list[ast.expr]) -> set[str]:
    """The classes whose new objects may be among what a function sends to the database."""
    held: dict[str, list[ast.expr]] | None = None
    found: set[str] = set()
    followed: set[str] = set()
    pending = list(sent)
    while pending:
        match pending.pop():
            case ast.Call(func=func):
                if _may_be_class(func):
                    found.add(last_name(func))
                if _makes_serializer(func):
                    found.add(_SOME_MODEL)
            case ast.Name(id=name):
                if name not in followed:
                    followed.add(name)
                    held = held or _held(root)
                    pending += held.get(name, ())
            case ast.BoolOp(values=values):
                pending += values
            case ast.IfExp(body=body, orelse=orelse):
                pending += body, orelse
            case ast.NamedExpr(value=value) | ast.Await(value=value) | ast.Starred(value=value):
                pending.append(value)
            case ast.ListComp(elt=elt) | ast.GeneratorExp(elt=elt):
                pending.append(elt)
            case ast.List(elts=elts) | ast.Tuple(elts=elts):
                pending += elts
    return found


def _held(root: ast.AST) -> dict[str, list[ast.expr]]:
    """By name: what the locals of a function may hold, or hold among others."""
    found: dict[str, list[ast.expr]] = {}
    for node in own(root):
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    if isinstance(target, ast.Name):
                        found.setdefault(target.id, []).append(value)
            case (
                ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
                | ast.NamedExpr(target=ast.Name(id=name), value=value)
                | ast.For(target=ast.Name(id=name), iter=value)
                | ast.AsyncFor(target=ast.Name(id=name), iter=value)
                | ast.comprehension(target=ast.Name(id=name), iter=value)
                | ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="append"), args=[value])
            ):
                found.setdefault(name, []).append(value)
    return found


def _asked(receiver: ast.AST) -> set[str]:
    """The model of what `create` is called on: `M.objects`, `M`, and any where it is not named."""
    node = receiver
    named = isinstance(node, ast.Name)
    while isinstance(node, ast.Call | ast.Attribute):
        if isinstance(node, ast.Call):
            if last_name(node.func) == "get_user_model":
                return {"get_user_model"}
            named = True
            node = node.func
            continue
        if _is_capital(node.attr):
            return {node.attr}
        # The model of `order.items` is not known, that of `self.model.objects` and of `self.queryset` may be.
        own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
        named = named or node.attr in MANAGERS or own
        node = node.value
    name = last_name(node)
    if _is_capital(name):
        return {name}
    return {_ANY} if named else set()


def answers_look(root: ast.AST, names: Collection[str]) -> set[str]:
    """The models whose rows a piece of the text may look for."""
    del names
    found: set[str] = set()
    nodes = inside(root)
    creating = {id(manager) for node in nodes if isinstance(node, ast.Call) for manager in _creating(node)}
    for node in nodes:
        if isinstance(node, ast.Attribute):
            is_manager = (node.attr in MANAGERS or node.attr == "query") and id(node) not in creating
            # `except Tag.DoesNotExist` tells what was looked for where the query doesn't.
            if is_manager or node.attr == "DoesNotExist":
                found |= _looked_for(node.value)
        elif isinstance(node, ast.Call):
            found |= _looked_by(node)
    return found | {_ANY} if found else found


def _creating(call: ast.Call) -> list[ast.AST]:
    """The manager that a call only creates with: `M.objects` of `M.objects.create(...)`."""
    func = call.func
    if not isinstance(func, ast.Attribute) or not isinstance(func.value, ast.Attribute):
        return []
    return [func.value] if func.attr in _ONLY_CREATING or is_making(func.attr) else []


def _looked_by(call: ast.Call) -> set[str]:
    name = last_name(call.func)
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
        if name in _RECORD and (name == "select" or call.keywords or any(map(_compares, call.args))):
            found |= _looked_for(call.func.value)
        if name in FINDING and _is_store(call.func.value):
            found.add(_STORE)
    return found


def _compares(node: ast.AST) -> bool:
    return any(isinstance(part, ast.Compare) for part in ast.walk(node))


def _looked_for(node: ast.AST) -> set[str]:
    """The class that a node may name, or whose column it may be."""
    found: set[str] = set()
    while isinstance(node, ast.Attribute | ast.Call):
        if isinstance(node, ast.Call):
            if last_name(node.func) in ("get_user_model", "type"):
                found |= {last_name(node.func), _UNNAMED}
            node = node.func
            continue
        found |= _named(node.attr)
        node = node.value
    return found | _named(last_name(node))


def _named(name: str) -> set[str]:
    if _is_class_word(name) or name == "__class__":
        return {_UNNAMED}
    return {name} if _is_capital(name) else set()


# -- numbers -----------------------------------------------------------------------------------------------------------

#: One of them stands in every text that makes a number of the rows that are there.
NUMBERING = COUNTS | {"Max", "max", "order_by", "latest", "alatest", "len"}


@remembered
def asks_number(root: ast.AST) -> frozenset[str]:
    """The columns whose largest value a function may read, and the count where it may count rows."""
    found: set[str] = set()
    for node in inside(root):
        if isinstance(node, ast.Call):
            name = last_name(node.func)
            is_method = isinstance(node.func, ast.Attribute)
            if node.args and (name in ("Max", "latest", "alatest", "order_by") or (name == "max" and is_method)):
                found.add(_column(node.args[0]))
            elif (name in COUNTS and is_method) or name == "len":
                found.add(_COUNT)
    return frozenset(found - {""})


def _column(node: ast.AST) -> str:
    """The column of an aggregate or an order: `"-number"`, `M.number.desc()`, `desc(M.number)`."""
    while isinstance(node, ast.Call | ast.UnaryOp):
        if isinstance(node, ast.UnaryOp):
            node = node.operand
        elif isinstance(node.func, ast.Attribute) and node.func.attr == "desc" and not node.args:
            node = node.func.value
        else:
            node = node.args[0] if node.args else ast.Pass()
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value.removeprefix("-")
    return node.attr if isinstance(node, ast.Attribute) else ""


def answers_number(root: ast.AST, names: Collection[str]) -> set[str]:
    """The columns to which a piece of the text may give a number, and the count where one of them is for numbers."""
    del names
    found: set[str] = set()
    for node in below(root):
        match node:
            case ast.keyword(arg=str() as name, value=value) if _may_be_number(value):
                if not (isinstance(value, ast.Name) and value.id == name and name in FOREIGN):
                    found.add(name)
            case ast.Assign(targets=targets, value=value) if _may_be_number(value):
                found.update(target.attr for target in targets if isinstance(target, ast.Attribute))
            case ast.Dict(keys=keys, values=values):
                pairs = zip(keys, values, strict=True)
                found.update(str(k.value) for k, v in pairs if isinstance(k, ast.Constant) and _may_be_number(v))
    if any(map(is_for_numbers, found)):
        found.add(_COUNT)
    return found


def _may_be_number(node: ast.AST) -> bool:
    """Whether an expression may have been made of a number that was read: not what is only passed on."""
    return not isinstance(node, ast.Constant | ast.Attribute | ast.Compare | ast.List | ast.Dict | ast.Lambda)


# -- names -------------------------------------------------------------------------------------------------------------


def _is_store(node: ast.AST) -> bool:
    while isinstance(node, ast.Attribute):
        if is_store_name(node.attr):
            return True
        node = node.value
    return is_store_name(last_name(node))


def _may_be_class(node: ast.AST) -> bool:
    name = last_name(node)
    return _is_capital(name) or _is_class_word(name) or name == "__class__"


def _is_class_word(name: str) -> bool:
    return is_class_word(name) and not _is_capital(name)


def _is_capital(name: str) -> bool:
    bare = name.lstrip("_")
    return bare[:1].isupper() and not bare.isupper()
