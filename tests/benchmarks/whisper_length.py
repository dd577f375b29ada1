"""How much Whisper's encoder at the true length of a clip saves over the same encoder on 30 s.

    python -m tests.benchmarks.whisper_length FOLDER [SECONDS]

Counted: CPU seconds on one thread, with the preparation of the input, both ways in turn. FOLDER holds a
Whisper model as transformers saves it.
"""

import sys
import time
from pathlib import Path

import numpy as np
import torch

from raysernas.features.pretrained import encoder

PAIRS = 5


def main() -> None:
    """Print the ratio of each pair."""
    loaded = encoder.load(Path(sys.argv[1]), torch.device("cpu"))
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 2.0
    rate_hz = loaded.sample_rate_hz
    wave = np.random.default_rng(0).standard_normal(round(seconds * rate_hz)).astype(np.float32)
    torch.set_num_threads(1)

    def padded() -> None:
        inputs = loaded.prepare(wave, sampling_rate=rate_hz, return_tensors="pt")
        loaded.module(inputs.input_features, output_hidden_states=True)

    with torch.inference_mode():
        padded()
        for _ in range(PAIRS):
            begun = time.process_time()
            loaded.states(wave)
            between = time.process_time()
            padded()
            ended = time.process_time()
            own, whole = between - begun, ended - between
            print(f"true length {own:.3f} s, 30 s {whole:.3f} s, {whole / own:.1f} times")


if __name__ == "__main__":
    main()
