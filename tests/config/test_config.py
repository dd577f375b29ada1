"""Identity, resolution and comparison of configurations, and what each arm reads."""

import itertools
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raysernas.config.arms import ARMS
from raysernas.config.fault import Fault
from raysernas.config.files import assign, load
from raysernas.config.identity import (
    INTRODUCED,
    PLACES,
    SECTIONS,
    SWITCHED,
    differences,
    digest,
    flatten,
    functionals,
    reads,
    settings,
    trial_config,
)
from raysernas.config.schema import Config, CorpusConfig, NetworkConfig, TrialConfig

# made before arms declared what they read; arms added later need not be in it
GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "identity.json").read_text())
SETTINGS = [key for key in flatten(TrialConfig()) if "." in key]


def changed(trial: TrialConfig, key: str) -> TrialConfig:
    """The trial with another value of one setting, valid or not: identity must not care."""
    section, _, leaf = key.partition(".")
    part = getattr(trial, section)
    old = getattr(part, leaf)
    if isinstance(old, dict):
        return replace(trial, **{section: replace(part, **{leaf: {**old, "x": "y"}})})
    new = (
        (*old, old[-1] if old else "x")
        if isinstance(old, tuple)
        else f"{old}x"
        if isinstance(old, str)
        else old + 1
    )
    return replace(trial, **{section: replace(part, **{leaf: new})})


def test_a_fault_has_five_parts() -> None:
    fault = Fault("here", "it broke", got=1, expected="2", fix="correct it")
    assert str(fault) == "here: it broke\n  got: 1\n  expected: 2\n  fix: correct it"
    assert fault.what == "it broke"
    assert isinstance(fault, ValueError)


def test_a_trial_takes_every_section_from_its_study() -> None:
    config = assign(
        Config(), {"search.epochs": 7, "features.bands": 24, "corpus.name": "emodb", "retrain.seeds": [1, 2]}
    )
    trial = trial_config(config, arm="cnn", fold=3, seed=5)
    assert (trial.arm, trial.fold, trial.seed) == ("cnn", 3, 5)
    assert all(getattr(trial, section) == getattr(config, section) for section in SECTIONS)


def test_an_unknown_arm_is_refused_with_the_known_ones() -> None:
    with pytest.raises(Fault) as caught:
        trial_config(Config(), arm="dart", fold=0, seed=0)
    assert str(caught.value) == (
        "config: 'dart' is not an arm\n  got: dart\n"
        "  expected: darts, darts_ordered, darts_joint, random, random_search, all_skip, cnn, lstm, "
        "cnn_lstm, cnn_lstm_attention, svm, logistic, "
        "majority\n  fix: name one of them"
    )


@pytest.mark.parametrize("arm", ARMS)
def test_identity_is_every_setting_that_the_arm_reads_and_no_other(arm: str) -> None:
    for key in SETTINGS:
        trial = TrialConfig(arm=arm)
        if key in SWITCHED:
            trial = replace(trial, network=replace(trial.network, functionals=True))
        same = digest(changed(trial, key)) == digest(trial)
        known = reads(arm, key) or key in ARMS[arm].fixes
        assert same != known, key
        assert (key in settings(trial)) == (known and key not in INTRODUCED), key


def test_an_introduced_setting_has_the_default_of_the_time_before_it() -> None:
    assert INTRODUCED.items() <= flatten(Config()).items()


@pytest.mark.parametrize("arm", [arm for arm in ARMS if ARMS[arm].fixes])
def test_the_study_cannot_change_what_an_arm_fixes(arm: Any) -> None:
    other = NetworkConfig(cnn="free" if arm == "darts_ordered" else "ordered", recurrent="searched")
    trials = [
        trial_config(Config(network=network), arm=arm, fold=0, seed=0) for network in (NetworkConfig(), other)
    ]
    for trial in trials:
        assert ARMS[arm].fixes.items() <= settings(trial).items()
    if "network.recurrent" in ARMS[arm].fixes:
        assert digest(trials[0]) == digest(trials[1])


def test_the_content_of_corpus_and_fold_file_is_part_of_identity_and_their_paths_are_not() -> None:
    assert {key for key in SETTINGS if not any(reads(arm, key) for arm in ARMS)} == {
        "corpus.root",
        "corpus.fold_file",
        "features.model",
    }
    for place in ("corpus.root", "corpus.fold_file"):
        assert differences(Config(), _with(place, "/elsewhere")) == []
    for content in ("corpus.fingerprint", "corpus.folds_hash"):
        assert differences(Config(), _with(content, "0f")) == [f"{content}: '' -> '0f'"]


def _with(key: str, value: str) -> Config:
    return replace(Config(), corpus=replace(CorpusConfig(), **{key.removeprefix("corpus."): value}))


@pytest.mark.parametrize("change", [{"arm": "random"}, {"fold": 1}, {"seed": 1}])
def test_arm_fold_and_seed_are_part_of_identity(change: dict[str, Any]) -> None:
    assert digest(replace(TrialConfig(), **change)) != digest(TrialConfig())


def test_every_key_that_an_arm_declares_is_a_setting() -> None:
    for of in ARMS.values():
        for prefix in of.reads:
            assert any(key.startswith(prefix) for key in flatten(TrialConfig())), prefix
        assert of.fixes.keys() <= set(SETTINGS)


@pytest.mark.parametrize("arm", GOLDEN["reads"])
def test_every_arm_reads_the_same_settings_as_before(arm: str) -> None:
    read = [key for key in flatten(TrialConfig()) if reads(arm, key) and key not in INTRODUCED]
    assert sorted(read) == GOLDEN["reads"][arm]
    assert ARMS[arm].fixes == GOLDEN["fixes"][arm]


