"""Laws of the end of a run: every trial has one, however it ended and whoever writes it, and it never stands
there twice.
"""

import dataclasses
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from tensorboard.plugins.hparams import metadata

from raysernas.config.files import assign
from raysernas.config.identity import digest, settings, trial_config
from raysernas.config.schema import Config, StudyConfig, TrialConfig
from raysernas.drawing import pictures
from raysernas.record import ledger, storage
from raysernas.record.files import StudyFiles, TrialFiles, TrialKey
from raysernas.record.ledger import TrialRecord
from raysernas.record.storage import StorageFault
from raysernas.tensorboard import finalize
from raysernas.tensorboard.run_header import markdown_list
from raysernas.tensorboard.telemetry import Telemetry
from tests.support import records
from tests.support.runs import SESSION, Run, event_counts

SPACE = {
    "search.alphas_lr": {"low": 0.001, "high": 0.1, "log": True},
    "network.channels": {"choices": [4, 8]},
    "network.stem_halves": {"choices": [True, False]},
    "search.order": {"choices": ["first", "second_exact"]},
}
STUDY = StudyConfig(name="small", space=SPACE)
DARTS = TrialKey(arm="darts", candidate=3, fold=2, seed=1)


def trial_of(key: TrialKey) -> TrialConfig:
    return trial_config(
        assign(Config(), {"search.alphas_lr": 0.02}), arm=key.arm, fold=key.fold, seed=key.seed
    )


def finished(key: TrialKey, *seeds: int) -> list[TrialRecord]:
    trial = trial_of(key)
    made = [
        records.record(
            key.arm, key.candidate, key.fold, key.seed, s, valid=(s, 5, 5), test=(5, 5, s), epoch=9
        )
        for s in seeds
    ]
    return [dataclasses.replace(each, digest=digest(trial), settings=settings(trial)) for each in made]


def begun(files: TrialFiles, *, epochs: int = 0) -> None:
    """What a process leaves of a run that it could not end."""
    telemetry = Telemetry(files, trial_of(files.key), STUDY, lambda _: None)
    for epoch in range(1, epochs + 1):
        telemetry.stage("search", 9)({"epoch": epoch, "loss": 1.0})


@pytest.fixture
def files(tmp_path: Path) -> TrialFiles:
    return StudyFiles(tmp_path).trial(DARTS)


@pytest.mark.parametrize(
    "process", ["never began", "began", "was in its third epoch", "was ended before", "was ended unbegun"]
)
@pytest.mark.parametrize("status", ["lost", "raced"])
def test_the_driver_ends_the_run_of_a_trial_that_cannot(files, process, status):
    trial = trial_of(DARTS)
    if process in ("began", "was in its third epoch", "was ended before"):
        begun(files, epochs=0 if process == "began" else 2)
    if process.startswith("was ended"):
        finalize.finalize(
            files, trial, STUDY, [ledger.failure(trial, "small", DARTS, "an earlier launch says so", "error")]
        )
    record = (
        ledger.raced(trial, "small", DARTS, "raced out: 3 points below")
        if status == "raced"
        else ledger.failure(trial, "small", DARTS, "its process was lost\nfor good", "lost")
    )
    rows = finalize.finalize(files, trial, STUDY, [record])
    assert rows["status"].tolist() == [record.status]
    run = Run(files.tensorboard)
    assert run.hparams == {
        "arm": "darts",
        "candidate": "c003",
        "fold": "f2",
        "seed": "s1",
        "search.alphas_lr": 0.02,
        "network.channels": 8,
        "network.stem_halves": True,
        "search.order": "first",
    }
    assert run.status == ("UNKNOWN" if status == "raced" else "FAILURE")
    expected = (
        "**raced**\n\nraced out: 3 points below"
        if status == "raced"
        else "**failed (lost)**\n\nits process was lost\n\nfor good"
    )
    assert run.texts["status"] == {0: expected}
    assert {"settings", "protocol"} <= set(run.texts)
    kept = (
        {"search/loss": {1: 1.0, 2: 1.0}} if process in ("was in its third epoch", "was ended before") else {}
    )
    assert run.scalars == {"result/finished": {0: 0.0}, **kept}, "no score that it does not have"
    counts = event_counts(files.tensorboard)
    assert set(counts.values()) == {1}
    assert {tag for tag, _ in counts} >= SESSION


