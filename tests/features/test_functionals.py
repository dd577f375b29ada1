"""Laws of functionals: their numbers are those of their definition, finite for any sound, and of one
utterance alone; a table scales them by the training utterances only.
"""

import dataclasses
import importlib.util

import numpy as np
import pytest
import scipy.stats
import torch

from raysernas.config.schema import Config, FeaturesConfig
from raysernas.corpora import catalogue
from raysernas.corpora.corpus import Corpus
from raysernas.features import cache, loading, utterance_table
from raysernas.features.cache import in_memory
from raysernas.features.front_end import Clip
from raysernas.features.functionals import members, open_smile, own
from raysernas.features.functionals.members import FUNCTIONALS, functional_set
from tests.support.faults import refusal
from tests.support.small import SYNTHETIC

OWN = FeaturesConfig(functionals="own")
RATE_HZ = OWN.sample_rate_hz
NEEDS_PACKAGE = pytest.mark.skipif(importlib.util.find_spec("opensmile") is None, reason="needs opensmile")
EVERY = [pytest.param(name, marks=() if name == "own" else NEEDS_PACKAGE) for name in FUNCTIONALS]


def of(wave: np.ndarray, config: FeaturesConfig = OWN) -> np.ndarray:
    return functional_set(config).summarise()(wave.astype(np.float32))


def tone(f0_hz: float, seconds: float = 1.0) -> np.ndarray:
    """A buzz of ten harmonics."""
    at = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    harmonics = [np.sin(2 * np.pi * f0_hz * number * at) / number for number in range(1, 11)]
    return 0.05 * np.sum(harmonics, axis=0)


def column(contour: int, statistic: str, *, delta: bool = False) -> int:
    """Where a statistic of a contour that is not F0 stands in a row."""
    contours = own.BANDS + own.CEPSTRA + 2
    return own.STATISTICS.index(statistic) * 2 * contours + delta * contours + contour


def f0_column(statistic: str) -> int:
    return own.STATISTICS.index(statistic) * 2 - 2 * len(own.STATISTICS) - len(own.TIMING)


def test_statistics_are_those_of_numpy_and_scipy():
    rng = np.random.default_rng(0)
    values, at = rng.gamma(2.0, size=(50, 3)), np.sort(rng.uniform(0, 3, 50))
    found = dict(zip(own.STATISTICS, own.statistics(values, at), strict=True))
    np.testing.assert_allclose(found["mean"], values.mean(axis=0))
    np.testing.assert_allclose(found["deviation"], values.std(axis=0))
    np.testing.assert_allclose(found["skew"], scipy.stats.skew(values))
    for percent in own.PERCENTILES:
        np.testing.assert_allclose(found[f"percentile {percent}"], np.percentile(values, percent, axis=0))
    spread = np.percentile(values, 95, axis=0) - np.percentile(values, 5, axis=0)
    np.testing.assert_allclose(found["range"], spread)
    np.testing.assert_allclose(found["slope"], np.polyfit(at, values, 1)[0])


@pytest.mark.parametrize("f0_hz", [80.0, 123.4, 220.0, 401.0])
def test_f0_of_a_buzz_is_found_to_a_tenth_of_a_semitone(f0_hz):
    row = of(tone(f0_hz))
    assert row[f0_column("percentile 50")] == pytest.approx(12 * np.log2(f0_hz), abs=0.1)
    voiced_share = row[len(row) - len(own.TIMING) + own.TIMING.index("voiced share")]
    assert voiced_share > 0.9


