"""Rows: where they come from, what locks them, what is written to them, and when that reaches the database."""

from __future__ import annotations

import ast
import textwrap

import libcst as cst
import pytest

from flake8_concurrency import engine
from flake8_concurrency.engine import Located
from flake8_concurrency.model.columns import COLLECTION, COLUMN, NONE, PLAIN_JSON, RELATION, UNKNOWN
from flake8_concurrency.model.conditions import Condition, conditions, is_ordered, is_sliced, names_one, names_owner
from flake8_concurrency.model.file import FileModel
from flake8_concurrency.model.locks import is_lock_name, words
from flake8_concurrency.model.positions import Positions
from flake8_concurrency.model.reads import Read
from flake8_concurrency.model.spelling import text
from flake8_concurrency.model.tree import Tree

DJANGO = "from django.db import models, transaction\nfrom app.models import Thing, Other\n"
SQLALCHEMY = "from sqlalchemy import select, update\nfrom app.models import Thing, Other\n"


def model(source: str) -> FileModel:
    module = cst.parse_module(textwrap.dedent(source))
    tree = Tree(module)
    return FileModel(tree, Positions(tree, [], None))


def found(source: str, code: str) -> list[Located]:
    """The findings of one rule, the same with the gate and without."""
    source = textwrap.dedent(source)
    tree = ast.parse(source)
    gated, whole = (engine.lint(source, tree=tree, filename="app/x.py", gate=gate) for gate in (True, False))
    assert gated == whole
    return [one for one in gated if one.code == code]


def lines(source: str, code: str = "CNC301") -> list[int]:
    return [one.line for one in found(source, code)]


def reads(expression: str, before: str = "", imports: str = DJANGO) -> tuple[Read, ...]:
    """What an expression at the end of a function holds of the database."""
    body = textwrap.indent(f"{before}\nreturn {expression}", "    ")
    file = model(f"{imports}def f(session, self, qs, *args):\n{body}\n")
    node = next(node for node in reversed(file.tree.nodes) if isinstance(node, cst.Return))
    return file.queries.of(node.value)


def shapes(expression: str, before: str = "", imports: str = DJANGO) -> set[tuple[str, bool]]:
    return {(read.shape, read.locked) for read in reads(expression, before, imports)}


@pytest.mark.parametrize(
    ("expression", "shape"),
    [
        ("Thing.objects", "query"),
        ("Thing.objects.filter(x=1).order_by('a').due()", "query"),
        ("Thing.objects.get(pk=1)", "row"),
        ("await Thing.objects.filter(x=1).afirst()", "row"),
        ("Thing.objects.get_or_create(x=1)", "pair"),
        ("Thing.objects.get_or_create(x=1)[0]", "row"),
        ("Thing.objects.in_bulk([1])", "keyed"),
        ("Thing.objects.in_bulk([1])[1]", "row"),
        ("Thing.objects.filter(x=1)[0]", "row"),
        ("Thing.objects.filter(x=1)[:10]", "query"),
        ("next(iter(Thing.objects.all()))", "row"),
        ("list(Thing.objects.all())", "rows"),
        ("[m for m in Thing.objects.all()]", "rows"),
        ("{m.pk: m for m in Thing.objects.all()}", "keyed"),
        ("Thing.active.get(pk=1)", "row"),
        ("self.owner.things.filter(x=1).first()", "row"),
        ("get_object_or_404(Thing, pk=1)", "row"),
        ("get_list_or_404(Thing.objects.all())", "rows"),
        ("Thing.objects.get(pk=1).owner", "row"),
    ],
)
def test_queries_of_django_are_known_by_their_shape(expression: str, shape: str) -> None:
    assert shapes(expression) == {(shape, False)}


