"""`playbooks run` on playbooks made to measure: what it writes, refuses, says and leaves behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Make, run_them
from playbook_kit import results
from playbook_kit.build import Options, build
from playbook_kit.execution import Failure
from playbook_kit.results import Result
from playbook_kit.source import Playbook

SETUP = '# %% tags=["setup"]\n'


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results of these playbooks are nobody else's."""
    monkeypatch.setattr(results, "CACHE", tmp_path / "cache")


def failure_of(playbook: Playbook) -> Failure:
    (outcome,) = run_them([playbook])
    assert isinstance(outcome, Failure)
    return outcome


def line_of(playbook: Playbook, text: str) -> int:
    lines = playbook.path.read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def test_a_good_playbook_passes(make: Make) -> None:
    (outcome,) = run_them([make("passes")])
    assert isinstance(outcome, Result), str(outcome)


def test_the_wrong_error_names_file_line_command_expectation_output_and_rerun(make: Make) -> None:
    playbook = make("wrong_error", {'fails="Cannot find a migration"': 'fails="Conflicting"'})
    failure = failure_of(playbook)
    assert failure.where == f"{playbook.path}:{line_of(playbook, 'sqlmigrate library 0006')}"
    told = str(failure)
    assert "laptop $ python manage.py sqlmigrate library 0006" in told
    assert "expected: it fails and prints 'Conflicting'" in told
    assert "got: exit code 1" in told
    assert "Cannot find a migration matching '0006'" in told
    assert "again: .venv/bin/playbooks run wrong_error" in told


def test_a_command_that_should_fail_and_does_not_is_a_failure(make: Make) -> None:
    playbook = make("succeeds", {"sqlmigrate library 0006": "sqlmigrate library 0005"})
    assert "got: exit code 0" in failure_of(playbook).message


def test_a_command_that_fails_without_leave_is_a_failure(make: Make) -> None:
    playbook = make("fails", {', fails="Cannot find a migration"': ""})
    assert "expected: it succeeds" in failure_of(playbook).message


def test_an_assert_that_is_not_true_says_its_sentence(make: Make) -> None:
    playbook = make("untrue", {'["0006_find_books_by_title"], "the': '["0007"], "the'})
    failure = failure_of(playbook)
    assert failure.message == "not true: the file is back"
    assert failure.where == f"{playbook.path}:{line_of(playbook, 'assert')}"


def test_an_unknown_tag_names_the_line_and_the_tags_there_are(make: Make) -> None:
    playbook = make("unknown_tag", {SETUP: '# %% tags=["prepare"]\n'})
    failure = failure_of(playbook)
    assert failure.where == f"{playbook.path}:{line_of(playbook, 'prepare')}"
    assert "unknown tag 'prepare'; the tags are ['setup', 'before'" in failure.message


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("# undo: delete the file again\n", "", "the key 'undo' is missing"),
        ("# undo:", "# colour: red\n# undo:", "unknown key 'colour'"),
        ("# broken: [models-files, ", "# broken: [roof, ", "'roof' is none of"),
        ("# undo:", "# answer: one\n# undo:", "the keys are title, answer, databases, group"),
        ("# applied: here only", "# applied: perhaps", "applied must start with one of nowhere"),
        ("# group: conflicts", "# group: reset", "group 'reset' must be its folder"),
        ("# safe_in: development only", "# safe_in: maybe", "safe_in must start with one of"),
        ("# data: untouched", "# data: [", "the header is not YAML"),
        ("# cause:", "#   - a\n#   - b\n#   - c\n# cause:", "4 symptoms push the fix off"),
        ("# title: A file is gone", f"# title: {'long ' * 13}", "60 are allowed"),
    ],
)
def test_a_bad_header_says_which_key_and_why(make: Make, old: str, new: str, told: str) -> None:
    assert told in str(failure_of(make("bad_header", {old: new})))


def test_a_command_that_hangs_is_stopped_and_named(make: Make) -> None:
    hang = 'laptop.write("hang.py", "import time; time.sleep(1000)")\n'
    hang += 'laptop.run("python hang.py", seconds=0.5)\n'
    failure = failure_of(make("hangs", {SETUP: SETUP + hang}))
    assert "laptop $ python hang.py" in failure.message
    assert "expected: it ends within 0.5 s" in failure.message


def test_a_symptom_that_no_command_printed_is_a_failure(make: Make) -> None:
    playbook = make("no_symptom", {"matching '0006' from app 'library'.": "matching '0099'."})
    assert "no command printed the symptom" in failure_of(playbook).message


def test_a_healthy_state_before_the_fix_is_a_failure(make: Make) -> None:
    rm = 'laptop.run("rm library/migrations/0006_find_books_by_title.py")\n'
    healthy = {
        f"{SETUP}{rm}": f"{SETUP}1\n",
        'fails="Cannot find a migration")': 'fails="")',
        "library 0006": "library 0009",
        "matching '0006'": "matching '0009'",
    }
    assert "before the fix these links are broken: none" in failure_of(make("ok", healthy)).message


