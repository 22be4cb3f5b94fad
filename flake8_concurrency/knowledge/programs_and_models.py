"""What drives other programs and devices, and models that run in the process.

Checked against selenium 4.52, pexpect 4.9, pyserial 3.5, pydub 0.25, psutil 7.2, transformers 5.24,
sentence-transformers 6.2, librosa 0.11, GitPython 3.2, netmiko 4, pymodbus 3, ffmpeg-python 0.2, opencv-python 5
and the source of openai-whisper.
"""

from __future__ import annotations

from flake8_concurrency.knowledge.notation import calls, members
from flake8_concurrency.knowledge.schema import Blocking, ClassFact

_BROWSER = "selenium.webdriver.remote.webdriver.WebDriver"
_BROWSERS = [f"selenium.webdriver.{name}" for name in ("Chrome", "Firefox", "Edge", "Remote", "Safari")]
_BROWSER_TWIN = "playwright's async API, or asyncio.to_thread around the call"
_PROGRAM_TWIN = "await asyncio.to_thread(child.{name}, ...)"
_GIT_TWIN = "await asyncio.to_thread(...), or git by asyncio.create_subprocess_exec"
_MODBUS = "pymodbus.client.base.ModbusBaseSyncClient"
_MODBUS_CLIENTS = [f"pymodbus.client.Modbus{name}Client" for name in ("Tcp", "Udp", "Tls", "Serial")]

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
    # Each method of `git.Git` that is not its own runs a program of that name.
    "git.Git": ClassFact(
        members={
            **members("working_dir version_info GIT_PYTHON_GIT_EXECUTABLE", "?"),
            **members(
                "custom_environment environment update_environment clear_cache set_persistent_git_options", "() -> ?"
            ),
        },
    ),
    "git.Repo": ClassFact(
        members={
            "__enter__": "() -> Self",
            "git": "git.Git",
            **members("clone clone_from", "() -> Self"),
            "remotes": "git.util.IterableList",
            **members("remote create_remote", "() -> git.Remote"),
        },
    ),
    "git.util.IterableList": ClassFact(
        members={"__iter__": "() -> collections.abc.Iterator[git.Remote]", "*": "git.Remote"}
    ),
    "git.Remote": ClassFact(),
    "netmiko.BaseConnection": ClassFact(members={"__enter__": "() -> Self"}),
    _MODBUS: ClassFact(members={"__enter__": "() -> Self"}),
    **{name: ClassFact((_MODBUS,)) for name in _MODBUS_CLIENTS},
    "ffmpeg.nodes.Stream": ClassFact(
        members={"run_async": "() -> subprocess.Popen[builtins.bytes]", "*": "() -> Self"}
    ),
    "cv2.VideoCapture": ClassFact(),
}

FUNCTIONS: dict[str, str] = {
    "whisper.load_model": "() -> whisper.model.Whisper",
    "netmiko.ConnectHandler": "() -> netmiko.BaseConnection",
    "ffmpeg.input": "() -> ffmpeg.nodes.Stream",
}

ALIASES: dict[str, str] = {
    "pexpect.pty_spawn.spawn": "pexpect.spawn",
    "pydub.audio_segment.AudioSegment": "pydub.AudioSegment",
    "selenium.webdriver.chrome.webdriver.WebDriver": "selenium.webdriver.Chrome",
    "selenium.webdriver.firefox.webdriver.WebDriver": "selenium.webdriver.Firefox",
    "whisper.Whisper": "whisper.model.Whisper",
    "git.repo.Repo": "git.Repo",
    "git.repo.base.Repo": "git.Repo",
    "git.cmd.Git": "git.Git",
    "git.remote.Remote": "git.Remote",
    "netmiko.base_connection.BaseConnection": "netmiko.BaseConnection",
    **{
        f"pymodbus.client.{module}.{name.rpartition('.')[2]}": name
        for name, module in zip(_MODBUS_CLIENTS, ("tcp", "udp", "tls", "serial"), strict=True)
    },
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
    **calls("git.Git", "*", "subprocess", _GIT_TWIN),
    **calls("git.Repo", "clone clone_from is_dirty is_ancestor merge_base blame archive", "subprocess", _GIT_TWIN),
    **calls("git.Remote", "fetch pull push update", "subprocess", _GIT_TWIN),
    "netmiko.ConnectHandler": Blocking("client", "await asyncio.to_thread(netmiko.ConnectHandler, ...)"),
    **calls(
        "netmiko.BaseConnection",
        """send_command send_command_timing send_command_expect send_multiline send_config_set send_config_from_file
        find_prompt enable commit save_config config_mode""",
        "client",
        "await asyncio.to_thread(connection.{name}, ...)",
    ),
    **calls(
        _MODBUS,
        """connect read_coils read_discrete_inputs read_holding_registers read_input_registers write_coil write_register
        write_coils write_registers""",
        "client",
        "await client.{name}(...) on the client whose name begins with AsyncModbus",
    ),
    **calls("ffmpeg", "run probe", "subprocess", "await asyncio.to_thread(ffmpeg.{name}, ...)"),
    **calls("ffmpeg.nodes.Stream", "run", "subprocess", "await asyncio.to_thread(stream.run, ...)"),
    # Waits for the camera's next frame.
    **calls("cv2.VideoCapture", "read grab open", "client", "await asyncio.to_thread(capture.{name}, ...)"),
    "cv2.VideoCapture": Blocking("client", "await asyncio.to_thread(cv2.VideoCapture, ...)"),
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
    "cv2.VideoCapture": (0, "filename"),
}

NOT_BLOCKING: frozenset[str] = frozenset(
    f"git.Git.{name}"
    for name in (
        "custom_environment environment update_environment clear_cache set_persistent_git_options transform_kwarg"
        " transform_kwargs refresh polish_url check_unsafe_protocols check_unsafe_options is_cygwin"
    ).split()
)
