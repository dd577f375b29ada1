"""DARTS (arXiv 1806.09055, equation 2): an edge mixes its operations by the softmax of its alphas."""

from raysernas.search.alphas import Alphas
from raysernas.search.relaxations.relaxation import Relaxation


class Softmax(Relaxation):
    """Every operation of an edge has a weight above 0; the weights of an edge sum to 1."""

    def weights(self, alphas: Alphas) -> Alphas:
        return {part: value.softmax(dim=-1) for part, value in alphas.items()}