@pytest.mark.parametrize(
    ("expression", "shape"),
    [
        ("session.query(Thing).filter(Thing.x == 1)", "query"),
        ("session.query(Thing).one_or_none()", "row"),
        ("session.query(Thing).all()", "rows"),
        ("Thing.query.filter_by(x=1).first_or_404()", "row"),
        ("session.get(Thing, 1)", "row"),
        ("self.request.db.query(Thing).first()", "row"),
        ("select(Thing).where(Thing.x == 1)", "statement"),
        ("session.execute(select(Thing))", "result"),
        ("session.execute(select(Thing)).scalar_one()", "row"),
        ("session.execute(select(Thing)).scalars().all()", "rows"),
        ("session.execute(select(Thing)).first()", "pair"),
        ("session.execute(select(Thing)).first()[0]", "row"),
        ("session.query(Thing, Other).first()", "pair"),
        ("session.execute(select(Thing, Other)).all()", "pairs"),
        ("session.execute(select(Thing, Other)).one()[1]", "row"),
        ("(await session.scalars(select(Thing))).one()", "row"),
        ("session.scalar(select(Thing))", "row"),
        ("session.scalars(select(Thing.id)).all()", "rows"),
        ("session.get(Thing, 1).owner", "row"),
    ],
)
def test_queries_of_sqlalchemy_are_known_by_their_shape(expression: str, shape: str) -> None:
    assert shapes(expression, imports=SQLALCHEMY) == {(shape, False)}


@pytest.mark.parametrize(
    "expression",
    [
        "qs.get(pk=1)",
        "self.cache.get('key')",
        "{}.get('key', None)",
        "requests.get(url=1)",
        "Thing.objects.values('x').count()",
        "Thing.objects.create(x=1)",
        "Thing.objects.bulk_create([])",
        "Thing(x=1)",
        "session.execute(text('select 1')).first()",
        "args.items.get('x')",
        "select(len(args))",
        "self.get_object()",
    ],
)
def test_what_no_orm_surely_gives_is_unknown(expression: str) -> None:
    assert not reads(expression, imports=DJANGO + SQLALCHEMY)


@pytest.mark.parametrize(
    "expression",
    [
        "Thing.objects.select_for_update().get(pk=1)",
        "Thing.objects.filter(x=1).select_for_update(of=('self',)).due().first()",
        "get_object_or_404(Thing.objects.select_for_update(), pk=1)",
        "session.get(Thing, 1, with_for_update=True)",
        "session.get(Thing, 1, with_for_update={'nowait': True})",
        "session.query(Thing).with_for_update().one()",
        "session.scalars(select(Thing).with_for_update(skip_locked=True)).first()",
        "get_m_for_update(1)",
        "load(1, for_update=True)",
        "with_row_locks(Thing.objects.all(), skip_locked=True).first()",
    ],
)
def test_locked_rows_are_known_as_locked(expression: str) -> None:
    assert ("row", True) in shapes(expression, imports=DJANGO + SQLALCHEMY)
    assert ("row", False) not in shapes(expression, imports=DJANGO + SQLALCHEMY)


@pytest.mark.parametrize("expression", ["session.get(Thing, 1, with_for_update=None)", "load(1, for_update=False)"])
def test_a_lock_that_is_switched_off_is_none(expression: str) -> None:
    assert all(not locked for _, locked in shapes(expression, imports=SQLALCHEMY))


def test_a_query_that_may_be_locked_is_both() -> None:
    before = "q = Thing.objects.all()\nif session:\n    q = q.select_for_update()"
    assert shapes("q.first()", before) == {("row", False), ("row", True)}


def test_other_mappers_have_managers_too() -> None:
    assert not reads("Thing.objects.get(pk=1)", imports="import mongoengine\n")


def test_rows_are_followed_into_lists_loops_and_tuples() -> None:
    before = """
found = []
for i, one in enumerate(Thing.objects.all()):
    found.append(one)
last = found.pop()
first, created = Thing.objects.get_or_create(x=1)
"""
    assert shapes("found", before) == {("rows", False)}
    assert shapes("last", before) == {("row", False)}
    assert shapes("first", before) == {("row", False)}
    assert not reads("created", before)


@pytest.mark.parametrize(
    ("name", "is_lock"),
    [
        ("lock", True),
        ("advisory_lock", True),
        ("getForUpdate", True),
        ("select_for_update", True),
        ("RLock", True),
        ("distributedLock", True),
        ("synchronized", True),
        ("unlock", False),
        ("release_lock", False),
        ("is_locked", False),
        ("block", False),
        ("clock", False),
        ("update", False),
        ("", False),
    ],
)
def test_locks_are_known_by_their_names(name: str, is_lock: bool) -> None:
    assert is_lock_name(name) == is_lock


