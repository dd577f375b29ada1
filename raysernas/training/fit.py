"""Training a network from scratch: the same code and budget for every arm that trains one.

`fit` receives the training and the validation part and picks the epoch by validation UA. `refit` trains anew
on both parts for that many epochs. Neither can be given a test part.
"""

from raysernas.config.schema import RetrainConfig
from raysernas.features.parts import Part
from raysernas.model.cells import ChosenCell
from raysernas.model.network import Cells, Network
from raysernas.record.history import ReportEpoch
from raysernas.runtime.checkpointing import NoCheckpoint, StageCheckpoint, replay
from raysernas.runtime.cuda_graphs import StepLauncher, launch_eagerly
from raysernas.training.evaluation import evaluate, network_posteriors, require
from raysernas.training.model import TrainedNetwork
from raysernas.training.state import TrainingState


def fit(
    network: Network,
    train: Part,
    valid: Part,
    config: RetrainConfig,
    *,
    seed: int,
    report: ReportEpoch,
    checkpoint: StageCheckpoint | None = None,
    launch: StepLauncher = launch_eagerly,
) -> TrainedNetwork:
    """Train by AdamW with a warm-up and a cosine; `network` ends with the weights of the best validation UA.

    Args:
        config: may vary the sound of the training part (and of no other), and may have the moving average of
            the weights validated and kept instead of the last ones.
        report: called after each epoch (counted from 1) with its entry of the history and, to be shown only,
            the `confusion` of the validation, [truth, prediction].
        checkpoint: of this stage. A training that an earlier attempt began with the same arguments continues
            from there and first reports its epochs again.
        launch: how the GPU's part of a step is launched, where nothing stands against it.

    Raises:
        DivergedError: when a loss or a posterior is not finite.
        Fault: when a part of another role is given.
    """
    require(train, "train")
    require(valid, "valid")
    checkpoint = checkpoint or NoCheckpoint()
    state = _begun(network, train, config, seed, launcher_for(network, config, launch), report, checkpoint)
    for epoch in range(len(state.history) + 1, config.epochs + 1):
        loss = _trained(state, epoch, checkpoint)
        posteriors = network_posteriors(state.validated)
        after = lambda: checkpoint.step(state.state_dict)  # noqa: E731
        state.finish_epoch(loss, evaluate(posteriors, valid, network.classes, after=after).evaluation)
        report(state.shown(-1))
    checkpoint.finish(state.state_dict)
    assert state.best is not None
    network.load_state_dict(state.best.weights)
    return TrainedNetwork(network, state.best.epoch, state.best.valid, state.history)


def refit(
    network: Network,
    heard: Part,
    config: RetrainConfig,
    chosen: TrainedNetwork,
    *,
    seed: int,
    report: ReportEpoch,
    checkpoint: StageCheckpoint | None = None,
    launch: StepLauncher = launch_eagerly,
) -> TrainedNetwork:
    """Train on all but the test speakers, for as many epochs as the validation speakers chose before.

    The schedule is that of `fit`, stopped at the chosen epoch: at each epoch the learning rate and drop-path
    are what they were then. Without further utterances the weights would be those of `chosen`, bit for bit.

    Args:
        heard: of the role `all_but_test`.
        chosen: the training that chose. Its epoch and its validation scores become those of the result, which
            has no validation speakers left; the history is the new one, of losses alone.
        seed, report, checkpoint, launch: as of `fit`.

    Raises:
        DivergedError: when a loss is not finite.
        Fault: when a part of another role is given.
    """
    require(heard, "all_but_test")
    checkpoint = checkpoint or NoCheckpoint()
    state = _begun(network, heard, config, seed, launcher_for(network, config, launch), report, checkpoint)
    for epoch in range(len(state.history) + 1, chosen.epoch + 1):
        state.finish_epoch(_trained(state, epoch, checkpoint), None)
        report(state.shown(-1))
    checkpoint.finish(state.state_dict)
    network.load_state_dict(state.validated.state_dict())
    return TrainedNetwork(network, chosen.epoch, chosen.valid, state.history)


def _begun(
    network: Network,
    train: Part,
    config: RetrainConfig,
    seed: int,
    launch: StepLauncher,
    report: ReportEpoch,
    checkpoint: StageCheckpoint,
) -> TrainingState:
    """A new training, or an earlier attempt at it, whose epochs are reported again."""
    state = TrainingState(network, train, config, seed, launch)
    if checkpoint.restored is not None:
        state.load_state_dict(checkpoint.restored)
        replay([state.shown(number) for number in range(len(state.history))], report)
    return state


def _trained(state: TrainingState, epoch: int, checkpoint: StageCheckpoint) -> float:
    """Train one epoch, counted from 1, or what is left of it; its loss."""
    config, front = state.config, state.network.front
    if isinstance(front, Cells):
        front.drop_path = config.drop_path * epoch / config.epochs
    return state.train_epoch(checkpoint)


def launcher_for(network: Network, config: RetrainConfig, launch: StepLauncher) -> StepLauncher:
    """How steps are launched: kernel by kernel with drop-path, which drops other edges each time."""
    drops = config.drop_path and any(isinstance(each, ChosenCell) for each in network.modules())
    return launch_eagerly if drops else launch
