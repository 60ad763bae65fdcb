"""Every exercise is broken, can be solved in several ways, and refuses a wrong repair."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Timer
from typing import Any

import psutil
import pytest
from click.testing import CliRunner
from playbook_kit import Sandbox, cli, dumps, own_server, postmaster, practice
from playbook_kit.advice import file_of
from playbook_kit.clients import Client
from playbook_kit.commands import FORK_SERVER
from playbook_kit.errors import ServerError
from playbook_kit.exercises import (
    DUMP,
    FIX_CELLS,
    HIDDEN,
    Exercise,
    ExerciseError,
    every,
    find,
    read,
)
from playbook_kit.judge import Line, judge
from playbook_kit.postgres import execute
from playbook_kit.practice_lists import solved_by
from playbook_kit.practice_page import exercise_tables
from playbook_kit.sandbox import opened
from playbook_kit.scratch import run_directory
from playbook_kit.servers import why_not
from playbook_kit.stage import stage
from playbook_kit.steps import carry_out
from playbook_kit.template import REPOSITORY
from playbook_kit.troubles import written

EXERCISES = every()
OWN = Path(__file__).with_name("fixtures") / "own_exercise" / "half_a_shop.yaml"
ALL = [*EXERCISES, read(OWN)]
FIRST = EXERCISES[0]
PLAYBOOKS = Path(sys.executable).with_name("playbooks")
LINKS = ("models ↔ files", "files ↔ history", "history ↔ schema")

Broken = Callable[..., Path]


def make(exercise: Exercise, directory: Path, server: str, on: str = "SQLite") -> None:
    practice.claim(exercise, directory, str(exercise.path), on)
    practice.finish(exercise, directory, server)


def copy_the_start(made: Path, directory: Path) -> None:
    """What `finish` needs, and nothing of a server."""
    (directory / HIDDEN).mkdir(parents=True)
    for name in ("state.json", "start.tar"):
        shutil.copyfile(made / HIDDEN / name, directory / HIDDEN / name)


@pytest.fixture(scope="session")
def made(fork_server: str) -> Iterator[Broken]:
    """The directory of an exercise as it is at the start: made once, to be copied."""
    known: dict[tuple[str, str], Path] = {}

    def made(exercise: Exercise, on: str = "SQLite") -> Path:
        if (exercise.name, on) not in known:
            # Short, for the socket of a server, and open to the user that a server needs for root.
            folder = stack.enter_context(run_directory())
            folder.chmod(0o755)
            directory = folder / exercise.name
            make(exercise, directory, fork_server, on)
            own_server.abandon(directory)
            known[exercise.name, on] = directory
        return known[exercise.name, on]

    with contextlib.ExitStack() as stack:
        yield made


@pytest.fixture
def broken(made: Broken, home: Path) -> Iterator[Broken]:
    """A copy of it for this test, whose commands run in the fork server."""
    servers = []

    def broken(exercise: Exercise, on: str = "SQLite") -> Path:
        if on == "SQLite":
            directory = home / "learner" / exercise.name
            shutil.copytree(made(exercise), directory, symlinks=True)
            return directory
        directory = stack.enter_context(run_directory()) / exercise.name
        directory.parent.chmod(0o755)
        servers.append(directory)
        copy_the_start(made(exercise, on), directory)
        practice.finish(exercise, directory)
        return directory

    with contextlib.ExitStack() as stack:
        yield broken
        for directory in servers:
            own_server.abandon(directory)


def url_of(directory: Path) -> str:
    """The URL of the learner's database; empty on SQLite."""
    on_sqlite = practice.load(directory).database == "SQLite"
    return "" if on_sqlite else own_server.start(directory)


def place(directory: Path) -> Sandbox:
    """The learner's place."""
    return opened(directory, practice.load(directory).database, url_of(directory))


def judged(directory: Path, project: Path | None = None) -> list[Line]:
    hidden = directory / HIDDEN
    return judge(project or directory, practice.kept(directory), hidden, url_of(directory))


def wrong_ones(lines: list[Line]) -> list[str]:
    return [str(line) for line in lines if not line.right]


WITH_DATABASE = [
    (exercise, on) for exercise in ALL for on in ("SQLite", *exercise.again_on) if not why_not(on)
]


