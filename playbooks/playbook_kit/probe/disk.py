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
        """Whether Django takes this migration as applied, a squash by its parts included."""
        replaced = self.standing.get(key, [])
        rows = set(self.recorded)
        return key in rows or (bool(replaced) and all(name in rows for name in replaced))

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
        if absent and len(absent) < len(replaced) and key not in rows:
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
    """The applied migrations, parents first, and otherwise as they were recorded.

    The order of the rows is the order in which this database really changed; where rows
    contradict the files (a row before its parent), the files win.
    """
    position = {key: number for number, key in enumerate(disk.recorded)}
    done: list[Key] = []

    def place(key: Key) -> int:
        parts = [key, *disk.standing.get(key, [])]
        return min(position.get(part, len(position)) for part in parts)

    left = sorted((key for key in disk.parents if disk.applied(key)), key=lambda k: (place(k), k))
    while left:
        waiting = set(left)
        free = [key for key in left if not disk.parents[key] & waiting]
        # A circle has no first: take them as recorded, the fault itself is named elsewhere.
        following = free[0] if free else left[0]
        done.append(following)
        left.remove(following)
    return done
