"""TensorBoard runs, read by TensorBoard's own reader: what each tag holds, in full and in the order in which
it was written.
"""

from collections import Counter
from pathlib import Path
from typing import Any

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.plugins.hparams import metadata

ALL = {"scalars": 0, "images": 0, "tensors": 0}  # no sampling
SESSION = {metadata.EXPERIMENT_TAG, metadata.SESSION_START_INFO_TAG, metadata.SESSION_END_INFO_TAG}


class Run:
    """One run, read once."""

    def __init__(self, folder: Path) -> None:
        self._reader = EventAccumulator(str(folder), ALL).Reload()
        tags = self._reader.Tags()
        self.scalars = {tag: {e.step: e.value for e in self._reader.Scalars(tag)} for tag in tags["scalars"]}
        self.images = {
            tag: {e.step: e.encoded_image_string for e in self._reader.Images(tag)} for tag in tags["images"]
        }
        texts = [
            tag
            for tag in tags["tensors"]
            if self._reader.SummaryMetadata(tag).plugin_data.plugin_name == "text"
        ]
        self.texts = {
            tag: {e.step: e.tensor_proto.string_val[0].decode() for e in self._reader.Tensors(tag)}
            for tag in texts
        }

    def session(self, tag: str) -> Any:
        """What the hparams plugin reads under one of its tags."""
        data = self._reader.SummaryMetadata(tag).plugin_data.content
        parse: Any = {
            metadata.EXPERIMENT_TAG: metadata.parse_experiment_plugin_data,
            metadata.SESSION_START_INFO_TAG: metadata.parse_session_start_info_plugin_data,
            metadata.SESSION_END_INFO_TAG: metadata.parse_session_end_info_plugin_data,
        }
        return parse[tag](data)

    @property
    def hparams(self) -> dict[str, Any]:
        """Name -> value."""
        found = self.session(metadata.SESSION_START_INFO_TAG).hparams
        return {name: getattr(value, value.WhichOneof("kind")) for name, value in found.items()}

    @property
    def status(self) -> str | None:
        """As the hparams page calls it; None while it runs."""
        from tensorboard.plugins.hparams import api_pb2

        api: Any = api_pb2
        if metadata.SESSION_END_INFO_TAG not in self._reader.Tags()["tensors"]:
            return None
        return api.Status.Name(self.session(metadata.SESSION_END_INFO_TAG).status).removeprefix("STATUS_")


def event_counts(folder: Path) -> Counter[tuple[str, int]]:
    """How often each (tag, step) stands in the files of a run, whatever a reader would make of it."""
    found: Counter[tuple[str, int]] = Counter()
    for path in sorted(folder.glob("*tfevents*")):
        for event in EventFileLoader(str(path)).Load():
            found.update((value.tag, event.step) for value in event.summary.value)
    return found
