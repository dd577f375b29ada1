"""The arms: which settings each one reads, and which it fixes. An arm is a way to get a trained model.

Two trials of an arm are the same trial if they differ only in settings that the arm does not read. The code
of an arm is in `raysernas/arms/`; what is declared here is what the settings and the analysis need to know.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

EVERY_ARM = ("arm", "fold", "seed", "corpus.", "compute.", "retrain.on")
TRAINING = (  # of a network on frames; `retrain.drop_path` belongs to the cells
    "features.",
    "network.dropout",
    "network.projection",
    "network.time_pooling",
    "network.functionals",
    "retrain.seeds",
    "retrain.epochs",
    "retrain.batch",
    "retrain.lr",
    "retrain.weight_decay",
    "retrain.clip",
    "retrain.label_smoothing",
    "retrain.mask",
    "retrain.speeds",
    "retrain.pitches_st",
    "retrain.noise_snr_db",
    "retrain.shift_s",
    "retrain.versions",
    "retrain.mixup",
    "retrain.average",
)
CELLS = (
    "network.cnn",
    "network.cells",
    "network.nodes",
    "network.channels",
    "network.reduction",
    "network.stem_",
    "network.cell_dropout",
    "network.band_pooling",
    "network.recurrent",
    "network.hidden",
)
FREE_CELLS = (*CELLS, "retrain.drop_path")
SEARCH = ("search.", "checks.draw_epochs", "checks.anytime_every", "checks.ranking")
LAYER = ("network.layer",)  # of networks that neither search nor draw it
BLOCKS = ("network.designed_channels", *LAYER)
LSTM = ("network.hidden", *LAYER)


@dataclass(frozen=True, kw_only=True, slots=True)
class ArmSettings:
    """What an arm reads and fixes, and what it leaves behind."""

    reads: tuple[str, ...]  # dotted keys, or the beginnings of keys
    fixes: Mapping[str, str] = field(default_factory=dict)  # dotted key -> its value, whatever the study says
    searches: bool = False  # trains a supernet, which finds the genotype
    has_genotype: bool = False
    per_utterance: bool = False  # its input is one row of numbers for each utterance


ARMS: dict[str, ArmSettings] = {
    "darts": ArmSettings(
        reads=(*EVERY_ARM, *TRAINING, *FREE_CELLS, *SEARCH), searches=True, has_genotype=True
    ),
    "darts_ordered": ArmSettings(
        reads=(*EVERY_ARM, *TRAINING, *(key for key in CELLS if key != "network.recurrent"), *SEARCH),
        fixes={"network.cnn": "ordered", "network.recurrent": "lstm_attention"},
        searches=True,
        has_genotype=True,
    ),
    "darts_joint": ArmSettings(
        reads=(*EVERY_ARM, *TRAINING, *FREE_CELLS, *SEARCH),
        fixes={"network.cnn": "free", "network.recurrent": "searched"},
        searches=True,
        has_genotype=True,
    ),
    "random": ArmSettings(reads=(*EVERY_ARM, *TRAINING, *FREE_CELLS), has_genotype=True),
    "random_search": ArmSettings(
        reads=(*EVERY_ARM, *TRAINING, *FREE_CELLS, "checks.draws", "checks.draw_epochs"), has_genotype=True
    ),
    "all_skip": ArmSettings(
        reads=(*EVERY_ARM, *TRAINING, *FREE_CELLS), fixes={"network.cnn": "free"}, has_genotype=True
    ),
    "cnn": ArmSettings(reads=(*EVERY_ARM, *TRAINING, *BLOCKS)),
    "lstm": ArmSettings(reads=(*EVERY_ARM, *TRAINING, *LSTM)),
    "cnn_lstm": ArmSettings(reads=(*EVERY_ARM, *TRAINING, *BLOCKS, *LSTM)),
    "cnn_lstm_attention": ArmSettings(reads=(*EVERY_ARM, *TRAINING, *BLOCKS, *LSTM)),
    "svm": ArmSettings(reads=(*EVERY_ARM, "features."), per_utterance=True),
    "logistic": ArmSettings(reads=(*EVERY_ARM, "features."), per_utterance=True),
    "majority": ArmSettings(reads=EVERY_ARM),
}
