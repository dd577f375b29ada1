"""Whether two processes that load the same features hold them in memory once.

    python -m tests.benchmarks.shared_pages

Two processes open the cache of 5,531 utterances and read every frame. Counted, by the kernel
(/proc/self/smaps, Linux only): of the pages of the shards, those that are resident in each process, its
proportional share of them, and those that are its own.
"""

import multiprocessing
import re
import tempfile
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np

from raysernas.config.schema import FeaturesConfig
from raysernas.corpora.corpus import Corpus
from raysernas.features import loading
from tests.benchmarks.warm_load import COUNT, filled

KINDS = ("Rss", "Pss", "Private_Clean", "Private_Dirty")
MB = 1024  # kB


def mapped() -> dict[str, int]:
    """kB of the mapped shards of this process, and (`all`) what is its own of everything."""
    counts, inside = dict.fromkeys(KINDS, 0), False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            inside = line.endswith(".arrow")
        elif inside and (name := line.partition(":")[0]) in KINDS:
            counts[name] += int(line.split()[1])
    whole = dict(re.findall(r"^(\w+):\s+(\d+) kB", Path("/proc/self/smaps_rollup").read_text(), re.MULTILINE))
    return counts | {"all": int(whole["Private_Clean"]) + int(whole["Private_Dirty"])}


def look(corpus: Corpus, folder: Path, together: Barrier, answers: multiprocessing.Queue) -> None:
    """Open, read everything, wait for the other, count."""
    before = mapped()["all"]
    frames = loading.load(corpus, FeaturesConfig(), folder)
    total = sum(float(np.sum(frames.of(i))) for i in range(len(frames)))
    together.wait()
    answers.put((total, before, mapped()))
    together.wait()


def main() -> None:
    """Print a table."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        corpus = filled(Path(folder), COUNT)
        on_disk = sum(path.stat().st_size for path in Path(folder).rglob("*.arrow")) / 1024
        together, answers = context.Barrier(2), context.Queue()
        processes = [
            context.Process(target=look, args=(corpus, Path(folder), together, answers)) for _ in range(2)
        ]
        for process in processes:
            process.start()
        found = [answers.get() for _ in processes]
        for process in processes:
            process.join()
    assert found[0][0] == found[1][0]
    print(f"shards on disk {on_disk / MB:.0f} MB; MB of their pages in each process:")
    for number, (_, before, counts) in enumerate(found):
        row = "  ".join(f"{name} {counts[name] / MB:6.1f}" for name in KINDS)
        print(f"process {number}: {row}   its own memory grew by {(counts['all'] - before) / MB:.1f}")
    shared = sum(counts["Pss"] for _, _, counts in found)
    print(f"sum of Pss {shared / MB:.1f} MB, {100 * shared / on_disk:.0f} % of one copy")


if __name__ == "__main__":
    main()
