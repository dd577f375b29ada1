"""Reading the ledger's files into one table in which no trial counts twice.

In: a study and the wanted columns. Out: the rows, and which files were skipped and why. A trial whose file is
skipped counts as not run and is run again. The file of a single trial wins over a file of many, and a later
file of many over an earlier one. A file whose name and content disagree is skipped. Files of older versions
have fewer columns; the missing ones are empty. A store that does not answer is a fault, not a damaged file;
otherwise trials would run twice.
"""

import errno
import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from raysernas.config.fault import Fault
from raysernas.record import parquet, storage
from raysernas.record.files import StudyFiles, TrialFiles, TrialKey
from raysernas.record.seal import DamagedFault

# of the columns; 2 added `failure` and `attempts`, 3 `checksums` and others, 4 the ensemble of retrain seeds
SCHEMA_VERSION = 4
KEY = ("arm", "candidate", "fold", "seed")
ORDER = [*KEY, "retrain_seed"]
NEEDED = (*KEY, "retrain_seed", "status", "digest", "schema_version")
WHOLE = ("candidate", "fold", "seed", "retrain_seed", "schema_version")
SUFFIX = ".parquet"
MANY = "compacted-"  # prefix of a file of many trials; no arm has such a name
LOT = 500  # tables joined at once: ten thousand small ones at once would take gigabytes
# errors of one local file; any other error is one of the disk or the network
STATUSES = {"finished", "failed", "raced"}
LARGEST = 1_000, 256 * 10**6  # rows and uncompressed bytes of one trial's file; more is no record
LARGEST_OF_MANY = 2 * 10**6, 4 * 10**9
BROKEN = (errno.EACCES, errno.EISDIR, errno.EIO)
COPY = "-copy"  # ends the name of the second copy of a file of many
READS = 5  # of a folder that another process is compacting


@dataclass(frozen=True, slots=True)
class Reading:
    """The content of a ledger's files."""

    rows: pa.Table  # unsorted, with NEEDED and the wanted columns
    skipped: dict[str, str] = field(default_factory=dict)  # path of a skipped file -> why
    older: int = 0  # trials that an older version of raysernas has written
    singles: tuple[Path, ...] = ()  # files of single trials whose rows are in `rows`
    compacted: tuple[Path, ...] = ()  # files of many trials, each followed by its copy
    replaced: tuple[Path, ...] = ()  # skipped files of many trials whose copies were read instead
    repeated: int = 0  # trials with an earlier record, in a file of many, that does not count

    def frame(self, columns: Sequence[str] | None) -> pd.DataFrame:
        """The rows sorted by key, in these columns (None for all); a column that no file has is empty."""
        frame = self.rows.to_pandas()
        if columns is not None:
            frame = frame.reindex(columns=list(columns))
        return frame.sort_values(ORDER, ignore_index=True)


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    rows: pa.Table | None  # None for a skipped file
    why: str = ""


class _Vanished(Exception):
    """A listed file is gone: another process has just compacted it."""


def gather(study: StudyFiles, columns: Sequence[str] | None) -> Reading:
    """The rows of all ended trials.

    Args:
        columns: besides NEEDED; None for all.

    Raises:
        Fault: for a record of a newer version of raysernas.
        StorageFault: for a folder or bucket that cannot be read.
    """
    for _ in range(READS):
        try:
            return _gathered(
                storage.listed(study.trials, SUFFIX), None if columns is None else [*NEEDED, *columns]
            )
        except _Vanished:
            continue
    raise storage.unreadable(study.trials, OSError("its files vanish while they are read"))


def copy_of(path: Path) -> Path:
    """The second copy of a file of many trials."""
    return path.with_name(f"{path.stem}{COPY}{SUFFIX}")


def one(files: TrialFiles) -> pd.DataFrame | None:
    """The rows of one trial; None if it has not ended, or its record cannot be read.

    Raises:
        Fault: as `gather`.
    """
    for _ in range(READS):
        try:
            return _one(files)
        except _Vanished:  # the launch puts records together
            continue
    raise storage.unreadable(files.record, OSError("its files vanish while they are read"))


def _one(files: TrialFiles) -> pd.DataFrame | None:
    if storage.exists(files.record):
        return _rows_of(_named(_opened(files.record, None)), [])
    folder = StudyFiles(files.root).trials
    for path in reversed([each for each in storage.listed(folder, SUFFIX) if each.name.startswith(MANY)]):
        if files.key.name in _names_in(path):
            return _rows_of(_opened(path, None), [("arm", "==", files.key.arm), *_numbers(files.key)])
    return None


def rows_in(path: Path) -> int:
    """How many rows of one file can be read."""
    rows = _opened(path, None).rows
    return 0 if rows is None else len(rows)


def _numbers(key: TrialKey) -> list[tuple[str, str, int]]:
    return [("candidate", "==", key.candidate), ("fold", "==", key.fold), ("seed", "==", key.seed)]


def _rows_of(file: _File, chosen: Sequence[tuple[str, str, str | int]]) -> pd.DataFrame | None:
    """The matching rows, without the columns that only other trials of the file fill."""
    if file.rows is None:
        return None
    rows = file.rows.filter(pq.filters_to_expression(list(chosen))) if chosen else file.rows
    filled = [name for name in rows.column_names if rows[name].null_count < len(rows)]
    return rows.select(filled if chosen else rows.column_names).to_pandas()


@functools.lru_cache(maxsize=16)
def _names_in(path: Path) -> frozenset[str]:
    """The trials of a file of many; such a file never changes."""
    rows = _opened(path, list(NEEDED)).rows
    return frozenset() if rows is None else frozenset(_names(rows))


