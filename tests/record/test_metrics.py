"""Scores: the field's UA and WA, and macro-F1, are those of scikit-learn on whole data sets."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, recall_score

from raysernas.record.metrics import Evaluation, evaluate, scores


@st.composite
def answers(draw: Any) -> tuple[list[int], list[int], int]:
    """Truths and predictions among some classes, of which any may be absent."""
    classes = draw(st.integers(2, 6))
    pairs = draw(
        st.lists(st.tuples(st.integers(0, classes - 1), st.integers(0, classes - 1)), min_size=1, max_size=40)
    )
    return [truth for truth, _ in pairs], [prediction for _, prediction in pairs], classes


@given(case=answers())
def test_scores_are_those_of_scikit_learn(case: tuple[list[int], list[int], int]) -> None:
    """UA over the classes present as truth; F1 over those that occur as truth or prediction (scikit-learn's
    own choice).
    """
    truth, prediction, classes = case
    found = evaluate(truth, prediction, classes)
    present = sorted(set(truth))
    assert found.ua == pytest.approx(
        recall_score(truth, prediction, labels=present, average="macro"), abs=1e-12
    )
    assert found.scores["wa"] == pytest.approx(accuracy_score(truth, prediction), abs=1e-12)
    assert found.scores["f1"] == pytest.approx(f1_score(truth, prediction, average="macro"), abs=1e-12)
    assert found.confusion.tolist() == confusion_matrix(truth, prediction, labels=range(classes)).tolist()


@given(case=answers())
def test_recalls_are_given_for_classes_present_and_for_no_other(
    case: tuple[list[int], list[int], int],
) -> None:
    truth, prediction, classes = case
    found = evaluate(truth, prediction, classes)
    assert [i for i in range(classes) if found.present[i]] == sorted(set(truth))
    assert np.array_equal(np.isnan(found.recalls), ~found.present)
    assert found.total == len(truth)


@given(case=answers(), order=st.randoms(use_true_random=False))
def test_the_order_of_utterances_changes_nothing(case: tuple[list[int], list[int], int], order: Any) -> None:
    truth, prediction, classes = case
    shuffled = order.sample(range(len(truth)), len(truth))
    again = evaluate([truth[i] for i in shuffled], [prediction[i] for i in shuffled], classes)
    assert (again.confusion == evaluate(truth, prediction, classes).confusion).all()


def test_rows_are_truths_and_columns_predictions() -> None:
    assert evaluate([0, 0, 1], [1, 1, 1], 3).confusion.tolist() == [[0, 2, 0], [0, 1, 0], [0, 0, 0]]


def test_ua_weighs_classes_and_wa_utterances() -> None:
    found = Evaluation(np.array([[9, 1], [1, 0]]))
    assert (found.ua, found.scores["wa"]) == (pytest.approx(0.45), pytest.approx(9 / 11))


def test_an_empty_set_has_no_score() -> None:
    found = evaluate([], [], 3)
    assert found.total == 0
    assert np.isnan(list(found.scores.values())).all()


@pytest.mark.parametrize(
    ("truth", "prediction", "text"),
    [
        ([0, 1], [0], "truth (2,) and prediction (1,) are not two sequences of one length"),
        ([[0]], [[0]], "truth (1, 1) and prediction (1, 1) are not two sequences of one length"),
        ([0, 3], [0, 1], "class indices 0..3 do not fit 3 classes"),
        ([0, 1], [-1, 1], "class indices -1..1 do not fit 3 classes"),
    ],
)
def test_what_cannot_be_counted_is_refused(truth: Any, prediction: Any, text: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is compared
        evaluate(truth, prediction, 3)
    assert str(caught.value) == text


@given(
    stack=st.integers(1, 5).flatmap(
        lambda n: st.lists(st.lists(st.integers(0, 4), min_size=n * n, max_size=n * n), max_size=6)
    )
)
def test_many_sets_at_once_have_the_scores_of_each(stack: list[list[int]]) -> None:
    size = int(len(stack[0]) ** 0.5) if stack else 1
    confusions = np.array(stack, dtype=np.int64).reshape(-1, size, size)
    each = [Evaluation(one) for one in confusions]
    apart = np.array([list(one.scores.values()) for one in each]).reshape(-1, 3)
    np.testing.assert_allclose(scores(confusions), apart, rtol=1e-12)
