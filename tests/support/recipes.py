"""The how-to-add page: its sections are read, applied to a copy of the packages and run there."""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parents[2]
HEADING = re.compile(r"^#+ +How to add an? (?P<what>.+?) *$")
BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
PLACE = re.compile(r"^# (?P<file>[\w./-]+)(, in (?P<name>\w+))?$")
LIMIT_S = 300


@dataclass(frozen=True)
class Edit:
    """One code block. Without a name it is a new file, with one it is lines for that dict literal."""

    file: str
    name: str | None
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Recipe:
    """One section: its edits, the command to try them with and what the record then holds."""

    what: str
    edits: tuple[Edit, ...]
    command: str
    columns: dict[str, str | None]


def recipes(page: str) -> Iterator[Recipe]:
    """The sections `How to add ...` of a page in Markdown."""
    what, lines, in_block = "", list[str](), False
    for line in [*page.splitlines(), "# end"]:
        in_block ^= line.startswith("```")
        if line.startswith("#") and not in_block:
            if what:
                yield _recipe(what, "\n".join(lines).strip())
            found = HEADING.match(line)
            what, lines = (found["what"] if found else ""), []
        else:
            lines.append(line)


def _recipe(what: str, section: str) -> Recipe:
    blocks = [(found["language"], found["text"]) for found in BLOCK.finditer(section)]
    commands = [text for language, text in blocks if language == "sh"]
    assert len(commands) == 1, f"{what}: one sh block expected, {len(commands)} found"
    edits = tuple(_edit(what, text) for language, text in blocks if language == "python")
    spans = re.findall(r"`([^`]+)`", section.splitlines()[-1])
    assert spans, f"{what}: the last line names no column of the record"
    pairs = [span.partition(" = ") for span in spans]
    columns = {name: value if equals else None for name, equals, value in pairs}
    return Recipe(what, edits, commands[0], columns)


def _edit(what: str, text: str) -> Edit:
    first, *lines = text.splitlines()
    place = PLACE.match(first)
    assert place, f"{what}: the first line of a python block names its file, not {first!r}"
    return Edit(place["file"], place["name"], tuple(lines))


def copied(folder: Path) -> Path:
    """A copy of all that runs, to be changed."""
    for name in ("raysernas", "analysis", "configs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def apply(edit: Edit, root: Path) -> None:
    """Carry out one edit in the copy of the packages in `root`."""
    path = root / edit.file
    if edit.name is None:
        assert not path.exists(), f"{edit.file} exists: say in which name its lines belong"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join([*edit.lines, ""]), encoding="utf-8")
        return
    text = path.read_text(encoding="utf-8")
    imports = [line for line in edit.lines if line.startswith(("import ", "from "))]
    text = _inserted(text, edit.name, [line for line in edit.lines if line not in imports])
    path.write_text(_with_imports(text, imports), encoding="utf-8")


def _inserted(text: str, name: str, lines: list[str]) -> str:
    """The text with these lines as the first entries of the literal that the name stands for."""
    raw = text.encode()
    starts = [0, *(found.end() for found in re.finditer(rb"\n", raw))]
    for node in ast.parse(text).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            literal = _literal(node.value) if isinstance(node, ast.Assign | ast.AnnAssign) else None
            assert literal is not None, f"{name} is no literal with entries"
            at = raw.index(_opening(literal), starts[literal.lineno - 1] + literal.col_offset) + 1
            return (raw[:at] + "\n".join(["", *lines, ""]).encode() + raw[at:]).decode()
    raise AssertionError(f"nothing is assigned to {name} at the top level")


def _literal(value: ast.expr | None) -> ast.expr | None:
    """`{...}`, `(...)` and `[...]`, also as the argument of a call; `Literal[...]`."""
    if isinstance(value, ast.Call):
        return _literal(value.args[0] if value.args else None)
    return value if isinstance(value, ast.Dict | ast.Set | ast.Tuple | ast.List | ast.Subscript) else None


def _opening(literal: ast.expr) -> bytes:
    return (
        b"{" if isinstance(literal, ast.Dict | ast.Set) else b"(" if isinstance(literal, ast.Tuple) else b"["
    )


def _with_imports(text: str, imports: list[str]) -> str:
    """Imports go before the first one of the file, or behind its docstring."""
    tree, lines = ast.parse(text), text.splitlines()
    first = next(
        (node.lineno - 1 for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)), None
    )
    behind = (tree.body[0].end_lineno or 0) if ast.get_docstring(tree) else 0
    at = behind if first is None else first
    return "\n".join([*lines[:at], *imports, *lines[at:], ""])


def run(recipe: Recipe, root: Path, folder: Path) -> pd.DataFrame:
    """The record that the command of a section leaves in `folder`, with the packages of `root`."""
    folder.mkdir()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", recipe.command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(root), "PATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert ended.returncode == 0, f"exit code {ended.returncode}\n{ended.stdout}{ended.stderr}"
    records = sorted(folder.rglob("trials/*.parquet"))
    assert len(records) == 1, f"one record expected: {records}"
    return pd.read_parquet(records[0])


def carry_out(recipe: Recipe, folder: Path) -> None:
    """Apply a section to a copy, run its command and compare the record with the section's last line."""
    root = copied(folder / "copy")
    for edit in recipe.edits:
        apply(edit, root)
    record = run(recipe, root, folder / "run").iloc[0]
    for name, value in recipe.columns.items():
        assert name in record.index, f"the record has no column {name}"
        assert not pd.isna(record[name]), f"{name} is empty"
        assert value is None or str(record[name]) == value, f"{name} is {record[name]}"
