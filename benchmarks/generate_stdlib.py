"""Write `flake8_concurrency/knowledge/stdlib.py`, the standard library's classes and functions, from typeshed.

    python benchmarks/generate_stdlib.py          # writes the table
    python benchmarks/generate_stdlib.py --check  # tells whether the committed table is up to date

The stubs are those that typeshed_client ships, read as for linux. The newest Python decides; names that only an older
supported Python has (`telnetlib`, `ssl.wrap_socket`) are added afterwards.
"""

from __future__ import annotations

import argparse
import ast
import importlib.metadata
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from typeshed_client import finder, parser

TARGET = Path(__file__).resolve().parent.parent / "flake8_concurrency" / "knowledge" / "stdlib.py"

#: The first one wins where two of them know a name.
VERSIONS = ((3, 14), (3, 10))

#: Documented modules. A name that several of them export is named after the first, so packages come before their parts.
MODULES = """
    builtins collections collections.abc contextlib re datetime types typing
    concurrent.futures concurrent.futures.thread concurrent.futures.process concurrent.futures._base
    concurrent.futures.interpreter
    threading queue
    multiprocessing multiprocessing.pool multiprocessing.queues multiprocessing.synchronize multiprocessing.managers
    multiprocessing.connection multiprocessing.shared_memory multiprocessing.sharedctypes multiprocessing.process
    multiprocessing.context multiprocessing.dummy
    subprocess
    asyncio asyncio.base_events asyncio.base_futures asyncio.constants asyncio.coroutines asyncio.events
    asyncio.exceptions asyncio.futures asyncio.locks asyncio.proactor_events asyncio.protocols asyncio.queues
    asyncio.runners asyncio.selector_events asyncio.streams asyncio.subprocess asyncio.taskgroups asyncio.tasks
    asyncio.threads asyncio.timeouts asyncio.transports asyncio.unix_events
    sys os os.path posixpath genericpath io pathlib shutil tempfile glob fileinput
    socket ssl select selectors socketserver
    http http.client http.server http.cookiejar urllib.request urllib.response urllib.error urllib.parse
    urllib.robotparser email.message xmlrpc.client xmlrpc.server wsgiref.simple_server
    sqlite3 sqlite3.dbapi2 smtplib ftplib imaplib poplib telnetlib nntplib
    zipfile tarfile gzip bz2 lzma zlib
    contextvars functools itertools operator
    time zoneinfo logging logging.handlers logging.config dataclasses enum uuid
    json json.decoder json.encoder pickle marshal csv random secrets hashlib hmac
    signal sched netrc pty shelve dbm weakref copy argparse configparser inspect traceback
    string textwrap struct base64 decimal fractions array mmap fcntl getpass code cmd
    atexit gc warnings importlib ctypes codecs shlex platform
    _thread _queue _socket _io
""".split()

#: Spellings a stub does not show as a name of its own.
EXTRA_ALIASES = {
    "typing.AbstractSet": "collections.abc.Set",
    "typing.AsyncContextManager": "contextlib.AbstractAsyncContextManager",
    "typing.ChainMap": "collections.ChainMap",
    "typing.ContextManager": "contextlib.AbstractContextManager",
    "typing.Counter": "collections.Counter",
    "typing.DefaultDict": "collections.defaultdict",
    "typing.Deque": "collections.deque",
    "typing.Dict": "builtins.dict",
    "typing.FrozenSet": "builtins.frozenset",
    "typing.List": "builtins.list",
    "typing.OrderedDict": "collections.OrderedDict",
    "typing.Set": "builtins.set",
    "typing.Tuple": "builtins.tuple",
    "typing.Type": "builtins.type",
}

#: Where two names are documented for one class, or where the stub's own name is the lesser known one.
PREFERRED = {"multiprocessing.pool.ApplyResult": "multiprocessing.pool.AsyncResult"}

#: Functions whose stub says less, or more, than is useful here.
FUNCTION_OVERRIDES = {
    # What they open is a file whatever the mode is.
    "builtins.open": "() -> typing.IO",
    "bz2.open": "() -> typing.IO",
    "codecs.open": "() -> typing.IO",
    "gzip.open": "() -> typing.IO",
    "lzma.open": "() -> typing.IO",
    "os.fdopen": "() -> typing.IO",
    "os.popen": "() -> typing.IO",
    "tempfile.NamedTemporaryFile": "() -> typing.IO",
    "tempfile.TemporaryFile": "() -> typing.IO",
    # typeshed says Any, because a custom opener may return anything.
    "urllib.request.urlopen": "() -> http.client.HTTPResponse",
    # typeshed has an int overload for a sum of bools alone.
    "builtins.sum": "() -> ?",
    # typeshed gives a protocol of its own, for what can be iterated with and without `async`.
    "asyncio.as_completed": "() -> collections.abc.Iterator[asyncio.Future[?]]",
    # Its class is the caller's `factory`, which hardly anybody passes.
    "sqlite3.connect": "() -> sqlite3.Connection",
    # typeshed says Any.
    "multiprocessing.dummy.Pool": "() -> multiprocessing.pool.ThreadPool",
    # Not so only where a lock is refused, or where the caller passes the class of server.
    "multiprocessing.sharedctypes.Array": "() -> multiprocessing.sharedctypes.SynchronizedArray[?]",
    "multiprocessing.sharedctypes.Value": "() -> multiprocessing.sharedctypes.Synchronized[?]",
    "wsgiref.simple_server.make_server": "() -> wsgiref.simple_server.WSGIServer",
}

