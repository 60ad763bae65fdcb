"""The few shell forms of a playbook do what a shell does, and no other form is taken for text."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import pytest
from playbook_kit.shell import run_line


def call(argv: list[str], stdin: str, file: IO[bytes] | None) -> tuple[int, str]:
    """Stands for a program: prints its words and its input, fails when told to."""
    text = " ".join(argv) + stdin + "\n"
    if file:
        file.write(text.encode())
        return 0, "said on standard error\n"
    return int("fail" in argv), text


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "migrations").mkdir()
    for name in ("__init__.py", "0001_a.py", "0002_b.py"):
        (tmp_path / "migrations" / name).write_text(f"{name}\n")
    return tmp_path


def run(line: str, place: Path) -> tuple[int, str]:
    return run_line(line, place, call)


def test_words_in_quotes_stay_together(place: Path) -> None:
    assert run("python 'a b' \"c | d\"", place) == (0, "python a b c | d\n")


def test_and_stops_at_the_first_failure(place: Path) -> None:
    assert run("git fail && git never", place) == (1, "git fail\n")
    assert run("git one && git two", place) == (0, "git one\ngit two\n")


def test_output_goes_to_a_file_and_errors_to_the_terminal(place: Path) -> None:
    assert run("python dumpdata > data.json", place) == (0, "said on standard error\n")
    assert (place / "data.json").read_text() == "python dumpdata\n"


def test_a_pipe_hands_on_what_the_first_printed(place: Path) -> None:
    code, text = run("cat migrations/0001_a.py | python read", place)
    assert (code, text) == (0, "python read0001_a.py\n\n")


def test_the_usual_way_to_delete_migrations_leaves_the_package(place: Path) -> None:
    line = 'find migrations -name "*.py" | grep -v "__init__.py" | xargs rm'
    assert run(line, place) == (0, "")
    assert run("ls migrations", place) == (0, "__init__.py\n")


def test_patterns_stand_for_the_files_they_match(place: Path) -> None:
    assert run("rm migrations/000*.py", place) == (0, "")
    assert run("ls migrations/*.py", place) == (0, "migrations/__init__.py\n")


def test_files_are_moved_and_copied(place: Path) -> None:
    assert run("cp migrations/0001_a.py copy.py && mv copy.py moved.py && cat moved.py", place) == (
        0,
        "0001_a.py\n",
    )


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("rm nowhere", 1, "rm: cannot remove 'nowhere': No such file or directory\n"),
        ("rm -f nowhere", 0, ""),
        ("cat nowhere", 1, "cat: nowhere: No such file or directory\n"),
        ("ls nowhere", 2, "ls: cannot access 'nowhere': No such file or directory\n"),
        ("mv nowhere there", 1, "mv: cannot stat 'nowhere': No such file or directory\n"),
    ],
)
def test_a_file_that_is_not_there_is_told_as_a_shell_tells_it(
    place: Path, line: str, code: int, said: str
) -> None:
    assert run(line, place) == (code, said)


@pytest.mark.parametrize("line", ["git a ; git b", "git a || git b", "cat < file", "git a >> b"])
def test_any_other_form_is_refused(place: Path, line: str) -> None:
    with pytest.raises(ValueError, match="the kit's shell has no"):
        run(line, place)
