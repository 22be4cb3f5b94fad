"""Which lock guards what, said in the code, and checked while tests run.

```python
class Account:
    balance: int = guarded_by("_lock")

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.balance = 0

    @requires_lock("_lock")
    def _add(self, amount: int) -> None:
        self.balance += amount
```

The rule CNC615 reads the same notes. The checks are off unless the environment variable FLAKE8_CONCURRENCY_GUARDS is
set (to anything but "" and "0") or `checks(True)` was called **before** the class is defined: a test run switches them
on, production runs without. Off, nothing is left of the notes: classes, attributes and functions are as if they were
not there.

On, an access without the lock raises NotGuarded, in whatever thread. The lock has to be held by the **current** thread,
so it must know its owner: RLock, Condition or OwnedLock. A plain `threading.Lock` only says that it is held, and
is refused with a TypeError. While an object is made (`__init__`, `__post_init__`, `__new__`, `__setstate__`, and what
these call) or deleted (`__del__`), the thread that does so needs no lock; another thread does. What goes around the
attribute is not seen: `vars(obj)`, and so pickling and copying an object without slots.

This is the model of Clang's `GUARDED_BY` and `REQUIRES` (https://clang.llvm.org/docs/ThreadSafetyAnalysis.html) and of
Error Prone's `@GuardedBy` (https://errorprone.info/bugpattern/GuardedBy).
"""

from __future__ import annotations

import ast
import functools
import inspect
import operator
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast, get_type_hints, overload

from flake8_concurrency.runtime.errors import LockOrderError, NotGuarded

if TYPE_CHECKING:
    from types import FrameType
    from typing import Self

__all__ = [
    "GuardedBy",
    "OwnedLock",
    "ThreadSafety",
    "checks",
    "guarded",
    "guarded_by",
    "not_thread_safe",
    "requires_lock",
    "thread_safe",
    "thread_safety",
]

T = TypeVar("T")
P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C", bound=type)
#: A class or a function.
D = TypeVar("D", bound=Callable[..., Any])

#: Switches the checks on, for classes that are defined afterwards.
VARIABLE = "FLAKE8_CONCURRENCY_GUARDS"

_MAKING = frozenset({"__init__", "__post_init__", "__new__", "__setstate__", "__del__"})

_switched: list[bool] = []


def checks(on: bool | None = None) -> bool:
    """Switch the checks on or off for what is defined from now on; whether they are on."""
    if on is not None:
        _switched[:] = [on]
    return _switched[0] if _switched else os.environ.get(VARIABLE, "") not in {"", "0"}


def _mangled(lock: str, owner: type) -> str:
    """The attribute that `self.__lock` in a class body means."""
    private = lock.startswith("__") and not lock.endswith("__")
    return f"_{owner.__name__.lstrip('_')}{lock}" if private else lock


def _check(instance: object, lock: str, what: str) -> None:
    """Raise NotGuarded unless the current thread holds the lock, or is making the instance."""
    try:
        found = operator.attrgetter(lock)(instance)
    except AttributeError:
        if _making(instance):
            return
        raise NotGuarded(f"{what} is guarded by {lock}, which {type(instance).__qualname__} does not have") from None
    if not hasattr(found, "_is_owned"):
        raise TypeError(
            f"{lock} is a {type(found).__name__}, which does not know who holds it: RLock or OwnedLock does"
        )
    if not found._is_owned() and not _making(instance):  # noqa: SLF001 - as Condition asks; nothing public does
        raise NotGuarded(
            f"{what} of {type(instance).__qualname__} is guarded by {lock}, "
            f"which thread {threading.current_thread().name!r} does not hold"
        )


def _making(instance: object) -> bool:
    """Whether the current thread is in a function that makes or deletes the instance: nobody else has it yet."""
    return any(
        frame.f_code.co_name in _MAKING and any(value is instance for value in _candidates(frame))
        for frame in _frames()
    )


def _frames() -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - inspect.stack() reads source files
    while frame is not None:
        yield frame
        frame = frame.f_back


def _candidates(frame: FrameType) -> Iterable[object]:
    """`self`; in `__new__`, where it is a local variable, all of them."""
    code = frame.f_code
    if code.co_name == "__new__":
        return frame.f_locals.values()
    return [frame.f_locals.get(name) for name in code.co_varnames[:1]]


class _Missing:
    """No default."""


