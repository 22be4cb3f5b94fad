"""The traversal: complete, in source order, with the scope each node runs in."""

from __future__ import annotations

import ast
import textwrap

import libcst as cst
import pytest
from libcst.metadata import MetadataWrapper, PositionProvider

from flake8_concurrency.model.tree import MARKED, SCOPES, Tree, children

SOURCE = '''
@decorate(first)
class C(Base[int], key=word, metaclass=Meta):
    "doc"
    x: int = 1

    @property
    async def method[T: int](self, a, /, b: str = "b", *args: int, c=3, **rest) -> "T":
        """doc"""
        global g
        async with open(a) as f, lock: pass
        async for x, *y in aiter(b): print(f"{x!r:>{width}}" "t", file=None)
        else: del x, y
        while (n := nxt()) > 1 and not n: await n
        return (yield [i async for i in z if i])

try:
    raise E from None
except (A, B) as error:
    import a.b as c, d
    from ..pkg import (e as f, g)
except E:
    from . import h
else:
    assert x if y else z, "m"
finally:
    lam = lambda q, *w, e=1: {q: w, **e}
try: pass
except* E: pass
match subject:
    case {"k": [1, *rest], **kw} | K(a, b=c): pass
    case None | (1 as one) if guard: pass
    case _: pass
x[1:2:3, ...] += {1, *s}
t = (1, -2.0, 3j, b"b", a @ b, a < b < c)
if a: pass
elif b: ...
else: pass
gen = (i for a in b for i in a if i)
type Alias[K] = dict[K, int]
'''


def tree_of(source: str) -> Tree:
    return Tree(cst.parse_module(textwrap.dedent(source)))


def named(tree: Tree, name: str) -> list[cst.Name]:
    return [node for node in tree.nodes if isinstance(node, cst.Name) and node.value == name]


def the(tree: Tree, name: str) -> cst.Name:
    (found,) = named(tree, name)
    return found


def test_all_names_and_constants_are_visited_once() -> None:
    tree = tree_of(SOURCE)
    reference: list[cst.CSTNode] = []

    class Collect(cst.CSTVisitor):
        def on_visit(self, node: cst.CSTNode) -> bool:
            if isinstance(node, cst.BaseExpression | cst.BaseStatement | cst.BaseSmallStatement | cst.Param):
                reference.append(node)
            return True

    MetadataWrapper(tree.module, unsafe_skip_copy=True).visit(Collect())
    assert set(reference) <= set(tree.nodes)
    assert len(tree.nodes) == len(set(tree.nodes))


def test_nodes_come_in_source_order_parents_first() -> None:
    tree = tree_of(SOURCE)
    positions = MetadataWrapper(tree.module, unsafe_skip_copy=True).resolve(PositionProvider)
    names = [node for node in tree.nodes if isinstance(node, cst.Name)]
    places = [(positions[node].start.line, positions[node].start.column) for node in names]
    assert places == sorted(places)
    assert len(places) > 80
    assert [tree.order(node) for node in tree.nodes] == list(range(len(tree.nodes)))
    for node in tree.nodes[1:]:
        assert tree.order(tree.parents[node]) < tree.order(node)


def test_children_are_what_the_traversal_finds_below_a_node() -> None:
    tree = tree_of(SOURCE)
    for node in tree.nodes:
        assert all(tree.parents[child] is node for child in children(node))
    assert list(tree.within(tree.module)) == tree.nodes


def test_the_module_has_no_parent_and_is_the_last_ancestor() -> None:
    tree = tree_of("f(x)")
    assert tree.module not in tree.parents
    assert list(tree.ancestors(tree.module)) == []
    assert list(tree.ancestors(the(tree, "x")))[-1] is tree.module


def test_layout_is_left_out() -> None:
    tree = tree_of("x = ( 1 ,  # comment\n)\n")
    assert not [
        node for node in tree.nodes if isinstance(node, cst.BaseParenthesizableWhitespace | cst.Comment | cst.Comma)
    ]