def _gathered(paths: Sequence[Path], columns: list[str] | None) -> Reading:
    many = [path for path in paths if path.name.startswith(MANY)]
    single = [path for path in paths if not path.name.startswith(MANY)]
    # damaged files too: the row that such a file was to replace is out of date
    taken = {path.stem for path in single}
    joint, lots, kept, repeated = _Joint(), [], [], set()
    read: set[str] = set()
    for path in reversed(many):  # the later wins, and a file before its copy
        name = path.stem.removesuffix(COPY)
        rows = None if name in read else joint.take(_opened(path, columns))
        if rows is not None or name in read:
            kept.append(path)
        if rows is not None:
            read.add(name)
            names = _names(rows)
            repeated |= taken & set(names)
            lots.append(rows.filter(pa.array([name not in taken for name in names], pa.bool_())))
            taken |= set(names)
    for start in range(0, len(single), LOT):
        files = storage.each(lambda path: _named(_opened(path, columns)), single[start : start + LOT])
        fit = [rows for file in files if (rows := joint.take(file)) is not None]
        lots += [_one_table(fit)] if fit else []
    rows = _one_table(lots)
    whole = tuple(path for path in single if str(path) not in joint.skipped)
    repeated -= {path.stem for path in single if str(path) in joint.skipped}
    lost = [path for path in many if str(path) in joint.skipped and path.stem.removesuffix(COPY) in read]
    kept.sort(key=lambda path: (path.stem.removesuffix(COPY), path.stem))
    return Reading(rows, joint.skipped, _older(rows), whole, tuple(kept), tuple(lost), repeated=len(repeated))


@dataclass(slots=True)
class _Joint:
    """Decides which files fit into one table: the first file with a column sets the type of that column."""

    skipped: dict[str, str] = field(default_factory=dict)
    schema: pa.Schema = field(default_factory=lambda: pa.schema([]))
    known: set[pa.Schema] = field(default_factory=set)

    def take(self, file: _File) -> pa.Table | None:
        """The rows of a file that fits; otherwise the file is skipped."""
        why = file.why
        if file.rows is not None and file.rows.schema not in self.known:
            try:
                self.schema = pa.unify_schemas([self.schema, file.rows.schema], promote_options="permissive")
                self.known.add(file.rows.schema)
            except pa.ArrowException as error:
                why = f"has a column of another kind: {_first_line(error)}"
        if why:
            self.skipped[str(file.path)] = why
        return None if why else file.rows


def _one_table(tables: Sequence[pa.Table]) -> pa.Table:
    if not tables:
        return pa.table(
            {
                name: pa.array([], pa.string() if name in ("arm", "status", "digest") else pa.int64())
                for name in NEEDED
            }
        )
    schema = pa.unify_schemas([table.schema for table in tables], promote_options="permissive")
    return pa.concat_tables([_cast(table, schema) for table in tables]).combine_chunks()


def _cast(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """A table with exactly these columns; those that it lacks are empty."""
    held = set(table.column_names)
    columns = [table[each.name] if each.name in held else pa.nulls(len(table), each.type) for each in schema]
    return pa.table(columns, names=schema.names).cast(schema)


def _opened(path: Path, columns: list[str] | None) -> _File:
    try:
        limits = LARGEST_OF_MANY if path.name.startswith(MANY) else LARGEST
        rows = parquet.read(path, columns and list(dict.fromkeys(columns)), *limits)
    except FileNotFoundError:
        raise _Vanished from None
    except DamagedFault:
        return _File(path, None, "it is damaged: its checksum differs")
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, Fault):
            raise
        if isinstance(error, OSError) and error.errno == errno.ENOTDIR:
            raise _Vanished from None
        if isinstance(error, OSError) and error.errno is not None and error.errno not in BROKEN:
            raise storage.unreadable(path, error) from error
        return _File(path, None, _first_line(error))
    return _sound(path, rows)


def _sound(path: Path, rows: pa.Table) -> _File:
    """Check that a Parquet file holds records."""
    if lacking := [name for name in NEEDED if name not in rows.column_names]:
        return _File(path, None, f"has no column {lacking[0]}")
    if odd := [name for name in WHOLE if not pa.types.is_integer(rows.schema.field(name).type)]:
        return _File(path, None, f"has no whole numbers in {odd[0]}")
    if len(rows) == 0:
        return _File(path, None, "has no rows")
    if empty := [name for name in NEEDED if rows[name].null_count]:
        return _File(path, None, f"has a row without {empty[0]}")
    if unknown := sorted(set(map(str, rows["status"].unique().to_pylist())) - STATUSES):
        return _File(path, None, f"has the unknown status {unknown[0][:20]!r}")
    if (newest := max(rows["schema_version"].to_pylist())) > SCHEMA_VERSION:
        raise Fault(
            "ledger",
            f"{path} is of a newer raysernas",
            got=f"schema {newest}",
            expected=f"at most {SCHEMA_VERSION}",
            fix="update raysernas, or set another study.name",
        )
    return _File(path, rows)


def _named(file: _File) -> _File:
    """Check that a file of one trial holds that trial."""
    if file.rows is None or set(_names(file.rows)) == {file.path.stem}:
        return file
    return _File(file.path, None, f"holds {_names(file.rows)[0]}, which is not what it is called")


def _names(rows: pa.Table) -> list[str]:
    keys = zip(*(rows[name].to_pylist() for name in KEY), strict=True)
    return [
        TrialKey(arm=arm, candidate=candidate, fold=fold, seed=seed).name
        for arm, candidate, fold, seed in keys
    ]


def _older(rows: pa.Table) -> int:
    versions = zip(*(rows[name].to_pylist() for name in (*KEY, "schema_version")), strict=True)
    return len({row[:-1] for row in versions if row[-1] < SCHEMA_VERSION})


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
