"""What the gate asks of pieces of an `ast` tree: the words in them, what they call, bind and rename. Read-only."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Collection, Iterable, Iterator

from flake8_concurrency.knowledge import libraries
from flake8_concurrency.model import pieces

WORD = re.compile(r"[^\W\d]\w*")
# Each of these begins with something that a search finds fast: the text is read four times in less time than once with
# one expression for all. Most texts are ASCII, for which the first two are faster still.
_NAME = {
    True: re.compile(r"(?<![.\w])[A-Za-z_]\w*", re.ASCII),
    False: re.compile(r"(?<![.\w])[^\W\d]\w*"),
}
_ATTRIBUTE = {
    True: re.compile(r"\.\s*([A-Za-z_]\w*)", re.ASCII),
    False: re.compile(r"\.\s*([^\W\d]\w*)"),
}
#: Makes a blank of every byte that stands in no word.
_BLANKS = bytes(byte if chr(byte) in f"{string.ascii_letters}{string.digits}_" else 32 for byte in range(256))
#: A string longer than this is no annotation.
_LONGEST_ANNOTATION = 200
#: Fields that hold text, numbers or markers.
_NO_NODES = frozenset(
    """ctx op ops id attr arg name asname module names level kind type_comment type_ignores conversion simple is_async
    rest kwd_attrs n s""".split()
)
_WITH_HOLES = frozenset({ast.Dict, ast.arguments, ast.MatchMapping})
_fields: dict[type[ast.AST], tuple[str, ...]] = {}

Function = ast.FunctionDef | ast.AsyncFunctionDef
#: The same for `isinstance`, which is faster with a tuple.
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


#: Functions and methods that give back what they are given, or something made of its kind.
GIVING = frozenset(
    """list sorted set frozenset tuple iter reversed deque tqdm trange track islice cycle takewhile next enumerate
    zip filter map type partial partialmethod as_completed cast chain dict defaultdict OrderedDict closing
    aclosing nullcontext
    wait wait_for create_task ensure_future to_thread run_sync copy deepcopy shield assert_type unwrap submit
    run_in_executor enter_context enter_async_context gather setdefault pop getattr super max min wraps""".split()
) | {name.rpartition(".")[2] for name in libraries.FROM_ARGUMENT}
_GENERIC = frozenset("list dict set tuple type frozenset".split())
_THIS = frozenset({"self", "cls"})
#: Functions that read what they are given, as `for` does.
_READING = frozenset("list tuple set frozenset sorted sum any all max min dict next deque".split())


#: Functions that ask what they are given, as `if` does.
_ASKING = frozenset({"len", "bool"})

#: Methods that run without their name standing where they are used.
SPECIAL = frozenset(
    """__init__ __new__ __post_init__ __attrs_post_init__ model_post_init __enter__ __aenter__ __exit__ __aexit__
    __call__ __iter__ __aiter__ __next__ __anext__ __getitem__ __await__ __truediv__""".split()
)


#: Methods that put something into a container.
FILLING = frozenset("append appendleft add insert put put_nowait extend extendleft update setdefault".split())


class Called:
    """A call: the last name of its callee, whether it runs on the event loop, and the words of the whole callee.

    `with`, `for` and `if` call too; their words are those of what they enter, read and test.
    """

    __slots__ = ("_giving", "_node", "_words", "call", "name", "on_loop")

    def __init__(
        self, name: str, on_loop: bool, node: ast.AST, giving: Collection[str], call: ast.Call | None = None
    ) -> None:
        self.name, self.on_loop = name, on_loop
        #: The call itself, where it is one.
        self.call = call
        self._node, self._giving = node, giving
        self._words: set[str] | None = None

    @property
    def words(self) -> set[str]:
        """Asked of few calls: most have names that no rule looks for."""
        if self._words is None:
            self._words = value_words(self._node, self._giving)
        return self._words

    @property
    def all_words(self) -> set[str]:
        """The words of the callee and of what it is given."""
        return words(self.call or self._node)


def words_of(text: str) -> set[str]:
    """All words of a text, numbers among them. Most texts are ASCII, whose words are found three times as fast."""
    return set(text.encode().translate(_BLANKS).decode().split()) if text.isascii() else set(WORD.findall(text))


def names_in(text: str) -> set[str]:
    """The words of a text that stand anywhere but after a dot."""
    return set(_NAME[text.isascii()].findall(text))


def attributes_in(text: str) -> list[str]:
    """The words of a text that stand after a dot, each as often as it does."""
    return _ATTRIBUTE[text.isascii()].findall(text)


def node_fields(kind: type[ast.AST]) -> tuple[str, ...]:
    """The fields of a node type in which nodes may be."""
    found = _fields.get(kind)
    if found is None:
        if issubclass(kind, ast.Import | ast.ImportFrom):
            found = ("names",)
        elif issubclass(kind, ast.Constant | ast.Global | ast.Nonlocal | ast.MatchSingleton):
            found = ()
        else:
            found = tuple(name for name in kind._fields if name not in _NO_NODES)
        _fields[kind] = found
    return found


def children(node: ast.AST) -> list[ast.AST]:
    """The child nodes, operators and contexts left out: `ast.iter_child_nodes` at half the cost."""
    found: list[ast.AST | None] = []
    for name in node_fields(node.__class__):
        value = getattr(node, name, None)
        if value.__class__ is list:
            found += value
        elif value is not None:
            found.append(value)
    # `{**x}` has no key there, and a keyword-only parameter need not have a default.
    return [child for child in found if child] if node.__class__ in _WITH_HOLES else found  # type: ignore[return-value]


def inside(root: ast.AST) -> list[ast.AST]:
    """A node and all nodes below it, in no particular order."""
    found: list[ast.AST] = []
    stack: list[ast.AST | None] = [root]
    while stack:
        node = stack.pop()
        # `{**x}` has no key there, and a keyword-only parameter need not have a default.
        if node is None:
            continue
        found.append(node)
        # What `children` does, without a call for every node.
        kind = node.__class__
        fields = _fields.get(kind)
        for name in node_fields(kind) if fields is None else fields:
            value = getattr(node, name, None)
            if value.__class__ is list:
                stack += value
            else:
                stack.append(value)
    return found


def words(root: ast.AST | None) -> set[str]:
    """The names and attributes in a piece of a tree, and the words of its strings: they may be annotations."""
    found: set[str] = set()
    for node in () if root is None else inside(root):
        kind = node.__class__
        if kind is ast.Name:
            found.add(node.id)  # type: ignore[attr-defined]
        elif kind is ast.Attribute:
            found.add(_attribute(node))  # type: ignore[arg-type]
        elif kind is ast.Constant:
            value = node.value  # type: ignore[attr-defined]
            if value.__class__ is str and len(value) < _LONGEST_ANNOTATION:
                found.update(WORD.findall(value))
    return found


def _attribute(node: ast.Attribute) -> str:
    base = node.value
    return own(node.attr) if base.__class__ is ast.Name and base.id in _THIS else node.attr


def value_words(root: ast.AST | None, giving: Collection[str] = GIVING) -> set[str]:
    """The words that may tell the kind of an expression's value: what calls are given tells nothing, but for `giving`.

    `giving` are the functions that give back what they are given, or something made of its kind.
    """
    found: set[str] = set()
    stack: list[ast.AST] = [] if root is None else [root]
    while stack:
        node = stack.pop()
        match node:
            case ast.Name() | ast.Attribute() | ast.Constant():
                found |= words(node)
            case ast.Call():
                stack.append(node.func)
                if any(name in giving for name in last_names(node.func)):
                    stack += [*node.args, *(keyword.value for keyword in node.keywords)]
            case ast.Subscript():
                stack.append(node.value)
                # `Queue[Future]` is a type; what an object is indexed with tells nothing.
                if any(name[:1].isupper() or name in _GENERIC for name in last_names(node.value)):
                    stack.append(node.slice)
            case ast.IfExp():
                stack += [node.body, node.orelse]
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp():
                stack.append(node.elt)
            case ast.DictComp():
                stack += [node.key, node.value]
            case ast.Lambda():
                stack.append(node.body)
            case ast.Compare() | ast.JoinedStr():
                pass
            case _:
                stack += children(node)
    return found


def result(node: Function, giving: Collection[str] = GIVING) -> set[str]:
    """The words that may tell what calling a function gives."""
    if node.returns is not None:
        return words(node.returns)
    given = (n.value for n in inside(node) if isinstance(n, ast.Return | ast.Yield | ast.YieldFrom))
    return {word for part in given for word in value_words(part, giving)}.union(*map(words, node.decorator_list))


def own(attribute: str) -> str:
    """Stands among words for an attribute of a method's own object; other classes may have one of the same name."""
    return "self." + attribute


