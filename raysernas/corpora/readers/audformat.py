"""A corpus in audformat: a folder with `db.yaml` and the tables that it names, `db.<table>.csv` or
`db.<table>.parquet`.

In: the folder. Out: the rows of a manifest: file, emotion, speaker, and start, end, split, gender where the
corpus has them. Labels come from the tables with a column `emotion`. Several such tables are the parts of an
official split, or rival labels: then one kind is chosen, with a note. Other columns (who speaks) are looked
up in the other tables. A table that exists only as a pickle is not read.
Source: the specification of audformat, https://audeering.github.io/audformat.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from raysernas.config.fault import Fault
from raysernas.corpora import tree
from raysernas.corpora.corpus import Label
from raysernas.corpora.readers import table
from raysernas.corpora.readers.table import Table, TableRow

HEADER = "db.yaml"
# words in the names of tables; the usual kind comes first
KINDS: dict[Label, str] = {"perceived": "gold_standard", "intended": "desired"}
LOOKED_UP = ("speaker", "gender", "session", "scenario")
SPLIT_WORDS = ("train", "dev", "development", "valid", "validation", "test", "test1", "test2", "test3")


@dataclass(frozen=True, slots=True)
class Database:
    """The header of a folder and its existing tables, by their names in the header."""

    folder: Path
    header: Mapping[str, Any]
    tables: Mapping[str, Table]


def read(folder: Path, label: Label) -> tuple[tuple[TableRow, ...], tuple[str, ...]]:
    """The labelled rows of all tables of one kind, completed from the others, and notes.

    Raises:
        Fault: for a header or table that cannot be read, and when no table has emotions or speakers.
    """
    database = _open(folder)
    chosen, notes = _chosen(database, label)
    known = _LookUp(database)
    missing = [name for name in chosen if "speaker" not in database.tables[name].columns]
    if missing and not known.has("speaker"):
        raise _lacks(database, "speaker", missing)
    rows: list[TableRow] = []
    listed: set[tuple[str, str, str]] = set()
    splits = {name: _split(database, name) for name in chosen}
    # tables of a split first: one without it repeats their rows
    for name in sorted(chosen, key=lambda name: not splits[name]):
        found = [row for row in database.tables[name].rows if splits[name] or _place(row) not in listed]
        listed |= {_place(row) for row in found}
        rows += [TableRow(row.subject, {"split": splits[name]} | known.completed(row)) for row in found]
    return tuple(rows), notes


def _open(folder: Path) -> Database:
    path = folder / HEADER
    try:
        header = yaml.safe_load(path.read_bytes())
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise table.fault(
            path,
            "cannot be read",
            got=reason,
            expected="the header of a corpus in audformat",
            fix="correct it",
        ) from error
    if not _section(header, "tables"):
        raise table.fault(
            path,
            "names no tables",
            got=", ".join(map(str, header)) if isinstance(header, dict) else "no mapping",
            expected="tables, as audformat writes them",
            fix="name the table itself: set corpus.root=PATH/TO/TABLE.csv",
        )
    names = [str(name) for section in ("tables", "misc_tables") for name in _section(header, section)]
    paths = {
        name: tree.first(folder, (f"db.{name}.csv", f"db.{name}.parquet"), Path.is_file) for name in names
    }
    for name, described in _section(header, "tables").items():
        if paths[str(name)] is None and "emotion" in _section(described, "columns"):
            raise table.fault(
                path,
                f"names the table {name!r}, which is not there",
                got=f"neither db.{name}.csv nor db.{name}.parquet",
                expected="one of them",
                fix="save the table as CSV or Parquet (pickles are not read)",
            )
    return Database(folder, header, {name: table.read(path) for name, path in paths.items() if path})


def _chosen(database: Database, label: Label) -> tuple[list[str], tuple[str, ...]]:
    """The tables of one kind of label."""
    labelled = [name for name, found in database.tables.items() if {"file", "emotion"} <= {*found.columns}]
    if not labelled:
        raise _lacks(database, "emotion", list(database.tables))
    kinds: dict[Label, list[str]] = {
        kind: [name for name in labelled if word in name] for kind, word in KINDS.items()
    }
    offered: list[Label] = []
    offered.extend(kind for kind, names in kinds.items() if names)
    labelled_so = (
        kinds[tree.which_label("this manifest", label, *offered)] if offered or label != "usual" else labelled
    )
    for name in labelled_so:
        table.need(database.tables[name], ("file", "emotion"))
    others = [name for name in labelled if name not in labelled_so]
    notes = (f"Labels are those of {', '.join(labelled_so)}, not of {', '.join(others)}.",) if others else ()
    return labelled_so, notes


def _split(database: Database, name: str) -> str:
    """The official part of a table: from the header, or from a word of its name."""
    named = str(_section(_section(database.header, "tables"), name).get("split_id") or "")
    kind = _section(_section(database.header, "splits"), named).get("type")
    words = [
        word for word in (str(kind or ""), named, *re.split(r"[._-]", name)) if word.lower() in SPLIT_WORDS
    ]
    return words[0] if words else ""


class _LookUp:
    """What other tables and the scheme of speakers say about a stretch, a file or a speaker."""

    def __init__(self, database: Database) -> None:
        self._values: dict[str, dict[tuple[str, str, str], str]] = {column: {} for column in LOOKED_UP}
        for found in database.tables.values():
            for column in LOOKED_UP:
                if column in found.columns and "file" in found.columns:
                    self._values[column] |= {
                        _place(row): row.cells[column] for row in found.rows if row.cells[column].strip()
                    }
        self._genders = _genders(database)

    def has(self, column: str) -> bool:
        """Whether a column was found anywhere."""
        return bool(self._values[column])

    def completed(self, row: TableRow) -> dict[str, str]:
        """The cells of a row, completed."""
        cells = dict(row.cells)
        for column, values in self._values.items():
            if not cells.get(column, "").strip():
                cells[column] = values.get(_place(row)) or values.get((row.cells["file"], "", "")) or ""
        if cells["gender"].strip() in ("", "other"):  # the third of audformat's own genders
            cells["gender"] = self._genders.get(cells["speaker"].strip(), "")
        return cells


def _genders(database: Database) -> dict[str, str]:
    """The gender of each speaker from the scheme of speakers: a mapping, or a table that it names."""
    described = _section(database.header, "tables").values()
    columns = [_section(_section(each, "columns"), "speaker") for each in described]
    scheme = next((str(column["scheme_id"]) for column in columns if column.get("scheme_id")), "speaker")
    labels = _section(_section(database.header, "schemes"), scheme).get("labels")
    if isinstance(labels, str) and labels in database.tables and "gender" in database.tables[labels].columns:
        found = database.tables[labels]
        found_genders = {row.cells[found.columns[0]]: row.cells["gender"] for row in found.rows}
    else:
        found_genders = {
            str(speaker): _section(labels, speaker).get("gender")
            for speaker in (labels if isinstance(labels, dict) else ())
        }
    return {
        speaker.strip(): str(gender)
        for speaker, gender in found_genders.items()
        if gender in ("female", "male")
    }


def _place(row: TableRow) -> tuple[str, str, str]:
    """The file, or the stretch of one, that a row is about."""
    return row.cells["file"], row.cells.get("start", ""), row.cells.get("end", "")


def _section(node: Any, name: Any) -> dict[Any, Any]:
    """A mapping inside a mapping; empty if there is none."""
    found = node.get(name) if isinstance(node, dict) else None
    return found if isinstance(found, dict) else {}


def _lacks(database: Database, column: str, names: Sequence[str]) -> Fault:
    """The fault of a folder whose tables lack a column."""
    tables = [database.tables[name] for name in names]
    return table.fault(
        database.folder / HEADER,
        f"names no table with the column {column!r}",
        got="; ".join(f"{found.path.name}: {', '.join(found.columns)}" for found in tables) or "no tables",
        expected="the columns file, emotion and speaker, in one table or joined by file",
        fix=f"add the column {column!r}, or write a manifest with file, emotion, speaker",
    )
