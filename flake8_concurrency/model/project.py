"""The same questions about the project's other files: what an imported name is, and what it gives and does.

A class or function of another file is told apart from those of the file itself: its kind has a `ClassElsewhere` or
`FunctionElsewhere` where the file's own have a `ClassInfo` or `FunctionInfo`, so that nobody takes the nodes of another
tree for nodes of this one. Files are read and parsed, never imported.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Protocol

from flake8_concurrency.model.definitions import ClassInfo, FunctionInfo
from flake8_concurrency.model.facts import UNDECIDED, Kind
from flake8_concurrency.model.memo import Memo
from flake8_concurrency.model.modules import Place

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel


class ClassElsewhere:
    """A class of another file of the project: the same one, whatever part of the file it was found in."""

    def __init__(self, module: Module, name: str, known: ClassInfo | None = None) -> None:
        self.module = module
        self.name = name
        self._known = known

    def at(self, attribute: str) -> ClassInMind | None:
        """The class with all that tells what an attribute of it is; None where its file cannot be parsed."""
        module = self.module
        if module.project.outline.shape(module.path, self.name) == "class":
            module = module.project.module(module.path, self.name, attribute)
            info = module.class_named(self.name)
        else:
            info = self._known
        return None if info is None else ClassInMind(module, info)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ClassElsewhere) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[str, str]:
        return self.module.path, self.name

    @property
    def qualified_name(self) -> str:
        return f"{self.module.dotted}.{self.name}"

    def has(self, name: str) -> bool:
        """Whether it can make a difference what an attribute of it is."""
        return self.module.project.outline.attribute_matters(self.module.path, self.name, name)

    def member(self, name: str, *, of_class: bool = False) -> tuple[Kind | None] | None:
        """What an object, or with `of_class` the class, has from this class, without its bases."""
        found = self.at(name) if self.has(name) else None
        # It may have such a member, of which nothing is known.
        return (None,) if found is None else found.module.member(found.info, name, of_class=of_class)

    def method(self, name: str) -> FunctionElsewhere | None:
        """Its own method of a name, if that may matter."""
        found = self.at(name) if self.has(name) else None
        info = None if found is None else found.info.methods.get(name)
        return None if found is None or info is None else FunctionElsewhere(found.module, info.qualified_name, info)

    def lineage(self) -> list[Kind | None]:
        """What it derives from, itself first; None for a base of which nothing is known that matters."""
        if not self.module.project.outline.bases_matter(self.module.path, self.name):
            return [Kind("instance", ref=self), None]
        found = self.at("")
        return [None] if found is None else found.module.lineage(found.info)


class ClassInMind(NamedTuple):
    """A class of another file in the part of the file that was parsed for it."""

    module: Module
    info: ClassInfo

    @property
    def own(self) -> Kind:
        """The kind of its instances as its own file sees them."""
        return Kind("instance", ref=self.info)


class FunctionElsewhere(NamedTuple):
    """A function or method of another file of the project, which need not have been parsed yet."""

    module: Module
    name: str
    known: FunctionInfo | None = None

    @property
    def info(self) -> FunctionInfo | None:
        """The function; None where the file cannot be parsed."""
        return self.known or self.module.function(self.name)

    @property
    def qualified_name(self) -> str:
        return f"{self.module.dotted}.{self.name}"


class Module:
    """Another file of the project: the part of it that tells what one of its names is, parsed when it is asked for."""

    def __init__(self, project: Project, path: str, wanted: str, attribute: str) -> None:
        self.project = project
        self.path = path
        #: The name that tells which part of the file is parsed, and of a class the attribute that is asked for.
        self._wanted, self._attribute = wanted, attribute
        #: Its path from the project's root, as a message prints it.
        self.name = os.path.relpath(path, project.root).replace(os.sep, "/")
        self.dotted = self.name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @cached_property
    def file(self) -> FileModel | None:
        """Its model; None where it cannot be read or parsed."""
        return self.project.make(
            self.path, (self._wanted, self._attribute), Elsewhere(self.project, Place(self.project.root, self.path))
        )

    def function(self, name: str) -> FunctionInfo | None:
        """The function of this name at the top of the file."""
        if self.file is None:
            return None
        kind = self.file.kinds.exported(name)
        return kind.ref if kind is not None and isinstance(kind.ref, FunctionInfo) else None

    def class_named(self, name: str) -> ClassInfo | None:
        """The class of this name at the top of the file."""
        if self.file is None:
            return None
        kind = self.file.kinds.exported(name)
        made = kind.args[0] if kind is not None and kind.name == "type" else None
        return made.ref if made is not None and isinstance(made.ref, ClassInfo) else None

    def exported(self, name: str) -> Kind | None:
        """The kind of what a name of the module stands for once it has been imported."""
        return None if self.file is None else self.foreign(self.file.kinds.exported(name))

    def foreign(self, kind: Kind | None) -> Kind | None:
        """A kind of this file as other files see it."""
        if kind is None or kind is UNDECIDED:
            return kind
        args = tuple(map(self.foreign, kind.args))
        if isinstance(kind.ref, ClassInfo):
            return Kind(kind.name, args, ClassElsewhere(self, kind.ref.name, kind.ref))
        if isinstance(kind.ref, FunctionInfo):
            return Kind("imported", args, FunctionElsewhere(self, kind.ref.qualified_name, kind.ref))
        if kind.name == "partial":
            # The call that made it stands in another tree.
            return None
        return Kind(kind.name, args, kind.ref)

    def attribute(self, kind: Kind, name: str) -> Kind | None:
        """The kind of an attribute of a value, whose class this file defines."""
        return None if self.file is None else self.foreign(self.file.kinds.attribute(kind, name))

    def member(self, info: ClassInfo, name: str, *, of_class: bool) -> tuple[Kind | None] | None:
        """What an object, or with `of_class` the class, has from one class of this file, without its bases."""
        if self.file is None or not (name in info.methods or name in info.attributes or name in info.assigned):
            return None
        own = Kind("instance", ref=info)
        if of_class:
            return (self.foreign(self.file.kinds.attribute(Kind("type", (own,)), name)),)
        found = self.file.kinds.own_member(info, own, name)
        return None if found is None else (self.foreign(found[0]),)

    def lineage(self, info: ClassInfo) -> list[Kind | None]:
        """What a class of this file derives from, itself first."""
        if self.file is None:
            return [None]
        return [self.foreign(base) for base in self.file.kinds.lineage(Kind("instance", ref=info))]

    def returned(self, function: FunctionElsewhere, receiver: Kind | None) -> Kind | None:
        """What calling a function of this file gives."""
        if function.known is None and not self.project.outline.gives_kind(self.path, function.name):
            return None
        info = function.info
        if info is None or self.file is None:
            return None
        return self.foreign(self.file.kinds.returned(info, self._own(receiver)))

    def _own(self, kind: Kind | None) -> Kind | None:
        """A receiver as this file sees it; None where it is of another file's class."""
        if kind is not None and kind.name == "type":
            inner = self._own(kind.args[0])
            return None if inner is None else Kind("type", (inner,))
        if kind is not None and isinstance(kind.ref, ClassElsewhere) and kind.ref.module.path == self.path:
            info = self.class_named(kind.ref.name)
            return None if info is None else Kind("instance", ref=info)
        return None