def test_names_are_split_into_words() -> None:
    assert words("getHTTPLock_for2") == ["get", "http", "lock", "for2"]


def test_columns_are_read_from_the_class() -> None:
    file = model(
        """
        from django.contrib.postgres.fields import ArrayField
        from django.db import models
        from sqlalchemy import JSON
        from sqlalchemy.ext.mutable import MutableDict
        from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

        class Thing(models.Model):
            n = models.IntegerField()
            tags = ArrayField(models.TextField())
            owner = models.ForeignKey("Owner", on_delete=models.CASCADE)
            @property
            def total(self):
                return self.n

        class Row(DeclarativeBase):
            n: Mapped[int]
            plain: Mapped[dict] = mapped_column(JSON)
            tracked: Mapped[dict] = mapped_column(MutableDict.as_mutable(JSON))
            things = relationship("Thing")

        class Child(Imported):
            pass
        """
    )
    classes = {info.name: info for info in file.definitions.classes.values()}
    columns = file.rows.columns
    expected = {
        ("Thing", "n"): COLUMN,
        ("Thing", "tags"): COLLECTION,
        ("Thing", "owner"): RELATION,
        ("Thing", "total"): NONE,
        ("Thing", "cache"): NONE,
        ("Row", "n"): COLUMN,
        ("Row", "plain"): PLAIN_JSON,
        ("Row", "tracked"): COLLECTION,
        ("Row", "things"): RELATION,
        ("Child", "anything"): UNKNOWN,
        ("Child", "_private"): NONE,
    }
    assert expected == {(owner, name): columns.of(classes[owner], name) for owner, name in expected}
    assert columns.of(None, "x") == UNKNOWN
    assert columns.of(None, "_x") == NONE


def conditions_of(expression: str) -> list[Condition]:
    (read,) = reads(expression, imports=SQLALCHEMY)
    return conditions(read.links)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("Thing.objects.filter(status='new')", [("status", True, True)]),
        ("Thing.objects.filter(status__in=['new', Thing.OLD], due__lte=now())",
         [("status", True, True), ("due", False, False)]),
        ("Thing.objects.exclude(sent_at__isnull=True)", [("sent_at", True, True)]),
        ("Thing.objects.filter(Q(status='new') | Q(status=Thing.Status.OLD), owner=session)",
         [("status", True, True), ("status", True, True), ("owner", False, True)]),
        ("session.query(Thing).filter_by(status='new')", [("status", True, True)]),
        ("select(Thing).where(Thing.status == Status.new, ~Thing.done)",
         [("status", True, True), ("done", True, True)]),
        ("select(Thing).where(Thing.sent_at.is_(None)).where(Thing.id.in_(qs))",
         [("sent_at", True, True), ("id", False, True)]),
        ("select(Thing).where(or_(Thing.status == 'a', Thing.n > 3))", [("status", True, True), ("n", True, False)]),
    ],
)  # fmt: skip
def test_conditions_tell_states_from_values(expression: str, expected: list[tuple[str, bool, bool]]) -> None:
    found = conditions_of(expression)
    assert [(one.column, one.constant, one.state) for one in found] == expected


def test_what_a_query_is_about() -> None:
    assert names_one(conditions_of("select(Thing).where(Thing.id == session)"))
    assert not names_one(conditions_of("select(Thing).where(Thing.status == 'new')"))
    assert names_owner(conditions_of("Thing.objects.filter(order=session)"))
    assert not names_owner(conditions_of("Thing.objects.filter(queue=session)"))
    (sliced,) = reads("Thing.objects.order_by('x')[:10]")
    (plain,) = reads("Thing.objects.order_by()[3:]")
    assert is_sliced(sliced.links)
    assert is_ordered(sliced.links)
    assert not is_sliced(plain.links)
    assert not is_ordered(plain.links)


def test_spelling_has_no_calls() -> None:
    expressions = {"a.b[0].c": "a.b[0].c", "a().b": "", "a[b]": "a[b]", "a[1:2]": "", "'x'": "'x'", "-a": ""}
    assert {given: text(cst.parse_expression(given)) for given in expressions} == expressions


