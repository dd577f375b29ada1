"""A trained model as the trial sees it: a network, or anything else that gives posteriors.

An arm fits it and the trial evaluates, times and stores it. A model of scikit-learn fulfils the protocol as
well as a network does: it needs posteriors for a batch of windows, and its numbers as tensors by name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from raysernas.features.parts import Batch, Part
from raysernas.model.network import Network, count_parameters
from raysernas.record.history import HistoryEntry
from raysernas.record.metrics import Evaluation
from raysernas.training.evaluation import Posteriors, Prediction, evaluate, network_posteriors


@runtime_checkable
class TrainedModel(Protocol):
    """A model after its training, with the weights of the epoch that the validation speakers chose."""

    @property
    def classes(self) -> int:
        """Number of emotions."""
        ...

    @property
    def epoch(self) -> int:
        """Whose weights it has, counted from 1; 0 for a model that has no epochs."""
        ...

    @property
    def valid(self) -> Evaluation:
        """Scores on the validation part. A model that was trained on that part too has the scores of the
        model that chose its epoch.
        """
        ...

    @property
    def parameters(self) -> int:
        """Trained numbers in it."""
        ...

    def posteriors(self, batch: Batch) -> Posteriors:
        """[window, emotion] for the windows of a batch."""
        ...

    def state_dict(self) -> Mapping[str, Any]:
        """Its numbers as tensors by name."""
        ...


@dataclass(frozen=True, slots=True)
class TrainedNetwork:
    """A network after its training; `network` holds the weights of the best epoch."""

    network: Network
    epoch: int
    valid: Evaluation
    history: list[HistoryEntry]  # one entry for each epoch

    @property
    def classes(self) -> int:
        return self.network.classes

    @property
    def parameters(self) -> int:
        return count_parameters(self.network)

    def posteriors(self, batch: Batch) -> Posteriors:
        return network_posteriors(self.network)(batch)

    def state_dict(self) -> Mapping[str, Any]:
        return self.network.state_dict()


def chosen_by(model: TrainedModel) -> Mapping[str, Any]:
    """What else the record should hold of a model: its attribute `facts`, which it need not have."""
    return getattr(model, "facts", {})


def predict(model: TrainedModel, part: Part, after: Callable[[], object] = lambda: None) -> Prediction:
    """Posteriors and scores of every utterance of a part. Args: after: see `evaluate`."""
    return evaluate(model.posteriors, part, model.classes, after=after)
