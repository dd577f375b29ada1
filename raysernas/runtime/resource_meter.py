"""What a stage costs: wall-clock seconds, processor seconds and peak memory."""

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import torch


@dataclass(slots=True)
class Cost:
    """Of one stage. `cpu_s` is of all threads of the process; `peak_mb` is device memory on a GPU, else
    resident memory of the process.
    """

    seconds: float = 0.0
    peak_mb: float = 0.0
    cpu_s: float = 0.0  # not in checkpoints of earlier versions

    def add(self, other: "Cost") -> None:
        """Seconds add up; of peaks the higher one stays."""
        self.seconds += other.seconds
        self.peak_mb = max(self.peak_mb, other.peak_mb)
        self.cpu_s += other.cpu_s

    def row(self, stage: str, runs: int = 1) -> dict[str, float]:
        """Columns of a record; seconds are shared among so many runs."""
        seconds = {f"{stage}_s": self.seconds / runs, f"{stage}_cpu_s": self.cpu_s / runs}
        return {**seconds, f"{stage}_mb": self.peak_mb}


@contextmanager
def metered(device: torch.device, earlier: Cost | None = None) -> Iterator[Cost]:
    """Measure the block; the cost is complete when it ends.

    Args:
        earlier: what earlier attempts at the same block took, as the block finds out: added, and counted
            once.
    """
    cost = Cost()
    _reset_peak(device)
    start, cpu_start = time.perf_counter(), time.process_time()
    try:
        yield cost
    finally:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        cost.seconds, cost.cpu_s = time.perf_counter() - start, time.process_time() - cpu_start
        cost.peak_mb = peak_mb(device)
        if earlier is not None:
            cost.add(earlier)
            earlier.seconds = earlier.peak_mb = earlier.cpu_s = 0.0


def _reset_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    # not on Linux, or not allowed in this container: the peak is then of the whole process
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_mb(device: torch.device) -> float:
    """Since the outermost `metered` block began; read without beginning anew."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS, KiB elsewhere
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
