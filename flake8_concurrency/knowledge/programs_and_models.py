"""What drives other programs and devices, and models that run in the process.

Checked against selenium 4.52, pexpect 4.9, pyserial 3.5, pydub 0.25, psutil 7.2, transformers 5.24,
sentence-transformers 6.2, librosa 0.11 and the source of openai-whisper.
"""

from __future__ import annotations

from flake8_concurrency.knowledge.notation import calls, members
from flake8_concurrency.knowledge.schema import Blocking, ClassFact

_BROWSER = "selenium.webdriver.remote.webdriver.WebDriver"
_BROWSERS = [f"selenium.webdriver.{name}" for name in ("Chrome", "Firefox", "Edge", "Remote", "Safari")]
_BROWSER_TWIN = "playwright's async API, or asyncio.to_thread around the call"
_PROGRAM_TWIN = "await asyncio.to_thread(child.{name}, ...)"

CLASSES: dict[str, ClassFact] = {
    _BROWSER: ClassFact(members={"__enter__": "() -> Self"}),
    **{name: ClassFact((_BROWSER,)) for name in _BROWSERS},
    "pexpect.spawn": ClassFact(members={"__enter__": "() -> Self"}),
    "serial.Serial": ClassFact(members={"__enter__": "() -> Self"}),
    "pydub.AudioSegment": ClassFact(
        members=members("from_file from_mp3 from_wav from_ogg from_flv", "() -> Self"),
    ),
    "sentence_transformers.SentenceTransformer": ClassFact(),
    "whisper.model.Whisper": ClassFact(),
}

FUNCTIONS: dict[str, str] = {"whisper.load_model": "() -> whisper.model.Whisper"}

ALIASES: dict[str, str] = {
    "pexpect.pty_spawn.spawn": "pexpect.spawn",
    "pydub.audio_segment.AudioSegment": "pydub.AudioSegment",
    "selenium.webdriver.chrome.webdriver.WebDriver": "selenium.webdriver.Chrome",
    "selenium.webdriver.firefox.webdriver.WebDriver": "selenium.webdriver.Firefox",
    "whisper.Whisper": "whisper.model.Whisper",
}

BLOCKING: dict[str, Blocking] = {
    **{name: Blocking("client", _BROWSER_TWIN) for name in _BROWSERS},
    **calls(
        _BROWSER,
        "get refresh back forward find_element find_elements execute_script save_screenshot get_screenshot_as_png quit",
        "client",
        _BROWSER_TWIN,
    ),
    **calls("pexpect.spawn", "expect expect_exact expect_list wait interact", "subprocess", _PROGRAM_TWIN),
    "pexpect.run": Blocking("subprocess", "await asyncio.create_subprocess_exec(...)"),
    **calls("serial.Serial", "readline readlines read_until", "client", "pyserial-asyncio"),
    # ffmpeg reads and writes all but wav files.
    **calls("pydub.AudioSegment", "from_file from_mp3 from_ogg from_flv export", "subprocess", "asyncio.to_thread"),
    "psutil.cpu_percent": Blocking("client", "await asyncio.to_thread(psutil.cpu_percent, ...)"),
    "psutil.cpu_times_percent": Blocking("client", "await asyncio.to_thread(psutil.cpu_times_percent, ...)"),
    "sentence_transformers.SentenceTransformer": Blocking("cpu", "await asyncio.to_thread(SentenceTransformer, ...)"),
    **calls("sentence_transformers.SentenceTransformer", "encode", "cpu", "await asyncio.to_thread(model.encode, ...)"),
    "transformers.pipeline": Blocking("cpu", "await asyncio.to_thread(transformers.pipeline, ...)"),
    "whisper.load_model": Blocking("cpu", "await asyncio.to_thread(whisper.load_model, ...)"),
    **calls("whisper.model.Whisper", "transcribe", "cpu", "await asyncio.to_thread(model.transcribe, ...)"),
    **calls("librosa", "load resample", "cpu", "await asyncio.to_thread(librosa.{name}, ...)"),
}

BLOCKS_ONLY_WITH: dict[str, tuple[int, str]] = {
    "psutil.cpu_percent": (0, "interval"),
    "psutil.cpu_times_percent": (0, "interval"),
}
