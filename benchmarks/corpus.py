"""Ten real applications to measure on: `python benchmarks/corpus.py` downloads them and prints a table.

The releases are pinned, each with the checksum of its wheel, and Python 3.11 can read them all. Only their Python files
are kept, in `benchmarks/corpus/`. A run that was interrupted goes on where it stopped. pip does the downloading, with
whatever configuration it has.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

CORPUS = Path(__file__).resolve().parent / "corpus"

#: Seconds after which a download that has not finished is given up; the next run tries it again.
DOWNLOAD_LIMIT = 1800


class Release(NamedTuple):
    """One application: where its wheel comes from and what it must be."""

    name: str
    version: str
    megabytes: int
    sha256: str

    @property
    def folder(self) -> Path:
        """Where its Python files lie once unpacked."""
        return CORPUS / self.name / self.version


RELEASES = (
    Release("apache-airflow-core", "3.3.2", 7, "99258922bccec15be4700ff89f3c942b8acd93407e263c287ce863e671bb3c50"),
    Release("apache-superset", "6.1.0", 104, "4b5886b2d6389a32df790aeae2532ad72529bce1af93b6edf2d1b2a8bf658748"),
    Release("homeassistant", "2024.3.3", 35, "6e1ec2c07441d63fdcfb8acd2c4bbb6f68bc97330855784d3623d10c38fe3577"),
    Release("indico", "3.2.9", 30, "194d2e31ccaabd2b9af7809e67d60d942faee35a6b4de36f0c2c280a32ed84c3"),
    Release("label-studio", "1.23.2", 74, "c575b2552d0b271554224c5e56ab2ce9449c6e62a0b4851bc8c706d8fe651137"),
    # The last release whose wheel is the same for every machine.
    Release("litellm", "1.91.5", 17, "db09c6ea0b7c7de034b6c8b628208b000b54e02ef557468f84c2e63fbd7c8560"),
    Release("mlflow", "3.18.0", 13, "be7d84ba0d0b12392f5b53260cdb3e6d7b7ef4b80c29da90a89b5a1f6db7102f"),
    Release("open-webui", "0.12.4", 106, "02e9caba96234db3fa17a92e56163b3f7f2b8ca8227fa886b85c178d696483f6"),
    Release("pretix", "2026.8.0", 40, "a78932e698778d873530d67f25a57c28d1c09b1bfb1a22ec817c00d90397db85"),
    Release("weblate", "5.14.3", 75, "0bc2c5a49ebc496758e89f08d5ec9d1b226e8aba2cff7744a18ab9f235dca816"),
)


class CorpusError(Exception):
    """The corpus is missing or cannot be made; the text says what to do."""


def applications(names: Sequence[str] = ()) -> list[Path]:
    """The folders of the unpacked applications, or of those named; an error unless they have all been downloaded."""
    known = {release.name: release for release in RELEASES}
    if unknown := sorted(set(names) - set(known)):
        raise CorpusError(f"no application {', '.join(unknown)}; there are {', '.join(known)}")
    wanted = [known[name] for name in names] if names else list(RELEASES)
    if missing := [release.name for release in wanted if not release.folder.is_dir()]:
        raise CorpusError(f"not downloaded: {', '.join(missing)}; run `python benchmarks/corpus.py` first")
    return [release.folder for release in wanted]


def name_of(application: Path) -> str:
    """The name of the application that lies in this folder."""
    return application.parent.name


def python_files(application: Path) -> list[Path]:
    """Every Python file of an application, in an order that does not depend on the file system."""
    return sorted(application.rglob("*.py"))


def count_lines(path: Path) -> int:
    """Lines of a file, in whatever encoding; a last line without an end counts."""
    return len(path.read_bytes().splitlines())


def checksum(path: Path) -> str:
    """The file's SHA-256, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify(wheel: Path, release: Release) -> None:
    """Raise unless the wheel is exactly the one that was pinned."""
    if (found := checksum(wheel)) != release.sha256:
        raise CorpusError(
            f"{wheel.name} is not the file this benchmark was made with:\n"
            f"  expected sha256 {release.sha256}\n  found           {found}"
        )


def download(release: Release, into: Path) -> Path:
    """Have pip fetch the wheel. `--platform any` asks for the one that is the same on every machine."""
    into.mkdir(parents=True, exist_ok=True)
    requirement = f"{release.name}=={release.version}"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--platform=any"]
    # pip's own progress bar, where somebody is looking.
    quiet = [] if sys.stderr.isatty() else ["--quiet"]
    done = subprocess.run(
        [*command, *quiet, "--ignore-requires-python", f"--dest={into}", requirement],
        stdout=sys.stderr,
        timeout=DOWNLOAD_LIMIT,
        check=False,
    )
    wheels = list(into.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        raise CorpusError(f"pip could not download {requirement} (see above); run this again to go on from here")
    return wheels[0]


def unpack(wheel: Path, into: Path) -> None:
    """Extract the Python files; the folder appears only when it is complete."""
    unfinished = into.with_name(f"{into.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unfinished, members=[name for name in archive.namelist() if name.endswith(".py")])
    unfinished.rename(into)


def fetch(releases: Sequence[Release]) -> Iterator[str]:
    """Make the corpus complete, saying at each step what is being done."""
    for number, release in enumerate(releases, start=1):
        label = f"[{number}/{len(releases)}] {release.name} {release.version}"
        if release.folder.is_dir():
            yield f"{label}: already here"
            continue
        yield f"{label}: downloading {release.megabytes} MB"
        CORPUS.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CORPUS) as temporary:
            wheel = download(release, Path(temporary))
            verify(wheel, release)
            unpack(wheel, release.folder)


class Row(NamedTuple):
    """One line of the table."""

    application: str
    version: str
    files: int
    lines: int


def measure(application: Path) -> Row:
    """Count what an unpacked application holds."""
    files = python_files(application)
    return Row(name_of(application), application.name, len(files), sum(map(count_lines, files)))


def table(rows: Sequence[Row]) -> str:
    """The rows under a heading, with a total."""
    total = Row("total", "", sum(row.files for row in rows), sum(row.lines for row in rows))
    lines = [f"{row.application:<22}{row.version:<12}{row.files:>7,}{row.lines:>12,}" for row in [*rows, total]]
    return "\n".join([f"{'application':<22}{'version':<12}{'files':>7}{'lines':>12}", *lines])


def main() -> int:
    """Download what is missing, then print the table."""
    try:
        for message in fetch(RELEASES):
            print(message, file=sys.stderr, flush=True)
    except (CorpusError, subprocess.TimeoutExpired) as error:
        print(error, file=sys.stderr)
        return 1
    print(table([measure(application) for application in applications()]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
