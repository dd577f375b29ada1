"""Laws of telemetry: TensorBoard's own reader finds each event once, also after a second attempt, and
while the trial runs.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from raysernas.config.files import assign
from raysernas.config.identity import trial_config
from raysernas.config.schema import Config, ResourcesConfig, StudyConfig
from raysernas.drawing import pictures
from raysernas.record import storage
from raysernas.record.files import TrialFiles, TrialKey
from raysernas.record.genotype import MixingWeights, choose, draw, from_json, space
from raysernas.record.storage import StorageFault
from raysernas.tensorboard import telemetry as telemetry_room
from raysernas.tensorboard.telemetry import Progress, Telemetry
from tests.support.runs import Run, event_counts

TRIAL = trial_config(assign(Config(), {"network.nodes": 1}), arm="darts", fold=2, seed=1)
FACTS = {
    "n_weights": 30,
    "n_alphas": 31,
    "n_valid": 12,
    "n_test": 10,
    "valid_speakers": '["anna"]',
    "test_speakers": '["bert"]',
    "n_unknown": 3,
    "n_skipped": 0,
    "n_unlike": 0,
    "n_confounded": 0,
    "n_known_texts": 0,
}


def files_in(root: Path) -> TrialFiles:
    return TrialFiles(root, TrialKey(arm="darts", candidate=3, fold=2, seed=1))


def opened(files: TrialFiles, every: int = 0, report=lambda _: None) -> Telemetry:
    return Telemetry(
        files, TRIAL, StudyConfig(name="small", resources=ResourcesConfig(pictures_every=every)), report
    )


def searched(epoch: int) -> dict[str, Any]:
    """An entry of a search."""
    rng, parts = np.random.default_rng(epoch), space(TRIAL.network)
    mixing: MixingWeights = {
        part: rng.dirichlet(np.ones(len(choice.operations)), len(choice.edges))
        for part, choice in parts.items()
    }
    genotype = choose(mixing, parts).to_json()
    return {
        "epoch": epoch,
        "loss": 1 / epoch,
        "mixing": {part: each.tolist() for part, each in mixing.items()},
        "genotype": genotype,
    }


def test_scalars_are_read_back_and_a_second_attempt_replaces_the_first(tmp_path):
    files = files_in(tmp_path)
    for attempt in (5, 7):
        telemetry = opened(files)
        stage = telemetry.stage("search", 2)
        for epoch in (1, 2):
            stage({"epoch": epoch, "loss": attempt / epoch, "genotype": ""})
        telemetry.close()
    assert files.tensorboard == tmp_path / "tensorboard" / "darts" / "c003" / "f2" / "s1"
    assert Run(files.tensorboard).scalars == {"search/loss": {1: 7.0, 2: 3.5}}
    assert set(event_counts(files.tensorboard).values()) == {1}
    lines = [json.loads(line) for line in files.history.read_text().splitlines()]
    assert lines == [
        {"stage": "search", "epoch": epoch, "loss": 7 / epoch, "genotype": ""} for epoch in (1, 2)
    ]


def test_nested_numbers_are_scalars_by_their_way_and_what_is_only_shown_is_no_part_of_the_history(tmp_path):
    files = files_in(tmp_path)
    telemetry = opened(files)
    shown = {
        "timing": {"step_s": 0.5},
        "shares": {"normal": {"node0_from1": {"skip_connect": 0.75}}},
        "confusion": [[1, 0], [0, 1]],
    }
    entry = {"epoch": 1, "warning": "every gene skips", **shown}
    telemetry.stage("search", 1)(entry)
    telemetry.close()
    run = Run(files.tensorboard)
    assert run.scalars == {
        "search_alphas/normal/node0_from1/skip_connect": {1: 0.75},
        "search/timing/step_s": {1: 0.5},
    }
    assert run.texts["search/warning"] == {1: "every gene skips"}
    assert run.images == {}, "pictures_every=0"
    (line,) = files.history.read_text().splitlines()
    assert json.loads(line) == {"stage": "search", "epoch": 1, "warning": "every gene skips"}


def test_seeds_of_a_retraining_share_neither_a_tag_nor_a_line(tmp_path):
    files = files_in(tmp_path)
    telemetry = opened(files)
    for seed in (0, 3):
        telemetry.stage("retrain", 1, seed)({"epoch": 1, "loss": float(seed)})
    telemetry.close()
    assert Run(files.tensorboard).scalars == {"retrain-0/loss": {1: 0.0}, "retrain-3/loss": {1: 3.0}}
    lines = [json.loads(line) for line in files.history.read_text().splitlines()]
    assert [(line["stage"], line["retrain_seed"]) for line in lines] == [("retrain", 0), ("retrain", 3)]


@pytest.mark.parametrize(
    ("every", "epochs"), [(0, []), (1, [1, 2, 3, 4, 5]), (2, [2, 4, 5]), (5, [5]), (9, [5])]
)
def test_pictures_come_every_so_many_epochs_and_at_the_end_of_a_stage(tmp_path, every, epochs):
    files = files_in(tmp_path)
    telemetry = opened(files, every)
    telemetry.parts(FACTS, ("joy", "fear"))
    search, retrain = telemetry.stage("search", 5), telemetry.stage("retrain", 5, 0)
    for epoch in range(1, 6):
        search(searched(epoch))
        retrain({"epoch": epoch, "loss": 1.0, "confusion": np.array([[epoch, 1], [0, 2]])})
    telemetry.close()
    images = Run(files.tensorboard).images
    tags = {f"search/{what}_{part}" for what in ("alphas", "cell") for part in ("normal", "reduction")}
    assert set(images) == ((tags | {"retrain-0/valid_confusion"}) if epochs else set())
    assert all(list(each) == epochs for each in images.values())
    for epoch in epochs:
        expected = pictures.confusion([[epoch, 1], [0, 2]], ("joy", "fear"), f"validation, epoch {epoch}")
        assert images["retrain-0/valid_confusion"][epoch] == pictures.png(expected)[0]
        entry = searched(epoch)
        alphas = pictures.alphas(
            entry["mixing"], space(TRIAL.network), "normal", from_json(entry["genotype"])
        )
        assert images["search/alphas_normal"][epoch] == pictures.png(alphas)[0]


def test_a_run_says_what_it_is_from_its_first_byte_on_and_can_be_read_while_it_grows(tmp_path):
    """The file appears whole, and each epoch is there as soon as it is reported, though nothing was
    closed.
    """
    files = files_in(tmp_path)
    telemetry = opened(files)
    run = Run(files.tensorboard)
    assert run.hparams == {"arm": "darts", "candidate": "c003", "fold": "f2", "seed": "s1"}
    assert run.status is None
    assert "- **search.epochs**: 30" in run.texts["settings"][0]
    assert "- **trial**: darts-c003-f2-s1" in run.texts["protocol"][0]
    for epoch in (1, 2):
        telemetry.stage("search", 9)({"epoch": epoch, "loss": 1.0})
        assert list(Run(files.tensorboard).scalars["search/loss"]) == [*range(1, epoch + 1)]
    telemetry.parts(FACTS, ("joy", "fear"))
    telemetry.genotype(draw(np.random.default_rng(0), space(TRIAL.network)))
    telemetry.remark("a checkpoint is torn")
    run = Run(files.tensorboard)
    assert "- **test**: 10 utterances of bert" in run.texts["parts"][0]
    assert "marked: unknown speakers" in run.texts["parts"][0]
    assert set(run.images) == {"genotype/normal", "genotype/reduction"}
    assert run.texts["remarks"] == {0: "a checkpoint is torn"}
    telemetry.close()


def test_progress_is_reported_but_for_what_an_earlier_attempt_has_reported(tmp_path):
    seen: list[Progress] = []
    stage = opened(files_in(tmp_path), report=seen.append).stage("retrain", 3, 0)
    stage({"epoch": 1, "loss": 3.0, "valid_ua": 0.25, "restored": True})
    stage({"epoch": 2, "loss": 2.0, "valid_ua": 0.5})
    assert seen == [Progress(stage="retrain", epoch=2, epochs=3, loss=2.0, valid_ua=0.5)]


def test_an_attempt_that_was_taken_for_lost_and_lives_writes_nothing_over_the_next_one(tmp_path):
    files = files_in(tmp_path)
    lost, second = opened(files), opened(files)
    stages = [each.stage("search", 2) for each in (lost, second)]
    stages[1]({"epoch": 1, "loss": 1.0})
    stages[0]({"epoch": 1, "loss": 9.0})
    second.close()
    lost.close()
    assert Run(files.tensorboard).scalars == {"search/loss": {1: 1.0}}
    assert len(list(files.tensorboard.iterdir())) == 1
    assert json.loads(files.history.read_text())["loss"] == 1.0


def test_a_run_whose_folder_somebody_deletes_costs_the_trial_nothing(tmp_path):
    files = files_in(tmp_path)
    telemetry = opened(files)
    shutil.rmtree(files.tensorboard)
    telemetry.stage("search", 2)({"epoch": 1, "loss": 1.0})
    telemetry.close()
    assert json.loads(files.history.read_text())["loss"] == 1.0


def test_a_disk_that_takes_nothing_is_a_fault(tmp_path, monkeypatch):
    files = files_in(tmp_path)
    telemetry = opened(files)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(StorageFault, match="No space left on device"):
        telemetry.stage("search", 2)({"epoch": 1, "loss": 1.0})


def test_a_store_of_whole_objects_has_the_run_from_the_beginning_and_again_and_again(tmp_path, monkeypatch):
    place = storage.place(f"memory://telemetry/{tmp_path.name}-{os.getpid()}")
    files, here = files_in(place), tmp_path / "copy"

    def copied() -> Run:
        shutil.rmtree(here, ignore_errors=True)
        here.mkdir()
        for path in storage.listed(files.tensorboard):
            (here / path.name).write_bytes(storage.read(path))
        return Run(here)

    telemetry = opened(files)
    assert copied().hparams["fold"] == "f2"
    stage = telemetry.stage("search", 9)
    stage({"epoch": 1, "loss": 1.0})
    assert copied().scalars == {}, "not with every epoch"
    monkeypatch.setattr(telemetry_room, "COPY_S", 0.0)
    stage({"epoch": 2, "loss": 2.0})
    assert copied().scalars == {"search/loss": {1: 1.0, 2: 2.0}}
    monkeypatch.undo()
    other = opened(files)  # another attempt: the first was taken for lost
    stage({"epoch": 3, "loss": 3.0})
    telemetry.close()
    assert copied().scalars == {}
    other.stage("search", 9)({"epoch": 1, "loss": 5.0})
    other.close()
    assert copied().scalars == {"search/loss": {1: 5.0}}
    assert not telemetry.mirror.folder.exists()
    assert not other.mirror.folder.exists()