def called(exercise: Exercise, on: str) -> str:
    return exercise.name if on == "SQLite" else f"{exercise.name}-{on}"


def cases(kind: str) -> list[object]:
    return [
        pytest.param(exercise, on, case, id=f"{called(exercise, on)}-{number}")
        for exercise, on in WITH_DATABASE
        for number, case in enumerate(getattr(exercise, kind), 1)
    ]


every_exercise = pytest.mark.parametrize("exercise", ALL, ids=lambda it: it.name)
on_each_database = pytest.mark.parametrize(
    ("exercise", "on"), WITH_DATABASE, ids=[called(*case) for case in WITH_DATABASE]
)


@on_each_database
def test_the_broken_state_is_broken_and_the_first_command_shows_it(
    exercise: Exercise, on: str, broken: Broken
) -> None:
    directory = broken(exercise, on)
    lines = judged(directory)
    assert {line.where for line in lines if not line.right} & {*LINKS, "data"}
    told = "\n".join(map(str, lines))
    assert "manage.py" not in told, "it says what is wrong, not what to type"
    assert " --" not in told
    assert str(directory.parent) not in told
    assert place(directory).attempt(exercise.start.strip()).code, "its first command fails"


@on_each_database
def test_the_solution_solves_it(
    exercise: Exercise, on: str, broken: Broken, fork_server: str
) -> None:
    directory = broken(exercise, on)
    if exercise.solution:
        carry_out(place(directory), exercise.solution)
        assert not wrong_ones(judged(directory))
        return
    with run_directory() as scratch, own_server.for_setup(on, scratch) as address:
        (scratch / "solved").mkdir()
        project = stage(exercise, scratch / "solved", fork_server, "solved", address)
        if address:
            url = url_of(directory)
            dumps.drop(url)
            dumps.make(url, project.with_name(f"{project.name}{DUMP}"))
        assert not wrong_ones(judged(directory, project))


@pytest.mark.parametrize(("exercise", "on", "steps"), cases("right"))
def test_a_right_repair_is_accepted(
    exercise: Exercise, on: str, steps: object, broken: Broken
) -> None:
    if steps == FIX_CELLS:
        assert not exercise.solution, "the test of the solution runs them"
        return
    directory = broken(exercise, on)
    assert isinstance(steps, list)
    carry_out(place(directory), steps)
    assert not wrong_ones(judged(directory))


@pytest.mark.parametrize(("exercise", "on", "case"), cases("wrong"))
def test_a_wrong_repair_is_told_what_is_still_wrong(
    exercise: Exercise, on: str, case: dict[str, Any], broken: Broken
) -> None:
    directory = broken(exercise, on)
    does, says = (it[on] if isinstance(it, dict) else it for it in (case["does"], case["says"]))
    carry_out(place(directory), does, strict=False)
    told = "\n".join(wrong_ones(judged(directory)))
    for words in says if isinstance(says, list) else [says]:
        assert " ".join(words.split()) in told
    assert "manage.py" not in told


# The “complete reset” of many a guide.
RESET = (
    'find library/migrations -name "0*.py" | xargs rm',
    "python manage.py makemigrations library --verbosity 0",
    "python manage.py migrate library --fake-initial --verbosity 0",
)


OF_PLAYBOOKS = [case for case in WITH_DATABASE if case[0].playbook]


@pytest.mark.parametrize(
    ("exercise", "on"), OF_PLAYBOOKS, ids=[called(*case) for case in OF_PLAYBOOKS]
)
def test_deleting_all_migrations_repairs_nothing(
    exercise: Exercise, on: str, broken: Broken
) -> None:
    directory = broken(exercise, on)
    carry_out(place(directory), RESET, strict=False)
    told = "\n".join(wrong_ones(judged(directory)))
    assert "library.0002_book_isbn is recorded, and its file is gone" in told


@every_exercise
def test_each_has_two_right_repairs_and_three_wrong_ones(exercise: Exercise) -> None:
    assert len(exercise.right) >= 2
    assert len(exercise.wrong) >= 3
    assert len(exercise.hints) >= 3
    assert bool(exercise.second) == exercise.mystery, "a mystery has two pages"
    told = exercise.title + exercise.story
    assert exercise.playbook != exercise.name, "its name would say what is wrong"
    for word in ("simply", "just", "easy", "easily", "obviously"):
        assert f" {word} " not in f" {told} {' '.join(exercise.hints)} ".lower()


