"""What a running trial shows: a TensorBoard run, a history with one JSON line for each epoch, and progress.

In: one entry for each epoch, as the stages report them. Out: scalars with epochs as steps; pictures of
alphas, cells and validation every few epochs; texts. The end of the run is written by `finalize`. Nothing
here draws a random number.
"""

import json
import os
import platform
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from raysernas.config.schema import StudyConfig, TrialConfig
from raysernas.drawing import pictures
from raysernas.record import storage
from raysernas.record.files import TrialFiles
from raysernas.record.genotype import Genotype, from_json, space_of
from raysernas.record.history import HistoryEntry, ReportEpoch
from raysernas.tensorboard import run_header
from raysernas.tensorboard.events import Events
from raysernas.tensorboard.mirror import Mirror

Stage = Literal["search", "checks", "retrain", "refit", "test"]
# not in the history: what differs between two runs of the same trial, and what other keys say already
NOT_IN_HISTORY = ("timing", "shares", "confusion", "restored")
NOT_SCALARS = ("epoch", "mixing", "confusion", "restored", "shares")
EVENTS = re.compile(r"events\.out\.tfevents\.(\d{10}\.\d{6}\..+\.\d+|end)")  # names of our own files
COPY_S = 60.0  # between two copies of a run to a store that takes only whole objects


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a running trial is. Holds no test score."""

    stage: Stage
    epoch: int
    epochs: int
    loss: float = float("nan")
    valid_ua: float = float("nan")


class Telemetry:
    """The TensorBoard run of one attempt at a trial; it must be closed. A new attempt deletes the run of an
    earlier one.
    """

    def __init__(
        self, files: TrialFiles, trial: TrialConfig, study: StudyConfig, report: Callable[[Progress], object]
    ) -> None:
        """Start the run. Its file appears with settings, protocol and hparams already in it.

        Args:
            report: called after each epoch, except for epochs restored from an earlier attempt.

        Raises:
            Fault: when the folder cannot be written.
        """
        storage.delete_own(files.tensorboard, lambda path: EVENTS.fullmatch(path.name) is not None)
        self.files, self.trial, self.study, self.report = files, trial, study, report
        self.space, self.emotions = space_of(trial), tuple[str, ...]()
        self.lines: list[str] = []
        self.remarks = 0
        self.mirror = Mirror(files.tensorboard)
        self.events = Events()
        self.events.start_run()
        run_header.write_start(self.events, trial, study, files.key)
        self.path = (
            self.mirror.folder / files.events(f"{time.time():017.6f}.{platform.node()}.{os.getpid()}").name
        )
        storage.put(self.path, self.events.drain())
        self.mirror.copy()
        self.copied_s = time.monotonic()

    def stage(self, stage: Stage, epochs: int, retrain_seed: int | None = None) -> ReportEpoch:
        """The function that takes the entry of each epoch of a stage."""
        # named like its checkpoint: two seeds must not share a tag
        name = stage if retrain_seed is None else f"{stage}-{retrain_seed}"
        self._copy()  # the previous stage is complete

        def at_epoch(entry: HistoryEntry) -> None:
            seed = {} if retrain_seed is None else {"retrain_seed": retrain_seed}
            kept = {key: value for key, value in entry.items() if key not in NOT_IN_HISTORY}
            self.lines.append(json.dumps({"stage": stage, **seed, **kept}))
            self._show(name, entry, last=entry["epoch"] == epochs)
            if "restored" not in entry:
                loss, valid_ua = (entry.get(key, float("nan")) for key in ("loss", "valid_ua"))
                self.report(
                    Progress(stage=stage, epoch=entry["epoch"], epochs=epochs, loss=loss, valid_ua=valid_ua)
                )

        return at_epoch

    def parts(self, facts: Mapping[str, Any], emotions: tuple[str, ...]) -> None:
        """Show who is in which part; `facts` as of `outcome.facts_of`."""
        self.emotions = emotions
        run_header.write_parts(self.events, self.trial, self.study, facts)
        self._write()

    def genotype(self, found: Genotype) -> None:
        """Show the derived architecture."""
        run_header.write_genotype(self.events, found)
        self._write()

    def remark(self, text: str) -> None:
        """Something to know about this attempt: a text in TensorBoard and a line on stderr, not in the
        history.
        """
        self.events.text("remarks", text, self.remarks)
        self.remarks += 1
        self._write()
        print(text, file=sys.stderr)

    def close(self) -> None:
        """Write the history and close the run; if a newer attempt has replaced the run, write nothing."""
        if self._replaced():
            self.mirror.drop()
            return
        self.mirror.close()
        storage.write_text(self.files.history, "".join(line + "\n" for line in self.lines))

    def _show(self, name: str, entry: HistoryEntry, *, last: bool) -> None:
        """One epoch: numbers as scalars, a warning as a text, and every few epochs pictures."""
        epoch, events = entry["epoch"], self.events
        for tag, value in _numbers(
            name, {key: value for key, value in entry.items() if key not in NOT_SCALARS}
        ):
            events.scalar(tag, value, epoch)
        # so many that they get a group of their own
        for tag, value in _numbers(f"{name}_alphas", entry.get("shares")):
            events.scalar(tag, value, epoch)
        if "warning" in entry:
            events.text(f"{name}/warning", entry["warning"], epoch)
        every = self.study.resources.pictures_every
        if every and (last or epoch % every == 0):
            for tag, picture in self._pictures(name, entry):
                events.image(tag, picture, epoch)
        self._write()

    def _pictures(self, name: str, entry: HistoryEntry) -> Iterator[tuple[str, pictures.Picture]]:
        genotype = from_json(entry["genotype"]) if entry.get("genotype") else None
        for part in self.space if "mixing" in entry else ():
            yield f"{name}/alphas_{part}", pictures.alphas(entry["mixing"], self.space, part, genotype)
        for cell, picture in pictures.cells(genotype).items() if genotype else ():
            yield f"{name}/cell_{cell}", picture
        if "confusion" in entry:
            yield (
                f"{name}/valid_confusion",
                pictures.confusion(entry["confusion"], self.emotions, f"validation, epoch {entry['epoch']}"),
            )

    def _write(self) -> None:
        """Append the buffered events to the file at once; copy to a remote store now and then."""
        try:
            # never create the file again: a second one would repeat every event
            with Path(self.path).open("r+b", buffering=0) as file:
                file.seek(0, os.SEEK_END)
                file.write(self.events.drain())
        except FileNotFoundError:
            return  # somebody deleted the folder; the trial goes on without it
        except OSError as error:
            raise storage.unwritable(self.path, error) from error
        if time.monotonic() - self.copied_s > COPY_S:
            self._copy()

    def _copy(self) -> None:
        self.copied_s = time.monotonic()
        if not self._replaced():
            self.mirror.copy()

    def _replaced(self) -> bool:
        """Whether a newer attempt has started the run again: this one was believed lost, but still runs."""
        names = [path.name for path in storage.listed(self.files.tensorboard)]
        return bool(names) and self.path.name not in names


def _numbers(name: str, value: Any) -> Iterator[tuple[str, float]]:
    """(path, number) of every number inside nested mappings."""
    if isinstance(value, int | float):
        yield name, value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _numbers(f"{name}/{key}", each)