class _Guarded:
    """The descriptor: the value is kept where it would be without it."""

    def __init__(self, lock: str, default: object = _Missing, slot: Any = None) -> None:
        self.lock = lock
        self.default = default
        self.slot = slot
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self.lock = _mangled(self.lock, owner)
        if checks():
            return
        # Off: as if it had never been there.
        if self.default is _Missing:
            delattr(owner, name)
        else:
            setattr(owner, name, self.default)

    def __get__(self, instance: object, owner: type | None = None) -> object:
        if instance is None:
            if self.default is _Missing:  # what dataclasses take for "no default"
                raise AttributeError(f"{self.name} has no value on the class")
            return self.default
        _check(instance, self.lock, self.name)
        if self.slot is not None:
            return self.slot.__get__(instance, owner)
        value = vars(instance).get(self.name, self.default)
        if value is _Missing:
            raise AttributeError(f"{type(instance).__name__!r} object has no attribute {self.name!r}")
        return value

    def __set__(self, instance: object, value: object) -> None:
        if not self._is_first(instance):
            _check(instance, self.lock, self.name)
        if self.slot is not None:
            self.slot.__set__(instance, value)
        else:
            vars(instance)[self.name] = value

    def __delete__(self, instance: object) -> None:
        _check(instance, self.lock, self.name)
        if self.slot is not None:
            self.slot.__delete__(instance)
        elif self.name in vars(instance):
            del vars(instance)[self.name]
        else:
            raise AttributeError(f"{type(instance).__name__!r} object has no attribute {self.name!r}")

    def _is_first(self, instance: object) -> bool:
        """No value and no lock yet: an object that is being unpickled or copied, without a frame to tell."""
        try:
            operator.attrgetter(self.lock)(instance)
        except AttributeError:
            if self.slot is None:
                return self.name not in vars(instance)
            try:
                self.slot.__get__(instance, type(instance))
            except AttributeError:
                return True
        return False


@overload
def guarded_by(lock: str) -> Any: ...
@overload
def guarded_by(lock: str, *, default: T) -> T: ...
def guarded_by(lock: str, *, default: object = _Missing) -> Any:
    """A class attribute whose value, on an instance, may be used only while `self.<lock>` is held.

    `balance: int = guarded_by("_lock")` in a class or a dataclass; `lock` may be private (`"__lock"`) or dotted
    (`"_state.lock"`). With `default` the attribute has that value until it is set. Subclasses inherit it.

    With `__slots__`, `slots=True` too, the class has no room for it: write `Annotated[int, GuardedBy("_lock")]` and
    decorate the class with `guarded`.

    Checked (see the module): NotGuarded without the lock, TypeError for a lock that does not know its owner.
    """
    return _Guarded(lock, default)


@dataclass(frozen=True, slots=True)
class GuardedBy:
    """The marker: `balance: Annotated[int, GuardedBy("_lock")]`, in a class that is decorated with `guarded`."""

    lock: str


def guarded(cls: C) -> C:
    """Check the attributes that are annotated with GuardedBy; the outermost decorator of a dataclass.

    Annotations of base classes count too. Where annotations are strings, one with names that exist only for type
    checkers is read, not evaluated: `GuardedBy` must then be written out in it.
    """
    if not checks():
        return cls
    for base in reversed(cls.__mro__):
        for name, annotation in inspect.get_annotations(base).items():
            lock = _marked(base, name, annotation)
            if lock is not None and not isinstance(inspect.getattr_static(cls, name, None), _Guarded):
                _install(cls, name, _mangled(lock, base))
    return cls


def _install(cls: type, name: str, lock: str) -> None:
    there = inspect.getattr_static(cls, name, _Missing)
    slot = there if inspect.ismemberdescriptor(there) else None
    descriptor = _Guarded(lock, _Missing if slot is not None else there, slot)
    descriptor.name = name
    setattr(cls, name, descriptor)


def _marked(base: type, name: str, annotation: object) -> str | None:
    """The lock that an annotation names."""
    alone = type(base.__name__, (), {"__annotations__": {name: annotation}, "__module__": base.__module__})
    try:
        hint = get_type_hints(alone, localns=dict(vars(base)), include_extras=True)[name]
    except (NameError, AttributeError, TypeError):
        return _written(str(annotation))
    return next((marker.lock for marker in getattr(hint, "__metadata__", ()) if isinstance(marker, GuardedBy)), None)


def _written(annotation: str) -> str | None:
    for node in ast.walk(ast.parse(annotation, mode="eval")):
        match node:
            case ast.Call(
                func=ast.Name(id="GuardedBy") | ast.Attribute(attr="GuardedBy"), args=[ast.Constant(value=str(lock))]
            ):
                return lock
    return None


