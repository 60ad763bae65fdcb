"""`python tests/record_errors.py`: bring about the troubles of `errors_scenarios`, and record what
the terminal shows: whole tracebacks, on each Django and database, and in other languages.

With names, of Djangos, databases or scenarios, only these are recorded again. What this machine
lacks is named, and what was recorded with it before is kept.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import dj_database_url
from errors_scenarios import BASE, ROWS, SCENARIOS, Scenario
from playbook_kit import mariadb, postgres
from playbook_kit.environment import frozen
from playbook_kit.template import CACHE, REPOSITORY
from test_sameness import find_python

RECORD = REPOSITORY / "tests" / "errors.json"
PYTHONS = {
    "4.2": ("3.11", "3.12"),
    "5.2": ("3.12", "3.11", "3.13"),
    "6.0": ("3.12", "3.13"),
    "6.1": ("3.13", "3.12"),
}
SERVERS = {"SQLite": None, "PostgreSQL": postgres, "MariaDB": mariadb}
ENGINES = {"SQLite": "sqlite3", "PostgreSQL": "postgresql", "MariaDB": "mysql"}
LANGUAGES = ("de_DE", "es_ES", "fr_FR", "ja_JP", "ru_RU")
IN_LANGUAGES = "5.2"
DEBIAN = Path("/usr/lib/postgresql")  # Debian's server has these languages, the wheel's has none
CLERK = "select 1 from pg_roles where rolname = 'clerk'"
SETTINGS = """
import json, os

INSTALLED_APPS += ["shop", "blog"]
DATABASES = {"default": json.loads(os.environ["DATABASE"])}
if "mysql" in DATABASES["default"]["ENGINE"]:
    import pymysql

    pymysql.version_info = (2, 2, 7, "final", 0)
    pymysql.install_as_MySQLdb()
"""
# Runs statements, or takes a port; says so; with a second word it holds what it has.
SQL = """import os, socket, sys, time
if sys.argv[1].startswith("port "):
    held = socket.create_server(("127.0.0.1", int(sys.argv[1].split()[1])))
else:
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    from django.db import connection
    with connection.cursor() as cursor:
        for statement in sys.argv[1].split(";"):
            cursor.execute(statement)
print("ready", flush=True)
time.sleep(60 * (len(sys.argv) - 2))
"""
KEYS = ("scenario", "django", "database", "language")
Record = dict[str, Any]


class Place:
    """A project in a directory of its own, with a database, on one Django."""

    def __init__(self, home: Path, python: Path, database: Record) -> None:
        self.home, self.python = home, python
        self.environment = frozen(home) | {
            "DATABASE": json.dumps(database),
            "PATH": f"{python.parent}:/usr/local/bin:/usr/bin:/bin",
        }

    def write(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            path = self.home / name.removeprefix("+")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text((path.read_text() if name.startswith("+") else "") + text)

    def run(self, line: str) -> str:
        """What the line prints."""
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=self.home,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=90,
        )
        return done.stdout.decode()

    def sql(self, *words: str) -> subprocess.Popen[str]:
        command = [str(self.python), "-W", "ignore", "-c", SQL, *words]
        started = subprocess.Popen(
            command, cwd=self.home, env=self.environment, text=True, stdout=subprocess.PIPE
        )
        assert started.stdout is not None
        assert started.stdout.readline() == "ready\n", words
        return started

    def bring_about(self, scenario: Scenario) -> str:
        """What the terminal shows of the last step."""
        shown, started = "", []
        try:
            for step in scenario.steps:
                if isinstance(step, dict):
                    self.write(step)
                elif step.startswith("sql "):
                    self.sql(step[4:]).communicate()
                elif step.startswith("hold "):
                    begin = "" if step.startswith("hold port") else "begin;"
                    started.append(self.sql(begin + step[5:], "hold"))
                else:
                    shown = f"$ {step}\n{self.run(step)}"
        finally:
            for process in started:
                process.kill()
                process.communicate()
        return self.scrubbed(shown)

    def scrubbed(self, text: str) -> str:
        """Without a path of this machine."""
        text = text.replace(str(self.home), "/srv/app")
        text = text.replace(str(self.python.parent.parent), "/srv/venv")
        text = re.sub(r"/[\w./-]+(?=/lib/python3\.\d+/(?!site-packages))", "/usr", text)
        text = re.sub(r"/[\w./-]*/(?=\.s\.PGSQL)", "/run/postgresql/", text)
        return re.sub(r"/[\w./-]*/\.mariadb/s\b", "/run/mysqld/mysqld.sock", text)


@contextmanager
def debian(home: Path) -> Iterator[str]:
    """A server of Debian's package, with the languages compiled into `home`; yields its address."""
    programs, socket, data = max(DEBIAN.glob("*/bin")), home / "socket", home / "data"
    user = {"user": "postgres"} if os.geteuid() == 0 else {}
    for path in (home / "locales", socket, data):
        path.mkdir(parents=True)
        if user:
            shutil.chown(path, "postgres")
    for language in LANGUAGES:
        made = str(home / "locales" / f"{language}.UTF-8")
        subprocess.run(["localedef", "-i", language, "-f", "UTF-8", made], check=True)
    environment = frozen(home) | {"LOCPATH": str(home / "locales")}
    how: Record = {"env": environment, "stdout": subprocess.DEVNULL, "cwd": data, **user}
    making = [
        str(programs / "initdb"),
        "-D",
        str(data),
        "-U",
        "postgres",
        "-A",
        "trust",
        "-E",
        "UTF8",
    ]
    subprocess.run([*making, "--locale=C"], check=True, **how)
    control = [str(programs / "pg_ctl"), "-D", str(data), "-w"]
    options = f"-c listen_addresses= -c fsync=off -k {socket}"
    subprocess.run([*control, "-l", str(data / "log"), "-o", options, "start"], check=True, **how)
    try:
        yield f"postgres://postgres@{str(socket).replace('/', '%2F')}/"
    finally:
        subprocess.run([*control, "-m", "fast", "stop"], check=True, **how)