#: The same for members: (class, member) to member string.
MEMBER_OVERRIDES = {
    ("pathlib.Path", "open"): "() -> typing.IO",
    # An instance of an internal class, and only there once the manager runs.
    ("multiprocessing.managers.BaseManager", "shutdown"): "() -> None",
    ("urllib.request.OpenerDirector", "open"): "() -> http.client.HTTPResponse",
    ("sqlite3.Connection", "cursor"): "() -> sqlite3.Cursor",
    # Only the concrete contexts declare it, yet `get_context(name)` is a BaseContext.
    ("multiprocessing.context.BaseContext", "Process"): "builtins.type[multiprocessing.Process]",
}

#: Names that the stub shows as a class and that are bound methods of the default context when they run.
CONTEXT_METHODS = ("Queue", "JoinableQueue", "SimpleQueue")

DUNDERS = frozenset(
    f"__{name}__"
    for name in """
        enter aenter iter aiter next anext getitem await truediv rtruediv call
    """.split()
)

PROPERTIES = frozenset({"property", "cached_property", "abstractproperty", "DynamicClassAttribute", "magic_enum_attr"})
MAX_UNION = 3


# -- types ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Type:
    """A type: a dotted or bare name with arguments, or a union of such."""

    name: str
    args: tuple[Type, ...] = ()
    parts: tuple[Type, ...] = ()

    def __str__(self) -> str:
        if self.parts:
            return " | ".join(map(str, self.parts))
        if self.args:
            return f"{self.name}[{', '.join(map(str, self.args))}]"
        return self.name


UNKNOWN = Type("?")
#: A type parameter of a function, which the table can't express: becomes `?` in the end.
FREE = Type("$free")
#: typeshed's mark for "may be None, but nobody checks": left out.
NOTHING = Type("$nothing")
NONE = Type("None")
SELF = Type("Self")
ELLIPSIS = Type("...")


def union(parts: Iterable[Type]) -> Type:
    flat: list[Type] = []
    for part in parts:
        for each in part.parts or (part,):
            if each not in flat:
                flat.append(each)
    if NOTHING in flat and len(flat) > 1:
        flat.remove(NOTHING)
    if UNKNOWN in flat:
        return UNKNOWN
    if len(flat) == 1:
        return flat[0]
    flat.sort(key=lambda each: each == NONE)
    return Type("|", parts=tuple(flat))


def finish(type_: Type, *, inner: bool = False) -> Type:
    """Without free parameters: `V | T`, as of `get(key, default)`, is V; elsewhere what is free is not known."""
    if type_ in (FREE, NOTHING):
        return UNKNOWN
    if not type_.parts:
        return replace(type_, args=tuple(finish(each, inner=True) for each in type_.args))
    bound = [each for each in type_.parts if each != FREE]
    if len(bound) < len(type_.parts) and (inner or not all(is_parameter(each) for each in bound)):
        return UNKNOWN
    result = union(finish(each, inner=inner) for each in bound)
    kinds = [each for each in result.parts if each != NONE]
    if len(kinds) > MAX_UNION or (inner and len(kinds) > 1 and any(each.args for each in kinds)):
        return UNKNOWN
    return result


def is_parameter(type_: Type) -> bool:
    return "." not in type_.name and type_ != NONE


def substituted(type_: Type, old: Type, new: Type) -> Type:
    if type_ == old:
        return new
    args, parts = ([substituted(each, old, new) for each in some] for some in (type_.args, type_.parts))
    return replace(type_, args=tuple(args), parts=tuple(parts))


class Member(NamedTuple):
    """What the table says about a member or a function."""

    type: Type
    call: bool = False
    coroutine: bool = False

    def __str__(self) -> str:
        if not self.call:
            return str(self.type)
        return f"{'async ' if self.coroutine else ''}() -> {self.type}"


# -- stubs ------------------------------------------------------------------------------------------------------------

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Class:
    module: Module
    qualname: str
    node: ast.ClassDef


@dataclass
class Functions:
    """One function with its overloads, and the class it was found in, if any."""

    module: Module
    name: str
    nodes: list[Function]
    owner: Class | None = None


@dataclass
class Variable:
    module: Module
    name: str
    annotation: ast.expr | None
    value: ast.expr | None
    owner: Class | None = None


@dataclass
class Import:
    module: str
    name: str | None


@dataclass
class Module:
    name: str
    package: str
    bindings: dict[str, Thing] = field(default_factory=dict)
    #: What the module offers to others, in order.
    exports: dict[str, None] = field(default_factory=dict)
    #: What `from module import *` gives.
    star: list[str] = field(default_factory=list)


Thing = Class | Functions | Variable | Import | Module


