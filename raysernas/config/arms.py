"""The arms: the ways to get an architecture, what each stands for, and which settings it reads.

Two trials of an arm that differ only in what the arm does not read are the same trial.
"""

from typing import Literal

Arm = Literal[
    "darts",
    "darts_ordered",
    "darts_joint",
    "random",
    "random_search",
    "all_skip",
    "cnn",
    "lstm",
    "cnn_lstm",
    "cnn_lstm_attention",
    "majority",
]
SEARCHED: tuple[Arm, ...] = ("darts", "darts_ordered", "darts_joint")  # whose genotype a supernet finds
CHOSEN: tuple[Arm, ...] = (*SEARCHED, "random", "random_search", "all_skip")  # that have a genotype
FIXED: dict[Arm, dict[str, str]] = {  # settings that an arm stands for, whatever the study says
    "darts_ordered": {"network.cnn": "ordered", "network.recurrent": "lstm_attention"},
    "darts_joint": {"network.cnn": "free", "network.recurrent": "searched"},
    "all_skip": {"network.cnn": "free"},
}
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
    "retrain.drop_path",
)
# key prefix -> what another setting must be, or no score depends on the key
READ_IF: dict[str, tuple[str, tuple[str, ...]]] = {
    "network.recurrent_": ("network.recurrent", ("searched",)),
    "search.difference_scale": ("search.order", ("second_difference",)),
    "search.stop_": ("search.stop", ("eigenvalue",)),
}
UNREAD: dict[Arm, tuple[str, ...]] = {  # key prefixes that an arm does not read
    "darts": ("network.designed_", "checks.draws"),
    "darts_ordered": ("network.designed_", "network.recurrent_", "checks.draws", "retrain.drop_path"),
    "darts_joint": ("network.designed_", "checks.draws"),
    "random": ("network.designed_", "search.", "checks."),
    "random_search": ("network.designed_", "search.", "checks.anytime_", "checks.ranking"),
    "all_skip": ("network.designed_", "search.", "checks."),
    "cnn": ("search.", "checks.", "network.hidden", *CELLS),
    "lstm": ("search.", "checks.", "network.designed_", *CELLS),
    "cnn_lstm": ("search.", "checks.", *CELLS),
    "cnn_lstm_attention": ("search.", "checks.", *CELLS),
    "majority": ("features.", "search.", "checks.", "network.", "retrain."),
}
