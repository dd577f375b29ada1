"""What the stages of one trial learn from: corpus, split and normalised frames, handed out by role."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from raysernas.config import identity
from raysernas.config.arms import ARMS
from raysernas.config.schema import FeaturesConfig, TrialConfig
from raysernas.corpora import catalogue
from raysernas.corpora.corpus import Corpus
from raysernas.corpora.folds import splits
from raysernas.corpora.folds.splits import Split
from raysernas.features import augment, extraction, loading, normalisation, parts, utterance_table
from raysernas.features.cache import FrameStore
from raysernas.features.loading import Waveforms
from raysernas.features.normalisation import Normalisation
from raysernas.features.parts import Part, Role
from raysernas.features.utterance_table import UtteranceTable
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
    functionals: UtteranceTable | None = None  # if the arm uses them

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
            functionals=self.functionals,
        )

    @property
    def size(self) -> tuple[int, int]:
        """(time, width) of every input."""
        return extraction.window_frames(self.config), extraction.width(self.config)

    @property
    def n_functionals(self) -> int:
        """Numbers of each utterance besides its frames."""
        return 0 if self.functionals is None else self.functionals.width


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
    table = _functionals(trial, corpus, frames, train, cache)
    return Data(corpus, frames, normalised, split, device, trial.features, waveforms, table)


def _functionals(
    trial: TrialConfig, corpus: Corpus, frames: FrameStore, train: Sequence[int], cache: Path | None
) -> UtteranceTable | None:
    """What the arm reads of whole utterances, scaled by the training speakers.

    Functionals or, for an arm that has no other input, mean and deviation of the frames.
    """
    if identity.functionals(trial) != "none":
        rows = loading.functionals(corpus, trial.features, cache)
    elif ARMS[trial.arm].per_utterance:
        rows = utterance_table.pooled(frames)
    else:
        return None
    return utterance_table.fitted(rows, train)
