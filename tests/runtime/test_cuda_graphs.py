"""Laws of CUDA graphs: the work of the first step can be replayed as every later step, and on a GPU it gives
the same bits as kernel by kernel.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from raysernas.config.schema import ComputeConfig, NetworkConfig, RetrainConfig, SearchConfig
from raysernas.features.parts import Part
from raysernas.record.genotype import space
from raysernas.runtime.cuda_graphs import GraphLauncher, StepLauncher, Work, launch_eagerly, step_launcher
from raysernas.runtime.determinism import pin
from raysernas.search import darts
from raysernas.training.fit import fit
from tests.support.checkpoints import RecordingCheckpoint
from tests.support.marks import slow_after
from tests.support.searches import equal
from tests.support.small import SMALLEST, network, noise_part

CPU = torch.device("cpu")
GPU = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="CUDA graphs need a GPU, and there is none here"
)
SPACES = {
    "free": SMALLEST,
    "ordered": replace(SMALLEST, cnn="ordered"),
    "searched over time": replace(SMALLEST, recurrent="searched"),
    "with dropout": replace(SMALLEST, dropout=0.3, cell_dropout=0.2),
}
TRAININGS = {
    "as it is": RetrainConfig(epochs=2, batch=5),
    "mixed and averaged": RetrainConfig(epochs=2, batch=5, mixup=0.4, average=0.9),
    "edges dropped": RetrainConfig(epochs=2, batch=5, drop_path=0.3),
}


@dataclass
class Replayed:
    """What a graph does, on any device: always the first work of a kind and shape, in the memory of its first
    inputs.
    """

    recorded: dict[Any, tuple[Work, tuple[Tensor, ...], list[Tensor]]] = field(default_factory=dict)
    replays: int = 0

    def __call__(
        self, name: str, work: Work, parameters: Sequence[Tensor], *given: Tensor
    ) -> tuple[Tensor, ...]:
        key = (name, *(x.shape for x in given))
        self.replays += key in self.recorded
        work, kept, same = self.recorded.setdefault(
            key, (work, tuple(x.clone() for x in given), list(parameters))
        )
        assert all(one is other for one, other in zip(same, parameters, strict=True)), (
            "a graph writes where it wrote at first"
        )
        for old, new in zip(kept, given, strict=True):
            old.copy_(new)
        return work(*kept)


def parts(device: torch.device, *names: str) -> list[Part]:
    """Each has a batch of 5 and a smaller one."""
    return [replace(noise_part(name, 8, seed), device=device) for seed, name in enumerate(names)]


def searched(
    launch: StepLauncher, config: NetworkConfig, device: torch.device = CPU, order: Any = "first"
) -> tuple[Any, ...]:
    """What a small search leaves."""
    torch.manual_seed(1)
    net = network("darts", chosen=False, config=config).to(device)
    weights, alphas = parts(device, "weights", "alphas")
    checkpoint, search = RecordingCheckpoint(), SearchConfig(epochs=2, batch=5, order=order)
    found = darts.search(
        net,
        weights,
        alphas,
        search,
        space(config),
        seed=0,
        report=lambda _: None,
        checkpoint=checkpoint,
        launch=launch,
    )
    return found.genotype, found.history, dict(net.state_dict()), own(checkpoint)


def trained(
    launch: StepLauncher, config: RetrainConfig, device: torch.device = CPU, arm: str = "darts"
) -> tuple[Any, ...]:
    """What a small training leaves."""
    torch.manual_seed(1)
    net = network(arm, config=replace(SMALLEST, dropout=0.3)).to(device)
    (train, valid), checkpoint = parts(device, "train", "valid"), RecordingCheckpoint()
    fitted = fit(
        net, train, valid, config, seed=0, report=lambda _: None, checkpoint=checkpoint, launch=launch
    )
    return fitted.epoch, fitted.history, dict(net.state_dict()), own(checkpoint)


def own(checkpoint: RecordingCheckpoint) -> Any:
    """The last state, without times, and without Python's global generator, from which the checks of shapes
    draw, in tests only.
    """
    assert checkpoint.last is not None
    return checkpoint.last | {"random": checkpoint.last["random"] | {"python": ""}, "timings": []}


@pytest.mark.parametrize("name", slow_after(2, SPACES))
def test_the_work_of_a_search_step_can_be_replayed(name):
    launch = Replayed()
    assert equal(searched(launch, SPACES[name]), searched(launch_eagerly, SPACES[name]))
    assert launch.replays


@pytest.mark.parametrize("order", slow_after(1, ["second_exact", "second_difference"]))
def test_an_alpha_step_of_second_order_runs_kernel_by_kernel_and_its_weight_step_as_a_graph(order):
    launch = Replayed()
    assert equal(searched(launch, SMALLEST, order=order), searched(launch_eagerly, SMALLEST, order=order))
    assert {key[0] for key in launch.recorded} == {"weights"}


@pytest.mark.parametrize("name", TRAININGS)
def test_the_work_of_a_training_step_can_be_replayed(name):
    launch = Replayed()
    assert equal(trained(launch, TRAININGS[name]), trained(launch_eagerly, TRAININGS[name]))
    assert bool(launch.replays) == (name != "edges dropped"), (
        "others are dropped each time, so that is left to kernels"
    )


@pytest.mark.parametrize("arm", ["darts_ordered", "cnn"])
def test_arms_without_cells_use_graphs_with_drop_path_too(arm):
    launch = Replayed()
    trained(launch, TRAININGS["edges dropped"], arm=arm)
    assert launch.replays


@pytest.mark.parametrize(("device", "asked"), [("cpu", True), ("cpu", False), ("cuda", False)])
def test_steps_run_kernel_by_kernel_unless_settings_ask_for_a_gpu_and_graphs(device, asked):
    assert step_launcher(ComputeConfig(device=device, cuda_graph=asked)) is launch_eagerly


@GPU
def test_steps_run_as_graphs_when_settings_ask_for_a_gpu_and_graphs():
    assert isinstance(step_launcher(ComputeConfig(device="cuda", cuda_graph=True)), GraphLauncher)


@GPU
@pytest.mark.parametrize("name", [*SPACES, *TRAININGS])
def test_on_a_gpu_graphs_and_kernels_give_the_same_bits(name):
    pin(ComputeConfig())
    device = torch.device("cuda")
    made = [
        searched(launch, SPACES[name], device) if name in SPACES else trained(launch, TRAININGS[name], device)
        for launch in (GraphLauncher(), launch_eagerly)
    ]
    assert equal(*made)
