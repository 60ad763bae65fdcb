"""Ending everything that a command or a kernel has started: all processes of one session.

A forked child calls `os.setsid()` first, a kernel started as a subprocess has
`start_new_session=True`. So the process id of either is the session id of all that it starts, also
of what has left its process group (a shell with job control) or lost its parent.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress


def _alive(session_id: int) -> set[int]:
    """Processes of the session that still run; a zombie does not: only its parent can remove it."""
    import psutil  # here: most who import this module never have to kill

    found = set()
    for pid in psutil.pids():
        with suppress(OSError, psutil.Error):
            ours = os.getsid(pid) == session_id
            if ours and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                found.add(pid)
    return found


def kill_session(session_id: int) -> None:
    """Send SIGKILL to every process of the session, also to those forked meanwhile; do not wait.

    Raises ValueError for the caller's own session.
    """
    if session_id == os.getsid(0):
        raise ValueError(f"session {session_id} is the caller's own")
    killed: set[int] = set()
    # A process with SIGKILL pending cannot fork: when a look finds nothing new, there is nothing.
    while new := _alive(session_id) - killed:
        for pid in new:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        killed |= new


def reap(session_id: int, timeout: float = 10) -> None:
    """Kill every process of the session and return when none of them runs any more.

    Needed after a kernel was shut down or died. Does nothing where there are no sessions (Windows).
    Raises TimeoutError if a process does not die, because it hangs in the operating system.
    """
    if not hasattr(os, "getsid"):
        return
    deadline = time.monotonic() + timeout
    kill_session(session_id)
    while left := _alive(session_id):
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes of session {session_id} do not die: {sorted(left)}")
        time.sleep(0.001)