class Stubs:
    """The parsed stubs, for one version of Python."""

    def __init__(self, version: tuple[int, int]) -> None:
        self.context = finder.get_search_context(version=version, platform="linux", search_path=[])
        self.modules: dict[str, Module | None] = {}
        #: What is being followed, so that a circle ends.
        self.following: set[int] = set()

    def module(self, name: str) -> Module | None:
        if name not in self.modules:
            self.modules[name] = None
            # `os.path` is no file of its own.
            path = finder.get_stub_file({"os.path": "posixpath"}.get(name, name), search_context=self.context)
            if path is not None:
                package = name if path.stem == "__init__" else name.rpartition(".")[0]
                self.modules[name] = module = Module("posixpath" if name == "os.path" else name, package)
                self._read(module, finder.parse_stub_file(path).body, path)
        return self.modules[name]

    def statements(self, body: Iterable[ast.stmt], path: Path | None = None) -> Iterator[ast.stmt]:
        """The statements that hold for this version, out of their `if`s."""
        for statement in body:
            if isinstance(statement, ast.If):
                true = parser.evaluate_expression_truthiness(
                    statement.test, ctx=self.context, file_path=path or Path("stub.pyi")
                )
                yield from self.statements(statement.body if true else statement.orelse, path)
            elif isinstance(statement, ast.Try):
                yield from self.statements(statement.body, path)
            else:
                yield statement

    def _read(self, module: Module, body: list[ast.stmt], path: Path) -> None:
        named: list[str] | None = None
        for statement in self.statements(body, path):
            if isinstance(statement, ast.Import):
                for alias in statement.names:
                    if alias.asname:
                        module.bindings[alias.asname] = Import(alias.name, None)
                    else:
                        top = alias.name.partition(".")[0]
                        module.bindings[top] = Import(top, None)
            elif isinstance(statement, ast.ImportFrom):
                source = self._source(module, statement)
                for alias in statement.names:
                    if alias.name == "*":
                        if target := self.module(source):
                            for name in target.star:
                                module.bindings[name] = Import(source, name)
                                module.exports[name] = None
                        continue
                    module.bindings[alias.asname or alias.name] = Import(source, alias.name)
                    if alias.asname == alias.name == "__all__" and (target := self.module(source)):
                        named = list(target.star)
                    elif alias.asname == alias.name and not alias.name.startswith("_"):
                        module.exports[alias.asname] = None
            elif isinstance(statement, ast.ClassDef):
                module.bindings[statement.name] = Class(module, statement.name, statement)
                if not statement.name.startswith("_") and not decorated(statement, "type_check_only"):
                    module.exports[statement.name] = None
            elif isinstance(statement, Function):
                add_function(module.bindings, statement, module, None)
                if not statement.name.startswith("_") and not decorated(statement, "type_check_only"):
                    module.exports[statement.name] = None
            else:
                for name, annotation, value in assignments(statement):
                    if name == "__all__":
                        named = (named or []) + constants(value)
                        continue
                    module.bindings[name] = Variable(module, name, annotation, value)
                    if not name.startswith("_"):
                        module.exports[name] = None
        for name in named or ():
            if name in module.bindings:
                module.exports[name] = None
        module.star = named if named is not None else [name for name in module.exports if not name.startswith("_")]

    def _source(self, module: Module, statement: ast.ImportFrom) -> str:
        if not statement.level:
            return statement.module or ""
        parts = module.package.split(".")
        base = parts[: len(parts) - statement.level + 1]
        return ".".join([*base, *([statement.module] if statement.module else [])])

    def follow(self, thing: Thing | None) -> Thing | None:
        """What an import or a plain `name = other` stands for."""
        if thing is None or id(thing) in self.following:
            return None
        self.following.add(id(thing))
        try:
            if isinstance(thing, Import):
                target = self.module(thing.module)
                if thing.name is None:
                    return target
                found = target.bindings.get(thing.name) if target else None
                # `from package import part` in the package itself binds the part's own name.
                if found is None or found is thing:
                    return self.module(f"{thing.module}.{thing.name}")
                return self.follow(found)
            if (
                isinstance(thing, Variable)
                and thing.annotation is None
                and isinstance(thing.value, ast.Name | ast.Attribute)
            ):
                return self.follow(self.lookup(thing.value, thing.module)) or thing
            return thing
        finally:
            self.following.discard(id(thing))

    def lookup(self, node: ast.expr, module: Module) -> Thing | None:
        """What a dotted name means in a module."""
        if isinstance(node, ast.Name):
            found = module.bindings.get(node.id)
            if found is None or id(found) in self.following:
                builtins = self.module("builtins")
                found = builtins.bindings.get(node.id) if builtins else None
            return self.follow(found)
        if isinstance(node, ast.Attribute):
            owner = self.lookup(node.value, module)
            if isinstance(owner, Module):
                found = owner.bindings.get(node.attr)
                return self.follow(found) if found else self.module(f"{owner.name}.{node.attr}")
            if isinstance(owner, Variable) and owner.annotation is not None:
                owner = self.lookup(owner.annotation, owner.module)
            if isinstance(owner, Class):
                return self.member(owner, node.attr)
        return None

    def body(self, cls: Class) -> dict[str, Thing]:
        """The members a class declares itself."""
        members: dict[str, Thing] = {}
        for statement in self.statements(cls.node.body):
            if isinstance(statement, Function):
                add_function(members, statement, cls.module, cls)
            elif isinstance(statement, ast.ClassDef):
                members[statement.name] = Class(cls.module, f"{cls.qualname}.{statement.name}", statement)
            else:
                for name, annotation, value in assignments(statement):
                    members[name] = Variable(cls.module, name, annotation, value, cls)
        return members

    def bases(self, cls: Class) -> list[Class]:
        found = (self.lookup(origin(base), cls.module) for base in cls.node.bases)
        return [each for each in found if isinstance(each, Class)]

    def member(self, cls: Class, name: str) -> Thing | None:
        own = self.body(cls)
        if name in own:
            return own[name]
        for base in self.bases(cls):
            if found := self.member(base, name):
                return found
        return None

    def is_subclass(self, cls: Class, of: Class) -> bool:
        return cls.node is of.node or any(self.is_subclass(base, of) for base in self.bases(cls))


