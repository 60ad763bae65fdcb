"""What goes into a forked command and what comes out, in its order, to the last byte."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

from forking import GUARD, as_subprocess, runs, write
from playbook_kit.forkclient import ForkServer

pytest_plugins = ["forking_fixtures"]


def test_stdin_answers_the_prompts(server: ForkServer, env: dict[str, str], tmp_path: Path) -> None:
    argv = write(tmp_path, "print([input('first? '), input('second? ')]); input('third? ')")
    expected = as_subprocess(argv, tmp_path, env, "yes\nnö\n")
    assert server.run(argv, tmp_path, env, "yes\nnö\n", GUARD) == expected
    assert expected[1].startswith("first? second? ['yes', 'nö']\nthird? Traceback".encode())


def test_without_stdin_text_the_input_is_at_its_end(
    server: ForkServer, env: dict[str, str], tmp_path: Path
) -> None:
    argv = write(tmp_path, "import sys; print(repr(sys.stdin.read()))")
    assert server.run(argv, tmp_path, env) == (0, b"''\n")


def test_more_than_a_pipe_holds_goes_in_and_comes_out(
    server: ForkServer, env: dict[str, str], tmp_path: Path
) -> None:
    argv = write(tmp_path, "import sys; sys.stdout.write(sys.stdin.read()[::-1])")
    text = "".join(map(str, range(300_000)))
    assert server.run(argv, tmp_path, env, text, GUARD) == (0, text[::-1].encode())


def test_a_command_need_not_read_its_input(
    server: ForkServer, env: dict[str, str], tmp_path: Path
) -> None:
    argv = write(tmp_path, "import os; os.close(0); print('done')")
    assert server.run(argv, tmp_path, env, "x" * 1_000_000, GUARD) == (0, b"done\n")


def test_stdout_stderr_and_children_come_in_the_order_in_which_they_were_written(
    server: ForkServer, env: dict[str, str], tmp_path: Path
) -> None:
    source = """
        import os, subprocess, sys
        for number in range(300):
            print("out", number)
            print("err", number, file=sys.stderr)
            if number % 100 == 0:
                subprocess.run(["echo", f"child {number}"])
                os.write(1, b"raw\\n")
    """
    argv = write(tmp_path, source)
    expected = "".join(
        f"out {n}\nerr {n}\n" + (f"child {n}\nraw\n" if n % 100 == 0 else "") for n in range(300)
    )
    assert server.run(argv, tmp_path, env) == (0, expected.encode())
    assert as_subprocess(argv, tmp_path, env) == (0, expected.encode())


def test_stdout_can_go_to_a_file(server: ForkServer, env: dict[str, str], tmp_path: Path) -> None:
    argv = write(tmp_path, "import sys; print('out'); print('err', file=sys.stderr)")
    with (tmp_path / "file").open("wb") as file:
        assert server.run(argv, tmp_path, env, stdout=file) == (0, b"err\n")
    assert (tmp_path / "file").read_bytes() == b"out\n"


def test_commands_at_the_same_time_do_not_meet(
    server: ForkServer, env: dict[str, str], tmp_path: Path
) -> None:
    argv = write(tmp_path, "import sys, time; print(input()); time.sleep(0.1); print(sys.argv)")
    results: dict[int, tuple[int, bytes]] = {}

    def call(number: int) -> None:
        results[number] = server.run([*argv, str(number)], tmp_path, env, f"{number}\n", GUARD)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {n: (0, f"{n}\n['script.py', '{n}']\n".encode()) for n in range(8)}


def test_a_process_that_keeps_the_output_open_is_not_waited_for(
    server: ForkServer, env: dict[str, str], tmp_path: Path
) -> None:
    source = """
        import subprocess
        print(subprocess.Popen(["sleep", "600"], start_new_session=True).pid)
        print("x" * 50_000)
    """
    code, output = server.run(write(tmp_path, source), tmp_path, env, timeout=GUARD)
    pid, text = output.split()
    try:
        assert (code, text) == (0, b"x" * 50_000)
        assert runs(int(pid)), "it has left the session: it is nobody's any more"
    finally:
        os.kill(int(pid), signal.SIGKILL)