def bare(word: str) -> str:
    """An attribute's name, also of the own object's."""
    return word.removeprefix("self.")


def own_statements(root: ast.AST) -> Iterator[ast.stmt]:
    """The statements of a function, or of a class's own body without its methods."""
    if isinstance(root, ast.ClassDef):
        yield root
    stack: list[ast.AST] = _without_methods([*root.body]) if isinstance(root, ast.ClassDef) else [root]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.stmt):
            yield node
        # Only compound statements, handlers and cases hold statements.
        for part in _HOLDING.get(node.__class__, ()):
            stack += getattr(node, part)


_HOLDING: dict[type[ast.AST], tuple[str, ...]] = {
    kind: tuple(name for name in ("body", "orelse", "finalbody", "handlers", "cases") if name in kind._fields)
    for kind in (
        *(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.If, ast.For, ast.AsyncFor, ast.While, ast.With),
        *(ast.AsyncWith, ast.Try, ast.TryStar, ast.ExceptHandler, ast.Match, ast.match_case),
    )
}


def _without_methods(body: list[ast.AST]) -> list[ast.AST]:
    return [node for node in body if not isinstance(node, FUNCTIONS)]


# -- calls -------------------------------------------------------------------------------------------------------------


@pieces.remembered
def _running(root: ast.AST) -> list[tuple[ast.AST, bool]]:
    """What a function calls and tests, or a class's body without its methods, each with whether it runs on the loop.

    Calls that are awaited are left out.
    """
    found: list[tuple[ast.AST, bool]] = []
    apart = {id(node) for node in root.body if isinstance(node, FUNCTIONS)} if isinstance(root, ast.ClassDef) else set()
    pending: list[tuple[ast.AST, bool]] = [(root, False)]
    while pending:
        # One that runs elsewhere than what is around it waits for its turn.
        first, on_loop = pending.pop()
        stack = [first]
        while stack:
            node = stack.pop()
            kind = node.__class__
            # Most nodes are names, attributes and constants: one look tells them from all that matters.
            if kind in _TOLD:
                if isinstance(node, FUNCTIONS):
                    if id(node) not in apart:
                        # Decorators and defaults run where the function is defined.
                        stack += [*node.decorator_list, node.args]
                        pending += [(child, isinstance(node, ast.AsyncFunctionDef)) for child in node.body]
                    continue
                if isinstance(node, ast.Await):
                    if isinstance(node.value, ast.Call):
                        node = node.value
                else:
                    found.append((node, on_loop))
            stack += children(node)
    return found


