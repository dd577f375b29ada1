"""A trainable that trains nothing and writes a made-up record: everything of a Ray trial but the trial.

In processes of the product it takes the place of `raysernas.fleet.trainable.trainable`.
"""

import dataclasses
import time
from pathlib import Path
from typing import Any

from raysernas.config.files import trial_from
from raysernas.config.identity import digest, settings
from raysernas.fleet import stop_signal
from raysernas.record import ledger
from raysernas.record.files import TrialKey, visible_study
from tests.support import records

MEETING = "meeting"  # a folder in the study's, of trials that wait for one another
WAIT_S = 120.0


def trainable(config: dict[str, Any]) -> None:
    """A record with a score that the fold decides."""
    from ray import tune

    key = TrialKey(arm=config["arm"], candidate=config["candidate"], fold=config["fold"], seed=config["seed"])
    with stop_signal.poller(tune.get_context().get_trial_id() or "", str):
        chosen = trial_from(config)
        base = records.record(key.arm, key.candidate, key.fold, key.seed, valid=(key.fold % 11, 5, 5))
        done = dataclasses.replace(
            base, study=Path(config["root"]).name, digest=digest(chosen), settings=settings(chosen)
        )
        ledger.write(visible_study(config["root"]).trial(key), [done])
        tune.report({"status": "finished", "reason": "", "valid_ua": 0.5})


def meeting(config: dict[str, Any]) -> None:
    """As `trainable`, once as many trials as the file `wanted` of the meeting says are here; notes how many
    were.
    """
    folder, name = Path(config["root"]) / MEETING, f"{config['fold']}-{config['seed']}"
    wanted, here = int((folder / "wanted").read_text()), folder / f"{name}.here"
    here.touch()
    end = time.monotonic() + WAIT_S
    while len([*folder.glob("*.here")]) < wanted and time.monotonic() < end:
        time.sleep(0.1)
    time.sleep(1.0)  # for one too many
    (folder / f"{name}.count").write_text(str(len([*folder.glob("*.here")])))
    while len([*folder.glob("*.count")]) % wanted and time.monotonic() < end:
        time.sleep(0.1)  # until all of them have counted
    here.unlink()
    trainable(config)
