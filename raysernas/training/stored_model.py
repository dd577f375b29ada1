"""A trained model on disk, with all that its use needs: neither corpus nor study is needed any more.

In: a trial, its data and the model trained on them. Out: one file of plain tensors, lists and text:

    format     1
    weights    the model's state dict
    network    arm, design, genotype (JSON, "" without one), precision, settings
    classes    the emotions, in the order of the network's outputs
    front_end  kind, settings: from a waveform to frames
    input      frames and width of every input, sample_rate_hz of the waveform
    moments    of (features.normalisation); for `train` also mean and deviation of each band, over the
               speakers that the model was trained on. With `utterance` a recording is scaled by its own
               moments, with `speaker` by those of its speaker's recordings, with `none` it is taken as it is.
    functionals
               of (features.functionals; "frames": mean and deviation of the frames; "": not used) and, if
               they are used, mean and deviation of each number over the training speakers; see
               `features/utterance_table.py`

Studies of earlier versions hold the state dict alone.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from raysernas.config.fault import Fault
from raysernas.config.identity import functionals
from raysernas.config.schema import FeaturesConfig, NetworkConfig, Precision, TrialConfig
from raysernas.features import extraction
from raysernas.model.network import Design, Network, build
from raysernas.record import genotype as genotypes
from raysernas.record.genotype import Genotype
from raysernas.runtime import checkpoint_file
from raysernas.training.data import Data
from raysernas.training.model import TrainedModel

FORMAT = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredModel:
    """What `load` gives back."""

    weights: Mapping[str, Tensor]
    arm: str
    design: Design | None  # None for a model that is no network
    genotype: Genotype | None
    network: NetworkConfig
    precision: Precision
    classes: tuple[str, ...]
    features: FeaturesConfig
    size: tuple[int, int]  # (time, band) of every input
    moments: tuple[Tensor, Tensor] | None  # mean and deviation [band]; None unless normalisation is `train`
    functionals: tuple[Tensor, Tensor] | None  # mean and deviation [number]; None where they are not used


def save(
    path: Path,
    trial: TrialConfig,
    data: Data,
    design: Design | None,
    genotype: Genotype | None,
    model: TrainedModel,
) -> None:
    """Write a trained model of a trial, whole or not at all."""
    checkpoint_file.save(path, contents(trial, data, design, genotype, model))


def contents(
    trial: TrialConfig, data: Data, design: Design | None, genotype: Genotype | None, model: TrainedModel
) -> dict[str, Any]:
    """What a file of format 1 holds."""
    frames, width = data.size
    moments: dict[str, Any] = {"of": trial.features.normalisation}
    if trial.features.normalisation == "train":
        found = data.tested_normalisation
        mean, deviation = torch.from_numpy(found.mean[0]), torch.from_numpy(found.deviation[0])
        moments |= {"mean": mean, "deviation": deviation}
    return {
        "format": FORMAT,
        "weights": dict(model.state_dict()),
        "network": {
            "arm": trial.arm,
            "design": asdict(design) if design else None,
            "genotype": genotype.to_json() if genotype else "",
            "precision": trial.compute.precision,
            "settings": asdict(trial.network),
        },
        "classes": list(data.corpus.emotions),
        "front_end": {"kind": trial.features.kind, "settings": asdict(trial.features)},
        "input": {"frames": frames, "width": width, "sample_rate_hz": trial.features.sample_rate_hz},
        "moments": moments,
        "functionals": _functionals(trial, data),
    }


def _functionals(trial: TrialConfig, data: Data) -> dict[str, Any]:
    if (table := data.functionals) is None:
        return {"of": ""}
    of = functionals(trial)
    mean, deviation = torch.from_numpy(table.mean), torch.from_numpy(table.deviation)
    return {"of": "frames" if of == "none" else of, "mean": mean, "deviation": deviation}


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
    network, moments, more = found["network"], found["moments"], found.get("functionals", {})
    return StoredModel(
        weights=found["weights"],
        arm=network["arm"],
        design=Design(**network["design"]) if network["design"] else None,
        genotype=genotypes.from_json(network["genotype"]) if network["genotype"] else None,
        network=NetworkConfig(**network["settings"]),
        precision=network["precision"],
        classes=tuple(found["classes"]),
        features=FeaturesConfig(**found["front_end"]["settings"]),
        size=(found["input"]["frames"], found["input"]["width"]),
        moments=(moments["mean"], moments["deviation"]) if "mean" in moments else None,
        functionals=(more["mean"], more["deviation"]) if "mean" in more else None,
    )


def restored(model: StoredModel) -> Network:
    """The trained network, on the CPU, ready to be evaluated.

    Raises:
        Fault: for a model that is no network.
    """
    if model.design is None:
        fix = "choose another arm of the study"
        raise Fault(
            "stored model", "this arm trains no network", got=model.arm, expected="a network", fix=fix
        )
    classes, layers = len(model.classes), extraction.front_end(model.features).layers
    numbers = 0 if model.functionals is None else len(model.functionals[0])
    sizes = model.size, classes, model.genotype, model.precision, layers, numbers
    network = build(model.design, model.network, *sizes)
    network.load_state_dict(model.weights)
    return network.eval()
