"""Warnings about usable audio: clipped or on another scale, soft, short or long, channels that do not fit
together, twice in the corpus, or two speakers at once.

In: utterances that can be used, and what their files hold. Out: remarks of the kind "warning".
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from math import log10
from pathlib import Path

from raysernas.corpora import tree
from raysernas.corpora.channels import ChannelLevels
from raysernas.corpora.corpus import Remark, Utterance
from raysernas.corpora.inspection import Sound
from raysernas.corpora.selection import stretch_s

# share of samples at full scale; a peak that just touches it is fine
CLIPPED = 0.001
OTHER_SCALE = 8.0  # peak of a float file, 18 dB over full scale, that no recording and no gain explain
SOFT_DB = -60.0  # dBFS of the peak
SHORT_S, LONG_S = 0.2, 60.0
ONE_CHANNEL = "set corpus.channel=left, right or auto, so that one of them is used"
OVERLAP_S = 0.01  # of two speakers in one file; lists of segments round their ends


def about(
    rows: Sequence[Utterance], sounds: Mapping[str, Sound], folder: Path, channel: str = "mean"
) -> Iterator[Remark]:
    """A remark on each odd file, utterance, and pair of utterances.

    Args:
        folder: root of the corpus.
        channel: corpus.channel.
    """
    rates, channels = (
        Counter(getattr(sound, name) for sound in sounds.values()) for name in ("rate_hz", "channels")
    )
    for path in dict.fromkeys(row.path for row in rows):
        for what, fix in _oddities(
            sounds[path], *(counts.most_common(1)[0][0] for counts in (rates, channels))
        ):
            yield Remark("warning", tree.relative(Path(path), folder), what, fix)
        if channel == "mean" and (levels := sounds[path].levels) is not None:
            for what in _apart(levels):
                yield Remark("warning", tree.relative(Path(path), folder), what, ONE_CHANNEL)
    for row in rows:
        start_s, end_s = stretch_s(row, sounds[row.path])
        if not SHORT_S <= end_s - start_s <= LONG_S:
            what = f"is {end_s - start_s:.2f} s {'short' if end_s - start_s < SHORT_S else 'long'}"
            yield Remark("warning", row.key, what, "check that it is one utterance")
    yield from _same(rows, sounds)
    yield from _overlapping(rows, sounds)


def _oddities(sound: Sound, rate_hz: int, channels: int) -> Iterator[tuple[str, str]]:
    """What is odd about one file; most files have this rate and these channels."""
    if sound.peak > OTHER_SCALE:
        yield (
            f"holds samples up to {sound.peak:,.0f}, where 1 is full scale: whole numbers written as floats",
            "divide its samples by full scale, which is 32,768 for numbers of 16 bits",
        )
    elif sound.clipped > CLIPPED:
        yield (
            f"is clipped: {100 * sound.clipped:.1f} % of its samples are at full scale",
            "take it out if it crackles",
        )
    if (peak_db := 20 * log10(sound.peak)) < SOFT_DB:
        yield f"is very soft: its peak is {peak_db:.0f} dBFS", "take it out if nothing is heard"
    if sound.channels != channels:
        yield (
            f"has {_channels(sound.channels)}, most files have {channels}",
            "nothing; corpus.channel says what is used",
        )
    if sound.rate_hz != rate_hz:
        yield f"has {sound.rate_hz} samples a second, most files have {rate_hz}", "nothing; it is resampled"


def _apart(levels: ChannelLevels) -> Iterator[str]:
    """Why the average of some channels is not the sound of one microphone."""
    if levels.cancelled_db:
        yield f"has channels that cancel each other: their average is {levels.cancelled_db:.0f} dB softer"
    elif levels.lag_s:
        later = "right" if levels.lag_s > 0 else "left"
        yield (
            f"has two microphones: its {later} channel comes {1000 * abs(levels.lag_s):.2f} ms later, so "
            "that their average is a comb filter"
        )
    elif levels.unlike:
        yield f"has two channels with different sounds (correlation {levels.likeness:.2f}), which are mixed"


def _channels(count: int) -> str:
    return "1 channel" if count == 1 else f"{count} channels"


def _same(rows: Sequence[Utterance], sounds: Mapping[str, Sound]) -> Iterator[Remark]:
    """One sound twice with the same label (with different labels both are bad)."""
    first: dict[tuple[str, float, float], Utterance] = {}
    for row in rows:
        other = first.setdefault((sounds[row.path].hash, *stretch_s(row, sounds[row.path])), row)
        if other is not row:
            part = f", which is in the part {other.split}" if other.split != row.split else ""
            yield Remark("warning", row.key, f"is the same sound as {other.key}{part}", "keep one of them")


def _overlapping(rows: Sequence[Utterance], sounds: Mapping[str, Sound]) -> Iterator[Remark]:
    """Overlapping stretches of two speakers in one file. Each is compared with the one before it that ends
    last.
    """
    by_file: dict[str, list[Utterance]] = defaultdict(list)
    for row in rows:
        by_file[row.path].append(row)
    for path, group in by_file.items():
        last: dict[str, tuple[float, str]] = {}  # speaker -> latest end so far, and its utterance
        for row in sorted(group, key=lambda row: (row.start_s, row.key)):
            start_s, end_s = stretch_s(row, sounds[path])
            ends = [end for speaker, end in last.items() if speaker != row.speaker]
            other_s, key = max(ends, default=(0.0, ""))
            if (both_s := min(other_s, end_s) - start_s) > OVERLAP_S:
                what = f"overlaps {key} of another speaker by {both_s:.2f} s"
                yield Remark("warning", row.key, what, "correct the times if they do not talk at once")
            last[row.speaker] = max(last.get(row.speaker, (0.0, "")), (end_s, row.key))
