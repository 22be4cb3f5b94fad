"""pandas and Pillow: what reads, converts or writes so much at once that it holds the event loop up; files of packages.

Checked against pandas 3.1, Pillow 13, importlib.resources of CPython 3.11, numpy 2.4, joblib 1.6, opencv-python 5 and
the documentation of torch.
"""

from __future__ import annotations

from flake8_concurrency.knowledge.notation import calls, members
from flake8_concurrency.knowledge.schema import Blocking, ClassFact

_READERS = (
    "read_csv read_table read_fwf read_excel read_json read_parquet read_feather read_orc read_pickle read_sql"
    " read_sql_query read_sql_table read_xml"
)
_WRITERS = "to_csv to_excel to_json to_parquet to_feather to_orc to_pickle to_sql to_xml"
_RESOURCE = "importlib.resources.abc.Traversable"
_ARRAY = "await asyncio.to_thread(numpy.{name}, ...)"
_DRAWING = "resize rotate crop convert transpose copy filter reduce"

CLASSES: dict[str, ClassFact] = {
    "pandas.DataFrame": ClassFact(members=members("copy head tail", "() -> Self")),
    # A file of a package: a path, as a rule.
    _RESOURCE: ClassFact(
        members={
            **members("__truediv__ joinpath", "() -> Self"),
            "read_text": "() -> builtins.str",
            "read_bytes": "() -> builtins.bytes",
            "open": "() -> typing.IO[?]",
        },
    ),
    "PIL.Image.Image": ClassFact(
        members={
            "__enter__": "() -> Self",
            **members(_DRAWING, "() -> PIL.Image.Image"),
            **members("save thumbnail close", "() -> None"),
            "load": "() -> ?",
        },
    ),
}

FUNCTIONS: dict[str, str] = {
    "importlib.resources.files": f"() -> {_RESOURCE}",
    **{f"pandas.{reader}": "() -> pandas.DataFrame" for reader in _READERS.split()},
    **{f"PIL.Image.{maker}": "() -> PIL.Image.Image" for maker in ("open", "new", "frombytes", "fromarray")},
}

ALIASES: dict[str, str] = {
    "pandas.core.frame.DataFrame": "pandas.DataFrame",
    "importlib.abc.Traversable": _RESOURCE,
    "importlib_resources.files": "importlib.resources.files",
    "importlib_resources.abc.Traversable": _RESOURCE,
}

BLOCKING: dict[str, Blocking] = {
    **calls(_RESOURCE, "read_text read_bytes", "file", "await asyncio.to_thread(resource.{name}, ...)"),
    **calls(_RESOURCE, "open", "file", "asyncio.to_thread around the whole block"),
    **calls("pandas", f"{_READERS} read_html read_hdf", "cpu", "await asyncio.to_thread(pandas.{name}, ...)"),
    **calls("pandas.DataFrame", _WRITERS, "cpu", "await asyncio.to_thread(frame.{name}, ...)"),
    **calls(
        "PIL.Image.Image", "save load resize rotate thumbnail", "cpu", "await asyncio.to_thread(image.{name}, ...)"
    ),
    **calls("numpy", "load loadtxt genfromtxt save savez savez_compressed savetxt", "file", _ARRAY),
    **calls("joblib", "load dump", "file", "await asyncio.to_thread(joblib.{name}, ...)"),
    **calls("torch", "load save", "file", "await asyncio.to_thread(torch.{name}, ...)"),
    **calls("cv2", "imread imwrite", "file", "await asyncio.to_thread(cv2.{name}, ...)"),
}

#: Where these take a path or an open file.
PATH_ARGUMENT: dict[str, tuple[int, str]] = {
    **dict.fromkeys(("numpy.load", "numpy.save", "numpy.savez", "numpy.savez_compressed"), (0, "file")),
    **dict.fromkeys(("numpy.loadtxt", "numpy.genfromtxt", "numpy.savetxt"), (0, "fname")),
    "joblib.load": (0, "filename"),
    "joblib.dump": (1, "filename"),
    "torch.load": (0, "f"),
    "torch.save": (1, "f"),
}