#: For `isinstance`, which is faster with a tuple.
_ITERATING = (ast.For, ast.comprehension)
#: What `awaited` knows.
_AWAITING = frozenset({ast.Await, ast.AsyncWith})
#: What `calls` and `tested` know, and what tells where they run.
_TOLD = frozenset(
    {
        *(ast.Call, ast.With, ast.YieldFrom, ast.For, ast.comprehension, ast.If, ast.While, ast.IfExp, ast.Assert),
        *(ast.Await, *FUNCTIONS),
    }
)


def calls(root: ast.AST, giving: Collection[str] = GIVING) -> list[Called]:
    """Everything that is called and not awaited in a function, or in a class's own body without its methods."""
    found: list[Called] = []
    for node, on_loop in _running(root):
        if isinstance(node, ast.Call):
            names = last_names(node.func)
            found += [Called(name, on_loop, node.func, giving, node) for name in names]
            if node.args and not _READING.isdisjoint(names):
                found.append(Called("for", on_loop, node.args[0], giving))
        elif isinstance(node, ast.With):
            found += [Called("with", on_loop, item.context_expr, giving) for item in node.items]
        elif isinstance(node, ast.YieldFrom):
            found.append(Called("for", on_loop, node.value, giving))
        elif isinstance(node, _ITERATING):
            found.append(Called("for", on_loop, node.iter, giving))
    return found


def tested(root: ast.AST, giving: Collection[str]) -> list[Called]:
    """Everything that is tested for truth, or measured, in a piece of a tree: what `if` calls."""
    found: list[tuple[ast.AST, bool]] = []
    for node, on_loop in _running(root):
        if isinstance(node, ast.If | ast.While | ast.IfExp | ast.Assert):
            found.append((node.test, on_loop))
        elif isinstance(node, ast.comprehension):
            found += [(test, on_loop) for test in node.ifs]
        elif isinstance(node, ast.Call) and node.args and not _ASKING.isdisjoint(last_names(node.func)):
            found.append((node.args[0], on_loop))
    return [Called("if", on_loop, test, giving) for test, on_loop in found if test.__class__ is not ast.Compare]


