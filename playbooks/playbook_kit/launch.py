"""Run a script as `python script.py …` would, with Django's clock standing still.

Both ways of running a command end here: `python /path/to/launch.py manage.py migrate` in a process
of its own, and `main(["manage.py", "migrate"])` in a child of the fork server. What is decided here
is therefore the same for both.
"""

from __future__ import annotations

import builtins
import sys
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

FROZEN = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
# Twice: the interpreter resolves links for sys.path, and does not for the files of a traceback.
KIT = {str(path.parent) for path in (Path(__file__).absolute(), Path(__file__).resolve())}


def now() -> datetime:
    """What `django.utils.timezone.now` answers: always the same moment, naive without `USE_TZ`."""
    settings: Any = import_module("django.conf").settings
    return FROZEN if settings.USE_TZ else FROZEN.replace(tzinfo=None)


# `default=timezone.now` is written into migration files under these two names.
now.__module__, now.__qualname__ = "django.utils.timezone", "now"


def name_timestamp() -> str:
    """What a migration without a better name is called after: `0002_auto_20260105_0900`."""
    return FROZEN.strftime("%Y%m%d_%H%M")


def freeze_clock() -> None:
    """Stop Django's clock. Call it before anything runs `from django.utils.timezone import now`.

    Does nothing without Django: a script then fails, or not, as it would without the kit.
    """
    try:
        timezone: Any = import_module("django.utils.timezone")
        timezone.now = now
        # Both: `migration` has imported the name from `utils` when `utils` can first be reached.
        for module in ("utils", "migration"):
            migrations: Any = import_module(f"django.db.migrations.{module}")
            migrations.get_migration_name_timestamp = name_timestamp
    except ImportError:
        return


def show_error(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Print a traceback that starts in the script, as it does where the kit is not involved."""
    while trace and str(Path(trace.tb_frame.f_code.co_filename).parent) in KIT:
        trace = trace.tb_next
    error.__traceback__ = trace
    sys.__excepthook__(kind, error, trace)


def main(argv: list[str]) -> None:
    """Run the script `argv[0]` as `__main__`, with `argv` as `sys.argv`.

    Whatever the script raises comes out, `SystemExit` too. A file that is not there ends with the
    message and the code of the interpreter (2).
    """
    script = Path(argv[0]).absolute()
    sys.excepthook = show_error
    if not script.is_file():
        print(
            f"python: can't open file {str(script)!r}: [Errno 2] No such file or directory",
            file=sys.stderr,
        )
        raise SystemExit(2)
    freeze_clock()
    # Run as a file, the interpreter put the kit's folder first: its modules are not the script's.
    sys.path[:] = [str(script.parent), *(entry for entry in sys.path if entry not in KIT)]
    sys.argv[:] = argv
    # Not runpy.run_path: it would put the absolute path into sys.argv[0], or a relative one into
    # `__file__`, and take `__main__` away before the functions registered with atexit run.
    module = ModuleType("__main__")
    vars(module).update(__file__=str(script), __builtins__=builtins)
    sys.modules["__main__"] = module
    exec(compile(script.read_bytes(), str(script), "exec", dont_inherit=True), vars(module))


if __name__ == "__main__":
    main(sys.argv[1:])
