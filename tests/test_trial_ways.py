"""A trial runs under every named way to split, normalise and vary the sound, and its record says what was
left out.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from raysernas import trial as trial_room
from raysernas.config.files import load
from raysernas.config.identity import trial_config
from raysernas.config.schema import CorpusConfig, StudyConfig, TrialConfig
from raysernas.corpora import catalogue
from raysernas.record.files import TrialFiles, TrialKey

TINY = (
    "corpus.synthetic_speakers=6",
    "corpus.synthetic_takes=2",
    "features.window_s=0.6",
    "features.bands=16",
    "network.designed_channels=2",
    "retrain.epochs=2",
    "retrain.batch=8",
)
WAYS = {
    "session": ("corpus.folds=session",),
    "other speaker": ("corpus.folds=speaker", "corpus.valid=other_speaker"),
    "random": ("corpus.folds=random", "corpus.speaker_dependent=true"),
    "halves by speaker": ("corpus.halves=speaker",),
    "utterance": ("features.normalisation=utterance",),
    "speaker": ("features.normalisation=speaker",),
    "not normalised": ("features.normalisation=none",),
    "published input": ("features=published", "features.window_s=1.0"),
    "varied sound": (
        "retrain.speeds=[0.9,1.1]",
        "retrain.pitches_st=[-2,2]",
        "retrain.noise_snr_db=[10]",
        "retrain.shift_s=0.1",
    ),
    "all but test": ("retrain.on=all_but_test", "retrain.speeds=[0.9,1.1]", "retrain.versions=2"),
    "merged": ("corpus.emotions=[anger,sadness]", "corpus.merge={happiness: anger, neutral: sadness}"),
}


def resolved(*overrides: str) -> TrialConfig:
    config = load(None, [*TINY, *overrides])
    return trial_config(
        trial_room.resolve(config, catalogue.read(config.corpus, None)), arm="cnn", fold=0, seed=0
    )


def run(folder: Path, trial: TrialConfig, name: str = "study"):
    files = TrialFiles(folder / name, TrialKey(arm=trial.arm, candidate=0, fold=trial.fold, seed=trial.seed))
    return trial_room.run(trial, study=StudyConfig(name=name), files=files, cache=folder / "cache"), files


@pytest.mark.parametrize("way", WAYS)
def test_every_way_runs_and_runs_alike_again(way: str, tmp_path: Path) -> None:
    trial = resolved(*WAYS[way])
    (rows, one), (again, two) = run(tmp_path, trial), run(tmp_path, trial, "again")
    assert rows["status"].tolist() == ["finished"], rows["reason"].iloc[0]
    assert one.history.read_bytes() == two.history.read_bytes(), "bit for bit, the second time from the cache"
    assert rows["test_confusion"].tolist() == again["test_confusion"].tolist()
    assert rows["corpus.folds_hash"].tolist() == [trial.corpus.folds_hash]


def test_every_way_is_another_identity() -> None:
    from raysernas.config.identity import digest

    identities = {way: digest(resolved(*overrides)) for way, overrides in WAYS.items()}
    assert len(set(identities.values())) == len(WAYS)


def test_the_record_lists_what_was_left_out(tmp_path: Path) -> None:
    rng, table = np.random.default_rng(0), ["file,emotion,speaker"]
    for speaker in "abcde":
        for emotion in ("anger", "calm"):
            for take in range(3):
                name = f"{speaker}{emotion}{take}.wav"
                soundfile.write(
                    tmp_path / name, rng.uniform(-0.1, 0.1, 8000) * (name != "bcalm1.wav"), 16_000
                )
                table.append(f"{name},{emotion},{speaker}")
    (tmp_path / "labels.csv").write_text("\n".join([*table, "gone.wav,anger,a"]))
    overrides = ("corpus.name=manifest", f"corpus.root={tmp_path / 'labels.csv'}", "corpus.on_bad_file=skip")
    rows, _ = run(tmp_path, resolved(*overrides))
    assert rows["n_skipped"].tolist() == [2]
    assert json.loads(rows["skipped"].iloc[0]) == [
        "bcalm1.wav is silent: all 8000 samples are 0",
        "gone.wav is missing",
    ]
    assert rows[["n_weights", "n_alphas", "n_valid", "n_test"]].iloc[0].sum() == 29


def test_a_corpus_that_changed_since_the_plan_is_a_failed_trial_with_its_reason(tmp_path: Path) -> None:
    trial = resolved()
    other = CorpusConfig(synthetic_speakers=5, synthetic_takes=2, fingerprint=trial.corpus.fingerprint)
    rows, _ = run(tmp_path, TrialConfig(arm="cnn", corpus=other, compute=trial.compute))
    assert rows["status"].tolist() == ["failed"]
    assert "is not the corpus that this study began with" in rows["reason"].iloc[0]
