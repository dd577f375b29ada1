"""Laws of the units of statistics: folds of one test speaker are one result, all else stays as it is."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raysernas.record.metrics import METRICS, Evaluation
from raysernas.record.units import FOLDS, by_unit, count, pooled

COUNTS = st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=3, max_size=3)


def runs(confusions: list[list[list[int]]], speakers: int, scheme: str) -> pd.DataFrame:
    """One run; fold i tests speaker i modulo `speakers`."""
    rows = [
        {
            "arm": "cnn",
            "status": "finished",
            "candidate": 0,
            "fold": fold,
            "seed": 0,
            "retrain_seed": 0,
            "corpus.folds": scheme,
            "test_speakers": json.dumps([f"speaker {fold % speakers}"]),
            "test_confusion": json.dumps(table),
            "valid_confusion": json.dumps(np.eye(3, dtype=int).tolist()),
            "retrain_s": float(fold),
            **{f"test_{name}": score for name, score in Evaluation(np.array(table)).scores.items()},
        }
        for fold, table in enumerate(confusions)
    ]
    return pd.DataFrame(rows)


@given(confusions=st.lists(COUNTS, min_size=4, max_size=9), speakers=st.integers(1, 4))
def test_folds_of_a_speaker_become_one_and_the_scores_follow_from_the_sum(confusions, speakers):
    found = by_unit(runs(confusions, speakers, "speaker_text"))
    assert found["fold"].tolist() == list(range(speakers))
    for unit, row in enumerate(found.to_dict("records")):
        total = np.sum(confusions[unit::speakers], axis=0)
        assert json.loads(row["test_confusion"]) == total.tolist()
        for name, score in Evaluation(total).scores.items():
            np.testing.assert_equal(row[f"test_{name}"], score)
        assert row["retrain_s"] == pytest.approx(np.mean(range(unit, len(confusions), speakers)))
    before = pooled([json.dumps(table) for table in confusions]).confusion
    assert np.array_equal(pooled(found["test_confusion"].tolist()).confusion, before)


@given(
    confusions=st.lists(COUNTS, min_size=1, max_size=5), scheme=st.sampled_from(["speaker", "file", "random"])
)
def test_where_every_fold_is_a_result_nothing_changes(confusions, scheme):
    table = runs(confusions, 2, scheme)
    pd.testing.assert_frame_equal(by_unit(table), table)
    assert count(table, 7) == 7


def test_runs_stay_apart():
    one = runs([np.eye(3, dtype=int).tolist()] * 4, 2, "speaker_text")
    both = pd.concat([one, one.assign(seed=1), one.assign(arm="lstm")], ignore_index=True)
    found = by_unit(both)
    assert len(found) == 6
    assert count(both, 4) == 2
    assert set(found.columns) == {*both.columns, FOLDS}
    assert found[FOLDS].tolist() == [2] * 6
    assert all(f"test_{name}" in found for name in METRICS)


def test_a_speaker_some_of_whose_folds_have_not_finished_has_no_result():
    table = runs([np.eye(3, dtype=int).tolist()] * 6, 2, "speaker_text")
    other = table.assign(arm="lstm")
    found = by_unit(pd.concat([table, other[other["fold"] != 3]], ignore_index=True))
    assert [(row["arm"], row["fold"]) for row in found.to_dict("records")] == [
        ("cnn", 0),
        ("cnn", 1),
        ("lstm", 0),
    ]
    failed = table.assign(status=["finished"] * 5 + ["failed"])
    assert by_unit(failed)["status"].tolist() == ["finished", "finished", "failed"]
    missing = by_unit(table, planned=range(7))
    assert missing["fold"].tolist() == [0], "fold 6 may test the speaker of fold 5"


def test_pooling_twice_is_pooling_once():
    once = by_unit(runs([np.eye(3, dtype=int).tolist()] * 4, 2, "speaker_text"))
    pd.testing.assert_frame_equal(by_unit(once), once)
