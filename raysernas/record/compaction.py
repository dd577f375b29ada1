"""Many records in one file: a study of ten thousand trials is read in a second, and its store is asked once.

Comes in: a study whose lock is held. Goes out: the same ledger, in fewer files. The new file is written whole
under a name that nothing had, read back, and only then are the files deleted whose rows it holds; whatever
happens between, `reading` counts every trial once, because a file of one trial wins over one of many, and the
later of these over the earlier.
"""

import uuid
from collections.abc import Iterable
from pathlib import Path

import pyarrow.parquet as pq

from raysernas.config.fault import Fault
from raysernas.record import reading, storage
from raysernas.record.files import StudyFiles
from raysernas.record.reading import MANY, ORDER, SUFFIX

FILES = 300  # of single trials, above which a launch puts them together, at its start and while it runs


def due(study: StudyFiles) -> bool:
    """Whether there are so many files of single trials that reading them one by one is slow."""
    return sum(not path.name.startswith(MANY) for path in storage.listed(study.trials, SUFFIX)) > FILES


def compact(study: StudyFiles) -> int:
    """Put all readable records into one file; how many files of single trials it replaces.

    A file that cannot be read stays where it is, and so does one that changes meanwhile.

    Raises:
        Fault: for a record of a newer version, a folder that cannot be read or written, or a disk that does
            not keep what it is given; nothing is deleted then.
    """
    before = storage.states(study.trials, SUFFIX)
    found = reading.gather(study, None)
    if not found.singles and len(found.compacted) < 2:
        return 0
    path = study.trials / f"{MANY}{_number(before):04d}-{uuid.uuid4().hex[:8]}{SUFFIX}"
    rows = found.rows.sort_by([(name, "ascending") for name in ORDER])
    storage.write(path, lambda part: pq.write_table(rows, part, compression="zstd", write_page_checksum=True))
    _check(path, len(rows))
    now = storage.states(study.trials, SUFFIX)
    same = [
        each
        for each in (*found.compacted, *found.singles)
        if each in before and now.get(each) == before[each]
    ]
    storage.each(storage.delete, same)  # any other one has just been recorded anew
    return len(found.singles)


def _number(listed: Iterable[Path]) -> int:
    """Above every file of many that there is, so that the new one wins."""
    numbers = [each.name.removeprefix(MANY)[:4] for each in listed if each.name.startswith(MANY)]
    return 1 + max((int(number) for number in numbers if number.isdecimal()), default=0)


def _check(path: Path, rows: int) -> None:
    kept = reading.rows_in(path)
    if kept != rows:
        raise Fault(
            "ledger",
            f"{path} does not hold what was written",
            got=f"{kept} rows",
            expected=f"{rows} rows",
            fix="look after the disk; the files of the single trials are still there",
        )
