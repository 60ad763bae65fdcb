"""The fork server gives what a process of its own gives."""

from __future__ import annotations

import json
import os
import signal
import socket
import tempfile
from pathlib import Path

import psutil
import pytest
from forking import GUARD, as_subprocess, write
from playbook_kit import forkclient
from playbook_kit.forkclient import ForkServer
from playbook_kit.forkprotocol import Refused, Request

pytest_plugins = ["forking_fixtures"]


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("print('at its end')", 0),
        ("raise SystemExit", 0),
        ("import sys; sys.exit(3)", 3),
        ("import sys; sys.exit(-1)", 255),
        ("import sys; sys.exit(256 + 7)", 7),
        ("import sys; sys.exit('a message')", 1),
        ("import sys; sys.exit(['an', 'object'])", 1),
        ("def f():\n    return 1 / 0\nf()", 1),
        ("try:\n    1 / 0\nexcept ZeroDivisionError:\n    raise ValueError('while')", 1),
        ("def f(:", 1),
        ("print(undefined)", 1),
        ("raise KeyboardInterrupt", -signal.SIGINT),
        ("import os; os._exit(9)", 9),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
        ("import os, signal; os.kill(os.getpid(), signal.SIGINT)", -signal.SIGINT),
        ("import atexit; atexit.register(print, __name__, 'ends')\nprint('before')\n1 / 0", 1),
        ("import threading, time\nthreading.Timer(0.05, print, ['a thread ends']).start()", 0),
        ("import sys; sys.stdout.write('no newline')", 0),
        ("import warnings; warnings.warn('careful')", 0),
        ("import sys; sys.stdin.close(); sys.stdout.close()", 0),
        ("import sys; print(sys.argv, __file__, sys.path, __spec__, __name__)", 0),
        ("import sys; print(sys.stdin, sys.stdout, sys.stderr, sys.stdout.line_buffering)", 0),
        ("import os, signal; print(os.getsid(0) == os.getpid() or signal.getsignal(2))", 0),
        ("print(list({'a', 'b', 'c', 'd'}), hash('text'), '\\udcff')", 0),
        ("import pickle\nclass A: pass\nprint(pickle.loads(pickle.dumps(A)))", 0),
        ("import gc, signal; print(gc.isenabled(), signal.getsignal(signal.SIGCHLD))", 0),
        ("import locale, time; print(locale.getlocale(), time.tzname)", 0),
        ("print(eval('1' + chr(10)), compile('x: int', '', 'exec').co_flags)", 0),
    ],
)
def test_a_script_ends_with_the_bytes_and_the_code_of_a_fresh_interpreter(
    source: str, code: int, server: ForkServer, env: dict[str, str], tmp_path: Path
) -> None:
    if "getsid" in source:  # the one thing that differs on purpose
        source = source.replace("os.getsid(0) == os.getpid() or ", "")
    argv = [*write(tmp_path, source), "an", "argument"]
    expected = as_subprocess(argv, tmp_path, env)
    assert server.run(argv, tmp_path, env, "", GUARD) == expected
    assert expected[0] == code


def test_the_environment_is_the_one_of_the_request_and_nothing_else(
    server: ForkServer, env: dict[str, str], tmp_path: Path
) -> None:
    argv = write(tmp_path, "import json, os; print(json.dumps(dict(os.environ)))")
    given = {key: value for key, value in env.items() if key != "NO_COLOR"} | {"ÄÖ": "ü = ü"}
    code, output = server.run(argv, tmp_path, given)
    assert code == 0
    assert json.loads(output) == given
    assert (code, output) == as_subprocess(argv, tmp_path, given)