# -- lost updates ------------------------------------------------------------------------------------------------------


def row(body: str, *, imports: str = DJANGO, get: str = "Thing.objects.get(pk=1)") -> str:
    return f"{imports}def f(session, value, flag):\n    row = {get}\n{textwrap.indent(textwrap.dedent(body), '    ')}"


@pytest.mark.parametrize(
    "body",
    [
        "row.n *= 2\nrow.save()",
        "row.n = value - row.n\nrow.save()",
        "row.n = -row.n\nrow.save()",
        "row.n = min(row.n, value)\nrow.save()",
        "row.n = value if flag else row.n + 1\nrow.save()",
        "row.tags = sorted(set(row.tags) | {value})\nrow.save()",
        "row.tags = [*row.tags, value]\nrow.save()",
        "row.data = json.dumps({**json.loads(row.data), 'a': 1})\nrow.save()",
        "kept = []\nfor tag in row.tags:\n    kept.append(tag)\nrow.tags = kept\nrow.save()",
        "for item in row.items_json:\n    item['a'] = 1\nrow.save()",
        "row.data['a']['b'] = 1\nrow.save()",
        "row.data.setdefault('a', []).append(1)\nrow.save()",
        "if flag:\n    row.n += 1\nrow.save(update_fields=['n', 'x'])",
        "row.n += 1\ntry:\n    row.save()\nfinally:\n    pass",
        "row.n += 1\nM.objects.bulk_update([row], ['n'])",
        "row.n += 1\nrepository.save(row)",
    ],
)
def test_writes_from_the_old_value_are_found(body: str) -> None:
    assert len(lines(row(body))) == 1


@pytest.mark.parametrize(
    "body",
    [
        "row.n = value\nrow.save()",
        "row.name = row.name.strip()\nrow.save()",
        "row.n = row.n or 1\nrow.save()",
        "row.n = row.other + 1\nrow.save()",
        "row.n = 0\nrow.n += 1\nrow.save()",
        "row.changed = max(time.time_ns(), row.changed + 1)\nrow.save()",
        "row.n += 1",
        "row.n += 1\nrow.save(update_fields=['x'])",
        "if flag:\n    row.n += 1\nelse:\n    row.save()",
        "row.save()\nrow.n += 1",
        "if flag:\n    row.n += 1\n    return row\nrow.save()",
        "row._cache.append(1)\nrow.save()",
        "row.children.remove(value)\nrow.save()",
        "row.children.update(done=True)\nrow.save()",
        "row.pk = None\nrow.n += 1\nrow.save()",
        "with cache.lock('x'):\n    row.n += 1\n    row.save()",
        "acquire_lock('x')\nrow.n += 1\nrow.save()",
        "row.refresh_from_db(from_queryset=Thing.objects.select_for_update())\nrow.n += 1\nrow.save()",
        "parent = Other.objects.select_for_update().get(pk=1)\nrow.n += 1\nrow.save()",
        "row = Thing.objects.select_for_update().get(pk=row.pk)\nrow.n += 1\nrow.save()",
    ],
)
def test_other_writes_are_silent(body: str) -> None:
    assert not lines(row(body))


def test_a_lock_on_one_row_guards_no_other_row_of_its_class() -> None:
    body = "other = Thing.objects.select_for_update().get(pk=2)\nother.n -= 1\nrow.n += 1\nother.save()\nrow.save()"
    assert lines(row(body)) == [7]


def test_a_row_is_new_where_it_was_created() -> None:
    get = "row, created = Thing.objects.get_or_create(x=1)"
    body = "    if created:\n        row.n += 1\n    else:\n        row.n += 2\n    row.save()\n"
    source = f"{DJANGO}def f():\n    {get}\n{body}"
    assert lines(source) == [8]


def test_one_defect_is_one_finding_on_each_path() -> None:
    assert lines(row("row.n += 1\nrow.n += 2\nrow.save()")) == [5]
    assert lines(row("if flag:\n    row.n += 1\nelse:\n    row.n += 2\nrow.save()")) == [6, 8]


