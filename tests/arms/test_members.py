"""Laws of the arms: each gets the architecture that its name says, from training and validation speakers
alone.
"""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from raysernas.arms.arm import Architecture
from raysernas.arms.members import MEMBERS
from raysernas.arms.searched import utterances
from raysernas.config.arms import ARMS
from raysernas.config.schema import ChecksConfig, Config, SearchConfig, TrialConfig
from raysernas.model.cost import multiply_adds
from raysernas.model.network import Network
from raysernas.record.genotype import from_json, space
from raysernas.record.history import ignore
from raysernas.runtime.checkpointing import NoCheckpoint
from raysernas.search import audit, darts
from raysernas.search.audit import Searched
from raysernas.training import scratch
from raysernas.training.data import Data, prepare
from raysernas.training.model import predict
from tests.support.marks import slow_after
from tests.support.small import SMALLEST, design, network, noise_part
from tests.test_trial import TINY, resolved

CHECKED = dataclasses.replace(TINY, checks=ChecksConfig(draws=3, draw_epochs=1, anytime_every=1, ranking=8))


def data_of(trial: TrialConfig) -> Data:
    return prepare(trial, None)


def architecture(trial: TrialConfig, data: Data, report: Any = ignore) -> Architecture:
    return MEMBERS[trial.arm].architecture(trial, data, report, NoCheckpoint)


def found_of(arm: str, config: Config = TINY) -> tuple[Architecture, list[dict[str, Any]]]:
    trial, seen = resolved(arm, config), []
    return architecture(trial, data_of(trial), seen.append), seen


def searched(found: Architecture) -> Searched:
    assert found.searched is not None
    return found.searched


@pytest.fixture(scope="module")
def checked() -> tuple[TrialConfig, Data, Architecture]:
    """One search whose checks are asked for; they change nothing, by their own law below."""
    trial = resolved("darts", CHECKED)
    data = data_of(trial)
    return trial, data, architecture(trial, data)


def test_every_arm_of_the_settings_has_its_code():
    assert list(MEMBERS) == list(ARMS)


@pytest.mark.parametrize("arm", ["darts", "darts_ordered", "darts_joint"])
def test_a_supernet_finds_a_genotype_of_its_own_space(arm):
    found, seen = found_of(arm)
    trial = resolved(arm)
    assert found.genotype is not None
    assert found.genotype.parts.keys() == space(trial.network).keys()
    assert from_json(found.row["genotype"]) == found.genotype
    assert len(seen) == MEMBERS[arm].reports(trial) == trial.search.epochs
    assert found.state is not None
    assert set(found.state["alphas"]) == set(space(trial.network))
    assert isinstance(searched(found).supernet, Network)
    assert found.state["network"].keys() == searched(found).supernet.state_dict().keys()
    assert 0 < found.row["search_entropy"] <= 1
    assert found.row["search_multiply_adds"] > 0


def test_random_search_keeps_the_best_of_its_draws_on_validation_speakers():
    found, seen = found_of("random_search", CHECKED)
    assert (
        len(seen)
        == CHECKED.checks.draws
        == MEMBERS["random_search"].reports(resolved("random_search", CHECKED))
    )
    best = max(seen, key=lambda entry: entry["valid_ua"])
    assert from_json(best["genotype"]) == found.genotype
    assert len({entry["genotype"] for entry in seen}) == 3
    again, _ = found_of("random_search", CHECKED)
    assert again.genotype == found.genotype


def test_the_budget_of_random_search_is_counted_in_multiply_adds_times_steps():
    cheap, _ = found_of("random_search", CHECKED)
    twice = dataclasses.replace(CHECKED, checks=dataclasses.replace(CHECKED.checks, draw_epochs=2))
    dear, _ = found_of("random_search", twice)
    assert dear.multiply_adds == 2 * cheap.multiply_adds


@pytest.mark.slow
def test_alpha_steps_count_in_the_budget_and_warm_up_epochs_have_none():
    spent = []
    for change in ({}, {"warmup_epochs": 1}, {"order": "second_exact"}):
        config = dataclasses.replace(TINY, search=dataclasses.replace(TINY.search, **change))
        spent.append(found_of("darts", config)[0].multiply_adds)
    assert spent[1] < spent[0] < spent[2]


@pytest.mark.parametrize("order", slow_after(1, ["first", "second_exact"]))
@pytest.mark.parametrize(("weights", "alphas"), [(13, 11), (9, 17), (5, 4)])
def test_the_utterances_of_a_search_are_those_that_were_drawn(weights, alphas, order, monkeypatch):
    """Counted again here, batch by batch: halves are cut evenly, so few batches are full."""
    drawn = []
    for name in ("alpha_step", "weight_step"):
        real = getattr(darts, name)

        def counted(state, *batches, real=real):
            drawn.append([len(each.emotion) for each in batches])
            return real(state, *batches)

        monkeypatch.setattr(darts, name, counted)
    config = SearchConfig(epochs=3, batch=4, warmup_epochs=1, alphas_every=2, order=order)
    halves = noise_part("weights", weights), noise_part("alphas", alphas, seed=1)
    net = network("darts", chosen=False, config=SMALLEST)
    darts.search(net, *halves, config, space(SMALLEST), seed=0, report=ignore)
    of_weights, of_alphas = ([each for each in drawn if len(each) == batches] for batches in (1, 2))
    ahead = 0 if order == "first" else 3  # passes over the batch of the weights half, in a step of the alphas
    passed = sum(each[0] for each in of_weights) + sum(
        held_out + ahead * batch for batch, held_out in of_alphas
    )
    assert utterances(config, weights, alphas, epochs=3) == passed


