"""HTTP clients: whether their requests are bounded by something other than their own arguments."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.knowledge.waiting import CLIENT_TIMEOUTS
from flake8_concurrency.model.calls import argument, literal, passes_unknown
from flake8_concurrency.model.definitions import ClassInfo
from flake8_concurrency.model.locks import called_name

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_SENDS = frozenset({"request", "send"})
#: Whatever may be a reason for silence, wherever it stands.
KEEPS = re.compile(r"\b(?:setdefaulttimeout|mount|HTTPAdapter|def\s+(?:request|send))\b|\.\s*(?:request|send)\s*=(?!=)")


class Http:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    @cached_property
    def has_default_timeout(self) -> bool:
        """Whether the file gives every new socket a timeout."""
        return any(called_name(call) == "setdefaulttimeout" for call in self._file.tree.calls)

    def is_bounded(self, call: cst.Call, name: str) -> bool:
        """Whether a request without a timeout of its own may get one from its client, or from the file."""
        if self.has_default_timeout:
            return True
        func = call.func
        if not isinstance(func, cst.Attribute):
            return False
        if name.startswith("urllib3.") and name != "urllib3.request":
            return self._is_made_with_timeout(func.value)
        if name.startswith("requests.Session."):
            return self._mounts or self._replaces or self._is_own_session(func.value)
        return name.startswith("urllib.request.OpenerDirector")

    def _is_made_with_timeout(self, client: cst.BaseExpression) -> bool:
        made = self._file.origins.of(client)
        if made is None:
            return True
        for call in made:
            position = CLIENT_TIMEOUTS.get(self._file.qualified(call.func) or "")
            given = argument(call, position, "timeout")
            if passes_unknown(call) or (given is not None and literal(given) != (None,)):
                return True
            if called_name(call) not in (
                "PoolManager",
                "ProxyManager",
                "HTTPConnectionPool",
                "HTTPSConnectionPool",
            ):
                return True
        return False

    @cached_property
    def _mounts(self) -> bool:
        """Whether the file mounts an adapter that may bound the requests of its session."""
        return any(
            called_name(call) == "mount" and len(call.args) > 1 and not self._is_plain_adapter(call.args[1].value)
            for call in self._file.tree.calls
        )

    def _is_plain_adapter(self, node: cst.BaseExpression) -> bool:
        kind = self._file.kind(node)
        return kind is not None and kind.name == "requests.adapters.HTTPAdapter" and kind.ref is None

    @cached_property
    def _replaces(self) -> bool:
        """Whether something in the file sets the `request` or `send` of an object."""
        return any(
            isinstance(target.target, cst.Attribute) and target.target.attr.value in _SENDS
            for nodes in self._file.tree.own.values()
            for node in nodes
            if isinstance(node, cst.Assign)
            for target in node.targets
        )

    def _is_own_session(self, session: cst.BaseExpression) -> bool:
        """Whether a class of the file has a say in how a session sends."""
        kind = self._file.kind(session)
        return kind is not None and any(
            isinstance(base.ref, ClassInfo) and not _SENDS.isdisjoint(base.ref.methods)
            for base in self._file.kinds.mro(kind)
        )
