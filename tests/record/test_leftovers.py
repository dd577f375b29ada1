"""The next launch deletes what killed processes have left, and nothing else."""

import os
from pathlib import Path

from raysernas.config.schema import Config
from raysernas.record import attempts, leftovers, storage
from raysernas.record.files import TrialKey
from tests.support.records import record, study


def test_only_our_own_old_leftovers_are_deleted(tmp_path: Path) -> None:
    ended = record().key
    files = study(tmp_path, Config(), record())
    running = TrialKey(arm="darts", candidate=7, fold=0, seed=0)
    for key in (ended, running):
        attempts.begin(files.trial(key))
    storage.write_text(files.trial(ended).attempts.with_name("darts-c000-f9-s0.json"), "[1, 2]")
    names = (".x.parquet.0123abcd.part", ".x.parquet.part", "x.part", ".y.pt.0123abcd.part")
    for name in names:
        (files.trials / name).write_text("half")
        os.utime(files.trials / name, (0, 0))
    os.utime(files.trials / names[-1])  # somebody is writing it now
    (files.trials / ".z.pt.0123abcd.part").symlink_to(tmp_path / "thesis")
    leftovers.clean(files)
    left = {path.name for path in files.trials.iterdir() if path.suffix == ".part"}
    assert left == {*names[1:], ".z.pt.0123abcd.part"}
    assert not files.trial(ended).attempts.exists()
    assert sorted(path.name for path in files.trial(running).attempts.parent.iterdir()) == [
        "darts-c000-f9-s0.json",
        "darts-c007-f0-s0.json",
    ]