def test_a_finished_run_has_its_scores_and_confusions(files):
    begun(files)
    ended = finished(DARTS, 2, 6)
    finalize.finalize(files, trial_of(DARTS), STUDY, ended)
    run = Run(files.tensorboard)
    assert run.status == "SUCCESS"
    assert run.scalars["result/valid_ua"][0] == pytest.approx(np.mean([12 / 30, 16 / 30]))
    assert run.scalars["result/test_wa"][0] == pytest.approx(np.mean([12 / 30, 16 / 30]))
    assert run.scalars["result/finished"] == {0: 1.0}
    status, scores = run.texts["status"][0], "UA 53.3 %, WA 53.3 %, F1 53.3 %, 30 utterances"
    assert f"- **retrain seed 6, epoch 9**: validation {scores}; test {scores}" in status
    tags = {f"result/{role}_confusion-{seed}" for role in ("valid", "test") for seed in (2, 6)}
    assert {tag for tag in run.images if tag.startswith("result/")} == tags
    for record in ended:
        assert record.test is not None
        heading = f"test, retrain seed {record.retrain_seed}"
        expected = pictures.confusion(record.test.confusion, record.emotions, heading)
        assert run.images[f"result/test_confusion-{record.retrain_seed}"] == {9: pictures.png(expected)[0]}


def test_the_hparams_page_is_told_its_columns_by_every_run_alike(tmp_path):
    """Also by an arm that reads no setting of the space, whichever run the page happens to ask."""
    told_by = {}
    for arm in ("darts", "majority"):
        key = TrialKey(arm=arm, candidate=0, fold=0, seed=0)
        files = StudyFiles(tmp_path).trial(key)
        finalize.finalize(files, trial_of(key), STUDY, finished(key, 0))
        experiment = Run(files.tensorboard).session(metadata.EXPERIMENT_TAG)
        told_by[arm] = [(info.name, info.type) for info in experiment.hparam_infos]
        metrics = [info.name.tag for info in experiment.metric_infos]
        assert set(metrics) <= set(Run(files.tensorboard).scalars), (
            "every column has its scalar in a finished run"
        )
    string, boolean, number = 1, 2, 3
    types = dict.fromkeys(SPACE, number) | {"network.stem_halves": boolean, "search.order": string}
    assert told_by["darts"] == [
        *((name, string) for name in ("arm", "candidate", "fold", "seed")),
        *types.items(),
    ]
    assert told_by["majority"] == told_by["darts"]
    assert set(
        Run(
            StudyFiles(tmp_path).trial(TrialKey(arm="majority", candidate=0, fold=0, seed=0)).tensorboard
        ).hparams
    ) == {"arm", "candidate", "fold", "seed"}


def test_the_end_is_written_before_the_record(files, monkeypatch):
    """A trial that is killed in between has no record, so it is run again and writes its run anew; the other
    way round it would have a run without end for ever."""

    def full(*_, **__):
        raise StorageFault(
            "storage", "cannot write", got="No space left on device", expected="room", fix="make room"
        )

    monkeypatch.setattr(ledger, "write", full)
    with pytest.raises(StorageFault):
        finalize.finalize(files, trial_of(DARTS), STUDY, finished(DARTS, 0))
    assert Run(files.tensorboard).status == "SUCCESS"
    assert not files.record.exists()


def test_the_end_is_the_last_file_of_a_run(files):
    begun(files)
    finalize.finalize(files, trial_of(DARTS), STUDY, finished(DARTS, 0))
    names = [path.name for path in storage.listed(files.tensorboard)]
    assert names == sorted(names)
    assert names[-1] == files.events_end.name
    assert len(names) == 2


def test_the_end_in_a_store_is_an_object_beside_the_run(tmp_path):
    place = storage.place(f"memory://endings/{tmp_path.name}")
    files = StudyFiles(place).trial(DARTS)
    record = ledger.failure(trial_of(DARTS), "small", DARTS, "its node was lost", "lost")
    finalize.finalize(files, trial_of(DARTS), STUDY, [record])
    (tmp_path / files.events_end.name).write_bytes(storage.read(files.events_end))
    assert Run(tmp_path).status == "FAILURE"


def test_what_markdown_would_take_for_its_own_is_told_as_it_is():
    from markdown import markdown  # which TensorBoard uses

    values = {
        "a_b_c": ("x*y*", "<b>"),
        "none": (),
        "lines": "1\n2",
        "list": '["_s_", {}]',
        "code": "`a` | #1 \\",
    }
    text = "".join(ElementTree.fromstring(f"<all>{markdown(markdown_list(values))}</all>").itertext())
    assert [line for line in text.splitlines() if line] == [
        "a_b_c: x*y*, <b>",
        "none: none",
        "lines: 1 2",
        'list: ["_s_", {}]',
        "code: `a` | #1 \\",
    ]
