"""Laws of the rehearsal: it writes nothing, and its seconds are its steps times their number."""

import pytest

from raysernas.config import trial_config
from raysernas.corpora import catalogue
from raysernas.rehearsal import rehearse
from raysernas.trial import resolve
from tests.test_trial import TINY


@pytest.mark.parametrize("arm", ["darts", "darts_ordered", "darts_joint", "random", "lstm"])
def test_seconds_follow_from_the_steps(arm, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    corpus = catalogue.read(TINY.corpus, None)
    trial = trial_config(resolve(TINY, corpus), arm=arm, fold=0, seed=0)
    found = rehearse(trial, corpus)
    assert list(tmp_path.iterdir()) == []
    assert (found.search_step_s > 0) == arm.startswith("darts")
    steps = 2 * 2 * found.search_step_s + 2 * 3 * 2 * found.retrain_step_s
    assert steps < found.seconds < 3 * steps + 1
