"""Laws of the family of front ends: every setting has its member, and none need be made of bands and hops."""

from typing import get_args, get_type_hints

import numpy as np
import pytest
import torch

from raysernas.config.schema import FeaturesConfig
from raysernas.corpora import catalogue
from raysernas.features import extraction, loading, normalisation, parts
from raysernas.features.extraction import FRONT_ENDS
from raysernas.features.front_end import FrontEnd, Transform
from tests.support.small import SYNTHETIC

WIDTH, RATE_HZ = 512, 16_000


class Encoder(FrontEnd):
    """As wide and as slow as a pretrained encoder, whatever n_fft, hop_samples and bands."""

    __slots__ = ()
    version = 1
    reads = ()

    @property
    def width(self) -> int:
        return WIDTH

    @property
    def samples_per_frame(self) -> float:
        return self.config.sample_rate_hz / 50

    def frames(self, samples: int) -> int:
        return max(1, int(samples // self.samples_per_frame))

    def transform(self, device: torch.device) -> Transform:
        def transform(wave: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
            means = [part.mean() for part in np.array_split(wave, self.frames(len(wave)))]
            return torch.tensor(means)[:, None].expand(-1, WIDTH), torch.zeros(1, WIDTH)

        return transform


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> FeaturesConfig:
    monkeypatch.setitem(FRONT_ENDS, "mfcc", Encoder)
    return FeaturesConfig(kind="mfcc", n_fft=64, hop_samples=7, bands=8, coefficients=8)


def test_every_kind_has_a_front_end():
    assert set(FRONT_ENDS) == set(get_args(get_type_hints(FeaturesConfig)["kind"]))


@pytest.mark.parametrize(("kind", "width"), [("logmel", 24), ("mfcc", 13)])
def test_a_front_end_says_how_wide_and_how_many_its_frames_are(kind, width):
    config = FeaturesConfig(kind=kind, bands=24, coefficients=13)
    front_end = extraction.front_end(config)
    clip = extraction.extractor(config)(np.ones(RATE_HZ, np.float32))
    assert (front_end.width, front_end.frames_per_s) == (width, 50.0)
    assert clip.values.shape == (front_end.frames(RATE_HZ), width) == (51, width)
    assert clip.silence.shape == (width,)


def test_a_front_end_without_bands_and_hops_gives_the_inputs_of_a_network(encoder):
    corpus = catalogue.read(SYNTHETIC, None)
    indices = range(len(corpus.utterances))
    frames = loading.load(corpus, encoder, None)
    scaled = normalisation.fitted(encoder, frames, corpus, indices, indices)
    part = parts.part(
        "train", frames, corpus, indices, normalisation=scaled, config=encoder, device=torch.device("cpu")
    )
    batch, _ = next(part.windows(4))
    assert batch.features.shape == (4, 150, WIDTH)
    assert extraction.width(encoder) == frames.width == WIDTH


def test_settings_that_a_front_end_does_not_read_do_not_move_its_cache(encoder, tmp_path):
    corpus = catalogue.read(SYNTHETIC, None)
    other = FeaturesConfig(kind="mfcc", n_fft=640, hop_samples=320)
    assert loading.folders(corpus, encoder, tmp_path) == loading.folders(corpus, other, tmp_path)
