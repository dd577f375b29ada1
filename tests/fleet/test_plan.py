"""Laws of the plan: what is resolved, refused and written before a study runs."""

import stat
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from raysernas.config.files import load
from raysernas.config.schema import Config
from raysernas.corpora.folds import fold_file, splits
from raysernas.fleet import plan as planning
from raysernas.fleet.plan import StudyPlan, header, resolve
from raysernas.record import ledger
from raysernas.record.files import cache_folder, study_files
from tests.support import records, toy
from tests.support.faults import refusal, told
from tests.support.trees import bad

SMALL = (
    "corpus.synthetic_speakers=4",
    "corpus.synthetic_takes=2",
    "retrain.lr=0.003",
    "search.epochs=30",
    "study.arms=[darts,cnn]",
    "study.resources.cpus=4",
)


def config(root: Path, *overrides: str) -> Config:
    return load(None, [f"study.storage={root}", *SMALL, *overrides])


def planned(root: Path, *overrides: str, dry: bool = False) -> StudyPlan:
    return resolve(config(root, *overrides), dry=dry)


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "_gpus", lambda: (2, "H200"))


@pytest.fixture
def no_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "_gpus", lambda: (0, ""))


def test_everything_that_the_machine_and_the_corpus_decide_is_resolved(tmp_path: Path, no_gpus: None) -> None:
    plan = planned(tmp_path)
    assert plan.config.compute.device == "cpu"
    assert plan.config.corpus.fingerprint == plan.corpus.fingerprint != ""
    assert plan.config.study.folds == (0, 1, 2, 3) == tuple(plan.folds)
    assert (plan.slots, plan.cpus_per_trial, plan.gpus_per_trial) == (4, 1, 0.0)
    assert load(str(plan.files.config)) == plan.config


@pytest.mark.parametrize(
    ("overrides", "slots", "cpus", "share"),
    [
        ((), 2, 1, 1.0),
        (("study.resources.gpus_per_trial=0.5",), 4, 1, 0.5),
        (("study.resources.gpus_per_trial=0.25",), 4, 1, 0.25),  # four CPUs
        (("study.resources.gpus_per_trial=2",), 1, 1, 2.0),
        (("compute.threads=3",), 1, 3, 1.0),
        (("compute.threads=9",), 1, 4, 1.0),
        (("compute.device=cpu",), 4, 1, 0.0),
        (("study.resources.trials_at_once=1",), 1, 1, 1.0),
        (("study.resources.trials_at_once=64",), 2, 1, 1.0),  # no more than fit here
        (("compute.device=cpu", "study.resources.trials_at_once=3"), 3, 1, 0.0),
        (("study.resources.address=1.2.3.4:6379",), 0, 1, 1.0),
        (("study.resources.address=1.2.3.4:6379", "study.resources.trials_at_once=64"), 64, 1, 1.0),
    ],
)
def test_trials_at_once(
    tmp_path: Path, gpus: None, overrides: tuple[str, ...], slots: int, cpus: int, share: float
) -> None:
    plan = planned(tmp_path, *overrides, dry=True)
    assert (plan.slots, plan.cpus_per_trial, plan.gpus_per_trial) == (slots, cpus, share)


def test_torch_says_how_many_gpus_there_are(tmp_path: Path) -> None:
    plan = planned(tmp_path, dry=True)
    assert plan.config.compute.device == ("cuda" if torch.cuda.is_available() else "cpu")


def test_a_gpu_that_is_not_there_is_refused(tmp_path: Path, no_gpus: None) -> None:
    assert refusal(lambda: planned(tmp_path, "compute.device=cuda")) == told(
        "compute.device is cuda, but there is no GPU here",
        "cuda",
        "auto or cpu",
        "set compute.device=auto, or study.resources.address to a cluster with GPUs",
    )


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    planned(tmp_path, dry=True)
    assert list(tmp_path.iterdir()) == []


