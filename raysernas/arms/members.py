"""The arms that `study.arms` can name. How to add one: raysernas/README.md."""

from raysernas.arms.arm import Arm, NetworkArm
from raysernas.arms.drawn import BestDrawnArm, DrawnArm
from raysernas.arms.floors import AllSkipArm, MajorityArm
from raysernas.arms.linear import LinearArm
from raysernas.arms.searched import SearchedArm
from raysernas.model.network import Design

CELLS = Design(front="cells")

MEMBERS: dict[str, Arm] = {
    "darts": SearchedArm(CELLS),
    "darts_ordered": SearchedArm(CELLS),
    "darts_joint": SearchedArm(CELLS),
    "random": DrawnArm(CELLS),
    "random_search": BestDrawnArm(CELLS),
    "all_skip": AllSkipArm(CELLS),
    "cnn": NetworkArm(Design(front="blocks", recurrent=False, attention=False)),
    "lstm": NetworkArm(Design(front="bands", attention=False)),
    "cnn_lstm": NetworkArm(Design(front="blocks", attention=False)),
    "cnn_lstm_attention": NetworkArm(Design(front="blocks")),
    "svm": LinearArm("svm"),
    "logistic": LinearArm("logistic"),
    "majority": MajorityArm(),
}
