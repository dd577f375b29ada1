"""A study whose files are damaged shows other numbers only together with a sentence that says why.

Every kind of file of a finished study and of half-finished trials is flipped, cut or deleted, hundreds of
times. Nothing may change in silence: a reader refuses the file, leaves it out and says so, or restores it.
"""

import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import analysis
from analysis import predictions
from raysernas.config.fault import Fault
from raysernas.fleet import candidates
from raysernas.record import ledger
from raysernas.record.files import StudyFiles, TrialFiles
from raysernas.runtime import checkpoint_file
from raysernas.runtime.checkpointing import Interrupted
from tests.support.trials import assert_left_alike
from tests.test_stopped_trial import after, planned, run

STUDY = (
    *("laptop", "study.name=damaged", "study.arms=[darts,cnn]", "study.folds=[0,1]", "study.seeds=[0]"),
    *("study.candidates=2", "study.generation=0", "study.space={retrain.lr: {low: 1e-3, high: 1e-2}}"),
    *("corpus.folds=speaker", "corpus.synthetic_speakers=5", "corpus.synthetic_takes=2"),
    *("features.window_s=0.6", "features.bands=16", "network.nodes=1", "network.channels=2"),
    *("network.hidden=4", "network.designed_channels=2", "search.epochs=2", "search.batch=4"),
    *("retrain.epochs=2", "retrain.batch=8", "compute.device=cpu"),
)
# the study is not read from these
OTHERS = ("tensorboard", "launch.lock", "optuna.journal", "folds.csv")
WEIGHTS = ("weights", "supernets")
Damage = Callable[[bytes, random.Random], bytes | None]
Shown = tuple[dict[str, Any], list[str]]  # what a study shows, and what is said about it


def flipped(content: bytes, rng: random.Random) -> bytes:
    """One bit."""
    damaged = bytearray(content)
    damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def cut_or_deleted(content: bytes, rng: random.Random) -> bytes | None:
    """The beginning of a file, or none of it."""
    return None if rng.random() < 0.3 else content[: rng.randrange(len(content))]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study of eight trials."""
    root = tmp_path_factory.mktemp("finished")
    command = [sys.executable, "-m", "raysernas.launch", *STUDY, f"study.storage={root}"]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    return root / "damaged"


def shown(root: Path, kind: str = "") -> Shown:
    """What a study's folder gives to whoever reads it; weights only if they are of interest."""
    files = StudyFiles(root)
    try:
        results = analysis.load(root)
        finished = results.trials[results.trials["status"] == "finished"]
        decisions, odd, _ = predictions.decisions(files, finished)
        epochs, torn = results.histories_of(finished)
        remarks = [*results.members[0].remarks, *odd, *torn, *ledger.remarks(files)]
        numbers: dict[str, Any] = {"trials": results.trials, "decisions": decisions, "epochs": epochs}
        numbers |= {"config": results.configs, "validation": ledger.validation(files)}
        for group, found in candidates.load(files).items():
            numbers |= {f"{group}-{number}.json": each for number, each in found.items()}
        if kind in WEIGHTS:
            paths = sorted((root / kind).iterdir())
            numbers |= {path.name: checkpoint_file.load(path) for path in paths}
    except Fault as fault:
        return {}, [str(fault)]
    return numbers, remarks


def is_silent(before: Shown, now: Shown) -> bool:
    """Whether numbers differ and nothing is said about it. Weights that are gone are no numbers, and a launch
    refuses records whose candidate is gone.
    """
    gone = [name for name in before[0] if name.endswith((".pt", ".json")) and name not in now[0]]
    kept = {name: each for name, each in before[0].items() if name not in gone}
    return now[1] == before[1] and not _equal(kept, now[0])


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, pd.DataFrame):
        return one.equals(other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_equal, one, other))
    return bool((one == other).all()) if hasattr(one, "shape") else one == other


def damaged_in_turn(root: Path, damage: Damage, times: int, seed: int) -> Counter[str]:
    """Damage one file after the other, and restore it; how often which folder was silent about it."""
    rng, silent = random.Random(seed), Counter[str]()
    of_kind: dict[str, list[Path]] = {}
    for path in sorted(root.rglob("*")):
        kind = path.relative_to(root).parts[0]
        if path.is_file() and kind not in OTHERS:
            of_kind.setdefault(kind, []).append(path)
    assert {"study.yaml", "trials", "candidates", "predictions", "history", "weights", "supernets"} <= {
        *of_kind
    }
    before = {kind: shown(root, kind) for kind in of_kind}
    for number in range(times):
        kind = sorted(of_kind)[number % len(of_kind)]
        path = rng.choice(of_kind[kind])
        content = path.read_bytes()
        changed = damage(content, rng)
        path.unlink() if changed is None else path.write_bytes(changed)
        silent[kind] += is_silent(before[kind], shown(root, kind))
        path.write_bytes(content)
    return +silent


@pytest.mark.slow
@pytest.mark.parametrize("compacted", [False, True])
@pytest.mark.parametrize(("damage", "times"), [(flipped, 200), (cut_or_deleted, 80)])
def test_no_damage_to_a_finished_study_changes_a_number_in_silence(
    finished: Path, tmp_path: Path, damage: Damage, times: int, compacted: bool
) -> None:
    root = tmp_path / "damaged"
    shutil.copytree(finished, root)
    if compacted:
        assert ledger.compact(StudyFiles(root)) == 8
    assert damaged_in_turn(root, damage, times, seed=times + compacted) == {}


@pytest.mark.slow
@pytest.mark.parametrize(("damage", "times"), [(flipped, 100), (cut_or_deleted, 40)])
def test_no_damage_to_a_half_finished_trial_changes_its_end(
    tmp_path: Path, damage: Damage, times: int
) -> None:
    rng, trial = random.Random(times), planned("search")
    _, whole = run(tmp_path / "whole", trial)
    half = tmp_path / "half"
    with pytest.raises(Interrupted):
        run(half, trial, every_s=0.0, should_stop=after(13))
    for number in range(times):
        again = tmp_path / f"again{number}"
        shutil.copytree(half, again)
        files = TrialFiles(again, whole.key)
        kept = [
            path for path in sorted(again.rglob("*")) if path.is_file() and "tensorboard" not in path.parts
        ]
        cached = sorted((tmp_path / "cache").rglob("*.arrow"))
        path = rng.choice([*kept, *cached])
        content = path.read_bytes()
        changed = damage(content, rng)
        path.unlink() if changed is None else path.write_bytes(changed)
        run(again, trial)
        assert_left_alike(whole, files)
        shutil.rmtree(again)
