"""The relaxations that `search.relaxation` can name. How to add one: raysernas/README.md."""

from raysernas.search.relaxations.relaxation import Relaxation
from raysernas.search.relaxations.softmax import Softmax

RELAXATIONS: dict[str, type[Relaxation]] = {
    "softmax": Softmax,
}
