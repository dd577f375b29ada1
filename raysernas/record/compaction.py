"""Many records in one file: a study of ten thousand trials is read in a second, with one request to a store.

In: a study whose lock is held. Out: the same ledger in fewer files. The new file is written whole under a new
name, twice, and both copies are read back; only then are the files deleted whose rows they hold. If one copy
is damaged later, the other is read. If this is interrupted, `reading`
still counts every trial once: a file of one trial wins over a file of many, and a later file of many over an
earlier one.
"""

import uuid
from collections.abc import Iterable
from pathlib import Path

from raysernas.config.fault import Fault
from raysernas.record import parquet, reading, storage
from raysernas.record.files import StudyFiles
from raysernas.record.reading import MANY, ORDER, SUFFIX

FILES = 300  # of single trials; a launch compacts when there are more, at its start and while it runs


def due(study: StudyFiles) -> bool:
    """Whether there are too many files of single trials to read them one by one."""
    return sum(not path.name.startswith(MANY) for path in storage.listed(study.trials, SUFFIX)) > FILES


def compact(study: StudyFiles) -> int:
    """Put all readable records into one file; return how many files of single trials it replaces.

    Files that cannot be read stay, and so do files that change meanwhile.

    Raises:
        Fault: for a record of a newer version, a folder that cannot be read or written, or a disk that does
            not hold what was written to it. Nothing is deleted then.
    """
    before = storage.states(study.trials, SUFFIX)
    found = reading.gather(study, None)
    settled = (
        len(found.compacted) == 2
        and found.compacted[1] == reading.copy_of(found.compacted[0])
        and reading.rows_in(found.compacted[0]) == reading.rows_in(found.compacted[1])
    )
    if not found.singles and (settled or not found.compacted) and not found.replaced:
        return 0
    path = study.trials / f"{MANY}{_number(before):04d}-{uuid.uuid4().hex[:8]}{SUFFIX}"
    rows = found.rows.sort_by([(name, "ascending") for name in ORDER])
    for each in (path, reading.copy_of(path)):
        parquet.write(each, rows)
        _check(each, len(rows))
    now = storage.states(study.trials, SUFFIX)
    same = [
        each
        for each in (*found.compacted, *found.replaced, *found.singles)
        if each in before and now.get(each) == before[each]
    ]
    storage.each(storage.delete, same)  # the others have just been recorded again
    return len(found.singles)


def _number(listed: Iterable[Path]) -> int:
    """Higher than every existing file of many, so that the new one wins."""
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
            fix="check the disk; the files of the single trials are still there",
        )
