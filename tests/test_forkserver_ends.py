"""Whatever ends a command, its client or its server: no process is left."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import psutil
import pytest
from forking import FAMILY, GUARD, runs, until, write
from playbook_kit.forkclient import CommandTimeout, ForkServer
from playbook_kit.forkprotocol import Request

pytest_plugins = ["forking_fixtures"]


def _cwd(process: psutil.Process) -> str:
    try:
        return process.cwd()
    except psutil.Error:
        return ""


def started_family(
    server: ForkServer, env: dict[str, str], path: Path
) -> tuple[socket.socket, list[int]]:
    argv = write(path, FAMILY + "import time; time.sleep(600)")
    with (path / "pids").open("wb") as out, Path(os.devnull).open("rb") as nothing:
        fds = [nothing.fileno(), out.fileno(), out.fileno()]
        connection = Request("script", argv, str(path), env).send(server.path, fds)
    leader = json.loads(connection.makefile().readline())["pid"]
    until(lambda: (path / "pids").read_bytes().endswith(b"\n"))
    return connection, [leader, *map(int, (path / "pids").read_text().split())]


def test_a_timeout_kills_the_command_and_all_that_it_has_started(
    server: ForkServer, env: dict[str, str], tmp_path: Path
) -> None:
    # The time limit passes only when the processes are there.
    argv = write(tmp_path, FAMILY + "import time; time.sleep(600)")
    with pytest.raises(CommandTimeout, match=r"`script\.py` did not end within 1") as caught:
        server.run(argv, tmp_path, env, timeout=1)
    family = [int(pid) for pid in caught.value.output.split()]
    assert len(family) == 2
    until(lambda: not any(map(runs, family)))


def test_what_a_command_leaves_running_ends_with_it(
    server: ForkServer, env: dict[str, str], tmp_path: Path
) -> None:
    code, output = server.run(write(tmp_path, FAMILY), tmp_path, env, timeout=GUARD)
    assert code == 0
    until(lambda: not any(runs(int(pid)) for pid in output.split()))


def test_a_client_that_goes_away_takes_its_command_with_it(
    server: ForkServer, env: dict[str, str], tmp_path: Path
) -> None:
    connection, pids = started_family(server, env, tmp_path)
    assert all(map(runs, pids))
    connection.close()
    until(lambda: not any(map(runs, pids)))


def test_closing_the_server_kills_what_runs(env: dict[str, str], tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="pb-") as directory:
        server = ForkServer.start(directory, "django", env)
        connection, pids = started_family(server, env, tmp_path)
        server.close()
        until(lambda: not any(map(runs, pids)))
        connection.close()
        assert not server.path.exists()


def test_a_server_that_is_killed_is_an_error_and_its_command_ends(
    env: dict[str, str], tmp_path: Path
) -> None:
    argv = write(
        tmp_path, "import os, signal, time; print(1); os.kill(os.getppid(), 9); time.sleep(600)"
    )
    with (
        tempfile.TemporaryDirectory(prefix="pb-") as directory,
        ForkServer.start(directory, "django", env) as server,
    ):
        with pytest.raises(ConnectionError, match="the fork server ended"):
            server.run(argv, tmp_path, env, timeout=GUARD)
        marks = [p.pid for p in psutil.process_iter() if str(tmp_path) in _cwd(p)]
        assert not [pid for pid in marks if runs(pid)]


def test_no_process_is_left_when_the_servers_parent_is_killed(
    env: dict[str, str], tmp_path: Path
) -> None:
    parent = f"""
        import sys
        from playbook_kit.forkclient import ForkServer
        server = ForkServer.start(sys.argv[1], "django", {env!r})
        print(server.process.pid, flush=True)
        server.run(["script.py"], {str(tmp_path)!r}, {env!r})
    """
    source = f"import os\nopen('pids', 'w').write(f'{{os.getpid()}} ')\n{FAMILY}"
    source += "print(*(p.pid for p in family), file=open('pids', 'a'), flush=True)\n"
    write(tmp_path, source + "import time; time.sleep(600)")
    (tmp_path / "parent.py").write_text(textwrap.dedent(parent))
    pids_file = tmp_path / "pids"
    with tempfile.TemporaryDirectory(prefix="pb-") as directory:
        command = [sys.executable, str(tmp_path / "parent.py"), directory]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout
            pids = [int(process.stdout.readline())]
            until(lambda: pids_file.exists() and pids_file.read_text().endswith("\n"))
            pids += map(int, pids_file.read_text().split())
            assert len(pids) == 4
            assert all(map(runs, pids))
            process.kill()
        until(lambda: not any(map(runs, pids)))