#: Makes the model of a part of a file, given the file's path, the name and the attribute that the part is about and the
#: file's view of the others; None where it cannot be read or parsed.
Making = Callable[[str, tuple[str, str], "Elsewhere"], "FileModel | None"]


class Outlined(Protocol):
    """What is known of the names of a file, given by its path, before it is parsed."""

    def matters(self, path: str, name: str) -> bool:
        """Whether it can make a difference what a name is."""

    def gives_kind(self, path: str, name: str) -> bool:
        """Whether a name has a kind that matters, or gives one."""

    def attribute_matters(self, path: str, name: str, attribute: str) -> bool:
        """Whether it can make a difference what an attribute of a class is."""

    def bases_matter(self, path: str, name: str) -> bool:
        """Whether it can make a difference what a class derives from."""

    def shape(self, path: str, name: str) -> str:
        """Whether a name is surely a function (`def`) or a class (`class`); empty when it is neither."""


class Project:
    """The files below one root, each part of them parsed at most once."""

    def __init__(self, root: str, make: Making, outline: Outlined) -> None:
        self.root = root
        self.make = make
        self.outline = outline
        #: Files may import each other, so what is found out about them is kept in one place.
        self.memo = Memo()
        self._modules: dict[tuple[str, str, str], Module] = {}

    def module(self, path: str, name: str, attribute: str = "") -> Module:
        """The part of a file that a name leads to, or an attribute of a class of that name."""
        found = self._modules.get((path, name, attribute))
        if found is None:
            found = self._modules[path, name, attribute] = Module(self, path, name, attribute)
        return found

    def __len__(self) -> int:
        return len(self._modules)


class Elsewhere:
    """The project as one of its files sees it."""

    def __init__(self, project: Project, place: Place, names: Collection[tuple[str, str]] | None = None) -> None:
        self.project = project
        self._place = place
        #: The names of other files that matter to this one, where they have been found out: of a file that is linted.
        self._names = names
        self._found: dict[str, Kind | None] = {}

    def imported(self, target: str) -> Kind | None:
        """What an imported dotted name is; None where it is nothing of the project, or not known."""
        if target in self._found:
            return self._found[target]
        kind = self._find(target)
        if kind is not UNDECIDED:
            self._found[target] = kind
        return kind

    def _find(self, target: str) -> Kind | None:
        found = self._place.find(target)
        if found is None or not found[1]:
            return None
        path, names = found
        if path == self._place.path or not self._matters(path, names[0]):
            return None
        module = self.project.module(path, names[0])
        shape = self.project.outline.shape(path, names[0])
        if shape == "def" and len(names) == 1:
            return Kind("imported", (), FunctionElsewhere(module, names[0]))
        if shape == "class" and len(names) == 1:
            return Kind("type", (Kind("instance", ref=ClassElsewhere(module, names[0])),))
        kind = module.exported(names[0])
        for name in names[1:]:
            kind = attribute(kind, name)
        return kind

    def _matters(self, path: str, name: str) -> bool:
        return (path, name) in self._names if self._names is not None else self.project.outline.matters(path, name)


def attribute(kind: Kind | None, name: str) -> Kind | None:
    """The kind of an attribute of a value that another file knows."""
    if kind is None:
        return None
    of_class = kind.name == "type"
    made = kind.args[0] if of_class else kind
    if made is None or not isinstance(made.ref, ClassElsewhere) or not made.ref.has(name):
        return None
    found = made.ref.at(name)
    if found is None:
        return None
    return found.module.attribute(Kind("type", (found.own,)) if of_class else found.own, name)