def requires_lock(lock: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A method that may be called only while `self.<lock>` is held; NotGuarded otherwise, before it runs.

    Of an `async def` method the check runs when it is awaited. TypeError for generator functions, whose body runs after
    any check.
    """

    def decorate(method: Callable[P, R]) -> Callable[P, R]:
        if inspect.isgeneratorfunction(method) or inspect.isasyncgenfunction(method):
            raise TypeError(f"{method.__qualname__} is a generator: its body runs after the check of its lock")
        return _checked(method, lock) if checks() else method

    return decorate


def _checked(method: Callable[P, R], lock: str) -> Callable[P, R]:
    what = f"{method.__name__}()"
    # The class does not exist yet; its name is in the qualified name.
    *_, owner, _ = ("", *method.__qualname__.split("."))
    private = lock.startswith("__") and not lock.endswith("__")
    name = f"_{owner.lstrip('_')}{lock}" if private else lock

    if inspect.iscoroutinefunction(method):

        @functools.wraps(method)
        async def later(*args: Any, **kwargs: Any) -> Any:
            _check(args[0], name, what)
            return await method(*args, **kwargs)

        return cast("Callable[P, R]", later)

    @functools.wraps(method)
    def now(*args: P.args, **kwargs: P.kwargs) -> R:
        _check(args[0], name, what)
        return method(*args, **kwargs)

    return now


@dataclass(frozen=True, slots=True)
class ThreadSafety:
    """What a class or function promises: whether threads may share it, and how or why not."""

    safe: bool
    doc: str


def thread_safe(doc: str) -> Callable[[D], D]:
    """Threads may share this class (or function); `doc` says what makes it so. See `thread_safety`."""
    return functools.partial(_promise, ThreadSafety(safe=True, doc=doc))


def not_thread_safe(doc: str) -> Callable[[D], D]:
    """Threads may not share this class (or function); `doc` says what the caller has to do. See `thread_safety`."""
    return functools.partial(_promise, ThreadSafety(safe=False, doc=doc))


def _promise(safety: ThreadSafety, subject: D) -> D:
    vars_of = cast("Any", subject)
    vars_of.__thread_safety__ = safety
    note = f"{'Thread-safe' if safety.safe else 'Not thread-safe'}: {safety.doc}"
    vars_of.__doc__ = f"{inspect.cleandoc(subject.__doc__)}\n\n{note}" if subject.__doc__ else note
    return subject


def thread_safety(subject: Callable[..., Any]) -> ThreadSafety | None:
    """What was promised of this very class or function; a subclass has to promise anew, so for it None."""
    return cast("ThreadSafety | None", vars(subject).get("__thread_safety__"))


# What the thread holds, in the order it was taken: an order of locks is a matter of all locks.
class _Held(threading.local):
    def __init__(self) -> None:
        self.locks: list[OwnedLock] = []


_held = _Held()


class OwnedLock:
    """A lock that knows its owner and its place in the order of locks. It is always checked; not reentrant.

    A thread that holds a lock may wait only for one of a **higher** rank; otherwise LockOrderError, before it waits and
    even when no other thread is there to deadlock with. So two locks are never waited for in both orders, nor is one
    waited for by its holder. An attempt that does not wait (`blocking=False`) is exempt, as in Linux's lockdep.

    Use it as a `threading.Lock`, also in a `threading.Condition`. Only the owner may release it (RuntimeError).
    """

    __slots__ = ("_lock", "_owner", "name", "rank")

    def __init__(self, rank: int, *, name: str = "") -> None:
        self.rank = rank
        self.name = name
        self._lock = threading.Lock()
        self._owner: int | None = None

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock; whether it was taken. `timeout` in seconds, -1 waits for ever."""
        held = _held.locks
        if blocking and held and (highest := max(held, key=lambda lock: lock.rank)).rank >= self.rank:
            raise LockOrderError(f"{self!r} is taken after {highest!r}: take locks in the order of their rank")
        if not self._lock.acquire(blocking, timeout):
            return False
        self._owner = threading.get_ident()
        held.append(self)
        return True

    def release(self) -> None:
        """Give the lock back; RuntimeError where this thread does not hold it."""
        if not self.held():
            raise RuntimeError(f"{self!r} is not held by this thread")
        _held.locks.remove(self)
        self._owner = None
        self._lock.release()

    def held(self) -> bool:
        """Whether the current thread holds it."""
        return self._owner == threading.get_ident()

    _is_owned = held  # for threading.Condition

    def locked(self) -> bool:
        """Whether any thread holds it."""
        return self._lock.locked()

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def __repr__(self) -> str:
        return f"OwnedLock({self.rank}, name={self.name!r})"
