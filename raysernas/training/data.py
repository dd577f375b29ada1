"""What the stages of one trial learn from: corpus, split and normalised frames, handed out by role."""

from dataclasses import dataclass
from pathlib import Path

import torch

from raysernas.config.schema import FeaturesConfig, TrialConfig
from raysernas.corpora import catalogue
from raysernas.corpora.corpus import Corpus
from raysernas.corpora.folds import splits
from raysernas.corpora.folds.splits import Split
from raysernas.features import augment, extraction, loading, normalisation, parts
from raysernas.features.cache import FrameStore
from raysernas.features.loading import Waveforms
from raysernas.features.normalisation import Normalisation
from raysernas.features.parts import Part, Role
from raysernas.runtime.determinism import device_of


@dataclass(frozen=True, slots=True)
class Data:
    """The data of a trial; a part is made when it is asked for."""

    corpus: Corpus
    frames: FrameStore
    normalisation: Normalisation
    split: Split
    device: torch.device
    config: FeaturesConfig
    waveforms: Waveforms | None = None  # if the sound varies in retraining

    def part(self, role: Role) -> Part:
        """The utterances of one role. `train` is weights and alphas together; only its sound may vary."""
        train = tuple(sorted(self.split.weights + self.split.alphas))
        return parts.part(
            role,
            self.frames,
            self.corpus,
            train if role == "train" else getattr(self.split, role),
            normalisation=self.normalisation,
            config=self.config,
            device=self.device,
            waveforms=self.waveforms if role == "train" else None,
        )

    @property
    def size(self) -> tuple[int, int]:
        """(time, width) of every input."""
        return extraction.window_frames(self.config), extraction.width(self.config)

    @property
    def layers(self) -> dict[str, int]:
        """Name -> numbers of each layer of a frame; none for a map."""
        return extraction.front_end(self.config).layers


def prepare(trial: TrialConfig, cache: Path | None) -> Data:
    """Corpus, split and frames of a trial."""
    corpus = catalogue.read(trial.corpus, cache)
    split = splits.split(corpus, trial.corpus, trial.fold, trial.seed)
    frames = loading.load(corpus, trial.features, cache)
    train = sorted(split.weights + split.alphas)
    used = (*train, *split.valid, *split.test)
    normalised = normalisation.fitted(trial.features, frames, corpus, train, used)
    device = device_of(trial)
    varied = augment.changes_sound(trial.retrain)
    waveforms = loading.waveforms(corpus, trial.features, cache, device) if varied else None
    return Data(corpus, frames, normalised, split, device, trial.features, waveforms)
