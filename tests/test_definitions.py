"""The functions and classes of a file, as found in its tree."""

from __future__ import annotations

import textwrap

import libcst as cst

from flake8_concurrency.model.bindings import STARRED
from flake8_concurrency.model.definitions import ClassInfo, Definitions, FunctionInfo, attribute_bindings
from tests.model_probe import model

SOURCE = """
class Base: pass

class C(Base, *others, key=1):
    level = 1
    both = 1

    def __init__(self, a, /, b, *args, c, **kwargs):
        self.plain = a
        self.typed: int = b
        self.declared: str
        self.first, (self.second, *self.rest) = c
        other.outside = 1
        local = 2
        for self.item in args: pass
        with a as self.entered, b as (self.left, _), c: pass
        def later():
            self.nested = 1
        hook = lambda: [(self.never, 1)]

    @property
    def prop(self): return self._prop

    @prop.setter
    def prop(self, value): self._prop = value

    @functools.cached_property
    def cached(this): this.by_another_name = 1

    @staticmethod
    def static(x): x.not_self = 1

    @classmethod
    def make(cls): cls.made = 1

    def __new__(cls): pass

    @app.route("/x")
    async def route(self): await x(y()); yield 1

    def none(): pass

    class Inner:
        def deep(self): self.inner = 1

def function(a):
    def nested(): return 1
    return [yes() for _ in a]
"""


def definitions(source: str = SOURCE) -> Definitions:
    return model(textwrap.dedent(source)).definitions


def function(name: str, source: str = SOURCE) -> FunctionInfo:
    (found,) = [info for info in definitions(source).functions.values() if info.qualified_name == name]
    return found


def class_(name: str) -> ClassInfo:
    (found,) = [info for info in definitions().classes.values() if info.name == name]
    return found


def test_functions_and_their_owners() -> None:
    names = [repr(info) for info in definitions().functions.values()]
    assert names == [
        "<C.__init__>", "<later>", "<C.prop>", "<C.prop>", "<C.cached>", "<C.static>", "<C.make>", "<C.__new__>",
        "<C.route>", "<C.none>", "<Inner.deep>", "<function>", "<nested>",
    ]  # fmt: skip


def test_classes_and_their_bases() -> None:
    assert [repr(info) for info in definitions().classes.values()] == ["<class Base>", "<class C>", "<class Inner>"]
    assert [base.value for base in class_("C").bases if isinstance(base, cst.Name)] == ["Base"]
    assert class_("Base").bases == []


def test_what_the_class_body_binds() -> None:
    assert list(class_("C").attributes) == ["level", "both", "Inner"]
    assert list(class_("C").methods) == [
        "__init__", "prop", "cached", "static", "make", "__new__", "route", "none",
    ]  # fmt: skip


def test_a_property_keeps_its_getter_and_a_later_method_wins() -> None:
    prop = class_("C").methods["prop"]
    assert prop.is_property
    assert prop.decorator_names == {"property"}
    found = function("D.again", "class D:\n def again(self): pass\n").owner
    assert found is not None
    twice = model("class D:\n def m(self): first\n def m(self): second\n").definitions
    (owner,) = twice.classes.values()
    assert owner.methods["m"] is list(twice.functions.values())[1]


def test_what_methods_assign_to_their_object() -> None:
    assigned = class_("C").assigned
    assert list(assigned) == [
        "plain", "typed", "declared", "first", "second", "rest", "item", "entered", "left", "nested", "_prop",
        "by_another_name", "made",
    ]  # fmt: skip
    assert {name: found[0].how for name, found in assigned.items() if found[0].how != "assign"} == {
        "declared": "annotation",
        "item": "for",
        "entered": "with",
        "left": "with",
    }
    assert assigned["second"][0].path == (1, 0)
    assert assigned["rest"][0].path == (1, STARRED)
    assert assigned["left"][0].path == (0,)
    assert isinstance(assigned["typed"][0].annotation, cst.Name)


def test_a_statement_that_assigns_no_attribute() -> None:
    assert attribute_bindings(cst.parse_statement("x = 1")) == []
    assert (
        attribute_bindings(cst.ensure_type(cst.parse_statement("x, y[0] = 1"), cst.SimpleStatementLine).body[0]) == []
    )


def test_what_kind_of_function_it_is() -> None:
    assert function("C.cached").is_property
    assert function("C.static").is_static
    assert function("C.make").is_classmethod
    assert function("C.__new__").is_classmethod
    assert function("C.route").is_async
    assert function("C.route").is_generator
    plain = function("function")
    assert not any([plain.is_property, plain.is_static, plain.is_classmethod, plain.is_async, plain.is_generator])
    assert not function("C.none").is_property


def test_the_object_a_method_receives() -> None:
    receivers = {name: function(f"C.{name}").this for name in ("__init__", "cached", "static", "make", "none")}
    assert receivers == {"__init__": "self", "cached": "this", "static": None, "make": "cls", "none": None}
    assert function("function").this is None
    assert function("E.m", "class E:\n def m(self, /, x): pass\n").this == "self"


def test_parameters_in_call_order() -> None:
    assert [param.name.value for param in function("C.__init__").params] == ["self", "a", "b", "args", "c", "kwargs"]


def test_decorators_lose_their_arguments() -> None:
    assert [type(node) for node in function("C.route").decorators] == [cst.Attribute]
    assert function("C.route").decorator_names == {"route"}
    assert function("C.cached").decorator_names == {"cached_property"}


def test_what_runs_in_a_function_itself() -> None:
    assert len(function("C.route").calls) == 2
    assert len(function("function").calls) == 1
    assert [type(node) for node in function("function").nodes(cst.Return, cst.FunctionDef)] == [
        cst.FunctionDef,
        cst.Return,
    ]
