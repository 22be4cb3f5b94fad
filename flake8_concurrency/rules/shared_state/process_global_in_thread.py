"""CNC613 process-global-in-thread."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model import process_shapes, thread_shapes
from flake8_concurrency.model.process_globals import Change
from flake8_concurrency.rule import Gate, Rule

_SIGNAL = "a signal handler"
_REMEDIES = {
    "os.environ": "pass the value as an argument, or env= to the subprocess that needs it",
    "the working directory": "pass absolute paths, or cwd= to the subprocess that needs it",
    "the umask": "set the mode of the file with os.open(..., mode) or os.fchmod",
    "the locale": "format with babel or by hand",
    "the time zone": "use zoneinfo.ZoneInfo",
    "the default timeout": "pass timeout= to each connection",
    "sys.": "pass the stream to what writes, or write to a logger",
    _SIGNAL: "register it in the main thread, before the threads start",
}


class ProcessGlobalInThread(Rule):
    """Something that the whole process has once is changed where others run meanwhile.

    Environment variables, the working directory, the umask, the locale, the standard streams and signal handlers belong
    to the process. What a thread changes for itself, or a task until it gets to the end of its `await`, all others see:
    they read somebody else's settings, write into the wrong directory, and put back each other's values.

    Bad:

        import os
        from concurrent.futures import ThreadPoolExecutor

        def build(project):
            os.chdir(project)
            return compile_all(".")

        def build_all(projects):
            with ThreadPoolExecutor(max_workers=4) as pool:
                return list(pool.map(build, projects, timeout=600))

    Bad:

        import os

        async def upload(bucket, client, data):
            before = os.environ.get("BUCKET")
            os.environ["BUCKET"] = bucket
            try:
                await client.upload(data)
            finally:
                os.environ["BUCKET"] = before

    Good:

        from concurrent.futures import ThreadPoolExecutor

        def build(project):
            return compile_all(project)

        def build_all(projects):
            with ThreadPoolExecutor(max_workers=4) as pool:
                return list(pool.map(build, projects, timeout=600))

    Good:

        async def upload(bucket, client, data):
            await client.upload(data, bucket=bucket)

    Known limits:
        In async code a change is reported that the same function, or a context manager, takes back after an `await`;
        one that stays may be a setting that is changed on purpose. In a thread the same holds for `os.environ`; all
        else is reported there in any case. Silent are functions that start, stop or set up the program, scripts, code
        under a lock, and `warnings.catch_warnings`, whose loss harms little.
    """

    code = "CNC613"
    name = "process-global-in-thread"
    message = "{what} belongs to the whole process, and {who} see the change: {remedy}"
    gate = Gate(
        anchors=process_shapes.ANCHORS,
        context=(process_shapes.WORDS,),
        asks=process_shapes.asks,
        answers=process_shapes.answers,
        keeps=thread_shapes.KEEPS,
    )
    quiet = True

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        function = self.file.definitions.functions[node]
        # What a context manager changes is reported where it is entered.
        if function.name in ("__enter__", "__exit__") or "contextmanager" in function.decorator_names:
            return
        if self.file.functions.runs_once(function):
            return
        if function.is_async:
            for change, wait in self.file.process_globals.seen_by_tasks(function):
                self._report(change, f"the tasks that run during the await on line {self.file.line(wait)}")
            return
        changes = self.file.process_globals.changes(function)
        roots = self.file.threaded.roots(function) if changes else []
        if not roots or self.file.process_globals.is_of_main_thread(function):
            return
        for change in self.file.process_globals.seen_by_threads(function):
            if change.what == _SIGNAL:
                self.report(
                    change.node,
                    what="signal.signal()",
                    who=f"only the main thread may call it; here {roots[0].how} runs it, and it raises a ValueError",
                    remedy=_REMEDIES[_SIGNAL],
                )
            else:
                self._report(change, f"all threads beside this one (started by {roots[0].how})")

    def _report(self, change: Change, who: str) -> None:
        remedy = next(text for start, text in _REMEDIES.items() if change.what.startswith(start))
        self.report(change.node, what=change.what, who=who, remedy=remedy)