@pytest.mark.parametrize("key", ["PYTHONHASHSEED", "PYTHONWARNINGS", "LC_ALL"])
def test_what_counts_when_the_interpreter_starts_is_refused_by_its_name(
    key: str, server: ForkServer, env: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(Refused, match=f"^{key} counts when the interpreter starts"):
        server.run(write(tmp_path, "1"), tmp_path, env | {key: "1"})
    assert server.run(write(tmp_path, "print(1)"), tmp_path, env) == (0, b"1\n")


def test_the_server_has_one_thread_and_no_zombies(
    server: ForkServer, env: dict[str, str], tmp_path: Path
) -> None:
    server.run(write(tmp_path, "1"), tmp_path, env)
    process = psutil.Process(server.process.pid)
    assert process.num_threads() == 1
    assert process.children() == []


def test_files_do_not_leak_into_a_child(
    server: ForkServer, env: dict[str, str], tmp_path: Path
) -> None:
    argv = write(tmp_path, "import os; print(os.listdir('/dev/fd'))")
    waiting = [socket.socket(socket.AF_UNIX) for _ in range(3)]
    try:
        for connection in waiting:
            connection.connect(str(server.path))
        expected = as_subprocess(argv, tmp_path, env)
        assert server.run(argv, tmp_path, env, "", GUARD) == expected
    finally:
        for connection in waiting:
            connection.close()


def test_a_broken_request_is_answered_and_the_server_goes_on(
    server: ForkServer, env: dict[str, str], tmp_path: Path
) -> None:
    for line in (b"nonsense\n", b"{}\n", b'{"target": "script"}\n', b"[]\n", b"\n"):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(server.path))
            connection.sendall(line)
            assert "error" in json.loads(connection.makefile().readline()), line
    with pytest.raises(Refused, match="3 file descriptors are needed, 2 came"):
        _send_two(server, env, tmp_path)
    assert server.run(write(tmp_path, "print(1)"), tmp_path, env) == (0, b"1\n")


def _send_two(server: ForkServer, env: dict[str, str], path: Path) -> None:
    with Path(os.devnull).open("r+b") as nothing:
        request = Request("script", ["x"], str(path), env)
        with request.send(server.path, [nothing.fileno()] * 2) as connection:
            raise Refused(json.loads(connection.makefile().readline())["error"])


def test_a_server_that_cannot_start_says_why(env: dict[str, str]) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="pb-") as directory,
        pytest.raises(RuntimeError, match=r"(?s)did not start.*invalid choice: 'nonsense'"),
    ):
        ForkServer.start(directory, "nonsense", env)


def test_a_directory_with_a_long_name_is_refused_in_words(
    env: dict[str, str], tmp_path: Path
) -> None:
    directory = tmp_path / ("x" * 100)
    directory.mkdir()
    with pytest.raises(ValueError, match="too long for a socket: choose a shorter directory"):
        ForkServer.start(directory, "django", env)


def test_a_directory_that_is_not_there_is_named(
    server: ForkServer, env: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"no directory to run `manage.py check` in: .*/nosuch"
    ):
        server.run(["manage.py", "check"], tmp_path / "nosuch", env)


def test_a_server_of_somebody_else_is_used_by_its_path(
    server: ForkServer, env: dict[str, str], tmp_path: Path
) -> None:
    argv = write(tmp_path, "print('here')")
    assert forkclient.run(str(server.path), argv, tmp_path, env) == (0, b"here\n")
    with pytest.raises(FileNotFoundError):
        forkclient.run(tmp_path / "none.socket", argv, tmp_path, env)


@pytest.mark.parametrize("more", [{}, {"PYTHONUTF8": "1"}, {"LC_ALL": "C"}, {"LANG": "C.UTF-8"}])
def test_streams_and_locale_are_those_of_a_fresh_interpreter_with_the_same_environment(
    more: dict[str, str], tmp_path: Path
) -> None:
    source = """
        import os, sys
        print(dict(os.environ), sys.flags, sys.getfilesystemencoding(), file=sys.stderr)
        for stream in sys.stdin, sys.stdout, sys.stderr:
            print(stream, stream.errors, stream.line_buffering, stream.write_through)
            print(type(stream.buffer), stream.isatty(), file=sys.stderr)
    """
    argv = write(tmp_path, source)
    env = {"PATH": os.environ["PATH"], **more}
    with (
        tempfile.TemporaryDirectory(prefix="pb-") as directory,
        ForkServer.start(directory, "django", env) as server,
    ):
        expected = as_subprocess(argv, tmp_path, env)
        assert server.run(argv, tmp_path, env, "", GUARD) == expected
        assert expected[0] == 0
