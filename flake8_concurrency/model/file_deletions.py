"""Files of rows that are deleted while the transaction that deletes or changes the row can still be rolled back."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.knowledge import file_storage as known
from flake8_concurrency.model.before_commit import DJANGO, Place
from flake8_concurrency.model.calls import argument, literal
from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.locks import called_name, words
from flake8_concurrency.model.spelling import dotted, last_name
from flake8_concurrency.model.vocabulary import SAVING

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

#: What changes rows, by its last name.
_WRITING = SAVING | frozenset("delete adelete update aupdate create acreate bulk_create bulk_update execute".split())


class FileDeletion(NamedTuple):
    """A file that is deleted before the commit."""

    call: cst.Call
    name: str
    place: Place


class FileDeletions:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    def of(self, function: FunctionInfo) -> list[FileDeletion]:
        """The files of rows that a function deletes before the transaction around it is committed."""
        found: list[FileDeletion] = []
        for call in function.calls:
            if not self._deletes(call, function) or self._cleans_up(call):
                continue
            if self._file.before_commit.is_meant(call, function):
                continue
            place = self._file.before_commit.place(call, function)
            if place is not None and place.orm == DJANGO and not self._only_reads(place, call):
                found.append(FileDeletion(call, dotted(call.func) or called_name(call), place))
        return found

    def _only_reads(self, place: Place, deletion: cst.Call) -> bool:
        """Whether the transaction that shows around a call changes no row: a rollback would bring nothing back."""
        if isinstance(place.node, cst.FunctionDef):
            return False
        block = next(one for one in self._file.ancestors(place.node) if isinstance(one, cst.With | cst.FunctionDef))
        calls = (node for node in self._file.tree.within(block.body) if isinstance(node, cst.Call))
        return not any(
            called_name(call) in _WRITING or self._file.callee(call) is not None
            for call in calls
            if call is not deletion
        )

    def _cleans_up(self, call: cst.Call) -> bool:
        """Whether a call stands in an `except`: it is about a failure, or another way to do the same."""
        for around in self._file.ancestors(call):
            if isinstance(around, cst.ExceptHandler | cst.ExceptStarHandler):
                return True
            if isinstance(around, cst.FunctionDef):
                break
        return False

    # -- what deletes the file of a row ------------------------------------------------------------------------------

    def _deletes(self, call: cst.Call, function: FunctionInfo) -> bool:
        name = called_name(call)
        if name in known.REMOVING or name in known.UNLINKING:
            path = self._removed(call, name)
            return path is not None and self._is_of_row(path)
        if not isinstance(call.func, cst.Attribute):
            return False
        receiver = call.func.value
        if name in known.OBJECTS:
            return any(self._is_of_row(arg.value) for arg in call.args)
        if name != "delete":
            return False
        if last_name(receiver) in known.STORAGES or words(last_name(receiver))[-1:] == ["storage"]:
            return bool(call.args)
        return isinstance(receiver, cst.Attribute) and self._is_field_file(call, receiver, function)

    def _is_field_file(self, call: cst.Call, field: cst.Attribute, function: FunctionInfo) -> bool:
        """`instance.photo.delete(save=False)`; without `save` where the file shows that it is no row."""
        if argument(call, None, "save") is not None:
            return True
        if call.args:
            return len(call.args) == 1 and literal(call.args[0].value) in ((False,), (True,))
        name = field.attr.value
        owners = [function.owner] if function.owner is not None else list(self._file.definitions.classes.values())
        for owner in owners:
            for binding in owner.attributes.get(name, ()):
                if isinstance(binding.value, cst.Call):
                    return called_name(binding.value).endswith(known.FIELDS)
        return words(name)[-1:] == ["file"]

    def _removed(self, call: cst.Call, name: str) -> cst.BaseExpression | None:
        """The path that a call removes."""
        qualified = self._file.qualified(call.func) or ""
        if qualified.startswith(("os.", "shutil.")) and call.args:
            return call.args[0].value if name in known.REMOVING else None
        if name in known.UNLINKING and isinstance(call.func, cst.Attribute) and not qualified.startswith("os."):
            return call.func.value
        return None

    def _is_of_row(self, path: cst.BaseExpression) -> bool:
        """Whether a path is that of a row's file: `instance.photo.path`, or a local made of it."""
        for node in self._file.tree.within(path):
            if _is_path(node):
                return True
            for binding in (self._file.names.reaching(node) or ()) if isinstance(node, cst.Name) else ():
                value = binding.value if binding.how == "assign" else None
                if value is not None and any(map(_is_path, self._file.tree.within(value))):
                    return True
        return False


def _is_path(node: cst.CSTNode) -> bool:
    """`instance.photo.path`."""
    return (
        isinstance(node, cst.Attribute)
        and node.attr.value in known.PATHS
        and isinstance(node.value, cst.Attribute)
        and last_name(node.value) not in known.NO_FILES
    )
