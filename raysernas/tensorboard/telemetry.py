"""What a trial shows while it runs and leaves behind: one TensorBoard run, one JSON line for each epoch, and
its progress.

In: the entries of each epoch, as the stages report them. Out: scalars with epochs as steps, pictures of
alphas, cells and validation every so many epochs, texts; how the run ends is written by `record.ending`.
Nothing here draws a random number.
"""

import json
import os
import platform
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
from raysernas.record.genotype import Genotype, from_json, space
from raysernas.tensorboard import run_header
from raysernas.tensorboard.events import Events
from raysernas.tensorboard.mirror import Mirror

Stage = Literal["search", "checks", "retrain", "test"]
Entry = dict[str, Any]
# not in the JSON: what no two runs share, and what it has in other words
SHOWN = ("timing", "shares", "confusion", "restored")
UNSHOWN = ("epoch", "mixing", "confusion", "restored", "shares")  # not as scalars by their own names
COPY_S = 60.0  # between two copies of a run to a store that takes only whole objects


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a trial is: what may be known about it before it has ended. Holds no test score."""

    stage: Stage
    epoch: int
    epochs: int
    loss: float = float("nan")
    valid_ua: float = float("nan")


class Telemetry:
    """The run of one attempt at a trial, to be closed. Starting it anew for a trial drops what an earlier
    attempt has left.
    """

    def __init__(
        self, files: TrialFiles, trial: TrialConfig, study: StudyConfig, report: Callable[[Progress], object]
    ) -> None:
        """Begin the run: once its file is there, it holds settings, protocol and what the hparams page reads.

        Args:
            report: is called after each epoch, but for those that an earlier attempt has reported.

        Raises:
            Fault: when the folder cannot be written.
        """
        storage.delete_tree(files.tensorboard)
        self.files, self.trial, self.study, self.report = files, trial, study, report
        self.space, self.emotions = space(trial.network), tuple[str, ...]()
        self.lines: list[str] = []
        self.remarks = 0
        self.mirror = Mirror(files.tensorboard)
        self.events = Events()
        self.events.begin()
        run_header.begin(self.events, trial, study, files.key)
        self.path = (
            self.mirror.folder / files.events(f"{time.time():017.6f}.{platform.node()}.{os.getpid()}").name
        )
        storage.put(self.path, self.events.taken())
        self.mirror.copy()
        self.copied_s = time.monotonic()

    def stage(self, stage: Stage, epochs: int, retrain_seed: int | None = None) -> Callable[[Entry], None]:
        """What the epochs of a stage are reported to."""
        # as its checkpoint: seeds must not share a tag
        name = stage if retrain_seed is None else f"{stage}-{retrain_seed}"
        self._copy()  # the stage before has ended

        def at_epoch(entry: Entry) -> None:
            seed = {} if retrain_seed is None else {"retrain_seed": retrain_seed}
            kept = {key: value for key, value in entry.items() if key not in SHOWN}
            self.lines.append(json.dumps({"stage": stage, **seed, **kept}))
            self._show(name, entry, last=entry["epoch"] == epochs)
            if "restored" not in entry:
                loss, valid_ua = (entry.get(key, float("nan")) for key in ("loss", "valid_ua"))
                self.report(
                    Progress(stage=stage, epoch=entry["epoch"], epochs=epochs, loss=loss, valid_ua=valid_ua)
                )

        return at_epoch

    def parts(self, facts: Mapping[str, Any], emotions: tuple[str, ...]) -> None:
        """Who is in which part is known now; `facts` as of `outcome.facts_of`."""
        self.emotions = emotions
        run_header.parts(self.events, self.trial, self.study, facts)
        self._write()

    def genotype(self, found: Genotype) -> None:
        """The architecture is known now."""
        run_header.genotype(self.events, found)
        self._write()

    def remark(self, text: str) -> None:
        """What people should know and no two runs share: a text in TensorBoard, and a line on stderr."""
        self.events.text("remarks", text, self.remarks)
        self.remarks += 1
        self._write()
        print(text, file=sys.stderr)

    def close(self) -> None:
        """Write the history and close the run, unless another attempt has begun it anew: what this one knows
        is out of date.
        """
        if self._taken():
            self.mirror.drop()
            return
        self.mirror.close()
        storage.write_text(self.files.history, "".join(line + "\n" for line in self.lines))

    def _show(self, name: str, entry: Entry, *, last: bool) -> None:
        """One epoch: numbers become scalars, a warning a text, and now and then there are pictures."""
        epoch, events = entry["epoch"], self.events
        for tag, value in _numbers(name, {key: value for key, value in entry.items() if key not in UNSHOWN}):
            events.scalar(tag, value, epoch)
        # so many that they have a place of their own
        for tag, value in _numbers(f"{name}_alphas", entry.get("shares")):
            events.scalar(tag, value, epoch)
        if "warning" in entry:
            events.text(f"{name}/warning", entry["warning"], epoch)
        every = self.study.resources.pictures_every
        if every and (last or epoch % every == 0):
            for tag, picture in self._pictures(name, entry):
                events.image(tag, picture, epoch)
        self._write()

    def _pictures(self, name: str, entry: Entry) -> Iterator[tuple[str, pictures.Picture]]:
        """Of what an entry has."""
        genotype = from_json(entry["genotype"]) if entry.get("genotype") else None
        for part in self.space if "mixing" in entry else ():
            yield f"{name}/alphas_{part}", pictures.mixtures(entry["mixing"], self.space, part, genotype)
        for cell, picture in pictures.cells(genotype).items() if genotype else ():
            yield f"{name}/cell_{cell}", picture
        if "confusion" in entry:
            yield (
                f"{name}/valid_confusion",
                pictures.confusion(entry["confusion"], self.emotions, f"validation, epoch {entry['epoch']}"),
            )

    def _write(self) -> None:
        """Bring what waits to the file at once, so that who looks sees it; to a store now and then."""
        try:
            # never made anew: a second file would tell everything twice
            with Path(self.path).open("r+b", buffering=0) as file:
                file.seek(0, os.SEEK_END)
                file.write(self.events.taken())
        except FileNotFoundError:
            return  # somebody has deleted the folder: the trial goes on without
        except OSError as error:
            raise storage.unwritable(self.path, error) from error
        if time.monotonic() - self.copied_s > COPY_S:
            self._copy()

    def _copy(self) -> None:
        self.copied_s = time.monotonic()
        if not self._taken():
            self.mirror.copy()

    def _taken(self) -> bool:
        """Whether another attempt has begun the run anew: this one was taken for lost, and lives."""
        names = [path.name for path in storage.listed(self.files.tensorboard)]
        return bool(names) and self.path.name not in names


def _numbers(name: str, value: Any) -> Iterator[tuple[str, float]]:
    """The numbers inside nested mappings, named by the way to them."""
    if isinstance(value, int | float):
        yield name, value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _numbers(f"{name}/{key}", each)
