"""How long a relaunch needs to know what has ended, at 10,000 trials, and what a trial's record costs on disk.

    python -m tests.benchmarks.ledger [TRIALS]

Real records of a `darts` trial (all columns of one) are written, one file a trial; then read as planning reads them, before and
after compaction. Seconds are process CPU time, so that a busy machine counts little, and wall time. The aim is 5 s.
Measured on 2 busy cores: one file a trial 10.5 s CPU (once more for its remarks), one file of all 0.1 s; to put them together
takes 41 s, once. All rows but the keys and one score are equal here, so the size of the one file is a lower bound.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from raysernas.record import ledger
from raysernas.record.files import StudyFiles, TrialKey
from raysernas.record.provenance import provenance
from tests.records import record

TRIALS, FOLDS, SEEDS = 10_000, 10, 10
LONGEST = 400  # characters of the longest text of a real record, its genotype


def main(count: int) -> None:
    """Print a line for each way to read."""
    with tempfile.TemporaryDirectory() as folder:
        files = StudyFiles(Path(folder))
        _timed("written", lambda: _write(files, count))
        print(f"{_bytes(files) / count:,.0f} bytes a trial in {count:,} files")
        _timed("read for planning, one file a trial", lambda: ledger.validation(files))
        _timed("its remarks", lambda: ledger.remarks(files))
        _timed("put together", lambda: ledger.compact(files))
        print(f"{_bytes(files) / count:,.0f} bytes a trial in one file")
        _timed("read for planning, one file", lambda: ledger.validation(files))
        _timed("its remarks", lambda: ledger.remarks(files))
        _timed("read whole, one file", lambda: ledger.table(files))
        assert len(ledger.validation(files)) == count


def _write(files: StudyFiles, count: int) -> None:
    """The bytes that a trial would write, without its waiting for the disk."""
    facts: dict[str, Any] = provenance() | {"genotype": "g" * LONGEST}
    rows = pa.Table.from_pandas(pd.DataFrame([record("darts", **facts).row()]).assign(attempts=1), preserve_index=False)
    files.trials.mkdir(parents=True)
    for number in range(count):
        candidate, rest = divmod(number, FOLDS * SEEDS)
        key = TrialKey(arm="darts", candidate=candidate, fold=rest // SEEDS, seed=rest % SEEDS)
        changed = {"candidate": candidate, "fold": key.fold, "seed": key.seed, "valid_ua": number / count}
        for name, value in changed.items():
            place = rows.schema.get_field_index(name)
            rows = rows.set_column(place, rows.schema.field(place), pa.array([value], rows.schema.field(place).type))
        pq.write_table(rows, files.trial(key).record, write_page_checksum=True)


def _bytes(files: StudyFiles) -> int:
    return sum(path.stat().st_size for path in files.trials.iterdir())


def _timed(what: str, act: Callable[[], object]) -> None:
    cpu, wall = time.process_time(), time.perf_counter()
    act()
    print(f"{what}: {time.process_time() - cpu:.1f} s CPU, {time.perf_counter() - wall:.1f} s", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else TRIALS)
