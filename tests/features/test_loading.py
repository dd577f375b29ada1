"""Laws of loading: the cache gives back what was computed; its folders are named after all that counts."""

import dataclasses

import numpy as np
import pytest

from raysernas.config.schema import PRESETS, FeaturesConfig
from raysernas.corpora import catalogue
from raysernas.corpora.corpus import Corpus, Utterance
from raysernas.features import loading
from tests.support.faults import refusal
from tests.support.small import SYNTHETIC, speakers


def test_the_cache_gives_back_the_same_features(tmp_path):
    corpus = catalogue.read(SYNTHETIC, None)
    fresh = loading.load(corpus, FeaturesConfig(), None)
    for _ in range(2):
        cached = loading.load(corpus, FeaturesConfig(), tmp_path)
        for i in range(len(corpus.utterances)):
            for one, other in zip(
                dataclasses.astuple(cached.clip(i)), dataclasses.astuple(fresh.clip(i)), strict=True
            ):
                np.testing.assert_array_equal(one, other)


PUBLISHED: FeaturesConfig = PRESETS["features"]["published"]
DEFAULT, MFCC, PADDED = FeaturesConfig(), FeaturesConfig(kind="mfcc"), FeaturesConfig(pad="waveform")
STREAMS = FeaturesConfig(kind="streams")
ENCODER = FeaturesConfig(kind="pretrained", fingerprint="a", layers=(0, 1), layer_width=4)
READ = [
    (DEFAULT, "kind", "mfcc"),
    (DEFAULT, "backend", "librosa"),
    (DEFAULT, "sample_rate_hz", 8000),
    (DEFAULT, "n_fft", 512),
    (DEFAULT, "hop_samples", 160),
    (DEFAULT, "bands", 32),
    (DEFAULT, "range_db", 60.0),
    (DEFAULT, "pad", "waveform"),
    (DEFAULT, "pool_frames", 2),
    (DEFAULT, "device", "cuda"),
    (DEFAULT, "level", "utterance"),
    (MFCC, "level", "utterance"),
    (ENCODER, "level", "utterance"),
    (MFCC, "coefficients", 20),
    (PADDED, "window_s", 1.0),
    (STREAMS, "streams", ("bands",)),
    (STREAMS, "coefficients", 20),
    (ENCODER, "fingerprint", "b"),
    (ENCODER, "layers", (1,)),
]
UNREAD = [
    (DEFAULT, "window_s", 1.0),
    (DEFAULT, "normalisation", "none"),
    (DEFAULT, "coefficients", 20),
    (DEFAULT, "functionals", "own"),
    (PADDED, "normalisation", "none"),
    (DEFAULT, "streams", ("bands",)),
    (DEFAULT, "functionals", "own"),
    (ENCODER, "model", "elsewhere"),
    (ENCODER, "layer_width", 5),
    (DEFAULT, "layers", (1,)),
]


@pytest.mark.parametrize(("config", "name", "value"), READ)
def test_the_cache_is_keyed_by_what_changes_the_features(tmp_path, config, name, value):
    corpus = speakers("a")
    one, other = (
        loading.folders(corpus, each, tmp_path)[0]
        for each in (config, dataclasses.replace(config, **{name: value}))
    )
    assert one != other


@pytest.mark.parametrize(("config", "name", "value"), UNREAD)
def test_the_cache_is_keyed_by_nothing_else(tmp_path, config, name, value):
    corpus = speakers("a")
    one, other = (
        loading.folders(corpus, each, tmp_path)[:2]
        for each in (config, dataclasses.replace(config, **{name: value}))
    )
    assert one == other


def test_every_setting_is_known_to_change_the_features_or_not_to():
    assert {name for _, name, _ in READ + UNREAD} == {
        field.name for field in dataclasses.fields(FeaturesConfig)
    }


@pytest.mark.parametrize(
    ("config", "frames", "waveforms"),
    [
        (DEFAULT, "42153170768cff81", "5c904d70804e25c4"),
        (MFCC, "597800050e236c7a", "5c904d70804e25c4"),
        (PADDED, "da57e61a369cd726", "5c904d70804e25c4"),
        (PUBLISHED, "f1aaf4c1cfa4af01", "265700944d55a32b"),
    ],
)
def test_caches_of_earlier_versions_are_found_again(tmp_path, config, frames, waveforms):
    utterance = Utterance(key="a", path="x", emotion="e", speaker="s")
    corpus = Corpus(name="mine", emotions=("e",), utterances=(utterance,), fingerprint="x")
    names = [folder.name for folder in loading.folders(corpus, config, tmp_path)]
    assert names == [f"features-{frames}", f"waveforms-{waveforms}"]


def test_another_corpus_has_another_cache_and_waveforms_have_one_for_each_rate(tmp_path):
    corpus = speakers("a")
    others = [dataclasses.replace(corpus, fingerprint="y"), speakers("a", "a")]
    assert (
        len({folder for each in (corpus, *others) for folder in loading.folders(each, DEFAULT, tmp_path)})
        == 6
    )
    assert loading.folders(corpus, DEFAULT, tmp_path)[1] == loading.folders(corpus, MFCC, tmp_path)[1]
    assert loading.folders(corpus, DEFAULT, tmp_path)[1] != loading.folders(corpus, PUBLISHED, tmp_path)[1]


def test_broken_audio_is_counted_and_named_in_one_error(tmp_path):
    import soundfile

    keys = [f"a{i}.wav" for i in range(6)]
    for key in keys:
        soundfile.write(tmp_path / key, np.random.default_rng(0).uniform(-0.1, 0.1, 8000), 16_000)
    for key in keys[1:5]:
        (tmp_path / key).write_bytes(b"this is not audio")
    utterance = speakers("a").utterances[0]
    utterances = tuple(dataclasses.replace(utterance, key=key, path=str(tmp_path / key)) for key in keys)
    corpus = Corpus(name="mine", emotions=("neutral",), utterances=utterances, fingerprint="x")
    for folder in (tmp_path, None):
        text = refusal(lambda folder=folder: loading.load(corpus, FeaturesConfig(), folder))
        assert text.startswith("features: 4 of 6 utterances of mine cannot be read\n  got: ")
        assert all(key in text for key in keys[1:4])
        assert keys[4] not in text
    assert not list(tmp_path.rglob("*.arrow"))


def test_features_load_without_torchaudio_once_they_are_cached(tmp_path, monkeypatch):
    corpus = speakers("a", "b")
    loading.load(corpus, FeaturesConfig(), tmp_path)

    def never(*_):
        raise AssertionError("something was extracted")

    monkeypatch.setattr(loading.extraction, "extractor", never)
    assert len(loading.load(corpus, FeaturesConfig(), tmp_path)) == 2
