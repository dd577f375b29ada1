"""Which candidate represents an arm: no test column can change a choice, and the oracle is an upper bound."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analysis
from analysis import selection
from analysis.selection import FLAT, NESTED, ORACLE, choices, validation
from raysernas.config.files import assign
from tests.support.ledgers import simulated


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> analysis.Results:
    root = tmp_path_factory.mktemp("study")
    simulated(root, arms=("darts", "cnn"), folds=3, candidates=4, failed=0.02, tuning=0.0, seed=1)
    return analysis.load(root)


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), kind=st.sampled_from(["drawn", "turned over", "missing", "torn"]))
def test_no_test_column_changes_a_choice(study: analysis.Results, seed: int, kind: str) -> None:
    """All columns that a test fills are changed: every nested and flat choice stays, down to the bits of what
    is told of it.
    """
    rng, other = np.random.default_rng(seed), study.trials.copy()
    changed = [name for name in map(str, other) if "test" in name]
    assert {"test_ua", "test_confusion", "n_test", "test_s", "test_speakers"} <= {*changed}
    for name in changed:
        if other[name].dtype.kind in "fi":
            drawn = {
                "drawn": rng.random(len(other)),
                "turned over": 1 - other[name],
                "missing": np.nan,
                "torn": -1.0,
            }
            other[name] = drawn[kind]
        else:
            other[name] = rng.permutation(other[name].to_numpy()) if kind == "drawn" else ""
    config = study.configs["simulated"]
    for before, after in zip(study.choices["simulated"][:2], choices(other, config)[:2], strict=True):
        assert before.name == after.name
        pd.testing.assert_frame_equal(before.tried, after.tried, check_exact=True)
        pd.testing.assert_frame_equal(before.chosen, after.chosen, check_exact=True)


def test_a_choice_cannot_see_a_test_score(study: analysis.Results) -> None:
    assert [name for name in validation(study.trials) if "test" in str(name)] == []
    with pytest.raises(ValueError, match="a choice may not see "):
        selection.chosen_by_validation(study.trials, study.configs["simulated"], NESTED)


def test_a_changed_validation_score_changes_a_choice(study: analysis.Results) -> None:
    """So the law above is not empty."""
    other = study.trials.assign(valid_ua=1 - study.trials["valid_ua"])
    changed = choices(other, study.configs["simulated"])
    assert not changed[0].chosen["candidate"].equals(study.choices["simulated"][0].chosen["candidate"])


def test_no_other_choice_is_above_the_oracle(study: analysis.Results) -> None:
    wide = study.folds.pivot(index=["arm", "fold"], columns="selection", values="ua")
    assert (wide[NESTED] - wide[ORACLE]).max() < 1e-12
    assert (wide[FLAT] - wide[ORACLE]).max() < 1e-12
    assert (wide[NESTED] - wide[ORACLE]).min() < 0


def test_flat_chooses_one_candidate_for_all_folds_and_nested_one_for_each(study: analysis.Results) -> None:
    counted = study.chosen.drop_duplicates(["selection", "arm", "candidate"])["selection"].value_counts()
    assert counted[FLAT] == 2 < counted[NESTED]  # of two arms
    nested = study.choices["simulated"][0]
    for row in nested.chosen.itertuples():
        others = nested.tried[(nested.tried["arm"] == row.arm) & (nested.tried["fold"] == row.fold)]
        assert row.valid_ua == pytest.approx(others["valid_ua"].max())


def test_with_one_candidate_all_selections_agree(tmp_path: Path) -> None:
    simulated(tmp_path, arms=("cnn",), folds=2)
    results = analysis.load(tmp_path)
    tables = [
        rows.drop(columns="selection").reset_index(drop=True)
        for _, rows in results.folds.groupby("selection")
    ]
    assert len(tables) == 3
    for table in tables[1:]:
        pd.testing.assert_frame_equal(tables[0], table)
    assert set(results.arms["marks"]) == {"", "chosen by test scores"}


def test_a_nested_study_has_no_flat_choice(tmp_path: Path) -> None:
    """Its candidate 1 is another one on each fold: a mean over folds would be of no candidate."""
    simulated(tmp_path, arms=("cnn",), folds=2, candidates=3, protocol="nested")
    results = analysis.load(tmp_path)
    assert [choice.name for choice in results.choices["simulated"]] == [NESTED, ORACLE]
    assert results.arms.loc[results.arms["selection"] == NESTED, "marks"].tolist() == [""]
    assert results.trials.groupby(["candidate", "fold"])["retrain.lr"].nunique().max() == 1
    assert results.trials.loc[results.trials["candidate"] == 1, "retrain.lr"].nunique() == 2


@pytest.mark.parametrize(
    ("changed", "leaky"),
    [
        ({}, True),
        ({"study.sampler": "random"}, False),
        ({"study.protocol": "nested"}, False),
        ({"study.candidates": 1}, False),
    ],
)
def test_nested_choices_of_a_flat_study_are_marked_as_leaky(
    study: analysis.Results, changed: dict[str, str], leaky: bool
) -> None:
    """The proposer has seen validation scores of all folds; one that looks at no score has not."""
    config = assign(study.configs["simulated"], changed)
    found = {"optimistic": "of the flat choice", "transductive": "of features"}
    assert list(selection.marks(config, NESTED, found)) == [
        "transductive",
        *(["leaky proposals"] if leaky else []),
    ]
    assert list(selection.marks(config, FLAT, found)) == ["optimistic", "transductive"]
    assert list(selection.marks(config, ORACLE, found))[-1] == "chosen by test scores"


def test_every_mark_of_a_table_is_explained(study: analysis.Results) -> None:
    used = {mark for text in study.arms["marks"] for mark in text.split(", ") if mark}
    assert used == {*study.marks("simulated")} == {"leaky proposals", "optimistic", "chosen by test scores"}
    assert all(mark in study.cards["simulated"]["marks"] for mark in used)
