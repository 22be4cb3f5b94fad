"""Small projects on disk: what a file's findings owe to its project's other files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from flake8_concurrency import engine, projects
from flake8_concurrency.options import OptionError, Options, parse_project_root

HTTP = """
    import requests

    def _get(url):
        return requests.get(url, timeout=5)

    def fetch(url):
        return _get(url).json()
    """
CALLER = """
    from app.http import fetch

    async def load_user(url):
        return fetch(url)
    """


def text(block: str) -> str:
    lines = block.split("\n")
    indentation = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return "\n".join(line[indentation:] for line in lines).lstrip("\n")


def project(root: Path, files: Mapping[str, str], *, marker: str = "pyproject.toml") -> Path:
    projects.close()
    for name, block in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text(block), encoding="utf-8")
    if marker:
        (root / marker).touch()
    return root


#: The project is found from each file.
FOUND = Options(project_root="")


def found(path: Path, options: Options = FOUND, *, gate: bool = True) -> list[tuple[int, str]]:
    source = path.read_text(encoding="utf-8")
    located = engine.lint(source, filename=str(path), options=options, gate=gate)
    if gate:
        assert located == engine.lint(source, filename=str(path), options=options, gate=False)
    return [(one.line, one.code) for one in located]


def messages(path: Path) -> list[str]:
    return [one.message for one in engine.lint(path.read_text(encoding="utf-8"), filename=str(path), options=FOUND)]


def test_the_chain_is_told_with_files_and_lines(tmp_path: Path) -> None:
    root = project(tmp_path, {"app/__init__.py": "", "app/http.py": HTTP, "app/users.py": CALLER})
    assert found(root / "app/users.py") == [(4, "CNC410")]
    assert messages(root / "app/users.py")[0].startswith(
        "fetch (app/http.py:6) → _get (app/http.py:3) → requests.get (app/http.py:4) stops the event loop"
    )


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("app/users.py", "from app.http import fetch"),
        ("app/users.py", "from .http import fetch"),
        ("app/deep/users.py", "from ..http import fetch"),
        ("app/users.py", "from app import fetch"),
        ("app/users.py", "from . import fetch"),
        ("app/users.py", "from app import load as fetch"),
        ("app/users.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from app.http import fetch"),
        ("app/users.py", "import app.http\nfetch = app.http.fetch"),
        ("app/users.py", "from app import http\nfetch = http.fetch"),
        ("app/users.py", "import app.http as client\nfetch = client.fetch"),
        ("users.py", "from app.http import fetch"),
        ("elsewhere/deep/users.py", "from app.http import fetch"),
    ],
)
def test_imports_are_followed_however_they_are_written(tmp_path: Path, name: str, line: str) -> None:
    initial = "from .http import fetch\nfrom app.http import fetch as load\n"
    files = {"app/__init__.py": initial, "app/deep/__init__.py": "", "app/http.py": HTTP}
    root = project(tmp_path, {**files, name: f"{line}\n\n\nasync def f(url):\n    return fetch(url)\n"})
    assert [code for _, code in found(root / name)] == ["CNC410"]


@pytest.mark.parametrize("marker", ["pyproject.toml", "setup.cfg", "setup.py", ".git"])
def test_the_root_is_the_nearest_directory_with_a_marker(tmp_path: Path, marker: str) -> None:
    root = project(tmp_path / "outer" / "inner", {"app/http.py": HTTP, "app/users.py": CALLER}, marker=marker)
    assert found(root / "app/users.py") == [(4, "CNC410")]


@pytest.mark.parametrize("layout", ["src/app", "backend/app", "app", "lib/python/app"])
@pytest.mark.parametrize("packages", [True, False])
def test_layouts(tmp_path: Path, layout: str, packages: bool) -> None:
    files = {f"{layout}/http.py": HTTP, f"{layout}/users.py": CALLER}
    if packages:
        files[f"{layout}/__init__.py"] = ""
    root = project(tmp_path, files)
    assert found(root / layout / "users.py") == [(4, "CNC410")]


def test_a_source_directory_is_seen_from_beside_it(tmp_path: Path) -> None:
    root = project(tmp_path, {"src/app/http.py": HTTP, "tools/users.py": CALLER})
    assert found(root / "tools/users.py") == [(4, "CNC410")]


TYPES = """
    from __future__ import annotations
    import time
    from dataclasses import dataclass
    from pathlib import Path
    import requests

    DATA = Path("data")
    SESSION = requests.Session()

    class Base:
        def __init__(self) -> None:
            self.session = requests.Session()

        def nap(self):
            time.sleep(1)

        @property
        def path(self) -> Path:
            return Path(self.name)

        def pure(self):
            return 1

    class Repo(Base):
        def load(self):
            return self.session.get("u", timeout=3)

        async def fine(self):
            return 1

    class Slow:
        def __init__(self):
            time.sleep(2)

    @dataclass
    class Settings:
        root: Path
        repo: Repo

    def make():
        return Repo()

    def made() -> Repo:
        return unknown()

    def later():
        while True:
            yield time.sleep(1)
    """


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("Repo().load()", "CNC410"),
        ("repo = Repo()\n    repo.nap()", "CNC410"),
        ("make().load()", "CNC410"),
        ("made().nap()", "CNC410"),
        ("Slow()", "CNC410"),
        ("super_service = Service(Repo())\n    super_service.repo.load()", "CNC410"),
        ("DATA.read_text()", "CNC404"),
        ("SESSION.get('u', timeout=3)", "CNC402"),
        ("Repo().session.get('u', timeout=3)", "CNC402"),
        ("Repo().path.read_text()", "CNC404"),
        ("service.settings.root.read_text()", "CNC404"),
        ("service.settings.repo.load()", "CNC410"),
        ("Own().nap()", "CNC410"),
        ("Own().session.get('u', timeout=3)", "CNC402"),
        ("for _ in later():\n        pass", "CNC410"),
        ("helper()", "CNC410"),
        ("Repo().pure()", ""),
        ("await Repo().fine()", ""),
        ("later()", ""),
        ("await asyncio.to_thread(Repo().load)", ""),
        ("Replaced().nap()", ""),
        ("unknown.load()", ""),
    ],
)
def test_kinds_flow_from_other_files(tmp_path: Path, body: str, code: str) -> None:
    user = f"""