def test_what_the_draws_cost_is_what_they_were_trained_with(monkeypatch):
    trained = []
    real = scratch.fit
    monkeypatch.setattr(
        scratch, "fit", lambda *given, **named: (trained.append(given), real(*given, **named))[1]
    )
    found, _ = found_of("random_search", CHECKED)
    size = data_of(resolved("random_search", CHECKED)).size
    spent = sum(
        multiply_adds(net, size) * len(train) * settings.epochs for net, train, _, settings in trained
    )
    assert found.multiply_adds == spent
    assert [(given[1].role, given[2].role, given[3].epochs) for given in trained] == [
        ("train", "valid", 1)
    ] * 3


def test_genotypes_are_ranked_on_the_validation_part(checked, monkeypatch):
    roles = []
    real = audit.supernet_scores
    monkeypatch.setattr(
        audit,
        "supernet_scores",
        lambda net, *given: (roles.append([each.role for each in given[:2]]), real(net, *given))[1],
    )
    trial, data, found = checked
    audit.ranking(trial, data, searched(found), ignore)
    assert roles == [["weights", "valid"]] * 8


@pytest.mark.parametrize(("arm", "kept"), [("all_skip", {"skip_connect"}), ("cnn", None), ("majority", None)])
def test_arms_without_a_search(arm, kept):
    found, seen = found_of(arm)
    assert seen == []
    assert (found.genotype and {gene.operation for _, _, gene in found.genotype.genes}) == kept
    assert np.isnan(found.row["search_entropy"])
    assert (found.searched, found.state) == (None, None)


def test_the_checks_of_a_search_score_genotypes_on_validation_speakers_and_change_nothing(checked):
    (trial, data, made), seen = checked, []
    found = searched(made)
    before = {name: value.clone() for name, value in found.supernet.state_dict().items()}
    facts = audit.checks(trial, data, found, seen.append)
    assert all(torch.equal(value, before[name]) for name, value in found.supernet.state_dict().items())
    assert [entry["epoch"] for entry in seen] == list(range(1, audit.count(trial, found) + 1))
    assert len(seen) == 2 + 8
    assert all(np.isfinite(value) for entry in seen for value in entry.values()), "NaN is no JSON"
    assert -1 <= facts["ranking_tau"] <= 1 or np.isnan(facts["ranking_tau"])
    assert set(facts) == {"anytime", "ranking_tau", "ranking"}


def test_the_last_point_of_the_anytime_curve_is_the_retraining_of_the_trial(checked):
    trial, data, found = checked
    curve = audit.anytime(trial, searched(found), [1, 2], ignore)
    purpose = str(trial.retrain.seeds[0])
    model = MEMBERS["darts"].fit(trial, data, found.genotype, purpose, ignore, NoCheckpoint())
    assert curve[-1] == (2, model.valid.ua)


def test_nothing_is_checked_where_nothing_is_asked_for():
    trial = resolved("darts")
    data = data_of(trial)
    found = searched(architecture(trial, data))
    assert (audit.checks(trial, data, found, ignore), audit.count(trial, found)) == ({}, 0)


def test_the_majority_is_counted_on_the_training_part_alone():
    trial = resolved("majority")
    data = data_of(trial)
    model = MEMBERS["majority"].fit(trial, data, None, "0", ignore, NoCheckpoint())
    train = data.part("train")
    shares = np.bincount(train.emotion, minlength=model.classes) / len(train)
    found = predict(model, data.part("test"))
    np.testing.assert_allclose(found.posteriors, np.tile(shares, (len(found.posteriors), 1)), rtol=1e-6)
    assert (model.epoch, model.parameters) == (0, 0)
    assert model.valid.ua == pytest.approx(1 / model.valid.present.sum())


def test_tau_is_kendalls():
    assert audit.Rankings([0.1, 0.2, 0.3], [0.1, 0.2, 0.3]).tau == pytest.approx(1)
    assert audit.Rankings([0.1, 0.2, 0.3], [0.3, 0.2, 0.1]).tau == pytest.approx(-1)
    assert np.isnan(audit.Rankings([0.1, 0.1, 0.1], [0.3, 0.2, 0.1]).tau)


def test_fresh_weights_depend_on_purpose_fold_and_seed_only():
    trial = resolved("cnn")
    data = data_of(trial)

    def first(trial: TrialConfig, purpose: str) -> torch.Tensor:
        return next(iter(scratch.new_network(trial, data, design("cnn"), None, purpose).parameters()))

    assert torch.equal(first(trial, "network 0"), first(trial, "network 0"))
    for other in (dataclasses.replace(trial, fold=1), dataclasses.replace(trial, seed=1)):
        assert not torch.equal(first(trial, "network 0"), first(other, "network 0"))
    assert not torch.equal(first(trial, "network 0"), first(trial, "network 1"))