def test_a_fold_out_of_range_is_refused(tmp_path: Path) -> None:
    assert refusal(lambda: planned(tmp_path, "study.folds=[0,4]")) == told(
        "study.folds names fold 4", [0, 4], "numbers from 0 to 3", "set study.folds"
    )


def test_every_planned_fold_is_split_before_anything_runs(tmp_path: Path) -> None:
    assert "too few speakers" in refusal(lambda: planned(tmp_path, "corpus.valid_fraction=0.75"))
    assert "training s02" in refusal(
        lambda: planned(tmp_path, "corpus.synthetic_speakers=3", "corpus.halves=speaker")
    )
    assert list(tmp_path.iterdir()) == []


def test_another_setting_under_the_same_name_is_refused_readably(tmp_path: Path, no_gpus: None) -> None:
    planned(tmp_path)
    before = study_files(config(tmp_path)).config.read_text()
    fault = refusal(lambda: planned(tmp_path, "search.epochs=7", "retrain.lr=0.1", "study.seed=3"))
    assert fault == (
        f"study: {tmp_path}/study was run with other settings\n"
        "  got: 3 changed (old -> new):\n"
        "    study.seed: 0 -> 3\n"
        "    search.epochs: 30 -> 7\n"
        "    retrain.lr: 0.003 -> 0.1\n"
        "  expected: the settings of study.yaml; arms, candidates, folds, seeds and resources may "
        "change\n"
        "  fix: set another study.name for the new settings, or undo the change, or delete "
        f"{tmp_path}/study"
    )
    assert study_files(config(tmp_path)).config.read_text() == before


def test_other_recordings_under_the_same_settings_are_refused_as_such(tmp_path: Path, no_gpus: None) -> None:
    mine, listed = tmp_path / "mine.csv", planned(tmp_path, dry=True)
    mine.write_text(
        fold_file.text(listed.corpus, splits.of(listed.corpus, listed.config.corpus)), encoding="utf-8"
    )
    given = ("corpus.folds=file", f"corpus.fold_file={mine}")
    old = planned(tmp_path, *given).config.corpus.folds_hash
    text = mine.read_text()
    mine.write_text(text.replace("\n3,s03,", "\n4,s03,"))
    assert planned(tmp_path, *given).config.corpus.folds_hash == old, "numbers of folds tell their order only"
    mine.write_text(text.replace("\n0,s00,valid,s01_anger_00", ""))
    fault = refusal(lambda: planned(tmp_path, *given))
    assert fault.startswith(
        f"study: {tmp_path}/study was run on other recordings, labels or folds\n  got: corpus.folds_hash: "
        f"'{old}' -> '"
    )
    assert fault.endswith("  fix: restore them, or begin a study under another study.name")


