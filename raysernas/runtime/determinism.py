"""The same (configuration, fold, seed) gives the same bits on one machine: seeds, threads, algorithms,
device.
"""

import hashlib
import json
import os
import random
from typing import Any

import numpy as np
import torch
from torch import Tensor

from raysernas.config.schema import ComputeConfig, TrialConfig

# environment variables that choose the instructions of oneDNN, MKL and numpy
LIMITS = (
    *("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ONEDNN_DEFAULT_FPMATH_MODE"),
    *("MKL_ENABLE_INSTRUCTIONS", "MKL_CBWR", "NPY_DISABLE_CPU_FEATURES"),
)


def pin(compute: ComputeConfig) -> None:
    """Fix threads and algorithms of this process; Ray sets OMP_NUM_THREADS, which is not relied upon."""
    # what makes cuBLAS and cuDNN's LSTM repeatable
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(compute.threads)
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # pyright: ignore[reportAttributeAccessIssue]
    # or what is called fp32 has 10 bits of mantissa in a GPU's convolutions
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def instructions() -> str:
    """The CPU instructions of torch's own kernels, and LIMITS where they are set; others give other bits."""
    limits = [f"{name}={value}" for name in LIMITS if (value := os.environ.get(name))]
    return " ".join([torch.backends.cpu.get_cpu_capability(), *limits])


def stream(trial: TrialConfig, purpose: str) -> int:
    """A seed for one purpose: independent for unlike purposes, seeds and folds, the same for every arm and
    candidate.
    """
    return int.from_bytes(hashlib.sha256(f"{trial.seed} {trial.fold} {purpose}".encode()).digest()[:4])


def device_of(trial: TrialConfig) -> torch.device:
    """Where a resolved trial runs."""
    if trial.compute.device == "auto":
        raise ValueError("compute.device is still 'auto': resolve the configuration first")
    return torch.device(trial.compute.device)


def random_state(device: torch.device) -> list[Tensor]:
    """Of torch's global generators that dropout on a device draws from."""
    states = [torch.get_rng_state()]
    return [*states, torch.cuda.get_rng_state(device)] if device.type == "cuda" else states


def set_random_state(state: list[Tensor], device: torch.device) -> None:
    """Go back to a state that `random_state` gave for the same device."""
    torch.set_rng_state(state[0])
    if device.type == "cuda":
        torch.cuda.set_rng_state(state[1], device)


def random_states(device: torch.device) -> dict[str, Any]:
    """Of every global generator of this process, Python's and numpy's as text: plain data for a
    checkpoint.
    """
    numpy: Any = np.random.get_state(legacy=False)
    numpy["state"]["key"] = numpy["state"]["key"].tolist()
    return {
        "torch": random_state(device),
        "python": json.dumps(random.getstate()),
        "numpy": json.dumps(numpy),
    }


def set_random_states(states: dict[str, Any], device: torch.device) -> None:
    """Go back to what `random_states` gave for the same device."""
    set_random_state(states["torch"], device)
    version, inner, gauss = json.loads(states["python"])
    random.setstate((version, tuple(inner), gauss))
    numpy = json.loads(states["numpy"])
    numpy["state"]["key"] = np.array(numpy["state"]["key"], np.uint32)
    np.random.set_state(numpy)


def generator_state(rng: np.random.Generator) -> str:
    """Of one generator of numpy, as text."""
    return json.dumps(rng.bit_generator.state)


def set_generator_state(rng: np.random.Generator, state: str) -> None:
    """Go back to what `generator_state` gave."""
    rng.bit_generator.state = json.loads(state)