def test_noise_is_hardly_voiced_and_pauses_are_counted():
    rng = np.random.default_rng(0)
    pieces = [0.1 * rng.standard_normal(RATE_HZ // 2), np.zeros(RATE_HZ // 2)] * 3
    timing = dict(zip(own.TIMING, of(np.concatenate(pieces[:-1]))[-len(own.TIMING) :], strict=True))
    assert timing["voiced share"] < 0.05
    assert timing["duration"] == pytest.approx(np.log(2.5))
    assert timing["pauses per second"] == pytest.approx(2 / 2.5)
    assert timing["loud share"] == pytest.approx(0.6, abs=0.05)


def test_only_energy_hears_the_level_of_a_recording():
    rng = np.random.default_rng(0)
    wave = tone(150) * np.hanning(RATE_HZ) + 1e-3 * rng.standard_normal(RATE_HZ)
    quiet, loud = of(0.1 * wave), of(wave)
    changed = np.flatnonzero(np.abs(loud - quiet) > 0.05)
    energy = own.BANDS + own.CEPSTRA + 1
    levels = ["mean", *(f"percentile {percent}" for percent in own.PERCENTILES)]
    assert set(changed) == {column(energy, name) for name in levels}
    np.testing.assert_allclose((loud - quiet)[changed], 20, atol=0.05)


@pytest.mark.parametrize(
    "wave",
    [
        np.zeros(RATE_HZ),
        np.ones(1),
        np.full(RATE_HZ, 0.5),
        np.eye(1, RATE_HZ, 700)[0],
        np.sign(np.sin(np.arange(RATE_HZ))),
        1e-20 * np.ones(900),
    ],
    ids=["silence", "one sample", "direct current", "click", "full scale", "underflow"],
)
def test_any_sound_gives_finite_numbers(wave):
    row = of(wave)
    assert row.shape == (functional_set(OWN).width,)
    assert np.isfinite(row).all()
    assert np.abs(row).max() < 1e4


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    found = catalogue.read(SYNTHETIC, None)
    return dataclasses.replace(found, utterances=found.utterances[:6])


@pytest.mark.parametrize("name", EVERY)
def test_the_cache_gives_back_what_was_computed_whatever_threads_and_neighbours(name, corpus, tmp_path):
    config = FeaturesConfig(functionals=name)
    made = loading.functionals(corpus, config, tmp_path)
    again = loading.functionals(corpus, config, tmp_path)
    backwards = dataclasses.replace(corpus, utterances=corpus.utterances[::-1])
    other = cache.load(
        backwards,
        None,
        loading._reader(config),
        lambda: lambda wave: Clip(of(wave, config)[None], np.zeros(1, np.float32), 1),
        threads=1,
    )
    assert made.width == functional_set(config).width
    for i in range(len(made)):
        np.testing.assert_array_equal(made.of(i), again.of(i))
        np.testing.assert_array_equal(made.of(i), other.of(len(made) - 1 - i))


def test_the_cache_of_functionals_has_a_name_of_its_own_and_is_cleared_with_the_rest(corpus, tmp_path):
    loading.functionals(corpus, OWN, tmp_path)
    (folder,) = tmp_path.glob("functionals-*/")
    assert folder == loading.folders(corpus, OWN, tmp_path)[2]
    other = dataclasses.replace(OWN, sample_rate_hz=8000)
    assert loading.folders(corpus, other, tmp_path)[2] != folder
    assert cache.trim(tmp_path, 0.0, keep=[folder]) == 0
    assert cache.clear(tmp_path) > 0
    assert not folder.exists()


def stored(values: np.ndarray) -> cache.FrameStore:
    """One row for each utterance."""
    rows = values.astype(np.float32)[:, None]
    return in_memory(Clip(row, np.zeros(rows.shape[2], np.float32), 1) for row in rows)


def test_a_table_is_scaled_by_the_training_utterances_alone():
    values = np.random.default_rng(0).normal(5, 3, (20, 4))
    train, test = range(12), range(12, 20)
    table = utterance_table.fitted(stored(values), train)
    mean, deviation = values[:12].mean(axis=0), values[:12].std(axis=0)
    np.testing.assert_allclose(table.of(test), (values[12:] - mean) / deviation, rtol=1e-4, atol=1e-5)
    values[12:] = 1e6
    changed = utterance_table.fitted(stored(values), train)
    np.testing.assert_array_equal(changed.of(train), table.of(train))


def test_constant_columns_are_zero_and_values_that_are_not_finite_count_as_the_mean():
    values = np.random.default_rng(0).normal(5, 3, (6, 3))
    values[:4, 0], values[4, 0] = 7.0, 100.0
    values[1, 1], values[5, 1], values[5, 2] = np.nan, np.inf, -np.inf
    table = utterance_table.fitted(stored(values), range(4))
    scaled = table.of(range(6))
    assert np.isfinite(scaled).all()
    assert not scaled[:, 0].any()
    assert scaled[1, 1] == scaled[5, 1] == scaled[5, 2] == 0
    known = values[[0, 2, 3], 1]
    assert scaled[0, 1] == pytest.approx((values[0, 1] - known.mean()) / known.std(), rel=1e-4)


def test_pooled_frames_are_mean_and_deviation_of_the_true_frames_of_the_whole_utterance():
    values = np.random.default_rng(0).normal(size=(90, 5)).astype(np.float32)
    (row,) = utterance_table.pooled(in_memory([Clip(values, np.zeros(5, np.float32), 70)])).of(0)
    true = values[:70]
    np.testing.assert_allclose(row, [*true.mean(axis=0), *true.std(axis=0)], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["egemaps", "compare"])
def test_a_missing_package_is_a_fault_of_the_plan_also_where_only_the_space_names_it(monkeypatch, name):
    monkeypatch.setattr(open_smile, "package_version", lambda _: "")
    config, study = Config(features=FeaturesConfig(functionals=name)), Config().study
    message = refusal(lambda: members.check(config))
    assert "opensmile" in message
    assert "research and personal use only" in message
    searched = {"features.functionals": {"choices": ["own", name]}}
    of_space = dataclasses.replace(Config(), study=dataclasses.replace(study, space=searched))
    assert refusal(lambda: members.check(of_space)) == message
    members.check(Config(features=OWN))


@NEEDS_PACKAGE
@pytest.mark.parametrize("name", ["egemaps", "compare"])
def test_opensmile_gives_its_functionals_and_nothing_for_a_sound_too_short(name):
    config = FeaturesConfig(functionals=name)
    row, short = of(tone(150), config), of(np.zeros(20), config)
    assert row.shape == short.shape == (functional_set(config).width,)
    assert np.isfinite(row).all()
    assert np.isnan(short).all()


def test_own_functionals_are_the_same_on_one_thread_and_on_two():
    before, wave = torch.get_num_threads(), tone(150)
    try:
        one, two = ((torch.set_num_threads(count), of(wave))[1] for count in (1, 2))
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(one, two)
