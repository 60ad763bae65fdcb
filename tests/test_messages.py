"""Rule 7: whatever Django's migrations can say has a row in the catalogue of messages.

The list comes from the source of the Django that is installed: a release with a new message fails
here until it has a row.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import django.db.migrations
import django.db.migrations.operations
import django.db.migrations.questioner
import pytest
from pasted import DATA
from playbook_kit.diagnosis import diagnose
from playbook_kit.errors import HeaderError
from playbook_kit.messages import read
from test_coverage import COMMANDS

# What no command can be brought to say, and why.
CALLED = "called by code of a library in a way that no command does"
EXEMPT = {
    "Cannot resolve operation dependencies": "no models are known that bring it there",
    "Can't handle dependency": CALLED,
    "app_label must be a str": CALLED,
    "app_label and model_name must be provided": CALLED,
    "app_label must be provided to resolve": CALLED,
    "must inherit from 'BaseSerializer'": CALLED,
    "Subclasses of Base": CALLED,
    "Unable to remove replacement node": CALLED,
    "There is more than one migration for": "migrate and the others say it in their own words",
    "There is no migration for": "migrate and the others say it in their own words",
}


def modules() -> Iterator[str]:
    """The modules of django.db.migrations, and the six commands."""
    for package in (django.db.migrations, django.db.migrations.operations):
        for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            yield found.name
    yield from (f"django.core.management.commands.{command}" for command in COMMANDS)


def rendered(node: ast.expr) -> str | None:
    """The text of an expression with `x` for what varies; None where it is no text."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.sub(r"%\(\w+\)s|%[srd]|\{\w*\}", "x", node.value)
    if isinstance(node, ast.JoinedStr):
        parts = (rendered(it) if isinstance(it, ast.Constant) else "x" for it in node.values)
        return "".join(part or "" for part in parts)
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mod, ast.Add)):
        left = rendered(node.left)
        right = rendered(node.right) if isinstance(node.op, ast.Add) else ""
        return left + right if left is not None and right is not None else None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return rendered(node.func.value) if node.func.attr == "format" else None
    return None


def raised(module: str) -> Iterator[str]:
    """What the `raise` statements of a module say."""
    for node in ast.walk(ast.parse(inspect.getsource(importlib.import_module(module)))):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
            text = rendered(node.exc.args[0])
            if text and len(text) > 8:
                yield f"{ast.unparse(node.exc.func)}: {' '.join(text.split())}"


MESSAGES = sorted(
    {(module.rpartition(".")[2], text) for module in modules() for text in raised(module)}
)


def test_there_are_messages_to_look_for() -> None:
    assert len(set(asked())) >= 10
    assert len(MESSAGES) >= 60
    assert {"loader", "graph", "state", "special", "migrate", "makemigrations"} <= {
        m for m, _ in MESSAGES
    }


@pytest.mark.parametrize(("module", "text"), MESSAGES, ids=lambda value: value[:60])
def test_each_message_of_djangos_migrations_has_a_row(module: str, text: str) -> None:
    exempt = any(words in text for words in EXEMPT)
    found = has_row(text)
    assert found != exempt, f"{module}: it needs a row in messages.yaml, or its exemption has to go"


def asked() -> Iterator[str]:
    """What `makemigrations` asks, and what it says where it may not ask."""
    tree = ast.parse(inspect.getsource(django.db.migrations.questioner))
    for node in ast.walk(tree):
        texts = node.args if isinstance(node, ast.Call) else ()
        texts = [node.value] if isinstance(node, ast.Assign) else texts
        for text in filter(None, map(rendered, texts)):
            if len(text) > 30 and re.search(
                r"\[y/N\]|impossible|unique field|not migrated|given a", text
            ):
                yield " ".join(text.split())


@pytest.mark.parametrize("text", sorted(set(asked())))
def test_each_question_of_makemigrations_has_a_row(text: str) -> None:
    assert has_row(text)


def has_row(text: str) -> bool:
    """Whether a pattern fits the text, in which `x` stands for whatever varies."""
    variants = [
        re.sub(r"\bx\b", varies, text) for varies in ("x", "x.x", "('x', 'x')", "[<ModelState>]")
    ]
    patterns = [
        re.sub(r"\(\?P<\w+>[^()]*\)", r"[^\\n]{0,60}?", says)
        for message in DATA["messages"]
        for says, _ in message["says"]
    ]
    return any(re.search(says, it) for says in patterns for it in variants)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("says: a\n    means: b", "the keys are"),
        ("says: '{nobody}'\n    means: b\n    go: {}", "nobody"),
    ],
)
def test_a_row_that_is_none_is_refused_with_a_sentence(tmp_path: Path, row: str, told: str) -> None:
    (tmp_path / "messages.yaml").write_text(f"loading:\n  - {row}\n")
    with pytest.raises(HeaderError, match=told):
        read(tmp_path / "messages.yaml")


def test_each_exemption_is_of_a_message_that_there_is() -> None:
    for words, why in EXEMPT.items():
        assert any(words in text for _, text in MESSAGES), words
        assert len(why) > 20


def test_each_message_leads_to_a_page_or_says_why_not() -> None:
    for message in DATA["messages"]:
        assert message["pages"], message["says"][0][0]
        for page in message["pages"]:
            assert page["name"] in DATA["pages"]


ON_POSTGRESQL = """\
relation "shop_item" already exists
column "q" of relation "shop_item" already exists
relation "shop_item" does not exist
column shop_item.x does not exist
column "sku" of relation "shop_item" contains null values
could not create unique index "u1"
check constraint "no_a" of relation "shop_item" is violated by some row
insert or update on table "shop_line" violates foreign key constraint "fk"
value too long for type character varying(2)
invalid input syntax for type integer: "abc"
canceling statement due to lock timeout
canceling statement due to statement timeout
deadlock detected
cannot ALTER TABLE "shop_line" because it has pending trigger events
current transaction is aborted, commands ignored until end of transaction block
CREATE INDEX CONCURRENTLY cannot run inside a transaction block
foreign key constraint "fk" cannot be implemented
cannot alter type of a column used by a view or rule
cannot alter type of a column used by a generated column
permission denied for schema public
must be owner of table shop_item
extension "x" is not available
duplicate key value violates unique constraint "shop_item_pkey"
duplicate key value violates unique constraint "pg_type_typname_nsp_index"
cannot drop constraint shop_item_pkey on table shop_item because other objects depend on it
relation "aaa" already exists
connection failed: FATAL: database "nope" does not exist
only '%s', '%b', '%t' are allowed as placeholders, got '%''
index row requires 96016 bytes, maximum size is 8191"""


@pytest.mark.parametrize("text", ON_POSTGRESQL.splitlines())
def test_each_situation_of_a_database_has_a_row(text: str) -> None:
    """The classes of errors that a migration meets in a database, in PostgreSQL's words."""
    assert diagnose(f"$ python manage.py migrate\n{text}", DATA).message
