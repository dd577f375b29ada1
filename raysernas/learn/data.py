"""What the stages of one trial learn from: corpus, split and scaled features, handed out by role."""

from dataclasses import dataclass
from pathlib import Path

import torch

from raysernas.config import TrialConfig
from raysernas.corpora import augment, catalogue, features, folds
from raysernas.corpora.corpus import Corpus
from raysernas.corpora.features import Part
from raysernas.corpora.folds import Split
from raysernas.learn.determinism import device_of


@dataclass(frozen=True, slots=True)
class Data:
    """What the stages of a trial learn from; its parts are made when they are asked for."""

    corpus: Corpus
    frames: features.Frames
    scale: features.Scale
    split: Split
    device: torch.device
    config: features.FeaturesConfig
    source: features.Source | None = None  # of sound that varies, if the retraining asks for it

    def part(self, role: features.Role) -> Part:
        """The utterances of one role; `train` is weights and alphas together, and alone has sound that may vary."""
        train = tuple(sorted(self.split.weights + self.split.alphas))
        indices = train if role == "train" else getattr(self.split, role)
        return features.part(
            role, self.frames, self.corpus, indices, scale=self.scale, config=self.config, device=self.device,
            source=self.source if role == "train" else None,
        )  # fmt: skip

    @property
    def size(self) -> tuple[int, int]:
        """(time, band) of every input."""
        return features.window_frames(self.config), features.width(self.config)


def prepare(trial: TrialConfig, cache: Path | None) -> Data:
    """Corpus, split and features of a trial."""
    corpus = catalogue.read(trial.corpus, cache)
    split = folds.split(corpus, trial.corpus, trial.fold, trial.seed)
    frames = features.load(corpus, trial.features, cache)
    train = sorted(split.weights + split.alphas)
    if trial.features.normalisation == "speaker":
        scale = features.speaker_scale(frames, corpus, (*train, *split.valid, *split.test))
    else:
        scale = features.scale_of(frames, train, trial.features)
    device = device_of(trial)
    varied = augment.changes_sound(trial.retrain)
    source = features.source(corpus, trial.features, cache, device) if varied else None
    return Data(corpus, frames, scale, split, device, trial.features, source)