def test_the_first_week_has_five_in_rising_order() -> None:
    week = [exercise for exercise in EXERCISES if exercise.week]
    assert [exercise.week for exercise in week] == [1, 2, 3, 4, 5]
    minutes = [exercise.minutes for exercise in week]
    assert minutes == sorted(minutes)


def test_the_modules_are_small() -> None:
    kit = Path(practice.__file__).parent
    names = "exercises steps stage packing practice readme judge findings watching practice_lists"
    for name in (
        *names.split(),
        "cli_practice",
        "own_server",
        "postmaster",
        "dumps",
        "probe/judged",
    ):
        assert len((kit / f"{name}.py").read_text().splitlines()) <= 200, name


# The commands, on the first exercise.


def playbooks(*words: str) -> str:
    result = CliRunner().invoke(cli.main, list(words))
    assert not result.exception or isinstance(result.exception, SystemExit), result.exception
    return f"{result.output}(exit code {result.exit_code})"


@pytest.fixture
def inside(broken: Broken, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The first exercise, and this process in its directory."""
    directory = broken(FIRST)
    monkeypatch.chdir(directory)
    return directory


def solve(directory: Path) -> None:
    carry_out(place(directory), FIRST.right[1])


def test_check_fails_until_it_is_solved_in_a_subfolder_too(
    inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "(exit code 1)" in playbooks("check")
    assert not practice.load(inside).solved
    monkeypatch.chdir(inside / "library")
    solve(inside)
    said = playbooks("check")
    assert "All is right." in said
    assert "(exit code 0)" in said
    assert practice.load(inside).solved


def test_check_changes_no_file_of_the_learner(inside: Path) -> None:
    def all_files() -> dict[Path, bytes]:
        files = [path for path in inside.rglob("*") if path.is_file()]
        return {path: path.read_bytes() for path in files if path.name != "state.json"}

    before = all_files()
    playbooks("check")
    assert all_files() == before


def test_a_project_that_does_not_load_gets_a_line_and_no_traceback(inside: Path) -> None:
    (inside / "library" / "models.py").write_text("class Book(\n")
    said = playbooks("check")
    assert "WRONG  project: it does not load: SyntaxError: '(' was never closed" in said
    assert "Traceback" not in said
    (inside / "config" / "settings.py").unlink()
    assert "WRONG  project: it does not load: ModuleNotFoundError" in playbooks("check")


def test_a_database_elsewhere_is_not_touched(inside: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.sqlite3"
    shutil.copyfile(inside / "db.sqlite3", elsewhere)
    before = elsewhere.read_bytes()
    settings = inside / "config" / "settings.py"
    settings.write_text(settings.read_text().replace('BASE_DIR / "db.sqlite3"', f'"{elsewhere}"'))
    said = playbooks("check")
    assert "WRONG  project: its database is not in this directory: sqlite3" in said
    assert elsewhere.read_bytes() == before


def test_hints_come_one_at_a_time(inside: Path) -> None:
    most = len(FIRST.hints)
    for number in range(1, most + 1):
        assert playbooks("hint").startswith(f"Hint {number} of {most}: ")
    assert "you have seen all" in playbooks("hint")
    assert practice.load(inside).hints == most


def test_solution_shows_the_short_version_and_the_page(inside: Path) -> None:
    said = playbooks("solution")
    assert "python manage.py makemigrations library --merge" in said
    assert "docs/playbooks/conflicts/two-leaf-nodes.md" in said
    assert practice.load(inside).seen_solution


@every_exercise
def test_a_solution_stays_in_the_directory_and_names_its_pages(exercise: Exercise) -> None:
    shown = solved_by(exercise)
    assert "../" not in shown
    pages = re.findall(r"docs/playbooks/\S+\.md", shown)
    assert len(pages) == bool(exercise.playbook) + bool(exercise.second)
    assert all((REPOSITORY / file).is_file() for file in pages)
    commands = [line for line in shown.splitlines() if re.match("    [^# -]", line)]
    assert commands


def test_reset_starts_over(inside: Path) -> None:
    solve(inside)
    (inside / "mine.txt").write_text("a note")
    playbooks("check")
    assert "is as it was at the start" in playbooks("reset")
    assert not (inside / "mine.txt").exists()
    assert "(exit code 1)" in playbooks("check")
    state = practice.load(inside)
    assert (state.solved, state.resets) == ("", 1)


def test_it_refuses_what_is_not_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    assert "is not empty" in playbooks("practice", FIRST.name, str(tmp_path / "mine"))
    monkeypatch.chdir(tmp_path / "mine")
    for command in ("check", "hint", "solution", "reset"):
        assert "is no exercise" in playbooks(command)
    (tmp_path / "mine" / ".practice").mkdir()
    (tmp_path / "mine" / ".practice" / "state.json").write_text('{"exercise": "x"}')
    assert "is no exercise" in playbooks("reset")
    assert (tmp_path / "mine" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("left", [[], ["state.json.part"]])
def test_what_a_process_leaves_that_was_killed_at_once_is_no_obstacle(
    left: list[str], home: Path, fork_server: str
) -> None:
    directory = home / "at-once"
    (directory / ".practice").mkdir(parents=True)
    for name in left:
        (directory / ".practice" / name).write_text("{")
    make(ALL[-1], directory, fork_server)
    assert "shop.db" in (directory / "README.md").read_text()
    assert not practice.load(directory).unfinished


def test_an_exercise_under_way_is_not_made_again(inside: Path) -> None:
    assert "is an exercise already" in playbooks("practice", FIRST.name, str(inside))


def test_an_unknown_name_is_answered_with_what_is_near_it() -> None:
    said = playbooks("practice", f"{FIRST.name}s")
    assert f"is it {FIRST.name}" in said


def test_it_writes_nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """But into the kit's temporary directories, which are gone in the end."""
    for name in ("home", "t", "work"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "t"))
    environment = {name: text for name, text in os.environ.items() if name != FORK_SERVER}
    # A shell in which another project is set up.
    environment |= {
        "DATABASE_URL": f"sqlite:///{tmp_path}/other.sqlite3",
        "DJANGO_SETTINGS_MODULE": "nothing.settings",
        "GIT_DIR": str(tmp_path / "nothing.git"),
        "PYTHONPATH": str(tmp_path / "home"),
    }
    for words in (["practice", FIRST.name, "here"], ["check"]):
        cwd = tmp_path / "work" / ("here" if words == ["check"] else "")
        done = subprocess.run(
            [PLAYBOOKS, *words], cwd=cwd, env=environment, capture_output=True, text=True
        )
        assert "Take care: DATABASE_URL is set" in done.stderr
    assert "files ↔ history: library has 2 leaf nodes" in done.stdout
    assert done.returncode == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "t", "work"]
    assert [*(tmp_path / "home").iterdir(), *(tmp_path / "t").iterdir()] == []
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["here"]


