"""Selects the utterances of a study: classes, scenarios, and files that can be used.

In: a `Release`, the settings, and what the files hold. Out: the chosen utterances that can be used, and a
remark on each of the others.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace

from raysernas.config.fault import Fault
from raysernas.config.schema import CorpusConfig
from raysernas.corpora import audio, channels, tree
from raysernas.corpora.channels import Channel
from raysernas.corpora.corpus import Corpus, Release, Remark, Utterance, usual_emotions
from raysernas.corpora.inspection import Sound

Reason = tuple[str, str]  # what is wrong with an utterance, and what to do
LOST: dict[Channel, Reason] = {
    "mean": (
        "is silent when its channels are averaged: they cancel each other",
        "set corpus.channel=left, or invert one of the channels",
    ),
    "left": ("has a silent left channel", "set corpus.channel=mean, or right"),
    "right": ("has a silent right channel", "set corpus.channel=mean, or left"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """The utterances of the chosen classes, merged and sorted by key, and all other rows with their keys."""

    emotions: tuple[str, ...]
    merge: Mapping[str, str]
    utterances: tuple[Utterance, ...]


def select(release: Release, config: CorpusConfig) -> Selection:
    """The utterances that the settings choose; without `corpus.emotions` those of the usual classes.

    `corpus.merge` alone merges the usual classes.

    Raises:
        Fault: for an emotion or a scenario that the release does not have.
    """
    merge = config.merge if config.merge or config.emotions else release.merge
    present = {utterance.emotion for utterance in release.utterances}
    _check_known("corpus.merge", list(merge), present | set(release.merge))
    _check_known(
        "corpus.scenarios", config.scenarios, {utterance.scenario for utterance in release.utterances} - {""}
    )
    merged = merged_as(release.utterances, merge)
    offered = ({utterance.emotion for utterance in merged} | set(release.emotions)) - (
        set(merge) - set(merge.values())
    )
    _check_known("corpus.emotions", config.emotions, offered)
    spoken = [
        utterance for utterance in merged if not config.scenarios or utterance.scenario in config.scenarios
    ]
    usual = tuple(dict.fromkeys(merge.get(emotion, emotion) for emotion in release.emotions))
    emotions = config.emotions or usual or usual_emotions(spoken)
    keys = {utterance.key for utterance in spoken if utterance.emotion in emotions}
    # other rows with these keys too: they contradict a chosen one
    kept = [utterance for utterance in merged if utterance.key in keys]
    return Selection(
        emotions=emotions, merge=merge, utterances=tuple(sorted(kept, key=lambda each: (each.key, each.path)))
    )


def merged_as(utterances: Iterable[Utterance], merge: Mapping[str, str]) -> list[Utterance]:
    """The utterances with merged emotions."""
    return [
        replace(each, emotion=merge[each.emotion]) if each.emotion in merge else each for each in utterances
    ]


def usable(
    utterances: Sequence[Utterance], sounds: Mapping[str, Sound], channel: str = "mean"
) -> tuple[tuple[Utterance, ...], tuple[Remark, ...]]:
    """The utterances that can be used, with what is known of their files, and a remark on each other one.

    Args:
        sounds: what each audio file holds, by path; synthetic speech has no files.
        channel: corpus.channel.
    """
    reasons = flaws(utterances, sounds, channel)
    of_file = _channels(sounds, channel)
    good, bad = [], []
    for at, utterance in enumerate(utterances):
        if at in reasons:
            what, fix = reasons[at]
            bad.append(Remark(kind="bad", subject=utterance.key, what=what, fix=fix))
        elif utterance.path in sounds:
            sound = sounds[utterance.path]
            good.append(
                replace(
                    utterance,
                    sample_rate_hz=sound.rate_hz,
                    channels=sound.channels,
                    channel=of_file[utterance.path],
                )
            )
        else:
            good.append(utterance)
    return tuple(good), tuple(bad)


def flaws(
    utterances: Sequence[Utterance], sounds: Mapping[str, Sound], channel: str = "mean"
) -> dict[int, Reason]:
    """Why utterances cannot be used, by their index: a bad file, a stretch outside it, or a contradiction."""
    found: dict[int, Reason] = {}
    faults = file_faults(sounds, channel)
    for at, utterance in enumerate(utterances):
        if (sound := sounds.get(utterance.path)) is not None:
            reason = faults.get(utterance.path) or _outside(utterance, sound)
            if reason[0]:
                found[at] = reason
    return _same_sound(utterances, sounds) | _repeated(utterances, sounds) | found


def file_faults(sounds: Mapping[str, Sound], channel: str = "mean") -> dict[str, Reason]:
    """Why files cannot be used, by path: what is wrong with them, or a channel without the sound."""
    found: dict[str, Reason] = {}
    of_file = _channels(sounds, channel)
    for path, sound in sounds.items():
        if sound.fault:
            found[path] = (sound.fault, sound.fix)
        elif sound.levels is not None and sound.levels.lost(of_file[path]):
            found[path] = LOST[of_file[path]]
    return found


def stretch_s(utterance: Utterance, sound: Sound) -> tuple[float, float]:
    """Start and end of an utterance in its (good) file."""
    length_s = sound.frames / sound.rate_hz
    return utterance.start_s, min(utterance.end_s or length_s, length_s)


def check_emotions(corpus: Corpus, *, speaker_dependent: bool = False) -> None:
    """Refuse an emotion that cannot be learned and tested.

    Both halves of the training part need every emotion, also when a speaker is held out: at least two
    speakers must have it. Two utterances of one are enough where folds may mix speakers, or none is known.

    Raises:
        Fault: for an emotion that cannot be learned and tested, or fewer than two of them.
    """
    known = set() if speaker_dependent else set(corpus.speakers)
    speakers_of: dict[str, set[str]] = defaultdict(set)
    for utterance in corpus.utterances:
        speakers_of[utterance.emotion].add(utterance.speaker)
    faults = [
        (emotion, count, len(speakers_of[emotion] & known))
        for emotion, count in corpus.counts().items()
        if count < 2 or (known and len(speakers_of[emotion] & known) < 2)
    ]
    if faults:
        emotion, count, speakers = faults[0]
        learnable = [emotion for emotion in corpus.emotions if emotion not in {fault[0] for fault in faults}]
        rest = f"set corpus.emotions=[{','.join(learnable)}]" if len(learnable) > 1 else "add recordings"
        raise Fault(
            "corpus",
            f"the emotion {emotion!r} cannot be learned and tested",
            got=f"utterances: {count}, speakers: {speakers}",
            expected="at least 2 utterances, of at least 2 speakers",
            fix=rest,
        )
    if len(corpus.emotions) < 2:
        raise Fault(
            "corpus",
            "there is only one emotion",
            got=list(corpus.emotions),
            expected="at least two",
            fix="set corpus.emotions",
        )


def _channels(sounds: Mapping[str, Sound], setting: str) -> dict[str, Channel]:
    """Which sound of each file is used, by path."""
    chosen = channels.chosen(setting, (sound.levels for sound in sounds.values()))
    return {path: chosen[sound.levels is None or sound.levels.agree] for path, sound in sounds.items()}


def _check_known(setting: str, named: Sequence[str], known: set[str]) -> None:
    if unknown := [name for name in named if name not in known]:
        raise Fault(
            "corpus",
            f"{setting} names {unknown[0]!r}",
            got=list(named),
            expected=f"some of {sorted(known)}",
            fix=f"set {setting}",
        )


def _repeated(utterances: Sequence[Utterance], sounds: Mapping[str, Sound]) -> dict[int, Reason]:
    """Of equal utterances with one key the first is kept; if they contradict one another, none is. Files with
    the same bytes are equal.
    """
    by_key: dict[str, list[int]] = defaultdict(list)
    for at, utterance in enumerate(utterances):
        by_key[utterance.key].append(at)
    found: dict[int, Reason] = {}
    for places in by_key.values():
        rows = [_content(utterances[at], sounds) for at in places]
        differing = [
            spec.name for spec in fields(Utterance) if len({getattr(row, spec.name) for row in rows}) > 1
        ]
        if differing:
            names = ", ".join("file" if name == "path" else name for name in differing)
            text = f"is listed {len(places)} times, with differing {names}"
            found |= dict.fromkeys(places, (text, "keep the one that is right"))
        else:
            found |= {at: _repetition(utterances[places[0]], utterances[at]) for at in places[1:]}
    return found


def _repetition(first: Utterance, other: Utterance) -> Reason:
    if first.path == other.path:
        return "is listed more than once", "list it once"
    return (
        f"lies in two files, {tree.printable(first.path)} and {tree.printable(other.path)}",
        "keep one of them",
    )


def _content(utterance: Utterance, sounds: Mapping[str, Sound]) -> Utterance:
    """The utterance with the hash of its file as its path."""
    sound = sounds.get(utterance.path)
    return utterance if sound is None or not sound.hash else replace(utterance, path=sound.hash)


def _same_sound(utterances: Sequence[Utterance], sounds: Mapping[str, Sound]) -> dict[int, Reason]:
    """One sound with two speakers or two emotions: neither is used."""
    by_sound: dict[tuple[str, float, float], list[Utterance]] = defaultdict(list)
    places: dict[tuple[str, float, float], list[int]] = defaultdict(list)
    for at, utterance in enumerate(utterances):
        sound = sounds.get(utterance.path)
        if sound is not None and not sound.fault:
            same = (sound.hash, *stretch_s(utterance, sound))
            by_sound[same].append(utterance)
            places[same].append(at)
    found: dict[int, Reason] = {}
    for same, group in by_sound.items():
        if len({(utterance.speaker, utterance.emotion) for utterance in group}) > 1:
            for at, utterance in zip(places[same], group, strict=True):
                other = next(
                    each
                    for each in group
                    if (each.speaker, each.emotion) != (utterance.speaker, utterance.emotion)
                )
                what = f"is the same sound as {other.key}, which has another speaker or emotion"
                found[at] = (what, "find out which label is right")
    return found


def _outside(utterance: Utterance, sound: Sound) -> Reason:
    """What is wrong with the stretch of an utterance in its file, if anything."""
    found = audio.frames_of(utterance.start_s, utterance.end_s, frames=sound.frames, rate_hz=sound.rate_hz)
    stretch = (
        f"{utterance.start_s} s to {utterance.end_s} s"
        if utterance.end_s
        else f"from {utterance.start_s} s on"
    )
    if found is None:
        length_s = sound.frames / sound.rate_hz
        return f"lies outside its file, which is {length_s:.3f} s long: {stretch}", audio.CORRECT_STRETCH
    return ("", "") if found[0] < found[1] else (f"has no samples: {stretch}", audio.CORRECT_STRETCH)