def origin(node: ast.expr) -> ast.expr:
    return node.value if isinstance(node, ast.Subscript) else node


def add_function(into: dict[str, Thing], node: Function, module: Module, owner: Class | None) -> None:
    if any(isinstance(each, ast.Attribute) and each.attr in ("setter", "deleter") for each in node.decorator_list):
        return
    before = into.get(node.name)
    if isinstance(before, Functions) and decorated(node, "overload"):
        before.nodes.append(node)
    else:
        into[node.name] = Functions(module, node.name, [node], owner)


def assignments(statement: ast.stmt) -> Iterator[tuple[str, ast.expr | None, ast.expr | None]]:
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        yield statement.target.id, statement.annotation, statement.value
    elif isinstance(statement, ast.Assign):
        for target in statement.targets:
            if isinstance(target, ast.Name):
                yield target.id, None, statement.value
    elif isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name):
        yield statement.target.id, None, statement.value


def constants(node: ast.expr | None) -> list[str]:
    if isinstance(node, ast.List | ast.Tuple):
        return [each.value for each in node.elts if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    return []


def last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Call):
        return last_name(node.func)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id.lstrip("_") if isinstance(node, ast.Name) else ""


def decorated(node: ast.ClassDef | Function, *names: str) -> bool:
    return any(last_name(each) in names for each in node.decorator_list)


def is_type_variable(thing: Thing | None) -> bool:
    return (
        isinstance(thing, Variable)
        and isinstance(thing.value, ast.Call)
        and last_name(thing.value) in ("TypeVar", "ParamSpec", "TypeVarTuple")
    )


def parameter(name: str) -> str:
    """`_KT_co` is written KT."""
    return name.strip("_").removesuffix("_co").removesuffix("_contra").removesuffix("_nd")


# -- the table --------------------------------------------------------------------------------------------------------


class Fact(NamedTuple):
    bases: tuple[str, ...]
    params: tuple[str, ...]
    members: dict[str, str]


@dataclass
class Table:
    classes: dict[str, Fact] = field(default_factory=dict)
    functions: dict[str, str] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)

    def names(self) -> set[str]:
        return {*self.classes, *self.functions, *self.constants, *self.aliases}

    def add_missing(self, older: Table) -> None:
        """What only the other table has: names, and members of the classes both have."""
        known = self.names()
        for name, fact in older.classes.items():
            mine = self.classes.get(name)
            if mine is not None:
                for member, text in fact.members.items():
                    mine.members.setdefault(member, text)
            elif name not in known:
                self.classes[name] = fact
        for mine_, theirs in ((self.functions, older.functions), (self.constants, older.constants)):
            mine_.update({name: text for name, text in theirs.items() if name not in known})
        self.aliases.update({name: to for name, to in older.aliases.items() if name not in known})


@dataclass(frozen=True)
class Scope:
    """Where an annotation stands: the type parameters it may name, and the variable that stands for `Self`."""

    module: Module
    params: Mapping[str, Type]
    self_variable: str = ""