def test_the_message_names_the_row_the_read_and_the_shortest_right_form() -> None:
    (django,) = found(row("row.n += value\nrow.save()"), "CNC301")
    assert django.message == (
        "row.n is written back from the value read without a lock on line 4, so of two updates at once one is lost: "
        'use F("n") + value, or flake8_concurrency.runtime.locked'
    )
    (sqlalchemy,) = found(
        row("row.n -= 1\nsession.commit()", imports=SQLALCHEMY, get="session.get(Thing, 1)"), "CNC301"
    )
    assert "use update(Thing).values(n=Thing.n - 1), or" in sqlalchemy.message
    (json,) = found(row("row.data['x'] = 1\nrow.save()"), "CNC301")
    assert "use .select_for_update() in a transaction, or" in json.message


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ("row.n += 1\nsession.commit()", 1),
        ("row.n += 1\nsession.flush()", 1),
        ("row.n += 1", 1),
        ("row.n += 1\nsession.rollback()", 0),
        ("session.expunge(row)\nrow.n += 1\nsession.commit()", 0),
        ("row.children.append(value)\nsession.commit()", 0),
        ("row.children += [value]\nsession.commit()", 0),
        ("row.groups |= {value}\nsession.commit()", 0),
        ("row.data['a'] = 1\nsession.commit()", 1),
        ("row.tags.append(1)\nflag_modified(row, 'tags')\nsession.commit()", 1),
        ("session.refresh(row, with_for_update=True)\nrow.n += 1\nsession.commit()", 0),
        ("session.refresh(value, with_for_update=True)\nrow.n += 1\nsession.commit()", 1),
    ],
)
def test_rows_of_sqlalchemy_are_written_with_their_session(body: str, count: int) -> None:
    assert len(lines(row(body, imports=SQLALCHEMY, get="session.get(Thing, 1)"))) == count


def test_a_session_made_here_and_never_committed_writes_nothing() -> None:
    body = "def f():\n    with SessionLocal() as session:\n        row = session.get(Thing, 1)\n        row.n += 1\n"
    assert not lines(SQLALCHEMY + body)
    assert lines(SQLALCHEMY + body + "        session.commit()\n") == [6]
    assert lines(SQLALCHEMY + body.replace("SessionLocal()", "SessionLocal.begin()")) == [6]


MODEL = (
    DJANGO
    + """
class Coupon(models.Model):
    uses = models.IntegerField()

    def use(self):
        self._count()
        self.save()

    def _count(self):
        self.uses += 1

    def use_safely(self):
        self.uses = models.F("uses") + 1
        self.save()

"""
)


def test_methods_of_the_model_are_found_where_they_are_called() -> None:
    call = "def f(pk):\n    coupon = Coupon.objects.get(pk=pk)\n    coupon.{}()\n"
    assert lines(MODEL + call.format("use_safely")) == []
    (finding,) = found(MODEL + call.format("use"), "CNC301")
    assert finding.line == 20
    assert lines(MODEL + "def f(pk):\n    Coupon.objects.get(pk=pk).use()\n") == [19]
    assert "(in Coupon.use, line 12)" in finding.message
    assert not lines(MODEL)


def test_a_parameter_is_a_row_when_every_caller_gives_one() -> None:
    helper = DJANGO + "def add(row):\n    row.n += 1\n    row.save()\n"
    assert not lines(helper)
    assert lines(helper + "def f():\n    add(Thing.objects.get(pk=1))\n") == [4]
    assert not lines(helper + "def f(x):\n    add(Thing.objects.get(pk=1))\n    add(x)\n")
    assert not lines(helper + "def f():\n    add(Thing.objects.select_for_update().get(pk=1))\n")


def test_a_lock_of_all_callers_is_a_lock() -> None:
    source = DJANGO + "def _add(pk):\n    row = Thing.objects.get(pk=pk)\n    row.n += 1\n    row.save()\n"
    caller = "def f(pk):\n    with lock(pk):\n        _add(pk)\n"
    assert lines(source) == [5]
    assert not lines(source + caller)
    assert lines(source + caller + "def g(pk):\n    _add(pk)\n") == [5]