def awaited(root: ast.AST, giving: Collection[str] = GIVING) -> list[Called]:
    """Everything that is called and awaited in a piece of a tree; `async with` calls too."""
    found: list[Called] = []
    for node in pieces.below(root):
        if node.__class__ not in _AWAITING:
            continue
        if isinstance(node, ast.Await) and isinstance(node.value, ast.Call):
            func = node.value.func
            found += [Called(name, True, func, giving) for name in last_names(func)]
        elif isinstance(node, ast.AsyncWith):
            found += [Called("async with", True, item.context_expr, giving) for item in node.items]
    return found


def given(root: ast.AST, names: Collection[str]) -> set[str]:
    """The words of what calls of these names are given in a piece of a tree."""
    calls_in = (node for node in inside(root) if isinstance(node, ast.Call))
    made = (call for call in calls_in if any(name in names for name in last_names(call.func)))
    return {word for call in made for part in (*call.args, *call.keywords) for word in value_words(part)}


def last_names(func: ast.AST) -> list[str]:
    """The names by which a callee may be listed: `sleep` for `time.sleep`; all words where it is itself computed."""
    while isinstance(func, ast.Subscript):
        func = func.value
    if isinstance(func, ast.Attribute):
        return [func.attr]
    return [func.id] if isinstance(func, ast.Name) else list(words(func))


# -- bindings ----------------------------------------------------------------------------------------------------------


def bound(root: ast.AST, giving: Collection[str] = GIVING) -> dict[str, set[str]]:
    """For each name and attribute that a function or a class's own body binds: the words of what it may be bound to."""
    found: dict[str, set[str]] = {}
    for node in pieces.own(root):
        if node.__class__ not in _BINDING:
            continue
        for targets, values in _bindings(node):
            given = {word for value in values for word in value_words(value, giving)}
            for name in (name for target in targets for name in _bound_to(target)) if given else ():
                found.setdefault(name, set()).update(given)
        for name, others in _named(node, root, giving):
            found.setdefault(name, set()).update(others)
    return found


def _bound_to(target: ast.AST) -> Iterable[str]:
    """The names and attributes that a target gives a value: of `a.b` and `a.b[k]` it is `b`, not `a`."""
    if isinstance(target, ast.Tuple | ast.List):
        return [name for part in target.elts for name in _bound_to(part)]
    name = pieces.stored_name(target)
    return [name] if name else map(bare, value_words(target))


#: The node types that `_bindings` and `_named` know.
_BINDING = frozenset(
    {
        *(
            ast.Assign,
            ast.AnnAssign,
            ast.AugAssign,
            ast.NamedExpr,
            ast.For,
            ast.AsyncFor,
            ast.comprehension,
            ast.withitem,
        ),
        *(
            ast.Call,
            ast.Match,
            ast.arg,
            ast.Import,
            ast.ImportFrom,
            ast.FunctionDef,
            ast.AsyncFunctionDef,
            ast.ClassDef,
        ),
    }
)
_Pair = tuple[Iterable[ast.AST], Iterable[ast.AST | None]]


def _bindings(node: ast.AST) -> list[_Pair]:
    match node:
        case ast.Assign():
            return [(node.targets, [node.value])]
        case ast.AnnAssign():
            return [([node.target], [node.annotation, node.value])]
        case ast.AugAssign() | ast.NamedExpr():
            return [([node.target], [node.value])]
        case ast.For() | ast.AsyncFor() | ast.comprehension():
            return [([node.target], [node.iter])]
        case ast.withitem(optional_vars=ast.expr() as target):
            return [([target], [node.context_expr])]
        case ast.Call(func=ast.Attribute(value=filled, attr=method)) if method in FILLING:
            # `futures.append(x)` tells what the container holds.
            return [([filled], node.args)]
        case ast.Call(func=ast.Name(id="isinstance"), args=[tested, *classes]):
            return [([tested], classes)]
        case ast.Match():
            return [_captured(node.subject, case.pattern) for case in node.cases]
    return []


def _captured(subject: ast.expr, pattern: ast.pattern) -> _Pair:
    """A case binds its captures, and tells what the subject is by the classes it names."""
    parts = inside(pattern)
    names = (n.name for n in parts if isinstance(n, ast.MatchAs | ast.MatchStar) and n.name is not None)
    classes = [n.cls for n in parts if isinstance(n, ast.MatchClass)]
    return [subject, *(ast.Name(name, ast.Store()) for name in names)], [subject, *classes]