class Builder:
    def __init__(self, version: tuple[int, int]) -> None:
        self.stubs = Stubs(version)
        self.public: dict[tuple[str, str], str] = {}
        self.wanted: dict[str, Class] = {}
        self.table = Table()
        #: The type aliases being expanded: some name themselves.
        self.expanding: set[int] = set()
        if context := self.stubs.module("multiprocessing"):
            for name in CONTEXT_METHODS:
                value = ast.parse(f"context._default_context.{name}", mode="eval").body
                context.bindings[name] = Variable(context, name, None, value)

    def build(self) -> Table:
        found: list[tuple[str, Thing]] = []
        for module_name in MODULES:
            if module := self.stubs.module(module_name):
                things = ((name, self.stubs.follow(module.bindings.get(name))) for name in module.exports)
                found += [(f"{module_name}.{name}", thing) for name, thing in things if thing]
        for dotted, thing in found:
            if isinstance(thing, Class) or (isinstance(thing, Functions) and thing.owner is None):
                self.public.setdefault(key(thing), PREFERRED.get(dotted, dotted))
        for dotted, thing in found:
            self._enter(dotted, thing)
        done: set[str] = set()
        while missing := [name for name in self.wanted if name not in done]:
            for name in missing:
                done.add(name)
                self.table.classes[name] = self._class(name, self.wanted[name])
        self.table.aliases.update(EXTRA_ALIASES)
        return self.table

    def _enter(self, dotted: str, thing: Thing) -> None:
        if isinstance(thing, Class | Functions) and key(thing) in self.public:
            public = self.public[key(thing)]
            for spelling in (dotted, ".".join(key(thing))):
                if spelling != public:
                    self.table.aliases[spelling] = public
            if isinstance(thing, Class):
                self.wanted[public] = thing
            else:
                self.table.functions[public] = FUNCTION_OVERRIDES.get(public) or str(self._call(thing))
        elif isinstance(thing, Functions):
            # A bound method of an instance in the module: `multiprocessing.Event`, `random.random`.
            member = self._call(thing)
            if thing.owner and (owner := self._public(thing.owner)):
                member = member._replace(type=substituted(member.type, SELF, Type(owner)))
            self.table.functions[dotted] = FUNCTION_OVERRIDES.get(dotted) or str(member)
        elif isinstance(thing, Variable) and not is_type_variable(thing) and not is_alias(thing):
            member = self._variable(thing, Scope(thing.module, {}))
            if member.call:
                self.table.functions[dotted] = str(member)
            elif matters(member.type) and not self._is_enumeration(self.wanted.get(member.type.name)):
                self.table.constants[dotted] = str(member)

    # -- classes

    def _params(self, cls: Class) -> dict[str, Type]:
        """The type parameters, in the order in which they are given."""
        generic = [each for each in cls.node.bases if last_name(origin(each)) in ("Generic", "Protocol")]
        subscripts = [each for each in generic if isinstance(each, ast.Subscript)]
        names: dict[str, Type] = {}
        for base in subscripts or cls.node.bases:
            if isinstance(base, ast.Subscript):
                for node in ast.walk(base.slice):
                    if isinstance(node, ast.Name) and is_type_variable(self.stubs.lookup(node, cls.module)):
                        names[node.id] = Type(parameter(node.id))
        return names

    def _class(self, name: str, cls: Class) -> Fact:
        params = self._params(cls)
        scope = Scope(cls.module, params)
        members: dict[str, str] = {}
        bases: list[str] = []
        fields: list[Type] = []
        own = self.stubs.body(cls)
        enumeration = self._is_enumeration(cls)
        for member_name, thing in own.items():
            if member_name.startswith("_") and member_name not in DUNDERS:
                continue
            if enumeration and isinstance(thing, Variable) and thing.value is not None:
                continue
            member = self._member(cls, thing, scope, own)
            if member is not None:
                members[member_name] = MEMBER_OVERRIDES.get((name, member_name)) or str(member)
            if isinstance(thing, Variable) and thing.annotation is not None and member is not None:
                fields.append(member.type)
        for base in cls.node.bases:
            last = last_name(origin(base))
            if last in ("Generic", "Protocol", "object"):
                continue
            if last == "NamedTuple":
                # Written as the tuple it is, so that unpacking gives the types of the fields.
                bases.append(str(finish(Type("builtins.tuple", tuple(fields)))))
            elif last == "TypedDict":
                bases.append("builtins.dict[builtins.str, ?]")
            else:
                text = str(finish(self._type(base, scope)))
                if text != "?" and "|" not in text.partition("[")[0]:
                    bases.append(text)
        for (owner, member_name), text in MEMBER_OVERRIDES.items():
            if owner == name:
                members[member_name] = text
        return Fact(tuple(bases), tuple(str(each) for each in params.values()), members)

    def _is_enumeration(self, cls: Class | None) -> bool:
        return cls is not None and any(key(base) == ("enum", "Enum") for base in self._mro(cls))

    def _mro(self, cls: Class) -> Iterator[Class]:
        yield cls
        for base in self.stubs.bases(cls):
            yield from self._mro(base)

    def _member(self, cls: Class, thing: Thing, scope: Scope, own: Mapping[str, Thing]) -> Member | None:
        if isinstance(thing, Functions):
            return self._call(thing)
        if isinstance(thing, Class):
            if public := self._public(thing):
                return Member(Type("builtins.type", (Type(public),)))
            return Member(UNKNOWN)
        if isinstance(thing, Variable):
            if thing.annotation is None and isinstance(thing.value, ast.Name):
                # `__enter__ = acquire`
                same = own.get(thing.value.id) or self.stubs.member(cls, thing.value.id)
                if same is not None and same is not thing:
                    return self._member(cls, same, scope, own)
            if is_type_variable(thing) or is_alias(thing):
                return None
            return self._variable(thing, scope)
        return None

    # -- functions and variables

    def _variable(self, thing: Variable, scope: Scope) -> Member:
        annotation = thing.annotation
        if annotation is not None and last_name(origin(annotation)) in ("Final", "ClassVar"):
            annotation = annotation.slice if isinstance(annotation, ast.Subscript) else None
        if annotation is None:
            return Member(finish(self._value(thing.value, scope)))
        if isinstance(annotation, ast.Subscript) and last_name(annotation.value) == "Callable":
            return self._callable(annotation, scope)
        return Member(finish(self._type(annotation, scope)))

    def _callable(self, annotation: ast.Subscript, scope: Scope) -> Member:
        returns = annotation.slice.elts[-1] if isinstance(annotation.slice, ast.Tuple) else annotation.slice
        return awaited(Member(finish(self._type(returns, scope)), call=True))

    def _value(self, value: ast.expr | None, scope: Scope) -> Type:
        if isinstance(value, ast.Constant) and value.value not in (None, ...):
            return Type(f"builtins.{type(value.value).__name__}")
        if isinstance(value, ast.Attribute):
            # `AF_INET: Final = AddressFamily.AF_INET`
            owner = self.stubs.lookup(value.value, scope.module)
            if isinstance(owner, Class) and (public := self._public(owner)):
                return Type(public)
        return UNKNOWN

    def _call(self, functions: Functions) -> Member:
        """What a function gives, all its overloads together. A property is not called."""
        params = self._params(functions.owner) if functions.owner else {}
        nodes = functions.nodes
        if functions.name == "__getitem__":
            # A slice gives more of the same, which is not what subscription is asked for.
            nodes = [each for each in nodes if not takes_slice(each)] or nodes
        if functions.owner:
            nodes = [each for each in nodes if not self._narrows_self(each, functions.owner)] or nodes
        members = [self._returns(node, functions, params) for node in nodes]
        first = members[0]
        return Member(self._merge([each.type for each in members]), first.call, first.coroutine)

    def _narrows_self(self, node: Function, owner: Class) -> bool:
        """Is this overload for `self: dict[str, V]` only?"""
        arguments = [*node.args.posonlyargs, *node.args.args]
        annotation = arguments[0].annotation if arguments else None
        if not isinstance(annotation, ast.Subscript) or last_name(annotation.value) != owner.node.name.lstrip("_"):
            return False
        return str(self._type(annotation, Scope(owner.module, self._params(owner)))) != "?"

    def _returns(self, node: Function, functions: Functions, params: Mapping[str, Type]) -> Member:
        scope = Scope(functions.module, params, self_variable(node) if functions.owner else "")
        returns = node.returns
        is_property = decorated(node, *PROPERTIES)
        if is_property and isinstance(returns, ast.Subscript) and last_name(returns.value) == "Callable":
            return self._callable(returns, scope)
        type_ = self._type(returns, scope) if returns is not None else UNKNOWN
        if decorated(node, "contextmanager", "asynccontextmanager"):
            name = "AbstractAsyncContextManager" if decorated(node, "asynccontextmanager") else "AbstractContextManager"
            return Member(Type(f"contextlib.{name}", type_.args[:1]), call=True)
        if is_property:
            return Member(type_)
        return awaited(Member(type_, call=True, coroutine=isinstance(node, ast.AsyncFunctionDef)))

    def _merge(self, types: Sequence[Type]) -> Type:
        """One type for all the overloads."""
        known = [each for each in dict.fromkeys(types) if each != UNKNOWN]
        # typeshed ends many overloads with a catch-all that returns Any.
        if not known or FREE in known:
            return UNKNOWN
        parts: list[Type] = []
        for each in known:
            for part in each.parts or (each,):
                if part == FREE:
                    # `get(key, default)` gives V | T beside V; alone it is unknown.
                    if not set(each.parts) - {FREE} <= {
                        p for other in known if other != each for p in other.parts or (other,)
                    }:
                        return UNKNOWN
                    continue
                same = next((old for old in parts if old.name == part.name), None)
                if same is None:
                    parts.append(part)
                else:
                    parts[parts.index(same)] = self._common(same, part)
        if len([each for each in parts if each != NONE]) > MAX_UNION:
            classes = {each.name: self.wanted.get(each.name) for each in parts if each != NONE}
            for name, cls in classes.items():
                if cls and all(other and self.stubs.is_subclass(other, cls) for other in classes.values()):
                    return union([Type(name), *[each for each in parts if each == NONE]])
            return UNKNOWN
        return finish(union(parts))

    def _common(self, one: Type, other: Type) -> Type:
        """The same class with the arguments both have, or the base where one is the other's base."""
        if one == other:
            return one
        if one.name != other.name or one.parts or other.parts:
            mine, theirs = self.wanted.get(one.name), self.wanted.get(other.name)
            if mine and theirs:
                if self.stubs.is_subclass(mine, theirs):
                    return other
                if self.stubs.is_subclass(theirs, mine):
                    return one
            return UNKNOWN
        if ELLIPSIS in (*one.args, *other.args) and len(one.args) != len(other.args):
            return Type(one.name)
        if len(one.args) != len(other.args):
            return Type(one.name)
        return Type(one.name, tuple(self._common(a, b) for a, b in zip(one.args, other.args, strict=True)))

    # -- annotations

    def _type(self, node: ast.expr, scope: Scope) -> Type:
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str):
                return self._type(ast.parse(node.value, mode="eval").body, scope)
            if node.value is None:
                return NONE
            return ELLIPSIS if node.value is ... else UNKNOWN
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            return union([self._type(node.left, scope), self._type(node.right, scope)])
        if isinstance(node, ast.Subscript):
            arguments = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
            return self._subscript(node.value, arguments, scope)
        if isinstance(node, ast.Name | ast.Attribute):
            return self._name(node, scope)
        return UNKNOWN

    def _subscript(self, value: ast.expr, arguments: list[ast.expr], scope: Scope) -> Type:
        special = last_name(value)
        thing = self.stubs.lookup(value, scope.module)
        if isinstance(thing, Variable) or thing is None:
            if special == "Literal":
                return self._literal(arguments, scope)
            if special == "Optional":
                return union([self._type(arguments[0], scope), NONE])
            if special == "Union":
                return union([self._type(each, scope) for each in arguments])
            if special in ("Annotated", "Final", "ClassVar", "Required", "NotRequired", "ReadOnly"):
                return self._type(arguments[0], scope)
            if special in ("TypeGuard", "TypeIs"):
                return Type("builtins.bool")
            if special == "Type":
                return Type("builtins.type", (self._type(arguments[0], scope),))
            if isinstance(thing, Variable) and is_alias(thing):
                return self._expand(thing, [self._type(each, scope) for each in arguments])
            return UNKNOWN
        head = self._type(value, scope)
        if "." not in head.name:
            return head
        return Type(head.name, tuple(self._type(each, scope) for each in arguments))

    def _literal(self, arguments: list[ast.expr], scope: Scope) -> Type:
        parts = []
        for each in arguments:
            if isinstance(each, ast.Constant):
                parts.append(NONE if each.value is None else Type(f"builtins.{type(each.value).__name__}"))
            elif isinstance(each, ast.UnaryOp):
                parts.append(Type("builtins.int"))
            else:
                parts.append(self._value(each, scope))
        return union(parts)

    def _expand(self, alias: Variable, arguments: Sequence[Type]) -> Type:
        """A type alias, with its type variables in order of appearance replaced by the arguments."""
        if alias.value is None or id(alias) in self.expanding:
            return UNKNOWN
        names: dict[str, Type] = {}
        for node in ast.walk(alias.value):
            if isinstance(node, ast.Name) and is_type_variable(self.stubs.lookup(node, alias.module)):
                names.setdefault(node.id, UNKNOWN)
        names.update(zip(names, arguments, strict=False))
        self.expanding.add(id(alias))
        try:
            return self._type(alias.value, Scope(alias.module, names))
        finally:
            self.expanding.discard(id(alias))

    def _name(self, node: ast.Name | ast.Attribute, scope: Scope) -> Type:
        last = node.id if isinstance(node, ast.Name) else node.attr
        thing = self.stubs.lookup(node, scope.module)
        if isinstance(thing, Class):
            if last == "Any":
                return UNKNOWN
            if thing.module.name == "types" and last == "NoneType":
                return NONE
            public = self._public(thing)
            return Type(public) if public else UNKNOWN
        if is_type_variable(thing):
            return self._type_variable(last, thing, scope)
        if last == "Self":
            return SELF
        if last == "MaybeNone":
            return NOTHING
        if last == "LiteralString":
            return Type("builtins.str")
        if last == "Text":
            return Type("builtins.str")
        if f"typing.{last}" in EXTRA_ALIASES and isinstance(thing, Variable) and thing.module.name == "typing":
            return Type(EXTRA_ALIASES[f"typing.{last}"])
        if isinstance(thing, Variable) and is_alias(thing):
            return self._expand(thing, ())
        if isinstance(thing, Functions) and thing.owner is None and thing.module.name == "multiprocessing":
            return self._call(thing).type
        return UNKNOWN

    def _type_variable(self, name: str, thing: Thing | None, scope: Scope) -> Type:
        if name == scope.self_variable:
            return SELF
        if name in scope.params:
            return scope.params[name]
        if name == "Self":
            return SELF
        if isinstance(thing, Variable) and isinstance(thing.value, ast.Call):
            for keyword in thing.value.keywords:
                if keyword.arg == "bound":
                    bound = self._type(keyword.value, Scope(thing.module, {}))
                    # `asyncio.wait` needs it; most other bounds, such as `object`, say nothing.
                    if bound.name.startswith("asyncio."):
                        return bound
        return FREE

    def _public(self, cls: Class) -> str | None:
        """The name to write for a class; none where the class is of no use here."""
        name = self.public.get(key(cls))
        if name is None:
            bases = {last_name(origin(each)) for each in cls.node.bases}
            hidden = cls.qualname.startswith("_") or decorated(cls.node, "type_check_only")
            if cls.module.name.startswith("_typeshed") or (hidden and bases & {"Protocol", "TypedDict"}):
                return None
            if cls.module.name not in MODULES and not cls.module.name.startswith("_"):
                return None
            name = ".".join(key(cls))
        self.wanted.setdefault(name, cls)
        return name


