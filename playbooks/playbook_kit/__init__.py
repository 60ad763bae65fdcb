"""Runs the playbooks and writes their pages. A playbook itself needs one name: `Sandbox`; one that
compares several situations needs `table` too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .sandbox import Sandbox
    from .show import table

__all__ = ["Sandbox", "table"]


def __getattr__(name: str) -> Any:
    """Import a name when it is asked for: most of the kit's processes never need it."""
    if name == "Sandbox":
        from .sandbox import Sandbox

        return Sandbox
    if name == "table":
        from .show import table

        return table
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
