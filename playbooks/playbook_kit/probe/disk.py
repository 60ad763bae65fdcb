"""The migration files and the history, read without building Django's graph.

Django refuses to build its graph over exactly the faults that this has to name, so the relations
between files are worked out here, by the rules of `MigrationLoader.build_graph` (Django 5.2,
`django/db/migrations/loader.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

Key = tuple[str, str]  # app label, migration name


@dataclass
class Disk:
    """The files (`migrations`), the rows (`recorded`, in the order of their ids) and how the
    files hang together once squashes are taken into account (`parents`, by child)."""

    migrations: dict[Key, Any]
    recorded: list[Key]
    unmigrated: set[str]
    parents: dict[Key, set[Key]] = field(default_factory=dict)
    missing: list[tuple[Key, Key]] = field(default_factory=list)  # child, parent without a file
    partly: dict[Key, list[Key]] = field(default_factory=dict)  # squash, names not recorded
    standing: dict[Key, list[Key]] = field(default_factory=dict)  # squash, names it stands for

    def applied(self, key: Key) -> bool:
        """Whether Django takes this migration as applied. A squash is when all its parts are: its
        own row does not count before `replaces` is gone."""
        rows = set(self.recorded)
        return all(name in rows for name in self.standing.get(key, [key]))

    def leaves(self, app: str) -> list[Key]:
        """The app's leaf nodes, sorted."""
        inner = {p for child, ps in self.parents.items() if child[0] == app for p in ps}
        return sorted(key for key in self.parents if key[0] == app and key not in inner)


def read() -> Disk:
    """Read files and rows. Raises whatever importing a migration file raises."""
    loader = MigrationLoader(None, load=False)
    loader.load_disk()
    recorder = MigrationRecorder(connection)
    rows = (
        list(recorder.migration_qs.order_by("id").values_list("app", "name"))
        if recorder.has_table()
        else []
    )
    disk = Disk(dict(loader.disk_migrations), rows, set(loader.unmigrated_apps))
    _settle_squashes(disk)
    _connect(disk)
    return disk


def _settle_squashes(disk: Disk) -> None:
    rows = set(disk.recorded)
    for key, migration in sorted(disk.migrations.items()):
        if not migration.replaces:
            continue
        replaced = list(_replaced(disk, key))
        absent = [name for name in replaced if name not in rows]
        if absent and len(absent) < len(replaced):
            disk.partly[key] = absent
        else:
            disk.standing[key] = replaced


def _replaced(disk: Disk, key: Key) -> Iterable[Key]:
    for name in disk.migrations[key].replaces:
        inner = disk.migrations.get(tuple(name))
        yield from _replaced(disk, tuple(name)) if inner and inner.replaces else [tuple(name)]


def _connect(disk: Disk) -> None:
    # A squash that stands takes the place of its files; one applied in part gives way to them.
    instead = {name: key for key, names in disk.standing.items() for name in names}
    instead |= {key: _last(disk, key) for key in disk.partly}
    nodes = [key for key in disk.migrations if key not in instead]
    disk.parents = {key: set() for key in nodes}
    for key in sorted(disk.migrations):
        child = instead.get(key, key)
        if child not in disk.parents:
            continue
        for named in disk.migrations[key].dependencies:
            found = _resolve(disk, tuple(named), key)
            parent = instead.get(found, found) if found else None
            if parent is None or parent == child:
                continue
            if parent in disk.parents:
                disk.parents[child].add(parent)
            else:
                disk.missing.append((child, parent))
        for named in disk.migrations[key].run_before:
            later = instead.get(tuple(named), tuple(named))
            if later in disk.parents:
                disk.parents[later].add(child)


def _last(disk: Disk, squash: Key) -> Key:
    present = [n for n in _replaced(disk, squash) if n in disk.migrations]
    return present[-1] if present else squash


def _resolve(disk: Disk, named: Key, child: Key) -> Key | None:
    app, name = named
    if name not in ("__first__", "__latest__") or app == child[0]:
        return named
    own = sorted(key for key in disk.migrations if key[0] == app)
    if not own:
        return None  # an app without migrations is there from the start
    return own[0] if name == "__first__" else own[-1]


def in_order(disk: Disk) -> list[Key]:
    """The applied migrations in the order of Django's graph, which is that of a new database.

    Of several parents the last by name comes first (`MigrationGraph.iterative_dfs`, Django 5.2).
    A database that applied two branches in another order may differ: that is a difference to name.
    """
    done: list[Key] = []
    opened: set[Key] = set()
    inner = {parent for parents in disk.parents.values() for parent in parents}
    # In a circle nobody is a leaf; its migrations follow, and the circle itself is named elsewhere.
    stack = [*sorted(disk.parents, reverse=True), *sorted(set(disk.parents) - inner, reverse=True)]
    while stack:
        key = stack.pop()
        if key not in opened:
            opened.add(key)
            stack += [key, *sorted(disk.parents[key])]
        elif key not in done:
            done.append(key)
    return [key for key in done if disk.applied(key)]