def key(thing: Class | Functions) -> tuple[str, str]:
    name = thing.qualname if isinstance(thing, Class) else thing.name
    return (thing.module.name, name)


def is_alias(thing: Variable) -> bool:
    """Is it a type alias rather than a value?"""
    if thing.annotation is not None:
        return last_name(thing.annotation) == "TypeAlias"
    return (
        isinstance(thing.value, ast.Subscript | ast.BinOp | ast.Name | ast.Attribute | ast.Tuple)
        and thing.owner is None
    )


def matters(type_: Type) -> bool:
    """Is a constant of this type worth a line? Numbers, strings and plain containers of them are not."""
    if type_.parts:
        return any(map(matters, type_.parts))
    plain = "int str bytes float bool tuple list dict set frozenset type object ellipsis".split()
    if type_ in (UNKNOWN, NONE) or type_.name in {f"builtins.{each}" for each in plain}:
        return False
    return not type_.name.startswith(("ctypes.", "typing._", "_sitebuiltins.", "types.CapsuleType", "types.NotImpl"))


def awaited(member: Member) -> Member:
    """A plain function that returns a coroutine is the same to its caller as an async one."""
    names = ("collections.abc.Coroutine", "types.CoroutineType", "collections.abc.Awaitable")
    if member.coroutine or member.type.name not in names:
        return member
    result = member.type.args[-1] if member.type.args else UNKNOWN
    return Member(result, call=True, coroutine=True)


