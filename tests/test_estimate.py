"""Laws of the rehearsal: it writes nothing, and its seconds are its steps times their number."""

import dataclasses

import pytest

import raysernas.estimate
from raysernas.config.identity import trial_config
from raysernas.corpora import catalogue
from raysernas.corpora.folds import splits
from raysernas.estimate import SearchTimes, TrainingTimes, estimate
from raysernas.trial import resolve
from tests.test_trial import TINY


@pytest.mark.parametrize("arm", ["darts", "darts_ordered", "darts_joint", "random", "lstm"])
def test_seconds_follow_from_the_steps(arm, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    corpus = catalogue.read(TINY.corpus, None)
    trial = trial_config(resolve(TINY, corpus), arm=arm, fold=0, seed=0)
    found = estimate(trial, corpus)
    assert list(tmp_path.iterdir()) == []
    assert (found.search.weight_step_s > 0) == (found.search.alpha_step_s > 0) == arm.startswith("darts")
    assert found.search.curvature_s == 0, "nobody asks for it"
    steps = (
        2 * 2 * (found.search.weight_step_s + found.search.alpha_step_s) + 2 * 3 * 2 * found.training.step_s
    )
    assert steps < found.seconds < 3 * steps + 1


def test_each_kind_of_step_counts_as_often_as_the_search_takes_it(monkeypatch):
    """With a clock on which the weights take 1 s, the alphas 100 s and a measurement of the curvature 10,000
    s.
    """
    config = dataclasses.replace(
        TINY,
        search=dataclasses.replace(
            TINY.search, epochs=8, warmup_epochs=3, alphas_every=4, eigenvalue_every=3
        ),
    )
    times = SearchTimes(weight_step_s=1, alpha_step_s=100, curvature_s=10_000)
    monkeypatch.setattr(raysernas.estimate, "search_times", lambda *_: times)
    monkeypatch.setattr(raysernas.estimate, "training_times", lambda *_: TrainingTimes())
    corpus = catalogue.read(config.corpus, None)
    trial = trial_config(resolve(config, corpus), arm="darts", fold=0, seed=0)
    steps = -(-len(splits.split(corpus, trial.corpus, 0, 0).weights) // trial.search.batch)
    assert estimate(trial, corpus).seconds == 8 * steps + 5 * -(-steps // 4) * 100 + 2 * 10_000


def test_the_curvature_is_timed_where_it_is_asked():
    config = dataclasses.replace(TINY, search=dataclasses.replace(TINY.search, eigenvalue_every=1))
    corpus = catalogue.read(config.corpus, None)
    assert (
        estimate(
            trial_config(resolve(config, corpus), arm="darts", fold=0, seed=0), corpus
        ).search.curvature_s
        > 0
    )
