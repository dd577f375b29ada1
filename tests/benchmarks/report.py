"""How long a report of many trials takes to be made, and to open in Chromium.

python -m tests.benchmarks.report [TRIALS]
"""

import sys
import tempfile
import time
from pathlib import Path

from analysis.report.page import page
from tests.support import browser
from tests.support.results import ARMS, by_hand

FOLDS, SEEDS = 10, 10
TIMING = (
    "const [page] = performance.getEntriesByType('navigation'); return [page.domInteractive, "
    "page.loadEventEnd]"
)


def main(trials: int) -> None:
    """Prints seconds and sizes."""
    candidates = -(-trials // (FOLDS * SEEDS * len(ARMS)))
    found = by_hand(folds=FOLDS, seeds=SEEDS, candidates=candidates)
    start = time.perf_counter()
    text = page(found)
    print(
        f"{len(found.trials)} trials: a page of {len(text) / 1e6:.1f} MB in "
        f"{time.perf_counter() - start:.2f} s"
    )
    with tempfile.TemporaryDirectory() as folder, browser.chromium() as chrome:
        path = Path(folder) / "report.html"
        path.write_text(text, encoding="utf-8")
        for width in (1280, 390):
            browser.look(chrome, path, width=width)
            interactive, loaded = chrome.execute_script(TIMING)
            rows = chrome.execute_script("return document.querySelectorAll('#trials-area tbody tr').length")
            print(
                f"{width} px: interactive after {interactive:.0f} ms, loaded after {loaded:.0f} ms, {rows} "
                "rows shown"
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