def takes_slice(node: Function) -> bool:
    """Is this overload of `__getitem__` for slices alone?"""
    arguments = [*node.args.posonlyargs, *node.args.args]
    annotation = arguments[1].annotation if len(arguments) > 1 else None
    return annotation is not None and ast.unparse(annotation).startswith("slice")


def self_variable(node: Function) -> str:
    """The type variable that `def f(self: S) -> S` uses for `Self`."""
    arguments = [*node.args.posonlyargs, *node.args.args]
    if not arguments:
        return ""
    annotation = arguments[0].annotation
    if isinstance(annotation, ast.Subscript) and last_name(annotation.value) == "type":
        annotation = annotation.slice
    return annotation.id if isinstance(annotation, ast.Name) else ""


# -- writing ----------------------------------------------------------------------------------------------------------

HEADER = '''"""The standard library's classes, functions and constants, as typeshed knows them. Generated: do not edit.

Written by `python benchmarks/generate_stdlib.py` from typeshed_client {version}, for linux and Python {newest}, with
what only Python {oldest} has added to it. The form of the entries is told in schema.py.
"""

from __future__ import annotations

from flake8_concurrency.knowledge.schema import ClassFact

# One class in a few lines reads better here than one string a line.
# fmt: off
# ruff: noqa: E501
'''
WIDTH = 120


