"""The last step of a trial: end its TensorBoard run, then write its record to the ledger.

In: the records of a trial that has ended. Out: both written. The trial itself takes this step, or the driver
if the trial's process was lost. The end of the run is one file with a fixed name, so writing it twice does no
harm.
"""

from collections.abc import Sequence

import pandas as pd

from raysernas.config.schema import StudyConfig, TrialConfig
from raysernas.record import ledger, storage
from raysernas.record.files import TrialFiles
from raysernas.record.ledger import TrialRecord
from raysernas.tensorboard import run_header
from raysernas.tensorboard.events import Events


def finalize(
    files: TrialFiles, trial: TrialConfig, study: StudyConfig, records: Sequence[TrialRecord]
) -> pd.DataFrame:
    """Write how a trial has ended; return the rows of its record.

    A run that never started, or whose files cannot be seen from here, gets its header as well.

    Raises:
        Fault: when the folder cannot be written.
    """
    events = Events()
    events.continue_run()
    if storage.listed(files.tensorboard) in ([], [files.events_end]):
        run_header.write_start(events, trial, study, files.key)
    run_header.write_end(events, records)
    storage.put(files.events_end, events.drain())
    return ledger.write(files, records)