def test_a_relative_list_of_folds_is_the_same_from_anywhere(
    tmp_path: Path, no_gpus: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = planned(tmp_path)
    monkeypatch.chdir(first.files.root)
    given = ("study.name=again", "corpus.folds=file")
    again = planned(tmp_path, *given, "corpus.fold_file=folds.csv")
    assert again.files.folds.read_text() == first.files.folds.read_text()
    written = again.files.config.read_text()
    monkeypatch.chdir(tmp_path)
    assert planned(tmp_path, *given, "corpus.fold_file=study/folds.csv").config == again.config
    assert resolve(load(str(again.files.config))).config == again.config
    assert again.files.config.read_text() == written


def test_the_header_does_not_promise_separate_speakers_where_they_may_overlap(tmp_path: Path) -> None:
    text = header(planned(tmp_path, "corpus.folds=random", "corpus.speaker_dependent=true", dry=True))
    assert text["protocol"] == "random folds, speakers ignored, 4 folds, 1 seed; validation: utterances(0.2)"
    assert text["speaker-dependent"].startswith("the test speakers are trained on")


def recorded(root: Path) -> tuple[str, ...]:
    """Settings of a study on recordings, one of which is no audio."""
    folder = bad.manifest(root / "speech")
    (folder / bad.FILE).write_bytes(b"no sound")
    return "corpus.name=manifest", f"corpus.root={folder}", "corpus.folds=usual", "corpus.on_bad_file=skip"


def test_inspected_files_are_cached_except_by_a_dry_run(tmp_path: Path, no_gpus: None) -> None:
    given = recorded(tmp_path)
    planned(tmp_path / "results", *given, dry=True)
    assert not (tmp_path / "results").exists()
    plan = planned(tmp_path / "results", *given)
    assert list(cache_folder(plan.config).iterdir())


def test_a_relaunch_finds_the_study_until_a_file_is_mended(
    tmp_path: Path, no_gpus: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = recorded(tmp_path)
    monkeypatch.chdir(tmp_path)
    first = planned(tmp_path, *given, "corpus.root=speech")
    assert first.config.corpus.root == str(tmp_path / "speech")
    assert (first.config.corpus.folds, first.config.corpus.emotions) == ("speaker", ("anger", "calm"))
    text, listed = first.files.config.read_text(), first.files.folds.read_text()
    assert planned(tmp_path, *given).config == first.config == resolve(load(str(first.files.config))).config
    assert (first.files.config.read_text(), first.files.folds.read_text()) == (text, listed)
    (tmp_path / "speech" / bad.FILE).write_bytes(bad.wav(bad.TONE))
    assert "was run on other recordings, labels or folds" in refusal(lambda: planned(tmp_path, *given))
    assert "is not the corpus that this study began with" in refusal(
        lambda: resolve(load(str(first.files.config)))
    )
    assert (first.files.config.read_text(), first.files.folds.read_text()) == (text, listed)


def test_files_that_are_left_out_are_named_with_their_reason(tmp_path: Path) -> None:
    given = recorded(tmp_path)
    assert header(planned(tmp_path, *given, dry=True))["left out"].startswith(
        f"1 file or row that cannot be used: {bad.FILE} is no audio that can be read: "
    )
    for name in bad.GOOD[1::4]:  # one of each speaker, and the first again
        (tmp_path / "speech" / name).write_bytes(b"no sound")
    text = header(planned(tmp_path, *given, dry=True))["left out"]
    assert text.startswith("5 files or rows that cannot be used: ")
    assert text.endswith("; and 2 more")


def test_utterances_of_unknown_speakers_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = planned(tmp_path, dry=True).corpus
    parts = {"s00": "train", "s01": "train", "s02": "valid", "s03": "test"}
    corpus = toy.forgotten(
        toy.released(whole, {part: [s for s in parts if parts[s] == part] for part in parts.values()}), "s01"
    )
    monkeypatch.setattr("raysernas.corpora.catalogue.read", lambda *_: corpus)
    text = header(planned(tmp_path, "corpus.folds=official", dry=True))
    assert text["protocol"].endswith(
        "1 fold, 1 seed; validation: given by the corpus; no known speaker is on two sides"
    )
    assert text["unknown speakers"].startswith("the speaker of 8 utterances is unknown")
    assert "unused" not in text
    apart = header(planned(tmp_path, "corpus.folds=speaker", "corpus.valid_fraction=0.3", dry=True))
    assert "unknown speakers" not in apart
    assert apart["unused"] == "8 utterances are in no part of a fold"


def test_folds_that_lack_an_emotion_and_confounded_emotions_are_told_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = planned(tmp_path, dry=True).corpus
    lost = [row for row in whole.utterances if (row.speaker, row.emotion) != ("s01", whole.emotions[0])]
    corpus = replace(whole, utterances=tuple(lost), confounded=("who speaks tells the emotion",))
    monkeypatch.setattr("raysernas.corpora.catalogue.read", lambda *_: corpus)
    text = header(planned(tmp_path, "corpus.folds=speaker", dry=True))
    assert f"1 (s01) has no {whole.emotions[0]}" in text["lacking"]
    assert "confounded" in text


def test_the_folder_of_another_version_is_refused(tmp_path: Path) -> None:
    path = planned(tmp_path).files.config
    path.write_text("search: {old_key: 3}\ncompute: {precision: fp32}")
    assert refusal(lambda: planned(tmp_path)).startswith(
        f"study: {path} was not written by this version of raysernas\n  got: search.old_key"
    )


@pytest.mark.parametrize(
    "override", ["study.sampler=random", "study.space={retrain.lr: {low: 1e-6, high: 1}}"]
)
def test_another_sampler_or_space_is_refused(tmp_path: Path, override: str) -> None:
    planned(tmp_path)
    assert "was run with other settings" in refusal(lambda: planned(tmp_path, override))


@pytest.mark.parametrize(
    "override",
    [
        "study.candidates=9",
        "study.folds=[1]",
        "study.seeds=[0,1]",
        "study.arms=[cnn]",
        "study.resources.cpus=1",
        "study.retry_failed=true",
    ],
)
def test_a_study_may_grow_and_shrink(tmp_path: Path, override: str) -> None:
    planned(tmp_path)
    plan = planned(tmp_path, override)
    assert load(str(plan.files.config)) == plan.config  # study.yaml states the latest plan


def test_an_arm_that_reads_no_key_of_the_space_has_one_candidate(tmp_path: Path) -> None:
    plan = planned(
        tmp_path, "study.candidates=3", "study.space={search.alphas_lr: {low: 1e-6, high: 1}}", dry=True
    )
    assert (plan.trials("darts"), plan.trials("cnn")) == (12, 4)


def test_ended_trials_are_counted(tmp_path: Path) -> None:
    files = study_files(config(tmp_path))
    for one in (records.record("cnn", fold=0), records.record("cnn", fold=7), records.failure("cnn", fold=1)):
        ledger.write(files.trial(one.key), [one])
    plan = planned(tmp_path)
    assert (plan.finished, plan.failed) == ({"cnn": 1}, {"cnn": 1})
    assert (plan.left("cnn"), plan.left("darts")) == (2, 4)
    assert planned(tmp_path, "study.retry_failed=true").left("cnn") == 3


def test_the_header_says_what_will_run(tmp_path: Path, no_gpus: None) -> None:
    text = header(planned(tmp_path, "study.folds=[0,2]"))
    assert text["study"] == f"study in {tmp_path}/study"
    assert text["corpus"].startswith("synthetic: 32 utterances of 4 speakers (")
    assert (
        text["protocol"]
        == "leave one speaker out, 2 folds, 1 seed; validation: speakers(0.2); no speaker is on two sides"
    )
    assert text["trials"] == "4 planned, 0 finished"
    assert text["runs on"] == "4 CPUs, 1 thread a trial, 4 at once"


def test_a_finished_study_may_be_read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned(tmp_path)
    plan.files.config.chmod(stat.S_IREAD)
    monkeypatch.setattr("raysernas.record.storage.write_text", lambda *_: pytest.fail("written"))
    assert planned(tmp_path).config == plan.config


def test_a_folder_that_cannot_be_written_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file in the way")
    assert "storage: cannot write" in refusal(lambda: planned(tmp_path / "results"))


def test_a_corpus_that_is_not_as_published_is_marked_before_anything_runs(tmp_path: Path) -> None:
    names = [
        f"{speaker}a0{text}{letter}a"
        for speaker in ("03", "08", "09", "10")
        for text in (1, 2)
        for letter in "WT"
    ]
    for number, name in enumerate(names):
        soundfile.write(tmp_path / f"{name}.wav", np.full(8_000, 0.01 * (number + 1)), 16_000)
    wanted = ("corpus.name=emodb", f"corpus.root={tmp_path}", "corpus.emotions=[anger,sadness]")
    text = header(planned(tmp_path / "results", *wanted, dry=True))
    assert text["not as published"].startswith("the corpus does not fit 3 published tables of its counts or ")
    assert "not as published" not in header(planned(tmp_path / "results", dry=True))
