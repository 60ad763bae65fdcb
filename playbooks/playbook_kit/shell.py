"""The command lines of a playbook: `&&`, `|`, `>` and the few file commands that pages use.

Written here rather than handed to `/bin/sh` because the messages of `rm` or `ls` differ between
systems, Windows has neither, and a page must come out the same everywhere.
"""

from __future__ import annotations

import fnmatch
import re
import shlex
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

# argv, standard input, file for standard output → exit code, what the terminal shows
Call = Callable[[list[str], str, IO[bytes] | None], tuple[int, str]]
Builtin = Callable[[list[str], str, Path], tuple[int, str]]


def run_line(line: str, cwd: Path, call: Call) -> tuple[int, str]:
    """Run one literal command line in `cwd`; programs that are not file commands go to `call`.

    Raises ValueError for a shell form that is not among the few, so that none is taken for text.
    """
    code, shown = 0, ""
    for pipeline in _split(_tokens(line), "&&"):
        code, more = _run_pipeline(_split(pipeline, "|"), cwd, call)
        shown += more
        if code:
            break
    return code, shown


def _tokens(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    tokens = list(lexer)
    for token in tokens:
        if set(token) <= set("|&;<>") and token not in {"&&", "|", ">"}:
            raise ValueError(f"the kit's shell has no {token!r}: {line}")
    return tokens


def _split(tokens: list[str], separator: str) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for token in tokens:
        if token == separator:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _run_pipeline(stages: list[list[str]], cwd: Path, call: Call) -> tuple[int, str]:
    code, stdin, shown = 0, "", ""
    for number, stage in enumerate(stages):
        last = number == len(stages) - 1
        target = None
        if ">" in stage:
            at = stage.index(">")
            stage, target = stage[:at], cwd / stage[at + 1]
        if target is None and last:
            code, more = _run_one(stage, stdin, cwd, call, None)
            return code, shown + more
        with target.open("w+b") if target else tempfile.TemporaryFile() as file:
            code, more = _run_one(stage, stdin, cwd, call, file)
            if not last:
                file.seek(0)
                stdin = file.read().decode()
        shown += more
    return code, shown


def _run_one(
    argv: list[str], stdin: str, cwd: Path, call: Call, file: IO[bytes] | None
) -> tuple[int, str]:
    builtin = _BUILTINS.get(argv[0])
    if argv[0] == "xargs":
        return _run_one([*argv[1:], *stdin.split()], "", cwd, call, file)
    if builtin is None:
        return call(argv, stdin, file)
    code, text = builtin(argv[1:], stdin, cwd)
    if file is not None and code == 0:
        file.write(text.encode())
        text = ""
    return code, text


def _paths(words: list[str], cwd: Path) -> list[tuple[str, Path]]:
    found: list[tuple[str, Path]] = []
    for word in words:
        matches = sorted(cwd.glob(word)) if re.search(r"[*?\[]", word) else []
        found += [(match.relative_to(cwd).as_posix(), match) for match in matches] or [
            (word, cwd / word)
        ]
    return found


def _cat(args: list[str], stdin: str, cwd: Path) -> tuple[int, str]:
    text = "" if args else stdin
    for word, path in _paths(args, cwd):
        if not path.is_file():
            return 1, f"cat: {word}: No such file or directory\n"
        text += path.read_text()
    return 0, text


def _ls(args: list[str], _stdin: str, cwd: Path) -> tuple[int, str]:
    names: list[str] = []
    for word, path in _paths(args or ["."], cwd):
        if not path.exists():
            return 2, f"ls: cannot access '{word}': No such file or directory\n"
        inside = path.iterdir() if path.is_dir() else []
        hidden = (".", "__pycache__")
        names += sorted(p.name for p in inside if not p.name.startswith(hidden)) or [word]
    return 0, "".join(f"{name}\n" for name in names)


def _rm(args: list[str], _stdin: str, cwd: Path) -> tuple[int, str]:
    options = "".join(word[1:] for word in args if word.startswith("-"))
    for word, path in _paths([word for word in args if not word.startswith("-")], cwd):
        if path.is_dir() and "r" in options:
            shutil.rmtree(path)
        elif path.is_file():
            path.unlink()
        elif "f" not in options:
            return 1, f"rm: cannot remove '{word}': No such file or directory\n"
    return 0, ""


def _mv(args: list[str], _stdin: str, cwd: Path) -> tuple[int, str]:
    return _move_or_copy("mv", args, cwd, shutil.move)


def _cp(args: list[str], _stdin: str, cwd: Path) -> tuple[int, str]:
    return _move_or_copy("cp", args, cwd, shutil.copy2)


def _move_or_copy(
    name: str, args: list[str], cwd: Path, act: Callable[[Path, Path], object]
) -> tuple[int, str]:
    source, target = args
    if not (cwd / source).exists():
        return 1, f"{name}: cannot stat '{source}': No such file or directory\n"
    act(cwd / source, cwd / target)
    return 0, ""


def _find(args: list[str], _stdin: str, cwd: Path) -> tuple[int, str]:
    where, option, pattern = args
    if option != "-name":
        raise ValueError(f"the kit's find knows -name only, not {option}")
    found = sorted(path for path in (cwd / where).rglob("*") if "__pycache__" not in path.parts)
    names = [
        path.relative_to(cwd).as_posix() for path in found if fnmatch.fnmatch(path.name, pattern)
    ]
    return 0, "".join(f"{name}\n" for name in names)


def _grep(args: list[str], stdin: str, _cwd: Path) -> tuple[int, str]:
    inverted, pattern = "-v" in args, args[-1]
    kept = [line for line in stdin.splitlines() if bool(re.search(pattern, line)) != inverted]
    return int(not kept), "".join(f"{line}\n" for line in kept)


_BUILTINS: dict[str, Builtin] = {
    "cat": _cat, "ls": _ls, "rm": _rm, "mv": _mv, "cp": _cp, "find": _find, "grep": _grep,
}  # fmt: skip
