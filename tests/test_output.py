"""Output is made fit for a page without touching what it says."""

from __future__ import annotations

from pathlib import Path

from playbook_kit.output import cut_tracebacks, scrub

CHAINED = """\
  Applying library.0004_genre...Traceback (most recent call last):
  File "/somewhere/utils.py", line 103, in _execute
    return self.cursor.execute(sql)
           ^^^^^^^^^^^^^^^^^^^^^^^^
sqlite3.OperationalError: table "library_genre" already exists

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/somewhere/manage.py", line 21, in <module>
    main()

django.db.utils.OperationalError: table "library_genre" already exists
and a second line
"""


def test_of_a_chained_traceback_the_last_message_stays() -> None:
    assert cut_tracebacks(CHAINED) == (
        "  Applying library.0004_genre...Traceback (most recent call last):\n"
        "  …\n"
        'django.db.utils.OperationalError: table "library_genre" already exists\n'
        "and a second line\n"
    )


def test_what_holds_no_traceback_stays_as_it_is() -> None:
    text = "Operations to perform:\n  Apply all migrations: library\n\nDone\n"
    assert cut_tracebacks(text) == text
    assert cut_tracebacks("") == ""


def test_the_temporary_path_becomes_a_tilde(tmp_path: Path) -> None:
    assert scrub(f"Created {tmp_path}/laptop/x.py\r\n", tmp_path) == "Created ~/laptop/x.py\n"
