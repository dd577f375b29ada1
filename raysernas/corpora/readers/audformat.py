"""A corpus in audformat: a folder with `db.yaml` and the tables that it names, `db.<table>.csv` or
`db.<table>.parquet`.

In: the folder. Out: rows as a manifest has them: file, emotion, speaker, and start, end, split, gender where
the corpus knows them. Labels come from the tables with a column `emotion`; several of them are the parts of
an official split, or rivals: then one kind is chosen, and that is noted. What they do not say of a file (who
speaks) is looked up in the other tables. A table that is kept as a pickle only is not read. Source: the
specification of audformat, https://audeering.github.io/audformat.
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
# words in the names of tables, usual one first
KINDS: dict[Label, str] = {"perceived": "gold_standard", "intended": "desired"}
LOOKED_UP = ("speaker", "gender", "session", "scenario")
SPLIT_WORDS = ("train", "dev", "development", "valid", "validation", "test", "test1", "test2", "test3")


@dataclass(frozen=True, slots=True)
class Database:
    """The header of a folder and its tables that are there, by their names in the header."""

    folder: Path
    header: Mapping[str, Any]
    tables: Mapping[str, Table]


def read(folder: Path, label: Label) -> tuple[tuple[TableRow, ...], tuple[str, ...]]:
    """The labelled rows of all tables of one kind, completed from the others, and notes on what was chosen.

    Raises:
        Fault: for a header or table that cannot be read, and where emotions or speakers are in none of the
            tables.
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
            path, "cannot be read", got=reason, expected="the header of a corpus in audformat", fix="mend it"
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
    """The part of the official split that a table is: as the header says, or by a word of its name."""
    named = str(_section(_section(database.header, "tables"), name).get("split_id") or "")
    kind = _section(_section(database.header, "splits"), named).get("type")
    words = [
        word for word in (str(kind or ""), named, *re.split(r"[._-]", name)) if word.lower() in SPLIT_WORDS
    ]
    return words[0] if words else ""


class _LookUp:
    """What other tables, and the labels of the scheme of speakers, say of a stretch, a file or a speaker."""

    def __init__(self, database: Database) -> None:
        self._told: dict[str, dict[tuple[str, str, str], str]] = {column: {} for column in LOOKED_UP}
        for found in database.tables.values():
            for column in LOOKED_UP:
                if column in found.columns and "file" in found.columns:
                    self._told[column] |= {
                        _place(row): row.cells[column] for row in found.rows if row.cells[column].strip()
                    }
        self._genders = _genders(database)

    def has(self, column: str) -> bool:
        """Whether a column was found anywhere."""
        return bool(self._told[column])

    def completed(self, row: TableRow) -> dict[str, str]:
        """The cells of a row, with what else is known of it."""
        cells = dict(row.cells)
        for column, told in self._told.items():
            if not cells.get(column, "").strip():
                cells[column] = told.get(_place(row)) or told.get((row.cells["file"], "", "")) or ""
        if cells["gender"].strip() in ("", "other"):  # the third of audformat's own genders
            cells["gender"] = self._genders.get(cells["speaker"].strip(), "")
        return cells


def _genders(database: Database) -> dict[str, str]:
    """The gender of each speaker by the scheme of speakers: a mapping, or a table that it names."""
    described = _section(database.header, "tables").values()
    columns = [_section(_section(each, "columns"), "speaker") for each in described]
    scheme = next((str(column["scheme_id"]) for column in columns if column.get("scheme_id")), "speaker")
    labels = _section(_section(database.header, "schemes"), scheme).get("labels")
    if isinstance(labels, str) and labels in database.tables and "gender" in database.tables[labels].columns:
        found = database.tables[labels]
        told = {row.cells[found.columns[0]]: row.cells["gender"] for row in found.rows}
    else:
        told = {
            str(speaker): _section(labels, speaker).get("gender")
            for speaker in (labels if isinstance(labels, dict) else ())
        }
    return {speaker.strip(): str(gender) for speaker, gender in told.items() if gender in ("female", "male")}


def _place(row: TableRow) -> tuple[str, str, str]:
    """What a row is about: a file, or a stretch of one."""
    return row.cells["file"], row.cells.get("start", ""), row.cells.get("end", "")


def _section(node: Any, name: Any) -> dict[Any, Any]:
    """A mapping in a mapping; what is no mapping, or not there, is an empty one."""
    found = node.get(name) if isinstance(node, dict) else None
    return found if isinstance(found, dict) else {}


def _lacks(database: Database, column: str, names: Sequence[str]) -> Fault:
    """The fault of a folder whose tables do not say what is needed; it names the files and their columns."""
    tables = [database.tables[name] for name in names]
    return table.fault(
        database.folder / HEADER,
        f"names no table with the column {column!r}",
        got="; ".join(f"{found.path.name}: {', '.join(found.columns)}" for found in tables) or "no tables",
        expected="the columns file, emotion and speaker, in one table or joined by file",
        fix=f"add the column {column!r}, or write a manifest with file, emotion, speaker",
    )
