"""Runs the playbooks and writes their pages. A playbook itself needs one name, `Sandbox`; one that
compares several situations needs `table` too, one that measures `chart`, one that is run on several databases `on`, and one on
what happens at the same time on PostgreSQL `Client`, `Background` and `who_waits`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .clients import Background, Client, who_waits
    from .databases import on
    from .sandbox import Sandbox
    from .show import chart, table

__all__ = ["Background", "Client", "Sandbox", "chart", "on", "table", "who_waits"]

_MODULES = {
    "Background": "clients",
    "Client": "clients",
    "Sandbox": "sandbox",
    "chart": "show",
    "on": "databases",
    "table": "show",
    "who_waits": "clients",
}


def __getattr__(name: str) -> Any:
    """Import a name when it is asked for: most of the kit's processes never need it."""
    if name in _MODULES:
        return getattr(import_module(f".{_MODULES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
