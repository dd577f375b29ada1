"""What a trial left behind, to be compared bit for bit with what another one left."""

from pathlib import Path

import pandas as pd

from raysernas.record.files import TrialFiles
from raysernas.record.ledger import MEASURED
from raysernas.runtime import checkpoint_file
from tests.support.runs import Run, event_counts
from tests.support.searches import equal

# of an attempt, besides seconds and memory: what no two runs of a trial share
ITS_OWN = ("attempts", "host", "cpu")


def shared(rows: pd.DataFrame) -> pd.DataFrame:
    """The columns in which equal trials are equal."""
    return rows.drop(columns=[name for name in rows if str(name).endswith(MEASURED) or name in ITS_OWN])


def assert_equal(one: TrialFiles, other: TrialFiles) -> None:
    """All that two trials have left and shown, bit for bit."""
    assert_left_alike(one, other)
    assert_shown_alike(one, other)


def assert_left_alike(one: TrialFiles, other: TrialFiles) -> None:
    """Record, genotype, weights, supernet, predictions and history, bit for bit; no checkpoint is left of
    either.
    """
    pd.testing.assert_frame_equal(
        shared(pd.read_parquet(one.record)), shared(pd.read_parquet(other.record)), check_exact=True
    )
    pd.testing.assert_frame_equal(
        pd.read_parquet(one.predictions), pd.read_parquet(other.predictions), check_exact=True
    )
    for path in (one.genotype, one.history):
        assert path.exists() == twin(path, one, other).exists()
        assert not path.exists() or path.read_bytes() == twin(path, one, other).read_bytes()
    for path in tensors(one):
        assert equal(checkpoint_file.load(path), checkpoint_file.load(twin(path, one, other)))
    assert len(tensors(one)) == len(tensors(other)) > 0
    for files in (one, other):
        assert not files.checkpoints.exists()
        assert not files.attempts.exists()


def assert_shown_alike(one: TrialFiles, other: TrialFiles) -> None:
    """Scalars, pictures and texts of the TensorBoard runs, each written once; not what a run says of its
    machine and its attempts.
    """
    runs = [Run(files.tensorboard) for files in (one, other)]
    scalars = [{tag: values for tag, values in run.scalars.items() if "/timing/" not in tag} for run in runs]
    assert scalars[0] == scalars[1]
    assert runs[0].images == runs[1].images
    texts = [
        {tag: texts for tag, texts in run.texts.items() if tag not in ("protocol", "remarks")} for run in runs
    ]
    assert texts[0] == texts[1]
    assert (runs[0].hparams, runs[0].status) == (runs[1].hparams, runs[1].status)
    assert set(event_counts(one.tensorboard).values()) == {1}


def tensors(files: TrialFiles) -> list[Path]:
    """Weights and supernets of one trial."""
    return sorted(files.root.rglob(f"{files.key.name}*.pt"))


def twin(path: Path, one: TrialFiles, other: TrialFiles) -> Path:
    """The same file of the other trial."""
    return other.root / path.relative_to(one.root)
