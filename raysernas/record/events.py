"""TensorBoard events as bytes: scalars, pictures, texts and what the hparams plugin reads, in the format of its files.

In: tags, steps and values. Out: records as TensorBoard reads them: length, checksum, protocol buffer, checksum. Not written by the
writers of torch or of TensorBoard: whoever writes for a lost trial has no torch, these import for a second and check a picture byte
by byte in Python, and what is written at once should reach the file at once.
"""

import struct
import time
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from raysernas.record.drawing import Picture, png

if TYPE_CHECKING:
    from tensorboard.compat.proto.summary_pb2 import SummaryMetadata  # pyright: ignore[reportAttributeAccessIssue]

VERSION = "brain.Event:2"
POLYNOMIAL = 0x82F63B78  # CRC-32C (Castagnoli), bits reversed
LANES = 256  # of a long record, whose checksums are taken side by side
LONG = 8192  # bytes from which on that is faster


class Events:
    """Events that wait to be written."""

    def __init__(self) -> None:
        self._records: list[bytes] = []

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
        found = _messages("summary").Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=content)
        self._value(step, tag=tag, image=found)

    def text(self, tag: str, text: str, step: int = 0) -> None:
        """Markdown."""
        about = _messages("summary").SummaryMetadata
        words = _messages("tensor").TensorProto(dtype=_messages("types").DT_STRING, string_val=[text.encode("utf-8", "replace")])
        self._value(step, tag=tag, metadata=about(plugin_data=about.PluginData(plugin_name="text")), tensor=words)

    def plugin(self, tag: str, metadata: "SummaryMetadata") -> None:
        """What a plugin reads from the metadata of an empty tensor."""
        nothing = _messages("tensor").TensorProto(dtype=_messages("types").DT_FLOAT, float_val=[0.0])
        self._value(0, tag=tag, metadata=metadata, tensor=nothing)

    def taken(self) -> bytes:
        """All that waits, which then waits no more."""
        found, self._records = b"".join(self._records), []
        return found

    def _value(self, step: int, **content: Any) -> None:
        summary = _messages("summary").Summary
        self._add(step=step, summary=summary(value=[summary.Value(**content)]))

    def _add(self, **content: Any) -> None:
        event = _messages("event").Event(wall_time=time.time(), **content)
        self._records.append(framed(event.SerializeToString()))


def _messages(name: str) -> Any:
    """Kinds of protocol buffers, which no type checker sees."""
    return import_module(f"tensorboard.compat.proto.{name}_pb2")


def framed(content: bytes) -> bytes:
    """A record of TensorFlow's file format."""
    length = struct.pack("<Q", len(content))
    return length + struct.pack("<I", _masked(length)) + content + struct.pack("<I", _masked(content))


def _masked(content: bytes) -> int:
    found = checksum(content)
    return (((found >> 15) | (found << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def checksum(content: bytes) -> int:
    """CRC-32C."""
    whole = len(content) // LANES * LANES if len(content) >= LONG else 0
    found = _side_by_side(np.frombuffer(content[:whole], np.uint8)) if whole else 0xFFFFFFFF
    table = _table_list()
    for byte in content[whole:]:
        found = table[(found ^ byte) & 0xFF] ^ (found >> 8)
    return found ^ 0xFFFFFFFF


def _side_by_side(content: npt.NDArray[np.uint8]) -> int:
    """The register after `content`: it is linear over bits, so that each lane may begin with 0 and be moved on past the others."""
    lanes, table = content.reshape(LANES, -1), _table()
    registers = np.zeros(LANES, np.uint32)
    registers[0] = 0xFFFFFFFF
    for column in lanes.T:
        registers = table[(registers ^ column) & 0xFF] ^ (registers >> 8)
    past = _past(lanes.shape[1])
    found = 0
    for register in registers.tolist():
        found = past[0][found & 0xFF] ^ past[1][found >> 8 & 0xFF] ^ past[2][found >> 16 & 0xFF] ^ past[3][found >> 24] ^ register
    return found


@lru_cache(maxsize=1)
def _table() -> npt.NDArray[np.uint32]:
    """The register after each byte."""
    found = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        found = np.where(found & 1, found >> 1 ^ np.uint32(POLYNOMIAL), found >> 1).astype(np.uint32)
    return found


@lru_cache(maxsize=1)
def _table_list() -> list[int]:
    return _table().tolist()


@lru_cache(maxsize=64)
def _past(count: int) -> list[list[int]]:
    """For each byte of a register, what it has become after so many zero bytes."""
    registers = (np.arange(256, dtype=np.uint32)[None] << np.arange(0, 32, 8, dtype=np.uint32)[:, None]).astype(np.uint32)
    table = _table()
    for _ in range(count):
        registers = table[registers & 0xFF] ^ (registers >> 8)
    return registers.tolist()