def test_every_function_class_lambda_and_comprehension_has_its_own_list() -> None:
    tree = tree_of(SOURCE)
    opening = [node for node in tree.nodes if isinstance(node, SCOPES)]
    assert list(tree.own) == opening
    assert {node for nodes in tree.own.values() for node in nodes} == {n for n in tree.nodes if type(n) in MARKED}


@pytest.mark.parametrize(
    ("source", "scope"),
    [
        ("def f(): x", cst.FunctionDef),
        ("@x\ndef f(): pass", cst.Module),
        ("def f(a=x): pass", cst.Module),
        ("def f(a: x): pass", cst.Module),
        ("def f() -> x: pass", cst.Module),
        ("class C: x", cst.ClassDef),
        ("class C(x): pass", cst.Module),
        ("class C(k=x): pass", cst.Module),
        ("class C:\n def f(self, a=x): pass", cst.ClassDef),
        ("lambda: x", cst.Lambda),
        ("lambda a=x: 1", cst.Module),
        ("[a for a in x]", cst.Module),
        ("[x for a in b]", cst.ListComp),
        ("{a for a in b if x}", cst.SetComp),
        ("{x: 1 for a in b}", cst.DictComp),
        ("{1: x for a in b}", cst.DictComp),
        ("(a for a in b for c in x)", cst.GeneratorExp),
        ("[a for a in [b for b in x]]", cst.Module),
        ("[a for a in [x for b in c]]", cst.ListComp),
        ("[[x for b in c] for a in d]", cst.ListComp),
        ("def f(): return [a for a in x]", cst.FunctionDef),
    ],
)
def test_the_scope_in_which_a_name_is_looked_up(source: str, scope: type[cst.CSTNode]) -> None:
    tree = tree_of(source)
    assert type(tree.scope_of(the(tree, "x"))) is scope


def test_a_node_of_no_tree_counts_as_the_modules() -> None:
    tree = tree_of("x")
    assert tree.scope_of(cst.Name("y")) is tree.module


def test_statement_is_the_simple_statement_or_the_compound_one_whose_header_it_is() -> None:
    tree = tree_of("if f(x): g(y); z\n")
    assert isinstance(tree.statement(the(tree, "x")), cst.If)
    assert isinstance(tree.statement(the(tree, "y")), cst.Expr)
    assert tree.statement(the(tree, "y")) is not tree.statement(the(tree, "z"))
    assert tree.statement(tree.module) is tree.module


def test_running_goes_into_comprehensions_and_class_bodies_and_not_into_functions() -> None:
    tree = tree_of("""
        def f():
            a()
            [b() for _ in c() if d()]
            class C:
                e()
                def g(self): never()
            lambda: never()
            def h(): never()
    """)
    (function,) = [node for node in tree.own if isinstance(node, cst.FunctionDef) and node.name.value == "f"]
    called = [
        ast.unparse(ast.parse(tree.module.code_for_node(n))) for n in tree.running(function) if isinstance(n, cst.Call)
    ]
    assert sorted(called) == ["a()", "b()", "c()", "d()", "e()"]


def test_an_adopted_expression_belongs_where_it_is_hung() -> None:
    tree = tree_of("def f(): 'a.b'")
    (string,) = [node for node in tree.nodes if isinstance(node, cst.SimpleString)]
    before = tree.order(string)
    expression = cst.parse_expression("a.b[c]")
    tree.adopt(expression, string)
    inner = [node for node in tree.within(expression) if isinstance(node, cst.Name)]
    assert [node.value for node in inner] == ["a", "b", "c"]
    for node in inner:
        assert isinstance(tree.scope_of(node), cst.FunctionDef)
        assert string in tree.ancestors(node)
    assert tree.order(string) == before


def test_a_deep_tree_needs_no_recursion() -> None:
    chain = "x = a" + ".b" * 2000 + "\n" + "if a: pass\n" + "elif a: pass\n" * 2000
    tree = tree_of(chain)
    assert len(tree.nodes) > 12_000
    assert sum(1 for _ in tree.within(tree.module)) == len(tree.nodes)
