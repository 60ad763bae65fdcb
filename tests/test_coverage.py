"""Rule 7: what Django's migrations can say is said in a playbook, or exempted with a reason."""

from __future__ import annotations

import ast
import importlib
import inspect
import re

import pytest
from conftest import EVERY
from django.db.migrations import exceptions
from playbook_kit.execution import Failure
from playbook_kit.results import Result

COMMANDS = (
    "makemigrations",
    "migrate",
    "optimizemigration",
    "showmigrations",
    "sqlmigrate",
    "squashmigrations",
)
# Exceptions that a command answers with words of its own, or never lets out.
IN_OTHER_WORDS = {
    "AmbiguityError": "More than one migration matches",
}
EXCEPTIONS_EXEMPT = {
    "InvalidBasesError": "a base model in an app without migrations: a change of bases",
}
TYPED = "a slip in what was typed: nothing is broken, and the message says what to type instead"
UPDATE = "makemigrations --update refuses, and changes nothing: a way to work, not a trouble"
ERRORS_EXEMPT = {
    "makemigrations: has no migration, cannot update last migration": UPDATE,
    "makemigrations: Cannot update squash migration": UPDATE,
    "makemigrations: Cannot update migration": UPDATE,
    "squashmigrations: already exists. Use a different name": TYPED,
    "squashmigrations: does not have migrations (so squashmigrations on it makes no sense)": TYPED,
}


def printed(outcomes: dict[str, Result | Failure]) -> str:
    """All that the commands of all playbooks printed, on one line."""
    results = [outcome for outcome in outcomes.values() if isinstance(outcome, Result)]
    outputs = [shown["output"] for result in results for shown in result.shown("command")]
    return " ".join(" ".join(outputs).split())


def exception_classes() -> list[str]:
    """Names of the exception classes of `django.db.migrations.exceptions`."""
    classes = inspect.getmembers(exceptions, inspect.isclass)
    return [name for name, it in classes if it.__module__ == exceptions.__name__]


def errors_of(command: str) -> list[str]:
    """For each `raise CommandError` of a command, the longest part of its text that is fixed."""
    module = importlib.import_module(f"django.core.management.commands.{command}")
    found = []
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Raise) and "CommandError" in ast.dump(node):
            words = [
                part
                for it in ast.walk(node)
                if isinstance(it, ast.Constant) and isinstance(it.value, str)
                for part in re.split(r"%\(?\w*\)?s|\{\w*\}", " ".join(it.value.split()))
            ]
            found += [max((word.strip(" '.") for word in words), key=len)] if words else []
    return list(dict.fromkeys(found))


ERRORS = [(command, error) for command in COMMANDS for error in errors_of(command)]


@pytest.mark.parametrize("name", exception_classes())
def test_each_exception_class_is_seen(name: str, outcomes: dict[str, Result | Failure]) -> None:
    seen = IN_OTHER_WORDS.get(name, name) in printed(outcomes)
    assert seen != (name in EXCEPTIONS_EXEMPT), "it needs a playbook, or its exemption has to go"


@pytest.mark.parametrize(("command", "error"), ERRORS)
def test_each_error_of_a_migration_command_is_seen(
    command: str, error: str, outcomes: dict[str, Result | Failure]
) -> None:
    seen = error in printed(outcomes)
    exempt = f"{command}: {error}" in ERRORS_EXEMPT
    assert seen != exempt, "it needs a playbook, or its exemption has to go"


def test_exemptions_name_what_there_is_and_why() -> None:
    assert set(EXCEPTIONS_EXEMPT) <= set(exception_classes())
    assert set(ERRORS_EXEMPT) <= {f"{command}: {error}" for command, error in ERRORS}
    assert all(len(why) > 20 for why in (EXCEPTIONS_EXEMPT | ERRORS_EXEMPT).values())
    assert len(ERRORS) >= 20


def test_each_playbook_runs_on_a_server_of_databases() -> None:
    """SQLite hides what a server refuses: none is run on SQLite alone."""
    alone = [one.name for one in EVERY if one.header().every_database == ("SQLite",)]
    assert alone == []
