"""Tables of labels, CSV or Parquet, with every cell as text, so that speaker 03 stays 03.

In: the path of a table. Out: its columns and rows; each row has a name for remarks. Mistakes of the whole
table are refused here (not decodable, other separators, a column twice). Readers know what a cell means.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from raysernas.config.fault import Fault

SUFFIXES = (".csv", ".tsv", ".parquet")  # of tables; one with tabs is then refused with an explanation
DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "bars"}
MARKED = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"PK\x03\x04": "a workbook, such as Excel writes"}
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row; an absent cell is an empty text."""

    subject: str  # "labels.csv row 7", not counting the header
    cells: dict[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """One table; its columns are in the order of the file."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]


def read(path: Path) -> Table:
    """All cells of a table, with outer blanks.

    Raises:
        Fault: for a file that does not exist, is no table, or has a column twice.
    """
    if not path.is_file():
        raise fault(
            path,
            "is not a file",
            got=str(path),
            expected="a table, *.csv or *.parquet",
            fix="set corpus.root=PATH/TO/TABLE",
        )
    try:
        if path.suffix.lower() != ".parquet":
            _check_text(path)
        columns, cells = _parquet(path) if path.suffix.lower() == ".parquet" else _csv(path)
    except (ValueError, OSError, pa.ArrowException) as error:  # pandas' errors of parsing are ValueErrors
        if isinstance(error, Fault):
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise fault(
            path,
            "cannot be read",
            got=reason,
            expected="CSV (UTF-8, commas) or Parquet",
            fix="correct the table",
        ) from error
    rows = (
        TableRow(f"{path.name} row {number}", dict(zip(columns, row, strict=True)))
        for number, row in enumerate(cells, start=1)
    )
    return Table(path, tuple(columns), tuple(rows))


def need(table: Table, columns: Sequence[str], also: Sequence[str] = ()) -> None:
    """Refuse a table without some columns, or without rows.

    Args:
        also: optional columns, for the text of the fault.

    Raises:
        Fault: with the missing columns.
    """
    if missing := [column for column in columns if column not in table.columns]:
        wanted = f" (and {', '.join(also)} where wanted)" if also else ""
        raise fault(
            table.path,
            f"has no column {', '.join(map(repr, missing))}",
            got=f"the columns {', '.join(table.columns)}",
            expected=f"{', '.join(columns)}{wanted}",
            fix=f"add the column{'s' * (len(missing) > 1)}, or correct the name",
        )
    if not table.rows:
        raise fault(
            table.path,
            "lists no utterances",
            got="a header only",
            expected="one row an utterance",
            fix="add rows",
        )


def fault(path: Path, what: str, *, got: str, expected: str, fix: str) -> Fault:
    """The fault of a table, or of a folder without one."""
    return Fault("manifest", f"{path.name} {what}", got=got, expected=expected, fix=fix)


def _check_text(path: Path) -> None:
    """Refuse a table in another encoding than UTF-8, which Excel and older programs write."""
    data = path.read_bytes()
    encoding = next((name for start, name in MARKED.items() if data.startswith(start)), "")
    if not encoding and data.count(0) > len(data) // 4:
        encoding = "UTF-16"
    if not encoding:
        try:
            data.decode()
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            encoding = f"another encoding (line {line} has the byte 0x{data[error.start]:02x})"
    if encoding:
        raise fault(
            path,
            "is not written in UTF-8",
            got=encoding,
            expected="CSV (UTF-8, commas) or Parquet",
            fix="save it as CSV UTF-8",
        )


def _csv(path: Path) -> tuple[list[str], list[list[str]]]:
    header = _texts(path, 1)[0]
    for delimiter, name in DELIMITERS.items():
        if len(header) == 1 and delimiter in header[0]:
            raise fault(
                path,
                f"separates its columns by {name}",
                got=header[0],
                expected="commas",
                fix="save it with commas",
            )
    return _header(path, header), _texts(path, None)[1:]


def _texts(path: Path, count: int | None) -> list[list[str]]:
    """The first rows of a CSV file, header included; None = all."""
    rows = pd.read_csv(
        path,
        header=None,
        dtype=str,
        keep_default_na=False,
        encoding="utf-8-sig",
        skipinitialspace=True,
        nrows=count,
    )
    return rows.fillna("").to_numpy(dtype=object).tolist()


def _parquet(path: Path) -> tuple[list[str], list[tuple[str, ...]]]:
    table = pq.ParquetFile(path).read()
    columns = [_column(table.column(place)) for place in range(table.num_columns)]
    return _header(path, table.column_names), list(zip(*columns, strict=True))


def _column(values: pa.ChunkedArray) -> list[str]:
    """One column as text; what cannot be text (lists, pictures) is no label and becomes empty."""
    if pa.types.is_duration(values.type):
        ticks = values.cast(pa.int64()).to_pylist()
        return ["" if tick is None else str(tick / PER_SECOND[values.type.unit]) for tick in ticks]
    try:
        cells = values.cast(pa.string()).to_pylist()
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        return [""] * len(values)
    nothing = (None, "nan") if pa.types.is_floating(values.type) else (None,)
    return ["" if cell in nothing else cell for cell in cells]


def _header(path: Path, names: Sequence[str]) -> list[str]:
    columns = [name.strip() for name in names]
    if repeated := sorted({name for name in columns if columns.count(name) > 1}):
        raise fault(
            path,
            f"has two columns {repeated[0]!r}",
            got=", ".join(columns),
            expected="each once",
            fix="remove one",
        )
    return columns
