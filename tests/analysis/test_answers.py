"""The answer in words: every number comes from the frames, and nothing is claimed without evidence."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analysis
from analysis import tables
from analysis.answers import COLUMNS, answers
from analysis.comparisons import over_random, pairs
from raysernas.config.fault import Fault
from tests.support.ledgers import NAME, simulated

GOOD, BAD = [0.70, 0.75, 0.72, 0.78, 0.71, 0.74], [0.60, 0.66, 0.65, 0.67, 0.60, 0.66]
NOTHING = pd.DataFrame()


def frames(scores: dict[str, list[float]], **columns: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The frames `arms` and `pairs` of one study."""
    rows = [
        {"arm": arm, "fold": fold, "candidate": 0, "ua": ua, "n_test": 40, "n_train": 320, "runs": 2}
        for arm, told in scores.items()
        for fold, ua in enumerate(told)
    ]
    folds = pd.DataFrame(rows, columns=["arm", "fold", "candidate", "ua", "n_test", "n_train", "runs"])
    folds = folds.assign(study="s", selection="nested")
    arms = pd.DataFrame(
        [
            {
                "study": "s",
                "selection": "nested",
                "arm": arm,
                "folds": len(told) or math.nan,
                "planned_folds": 6,
                "ua": np.mean(told) if told else math.nan,
                "ua_sd": np.std(told, ddof=1) if len(told) > 1 else math.nan,
                "worst_ua": min(told, default=math.nan),
                "best_ua": max(told, default=math.nan),
            }
            for arm, told in scores.items()
        ]
    )
    return arms.assign(
        **{"parameters": 35_000.0, "candidates": 2, "note": "", "marks": "", **columns}
    ), pairs(folds)


def cost(**seconds: dict[str, float]) -> pd.DataFrame:
    rows = [("s", arm, purpose, took) for arm, told in seconds.items() for purpose, took in told.items()]
    return pd.DataFrame(rows, columns=["study", "arm", "purpose", "seconds"])


def said(frame: pd.DataFrame, kind: str) -> list[str]:
    assert list(frame.columns) == list(COLUMNS)
    return frame.loc[frame["kind"] == kind, "sentence"].to_list()


def test_without_candidates_nothing_is_said_about_choosing() -> None:
    found = answers(*frames({"cnn": BAD, "darts": GOOD}, candidates=1), NOTHING)
    assert said(found, "best") == [
        "darts has the highest UA: 73.3 % (on average over 6 folds, sd 2.9, from 70.0 to 78.0)."
    ]


def test_the_answer_says_which_by_how_much_how_sure_and_at_what_cost() -> None:
    spent = cost(darts={"search": 7200.0, "retrain": 3600.0, "test": 30.0}, cnn={"retrain": 600.0})
    found = answers(*frames({"cnn": BAD, "darts": GOOD}), spent)
    assert found["sentence"].to_list() == [
        "darts has the highest UA: 73.3 % (on average over 6 folds, sd 2.9, from 70.0 to 78.0; the candidate "
        "of each fold was chosen by validation UA on that fold alone).",
        "Against cnn, the second: darts is 9.3 points of UA ahead of cnn (95 % interval 7.1 to 11.6, p < "
        "0.001).",
        "darts took 3.0 h in all (search 66 %, retrain 33 %). Its model has 35,000 parameters on average.",
        "cnn took 10 min in all (retrain 100 %). Its model has 35,000 parameters on average.",
    ]


def test_arms_that_may_be_as_good_are_named_separately() -> None:
    close = [ua + shift for ua, shift in zip(GOOD, (0.01, -0.03, 0.01, -0.02, 0.02, -0.01), strict=True)]
    found = answers(
        *frames(
            {
                "cnn": BAD,
                "darts": GOOD,
                "lstm": close,
                "random": [ua - 0.001 * i for i, ua in enumerate(close)],
            }
        ),
        NOTHING,
    )
    first, *others = said(found, "sure")
    assert first.startswith(
        "Against lstm, the second: nothing can be concluded: darts is 0.3 points of UA ahead of lstm, but "
        "that may"
    )
    assert others == [
        "darts is better than cnn (p < 0.05 after Holm).",
        "Whether darts is better than random cannot be concluded.",
    ]


def test_one_arm_no_arm_and_one_fold() -> None:
    alone = answers(*frames({"cnn": GOOD}), NOTHING)
    assert said(alone, "sure") == ["No other arm has a result to compare cnn with."]
    assert said(answers(*frames({"cnn": []}, note="no complete candidate"), NOTHING), "best") == [
        "Nothing can be concluded: no arm has a result yet."
    ]
    once = answers(*frames({"cnn": [0.7], "darts": [0.6]}), NOTHING)
    assert said(once, "best")[0].startswith(
        "cnn has the highest UA: 70.0 % (on one fold, so its variation is unknown; "
    )
    assert said(once, "best")[0].endswith(" 1 of 6 planned folds have a score so far.")
    assert "one common fold has no spread" in said(once, "sure")[0]