import asyncio
from app.types import DATA, SESSION, Base, Repo, Settings, Slow, later, made, make, unknown

class Service:
    settings: Settings

    def __init__(self, repo: Repo):
        self.repo = repo

class Own(Base):
    pass

class Replaced(Base):
    def nap(self):
        return 1

def helper():
    make().load()

async def f(service: Service):
    {body}
"""
    root = project(tmp_path, {"app/types.py": TYPES, "app/user.py": user})
    assert [one for _, one in found(root / "app/user.py")] == ([code] if code else [])


def test_files_that_cannot_be_read_say_nothing(tmp_path: Path) -> None:
    user = """
        from app.broken import fetch
        from app.missing import other
        from app.huge import third
        from app.binary import fourth
        from app.folder import fifth

        async def f():
            fetch()
            other()
            third()
            fourth()
            fifth()
        """
    root = project(tmp_path, {"app/broken.py": "def fetch(:\n", "app/user.py": user})
    (root / "app/huge.py").write_text("import time\ndef third():\n    time.sleep(1)\n" + "#" * 2_000_000)
    (root / "app/binary.py").write_bytes(b"\xff\xfe\x00def fourth(): 1")
    (root / "app/folder.py").mkdir()
    assert found(root / "app/user.py") == []


def test_what_lies_outside_the_root_is_not_read(tmp_path: Path) -> None:
    outside = project(tmp_path / "outside", {"http.py": HTTP}, marker="")
    root = project(tmp_path / "inside", {"app/users.py": CALLER, "app/more.py": "from ....outside.http import fetch\n"})
    (root / "app/http.py").symlink_to(outside / "http.py")
    assert found(root / "app/users.py") == []
    (root / "linked").symlink_to(outside)
    (root / "app/users.py").write_text(CALLER.replace("app.http", "linked.http").replace("\n    ", "\n"))
    assert found(root / "app/users.py") == []
    relative = "from ....outside.http import fetch\n\n\nasync def f(url):\n    fetch(url)\n"
    (root / "app/more.py").write_text(relative)
    assert found(root / "app/more.py") == []


def test_a_symlink_inside_the_root_is_followed(tmp_path: Path) -> None:
    root = project(tmp_path, {"lib/impl.py": HTTP, "app/users.py": CALLER})
    (root / "app/http.py").symlink_to(root / "lib/impl.py")
    assert found(root / "app/users.py") == [(4, "CNC410")]


CYCLE_A = """
    from app.b import stop, Beta

    def start(n):
        return stop(n)

    class Alpha(Beta):
        pass

    async def f():
        stop(1)
        Alpha().wait()
    """
CYCLE_B = """
    import time
    from app.a import start, Alpha

    def stop(n):
        time.sleep(n)
        return start(n - 1)

    class Beta:
        def wait(self):
            time.sleep(1)
            return Alpha()

    async def g():
        start(1)
        Alpha().wait()
    """


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a"), ("a",), ("b",)])
def test_cycles_and_the_order_of_files_change_nothing(tmp_path: Path, order: tuple[str, ...]) -> None:
    root = project(tmp_path, {"app/a.py": CYCLE_A, "app/b.py": CYCLE_B})
    expected = {"a": [(10, "CNC410"), (11, "CNC410")], "b": [(14, "CNC410"), (15, "CNC410")]}
    for name in order:
        assert found(root / f"app/{name}.py") == expected[name]


def test_the_option_names_the_root_or_turns_it_off(tmp_path: Path) -> None:
    root = project(tmp_path, {"app/http.py": HTTP, "app/users.py": CALLER}, marker="")
    users = root / "app/users.py"
    assert found(users, Options(project_root=str(root))) == [(4, "CNC410")]
    assert found(users, Options(project_root="off")) == []
    (root / "else").mkdir()
    assert found(users, Options(project_root=str(root / "else"))) == []


def test_other_files_are_asked_only_of_what_async_code_uses(tmp_path: Path) -> None:
    shared = """
        import subprocess

        git = subprocess.Popen(["git", "status"])
        """
    user = """
        from app.shared import git

        def wait():
            git.communicate()
        """
    beside = "\n        async def other(): ...\n"
    root = project(tmp_path, {"app/shared.py": shared, "app/user.py": user, "app/beside.py": user + beside})
    assert found(root / "app/user.py") == []
    assert found(root / "app/beside.py") == [(4, "CNC208")]


def test_the_option_accepts_a_directory_auto_or_off(tmp_path: Path) -> None:
    assert parse_project_root("auto") == ""
    assert parse_project_root("off") == "off"
    assert parse_project_root(str(tmp_path)) == str(tmp_path.resolve())
    for value in (str(tmp_path / "missing"), "a\0b", ""):
        with pytest.raises(OptionError, match=r"^--concurrency-project-root: .* is not accepted: give a directory"):
            parse_project_root(value)


@pytest.mark.parametrize("filename", ["stdin", "-", "<unknown>", "nowhere/at/all.py"])
def test_unknown_files_have_no_project(filename: str) -> None:
    assert engine.lint(text(CALLER), filename=filename) == []


def test_a_file_that_is_not_saved_yet_has_a_project(tmp_path: Path) -> None:
    root = project(tmp_path, {"app/http.py": HTTP})
    located = engine.lint(text(CALLER), filename=str(root / "app/new.py"), options=FOUND)
    assert [one.code for one in located] == ["CNC410"]


def test_nothing_is_imported_or_run(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    root = project(tmp_path, {"app/http.py": f"open({str(marker)!r}, 'w')\n{text(HTTP)}", "app/users.py": CALLER})
    assert found(root / "app/users.py") == [(4, "CNC410")]
    assert not marker.exists()


def test_a_library_s_name_is_not_the_project_s(tmp_path: Path) -> None:
    user = "import requests\n\n\nasync def f():\n    requests.get('u', timeout=3)\n"
    root = project(tmp_path, {"requests.py": "def get(url):\n    return 1\n", "user.py": user})
    assert found(root / "user.py") == [(5, "CNC402")]


def test_the_user_s_own_blocking_calls_are_known_there_too(tmp_path: Path) -> None:
    client = "from shop.client import fetch\n\n\ndef load():\n    return fetch()\n"
    user = "from app.client import load\n\n\nasync def f():\n    load()\n"
    root = project(tmp_path, {"app/client.py": client, "app/user.py": user})
    assert found(root / "app/user.py", Options(blocking_calls={"shop.client.fetch": ""}, project_root="")) == [
        (5, "CNC410")
    ]