@pytest.fixture
def stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory in which `playbooks practice` was killed as soon as it was there."""
    directory = tmp_path / "stopped"
    process = subprocess.Popen([PLAYBOOKS, "practice", FIRST.name, str(directory)])
    deadline = time.monotonic() + 30
    while not (directory / ".practice" / "state.json").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    monkeypatch.chdir(directory)
    return directory


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_practice_is_finished_by_reset(stopped: Path) -> None:
    assert "playbooks reset finishes it" in playbooks("check")
    assert "is as it was at the start" in playbooks("reset")
    assert "2 leaf nodes" in playbooks("check")
    assert practice.load(stopped).resets == 0


@pytest.mark.parametrize("times", range(1, 40, 3))
def test_a_reset_killed_at_any_step_is_finished_by_the_next(
    inside: Path, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, replace = iter(range(times)), Path.replace

    def killed(self: Path, target: Path) -> Path:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return replace(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", killed)
        with contextlib.suppress(KeyboardInterrupt):
            practice.finish(FIRST, inside)
    practice.finish(FIRST, inside)
    assert not practice.load(inside).unfinished
    assert (inside / "manage.py").is_file()
    assert (inside / ".practice" / "origin.git").is_dir()
    assert not (inside / "project").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="it is stopped by a signal")
def test_watch_checks_again_after_a_change_and_ends_when_all_is_right(inside: Path) -> None:
    with subprocess.Popen(
        [PLAYBOOKS, "check", "--watch"], cwd=inside, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout
            assert any("lines are wrong" in line for line in process.stdout)
            solve(inside)
            assert "All is right." in process.stdout.read()
            assert process.wait(60) == 0
        finally:
            process.kill()


def test_the_list_and_the_report_say_what_is_done(
    made: Broken, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = home / "practice" / FIRST.name
    shutil.copytree(made(FIRST), directory, symlinks=True)
    monkeypatch.chdir(directory)
    playbooks("hint")
    solve(directory)
    playbooks("check")
    monkeypatch.chdir(home)
    line = next(it for it in playbooks("practice").splitlines() if FIRST.name in it)
    assert "done" in line
    assert FIRST.trains in line
    assert f"{FIRST.minutes} min" in line
    state = practice.load(directory)
    state.started, state.solved = "2026-01-05T09:00:00+00:00", "2026-01-05T09:12:10+00:00"
    practice.save(directory, state)
    row = f"| {FIRST.name} | 2026-01-05 09:00 | 12 min | 1 | 1 | solved |"
    assert row in playbooks("practice", "--report", "--in", str(home))


def test_a_file_that_is_no_exercise_is_told_where(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    for text, told in (
        ("- a", "holds no keys"),
        ("colour: red", "unknown key 'colour'; the keys are"),
        ("title: A", "the key 'trains' is missing"),
        (f"{OWN.read_text()}second: none", "no playbook is called 'none'"),
        (f"{OWN.read_text()}again_on: [PostgreSQL]", "for an exercise of a playbook"),
    ):
        path.write_text(text)
        with pytest.raises(ExerciseError, match=told):
            find(str(path))


def test_the_page_lists_every_exercise_and_the_first_week_names_its_five() -> None:
    docs = REPOSITORY / "docs"
    assert exercise_tables().strip() in (docs / "practice.md").read_text()
    page = (docs / "onboarding" / "first-week.md").read_text()
    week = [exercise for exercise in EXERCISES if exercise.week]
    told = re.findall(r"`playbooks practice (\w+)`, about (\d+) minutes", page)
    assert told == [(exercise.name, str(exercise.minutes)) for exercise in week]


def test_the_recipe_on_the_page_is_the_exercise_that_is_tested_here(tmp_path: Path) -> None:
    page = (REPOSITORY / "docs" / "practice.md").read_text()
    recipe = tmp_path / OWN.name
    recipe.write_text("project: " + page.partition("\nproject: ")[2].partition("```")[0])
    told, tested = read(recipe), read(OWN)
    for key in ("title", "story", "start", "hints", "breaks", "keep", "colleagues", "solution"):
        assert getattr(told, key) == getattr(tested, key), key


# On PostgreSQL, with a server in the directory.

no_server = pytest.mark.skipif(bool(why_not("PostgreSQL")), reason=why_not("PostgreSQL"))


@pytest.fixture
def on_postgresql(broken: Broken, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The first exercise on PostgreSQL, and this process in its directory."""
    directory = broken(FIRST, "PostgreSQL")
    monkeypatch.chdir(directory)
    return directory