def wrapped(items: Iterable[str], indent: str) -> str:
    """The items in lines that are as full as they may be."""
    lines: list[str] = []
    for item in items:
        if lines and len(lines[-1]) + len(item) + 2 <= WIDTH:
            lines[-1] += f" {item},"
        else:
            lines.append(f"{indent}{item},")
    return "\n".join(lines)


def quoted(text: str) -> str:
    return f'"{text}"'


def tuple_text(items: Sequence[str]) -> str:
    return f"({', '.join(map(quoted, items))}{',' if len(items) == 1 else ''})"


def class_text(name: str, fact: Fact) -> str:
    """The shortest call that says it."""
    head = f"    {quoted(name)}: ClassFact("
    arguments = []
    if fact.bases or fact.params or fact.members:
        arguments.append(tuple_text(fact.bases))
    if fact.params or fact.members:
        arguments.append(tuple_text(fact.params))
    text = head + ", ".join(arguments)
    if len(text) > WIDTH - 5:
        inner = wrapped(map(quoted, fact.bases), " " * 12)
        text = f"{head}\n        (\n{inner}\n        ),\n        {tuple_text(fact.params)}"
        if not fact.members:
            return f"{text},\n    ),"
    if not fact.members:
        return f"{text}),"
    items = [f"{quoted(member)}: {quoted(text_)}" for member, text_ in fact.members.items()]
    return f"{text}, {{\n{wrapped(items, ' ' * 8)}\n    }}),"


def render(table: Table) -> str:
    version = importlib.metadata.version("typeshed_client")
    newest, *_, oldest = (".".join(map(str, each)) for each in VERSIONS)
    blocks = [HEADER.format(version=version, newest=newest, oldest=oldest)]
    classes = "\n".join(class_text(name, fact) for name, fact in sorted(table.classes.items()))
    blocks.append(f"CLASSES: dict[str, ClassFact] = {{\n{classes}\n}}\n")
    for title, entries in (("FUNCTIONS", table.functions), ("CONSTANTS", table.constants), ("ALIASES", table.aliases)):
        items = [f"{quoted(name)}: {quoted(text)}" for name, text in sorted(entries.items())]
        blocks.append(f"{title}: dict[str, str] = {{\n{wrapped(items, '    ')}\n}}\n")
    return "\n".join(blocks)


def generate() -> str:
    first, *others = (Builder(version).build() for version in VERSIONS)
    for other in others:
        first.add_missing(other)
    return render(first)


def main(arguments: Sequence[str] | None = None) -> int:
    command = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    command.add_argument("--check", action="store_true", help="only tell whether the committed table is up to date")
    options = command.parse_args(arguments)
    text = generate()
    if options.check:
        fresh = TARGET.read_text(encoding="utf-8") == text
        print("up to date" if fresh else "out of date: run python benchmarks/generate_stdlib.py")
        return 0 if fresh else 1
    TARGET.write_text(text, encoding="utf-8")
    print(f"{TARGET.name}: {text.count(chr(10))} lines")
    return 0


if __name__ == "__main__":
    sys.exit(main())
