"""What a trial shows while it runs and leaves behind: one TensorBoard run, and one JSON line for each epoch."""

import json
import shutil
from typing import Any

from raysernas.record import storage
from raysernas.record.files import TrialFiles


class Telemetry:
    """Scalars of every stage with epochs as steps. Starting it anew for a trial drops what an earlier attempt left."""

    def __init__(self, files: TrialFiles, settings: dict[str, Any]) -> None:
        from torch.utils.tensorboard import SummaryWriter  # takes a second to import

        shutil.rmtree(files.tensorboard, ignore_errors=True)
        self.files = files
        self.lines: list[str] = []
        self.writer = SummaryWriter(str(files.tensorboard))
        self.writer.add_text("settings", "\n".join(f"    {key} = {value}" for key, value in settings.items()))

    def epoch(self, stage: str, entry: dict[str, Any]) -> None:
        """One epoch: numbers become scalars, everything goes into the JSON line."""
        self.lines.append(json.dumps({"stage": stage, **entry}))
        for name, value in entry.items():
            if isinstance(value, int | float) and name != "epoch":
                self.writer.add_scalar(f"{stage}/{name}", value, entry["epoch"])
        self.writer.flush()

    def close(self) -> None:
        """Write the history and close the run."""
        self.writer.close()
        storage.write_text(self.files.history, "".join(line + "\n" for line in self.lines))
