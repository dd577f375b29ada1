"""Settings of the outer search that make no sense together are refused, with what would fit."""

import pytest

from raysernas.config.files import load
from tests.support.faults import refusal, told

SPACE = "study.space={search.alphas_lr: {low: 1e-3, high: 0.1}, features.kind: {choices: [logmel, mfcc]}}"
RACE = "study.racing.enabled=true"


@pytest.mark.parametrize(
    ("overrides", "what"),
    [
        (("study.objectives=[parameters]",), "study.objectives leaves out what a network is for"),
        (("study.objectives=[valid_ua, valid_ua]",), "study.objectives needs distinct entries"),
        (
            ("study.sampler=nsga2",),
            "study.sampler=nsga2 breeds each generation from the one before, but there are no generations",
        ),
        ((RACE, "study.objectives=[valid_ua, parameters]"), "study.racing looks at validation UA alone"),
        ((RACE, "study.racing.p=0.0"), "study.racing.p is no level of a one-sided test"),
        ((RACE, "study.racing.p=0.5"), "study.racing.p is no level of a one-sided test"),
        ((RACE, "study.folds=[0, 1]"), "study.racing.pairs leaves no trial that racing could save"),
        ((RACE, "study.folds=[0, 1, 2]"), "study.racing.pairs leaves no trial that racing could save"),
        (
            (SPACE, "study.candidates=2", "study.points={a: {retrain.lr: 1e-3}}"),
            "study.points.a gives no values",
        ),
        ((SPACE, "study.candidates=2", "study.points={a: 3}"), "study.points.a gives no values"),
        (
            (SPACE, "study.candidates=2", "study.points={a: {search.alphas_lr: 1}}"),
            "study.points.a lies outside the range of",
        ),
        (
            (SPACE, "study.candidates=2", "study.points={a: {features.kind: x}}"),
            "study.points.a lies outside the range of",
        ),
        (
            ("features.model=m", "study.space={features.kind: {choices: [logmel, pretrained]}}"),
            "study.space.features.kind offers frames of layers, but the configuration as written has none",
        ),
        (("features.kind=pretrained",), "features.kind=pretrained, but features.model is not set"),
        (
            ("features.kind=pretrained", "features.model=m", "features.pad=waveform"),
            "features.pad=waveform, but the frames of features.kind=pretrained are padded themselves",
        ),
        (("network.layer=layer_2",), "network.layer names a layer, but the frames of features.kind=logmel"),
        (
            (SPACE, "study.points={a: {search.alphas_lr: 0.002}}"),
            "study.points are more than study.candidates leaves room for",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(overrides: tuple[str, ...], what: str) -> None:
    assert refusal(lambda: load(None, overrides)).startswith(f"config: {what}")


def test_a_nested_search_has_no_folds_to_race_on() -> None:
    assert refusal(lambda: load(None, [RACE, "study.protocol=nested"])) == told(
        "study.racing compares candidates on several folds, but study.protocol=nested has one per search",
        *(
            "racing.enabled: true, protocol: nested",
            "one of the two",
            "set study.racing.enabled=false or study.protocol=flat",
        ),
    )


def test_what_makes_sense_is_accepted() -> None:
    point = "study.points={published: {search.alphas_lr: 0.003, features.kind: mfcc}}"
    assert load(None, [SPACE, "study.candidates=2", point]).study.points == {
        "published": {"search.alphas_lr": 0.003, "features.kind": "mfcc"}
    }
    assert load(None, [RACE, "study.folds=[0, 1, 2]", "study.seeds=[0, 1]"]).study.racing.enabled
    assert load(None, ["study.sampler=nsga2", "study.generation=2"]).study.generation == 2