def execute(kind: str, address: str, sql: str) -> None:
    if kind == "PostgreSQL":
        postgres.execute(address, sql)
    else:
        with mariadb.connect(address) as connection, connection.cursor() as cursor:
            cursor.execute(sql)


def speak(kind: str, address: str, language: str) -> None:
    """From now on the server answers in this language."""
    if kind == "PostgreSQL":
        execute(kind, address, f"alter system set lc_messages = '{language}.UTF-8'")
        execute(kind, address, "select pg_reload_conf()")
    else:
        execute(kind, address, f"set global lc_messages = '{language}'")


def recorded(
    django: str, kind: str, address: str, scenarios: list[Scenario], home: Path, language: str
) -> Iterator[Record]:
    """What these scenarios show on one Django and one database."""
    python, module = environment(django), SERVERS[kind]
    if python is None:
        print(f"Django {django}: no Python {' or '.join(PYTHONS[django])}; its record is kept")
        return
    where: Record = dict(dj_database_url.parse(address)) if address else {}
    where = {key: where[key] for key in ("HOST", "USER") if key in where}
    where["ENGINE"] = f"django.db.backends.{ENGINES[kind]}"
    before = f"{kind}{django}{language}".lower().replace(".", "")

    def place(name: str, database: str) -> Place:
        database = database if module else "db.sqlite3"
        return Place(home / f"{before}_{name}", python, where | {"NAME": database})

    base, new = place("base", f"{before}_base"), home / f"{before}_new"
    base.home.mkdir()
    base.run("django-admin startproject config .")
    base.write(BASE | {"+config/settings.py": SETTINGS})
    shutil.copytree(base.home, new)
    if module:
        module.create(address, f"{before}_base")
    if kind == "PostgreSQL" and not postgres.execute(address, CLERK):
        execute(kind, address, "create role clerk login")
    base.run("python manage.py migrate")
    base.sql(ROWS).communicate()
    for number, scenario in enumerate(scenarios):
        own = place(str(number), "shop")
        shutil.copytree(new if scenario.new else base.home, own.home)
        for name in ("shop", "test_shop") if module else ():
            force = " with (force)" if kind == "PostgreSQL" else ""
            execute(kind, address, f"drop database if exists {name}{force}")
        if module and scenario.new:
            module.create(address, "shop")
        elif module:
            module.duplicate(address, "shop", f"{address}{before}_base")
        try:
            text = own.bring_about(scenario)
        except (AssertionError, subprocess.TimeoutExpired) as error:
            print(f"{scenario.name}, {kind}, Django {django}: not recorded: {error}")
            continue
        yield {
            "scenario": scenario.name,
            "django": django,
            "database": kind,
            "language": language[:2],
            "right": list(scenario.right),
            "text": text,
        }


