"""Where a transaction begins and ends, as the model knows it."""

from __future__ import annotations

import libcst as cst
import pytest

from flake8_concurrency.model.transactions import SAVEPOINT, TRANSACTION
from tests.model_probe import model, probes

HEAD = "from django.db import connection, transaction\n"


def held(source: str) -> list[bool]:
    file = model(HEAD + source)
    return [file.transactions.held(node) for node in probes(file)]


def may_be_held(source: str) -> list[bool]:
    file = model(HEAD + source)
    return [file.transactions.may_be_held(node) for node in probes(file)]


@pytest.mark.parametrize(
    "opener",
    [
        "transaction.atomic()",
        "transaction.atomic(using='other', durable=True)",
        "session.begin()",
        "self.session_factory.begin()",
        "engine.begin()",
        "connection.transaction()",
        "db.atomic()",
    ],
)
def test_a_block_is_a_region(opener: str) -> None:
    file = model(f"{HEAD}def f(self, session, engine, db):\n    with {opener} as tx:\n        probe(1)\n")
    (node,) = probes(file)
    (region,) = file.transactions.regions(node)
    assert (region.kind, isinstance(region.node, cst.With)) == (TRANSACTION, True)
    assert file.transactions.around(node) == region
    assert file.transactions.held(node)


def test_a_savepoint_is_no_transaction_of_its_own() -> None:
    file = model("def f(session):\n    with session.begin_nested():\n        probe(1)\n")
    (node,) = probes(file)
    assert [region.kind for region in file.transactions.regions(node)] == [SAVEPOINT]
    assert file.transactions.around(node) is None


def test_items_to_the_left_are_entered_first() -> None:
    assert held(
        """
def f():
    with transaction.atomic(), opened(probe(1)):
        pass
    with opened(probe(2)), transaction.atomic():
        pass
"""
    ) == [True, False]


def test_the_outermost_region_ends_the_transaction() -> None:
    file = model(f"{HEAD}@transaction.atomic\ndef f():\n    with transaction.atomic():\n        probe(1)\n")
    (node,) = probes(file)
    inner, outer = file.transactions.regions(node)
    assert isinstance(inner.node, cst.With)
    assert isinstance(outer.node, cst.FunctionDef)
    assert file.transactions.around(node) == outer


@pytest.mark.parametrize(
    "decorators",
    [
        "@transaction.atomic",
        "@transaction.atomic()",
        "@transaction.atomic(using='other')",
        "@method_decorator(transaction.atomic)",
        "@method_decorator([login_required, transaction.atomic])",
        "@retried\n@transaction.atomic",
    ],
)
def test_a_decorated_function_is_a_region(decorators: str) -> None:
    assert held(f"{decorators}\ndef f():\n    probe(1)\n") == [True]


def test_a_decorated_class_is_one_for_its_methods() -> None:
    assert held(
        """
@method_decorator(transaction.atomic, name="dispatch")
class A:
    def post(self):
        probe(1)

@method_decorator(transaction.atomic, name="post")
class B:
    def post(self):
        probe(2)
    def get(self):
        probe(3)

class C:
    @transaction.atomic
    def dispatch(self):
        pass
    def put(self):
        probe(4)

class D(C):
    def put(self):
        probe(5)
"""
    ) == [True, True, False, True, True]


def test_wrappers_of_the_project_are_known_by_what_they_do() -> None:
    assert held(
        """
import contextlib, functools

@contextlib.contextmanager
def unit():
    with transaction.atomic():
        yield

@contextlib.contextmanager
def scope(session):
    try:
        yield session
        session.commit()
    finally:
        session.close()

@contextlib.contextmanager
def timed():
    yield

def committed(function):
    @functools.wraps(function)
    def wrapper(*args):
        with transaction.atomic():
            return function(*args)
    return wrapper

def atomically(function):
    return transaction.atomic(function)

def with_options(using):
    def outer(function):
        def wrapper(*args):
            with transaction.atomic(using=using):
                return function(*args)
        return wrapper
    return outer

def logged(function):
    def wrapper(*args):
        return function(*args)
    return wrapper

def f(session):
    with unit():
        probe(1)
    with scope(session):
        probe(2)
    with timed():
        probe(3)

@committed
def g():
    probe(4)

@atomically
def h():
    probe(5)

@with_options("other")
def i():
    probe(6)

@logged
def j():
    probe(7)

in_one = transaction.atomic

@in_one
def k():
    probe(8)
"""
    ) == [True, True, False, True, True, True, False, True]


