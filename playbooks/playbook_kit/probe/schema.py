"""The schema as it is, the schema as it should be, and the differences in words."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.state import ProjectState

from playbook_kit.probe.disk import Disk, in_order

_TYPES = {
    "postgresql": (
        "select attname, replace(format_type(atttypid, atttypmod), 'character varying', 'varchar') "
        "from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped"
    ),
    "mysql": (
        "select column_name, column_type from information_schema.columns "
        "where table_schema = database() and table_name = %s"
    ),
}

_KINDS = ("primary_key", "foreign_key", "unique", "check", "index")
Part = tuple[str, ...]  # kind, columns or target: what an index or constraint amounts to


@dataclass
class Table:
    """One table as Django's introspection sees it, its indexes and constraints by what they do
    rather than by name: generated names depend on the way that led to the table."""

    columns: dict[str, tuple[str, bool]]  # type, whether NULL is allowed
    parts: Counter[Part]


def expected_state(disk: Disk) -> ProjectState:
    """The project state that the recorded migrations amount to.

    Raises whatever an operation raises when it meets a state that it does not fit.
    """
    state = ProjectState(real_apps=disk.unmigrated)
    for key in in_order(disk):
        state = disk.migrations[key].mutate_state(state, preserve=False)
    return state


class Schema:
    """The tables of one database but the history itself: their names, and what each is like."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        with connection.cursor() as cursor:
            found = connection.introspection.get_table_list(cursor)
            self.names = {info.name for info in found if info.type != "v"} - {"django_migrations"}
            self.texts = defaultdict(list)
            if connection.vendor == "sqlite":
                cursor.execute("select tbl_name, sql from sqlite_master where sql is not null")
                for name, sql in cursor.fetchall():
                    # Columns in any order: that of a table that grew is not that of a new one.
                    start, _, columns = sql.partition("(")
                    self.texts[name].append((start, sorted(columns[:-1].split(', "'))))

    def table(self, name: str) -> Table:
        """What this table is like."""
        look = self.connection.introspection
        with self.connection.cursor() as cursor:
            types = self._types(cursor, name)
            columns = {
                column.name: (
                    str(types.get(column.name, column.type_code)).lower(),
                    bool(column.null_ok),
                )
                for column in look.get_table_description(cursor, name)
            }
            parts: Counter[Part] = Counter()
            for constraint, about in look.get_constraints(cursor, name).items():
                # PostgreSQL 18 lists each NOT NULL as well, of no kind: the columns say that.
                if any(about[kind] for kind in _KINDS) or not constraint.endswith("_not_null"):
                    parts[_part(constraint, about)] += 1
        if self.connection.vendor == "mysql":
            # The index that a foreign key needs, under whatever name: the server makes one itself.
            for part in [part for part in parts if part[0] == "foreign key"]:
                del parts["index", part[1]]
        return Table(columns, parts)

    def _types(self, cursor: Any, name: str) -> dict[str, str]:
        """Types with their lengths, where Django's introspection has numbers for them; a text's as
        Django's own SQL spells it."""
        if self.connection.vendor == "sqlite":
            return {}
        cursor.execute(
            _TYPES[self.connection.vendor], [self.connection.ops.quote_name(name).replace("`", "")]
        )
        return dict(cursor.fetchall())

    def same(self, other: Schema, name: str) -> bool:
        """Whether SQLite holds the same SQL for this table in both: it need not be parsed then."""
        ours, theirs = sorted(self.texts[name]), sorted(other.texts[name])
        return bool(ours) and ours == theirs


@contextmanager
def scratch(state: ProjectState) -> Iterator[Schema]:
    """The schema of a scratch database in which the state's tables were created: on SQLite in
    memory, elsewhere beside the real one."""
    real = connections[DEFAULT_DB_ALIAS]
    name = ":memory:" if real.vendor == "sqlite" else f"{real.settings_dict['NAME']}_scratch"
    if real.vendor != "sqlite":
        with real.cursor() as cursor:
            like = " template template0" if real.vendor == "postgresql" else ""
            cursor.execute(f"create database {name}{like}")
    scratch = type(real)({**real.settings_dict, "NAME": name}, alias="scratch")
    connections["scratch"] = scratch
    try:
        with scratch.schema_editor() as editor:
            for model in state.apps.get_models():
                if model._meta.managed and not model._meta.proxy:
                    editor.create_model(model)
        yield Schema(scratch)
    finally:
        scratch.close()
        del connections["scratch"]
        if real.vendor != "sqlite":
            with real.cursor() as cursor:
                # A pooler in between keeps a connection to it.
                force = " with (force)" if real.vendor == "postgresql" else ""
                cursor.execute(f"drop database if exists {name}{force}")


def _part(name: str, about: dict[str, Any]) -> Part:
    columns = ", ".join(about["columns"] or ())
    if about["primary_key"]:
        return "primary key", columns
    if about["foreign_key"]:
        return "foreign key", columns, ".".join(about["foreign_key"])
    if about["unique"]:
        return "unique constraint", columns
    if about["check"]:
        return "check constraint", columns, "" if name.startswith("__unnamed") else name
    return "index", columns


def differences(wanted: Schema, real: Schema) -> Iterator[tuple[str, str]]:
    """Each difference as (table, sentence), tables and columns in alphabetical order."""
    for name in sorted(wanted.names | real.names):
        if name not in real.names:
            yield name, f"table {name} is missing: the recorded migrations create it"
        elif name not in wanted.names:
            yield name, f"table {name} exists: no recorded migration creates it"
        elif not wanted.same(real, name):
            for sentence in _in_table(name, wanted.table(name), real.table(name)):
                yield name, sentence


def _in_table(name: str, wanted: Table, real: Table) -> Iterator[str]:
    for column in sorted(wanted.columns.keys() | real.columns.keys()):
        full = f"column {name}.{column}"
        if column not in real.columns:
            yield f"{full} is missing: the recorded migrations add it"
        elif column not in wanted.columns:
            yield f"{full} exists: no recorded migration adds it"
        else:
            yield from _in_column(full, wanted.columns[column], real.columns[column])
    both = wanted.columns.keys() & real.columns.keys()
    for part in sorted((wanted.parts - real.parts).keys()):
        if set(part[1].split(", ")) <= both:
            yield f"{_words(name, part)} is missing: the recorded migrations make it"
    for part in sorted((real.parts - wanted.parts).keys()):
        if set(part[1].split(", ")) <= both:
            yield f"{_words(name, part)} exists: no recorded migration makes it"


def _in_column(full: str, wanted: tuple[str, bool], real: tuple[str, bool]) -> Iterator[str]:
    if wanted[0] != real[0]:
        yield f"{full} is {real[0]}: the recorded migrations make it {wanted[0]}"
    if wanted[1] and not real[1]:
        yield f"{full} refuses NULL: the recorded migrations allow it"
    if real[1] and not wanted[1]:
        yield f"{full} allows NULL: the recorded migrations forbid it"


def _words(table: str, part: Part) -> str:
    kind, columns, *more = part
    if kind == "foreign key":
        return f"foreign key {table} ({columns}) to {more[0]}"
    if kind == "check constraint" and more[0]:
        return f"check constraint {more[0]} on {table}"
    return f"{kind} on {table} ({columns})"
