"""Laws of the ensemble of a real trial: it follows from the posteriors and the models that the trial leaves,
and the analysis finds one that does not.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import analysis
from analysis import tables
from analysis.report.page import page
from raysernas import trial as trial_room
from raysernas.config.files import assign
from raysernas.config.identity import trial_config
from raysernas.corpora import catalogue
from raysernas.record import ledger
from raysernas.record.ensembles import CONFUSIONS, MEMBERS, SCORES, mean_posteriors
from raysernas.record.files import StudyFiles, TrialFiles, TrialKey, write_study_config
from raysernas.record.metrics import Evaluation, evaluate
from raysernas.training import stored_model
from raysernas.training.data import prepare
from raysernas.training.evaluation import averaged, network_posteriors
from raysernas.training.evaluation import evaluate as evaluated
from tests.support.runs import Run
from tests.test_trial import TINY, resolved, run

CONFIG = assign(
    TINY,
    {
        "study.name": "small",
        "study.arms": ["cnn", "majority"],
        "study.folds": [0, 1],
        "retrain.seeds": [0, 1, 2],
        "retrain.lr": 0.02,
        "retrain.average": 0.5,
    },
)
OWN = [MEMBERS, *SCORES, *CONFUSIONS]


@pytest.fixture(scope="module")
def studied(tmp_path_factory) -> StudyFiles:
    root = tmp_path_factory.mktemp("studied")
    config, files = (
        trial_room.resolve(CONFIG, catalogue.read(CONFIG.corpus, None)),
        StudyFiles(root / "study"),
    )
    write_study_config(files, config)
    for arm in ("cnn", "majority"):
        for fold in (0, 1):
            own = files.trial(TrialKey(arm=arm, candidate=0, fold=fold, seed=0))
            trial = trial_config(config, arm=arm, fold=fold, seed=0)
            trial_room.run(trial, study=config.study, files=own, cache=root / "cache")
    return files


def of(studied: StudyFiles, arm: str) -> tuple[pd.DataFrame, TrialFiles]:
    files = studied.trial(TrialKey(arm=arm, candidate=0, fold=0, seed=0))
    rows = ledger.read(files)
    assert rows is not None
    return rows, files


def posteriors(files: TrialFiles) -> list[pd.DataFrame]:
    return [group for _, group in pd.read_parquet(files.predictions).groupby("retrain_seed")]


def test_the_recorded_scores_are_those_of_the_mean_of_the_stored_posteriors(studied):
    rows, files = of(studied, "cnn")
    members, emotions = posteriors(files), json.loads(rows["emotions"].iloc[0])
    each = [one.filter(like="p_").to_numpy() for one in members]
    assert not np.array_equal(each[0], each[1])
    truth = [emotions.index(emotion) for emotion in members[0]["emotion"]]
    found = evaluate(truth, mean_posteriors(each).argmax(axis=1), len(emotions))
    for _, row in rows.iterrows():
        assert row[MEMBERS] == 3
        assert json.loads(row["ensemble_test_confusion"]) == found.confusion.tolist()
        assert {name: row[f"ensemble_test_{name}"] for name in found.scores} == found.scores


def test_the_validation_scores_are_those_of_the_stored_models_together(studied):
    rows, files = of(studied, "cnn")
    data = prepare(resolved("cnn", CONFIG), None)
    models = [stored_model.restored(stored_model.load(files.weights(seed))) for seed in (2, 0, 1)]
    each = [evaluated(network_posteriors(model), data.part("valid"), model.classes) for model in models]
    assert (
        json.loads(rows["ensemble_valid_confusion"].iloc[0]) == averaged(each).evaluation.confusion.tolist()
    )


def test_trained_on_all_but_test_it_is_chosen_and_validated_by_the_first_trainings(studied, tmp_path):
    rows, _ = of(studied, "cnn")
    anew, files = run(tmp_path, resolved("cnn", assign(CONFIG, {"retrain.on": "all_but_test"})))
    for name in rows.filter(like="ensemble_valid"):
        assert anew[name].tolist() == rows[name].tolist()
    each = [one.filter(like="p_").to_numpy() for one in posteriors(files)]
    recorded = Evaluation(np.array(json.loads(anew["ensemble_test_confusion"].iloc[0])))
    assert np.array_equal(
        recorded.confusion.sum(axis=0), np.bincount(mean_posteriors(each).argmax(axis=1), minlength=4)
    )


def test_of_identical_members_it_scores_like_one(studied):
    rows, _ = of(studied, "majority")
    for part in ("valid", "test"):
        assert rows[f"ensemble_{part}_confusion"].tolist() == rows[f"{part}_confusion"].tolist()


def test_the_order_of_the_retrain_seeds_changes_nothing_and_a_single_one_has_none(studied, tmp_path):
    rows, _ = of(studied, "cnn")
    for seeds in ([2, 0, 1], [0]):
        other, _ = run(
            tmp_path, resolved("cnn", assign(CONFIG, {"retrain.seeds": seeds})), f"of {len(seeds)}"
        )
        if len(seeds) == 1:
            assert not [name for name in other if "ensemble" in str(name)]
        else:
            pd.testing.assert_frame_equal(other[OWN], rows[OWN])


def test_tensorboard_shows_its_scores_beside_those_of_the_members(studied):
    rows, files = of(studied, "cnn")
    shown = Run(files.tensorboard)
    assert shown.scalars["result/ensemble_test_ua"] == {0: pytest.approx(rows["ensemble_test_ua"].iloc[0])}
    assert "mean posteriors of 3 retrainings" in str(shown.texts["status"])
    assert {"result/ensemble_valid_confusion", "result/ensemble_test_confusion"} <= set(shown.images)


def test_the_command_names_its_scores(tmp_path, capsys):
    command = ["laptop", "arm=majority", "retrain.seeds=[0,1]", f"study.storage={tmp_path}"]
    assert trial_room.main(command) == 0
    assert "mean posteriors of its 2 retrainings: valid_ua 25.0, test_ua 25.0" in capsys.readouterr().out


# --- the analysis


def shown(results: analysis.Results) -> dict[str, dict[Any, Any]]:
    """Arm -> the row of its ensembles."""
    rows = results.rows("ensembles", selection="nested").to_dict("records")
    return {row["of"]: row for row in rows}


def forged(studied: StudyFiles, folder: Path, *, consistent: bool) -> Path:
    """A copy of the study in which one ensemble is better than its members' posteriors allow."""
    copy = shutil.copytree(studied.root, folder / "copy")
    path = StudyFiles(copy).trial(TrialKey(arm="cnn", candidate=0, fold=0, seed=0)).record
    rows = pd.read_parquet(path)
    right = np.diag(np.array(json.loads(rows["ensemble_test_confusion"].iloc[0])).sum(axis=1))
    scores = {f"ensemble_test_{name}": score for name, score in Evaluation(right).scores.items()}
    if consistent:
        scores |= {"ensemble_test_confusion": json.dumps(right.tolist())}
    ledger.write_table(path, rows.assign(**scores))
    return copy


