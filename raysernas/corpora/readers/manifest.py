"""The user's own corpus: a table with one row an utterance.

In: a CSV or Parquet file with the columns `file`, `emotion`, `speaker` and, where wanted, `session`, `gender` (female, male),
`split`, `start` and `end` (seconds; an empty end is the end of the file). Files are named relative to the folder of the table.
Other columns are left alone. Out: a corpus; every cell is read as text, so that speaker 03 stays 03.
"""

import math
from pathlib import Path, PurePosixPath
from typing import get_args

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from raysernas.config import Fault
from raysernas.corpora import fingerprint
from raysernas.corpora.corpus import Corpus, Gender, Utterance

REQUIRED = ("file", "emotion", "speaker")
OPTIONAL = ("session", "gender", "split", "start", "end")
DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "bars"}


def read(path: Path, memory: Path | None) -> Corpus:
    """All utterances of a table; `memory` is the folder in which file hashes are remembered.

    Raises:
        Fault: for a table that cannot be read or is incomplete, naming the row, and for files that are missing or empty.
    """
    table = _table(path)
    if missing := [column for column in REQUIRED if column not in table.columns]:
        raise _fault(
            path, f"has no column {missing[0]!r}", got=f"the columns {', '.join(map(str, table.columns))}",
            expected=f"{', '.join(REQUIRED)} (and {', '.join(OPTIONAL)} where wanted)", do="add the column, or mend its name",
        )  # fmt: skip
    if table.empty:
        raise _fault(path, "lists no utterances", got="a header only", expected="one row an utterance", do="add rows")
    cells = table.reindex(columns=[*REQUIRED, *OPTIONAL], fill_value="")
    utterances = [
        _utterance(path, number, dict(zip(cells.columns, row, strict=True)))
        for number, row in enumerate(cells.itertuples(index=False, name=None), start=1)
    ]
    _check_genders(path, utterances)
    return fingerprint.finished("manifest", sorted({u.emotion for u in utterances}), utterances, memory)


def _table(path: Path) -> pd.DataFrame:
    """Every cell as text without outer blanks; an absent cell is empty text."""
    if not path.is_file():
        raise _fault(
            path, "is not a file", got=str(path), expected="a table, *.csv or *.parquet", do="set corpus.root=PATH/TO/TABLE"
        )
    try:
        table = _parquet(path) if path.suffix.lower() == ".parquet" else _csv(path)
    except (ValueError, OSError, pa.ArrowException) as error:  # pandas' errors of parsing are ValueErrors
        if isinstance(error, Fault):
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise _fault(path, "cannot be read", got=reason, expected="CSV (UTF-8, commas) or Parquet", do="mend the table") from error
    table.columns = [str(column).strip() for column in table.columns]
    if repeated := sorted(table.columns[table.columns.duplicated()]):
        raise _fault(path, f"has two columns {repeated[0]!r}", got=", ".join(table.columns), expected="each once", do="remove one")
    table = table.fillna("").apply(lambda column: column.str.strip())
    for name in table.columns.difference(["file"]):  # a file is called what it is called on disk
        table[name] = table[name].str.normalize("NFC")  # a letter with an accent has two spellings; one emotion must not be two
    return table


def _csv(path: Path) -> pd.DataFrame:
    rows = pd.read_csv(path, header=None, dtype=str, keep_default_na=False, encoding="utf-8-sig", skipinitialspace=True)
    header = [str(cell) for cell in rows.iloc[0]]
    for delimiter, name in DELIMITERS.items():
        if len(header) == 1 and delimiter in header[0]:
            raise _fault(path, f"separates its columns by {name}", got=header[0], expected="commas", do="save it with commas")
    return rows.iloc[1:].set_axis(header, axis=1).reset_index(drop=True)


def _parquet(path: Path) -> pd.DataFrame:
    table = pq.ParquetFile(path).read()
    cells = {
        name: table[name].cast(pa.string()).fill_null("").to_pylist() if name in (*REQUIRED, *OPTIONAL) else ""
        for name in table.column_names  # other columns may hold what is no text
    }
    return pd.DataFrame(cells, index=range(table.num_rows), dtype=str)


def _utterance(path: Path, number: int, row: dict[str, str]) -> Utterance:
    for column in REQUIRED:
        if not row[column]:
            raise _fault(
                path, f"row {number}: {column} is empty", got="nothing", expected=f"a value for {', '.join(REQUIRED)}",
                do="fill the cell, or remove the row",
            )  # fmt: skip
    file = PurePosixPath(row["file"])
    if file.is_absolute() or ".." in file.parts or "\0" in row["file"]:
        raise _fault(
            path, f"row {number}: {row['file']} lies outside the table's folder", got=row["file"],
            expected="a path below the folder of the table", do="put table and recordings into one folder",
        )  # fmt: skip
    start_s, end_s = _seconds(path, number, row, "start"), _seconds(path, number, row, "end")
    if end_s and end_s <= start_s:
        raise _fault(path, f"row {number}: end is not after start", got=f"{start_s} to {end_s}", expected="seconds", do="mend it")
    segment = f"#{start_s}-{end_s}" if start_s or end_s else ""
    return Utterance(
        key=f"{file}{segment}", path=str(path.absolute().parent / file), emotion=row["emotion"], speaker=row["speaker"],
        gender=_gender(path, number, row["gender"]), session=row["session"], start_s=start_s, end_s=end_s, split=row["split"],
    )  # fmt: skip


def _seconds(path: Path, number: int, row: dict[str, str], column: str) -> float:
    try:
        seconds = float(row[column] or 0)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds >= 0):
        raise _fault(
            path, f"row {number}: {column} is no time", got=row[column], expected="seconds from the beginning of the file",
            do="mend the cell, or leave it empty",
        )  # fmt: skip
    return seconds


def _gender(path: Path, number: int, text: str) -> Gender:
    for gender in get_args(Gender):
        if (text.lower() or "unknown") == gender:
            return gender
    raise _fault(
        path, f"row {number}: gender {text!r} is not known", got=text, expected=", ".join(get_args(Gender)),
        do="write one of them, or leave the cell empty",
    )  # fmt: skip


def _check_genders(path: Path, utterances: list[Utterance]) -> None:
    first: dict[str, Utterance] = {}
    for utterance in utterances:
        other = first.setdefault(utterance.speaker, utterance)
        if other.gender != utterance.gender:
            raise _fault(
                path, f"speaker {utterance.speaker} has two genders", got=f"{other.gender} and {utterance.gender}",
                expected="one", do=f"mend {other.key} or {utterance.key}",
            )  # fmt: skip


def _fault(path: Path, what: str, *, got: str, expected: str, do: str) -> Fault:
    return Fault("manifest", f"{path.name} {what}", got=got, expected=expected, do=do)
