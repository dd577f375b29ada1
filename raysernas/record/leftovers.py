"""What killed processes have left in a study's folder, deleted by the next launch.

In: a study whose lock is held. Out: the same study without files that were being written when their process
died, and without lists of attempts at trials that have a record. Both are known by their names and contents;
nothing else is touched, and nothing young, because a trial of the killed launch may still be at work.
"""

import os
import time
from contextlib import suppress
from pathlib import Path

from raysernas.record import attempts, ledger, storage
from raysernas.record.files import StudyFiles, TrialKey
from raysernas.record.reading import KEY

OLD_S = 3600.0  # no file takes longer to write
FOLDERS = (
    *("", "trials", "candidates", "predictions", "genotypes", "supernets", "history", "weights", "attempts"),
    *("checkpoints/*", "tensorboard/*/*/*/*"),
)


def clean(study: StudyFiles, old_s: float = OLD_S) -> None:
    """Delete the leftovers of a study that are older than `old_s`.

    Raises:
        Fault: for a record of a newer version, or a place that does not answer.
    """
    if storage.is_local(study.root):
        for pattern in FOLDERS:
            for folder in study.root.glob(pattern) if pattern else (study.root,):
                _clean_parts(folder, old_s)
    lists = storage.listed(study.root / "attempts", ".json")
    if lists:
        rows = ledger.validation(study)
        keys = rows.loc[rows["status"] == "finished", list(KEY)].to_dict("records")
        ended = {TrialKey(**{str(name): value for name, value in key.items()}).name for key in keys}
        storage.each(
            storage.delete, [path for path in lists if path.stem in ended and attempts.is_list(path)]
        )


def _clean_parts(folder: Path, old_s: float) -> None:
    with suppress(OSError):
        for entry in list(os.scandir(folder)):
            young = time.time() - entry.stat(follow_symlinks=False).st_mtime < old_s
            if storage.PART.fullmatch(entry.name) and entry.is_file(follow_symlinks=False) and not young:
                os.unlink(entry.path)
