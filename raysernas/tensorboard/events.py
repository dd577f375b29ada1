"""TensorBoard events as bytes: scalars, pictures, texts and metadata for the hparams plugin.

In: tags, steps and values. Out: records in the format of TensorBoard's event files. The file writers of torch
and TensorBoard are not used: the driver that writes for a lost trial does not import torch, and an event
should reach its file at once.
"""

import time
from importlib import import_module
from io import BytesIO
from typing import TYPE_CHECKING, Any

from raysernas.drawing.pictures import Picture, png

if TYPE_CHECKING:
    from tensorboard.compat.proto.summary_pb2 import SummaryMetadata  # pyright: ignore

VERSION = "brain.Event:2"


class Events:
    """A buffer of events."""

    def __init__(self) -> None:
        from tensorboard.summary.writer.record_writer import RecordWriter  # takes half a second to import

        self._buffer = BytesIO()
        self._writer = RecordWriter(self._buffer)

    def start_run(self) -> None:
        """The first events of a run: its version, and a mark that makes older events of the run obsolete."""
        log = _messages("event").SessionLog
        self.continue_run()
        self._add(session_log=log(status=log.START))

    def continue_run(self) -> None:
        """The first event of another file of the same run: its version."""
        self._add(file_version=VERSION)

    def scalar(self, tag: str, value: float, step: int) -> None:
        """One number."""
        self._value(step, tag=tag, simple_value=value)

    def image(self, tag: str, picture: Picture, step: int) -> None:
        """One picture."""
        content, width, height = png(picture)
        found = _messages("summary").Summary.Image(
            height=height, width=width, colorspace=3, encoded_image_string=content
        )
        self._value(step, tag=tag, image=found)

    def text(self, tag: str, text: str, step: int = 0) -> None:
        """Markdown."""
        about = _messages("summary").SummaryMetadata
        tensor = _messages("tensor").TensorProto(
            dtype=_messages("types").DT_STRING, string_val=[text.encode("utf-8", "replace")]
        )
        self._value(
            step, tag=tag, metadata=about(plugin_data=about.PluginData(plugin_name="text")), tensor=tensor
        )

    def plugin(self, tag: str, metadata: "SummaryMetadata") -> None:
        """Metadata for a plugin, attached to an empty tensor."""
        empty = _messages("tensor").TensorProto(dtype=_messages("types").DT_FLOAT, float_val=[0.0])
        self._value(0, tag=tag, metadata=metadata, tensor=empty)

    def drain(self) -> bytes:
        """All buffered events; the buffer is empty afterwards."""
        found = self._buffer.getvalue()
        self._buffer.seek(0)
        self._buffer.truncate()
        return found

    def _value(self, step: int, **content: Any) -> None:
        summary = _messages("summary").Summary
        self._add(step=step, summary=summary(value=[summary.Value(**content)]))

    def _add(self, **content: Any) -> None:
        event = _messages("event").Event(wall_time=time.time(), **content)
        self._writer.write(event.SerializeToString())


def _messages(name: str) -> Any:
    """A module of protocol buffers, whose types no checker can see."""
    return import_module(f"tensorboard.compat.proto.{name}_pb2")