def test_equal_arms_share_the_first_place() -> None:
    found = answers(*frames({"cnn": GOOD, "darts": GOOD}), NOTHING)
    assert said(found, "best")[0].startswith("cnn and darts share the highest UA: 73.3 %")
    assert said(found, "sure") == [
        "Against darts, the second: nothing can be concluded: the scores are equal on all 6 folds."
    ]


def test_an_unknown_cost_is_called_unknown() -> None:
    spent = cost(darts={"retrain": 100.0, "failed": math.nan, "raced": math.nan})
    told = said(answers(*frames({"cnn": BAD, "darts": GOOD}, parameters=math.nan), spent), "cost")
    assert told == [
        "darts took 100 s in all (retrain 100 %; failed and raced: time unknown).",
        "Cost of cnn: unknown.",
    ]


def test_times_of_different_devices_are_not_added() -> None:
    spent = cost(darts={"search": 100.0, "retrain": 60.0}).assign(
        device=["cuda", "cpu"], device_s=[50.0, 7200.0]
    )
    told = said(answers(*frames({"darts": GOOD}), spent), "cost")
    assert told[0].startswith(
        "darts took 2.0 h (wall-clock time x CPU threads) and 50 s (wall-clock time x GPUs) in all "
        "(search 62 %, retrain 38 %)."
    )
    nowhere = said(answers(*frames({"darts": GOOD}), spent.assign(device="", device_s=math.nan)), "cost")
    assert nowhere[0].startswith("darts took 3 min in all")


def test_notes_marks_and_arms_without_a_result_are_cautions() -> None:
    arms, found = frames({"cnn": GOOD, "darts": []}, marks="optimistic, transductive")
    arms["note"] = ["", "no complete candidate: it diverged"]
    sentences = answers(arms, found, NOTHING)
    assert said(sentences, "caution") == ["darts has no result: no complete candidate: it diverged."]
    assert said(sentences, "marks") == ["These scores are marked: optimistic, transductive."]


def test_few_random_draws_claim_nothing() -> None:
    note = "only 4 random draws (a claim needs 10)"
    row = {
        "study": "s",
        "selection": "nested",
        "arm": "darts",
        "improvement": math.nan,
        "beaten": math.nan,
        "draws": 4,
        "note": note,
    }
    gain = pd.DataFrame([row])
    told = said(answers(*frames({"darts": GOOD, "random": BAD}), NOTHING, gain), "random")
    assert told == [
        "Gain of darts over random architectures: unknown; only 4 random draws (a claim needs 10)."
    ]
    gain = gain.assign(improvement=0.15, beaten=0.97, draws=12)
    (told,) = said(answers(*frames({"darts": GOOD, "random": BAD}), NOTHING, gain), "random")
    assert (
        told
        == "darts is 15.0 % above the mean UA of random architectures (12 draws, of which its runs beat 97 % "
        "on the same fold)."
    )


def test_a_choice_by_test_scores_answers_nothing() -> None:
    with pytest.raises(Fault, match="the selection oracle answers nothing"):
        answers(*frames({"cnn": GOOD}), NOTHING, selection="oracle")


# --- with simulated studies


def test_a_simulated_study_is_answered(tmp_path: Path) -> None:
    simulated(
        tmp_path / "s", effects={"darts": 0.15}, folds=8, seeds=2, takes=20, predictions=True, speakers=2
    )
    results = analysis.load(tmp_path / "s")
    compared = pairs(results.folds, results.speakers, results.trials)
    found = answers(results.arms, compared, results.cost, over_random(results.folds, results.trials))
    assert said(found, "best")[0].startswith("darts has the highest UA")
    assert set(found["study"]) == {NAME}
    headline = compared[compared["selection"] == "nested"]
    assert headline.loc[headline["arm_b"] == "darts", "ahead"].to_list() == ["darts"]
    assert headline["speakers"].to_list() == [16] * 3
    assert "above" in said(found, "random")[0]


@settings(max_examples=5)
@given(seeds=st.integers(1, 4))
@pytest.mark.slow
def test_seeds_that_repeat_scores_change_no_p(tmp_path_factory: pytest.TempPathFactory, seeds: int) -> None:
    """From the trials to the p values: they are the runs of folds, and no folds themselves."""
    simulated(root := tmp_path_factory.mktemp("one"), seeds=1)
    results = analysis.load(root)
    choice = results.choices[NAME][0]
    more = pd.concat([results.trials.assign(seed=seed) for seed in range(seeds)])
    once, again = (
        pairs(tables.folds(trials, choice), trials=results.trials) for trials in (results.trials, more)
    )
    pd.testing.assert_frame_equal(once, again)