def chosen(kind: str, django: str, language: str = "en") -> list[Scenario]:
    """What is of SQLite alone, and all of PostgreSQL, on two Djangos in turn; the rest on one: so
    the record stays small."""
    turn = list(PYTHONS).index(django) + list(SERVERS).index(kind)
    if language != "en":
        return [one for one in SCENARIOS if kind[0] in one.told and django == IN_LANGUAGES]
    wanted = []
    for number, one in enumerate(SCENARIOS):
        often = one.right and (kind == "PostgreSQL" or one.on == "S")
        mine = django in one.djangos or (number + turn) % (2 if often else 4) == 0
        if kind[0] in one.on and mine and django in (one.djangos or django):
            wanted.append(one)
    return wanted


def environment(django: str) -> Path | None:
    """The interpreter of a virtual environment with this Django, kept in the cache."""
    home = CACHE / "errors" / django / "venv"
    python = home / "bin" / "python"
    if not python.exists():
        interpreter = next(filter(None, map(find_python, PYTHONS[django])), None)
        if interpreter is None:
            return None
        subprocess.run([interpreter, "-m", "venv", home], check=True)
        wanted = [f"django~={django}.0", "psycopg[binary]>=3.2", "pymysql>=1.1"]
        subprocess.run([python, "-m", "pip", "install", "-q", *wanted], check=True)
    return python


def keep(new: list[Record]) -> None:
    """Put these in place of what was recorded before. What is not chosen any more goes."""
    old = json.loads(RECORD.read_text()) if RECORD.exists() else []
    texts = {tuple(one[name] for name in KEYS): one["text"] for one in [*old, *new]}
    records: list[Record] = []
    for scenario in SCENARIOS:
        for kind, django, language in product(SERVERS, PYTHONS, ("en", *LANGUAGES)):
            key = (scenario.name, django, kind, language[:2])
            if key in texts and scenario in chosen(kind, django, language):
                more = {"right": list(scenario.right), "text": texts[key]}
                records.append(dict(zip(KEYS, key, strict=True)) | more)
    RECORD.write_text(json.dumps(records, indent=1, ensure_ascii=False) + "\n")
    print(f"{len(new)} texts recorded, {len(records)} in all", flush=True)


def main(wanted: set[str]) -> None:
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # so that servers end
    names = wanted.intersection(one.name for one in SCENARIOS) or {one.name for one in SCENARIOS}
    djangos = [one for one in PYTHONS if one in wanted] or list(PYTHONS)
    for kind in [one for one in SERVERS if one in wanted] or SERVERS:
        with ExitStack() as stack:
            home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            home.chmod(0o755)
            module, address = SERVERS[kind], ""
            if module and module.why_not():
                print(f"{kind}: not here ({module.why_not()}); its record is kept")
                continue
            if module:
                address = stack.enter_context(module.server(home))
            for django in djangos:
                these = [one for one in chosen(kind, django) if one.name in names]
                if these:
                    keep(list(recorded(django, kind, address, these, home, "en")))
            told = any(one.name in names for one in chosen(kind, IN_LANGUAGES, LANGUAGES[0]))
            if not told or IN_LANGUAGES not in djangos:
                continue
            if kind == "PostgreSQL":
                if not any(DEBIAN.glob("*/bin/initdb")):
                    print("PostgreSQL of Debian: not here; its languages are kept")
                    continue
                address = stack.enter_context(debian(home / "debian"))
            for language in LANGUAGES:
                spoken = chosen(kind, IN_LANGUAGES, language)
                these = [one for one in spoken if one.name in names]
                speak(kind, address, language)
                keep(list(recorded(IN_LANGUAGES, kind, address, these, home, language)))


if __name__ == "__main__":
    main(set(sys.argv[1:]))
