"""Whatever ends a run, it leaves no process and no directory behind, and the next run works."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from conftest import Make, run_them
from playbook_kit import template
from playbook_kit.environment import DIRECTORY
from playbook_kit.execution import Failure
from playbook_kit.results import Result
from playbook_kit.source import Playbook

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")

RUN = """
import sys
from pathlib import Path
from playbook_kit import results
from playbook_kit.build import Options, build
from playbook_kit.source import find
root = Path(sys.argv[1])
results.CACHE = root / "cache"
sys.exit(build(root, find(root / "playbooks"), Options(), complete=True))
"""
HANG = """
laptop.write("hang.py", "open('../../hanging', 'w').close()\\nwhile True: pass\\n")
laptop.run("python hang.py", seconds=900)
"""
SETUP = '# %% tags=["setup"]\n'


def wait_for(condition: Callable[[], object], what: str) -> None:
    """Wait until it is so; the limit is a guard, not an expectation."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for: {what}"
        time.sleep(0.02)


class Running:
    """`playbooks run` in a process of its own, with a temporary directory of its own."""

    def __init__(self, root: Path, scratch: Path | None = None) -> None:
        # Short: a socket's path has its limit, and pytest's directories are long.
        self.root, self.scratch = root, scratch or Path(tempfile.mkdtemp(prefix="s"))
        self.process = subprocess.Popen(
            [sys.executable, "-c", RUN, str(root)],
            env=os.environ | {"TMPDIR": str(self.scratch)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def hangs(self) -> bool:
        """Whether the command that hangs has begun."""
        assert self.process.poll() is None, self.process.communicate()
        return bool(list(self.scratch.glob("*/hanging")))

    def processes(self) -> list[psutil.Process]:
        """All processes that know this run's temporary directory, this one apart."""
        found = []
        for process in psutil.process_iter():
            try:
                told = " ".join([*process.cmdline(), *process.environ().values()])
            except (psutil.Error, OSError):
                continue
            if str(self.scratch) in told and process.pid != os.getpid():
                found.append(process)
        return found

    def left(self) -> list[Path]:
        """Directories of runs that are still there."""
        return list(self.scratch.glob("playbooks-*"))


@pytest.fixture
def hanging(make: Make, tmp_path: Path) -> Iterator[Running]:
    """A run whose only playbook has begun a command that does not end."""
    make("hangs", {SETUP: SETUP + HANG})
    running = Running(tmp_path)
    try:
        wait_for(running.hangs, "the hanging command")
        yield running
    finally:
        for process in running.processes():
            process.kill()
        running.process.communicate()
        shutil.rmtree(running.scratch)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_a_polite_kill_leave_nothing(hanging: Running, number: int) -> None:
    hanging.process.send_signal(number)
    hanging.process.wait(60)
    assert hanging.process.returncode != 0
    wait_for(lambda: not hanging.processes(), "the end of all its processes")
    assert hanging.left() == []


def test_after_kill_9_no_process_is_left_and_the_next_run_removes_the_directory(
    hanging: Running, make: Make
) -> None:
    hanging.process.kill()
    hanging.process.wait()
    wait_for(lambda: not hanging.processes(), "the end of all its processes")
    assert len(hanging.left()) == 1
    make("hangs")
    following = Running(hanging.root, hanging.scratch)
    out, err = following.process.communicate(timeout=120)
    assert following.process.returncode == 0, out + err
    assert following.left() == []


def test_a_kernel_killed_with_9_is_a_failure_of_its_playbook_alone(make: Make) -> None:
    die = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n"
    dies, lives = make("dies", {SETUP: SETUP + die}), make("lives")
    failure, result = run_them([dies, lives])
    assert isinstance(failure, Failure)
    assert failure.message == "its kernel died while it ran this cell"
    assert "dies.py:" in failure.where
    assert isinstance(result, Result), str(result)


def test_a_full_disk_is_told_and_the_next_run_works(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    playbook: Playbook = make("passes")
    small = Path(tempfile.mkdtemp(prefix="s"))
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(small)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small file system cannot be mounted here")
    template.prepared()
    try:
        with monkeypatch.context() as patch:
            patch.setenv("TMPDIR", str(small))
            patch.setattr("tempfile.tempdir", None)
            (failure,) = run_them([playbook])
            assert isinstance(failure, Failure)
            assert "No space left on device" in failure.message
            assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)
        small.rmdir()
    monkeypatch.setattr("tempfile.tempdir", None)
    (result,) = run_them([playbook])
    assert isinstance(result, Result), str(result)


def test_plain_python_leaves_no_directory(make: Make, tmp_path: Path) -> None:
    playbook = make("passes")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    environment = {k: v for k, v in os.environ.items() if k != DIRECTORY}
    done = subprocess.run(
        [sys.executable, playbook.path],
        env=environment | {"TMPDIR": str(scratch)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "laptop $ git restore library" in done.stdout
    assert "laptop: the chain is whole" in done.stdout
    assert list(scratch.iterdir()) == []