def test_three_exercises_or_more_are_on_postgresql_too() -> None:
    there = [exercise for exercise in EXERCISES if "PostgreSQL" in exercise.again_on]
    assert len(there) >= 3
    for exercise in there:
        line = next(it for it in playbooks("practice").splitlines() if f" {exercise.name} " in it)
        assert line.endswith("; PostgreSQL too")
    other = next(exercise.name for exercise in EXERCISES if not exercise.again_on)
    assert f"{other} is not for PostgreSQL" in playbooks("practice", other, "--on", "postgresql")


def test_a_solution_that_a_page_shows_is_the_same_on_postgresql_but_for_the_copy() -> None:
    pages = written()["pages"]
    shown = [it for it in EXERCISES if it.again_on and not it.solution]
    in_tabs = 0
    for exercise in shown:
        text = (REPOSITORY / file_of(pages[exercise.playbook])).read_text()
        short = text.partition('<div class="short-version"')[2].partition("</div>")[0]
        first, _, second = short.partition('=== "PostgreSQL"')
        in_tab = {line.strip() for line in second.splitlines() if line.startswith("    ")}
        more = in_tab - {line.strip() for line in first.splitlines()}
        assert all(line.startswith("pg_dump ") for line in more), more
        in_tabs += bool(more)
    assert in_tabs


