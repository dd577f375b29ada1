"""Loading: what is in a study folder, whatever state its files are in, becomes frames of one shape and remarks in words."""

from pathlib import Path

import pytest

import analysis
from analysis.study import NUMBERS, TEXTS
from tests.ledgers import NAME, simulated

SMALL = {"arms": ("darts", "cnn"), "folds": 3, "seeds": 2, "candidates": 2}


def test_every_row_of_the_ledger_is_a_row_of_the_trials(tmp_path: Path) -> None:
    simulated(tmp_path / "one", **SMALL, retrain_seeds=2)
    results = analysis.load(tmp_path / "one")
    assert len(results.trials) == 2 * 2 * 3 * 2 * 2
    assert results.studies[["study", "trials", "finished"]].to_dict("records") == [{"study": NAME, "trials": 24, "finished": 24}]
    assert {*NUMBERS, *TEXTS, "trial", "planned", "n_train", "genotype_digest"} <= {*results.trials}
    assert (results.trials["n_train"] == results.trials["n_weights"] + results.trials["n_alphas"]).all()
    assert results.trials.loc[results.trials["arm"] == "darts", "genotype_digest"].str.fullmatch("[0-9a-f]{8}").all()
    assert results.remarks == ()


@pytest.mark.parametrize("failed", [0.0, 0.2])
def test_one_file_or_many_hold_the_same_study(tmp_path: Path, failed: float) -> None:
    for singles in (True, False):
        simulated(tmp_path / str(singles), **SMALL, failed=failed, raced=0.2, singles=singles)
    one, many = (analysis.load(tmp_path / str(singles)).trials for singles in (True, False))
    columns = sorted(one)
    assert one[columns].equals(many[columns])