def test_a_private_function_is_where_its_callers_are() -> None:
    assert held(
        """
def _a():
    probe(1)

def _b():
    probe(2)

def _c():
    _d()

def _d():
    probe(3)

@transaction.atomic
def f():
    _a()
    _b()
    _c()

def g():
    _b()
"""
    ) == [True, False, True]


def test_functions_that_call_each_other_end() -> None:
    source = "def _a():\n    _b()\n    probe(1)\ndef _b():\n    _a()\n"
    assert held(source) == [False]
    assert may_be_held(source) == [False]


def test_a_lambda_and_a_nested_function_run_later() -> None:
    source = """
@transaction.atomic
def f():
    transaction.on_commit(lambda: probe(1))
    def work():
        probe(2)
    transaction.on_commit(work)
"""
    assert held(source) == [False, False]
    assert may_be_held(source) == [True, True]


@pytest.mark.parametrize(
    "source",
    [
        "@in_transaction_of_ours\ndef f():\n    probe(1)\n",
        "def f():\n    with begin_work():\n        probe(1)\n",
        "def f(stack):\n    stack.enter_context(transaction.atomic())\n    probe(1)\n",
        "def f():\n    assert connection.in_atomic_block\n    probe(1)\n",
        "def f(request):\n    probe(1)\n",
        "class A(DetailView):\n    def form_valid(self, form):\n        probe(1)\n",
        "class A:\n    def change(self):\n        self.request.user\n        probe(1)\n",
        "class A:\n    def save_model(self, obj):\n        probe(1)\n",
        "@receiver(post_delete, sender=A)\ndef f(sender):\n    probe(1)\n",
        "def f(sender):\n    probe(1)\nm2m_changed.connect(f)\n",
        "def _f():\n    probe(1)\n",
        "def _f():\n    probe(1)\n@transaction.atomic\ndef g():\n    _f()\ndef h():\n    _f()\n",
    ],
)
def test_others_may_hold_a_transaction(source: str) -> None:
    assert may_be_held(source) == [True]


@pytest.mark.parametrize(
    "source",
    [
        "def f():\n    probe(1)\n",
        "@shared_task\ndef f():\n    probe(1)\n",
        "@receiver(post_save, sender=A)\ndef f(sender):\n    probe(1)\n",
        "def _f():\n    probe(1)\ndef g():\n    _f()\n",
        "def f():\n    with open(path) as file:\n        probe(1)\n",
    ],
)
def test_nobody_holds_one(source: str) -> None:
    assert may_be_held(source) == [False]
    assert held(source) == [False]


def ended(source: str) -> str:
    """What ends the transaction between the two probes of a source."""
    file = model(HEAD + source)
    first, second = probes(file)
    end = file.transactions.ended_between(first, second)
    return "" if end is None else type(end).__name__


@pytest.mark.parametrize(
    ("source", "end"),
    [
        ("def f():\n    with transaction.atomic():\n        probe(1)\n    probe(2)\n", "With"),
        ("def f():\n    with transaction.atomic():\n        probe(1)\n        probe(2)\n", ""),
        ("@transaction.atomic\ndef f():\n    with transaction.atomic():\n        probe(1)\n    probe(2)\n", ""),
        ("def f(session):\n    with session.begin_nested():\n        probe(1)\n    probe(2)\n", ""),
        ("def f(session):\n    probe(1)\n    session.commit()\n    probe(2)\n", "Call"),
        ("def f(session):\n    probe(1)\n    session.rollback()\n    probe(2)\n", "Call"),
        ("def f():\n    probe(1)\n    transaction.commit()\n    probe(2)\n", "Call"),
        ("def f(self):\n    probe(1)\n    self.repo.commit()\n    probe(2)\n", ""),
        ("def f(session, a):\n    probe(1)\n    if a:\n        session.commit()\n    probe(2)\n", ""),
        ("def f(session, a):\n    probe(1)\n    if a:\n        session.commit()\n        probe(2)\n", "Call"),
        ("def f(session):\n    probe(1)\n    done(session)\n    probe(2)\ndef done(s):\n    s.commit()\n", "Call"),
        ("def f():\n    probe(1)\n    done(1)\n    probe(2)\ndef done(a):\n    if a:\n        db.commit()\n", ""),
        ("def f(session):\n    session.commit()\n    probe(1)\n    probe(2)\n    session.commit()\n", ""),
        (
            "def _f():\n    with atomic():\n        probe(1)\n    probe(2)\n@transaction.atomic\ndef g():\n    _f()\n",
            "",
        ),
    ],
)  # fmt: skip
def test_what_ends_a_transaction_between_two_nodes(source: str, end: str) -> None:
    assert ended(source) == end