@no_server
def test_a_stopped_server_is_started_by_check(on_postgresql: Path) -> None:
    readme = (on_postgresql / "README.md").read_text()
    psql = next(line for line in readme.splitlines() if "psql" in line and "cat" in line)
    ask = [*shlex.split(psql.partition('"')[0]), (on_postgresql / ".practice/url").read_text()]
    ask += ["--tuples-only", "--command", "select count(*) from library_book"]

    def asked() -> subprocess.CompletedProcess[str]:
        return subprocess.run(ask, capture_output=True, text=True)

    assert asked().stdout.strip() == "6"
    assert "It is stopped." in playbooks("stop")
    assert "No server runs here." in playbooks("stop")
    assert asked().returncode == 2
    assert "2 leaf nodes" in playbooks("check")
    assert asked().stdout.strip() == "6"


@no_server
def test_git_does_not_see_how_the_settings_find_the_server(on_postgresql: Path) -> None:
    here = place(on_postgresql)
    assert here.run("git status --porcelain") == ""
    for line in ("git switch --quiet --create other", "git reset --quiet --hard HEAD^"):
        here.run(line)
    settings = (on_postgresql / "config" / "settings.py").read_text()
    assert ".practice" in settings
    assert ".practice" not in here.run("git show HEAD:config/settings.py")


@no_server
def test_check_leaves_no_database_and_reset_brings_back_the_rows(on_postgresql: Path) -> None:
    def databases() -> list[tuple[str]]:
        return execute(url_of(on_postgresql), "select datname from pg_database order by 1")

    before = databases()
    place(on_postgresql).rows("update library_book set copies = 0")
    assert "books: copies is wrong in 6 of 6 rows" in playbooks("check")
    assert databases() == before
    playbooks("reset")
    assert "books: all 6 rows are intact" in playbooks("check")
    assert databases() == before


@no_server
def test_a_table_that_a_session_has_locked_is_told(on_postgresql: Path) -> None:
    with contextlib.closing(Client(place(on_postgresql), "psql")) as other:
        other.rows("begin")
        other.rows("lock table library_book")
        assert "its database cannot be read: a session has a table locked" in playbooks("check")
    assert "2 leaf nodes" in playbooks("check")
    execute(url_of(on_postgresql), "alter database library rename to another")
    said = playbooks("check")
    assert "its database cannot be read: pg_dump: error: " in said
    assert 'database "library" does not exist' in said


@no_server
def test_settings_that_name_another_database_are_told(on_postgresql: Path) -> None:
    settings = on_postgresql / "config" / "settings.py"
    settings.write_text(
        f'{settings.read_text()}\nDATABASES["default"]["NAME"] = "postgres"\n',
    )
    assert "its database is not in this directory: postgresql postgres" in playbooks("check")


@no_server
@pytest.mark.skipif(sys.platform == "win32", reason="it is stopped by a signal")
def test_watch_sees_a_change_in_the_database_alone_and_outlives_a_reset(
    on_postgresql: Path,
) -> None:
    with subprocess.Popen(
        [PLAYBOOKS, "check", "--watch"], cwd=on_postgresql, stdout=subprocess.PIPE, text=True
    ) as process:
        ends = Timer(60, process.kill)
        ends.start()
        try:
            assert process.stdout
            assert any("lines are wrong" in line for line in process.stdout)
            for _ in range(2):
                place(on_postgresql).rows("update library_book set copies = 0")
                assert any("copies is wrong in 6 of 6 rows" in line for line in process.stdout)
                playbooks("reset")
                assert any("books: all 6 rows are intact" in line for line in process.stdout)
        finally:
            ends.cancel()
            process.kill()