def test_the_isolation_level_of_the_file_counts_wherever_it_stands() -> None:
    source = row("row.n += 1\nsession.commit()", imports=SQLALCHEMY, get="session.get(Thing, 1)")
    assert lines(source)
    assert lines(source + "\ndef g():\n    '''JSON serializable'''\n")
    assert not lines(source + "\ndef g():\n    return make(isolation_level='SERIALIZABLE')\n")


def test_a_version_column_of_an_unknown_class_counts() -> None:
    source = row("row.n += 1\nsession.commit()", imports=SQLALCHEMY, get="session.get(value, 1)")
    assert not lines(source)
    source = row("row.n += 1\nsession.commit()", imports=SQLALCHEMY, get="session.get(Thing, 1)")
    versioned = "class V(Base):\n    __mapper_args__ = {'version_id_col': 1}\n"
    assert lines(source)
    assert not lines(f"{source}\n{versioned}")


@pytest.mark.parametrize(
    "around",
    [
        "class Command(BaseCommand):\n    def handle(self):\n        {}",
        "class T(TestCase):\n    def check(self):\n        {}",
        "def forwards(apps, schema_editor):\n        {}",
        "def test_it():\n        {}",
        "@cli.command()\ndef token():\n        {}",
    ],
)
def test_code_that_runs_alone_is_silent(around: str) -> None:
    body = "row = Thing.objects.get(pk=1)\nrow.n += 1\nrow.save()\n".replace("\n", "\n        ")
    assert not lines(DJANGO + around.format(body))


# -- claims ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "body", "count"),
    [
        ("Thing.objects.filter(status='new')[:10]", "row.status = 'run'; row.save()", 1),
        ("Thing.objects.filter(status='new').order_by('id')", "row.status = 'run'; row.save()", 1),
        ("Thing.objects.filter(status='new')", "row.status = 'run'; row.save()", 0),
        ("Thing.objects.filter(status='new')", "row.status = 'run'; row.save(); send.delay(row.pk)", 1),
        ("Thing.objects.filter(status='new', order=flag).order_by('id')", "row.status = 'run'; row.save()", 0),
        ("Thing.objects.filter(status='new', queue=flag).order_by('id')", "row.status = 'run'; row.save()", 1),
        ("Thing.objects.filter(id__in=flag, status='new')[:10]", "row.status = 'run'; row.save()", 0),
        ("Thing.objects.filter(status=flag)[:10]", "row.status = 'run'; row.save()", 0),
        ("Thing.objects.filter(status='new')[:10]", "row.other = 'run'; row.save()", 0),
        ("Thing.objects.filter(status='new')[:10]", "row.status = 'run'", 0),
        ("Thing.objects.filter(slug='')[:10]", "row.slug = slugify(row.title); row.save()", 0),
        ("Thing.objects.filter(worker__isnull=True)[:10]", "row.worker = value; row.save()", 1),
        ("Thing.objects.filter(sent_at=None)[:10]", "row.sent_at = timezone.now(); row.save()", 1),
        ("Thing.objects.filter(active=True)[:10]", "send.delay(row.pk)", 0),
        ("Thing.objects.filter(status='new')[:10]", "send.delay(row.pk)", 1),
        ("Thing.objects.filter(status='new')", "send.delay(row.pk)", 0),
        ("Thing.objects.filter(status='new')[:10]", "row.delete()", 0),
        ("Thing.objects.filter(status='new')[:10]", "send(row); row.delete()", 1),
        ("Thing.objects.select_for_update().filter(status='new')[:10]", "row.status = 'run'; row.save()", 0),
    ],
)
def test_batches_chosen_by_a_state_and_taken(query: str, body: str, count: int) -> None:
    source = f"{DJANGO}def f(flag, value):\n    for row in {query}:\n        {body}\n"
    assert len(lines(source, "CNC304")) == count


def test_a_locked_second_look_is_no_claim() -> None:
    source = (
        DJANGO
        + """
def f():
    for item in Thing.objects.filter(status="new").order_by("id")[:10]:
        row = Thing.objects.select_for_update().get(pk=item.pk)
        if row.status == "new":
            row.status = "run"
            row.save()
"""
    )
    assert not lines(source, "CNC304")


