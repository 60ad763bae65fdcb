"""The command line: `playbooks list`, `run`, `diagnose`, `open`, `new`, and those of exercises."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TextIO

import click

from .cli_practice import COMMANDS
from .errors import HeaderError, ServerError
from .header import GROUPS
from .source import Playbook, find
from .template import REPOSITORY

ROOT = REPOSITORY / "playbooks"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Run the playbooks of Django migrations and write their pages."""


for _command in COMMANDS:
    main.add_command(_command)


@main.command(name="list")
def list_() -> None:
    """List the playbooks: name, family, title."""
    for playbook in _find(()):
        try:
            title = playbook.header().title
        except HeaderError as error:
            title = f"({error})"
        click.echo(f"{playbook.name:28} {playbook.path.parent.name:11} {title}")


@main.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--check", is_flag=True, help="Write nothing; fail where a page on disk differs.")
@click.option("--jobs", type=click.IntRange(1), help="Playbooks at a time. [default: cores + 1]")
@click.option("--fresh", is_flag=True, help="Run again what is known from an earlier run.")
@click.option(
    "--runner",
    type=click.Choice(["fork", "subprocess"]),
    help="How commands run. [default: fork, where the system has it]",
)
@click.option(
    "--report",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write results and times of playbooks and commands to this file, as JSON.",
)
def run(
    names: tuple[str, ...],
    check: bool,
    jobs: int | None,
    fresh: bool,
    runner: str | None,
    report: Path | None,
) -> None:
    """Run playbooks (all, or those named) and write their pages below docs/playbooks.

    A playbook of which nothing has changed since its last run is not run again.
    """
    from .build import Options, build

    options = Options(check=check, jobs=jobs, fresh=fresh, runner=runner, report=report)
    try:
        sys.exit(build(REPOSITORY, _find(names), options, complete=not names))
    except ServerError as error:
        raise click.ClickException(str(error)) from None


@main.command(name="open")
@click.argument("name")
def open_(name: str) -> None:
    """Open one playbook as a notebook in JupyterLab, which is installed when it is missing."""
    from importlib.util import find_spec

    (playbook,) = _find((name,))
    if find_spec("jupyterlab") is None:
        click.echo("JupyterLab is not installed; installing it now.")
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", "jupyterlab"], check=True)
    command = [sys.executable, "-m", "jupyterlab", f"--notebook-dir={ROOT}"]
    path = playbook.path.relative_to(ROOT).as_posix()
    # The factory makes the text file open as a notebook; Jupytext writes it back as text.
    command.append(f"--LabApp.default_url=/lab/tree/{path}?factory=Notebook")
    try:
        subprocess.run(command, check=True)
    except KeyboardInterrupt:
        click.echo("JupyterLab is closed.")


@main.command()
@click.argument("file", type=click.File(errors="replace"), default="-")
def diagnose(file: TextIO) -> None:
    """Say what an error is about and what to type. FILE holds it, or standard input.

    It is the box “Find my trouble” of the site. Exit code 1: no message that is known.
    """
    from .advice import advice
    from .troubles import written

    lines = advice(file.read(), written())
    click.echo("\n".join(lines.text))
    sys.exit(0 if lines.known else 1)


@main.command()
@click.argument("name", metavar="GROUP/NAME")
def new(name: str) -> None:
    """Write a playbook that has the form of all and fails its checks until it is filled in."""
    from .skeleton import SKELETON

    group, _, stem = name.removesuffix(".py").rpartition("/")
    path = ROOT / group / f"{stem}.py"
    if group not in GROUPS:
        raise click.UsageError(f"{name!r} is not GROUP/NAME with one of {', '.join(GROUPS)}.")
    if not (stem.isidentifier() and stem.islower()):
        raise click.UsageError(f"{stem!r} is not a snake_case name.")
    if any(known.name == stem for known in _find(())):
        raise click.UsageError(f"there is a playbook called {stem!r}: names are unique.")
    path.parent.mkdir(exist_ok=True)
    path.write_text(SKELETON.replace("GROUP", group))
    click.echo(
        f"Wrote {path.relative_to(REPOSITORY)}. Fill it in, then: .venv/bin/playbooks run {stem}"
    )


def _find(names: tuple[str, ...]) -> list[Playbook]:
    try:
        return find(ROOT, names)
    except LookupError as error:
        raise click.UsageError(str(error.args[0])) from None
