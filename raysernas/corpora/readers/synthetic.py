"""Synthetic speech, so that everything can be tried without recordings: a seeded source-filter synthesiser.

In: the number of speakers and takes, and a seed. Out: utterances whose paths say what to synthesise, and the
waveform of such a path. A glottal pulse train (Rosenberg, JASA 1971) with a pitch contour, jitter, tilt and
breath goes through the formants of random vowels (Peterson and Barney, JASA 1952); bursts of noise are the
consonants. Emotions overlap in pitch, tempo, level, tilt and voice quality. Anger and happiness draw from the
same distributions, except that pitch and level fall in anger and rise in happiness: their frames are the same
in another order, and no average over time can tell them apart.
"""

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import signal

from raysernas.config.schema import CorpusConfig
from raysernas.corpora.audio import Samples, resampled
from raysernas.corpora.corpus import Gender, Release, Utterance

Wave = npt.NDArray[np.float64]
SCHEME = "synthetic:"
VERSION = 1  # changes with every change of the sound
RATE_HZ = 16_000  # of the synthesis; other rates are resampled, so that the speech is the same at all of them
DURATION_S = (0.9, 1.5)
PATH = re.compile(rf"{SCHEME}v(\d+)/seed(\d+)/speaker(\d+)/(\w+)/take(\d+)")
VOWELS_HZ = (
    (730, 1090, 2440),
    (530, 1840, 2480),
    (270, 2290, 3010),
    (570, 840, 2410),
    (300, 870, 2240),
    (500, 1500, 2500),
)
BANDWIDTHS_HZ = (80.0, 110.0, 160.0, 220.0)
FADE = 240  # samples in which one vowel turns into the next


@dataclass(frozen=True, kw_only=True, slots=True)
class Manner:
    """How something is said: the mean of an emotion, the deviations (`SPREAD`), or one drawn utterance."""

    pitch_st: float  # semitones above the speaker's own pitch
    range_st: float  # semitones of the accents
    syllable_s: float
    level_db: float  # above the speaker's own level
    tilt: float  # one-pole smoothing of the pulses: 0 bright, near 1 dull
    breath: float  # noise in proportion to the pulses
    arc: float  # of pitch and level over the utterance: -1 falls, 1 rises


MANNERS = {
    "anger": Manner(pitch_st=4, range_st=3.5, syllable_s=0.17, level_db=6, tilt=0.46, breath=0.10, arc=-1.2),
    "happiness": Manner(
        pitch_st=4, range_st=3.5, syllable_s=0.17, level_db=6, tilt=0.46, breath=0.10, arc=1.2
    ),
    "neutral": Manner(pitch_st=0.5, range_st=2, syllable_s=0.20, level_db=0, tilt=0.66, breath=0.10, arc=0),
    "sadness": Manner(pitch_st=-2, range_st=1, syllable_s=0.26, level_db=-5, tilt=0.87, breath=0.40, arc=0),
}
SPREAD = Manner(pitch_st=1.2, range_st=0.6, syllable_s=0.02, level_db=1.8, tilt=0.05, breath=0.05, arc=0.4)
ARC_ST, ARC_DB = 3.0, 6.0  # of a whole arc, from the middle to the end


@dataclass(frozen=True, kw_only=True, slots=True)
class Voice:
    """What a speaker keeps in all utterances."""

    pitch_hz: float
    tract: float  # formants in proportion to a man's
    level_db: float
    tilt: float
    floor_db: float  # noise of the recording


@dataclass(frozen=True, kw_only=True, slots=True)
class Syllable:
    """A consonant and a vowel, in samples from the beginning of the utterance."""

    start: int
    end: int
    burst: int  # length of the consonant
    vowel: tuple[int, int, int]


