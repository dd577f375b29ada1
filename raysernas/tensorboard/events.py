"""TensorBoard events as bytes: scalars, pictures, texts and what the hparams plugin reads, in the format of
its files.

In: tags, steps and values. Out: records as TensorBoard's own writer frames them. The writers of torch and
TensorBoard that write whole files are not used: whoever writes for a lost trial has no torch, and what is
written at once should reach the file at once.
"""

import time
from importlib import import_module
from io import BytesIO
from typing import TYPE_CHECKING, Any

from raysernas.drawing.pictures import Picture, png

if TYPE_CHECKING:
    from tensorboard.compat.proto.summary_pb2 import SummaryMetadata  # pyright: ignore[reportAttributeAccessIssue]

VERSION = "brain.Event:2"


class Events:
    """Events that wait to be written."""

    def __init__(self) -> None:
        from tensorboard.summary.writer.record_writer import RecordWriter  # takes half a second to import

        self._waiting = BytesIO()
        self._writer = RecordWriter(self._waiting)

    def begin(self) -> None:
        """The first of a run: its version, and that whatever was told of it before is out of date."""
        log = _messages("event").SessionLog
        self.go_on()
        self._add(session_log=log(status=log.START))

    def go_on(self) -> None:
        """The first of a further file of a run: its version."""
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
        words = _messages("tensor").TensorProto(
            dtype=_messages("types").DT_STRING, string_val=[text.encode("utf-8", "replace")]
        )
        self._value(
            step, tag=tag, metadata=about(plugin_data=about.PluginData(plugin_name="text")), tensor=words
        )

    def plugin(self, tag: str, metadata: "SummaryMetadata") -> None:
        """What a plugin reads from the metadata of an empty tensor."""
        nothing = _messages("tensor").TensorProto(dtype=_messages("types").DT_FLOAT, float_val=[0.0])
        self._value(0, tag=tag, metadata=metadata, tensor=nothing)

    def taken(self) -> bytes:
        """All that waits, which then waits no more."""
        found = self._waiting.getvalue()
        self._waiting.seek(0)
        self._waiting.truncate()
        return found

    def _value(self, step: int, **content: Any) -> None:
        summary = _messages("summary").Summary
        self._add(step=step, summary=summary(value=[summary.Value(**content)]))

    def _add(self, **content: Any) -> None:
        event = _messages("event").Event(wall_time=time.time(), **content)
        self._writer.write(event.SerializeToString())


def _messages(name: str) -> Any:
    """Kinds of protocol buffers, which no type checker sees."""
    return import_module(f"tensorboard.compat.proto.{name}_pb2")
