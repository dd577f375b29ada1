"""What the stages of one trial learn from: corpus, split and scaled features, handed out by role."""

from dataclasses import dataclass
from pathlib import Path

import torch

from raysernas.config.schema import TrialConfig
from raysernas.corpora import catalogue
from raysernas.corpora.corpus import Corpus
from raysernas.corpora.folds import splits
from raysernas.corpora.folds.splits import Split
from raysernas.features import augment, parts
from raysernas.features.parts import Part
from raysernas.runtime.determinism import device_of


@dataclass(frozen=True, slots=True)
class Data:
    """What the stages of a trial learn from; its parts are made when they are asked for."""

    corpus: Corpus
    frames: parts.Frames
    scale: parts.Scale
    split: Split
    device: torch.device
    config: parts.FeaturesConfig
    source: parts.Source | None = None  # of sound that varies, if the retraining asks for it

    def part(self, role: parts.Role) -> Part:
        """The utterances of one role; `train` is weights and alphas together, and alone has sound that may
        vary.
        """
        train = tuple(sorted(self.split.weights + self.split.alphas))
        indices = train if role == "train" else getattr(self.split, role)
        return parts.part(
            role,
            self.frames,
            self.corpus,
            indices,
            scale=self.scale,
            config=self.config,
            device=self.device,
            source=self.source if role == "train" else None,
        )

    @property
    def size(self) -> tuple[int, int]:
        """(time, band) of every input."""
        return parts.window_frames(self.config), parts.width(self.config)


def prepare(trial: TrialConfig, cache: Path | None) -> Data:
    """Corpus, split and features of a trial."""
    corpus = catalogue.read(trial.corpus, cache)
    split = splits.split(corpus, trial.corpus, trial.fold, trial.seed)
    frames = parts.load(corpus, trial.features, cache)
    train = sorted(split.weights + split.alphas)
    if trial.features.normalisation == "speaker":
        scale = parts.speaker_scale(frames, corpus, (*train, *split.valid, *split.test))
    else:
        scale = parts.scale_of(frames, train, trial.features)
    device = device_of(trial)
    varied = augment.changes_sound(trial.retrain)
    source = parts.source(corpus, trial.features, cache, device) if varied else None
    return Data(corpus, frames, scale, split, device, trial.features, source)