def test_a_claim_is_one_finding_and_no_lost_update() -> None:
    source = (
        DJANGO
        + """
def f():
    for row in Thing.objects.filter(status="new")[:10]:
        row.attempts += 1
        row.status = "run"
        row.save()
"""
    )
    assert lines(source, "CNC304") == [5]
    assert not lines(source)


def test_the_message_of_a_claim() -> None:
    loop = "    for row in Thing.objects.filter(status='new')[:10]:\n        row.status = 'run'\n        row.save()\n"
    source = f"{DJANGO}def f():\n{loop}"
    (finding,) = found(source, "CNC304")
    assert finding.message == (
        "rows chosen by status are moved on line 5 without a lock, so two workers take the same ones: use "
        ".select_for_update(skip_locked=True), or flake8_concurrency.runtime.claim_batch"
    )


def test_a_row_that_was_handed_in_is_taken_where_it_was_chosen() -> None:
    source = (
        DJANGO
        + """
def finish(row):
    row.status = "done"
    row.save()

def retry(row):
    finish(row)

def f():
    for row in Thing.objects.filter(status="new")[:10]:
        {}
        retry(row)
"""
    )
    assert lines(source.format("pass"), "CNC304") == [12]
    guard = "if not Thing.objects.filter(pk=row.pk, status='new').update(status='run'): continue"
    assert not lines(source.format(guard), "CNC304")


def test_a_value_from_the_round_before_is_another_rows() -> None:
    source = (
        DJANGO
        + """
def f():
    last = 0
    for row in Thing.objects.all():
        if row.n <= last:
            last += 1
            row.n = last
            row.save()
        else:
            last = row.n
"""
    )
    assert not lines(source)


def test_chains_and_circles_end() -> None:
    many = "".join(f"    a{i} = a{i - 1} + row.n if a{i - 2} else a{i - 1}\n" for i in range(2, 300))
    assert not lines(
        f"{DJANGO}def f(a0, a1):\n    row = Thing.objects.get(pk=1)\n{many}    row.n = a299\n    row.save()\n"
    )
    circle = "def f(row):\n    g(row)\n    row.n += 1\n    row.save()\ndef g(row):\n    f(row)\n"
    assert not lines(DJANGO + circle)
    loop = "    while a:\n        a, b = b, c\n        c = a\n        row.n = c\n    row.save()\n"
    assert not lines(f"{DJANGO}def f(a, b, c):\n    row = Thing.objects.get(pk=1)\n{loop}")


def test_a_conditional_update_of_the_row_locks_it() -> None:
    guard = "if not Thing.objects.filter(pk=row.pk, state='new').update(state='run'):\n    return\n"
    assert lines(row("row.n += 1\nrow.save()"))
    assert not lines(row(guard + "row.n += 1\nrow.save()"))
    assert lines(row(guard.replace("row.pk", "value.pk") + "row.n += 1\nrow.save()"))


@pytest.mark.parametrize(
    "before",
    [
        "if amount > thing.n:\n    raise ValueError(amount)",
        "rest = thing.n - amount\nif rest < 0:\n    raise ValueError(amount)",
        "while thing.n < amount:\n    print(thing)",
        "assert thing.n",
        "enough = thing.n >= amount",
    ],
)
def test_no_expression_of_the_database_is_proposed_where_the_old_value_decides(before: str) -> None:
    body = f"thing = Thing.objects.get(pk=pk)\n{before}\nthing.n -= amount\nthing.save()"
    [one] = found(f"{DJANGO}def f(pk, amount):\n{textwrap.indent(body, '    ')}\n", "CNC301")
    assert ".select_for_update() in a transaction" in one.message


def test_an_expression_of_the_database_is_proposed_where_another_value_decides() -> None:
    body = (
        "thing = Thing.objects.get(pk=pk)\nif thing.open:\n    thing.n -= 1\nthing.save()\nif thing.n:\n    print(pk)"
    )
    [one] = found(f"{DJANGO}def f(pk):\n{textwrap.indent(body, '    ')}\n", "CNC301")
    assert 'F("n") - 1' in one.message


def test_a_session_of_another_library_hands_over_no_row() -> None:
    source = """
    import sqlite3

    def f(db, pk):
        user = get_user(db, pk)
        user.n += 1
        db.commit()
    """
    assert not lines(source)
