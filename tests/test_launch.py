"""A script is run as the interpreter runs it, and Django's clock stands still."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from forking import GUARD, as_subprocess, write
from playbook_kit.forkclient import ForkServer

pytest_plugins = ["forking_fixtures"]

SETTINGS = """
SECRET_KEY = "x"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "shop"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
"""
MANAGE = """
import os, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""
MODELS = """
from django.db import models
from django.utils import timezone

class Item(models.Model):
    title = models.CharField(max_length=20)
    since = models.DateTimeField(default=timezone.now)
"""


def project(path: Path) -> Path:
    (path / "shop" / "migrations").mkdir(parents=True)
    for name, text in {
        "manage.py": MANAGE,
        "settings.py": SETTINGS,
        "shop/__init__.py": "",
        "shop/models.py": MODELS,
        "shop/migrations/__init__.py": "",
    }.items():
        (path / name).write_text(text)
    return path


def test_manage_py_prints_and_writes_the_same_both_ways(
    server: ForkServer, env: dict[str, str], tmp_path: Path
) -> None:
    forked, fresh = project(tmp_path / "forked"), project(tmp_path / "fresh")
    for command in (
        "check",
        "makemigrations shop",
        "makemigrations shop --empty",
        "migrate",
        "showmigrations --verbosity 2",
        "sqlmigrate shop 0001",
        "migrate nosuch",
        "nosuch",
        "loaddata nosuch.json",
        "dumpdata auth.permission --indent 1",
        "shell -c 1/0",
        "migrate shop zero",
        "migrate --help",
    ):
        argv = ["manage.py", *command.split()]
        code, output = as_subprocess(argv, fresh, env)
        expected = code, output.replace(bytes(fresh), bytes(forked))
        assert server.run(argv, forked, env, "", GUARD) == expected, command
    files = {path.relative_to(fresh) for path in fresh.rglob("*") if path.is_file()}
    assert Path("shop/migrations/0002_auto_20260105_0900.py") in files
    for file in files:
        assert (forked / file).read_bytes() == (fresh / file).read_bytes(), file


def test_a_traceback_starts_in_the_script(
    server: ForkServer, env: dict[str, str], tmp_path: Path
) -> None:
    code, output = server.run(write(tmp_path, "1 / 0"), tmp_path, env)
    lines = output.decode().splitlines()
    assert code == 1
    assert lines[1] == f'  File "{tmp_path}/script.py", line 1, in <module>'


def test_a_script_that_is_not_there_ends_with_the_words_of_the_interpreter(
    server: ForkServer, env: dict[str, str], tmp_path: Path
) -> None:
    expected = as_subprocess(["nosuch.py"], tmp_path, env)
    assert server.run(["nosuch.py"], tmp_path, env, "", GUARD) == expected
    assert expected == (
        2,
        f"python: can't open file '{tmp_path}/nosuch.py': [Errno 2] "
        "No such file or directory\n".encode(),
    )


def test_djangos_clock_stands_still_in_both_time_modes(
    server: ForkServer, env: dict[str, str], tmp_path: Path
) -> None:
    source = """
        import sys
        from django.conf import settings
        settings.configure(USE_TZ=sys.argv[1] == "aware")
        from django.utils.timezone import now
        from django.db.migrations.recorder import now as recorded
        from django.db.migrations.writer import MigrationWriter
        print(now(), recorded() == now(), *MigrationWriter.serialize(now))
    """
    argv = write(tmp_path, source)
    for mode, moment in (("aware", "2026-01-05 09:00:00+00:00"), ("naive", "2026-01-05 09:00:00")):
        expected = as_subprocess([*argv, mode], tmp_path, env)
        assert server.run([*argv, mode], tmp_path, env, "", GUARD) == expected
        written = "django.utils.timezone.now {'import django.utils.timezone'}"
        assert expected == (0, f"{moment} True {written}\n".encode())


@pytest.mark.parametrize("name", ["django", "kernel"])
def test_the_preload_needs_no_settings_starts_no_thread_and_skips_nothing(
    name: str, env: dict[str, str], tmp_path: Path
) -> None:
    source = f"""
        import threading
        from playbook_kit.preload import preload
        preload({name!r})
        assert threading.active_count() == 1
        from django.apps import apps
        from django.conf import settings
        assert not settings.configured
        assert not apps.app_configs
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(source)],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_of_django_only_what_needs_the_settings_is_left_for_a_migrate_to_import(
    server: ForkServer, env: dict[str, str], tmp_path: Path
) -> None:
    source = MANAGE.replace("import os, sys", "import os, sys; before = set(sys.modules)")
    (project(tmp_path) / "manage.py").write_text(
        source + "print(*sorted(set(sys.modules) - before), sep='\\n')"
    )
    code, output = server.run(["manage.py", "migrate", "-v0"], tmp_path, env)
    assert code == 0
    imported = [
        name for name in output.decode().split() if not name.startswith(("settings", "shop"))
    ]
    # What defines models, or imports them, needs the project's settings.
    assert "django.contrib.auth.models" in imported
    assert [name for name in imported if not name.startswith("django.contrib.")] == []
