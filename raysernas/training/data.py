"""What the stages of one trial learn from: corpus, split and normalised frames, handed out by role.

With `retrain.on=all_but_test` there is a second normalisation, over training and validation speakers. It
scales what the tested model hears: the role `all_but_test`, which no trial has otherwise, and the test part.
Whatever chooses hears the other roles, scaled by the training speakers alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from raysernas.config import identity
from raysernas.config.arms import ARMS
from raysernas.config.fault import Fault
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
    refit: Normalisation | None = None  # of the tested model, if that is trained on all but test
    functionals: UtteranceTable | None = None  # if the arm uses them

    def part(self, role: Role) -> Part:
        """The utterances of one role. `train` is weights and alphas together, `all_but_test` validation too;
        only the sound of these two may vary.

        Raises:
            Fault: for `all_but_test`, unless the trial retrains on it.
        """
        if role == "all_but_test" and self.refit is None:
            what, fix = "the validation speakers are not trained on", "set retrain.on=all_but_test"
            raise Fault("training", what, got=role, expected="the role 'train'", fix=fix)
        of_tested_model = role in ("all_but_test", "test")
        return parts.part(
            role,
            self.frames,
            self.corpus,
            indices(self.split, role),
            normalisation=self.tested_normalisation if of_tested_model else self.normalisation,
            config=self.config,
            device=self.device,
            waveforms=self.waveforms if role in parts.TRAINED_ON else None,
            functionals=self.functionals,
        )

    @property
    def tested_normalisation(self) -> Normalisation:
        """What scales the inputs of the tested model, in its training, its test and its later use."""
        return self.refit or self.normalisation

    @property
    def size(self) -> tuple[int, int]:
        """(time, width) of every input."""
        return extraction.window_frames(self.config), extraction.width(self.config)

    @property
    def layers(self) -> dict[str, int]:
        """Name -> numbers of each layer of a frame; none for a map."""
        return extraction.front_end(self.config).layers

    @property
    def n_functionals(self) -> int:
        """Numbers of each utterance besides its frames."""
        return 0 if self.functionals is None else self.functionals.width


def indices(split: Split, role: Role) -> tuple[int, ...]:
    """The utterances of one role, as numbers in the corpus."""
    if role not in parts.TRAINED_ON:
        return getattr(split, role)
    valid = split.valid if role == "all_but_test" else ()
    return tuple(sorted((*split.weights, *split.alphas, *valid)))


def prepare(trial: TrialConfig, cache: Path | None) -> Data:
    """Corpus, split and frames of a trial."""
    corpus = catalogue.read(trial.corpus, cache)
    split = splits.split(corpus, trial.corpus, trial.fold, trial.seed)
    frames = loading.load(corpus, trial.features, cache)
    used = (*split.weights, *split.alphas, *split.valid, *split.test)

    def fitted(role: Role) -> Normalisation:
        return normalisation.fitted(trial.features, frames, corpus, indices(split, role), used)

    refit = fitted("all_but_test") if trial.retrain.on == "all_but_test" else None
    device = device_of(trial)
    varied = identity.reads(trial.arm, "retrain.speeds") and augment.changes_sound(trial.retrain)
    waveforms = loading.waveforms(corpus, trial.features, cache, device) if varied else None
    table = _functionals(trial, corpus, frames, indices(split, "train"), cache)
    return Data(corpus, frames, fitted("train"), split, device, trial.features, waveforms, refit, table)


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