@pytest.mark.parametrize("name", GOLDEN["digests"])
def test_old_trials_are_found_again_by_their_digest(name: str) -> None:
    config = Config() if name == "defaults" else load(name)
    for arm, known in GOLDEN["digests"][name].items():
        assert digest(trial_config(config, arm=arm, fold=1, seed=2)) == known, arm


def test_only_searching_arms_read_the_search_and_only_designed_arms_read_the_designed() -> None:
    assert {arm for arm in ARMS if reads(arm, "search.alphas_lr")} == {
        "darts",
        "darts_ordered",
        "darts_joint",
    }
    assert {arm for arm in ARMS if reads(arm, "checks.draws")} == {"random_search"}
    assert {arm for arm in ARMS if reads(arm, "network.designed_channels")} == {
        "cnn",
        "cnn_lstm",
        "cnn_lstm_attention",
    }
    assert {arm for arm in ARMS if reads(arm, "network.channels")} == {
        arm for arm in ARMS if ARMS[arm].has_genotype
    }
    assert {arm for arm in ARMS if not reads(arm, "network.hidden")} == {"cnn", "svm", "logistic", "majority"}


@pytest.mark.parametrize("arm", ["darts", "cnn", "svm", "majority"])
def test_functionals_are_part_of_identity_only_for_an_arm_that_uses_them(arm: str) -> None:
    plain = Config()
    own = replace(plain, features=replace(plain.features, functionals="own"))
    used = replace(own, network=replace(own.network, functionals=True))
    digests = [digest(trial_config(each, arm=arm, fold=0, seed=0)) for each in (plain, own, used)]
    changes = {"svm": [True, False], "majority": [False, False]}.get(arm, [False, True])
    assert [one != other for one, other in itertools.pairwise(digests)] == changes
    found = [functionals(trial_config(each, arm=arm, fold=0, seed=0)) for each in (plain, own, used)]
    network = ["none", "none", "own"]
    assert found == {"svm": ["none", "own", "own"], "majority": ["none"] * 3}.get(arm, network)


@given(order=st.permutations(SETTINGS))
def test_identity_does_not_depend_on_the_order_in_which_settings_are_assigned(order: list[str]) -> None:
    wanted = flatten(Config()) | {"search.epochs": 7, "network.channels": 12, "corpus.emotions": ("a", "b")}
    config = assign(Config(), {key: wanted[key] for key in order})
    here = trial_config(config, arm="darts", fold=0, seed=0)
    there = trial_config(
        assign(Config(), {key: wanted[key] for key in SETTINGS}), arm="darts", fold=0, seed=0
    )
    assert digest(here) == digest(there)


def test_a_whole_number_and_the_same_float_are_one_identity() -> None:
    trials = [
        trial_config(assign(Config(), {"features.range_db": x}), arm="cnn", fold=0, seed=0)
        for x in (60, 60.0)
    ]
    assert digest(trials[0]) == digest(trials[1])


def test_identity_is_the_same_in_every_process() -> None:
    code = (
        "from raysernas.config.identity import digest; from raysernas.config.schema import TrialConfig; "
        "print(digest(TrialConfig()))"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": salt},
            capture_output=True,
            check=True,
        )
        for salt in ("1", "2")
    ]
    assert {run.stdout.decode().strip() for run in runs} == {digest(TrialConfig())}


def test_settings_can_be_written_as_json() -> None:
    assert json.loads(json.dumps(settings(TrialConfig())))["retrain.seeds"] == [0]


def test_flatten_names_every_setting_once_with_its_section() -> None:
    flat = flatten(Config())
    assert flat["search.alphas_lr"] == Config().search.alphas_lr
    assert flat["study.resources.gpus_per_trial"] == 1.0
    assert {key.split(".")[0] for key in flat} == {"study", *SECTIONS}


EXTENDS = {
    "study.name": "other",
    "study.storage": "elsewhere",
    "study.arms": ["cnn"],
    "study.candidates": 9,
    "study.folds": [0, 1],
    "study.seeds": [0, 1],
    "study.retry_failed": True,
    "study.resources.cpus": 4,
    "study.resources.gpus_per_trial": 0.5,
    "study.resources.address": "auto",
    "corpus.root": "/elsewhere",
}


def test_a_study_may_be_extended_moved_and_given_other_resources() -> None:
    assert differences(Config(), assign(Config(), EXTENDS)) == []


def test_every_other_change_is_named() -> None:
    new = assign(
        Config(), {"search.epochs": 31, "study.seed": 4, "study.sampler": "random", "retrain.seeds": [0, 1]}
    )
    assert differences(Config(), new) == [
        "study.seed: 0 -> 4",
        "study.sampler: 'tpe' -> 'random'",
        "search.epochs: 30 -> 31",
        "retrain.seeds: (0,) -> (0, 1)",
    ]


@pytest.mark.parametrize("key", [key for key in SETTINGS if key not in PLACES])
def test_no_trial_setting_can_change_unseen(key: str) -> None:
    trial = changed(TrialConfig(), key)
    config = replace(Config(), **{section: getattr(trial, section) for section in SECTIONS})
    assert [line.split(":")[0] for line in differences(Config(), config)] == [key]


def test_a_changed_space_is_named() -> None:
    space = {"search.alphas_lr": {"low": 1e-3, "high": 1e-2}}
    new = replace(Config(), study=replace(Config().study, space=space))
    assert differences(Config(), new) == [
        "study.space: {} -> {'search.alphas_lr': {'low': 0.001, 'high': 0.01}}"
    ]
