"""How long a relaunch needs to know what has ended, at 10,000 trials, and what a trial's record costs on
disk.

    python -m tests.benchmarks.ledger [TRIALS]

Real records of a `darts` trial (all columns of one) are written, one file a trial: first as a launch does,
which puts 301 of them together while it runs, then all at once. Seconds are process CPU time, so that a busy
machine counts little, and wall time. The aim for a relaunch is 5 s. Measured on 2 cores with nine processes
that wanted them: 34 times put together, 2.6 s CPU the first time, 4.1 s at most, 9.5 ms a trial; then a
relaunch reads 1.0 s CPU (1.9 s) to plan, and the tables at its end 3.0 s (5.3 s). With one file a trial the
same reading took 27 s CPU (10 s on a quiet day), and putting all together at once 41 s. All rows but the keys
and one score are equal here, so the bytes a trial are a lower bound.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from raysernas.record import ledger
from raysernas.record.files import StudyFiles, TrialKey
from raysernas.record.provenance import provenance
from tests.support.records import record

TRIALS, FOLDS, SEEDS = 10_000, 10, 10
LONGEST = 400  # characters of the longest text of a real record, its genotype


def main(count: int) -> None:
    """Print a line for each way to read."""
    with tempfile.TemporaryDirectory() as folder:
        _as_launched(StudyFiles(Path(folder)), count)
    with tempfile.TemporaryDirectory() as folder:
        files = StudyFiles(Path(folder))
        _timed("written at once", lambda: _write(files, range(count), count))
        print(f"{_bytes(files) / count:,.0f} bytes a trial in {count:,} files")
        _timed("read for planning, one file a trial", lambda: ledger.validation_and_remarks(files))
        _timed("put together at once", lambda: ledger.compact(files))


def _as_launched(files: StudyFiles, count: int) -> None:
    """A launch puts records together while it runs; what the next one finds is one file and a few of single
    trials.
    """
    spent: list[float] = []
    for begin in range(0, count, ledger.LOOSE + 1):
        _write(files, range(begin, min(count, begin + ledger.LOOSE + 1)), count)
        start = time.process_time()
        ledger.compact_many(files)
        spent.append(time.process_time() - start)
    lots = f"{len(spent)} times {ledger.LOOSE + 1} records put together"
    print(
        f"{lots}: {spent[0]:.2f} s CPU the first time, {max(spent):.2f} s at most, "
        f"{1000 * sum(spent) / count:.1f} ms a trial"
    )
    _write(files, range(count, count + ledger.LOOSE), count)  # and as many as are left lying at most
    print(f"{_bytes(files) / (count + ledger.LOOSE):,.0f} bytes a trial")
    _timed("what a relaunch reads to plan", lambda: ledger.validation_and_remarks(files))
    _timed("what the tables read at its end", lambda: ledger.table_and_remarks(files))
    assert len(ledger.validation(files)) == count + ledger.LOOSE


def _write(files: StudyFiles, numbers: Iterable[int], count: int) -> None:
    """The bytes that a trial would write, without its waiting for the disk."""
    facts: dict[str, Any] = provenance() | {"genotype": "g" * LONGEST}
    rows = pa.Table.from_pandas(
        pd.DataFrame([record("darts", **facts).row()]).assign(attempts=1), preserve_index=False
    )
    files.trials.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        candidate, rest = divmod(number, FOLDS * SEEDS)
        key = TrialKey(arm="darts", candidate=candidate, fold=rest // SEEDS, seed=rest % SEEDS)
        changed = {"candidate": candidate, "fold": key.fold, "seed": key.seed, "valid_ua": number / count}
        for name, value in changed.items():
            place = rows.schema.get_field_index(name)
            rows = rows.set_column(
                place, rows.schema.field(place), pa.array([value], rows.schema.field(place).type)
            )
        pq.write_table(rows, files.trial(key).record, write_page_checksum=True)


def _bytes(files: StudyFiles) -> int:
    return sum(path.stat().st_size for path in files.trials.iterdir())


def _timed(what: str, act: Callable[[], object]) -> None:
    cpu, wall = time.process_time(), time.perf_counter()
    act()
    print(f"{what}: {time.process_time() - cpu:.1f} s CPU, {time.perf_counter() - wall:.1f} s", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else TRIALS)