def read(config: CorpusConfig) -> Release:
    """Every speaker says every emotion `synthetic_takes` times; speakers alternate female and male, two share
    a session.
    """
    utterances = [
        Utterance(
            key=f"s{speaker:02d}_{emotion}_{take:02d}",
            path=f"{SCHEME}v{VERSION}/seed{config.synthetic_seed}/speaker{speaker}/{emotion}/take{take}",
            emotion=emotion,
            speaker=f"s{speaker:02d}",
            gender=_gender(speaker),
            session=f"{speaker // 2:02d}",
        )
        for speaker in range(config.synthetic_speakers)
        for emotion in MANNERS
        for take in range(config.synthetic_takes)
    ]
    utterances.sort(key=lambda utterance: utterance.key)
    return Release(name="synthetic", utterances=tuple(utterances), emotions=tuple(MANNERS))


def waveform(path: str, sample_rate_hz: int) -> Samples:
    """The sound that a path of this corpus stands for, float32 [samples]; nothing but path and rate decides
    it.
    """
    fit = PATH.fullmatch(path)
    if not fit or int(fit[1]) != VERSION or fit[4] not in MANNERS:
        raise ValueError(f"{path} is not a path of the synthetic corpus, version {VERSION}")
    seed, speaker, emotion, take = int(fit[2]), int(fit[3]), fit[4], int(fit[5])
    voice = _voice(np.random.default_rng([seed, speaker]), _gender(speaker))
    generator = np.random.default_rng([seed, speaker, list(MANNERS).index(emotion), take])
    manner = _drawn(MANNERS[emotion], generator)
    samples = _spoken(voice, manner, generator)
    return resampled(samples.astype(np.float32), RATE_HZ, sample_rate_hz)


def _gender(speaker: int) -> Gender:
    return "male" if speaker % 2 else "female"


def _voice(generator: np.random.Generator, gender: Gender) -> Voice:
    pitch_hz, tract = (205.0, 1.16) if gender == "female" else (115.0, 1.0)
    deviations = generator.standard_normal(5)
    return Voice(
        pitch_hz=pitch_hz * 2 ** (deviations[0] * 1.5 / 12),
        tract=tract * (1 + 0.03 * deviations[1]),
        level_db=2.0 * deviations[2],
        tilt=0.04 * deviations[3],
        floor_db=-65 + 3 * deviations[4],
    )


def _drawn(mean: Manner, generator: np.random.Generator) -> Manner:
    """One utterance's manner: gaussian around its emotion's, within what a voice can do."""
    limits = {"range_st": (0.2, 9), "syllable_s": (0.12, 0.32), "tilt": (0.1, 0.93), "breath": (0.01, 0.8)}
    drawn = {}
    for name in Manner.__dataclass_fields__:
        value = generator.normal(getattr(mean, name), getattr(SPREAD, name))
        drawn[name] = float(np.clip(value, *limits.get(name, (-np.inf, np.inf))))
    return Manner(**drawn)


def _spoken(voice: Voice, manner: Manner, generator: np.random.Generator) -> Wave:
    syllables, length = _syllables(manner, generator)
    course = np.linspace(-1, 1, length) * manner.arc
    accents = _smooth(generator, length, 5.0) * manner.range_st
    pitch_hz = voice.pitch_hz * 2 ** ((manner.pitch_st + accents + ARC_ST * course) / 12)
    pulses = _pulses(pitch_hz * (1 + 0.01 * _smooth(generator, length, 120.0)))
    tilt = float(np.clip(manner.tilt + voice.tilt, 0.05, 0.95))
    smoothed = np.asarray(signal.lfilter([1 - tilt], [1, -tilt], pulses))
    source = smoothed / (np.std(smoothed) + 1e-9) + manner.breath * generator.standard_normal(length)
    speech = _articulated(source, syllables, voice, generator)
    speech *= 10 ** (ARC_DB * course / 20) * 0.014 / (np.std(speech) + 1e-9)
    speech *= 10 ** ((manner.level_db + voice.level_db) / 20)
    return np.clip(speech + 10 ** (voice.floor_db / 20) * generator.standard_normal(length), -1, 1)