def _named(node: ast.AST, root: ast.AST, giving: Collection[str]) -> list[tuple[str, Iterable[str]]]:
    match node:
        case ast.arg(annotation=ast.expr() as annotation):
            return [(node.arg, words(annotation))]
        case ast.Import():
            return [((a.asname or a.name).partition(".")[0], _imported(a.name)) for a in node.names]
        case ast.ImportFrom():
            module = "" if node.level else node.module or ""
            return [(a.asname or a.name, [*_imported(module), a.name]) for a in node.names]
        case ast.AnnAssign(target=ast.Name(id=name) | ast.Attribute(attr=name)):
            return [(name, words(node.annotation))]
        case ast.FunctionDef() | ast.AsyncFunctionDef() if node is not root:
            return [(node.name, result(node, giving))]
        case ast.ClassDef() if node is not root:
            return [(node.name, words(node))]
    return []


def _imported(module: str) -> list[str]:
    """The words of a module's name; an import from a package counts by more than its word."""
    return [*WORD.findall(module), imported_from(module)]


def packages(node: ast.Import | ast.ImportFrom) -> list[str]:
    """The packages that a statement imports from."""
    if isinstance(node, ast.Import):
        return [imported_from(alias.name) for alias in node.names]
    return [] if node.level or not node.module else [imported_from(node.module)]


def imported_from(module: str) -> str:
    """Stands among words for an import from the package that a module is in."""
    return "import " + module.partition(".")[0]


def bound_names(root: ast.AST) -> set[str]:
    """Every name that a statement of a module or class binds or fills, whatever is nested in it."""
    found: set[str] = set()
    stack = [root]
    while stack:
        node = stack.pop()
        match node:
            case ast.Constant():
                continue
            case ast.Name(ctx=ast.Store() | ast.Del()):
                found.add(node.id)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                found.add(node.name)
            case ast.alias():
                found.add((node.asname or node.name).partition(".")[0])
            case ast.Call(func=ast.Attribute(value=ast.Name(id=filled), attr=method)) if method in FILLING:
                found.add(filled)
            case ast.Subscript(value=ast.Name(id=filled), ctx=ast.Store()):
                found.add(filled)
        stack += children(node)
    return found


def stores(node: ast.stmt) -> bool:
    """Whether a statement itself assigns or deletes attributes or items, or adds to anything."""
    match node:
        case ast.Assign() | ast.Delete():
            return not all(target.__class__ is ast.Name for target in node.targets)
        case ast.AnnAssign():
            return node.target.__class__ is not ast.Name
        case ast.AugAssign():
            return True
    return False


def stored_attributes(node: ast.stmt) -> Iterator[str]:
    """The attributes of objects that a statement itself assigns: `self.x = `, `self.x[k] += `, `with … as self.x`."""
    match node:
        case ast.Assign():
            pending: list[ast.AST] = list(node.targets)
        case ast.AnnAssign() | ast.AugAssign() | ast.For() | ast.AsyncFor():
            pending = [node.target]
        case ast.With() | ast.AsyncWith():
            pending = [item.optional_vars for item in node.items if item.optional_vars is not None]
        case _:
            return
    while pending:
        target = pending.pop()
        if isinstance(target, ast.Attribute):
            yield target.attr
        elif isinstance(target, ast.Subscript | ast.Starred):
            pending.append(target.value)
        elif isinstance(target, ast.Tuple | ast.List):
            pending += target.elts


# -- other names -------------------------------------------------------------------------------------------------------


def renamings(node: ast.stmt) -> Iterator[tuple[str, str]]:
    """Pairs: a name, and another one that a statement gives to the same thing without calling it."""
    match node:
        case ast.Assign():
            targets, value = node.targets, node.value
        case ast.AnnAssign(value=ast.expr() as value):
            targets = [node.target]
        case ast.Import() | ast.ImportFrom():
            yield from ((a.name.rpartition(".")[2], a.asname) for a in node.names if a.asname is not None)
            return
        case _:
            return
    given = _uncalled(value)
    if given:
        names = [name for target in targets for name in _target_names(target)]
        yield from ((word, name) for word in given for name in names)


def _uncalled(value: ast.expr) -> list[str]:
    """The last names of what a value is, where it is not the result of a call."""
    parts: list[ast.expr] = []
    match value:
        case ast.Name():
            return [value.id]
        case ast.Attribute():
            return [value.attr]
        case ast.Subscript() | ast.NamedExpr():
            parts = [value.value]
        case ast.IfExp():
            parts = [value.body, value.orelse]
        case ast.BoolOp():
            parts = value.values
        case ast.Tuple() | ast.List():
            parts = value.elts
        case ast.Call() if any("partial" in name for name in last_names(value.func)):
            parts = value.args
    return [word for part in parts for word in _uncalled(part)]


def _target_names(target: ast.expr) -> list[str]:
    if isinstance(target, ast.Tuple | ast.List):
        return [name for part in target.elts for name in _target_names(part)]
    return _uncalled(target)
