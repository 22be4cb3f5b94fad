from __future__ import annotations

import pickle

import pytest

from flake8_concurrency.runtime import errors
from flake8_concurrency.runtime.errors import (
    BacklogFull,
    ConcurrencyError,
    DeadlineExceeded,
    FlushFailed,
    LeaseLost,
    MissingExtra,
    NestedSubmit,
    PoolClosed,
    UnknownQueue,
    UnroutedTask,
)
from flake8_concurrency.runtime.report import WaitReport


def test_one_base_catches_all() -> None:
    for name in errors.__all__:
        assert issubclass(getattr(errors, name), ConcurrencyError)


def test_all_are_named_in_dunder_all() -> None:
    classes = {name for name, value in vars(errors).items() if getattr(value, "__module__", None) == errors.__name__}
    assert set(errors.__all__) == classes


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BacklogFull, TimeoutError),
        (DeadlineExceeded, TimeoutError),
        (errors.LockNotAvailable, TimeoutError),
        (PoolClosed, RuntimeError),
        (NestedSubmit, RuntimeError),
        (MissingExtra, ImportError),
    ],
)
def test_python_s_own_idea_is_a_base(error: type[Exception], kind: type[Exception]) -> None:
    assert issubclass(error, kind)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (MissingExtra("redis"), "this needs an extra: pip install 'flake8-concurrency[redis]'"),
        (LeaseLost([3, 4]), "the lease is lost, nothing was changed: [3, 4]"),
        (UnroutedTask("a.b"), "no route names a queue for task 'a.b'"),
        (UnknownQueue("c", {"b", "a"}), "no queue 'c'; there are a, b"),
        (UnknownQueue("c", ()), "no queue 'c'; there are none"),
        (FlushFailed({"a": 1}), "1 pending updates were not written"),
        (DeadlineExceeded("late"), "late"),
        (BacklogFull("full"), "full"),
    ],
)
def test_text_and_pickle(error: Exception, text: str) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert (type(error), text, vars(error)) == (type(copy), str(copy), vars(copy))
    assert text == str(error)


def test_a_report_with_futures_stays_in_its_process() -> None:
    report: WaitReport[int] = WaitReport((), (), (), (), 1.0, timed_out=True)
    error = DeadlineExceeded("late", report)
    assert report is error.report
    assert pickle.loads(pickle.dumps(error)).report is None