def test_a_broken_state_after_the_fix_is_a_failure(make: Make) -> None:
    changes = {
        '"git restore library"': '"git status --short"',
        "assert laptop": "assert not 0, laptop",
    }
    changes[' == ["0006_find_books_by_title"], "the file is back"'] = ""
    playbook = make("unfixed", changes)
    assert "after the fix the chain is not whole" in failure_of(playbook).message


def test_an_exception_of_the_playbook_itself_is_shown_with_its_line(make: Make) -> None:
    playbook = make("wrong", {SETUP: f"{SETUP}laptop.replace('library/models.py', 'no', 'yes')\n"})
    failure = failure_of(playbook)
    assert "laptop: replace in library/models.py" in failure.message
    assert failure.where == f"{playbook.path}:{line_of(playbook, 'laptop.replace')}"


def test_it_writes_page_source_notebook_and_record(make: Make, tmp_path: Path) -> None:
    playbook = make("passes")
    report = tmp_path / "report.json"
    assert build(tmp_path, [playbook], Options(report=report), complete=True) == 0
    pages = tmp_path / "docs" / "playbooks"
    assert (pages / "conflicts" / "passes.md").read_text().startswith("---\ntitle: ")
    assert (pages / "conflicts" / "passes.py").read_text() == playbook.path.read_text()
    assert json.loads((pages / "conflicts" / "passes.ipynb").read_text())["nbformat"] == 4
    assert list(json.loads((pages / "recorded.json").read_text())) == ["passes"]
    (told,) = json.loads(report.read_text())["playbooks"]
    assert told["result"] == "passed"
    assert [command["code"] for command in told["commands"]] == [0, 1, 0]


def test_what_has_not_changed_is_not_run_again(
    make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    playbook, other = make("passes"), make("other")
    assert build(tmp_path, [playbook, other], Options(), complete=True) == 0
    capsys.readouterr()
    assert build(tmp_path, [playbook, other], Options(), complete=True) == 0
    assert "0 passed, 0 failed, 2 unchanged" in capsys.readouterr().out
    playbook.path.write_text(playbook.path.read_text().replace("Nothing is lost.", "All is there."))
    assert build(tmp_path, [playbook, other], Options(), complete=True) == 0
    assert "1 passed, 0 failed, 1 unchanged" in capsys.readouterr().out


def test_check_writes_nothing_and_shows_the_difference(
    make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    playbook = make("passes")
    assert build(tmp_path, [playbook], Options(check=True), complete=True) == 1
    assert not (tmp_path / "docs").exists()
    build(tmp_path, [playbook], Options(), complete=True)
    assert build(tmp_path, [playbook], Options(check=True), complete=True) == 0
    page = tmp_path / "docs" / "playbooks" / "conflicts" / "passes.md"
    page.write_text(page.read_text().replace("Somebody deletes a file.", "Nobody does."))
    capsys.readouterr()
    assert build(tmp_path, [playbook], Options(check=True), complete=True) == 1
    said = capsys.readouterr().err
    assert "-Nobody does.\n+Somebody deletes a file." in said
    assert "Nobody" in page.read_text()


def test_under_other_versions_a_difference_is_a_notice_with_its_reason(
    make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    playbook = make("passes")
    build(tmp_path, [playbook], Options(), complete=True)
    pages = tmp_path / "docs" / "playbooks"
    record = json.loads((pages / "recorded.json").read_text())
    record["passes"]["sqlite"] = "3.31.0"
    (pages / "recorded.json").write_text(json.dumps(record))
    (pages / "conflicts" / "passes.md").write_text("what another SQLite gave\n")
    assert build(tmp_path, [playbook], Options(check=True), complete=True) == 0
    said = capsys.readouterr().out
    assert "notice: docs/playbooks/conflicts/passes.md differs: sqlite 3.31.0 recorded" in said


def test_a_page_of_no_playbook_fails_the_check_and_is_removed_by_a_run(
    make: Make, tmp_path: Path
) -> None:
    playbook = make("passes")
    build(tmp_path, [playbook], Options(), complete=True)
    stray = tmp_path / "docs" / "playbooks" / "conflicts" / "gone.md"
    stray.write_text("an old page\n")
    assert build(tmp_path, [playbook], Options(check=True), complete=True) == 1
    assert build(tmp_path, [playbook], Options(), complete=True) == 0
    assert not stray.exists()


def test_a_random_number_on_a_page_does_not_survive_the_check(make: Make, tmp_path: Path) -> None:
    dice = 'laptop.write("dice.py", "import random; print(random.random())")\n'
    playbook = make("dice", {SETUP: f'{SETUP}{dice}laptop.run("python dice.py")\n'})
    assert build(tmp_path, [playbook], Options(), complete=True) == 0
    assert build(tmp_path, [playbook], Options(check=True, fresh=True), complete=True) == 1


def test_a_failing_playbook_leaves_the_pages_of_the_others(
    make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = make("passes"), make("untrue", {'["0006_find_books_by_title"], ': '["7"], '})
    assert build(tmp_path, [good, bad], Options(), complete=True) == 1
    assert "FAILED untrue" in capsys.readouterr().err
    assert (tmp_path / "docs" / "playbooks" / "conflicts" / "passes.md").exists()
