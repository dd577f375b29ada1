"""What a trial shows while it runs and leaves behind: one TensorBoard run, and one JSON line for each epoch."""

import json
import sys
from collections.abc import Iterator
from typing import Any

from raysernas.record import storage
from raysernas.record.files import TrialFiles
from raysernas.record.mirror import Mirror

SHOWN = ("timing", "shares", "restored")  # not in the JSON: what no two runs share, and `mixing` again, named
UNSHOWN = ("epoch", "mixing", "restored")  # not as scalars


class Telemetry:
    """Scalars of every stage with epochs as steps. Starting it anew for a trial drops what an earlier attempt left."""

    def __init__(self, files: TrialFiles, settings: dict[str, Any]) -> None:
        from torch.utils.tensorboard import SummaryWriter  # takes a second to import

        storage.delete_tree(files.tensorboard)
        self.files = files
        self.stage = ""
        self.mirror = Mirror(files.tensorboard)
        self.lines: list[str] = []
        self.remarks = 0
        self.writer = SummaryWriter(str(self.mirror.folder))
        self.writer.add_text("settings", "\n".join(f"    {key} = {value}" for key, value in settings.items()))

    def epoch(self, stage: str, entry: dict[str, Any]) -> None:
        """One epoch: numbers become scalars, warnings text; all but SHOWN goes into the JSON line."""
        if stage != self.stage:
            self.stage = stage
            self.mirror.copy()  # the stage before has ended
        self.lines.append(json.dumps({"stage": stage, **{name: value for name, value in entry.items() if name not in SHOWN}}))
        for name, value in _numbers(stage, {name: value for name, value in entry.items() if name not in UNSHOWN}):
            self.writer.add_scalar(name, value, entry["epoch"])
        if "warning" in entry:
            self.writer.add_text(f"{stage}/warning", entry["warning"], entry["epoch"])
        self.writer.flush()

    def remark(self, text: str) -> None:
        """What people should know and no two runs share: a text in TensorBoard, and a line on stderr."""
        self.writer.add_text("remarks", text, self.remarks)
        self.remarks += 1
        print(text, file=sys.stderr)

    def close(self) -> None:
        """Write the history and close the run."""
        self.writer.close()
        self.mirror.close()
        storage.write_text(self.files.history, "".join(line + "\n" for line in self.lines))


def _numbers(name: str, value: Any) -> Iterator[tuple[str, float]]:
    """The numbers inside nested mappings, named by the way to them."""
    if isinstance(value, int | float):
        yield name, value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _numbers(f"{name}/{key}", each)
