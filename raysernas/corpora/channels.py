"""How the channels of a recording fit together: what their average keeps, and whether one of them lags.

In: the samples of a file with several channels, block by block. Out: `ChannelLevels`. An average is right
for one microphone or a true stereo pair. It is wrong for an inverted channel, which cancels the other one,
and for two microphones at different distances, whose sum is a comb filter.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Channel = Literal["mean", "left", "right"]  # which sound of a file is used; left is the first channel
SOUNDS: dict[str, Channel] = {"mean": "mean", "left": "left", "right": "right"}
Spectrum = npt.NDArray[np.complexfloating]
Frames = npt.NDArray[np.float32]

STEP = 2.0**-15  # one step of 16 bits; a sound whose root mean square is below it is silence
LOST = 1e-3  # share of the power of its channels below which an average has lost the sound
CANCELLED = 0.2  # power of the average, relative to that of channels with independent sounds
LAG_RATE_HZ = 16_000  # at which channels are correlated, about
CHUNK = 1 << 15  # frames that are correlated at once, at that rate: 2 s
MOST_CHUNKS = 100  # of a file; its first minutes tell enough
LARGEST_LAG_S = 0.03  # 10 m of air
LIKENESS_GAIN = 0.1  # by which the correlation at a lag must exceed the one without
UNLIKE = 0.3  # channels whose correlation stays below this at every lag hold different sounds


@dataclass(frozen=True, slots=True)
class ChannelLevels:
    """Mean squares of a file with several channels (1 is full scale), and how its first two fit together."""

    channels: int
    each: float  # mean of all channels
    average: float  # of the averaged channels
    left: float
    right: float
    likeness: float  # largest absolute correlation of left and right at any lag up to LARGEST_LAG_S
    lag_s: float  # of right behind left where they are most alike; 0 if no lag is better than none

    def level(self, channel: Channel) -> float:
        """Mean square of one channel, or of their average."""
        return {"mean": self.average, "left": self.left, "right": self.right}[channel]

    def lost(self, channel: Channel) -> bool:
        """Whether this sound of the file is silent although its channels are not."""
        return self.level(channel) < min(STEP**2, LOST * self.each)

    @property
    def cancelled_db(self) -> float:
        """How much softer the average is than its channels, in dB; 0 if they do not cancel each other."""
        kept = self.average / self.each if self.each else 1.0
        return -10 * float(np.log10(max(kept, 1e-12))) if kept < CANCELLED / self.channels else 0.0

    @property
    def unlike(self) -> bool:
        """Whether the two channels hold different sounds, both of them audible."""
        softer, louder = sorted((self.left, self.right))
        return self.likeness < UNLIKE and softer > max(LOST * louder, STEP**2)

    @property
    def agree(self) -> bool:
        """Whether their average is the sound of one microphone, or of a stereo pair."""
        return not (self.cancelled_db or self.lag_s or self.unlike)


def chosen(setting: str, levels: Iterable[ChannelLevels | None]) -> dict[bool, Channel]:
    """The sound to use of files whose channels agree, and of the others.

    `auto` takes the average where channels agree. Of all others it takes the same channel, the one that is
    louder in most of them, so that the microphone does not change from file to file.

    Args:
        setting: corpus.channel.
        levels: of all files; None for those with one channel.
    """
    if setting in SOUNDS:
        return dict.fromkeys((True, False), SOUNDS[setting])
    louder = Counter(each.left >= each.right for each in levels if each is not None and not each.agree)
    return {True: "mean", False: "left" if louder[True] >= louder[False] else "right"}


class LevelMeter:
    """Measures a file block by block; the blocks [frame, channel] come in their order."""

    def __init__(self, channels: int, rate_hz: int) -> None:
        self._channels = channels
        self._step = max(1, rate_hz // LAG_RATE_HZ)  # frames that are averaged for the correlation
        self._rate_hz = rate_hz / self._step
        self._frames = 0
        self._sums = np.zeros(4)  # of squares: all channels, average, left, right
        self._pending: Frames = np.zeros((2, 0), np.float32)  # [channel, frame]
        self._chunks = 0
        self._cross: Spectrum = np.zeros(CHUNK + 1, complex)
        self._energies = np.zeros(2)  # of the correlated chunks

    def add(self, block: Frames) -> None:
        """Measure more frames, [frame, channel]."""
        each = np.ascontiguousarray(block.T)
        average = each.sum(axis=0) / np.float32(self._channels)
        powers = [float(np.dot(channel, channel)) for channel in each]
        self._sums += sum(powers) / self._channels, float(np.dot(average, average)), powers[0], powers[1]
        self._frames += len(block)
        if self._chunks < MOST_CHUNKS:
            self._pending = np.concatenate([self._pending, each[:2]], axis=1)
            size = CHUNK * self._step
            while self._pending.shape[1] >= size and self._chunks < MOST_CHUNKS:
                self._correlate(self._pending[:, :size])
                self._pending = self._pending[:, size:]

    def levels(self) -> ChannelLevels:
        """What the file holds, once all blocks were added."""
        if self._pending.shape[1] >= self._step and self._chunks < MOST_CHUNKS:
            self._correlate(self._pending)
        each, average, left, right = (self._sums / max(self._frames, 1)).tolist()
        likeness, lag_s = self._fit()
        return ChannelLevels(self._channels, each, average, left, right, likeness, lag_s)

    def _correlate(self, chunk: Frames) -> None:
        whole = chunk[:, : chunk.shape[1] // self._step * self._step]
        # strides are ten times as fast here as a mean over a reshaped axis
        slow = sum(whole[:, at :: self._step] for at in range(1, self._step)) + whole[:, :: self._step]
        left, right = np.fft.rfft(slow, 2 * CHUNK)
        self._cross = self._cross + left.conj() * right
        self._energies += (slow**2).sum(axis=1, dtype=np.float64)
        self._chunks += 1

    def _fit(self) -> tuple[float, float]:
        """The largest absolute correlation, and its lag in seconds."""
        energy = float(np.sqrt(self._energies.prod()))
        if not energy:
            return 1.0, 0.0  # with a silent channel, the average has the sound of the other one
        most = max(1, min(round(LARGEST_LAG_S * self._rate_hz), CHUNK - 1))
        correlation = np.abs(np.fft.irfft(self._cross)) / energy
        near = np.concatenate([correlation[-most:], correlation[: most + 1]])
        best = int(near.argmax())
        gain = float(near[best] - near[most])
        lag_s = (best - most) / self._rate_hz if gain > LIKENESS_GAIN and near[best] >= UNLIKE else 0.0
        return min(float(near[best]), 1.0), lag_s