def _syllables(manner: Manner, generator: np.random.Generator) -> tuple[list[Syllable], int]:
    """As many syllables as the tempo allows in the time that is left between a silence before and one
    after.
    """
    total_s = generator.uniform(*DURATION_S)
    lead_s, tail_s = generator.uniform(0.02, 0.08, size=2)
    count = max(3, round((total_s - lead_s - tail_s) / manner.syllable_s))
    shares = generator.uniform(0.7, 1.3, size=count)
    bounds_s = lead_s + (total_s - lead_s - tail_s) * np.concatenate([[0], np.cumsum(shares) / shares.sum()])
    bounds = np.round(bounds_s * RATE_HZ).astype(int)
    bursts = np.round(generator.uniform(0.015, 0.05, size=count) * RATE_HZ).astype(int)
    vowels = generator.integers(len(VOWELS_HZ), size=count)
    syllables = [
        Syllable(
            start=int(bounds[i]), end=int(bounds[i + 1]), burst=int(bursts[i]), vowel=VOWELS_HZ[vowels[i]]
        )
        for i in range(count)
    ]
    return syllables, round(total_s * RATE_HZ)


def _pulses(pitch_hz: Wave) -> Wave:
    """Derivative of the glottal flow: it opens for 40 % of a period, closes in 16 %, and rests."""
    phase = np.cumsum(pitch_hz / RATE_HZ) % 1
    opening = np.pi / 0.8 * np.sin(np.pi * phase / 0.4)
    closing = -np.pi / 0.32 * np.sin(np.pi * (phase - 0.4) / 0.32)
    return np.where(phase < 0.4, opening, np.where(phase < 0.56, closing, 0.0))


def _articulated(
    source: Wave, syllables: list[Syllable], voice: Voice, generator: np.random.Generator
) -> Wave:
    """The source through every syllable's formants, louder in the middle of the vowel, with a burst before
    it.
    """
    speech = np.zeros(len(source))
    for syllable in syllables:
        start, end = syllable.start + syllable.burst, syllable.end
        envelope = np.sin(np.pi * np.linspace(0.03, 0.97, end - start)) ** 0.6 * generator.uniform(0.7, 1.0)
        stop = min(end + FADE, len(source))
        voiced = np.zeros(stop - start)
        voiced[: end - start] = source[start:end] * envelope
        speech[start:stop] += signal.sosfilt(_formants(syllable.vowel, voice.tract), voiced)
        noise = generator.standard_normal(syllable.burst) * np.hanning(syllable.burst)
        place = signal.butter(
            1, np.array([0.6, 1.4]) * generator.uniform(2200, 4800), "bandpass", fs=RATE_HZ, output="sos"
        )
        speech[syllable.start : start] += generator.uniform(0.2, 0.8) * np.asarray(
            signal.sosfilt(place, noise)
        )
    return speech


def _formants(vowel: tuple[int, int, int], tract: float) -> Wave:
    """Four resonators in a row, as second-order sections of unit gain at 0 Hz."""
    sections = []
    for centre_hz, bandwidth_hz in zip((*vowel, 3500), BANDWIDTHS_HZ, strict=True):
        radius = np.exp(-np.pi * bandwidth_hz / RATE_HZ)
        a1, a2 = -2 * radius * np.cos(2 * np.pi * centre_hz * tract / RATE_HZ), radius**2
        sections.append([1 + a1 + a2, 0, 0, 1, a1, a2])
    return np.array(sections)


def _smooth(generator: np.random.Generator, length: int, rate_hz: float) -> Wave:
    """Gaussian noise that turns about `rate_hz` times a second, of about unit deviation."""
    knots = generator.standard_normal(int(length / RATE_HZ * rate_hz) + 2)
    return np.interp(np.arange(length) / RATE_HZ * rate_hz, np.arange(len(knots)), knots)
