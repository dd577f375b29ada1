"""The last act of a trial, whoever performs it: the end of its TensorBoard run, then its record in the
ledger.

In: the records of a trial that has ended. Out: both written. The run's end is one file, written whole under a
name of its own: to write it twice is to write it once.
"""

from collections.abc import Sequence

import pandas as pd

from raysernas.config.schema import StudyConfig, TrialConfig
from raysernas.record import ledger, storage
from raysernas.record.files import TrialFiles
from raysernas.record.ledger import TrialRecord
from raysernas.tensorboard import run_header
from raysernas.tensorboard.events import Events


def end(
    files: TrialFiles, trial: TrialConfig, study: StudyConfig, records: Sequence[TrialRecord]
) -> pd.DataFrame:
    """Write how a trial has ended; the rows of its record.

    A run that was never begun, or not where it can be seen, is begun here.

    Raises:
        Fault: when the folder cannot be written.
    """
    events = Events()
    events.go_on()
    if storage.listed(files.tensorboard) in ([], [files.events_end]):
        run_header.begin(events, trial, study, files.key)
    run_header.end(events, records)
    storage.put(files.events_end, events.taken())
    return ledger.write(files, records)
