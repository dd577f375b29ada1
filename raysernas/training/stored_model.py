"""A trained model on disk, with all that its use needs: neither corpus nor study is needed any more.

In: a trial, its data and the network trained on them. Out: one file of plain tensors, lists and text:

    format     1
    weights    the network's state dict
    network    arm, genotype (JSON, "" without one), precision, settings
    classes    the emotions, in the order of the network's outputs
    front_end  kind, settings: from a waveform to frames
    input      frames and width of every input, sample_rate_hz of the waveform
    moments    of (features.normalisation); for `train` also mean and deviation of each band, over the
               training speakers. With `utterance` a recording is scaled by its own moments, with `speaker`
               by those of its speaker's recordings, with `none` it is taken as it is.

Studies of earlier versions hold the state dict alone.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from raysernas.config.fault import Fault
from raysernas.config.schema import FeaturesConfig, NetworkConfig, Precision, TrialConfig
from raysernas.model.designed import Majority
from raysernas.model.network import Network
from raysernas.record import genotype as genotypes
from raysernas.record.genotype import Genotype
from raysernas.runtime import checkpoint_file
from raysernas.training import scratch
from raysernas.training.data import Data

FORMAT = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredModel:
    """What `load` gives back."""

    weights: Mapping[str, Tensor]
    arm: str
    genotype: Genotype | None
    network: NetworkConfig
    precision: Precision
    classes: tuple[str, ...]
    features: FeaturesConfig
    size: tuple[int, int]  # (time, band) of every input
    moments: tuple[Tensor, Tensor] | None  # mean and deviation [band]; None unless normalisation is `train`


def save(
    path: Path, trial: TrialConfig, data: Data, genotype: Genotype | None, network: Network | Majority
) -> None:
    """Write a trained network of a trial, whole or not at all."""
    checkpoint_file.save(path, contents(trial, data, genotype, network))


def contents(
    trial: TrialConfig, data: Data, genotype: Genotype | None, network: Network | Majority
) -> dict[str, Any]:
    """What a file of format 1 holds."""
    frames, width = data.size
    moments: dict[str, Any] = {"of": trial.features.normalisation}
    if trial.features.normalisation == "train":
        found = data.normalisation
        mean, deviation = torch.from_numpy(found.mean[0]), torch.from_numpy(found.deviation[0])
        moments |= {"mean": mean, "deviation": deviation}
    return {
        "format": FORMAT,
        "weights": network.state_dict(),
        "network": {
            "arm": trial.arm,
            "genotype": genotype.to_json() if genotype else "",
            "precision": trial.compute.precision,
            "settings": asdict(trial.network),
        },
        "classes": list(data.corpus.emotions),
        "front_end": {"kind": trial.features.kind, "settings": asdict(trial.features)},
        "input": {"frames": frames, "width": width, "sample_rate_hz": trial.features.sample_rate_hz},
        "moments": moments,
    }


def weights(path: Path) -> dict[str, Tensor]:
    """The state dict of a trained network, of any version."""
    found = checkpoint_file.load(path)
    return found["weights"] if "format" in found else found


def load(path: Path) -> StoredModel:
    """Read a trained model.

    Raises:
        Fault: for a file that holds the weights alone, or is of a later version.
    """
    found = checkpoint_file.load(path)
    if found.get("format") != FORMAT:
        raise Fault(
            "stored model",
            f"{path} does not say how its model is used",
            got=f"format {found['format']}"
            if "format" in found
            else "weights alone: moments and classes are missing",
            expected=f"format {FORMAT}",
            fix="run the trial again, or use the version that wrote the file",
        )
    network, moments = found["network"], found["moments"]
    return StoredModel(
        weights=found["weights"],
        arm=network["arm"],
        genotype=genotypes.from_json(network["genotype"]) if network["genotype"] else None,
        network=NetworkConfig(**network["settings"]),
        precision=network["precision"],
        classes=tuple(found["classes"]),
        features=FeaturesConfig(**found["front_end"]["settings"]),
        size=(found["input"]["frames"], found["input"]["width"]),
        moments=(moments["mean"], moments["deviation"]) if "mean" in moments else None,
    )


def restored(model: StoredModel) -> Network | Majority:
    """The trained network, on the CPU, ready to be evaluated."""
    network = scratch.fresh(
        model.arm, model.network, model.size, len(model.classes), model.genotype, model.precision
    )
    network.load_state_dict(model.weights)
    return network.eval()
