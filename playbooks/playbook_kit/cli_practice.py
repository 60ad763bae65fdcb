"""The commands of an exercise: `playbooks practice`, `check`, `hint`, `solution`, `reset`, `stop`."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from .errors import ServerError
from .exercises import DATABASES, HIDDEN, Exercise, ExerciseError
from .practice import State, exercise_of, here

_DIRECTORY = click.Path(file_okay=False, path_type=Path)
_IN = click.option(
    "--in", "folder", type=_DIRECTORY, default=".", help="Where practice/ is. [default: here]"
)


@click.command()
@click.argument("name", required=False)
@click.argument("directory", type=_DIRECTORY, required=False)
@_IN
@click.option(
    "--on",
    "database",
    type=click.Choice(DATABASES, case_sensitive=False),
    help="Which database it is on. [default: SQLite]",
)
@click.option("--report", is_flag=True, help="Write what was done, as Markdown for a ticket.")
def practice(
    name: str | None, directory: Path | None, folder: Path, database: str | None, report: bool
) -> None:
    """List the exercises, or put one into a directory.

    NAME is a name of the list, or the path of an exercise file of your own. Without DIRECTORY it is
    practice/NAME, and practice/NAME_postgresql for one on PostgreSQL.
    """
    from .practice_lists import listed, reported

    if database and (report or name is None):
        raise click.UsageError("--on is for an exercise: name one")
    with _told():
        if report:
            click.echo(reported(folder))
        elif name is None:
            click.echo(listed(folder))
        else:
            _start(name, directory, folder, database or "SQLite")


def _start(name: str, directory: Path | None, folder: Path, database: str) -> None:
    from .exercises import find
    from .practice import claim, finish, fork_server

    exercise = find(name)
    ending = "" if database == "SQLite" else f"_{database.lower()}"
    directory = (directory or folder / "practice" / f"{exercise.name}{ending}").absolute()
    known_as = str(exercise.path) if exercise.project or name.endswith("ml") else exercise.name
    claim(exercise, directory, known_as, database)
    click.echo(f"Breaking a project for {exercise.name}; it takes some seconds.")
    with fork_server() as server:
        finish(exercise, directory, server)
    near = shlex.quote(os.path.relpath(directory))
    click.echo(
        f"\n{exercise.title}\n\n{exercise.story.strip()}\n\n"
        f"  cd {near}\n  {exercise.start.strip()}\n\n"
        "Then repair it. playbooks check says what is still wrong, README.md how to go on."
    )
    _warn(database)


@contextmanager
def _told() -> Iterator[None]:
    """Errors of the kit, as a command tells them."""
    try:
        yield
    except (ExerciseError, ServerError) as error:
        raise click.ClickException(str(error)) from None


def _warn(database: str) -> None:
    from .practice_lists import foreign

    for name in foreign(database):
        click.echo(
            f"\nTake care: {name} is set in this shell. The judge ignores it, your own commands "
            "do not: with it they may work on another database or project. Unset it first.",
            err=True,
        )


def _here() -> tuple[Path, State, Exercise]:
    with _told():
        directory, state = here(Path.cwd())
        return directory, state, exercise_of(state)


def _whole() -> tuple[Path, State, Exercise]:
    found = _here()
    if found[1].unfinished:
        raise click.ClickException("it was stopped while it was made: playbooks reset finishes it")
    return found


@click.command()
@click.option("--watch", is_flag=True, help="Check again on every change, until all is right.")
def check(watch: bool) -> None:
    """Say what is right and what is still wrong in this exercise. Exit code 0: all is right."""
    from .own_server import start
    from .watching import changes

    directory, state, _ = _whole()
    _warn(state.database)
    done = False
    try:
        with _told():
            url = "" if state.database == "SQLite" else start(directory)
            for _ in changes(directory, url):
                done = _check(directory, url)
                if done or not watch:
                    break
                click.echo("")
    except KeyboardInterrupt:
        click.echo("Stopped.")
    sys.exit(0 if done else 1)


def _check(directory: Path, url: str) -> bool:
    from .judge import judge
    from .practice import kept, load, now, save

    lines = judge(directory, kept(directory), directory / HIDDEN, url)
    done = all(line.right for line in lines)
    state = load(directory)
    state.checks += 1
    state.solved = (state.solved or now()) if done else ""
    save(directory, state)
    click.echo("\n".join(map(str, lines)))
    wrong = sum(not line.right for line in lines)
    told = f"{wrong} of {len(lines)} lines {'is' if wrong == 1 else 'are'} wrong."
    click.echo("\n" + (told if wrong else "All is right."))
    return done


@click.command()
def hint() -> None:
    """Give one more hint."""
    from .practice import save

    directory, state, exercise = _whole()
    most = len(exercise.hints)
    if state.hints >= most:
        click.echo(f"There are {most}, and you have seen all. playbooks solution shows a way.")
        return
    state.hints += 1
    save(directory, state)
    click.echo(f"Hint {state.hints} of {most}: {' '.join(exercise.hints[state.hints - 1].split())}")


@click.command()
def solution() -> None:
    """Show one way to repair it."""
    from .practice import save
    from .practice_lists import solved_by

    directory, state, exercise = _whole()
    state.seen_solution = True
    save(directory, state)
    click.echo(solved_by(exercise))


@click.command()
def reset() -> None:
    """Start over: everything in this directory becomes what it was at the start."""
    from .practice import finish, fork_server, save

    directory, state, exercise = _here()
    state.resets += not state.unfinished
    save(directory, state)
    with _told(), fork_server() as server:
        finish(exercise, directory, server)
    click.echo(f"{exercise.name} is as it was at the start.")


@click.command()
def stop() -> None:
    """Stop the PostgreSQL server of this exercise; check and reset start it again."""
    from . import own_server

    directory, *_ = _here()
    with _told():
        click.echo("It is stopped." if own_server.stop(directory) else "No server runs here.")


COMMANDS = (practice, check, hint, solution, reset, stop)
