"""What `python -m analysis` makes of studies: frames, words on a terminal, and files of figures and
tables.
"""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console, Group
from rich.panel import Panel
from rich.text import Text

from analysis import tables, writing
from analysis.frames import columns
from analysis.loading import Results, load
from analysis.protocol_card import marks_line
from analysis.report.page import figures
from analysis.selection import HEADLINE
from raysernas.drawing.raster import PRINT_SCALE, png
from raysernas.drawing.svg import svg
from raysernas.record import storage
from raysernas.record.progress_bar import progress_bar

TABLES = columns(
    "chosen arms ensembles folds classes speakers cost pareto pairs over_random components importance genes "
    "agreement histories"
)
FRAMES = (*TABLES, "typical", "alphas", "answers")
PLAIN: Sequence[writing.Format] = ("csv", "parquet")
LARGEST = 4000  # pixels of a figure's file in each direction
LONG = 2000  # rows; nobody reads a longer table as text
STYLES = {"best": "bold", "caution": "yellow", "marks": "bold yellow"}  # of sentences on a terminal


def gathered(roots: Sequence[Path], *, mixed: bool = False) -> Results:
    """Studies with every frame computed, as far as it can be: `Results.unavailable` has the others.

    Raises:
        Fault: if a folder holds no study, or the protocols are unlike and `mixed` does not permit that.
    """
    results = load(*[str(root) for root in roots], mixed=mixed)
    with progress_bar("Computing tables") as report:
        for done, name in enumerate(FRAMES):
            report(done, len(FRAMES))
            results.rows(name)
        report(len(FRAMES), len(FRAMES))
    return results


def print_answers(results: Results, console: Console) -> None:
    """What each study has found, in words."""
    for study in results.names:
        found = results.rows("answers", study).to_dict("records")
        words = [Text(row["sentence"], style=STYLES.get(row["kind"], "")) for row in found]
        if words:
            console.print(Panel(Group(*words), title=Text(study), title_align="left", padding=(1, 2)))


def write_figures(results: Results, folder: Path) -> int:
    """Write every figure as SVG and PNG, and return how many there are.

    Raises:
        StorageFault: if the folder cannot be written.
    """
    found = figures(results)
    with progress_bar("Drawing figures") as report:
        for done, (name, picture) in enumerate(found.items()):
            report(done, len(found))
            storage.write_text(folder / f"{name}.svg", svg(picture, alone=True))
            storage.put(folder / f"{name}.png", png(picture, scale=PRINT_SCALE, most=LARGEST)[0])
    return len(found)


def write_tables(results: Results, folder: Path) -> int:
    """Write every frame in every format of `analysis.writing`, and `headline`, the table of a paper; return
    how many there are.

    A very long frame is written for programs only.

    Raises:
        Fault: if the scores cannot be computed.
        StorageFault: if the folder cannot be written.
    """
    frames = {"headline": tables.headline(results.arms, results.rows("ensembles")), "trials": results.trials}
    frames |= {name: results.rows(name) for name in TABLES if name not in results.unavailable}
    cards = results.cards
    own = {name: card | {"marks": marks_line(results.marks(name, HEADLINE))} for name, card in cards.items()}
    with progress_bar("Writing tables") as report:
        for done, (name, frame) in enumerate(frames.items()):
            report(done, len(frames))
            formats = PLAIN if len(frame) > LONG else writing.ALL
            writing.write(folder, {name: frame}, own if name == "headline" else cards, formats)
    return len(frames)
