"""What it costs to look at a corpus: every file decoded, and remembered.

    python -m tests.benchmarks.check [FILES]

Writes files of 3 s at 16 kHz into a temporary folder, inspects them by threads as the product does and by two
processes (what these cost to start is counted), then again with everything remembered, and checks the whole
as a manifest.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import soundfile

from raysernas.config.schema import CorpusConfig
from raysernas.corpora.check.report import check
from raysernas.corpora.inspection import Sound, inspect

RATE_HZ, SECONDS, PROCESSES = 16_000, 3, 2


def written(folder: Path, files: int) -> list[str]:
    """That many files of different noise, and a table of them: ten speakers, four emotions."""
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, SECONDS * RATE_HZ + files)
    rows = ["file,emotion,speaker"]
    for number in range(files):
        soundfile.write(folder / f"{number}.wav", noise[number : number + SECONDS * RATE_HZ], RATE_HZ)
        rows.append(f"{number}.wav,{['anger', 'fear', 'joy', 'neutral'][number % 4]},s{number // 4 % 10}")
    (folder / "all.csv").write_text("\n".join(rows), encoding="utf-8")
    return [str(folder / f"{number}.wav") for number in range(files)]


def unremembered(paths: Sequence[str]) -> dict[str, Sound]:
    """What a process does with its share."""
    return inspect(paths, None)


def by_processes(paths: Sequence[str]) -> None:
    """Half of the files to each of two fresh processes."""
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        list(pool.map(unremembered, [paths[start::PROCESSES] for start in range(PROCESSES)]))


def seconds(work: Callable[[], object]) -> float:
    """Wall time."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Print a line for each way."""
    files = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = written(folder, files)
        ways: dict[str, Callable[[], object]] = {
            "threads": lambda: unremembered(paths),
            "two processes": lambda: by_processes(paths),
            "threads, remembering": lambda: inspect(paths, folder / "memory"),
            "remembered": lambda: inspect(paths, folder / "memory"),
            "python -m raysernas.corpora check, without its start": lambda: check(
                CorpusConfig(name="manifest", root=str(folder / "all.csv"))
            ),
        }
        print(f"{files} files of {SECONDS} s at {RATE_HZ} Hz, wall seconds")
        for way, work in ways.items():
            print(f"{seconds(work):8.2f}  {way}")


if __name__ == "__main__":
    main()
