"""The corpus script, without the network."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest

import corpus
from corpus import CorpusError, Release


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty corpus folder."""
    monkeypatch.setattr(corpus, "CORPUS", tmp_path / "corpus")
    return tmp_path


def wheel(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "shop-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def release(path: Path) -> Release:
    return Release("shop", "1.0", 1, corpus.checksum(path))


def test_every_release_is_pinned() -> None:
    names = [one.name for one in corpus.RELEASES]
    assert len(names) == len(set(names)) == 10
    assert all(re.fullmatch(r"[0-9a-f]{64}", one.sha256) for one in corpus.RELEASES)


def test_checksum_is_sha256(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    expected = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert expected == corpus.checksum(tmp_path / "empty")


def test_another_file_is_refused_with_both_checksums(tmp_path: Path) -> None:
    path = wheel(tmp_path)
    with pytest.raises(CorpusError, match=f"(?s)not the file.*{'0' * 64}.*{corpus.checksum(path)}"):
        corpus.verify(path, Release("shop", "1.0", 1, "0" * 64))


def test_fetch_keeps_the_python_files_and_downloads_once(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = wheel(here, **{"shop/a.py": "x = 1\n", "shop/logo.svg": "<svg/>"})
    pinned = release(made)
    downloads: list[Release] = []

    def download(one: Release, into: Path) -> Path:
        downloads.append(one)
        return made.rename(into / made.name)

    monkeypatch.setattr(corpus, "download", download)
    monkeypatch.setattr(corpus, "RELEASES", (pinned,))
    assert ["[1/1] shop 1.0: downloading 1 MB"] == list(corpus.fetch([pinned]))
    assert ["[1/1] shop 1.0: already here"] == list(corpus.fetch([pinned]))
    assert [pinned] == downloads
    (application,) = corpus.applications()
    assert "shop" == corpus.name_of(application)
    assert [application / "shop" / "a.py"] == corpus.python_files(application)
    assert [pinned.folder] == list(pinned.folder.parent.iterdir())


def test_an_interrupted_unpacking_is_done_again(here: Path) -> None:
    made = wheel(here, **{"shop/a.py": "x = 1\n"})
    pinned = release(made)
    left_over = pinned.folder.with_name("1.0.unfinished")
    left_over.mkdir(parents=True)
    (left_over / "half.py").touch()
    corpus.unpack(made, pinned.folder)
    assert ["a.py"] == [path.name for path in corpus.python_files(pinned.folder)]


def test_a_wrong_wheel_is_not_unpacked(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = wheel(here, **{"shop/a.py": "x = 1\n"})
    monkeypatch.setattr(corpus, "download", lambda one, into: made)
    pinned = Release("shop", "1.0", 1, "0" * 64)
    with pytest.raises(CorpusError, match="not the file"):
        list(corpus.fetch([pinned]))
    assert not pinned.folder.exists()


def test_a_missing_corpus_says_what_to_run(here: Path) -> None:
    with pytest.raises(CorpusError, match=r"not downloaded: mlflow; run `python benchmarks/corpus\.py` first"):
        corpus.applications(["mlflow"])


def test_an_unknown_application_lists_the_known() -> None:
    with pytest.raises(CorpusError, match=r"no application nothing; there are apache-airflow-core, .*, weblate"):
        corpus.applications(["nothing"])


def test_lines_count_the_last_one_and_any_encoding(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"# \xe9\r\nx = 1\r\ny = 2")
    assert 3 == corpus.count_lines(tmp_path / "a.py")


def test_the_table_adds_up() -> None:
    rows = [corpus.Row("shop", "1.0", 2, 1500), corpus.Row("bank", "2.1", 1, 500)]
    assert [
        "application           version       files       lines",
        "shop                  1.0               2       1,500",
        "bank                  2.1               1         500",
        "total                                   3       2,000",
    ] == corpus.table(rows).splitlines()
