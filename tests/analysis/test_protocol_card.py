"""The protocol card: it says what the study did, and studies of unlike protocols share no unmarked table."""

import json
from pathlib import Path
from typing import Any

import pytest

import analysis
from analysis import protocol_card
from analysis.protocol_card import MIXED, PROTOCOL, UNKNOWN, card, together
from raysernas.config.files import assign
from tests.support.faults import refusal
from tests.support.ledgers import NAME, simulated

PLAN: dict[str, Any] = {"arms": ("darts", "cnn"), "folds": 3, "seeds": 1}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> analysis.Results:
    root = tmp_path_factory.mktemp("study")
    simulated(root, **PLAN)
    return analysis.load(root)


def changed(study: analysis.Results, **settings: Any) -> protocol_card.Card:
    """The card of the study with other settings; `__` stands for the dot."""
    config = assign(study.configs[NAME], {key.replace("__", "."): value for key, value in settings.items()})
    return card(config, study.trials)


def test_a_card_says_what_the_study_did(study: analysis.Results) -> None:
    assert dict(list(study.cards[NAME].items())[:-1]) == {
        "study": NAME,
        "corpus": "synthetic, content simulated",
        "counts": "160 utterances in a fold: training 80, validation 40, test 40; 6 test speakers",
        "classes": "4: anger, fear, joy, sadness",
        "merges": "as usual for the corpus",
        "folds": "usual, folds 0, 1, 2; speaker-independent",
        "validation speakers": "usual; weights and alphas halves by utterance",
        "normalisation": "mean and deviation of the training speakers of each fold: inductive",
        "settings chosen": "as written: one candidate",
        "seeds": "0; retrain 0",
        "search": "30 epochs, order first, batch 16",
        "retrain": "60 epochs, batch 32; the epoch is chosen by validation UA",
        "code": NAME,
        "versions": f"raysernas {NAME}",
        "hardware": f"{NAME}; cpu, 1 thread, fp32; 1 host",
    }


@pytest.mark.parametrize(
    ("settings", "label", "text"),
    [
        ({"features__normalisation": "speaker"}, "normalisation", "transductive"),
        (
            {"study__space": {"features.normalisation": {"choices": ["train", "speaker"]}}},
            "normalisation",
            "by candidate, ",
        ),
        ({"corpus__merge": {"excitement": "happiness"}}, "merges", "excitement counts as happiness"),
        (
            {"corpus__folds": "random", "corpus__speaker_dependent": True},
            "folds",
            "random of 4 groups, folds 0, 1, 2; speakers",
        ),
        ({"study__folds": []}, "folds", "all folds"),
        ({"retrain__seeds": [0, 1]}, "seeds", "0; retrain 0, 1"),
        ({"search__epochs": 7, "search__warmup_epochs": 2}, "search", "7 epochs, 2 of them for weights only"),
        ({"study__arms": ["cnn"]}, "search", ""),
        ({"study__arms": ["random_search"]}, "search", "random search: 8 draws of 15 epochs"),
        ({"study__arms": ["majority"]}, "retrain", ""),
    ],
)
def test_every_setting_of_the_protocol_is_on_the_card(
    study: analysis.Results, settings: Any, label: str, text: str
) -> None:
    found = changed(study, **settings)[label]
    assert text in found
    assert text or not found


def test_differences_between_trials_are_on_the_card(study: analysis.Results) -> None:
    trials = study.trials.copy()
    trials.loc[0, ["commit", "cpu", "versions"]] = [
        "other",
        "another",
        json.dumps({"raysernas": "2", "torch": "3"}),
    ]
    found = card(study.configs[NAME], trials)
    assert found["code"] == f"not the same in all trials: other | {NAME}"
    assert found["versions"] == f"raysernas not the same in all trials: 2 | {NAME}, torch 3"
    assert found["hardware"].startswith(f"not the same in all trials: another | {NAME}; ")


def test_missing_records_are_called_not_recorded(study: analysis.Results) -> None:
    nothing = card(study.configs[NAME], study.trials.iloc[:0])
    assert (nothing["counts"], nothing["code"], nothing["versions"]) == (UNKNOWN, UNKNOWN, UNKNOWN)
    torn = study.trials.assign(versions="{", test_speakers="[", commit="")
    assert card(study.configs[NAME], torn)["code"] == UNKNOWN


@pytest.mark.parametrize(
    ("settings", "label"),
    [
        ({"corpus__fingerprint": "another"}, "corpus"),
        ({"corpus__merge": {"excitement": "happiness"}}, "merges"),
        ({"study__folds": [0, 1]}, "folds"),
        ({"corpus__valid": "next_fold"}, "validation speakers"),
        ({"features__normalisation": "none"}, "normalisation"),
        ({"study__seeds": [0, 1]}, "seeds"),
        ({"search__epochs": 5}, "search"),
        ({"retrain__epochs": 5}, "retrain"),
    ],
)
def test_unlike_protocols_are_refused_or_marked(study: analysis.Results, settings: Any, label: str) -> None:
    cards = {"a": changed(study), "b": changed(study, **settings)}
    text = refusal(lambda: together(cards, mixed=False))
    assert text.startswith("analysis: studies of unlike protocols cannot share a table: a, b\n")
    assert f"{cards['a'][label]} | {cards['b'][label]}" in text
    assert together(cards, mixed=True) == {
        MIXED: f"the studies differ in {label}, so their scores cannot be compared"
    }


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"study__arms": ["cnn"]},
        {"network__channels": 4},
        {"study__name": "b"},
        {"compute__threads": 2},
        {"features__bands": 32},
    ],
)
def test_what_is_compared_may_differ(study: analysis.Results, settings: Any) -> None:
    """Arms, networks, features and machines are what studies compare; an arm that does not search fits every
    search.
    """
    assert together({"a": changed(study), "b": changed(study, **settings)}, mixed=False) == {}
    assert {*PROTOCOL} <= {*study.cards[NAME]}


def test_a_study_without_trials_agrees_with_its_later_self(study: analysis.Results) -> None:
    begun = card(assign(study.configs[NAME], {"corpus.emotions": []}), study.trials)
    assert (
        together(
            {
                "a": begun,
                "b": card(assign(study.configs[NAME], {"corpus.emotions": []}), study.trials.iloc[:0]),
            },
            False,
        )
        == {}
    )


def test_loading_refuses_unlike_protocols(tmp_path: Path) -> None:
    simulated(tmp_path / "a", **PLAN)
    simulated(tmp_path / "b", **PLAN | {"folds": 2})
    roots = (tmp_path / "a", tmp_path / "b")
    assert "cannot share a table" in refusal(lambda: analysis.load(*roots))
    mixed = analysis.load(*roots, mixed=True)
    assert mixed.arms["marks"].str.contains(MIXED).all()
    assert mixed.studies["marks"].tolist() == [MIXED, MIXED]
    assert all(MIXED in card["marks"] for card in mixed.cards.values())
