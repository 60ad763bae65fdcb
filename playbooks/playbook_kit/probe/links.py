"""The three links of the chain, each measured, and the graph of one app."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.questioner import MigrationQuestioner
from django.db.migrations.state import ProjectState

from playbook_kit.probe import disk as files
from playbook_kit.probe import schema
from playbook_kit.probe.disk import Disk, Key

Finding = tuple[str, str]  # app label ("" for all), sentence


def measure(app: str) -> dict[str, Any]:
    """All three links, for one app or (`""`) for all."""
    try:
        disk = files.read()
    except Exception as error:
        reason = f"the migration files cannot be loaded: {_message(error)}"
        links = {
            "models-files": ("unknown", [("", reason)]),
            "files-history": ("broken", [("", reason)]),
            "history-schema": ("unknown", [("", reason)]),
        }
        return _answer(app, links, [])
    pending = [key for key in sorted(disk.parents) if not disk.applied(key)]
    rows = set(disk.recorded)
    # Every part recorded and the squash itself not: `migrate` has that row still to write.
    pending += [key for key in sorted(disk.standing) if disk.applied(key) and key not in rows]
    models, no_graph = _models_files(disk)
    history = list(_files_history(disk))
    if no_graph and not history:
        history = [("", no_graph)]
    links = {
        "models-files": models,
        "files-history": ("broken" if history else "whole", history),
        "history-schema": _history_schema(disk),
    }
    return _answer(app, links, pending)


def _answer(
    app: str, links: dict[str, tuple[str, list[Finding]]], pending: list[Key]
) -> dict[str, Any]:
    told = []
    for name, (state, findings) in links.items():
        mine = [sentence for owner, sentence in findings if not app or owner in (app, "")]
        if state == "broken" and not mine:
            state = "whole"
        told.append({"name": name, "state": state, "findings": mine})
    waiting = [f"{label}.{name}" for label, name in pending if app in ("", label)]
    return {"app": app, "links": told, "pending": waiting}


def _message(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _models_files(disk: Disk) -> tuple[tuple[str, list[Finding]], str]:
    """What the autodetector would still write; and why the files are no graph, if they are not."""
    try:
        loader = MigrationLoader(None, ignore_no_migrations=True)
    except Exception as error:
        reason = f"the files do not form a graph: {_message(error)}"
        return ("unknown", [("", reason)]), reason
    try:
        # The base class answers every question with "no", which is what a look should do.
        questioner = MigrationQuestioner(specified_apps=None, dry_run=True)
        now = ProjectState.from_apps(apps)
        changes = MigrationAutodetector(loader.project_state(), now, questioner).changes(
            graph=loader.graph
        )
    except Exception as error:
        reason = f"the files do not amount to a set of models: {_message(error)}"
        return ("unknown", [("", reason)]), ""
    found = [
        (label, f"{label}: makemigrations would still write “{operation.describe()}”")
        for label, migrations in sorted(changes.items())
        for migration in migrations
        for operation in migration.operations
    ]
    for config in apps.get_app_configs():
        if config.label in disk.unmigrated and any(
            model._meta.managed for model in config.get_models()
        ):
            found.append((config.label, f"{config.label} has models and no migrations package"))
    return ("broken" if found else "whole", found), ""


def _files_history(disk: Disk) -> Iterator[Finding]:
    for app in sorted({key[0] for key in disk.parents}):
        leaves = disk.leaves(app)
        if len(leaves) > 1:
            names = ", ".join(name for _, name in leaves)
            yield app, f"{app} has {len(leaves)} leaf nodes: {names}"
    for child, parent in disk.missing:
        if parent in disk.migrations:
            yield child[0], f"{_name(child)} names {_name(parent)}, which is recorded in part"
        else:
            yield child[0], f"{_name(child)} names a parent without a file: {_name(parent)}"
    rows = set(disk.recorded)
    for squash, replaced in sorted(disk.standing.items()):
        if squash in rows and not rows & set(replaced):
            yield squash[0], f"{_name(squash)} is recorded, and nothing of what it replaces is"
    for squash, absent in disk.partly.items():
        gone = [key for key in absent if key not in disk.migrations]
        names = ", ".join(_name(key) for key in gone or absent)
        what = "whose files are gone" if gone else "which migrate runs first"
        yield squash[0], f"{_name(squash)} is recorded in part: it lacks {names}, {what}"
    yield from _rows_without_files(disk)
    for child, parents in sorted(disk.parents.items()):
        for parent in sorted(parents):
            if disk.applied(child) and not disk.applied(parent):
                yield child[0], f"{_name(child)} is recorded before its parent {_name(parent)}"


def _rows_without_files(disk: Disk) -> Iterator[Finding]:
    known = set(disk.migrations)
    for squash in disk.standing | disk.partly:
        known.update(disk.migrations[squash].replaces)
    for key in sorted(set(disk.recorded)):
        if key not in known:
            yield key[0], f"{_name(key)} is recorded, and its file is gone"
        times = disk.recorded.count(key)
        if times > 1:
            yield key[0], f"{_name(key)} is recorded {times} times"


def _history_schema(disk: Disk) -> tuple[str, list[Finding]]:
    labels = sorted((config.label for config in apps.get_app_configs()), key=len, reverse=True)
    try:
        state = schema.expected_state(disk)
        models = state.apps.get_models(include_auto_created=True)
        owner = {model._meta.db_table: model._meta.app_label for model in models}
        with schema.scratch(state) as wanted:
            real = schema.Schema(connections[DEFAULT_DB_ALIAS])
            differences = list(schema.differences(wanted, real))
    except Exception as error:
        reason = f"the recorded migrations do not amount to a schema: {_message(error)}"
        return "unknown", [("", reason)]
    found: list[Finding] = []
    for table, sentence in differences:
        guess = next((label for label in labels if table.startswith(f"{label}_")), "")
        found.append((owner.get(table, guess), sentence))
    return ("broken" if found else "whole"), found


def _name(key: Key) -> str:
    return ".".join(key)


def look(app: str) -> dict[str, Any]:
    """The graph of one app. Raises whatever importing a migration file raises."""
    disk = files.read()
    rows, leaves = set(disk.recorded), disk.leaves(app)
    own = [key for key in sorted(disk.migrations) if key[0] == app]
    nodes: dict[str, dict[str, Any]] = {}
    for key in own:
        named = [tuple(parent) for parent in disk.migrations[key].dependencies]
        nodes[key[1]] = {
            "name": key[1],
            "status": "applied" if key in rows else "pending",
            "parents": sorted(name for label, name in named if label == app),
            "others": sorted(_name(parent) for parent in named if parent[0] != app),
            "replaces": [name for _, name in disk.migrations[key].replaces],
            "leaf": key in leaves,
        }
    # Of a squash that stands, the rows of its parts are no ghosts: they make it applied.
    replaced = {name for names in disk.standing.values() for _, name in names}
    blank = {"parents": [], "others": [], "replaces": [], "leaf": False}
    parents = sorted({name for node in nodes.values() for name in node["parents"]} - set(nodes))
    lost = [
        {"name": name, "status": "missing", **blank} for name in parents if (app, name) not in rows
    ]
    ghosts = [
        {"name": name, "status": "ghost", **blank}
        for label, name in dict.fromkeys(disk.recorded)
        if label == app and name not in nodes and name not in replaced
    ]
    return {"app": app, "nodes": [*lost, *_parents_first(nodes), *ghosts]}


def _parents_first(nodes: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    done: list[dict[str, Any]] = []
    left = dict(sorted(nodes.items()))
    while left:
        free = (name for name, node in left.items() if not set(node["parents"]) & set(left))
        done.append(left.pop(next(free, next(iter(left)))))
    return done
