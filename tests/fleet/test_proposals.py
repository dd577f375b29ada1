"""Laws of proposals: they depend on the study's seed, their number and validation scores, and on nothing
else.
"""

import dataclasses
from pathlib import Path

import pytest

from raysernas.record.files import TrialKey
from tests.support.fleet import drain, params, study
from tests.support.marks import slow_after


@pytest.mark.parametrize("sampler", slow_after(1, ["tpe", "random"]))
def test_a_candidate_depends_on_seed_and_number_when_the_history_is_equal(
    tmp_path: Path, sampler: str
) -> None:
    config = study(f"study.sampler={sampler}", "study.candidates=14", "study.arms=[darts]", "study.folds=[0]")

    def right(key: TrialKey) -> int:
        return key.candidate % 7

    drain(tmp_path / "once", config, right=right)
    for _ in range(5):  # the same study in five launches
        drain(tmp_path / "cut", config, most=3, right=right)
    assert params(tmp_path / "once") == params(tmp_path / "cut")
    other = dataclasses.replace(config, study=dataclasses.replace(config.study, seed=1))
    drain(tmp_path / "other", other, right=right)
    assert params(tmp_path / "once") != params(tmp_path / "other")


def test_proposals_learn_from_validation_scores(tmp_path: Path) -> None:
    config = study("study.candidates=14", "study.arms=[darts]", "study.folds=[0]")
    drain(tmp_path / "a", config, right=lambda key: key.candidate % 7)
    drain(tmp_path / "b", config, right=lambda key: 6 - key.candidate % 7)
    assert params(tmp_path / "a")[:10] == params(tmp_path / "b")[:10]  # TPE draws its first ten
    assert params(tmp_path / "a")[10:] != params(tmp_path / "b")[10:]