@no_server
def test_a_server_is_found_after_a_move_and_is_not_that_of_a_copy(on_postgresql: Path) -> None:
    moved = on_postgresql.with_name("moved")
    on_postgresql.rename(moved)
    os.chdir(moved)
    assert "2 leaf nodes" in playbooks("check")
    assert place(moved).attempt("python manage.py showmigrations library").code == 0
    shutil.copytree(moved, on_postgresql, symlinks=True, ignore=shutil.ignore_patterns(".s.PGSQL*"))
    give_to_its_owner(on_postgresql, moved)
    os.chdir(on_postgresql)
    assert "2 leaf nodes" in playbooks("check")
    place(on_postgresql).rows("update library_book set copies = 0")
    assert "copies is wrong in 6 of 6 rows" in playbooks("check")
    os.chdir(moved)
    assert "books: all 6 rows are intact" in playbooks("check")
    assert "It is stopped." in playbooks("stop")


def give_to_its_owner(directory: Path, like: Path) -> None:
    """As `cp --archive` does: the user of the server owns its data, also for root."""
    for path in (like / HIDDEN).rglob("*"):
        there = directory / path.relative_to(like)
        if there.exists():
            shutil.chown(there, path.stat().st_uid, path.stat().st_gid)
    data = directory / HIDDEN / "postgres"
    shutil.chown(data, (like / HIDDEN / "postgres").stat().st_uid)


@no_server
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_what_a_killed_server_and_a_killed_check_leave_is_no_obstacle(
    on_postgresql: Path,
) -> None:
    url = url_of(on_postgresql)
    process = postmaster.running(on_postgresql / HIDDEN / "postgres")
    assert process
    dumps.make(f"{url.removesuffix('library')}judged_{2**22 + 1}_own")  # above every number
    file = on_postgresql / HIDDEN / "postgres" / "postmaster.pid"
    told = file.read_text().splitlines()
    for child in (process, *process.children()):
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    # Another process has the number by now.
    file.write_text("\n".join([str(os.getpid()), *told[1:]]) + "\n")
    assert "2 leaf nodes" in playbooks("check")
    names = [name for (name,) in execute(url, "select datname from pg_database")]
    assert not [name for name in names if name.startswith("judged")]


@no_server
def test_a_space_in_the_path_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    directory = tmp_path / "my practice"
    said = playbooks("practice", FIRST.name, str(directory), "--on", "PostgreSQL")
    assert "PostgreSQL cannot start in" in said
    assert "for the ' ' in its path" in said
    assert not directory.exists()


def test_what_cannot_be_made_is_refused_before_it_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    other = next(exercise.name for exercise in EXERCISES if not exercise.again_on)
    for words in ([other, "--on", "PostgreSQL"], ["--on", "PostgreSQL"]):
        said = playbooks("practice", *words)
        assert "Breaking" not in said
        assert said.endswith(f"(exit code {1 + (len(words) == 2)})")
    assert list(tmp_path.iterdir()) == []


@no_server
def test_a_path_too_long_for_a_socket_is_refused_unless_the_kits_own_folder_is_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000, raising=False)
    long = tmp_path / ("a" * 100)
    own_server.refuse(long)
    monkeypatch.setattr(own_server, "CACHE", long)
    with pytest.raises(ServerError, match="too long for a socket: choose a shorter directory"):
        own_server.refuse(long)


def test_an_older_python_unpacks_it(inside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python 3.11.0 to 3.11.3 have no filters for archives."""
    monkeypatch.delattr("tarfile.data_filter")
    extract = tarfile.TarFile.extractall
    monkeypatch.setattr(tarfile.TarFile, "extractall", lambda self, path: extract(self, path))
    practice.finish(FIRST, inside)
    assert (inside / "manage.py").is_file()


@no_server
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="it is for root")
def test_as_root_no_folder_above_is_opened_to_everybody(made: Broken) -> None:
    with run_directory() as closed:
        directory = closed / FIRST.name
        copy_the_start(made(FIRST, "PostgreSQL"), directory)
        with pytest.raises(ServerError, match=f"to be open, and {closed} is not: choose"):
            practice.finish(FIRST, directory)
        with pytest.raises(ServerError, match="is not: choose another directory"):
            practice.claim(FIRST, closed / "new", FIRST.name, "PostgreSQL")
        assert not (closed / "new").exists()
        assert closed.stat().st_mode & 0o077 == 0