def test_the_analysis_shows_ensembles_apart_from_arms_and_lets_them_change_no_number(studied, tmp_path):
    results = analysis.load(studied.root)
    found = shown(results)
    assert found["cnn"]["arm"] == "cnn (ensemble of 3)"
    own = results.trials.drop_duplicates("trial").query("arm == 'cnn'")
    assert found["cnn"]["ua"] == pytest.approx(own["ensemble_test_ua"].mean())
    assert found["cnn"]["gain"] == pytest.approx(found["cnn"]["ua"] - found["cnn"]["member_ua"])
    assert found["majority"]["gain"] == 0
    assert results.arms["arm"].unique().tolist() == ["cnn", "majority"]
    headline = tables.headline(results.arms, results.ensembles)["arm"].tolist()
    assert sorted(headline) == ["cnn", "cnn (ensemble of 3)", "majority", "majority (ensemble of 3)"]
    assert "Ensembles of retrain seeds" in page(results)
    bare = Path(shutil.copytree(studied.root, tmp_path / "bare"))
    for path in StudyFiles(bare).trials.iterdir():
        rows = pd.read_parquet(path)
        ledger.write_table(path, rows.drop(columns=[name for name in rows if "ensemble" in str(name)]))
    without = analysis.load(bare)
    for name in ("chosen", "folds", "arms", "classes", "speakers", "pairs", "cost", "components", "pareto"):
        pd.testing.assert_frame_equal(getattr(results, name), getattr(without, name))
    assert without.ensembles.empty
    assert tables.headline(without.arms, without.ensembles)["arm"].nunique() == 2
    assert "Ensembles of retrain seeds" not in page(without)


@pytest.mark.parametrize("consistent", [False, True])
def test_a_forged_ensemble_is_named_and_unknown_in_the_analysis(studied, tmp_path, consistent):
    results = analysis.load(forged(studied, tmp_path, consistent=consistent))
    assert np.isnan(shown(results)["cnn"]["ua"])
    assert shown(results)["majority"]["ua"] > 0
    why = "do not follow from their predictions" if consistent else "do not fit their confusion"
    assert [each for each in results.remarks if "cnn-c000-f0-s0" in each and why in each]
    assert len(results.rows("arms", selection="nested").dropna(subset="ua")) == 2, "the members still count"
