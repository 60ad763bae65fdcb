"""What goes on beside a command on PostgreSQL: another client with a session of its own, a command
in the background, and who of them waits for whom.

Nothing here sleeps for a time: a playbook waits for a state of the server, and a state that does not
come within `DEADLINE` is an error.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import Any

from . import pgbouncer
from .errors import PlaybookError
from .events import Query, Table
from .outcome import Output, Rows, held
from .sandbox import Sandbox
from .show import show

DEADLINE = 30.0  # seconds
_LOOK = 0.02  # seconds between two looks at the server
# `behind` is asked once for each session: whom it waits for may change between two questions. A look
# has a snapshot of its own, and `create index concurrently` waits for every older snapshot: a session
# that waits for this look, or for nobody any more, does not wait when the look is over.
_WAITING = """
select waiting.application_name, lock.mode,
       case lock.locktype when 'tuple' then 'a row of ' else '' end
       || coalesce(lock.relation::regclass::text, lock.locktype),
       array(select application_name from pg_stat_activity
             where pid = any(behind.pids) order by backend_start)
from pg_stat_activity waiting
join pg_locks lock on lock.pid = waiting.pid and not lock.granted
cross join lateral (select pg_blocking_pids(waiting.pid) as pids) behind
where waiting.datname = current_database()
  and behind.pids <> '{}' and pg_backend_pid() <> all(behind.pids)
order by lock.waitstart, waiting.query_start
"""


class Client:
    """Another program at the database of a sandbox: one session, in which a transaction stays open
    between statements. Named after what it stands for: `Client(production, "report")`.

    Raises PlaybookError where the sandbox is not on PostgreSQL.
    """

    def __init__(self, place: Sandbox, name: str) -> None:
        self.place, self.name = place, name
        self._connection = _connect(place, name)

    def rows(self, sql: str) -> Rows:
        """Run one statement, show it, and return its rows."""
        columns, rows = self._ask(sql)
        show(Query.of(_where(self.place, self.name), sql, columns, rows))
        return Rows(rows)

    def start(self, sql: str) -> Future[Any]:
        """Send a statement that has to wait for others, and go on. `.result()` of what comes back
        waits for its answer."""
        show(Query(_where(self.place, self.name), sql, (), ()))
        return _in_background(lambda: Rows(self._ask(sql)[1]))

    def close(self) -> None:
        """End the session, and with it what it holds."""
        self._connection.close()

    def _ask(self, sql: str) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        cursor = self._connection.execute(sql.encode())
        if cursor.description is None:
            return (), []
        return tuple(column.name for column in cursor.description), cursor.fetchall()


class Background:
    """A command of a sandbox that goes on while the playbook does something else."""

    def __init__(self, place: Sandbox, line: str) -> None:
        self._answer = _in_background(lambda: place.carry_out(line))

    def end(self, *, fails: str | None = None) -> Output:
        """Wait until it has ended, show it, and hold it to what `Sandbox.run` means by `fails`."""
        done = self._answer.result(DEADLINE)
        show(done)
        return held(done, fails)


def who_waits(place: Sandbox, number: int) -> list[tuple[str, str]]:
    """Wait until so many sessions wait for a lock; show for each what it wants, of which table, and
    who is before it; return pairs of who waits and for whom. Raises PlaybookError in the end."""
    end = time.monotonic() + DEADLINE
    with _connect(place, "look", pgbouncer.past(place.url)) as connection:
        while True:
            found = connection.execute(_WAITING.encode()).fetchall()
            if len(found) == number or time.monotonic() > end:
                break
            time.sleep(_LOOK)
    rows = tuple(
        (f"`{name}`", f"`{_spelled(mode)}`", f"`{what}`", ", ".join(f"`{it}`" for it in before))
        for name, mode, what, before in found
    )
    if len(found) != number:
        raise PlaybookError(f"who_waits({place!r}, {number})", f"{number} wait", str(rows))
    columns = ("who waits", "wants", "on", "is behind")
    show(Table(f"Who waits on {place.name}", columns, rows))
    return [(name, other) for name, _, _, before in found for other in before]


def _in_background(act: Callable[[], Any]) -> Future[Any]:
    """Do it in a thread that does not keep the process alive: a playbook that fails while something
    waits must end all the same."""
    answer: Future[Any] = Future()

    def work() -> None:
        try:
            answer.set_result(act())
        except BaseException as error:
            answer.set_exception(error)

    Thread(target=work, daemon=True).start()
    return answer


def _connect(place: Sandbox, name: str, url: str = "") -> Any:
    import psycopg

    if place.database not in ("PostgreSQL", "PgBouncer"):
        wanted = "a database of PostgreSQL"
        raise PlaybookError(f"a client of {place!r}", wanted, place.database)
    return psycopg.connect(url or place.url, autocommit=True, application_name=name)


def _where(place: Sandbox, name: str) -> str:
    return f"{place.name}, {name}"


def _spelled(mode: str) -> str:
    """`AccessExclusiveLock` as PostgreSQL's manual spells it: `ACCESS EXCLUSIVE`."""
    words = "".join(f" {it}" if it.isupper() else it for it in mode.removesuffix("Lock"))
    return words.strip().upper()
