"""From study folders to what is shown of them: findings, the page, files of figures and tables, words on a
terminal.

Comes in: places of studies. Goes out: `Findings`, HTML, files. A frame that cannot be computed is told in a
remark; the others stand.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console, Group
from rich.panel import Panel
from rich.text import Text

from analysis import answers, tables, writing
from analysis.loading import Results, load
from analysis.protocol_card import marks_told
from analysis.report import drawings, gallery
from analysis.report import page as pages
from analysis.report.findings import NESTED, Findings
from raysernas.config.fault import Fault
from raysernas.drawing.raster import PRINT_SCALE, png
from raysernas.drawing.svg import svg
from raysernas.record import storage
from raysernas.record.counting import counted

Progress = Callable[[int, int], object]
PLAIN: Sequence[writing.Format] = ("csv", "parquet")
LARGEST = 4000  # pixels of a figure's file in each direction
LONG = 2000  # rows, beyond which nobody reads a table as text
# of the kinds of sentences, on a terminal
STYLES = {"best": "bold", "caution": "yellow", "marks": "bold yellow"}


def findings(roots: Sequence[Path], report: Progress, *, mixed: bool = False) -> Findings:
    """Everything that is known about some studies; `report` is told how many of the frames are made, and of
    how many.

    Raises:
        Fault: for a folder that is not a study's, or studies of unlike protocols unless they are to be
            `mixed`.
    """
    return found_in(load(*[str(root) for root in roots], mixed=mixed), report)


def found_in(results: Results, report: Progress = lambda done, of: None) -> Findings:
    """The same of results that are loaded already."""
    frames, told = _gathered(_steps(results), report)
    histories, missing = frames.pop("histories", (pd.DataFrame(), ()))
    searched = drawings.searched(results.trials, frames.get("chosen", pd.DataFrame()))
    late, untold = _gathered({"alphas": lambda: results.mixtures(searched)}, lambda done, of: None)
    # what is missing of them is missing of the histories too
    mixtures, _ = late.get("alphas", (pd.DataFrame(), ()))
    typical = frames.pop("typical", pd.DataFrame())
    return Findings(
        trials=results.trials,
        frames={**frames, "histories": histories},
        configs=results.configs,
        cards=results.cards,
        answers=_answers(frames),
        marks=results.meanings,
        confusion=results.confusion,
        cells={study: list(drawings.cells(typical, study)) for study in results.configs},
        alphas={study: list(drawings.evolutions(searched, mixtures, study)) for study in results.configs},
        remarks=tuple(dict.fromkeys([*results.remarks, *missing, *told, *untold])),
    )


def _steps(results: Results) -> dict[str, Callable[[], Any]]:
    """How each frame is made, in order."""
    names = (
        *("chosen", "arms", "folds", "classes", "speakers", "cost", "pareto", "pairs", "over_random"),
        *("components", "importance", "genes", "agreement", "typical"),
    )
    frames: Mapping[str, Callable[[], Any]] = {
        name: lambda name=name: getattr(results, name) for name in names
    }
    return {**frames, "histories": results.histories}


def _gathered(steps: Mapping[str, Callable[[], Any]], report: Progress) -> tuple[dict[str, Any], list[str]]:
    """The value of each step that has one, and a sentence for each that ends in a fault."""
    found, told = {}, []
    for done, (name, step) in enumerate(steps.items()):
        report(done, len(steps))
        try:
            found[name] = step()
        except Fault as fault:
            told.append(f"{name} cannot be shown: {str(fault).splitlines()[0]}")
    report(len(steps), len(steps))
    return found, told


def _answers(frames: Mapping[str, pd.DataFrame]) -> dict[str, list[tuple[str, str]]]:
    """Study -> (kind, sentence), the answer first; nothing where a frame that they are made of could not
    be.
    """
    if not {"arms", "pairs", "cost"} <= set(frames):
        return {}
    table = answers.answers(frames["arms"], frames["pairs"], frames["cost"], frames.get("over_random"))
    table["kind"] = table["kind"].where((table["kind"] != "caution") | (table["arm"] != ""), "marks")
    return {
        str(name): list(zip(rows["kind"], rows["sentence"], strict=True))
        for name, rows in table.groupby("study", sort=False)
    }


def page(found: Findings, *, refresh_s: int = 0) -> str:
    """The report as HTML; `refresh_s` is how often it reads itself again while a study runs."""
    return pages.page(found, refresh_s=refresh_s)


def print_answers(found: Findings, console: Console) -> None:
    """What each study has found, in words, before any table."""
    for study, told in found.answers.items():
        words = [Text(sentence, style=STYLES.get(kind, "")) for kind, sentence in told]
        console.print(Panel(Group(*words), title=Text(study), title_align="left", padding=(1, 2)))


def write_figures(found: Findings, folder: Path) -> int:
    """Every figure as SVG and PNG; how many there are.

    Raises:
        StorageFault: when the folder cannot be written.
    """
    figures = gallery.every(found)
    with counted("Drawing figures") as report:
        for done, (name, figure) in enumerate(figures.items()):
            report(done, len(figures))
            storage.write_text(folder / f"{name}.svg", svg(figure, alone=True))
            storage.put(folder / f"{name}.png", png(figure, scale=PRINT_SCALE, most=LARGEST)[0])
    return len(figures)


def write_tables(found: Findings, folder: Path) -> int:
    """Every frame in every format of `analysis.writing`, and `headline`, the table of a paper; how many they
    are.

    A frame of very many rows is written for programs only.

    Raises:
        StorageFault: when the folder cannot be written.
    """
    frames = {"headline": tables.headline(found.frames["arms"]), "trials": found.trials, **found.frames}
    cards = {study: dict(card) for study, card in found.cards.items()}
    own = {study: card | {"marks": marks_told(found.marked(study, NESTED))} for study, card in cards.items()}
    with counted("Writing tables") as report:
        for done, (name, frame) in enumerate(frames.items()):
            report(done, len(frames))
            of_frame = own if name == "headline" else cards
            writing.write(folder, {name: frame}, of_frame, PLAIN if len(frame) > LONG else writing.ALL)
    return len(frames)
