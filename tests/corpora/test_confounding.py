"""A corpus in which something else than the voice tells the emotion is not taken for a corpus of emotions."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from raysernas.config.schema import CorpusConfig
from raysernas.corpora import catalogue, confounding
from raysernas.corpora.check.report import check
from raysernas.corpora.corpus import Utterance

EMOTIONS = ("anger", "joy", "sadness")


def _rows(emotion_of: dict[int, str], **fields: Callable[[int], Any]) -> list[Utterance]:
    return [
        Utterance(key=str(at), path="", emotion=emotion, **{name: of(at) for name, of in fields.items()})
        for at, emotion in emotion_of.items()
    ]


def _words(rows: list[Utterance]) -> list[str]:
    return [sentence.split(" tells the emotion")[0] for sentence in confounding.of(rows)]


@pytest.mark.parametrize(
    ("field", "values", "words"),
    [
        ("speaker", ("a", "b", "c"), "who speaks"),
        ("session", ("1", "2", "3"), "the session"),
        ("sample_rate_hz", (8_000, 16_000, 48_000), "the sample rate of the file"),
        ("channels", (1, 2, 3), "the number of channels of the file"),
    ],
)
def test_whatever_tells_the_emotion_is_told(field: str, values: tuple, words: str) -> None:
    emotions = {at: EMOTIONS[at % 3] for at in range(18)}
    speaker = {"speaker": lambda at: f"s{at // 3}"}
    fields = speaker | {field: lambda at: values[at % 3]}
    assert _words(_rows(emotions, **fields)) == [words]


def test_balanced_speakers_and_speakers_heard_once_are_no_confounding() -> None:
    emotions = {at: EMOTIONS[at % 3] for at in range(18)}
    assert not confounding.of(_rows(emotions, speaker=lambda at: f"s{at // 3}"))
    assert not confounding.of(_rows(emotions, speaker=lambda at: f"s{at}"))
    assert not confounding.of(_rows(emotions, speaker=lambda at: ""))


def test_a_frequent_emotion_is_no_confounding() -> None:
    emotions = {at: "neutral" if at % 10 else "joy" for at in range(100)}
    assert not confounding.of(_rows(emotions, speaker=lambda at: f"s{at % 7}"))


def test_ties_and_rows_alone_count_as_guessed() -> None:
    told, guessed = confounding.foretold([("a", "joy"), ("a", "joy"), ("a", "fear"), ("b", "fear")])
    # joy: the others are joy and fear, half a hit each; fear of a: none; fear of b: guessed
    assert (told, guessed) == (pytest.approx((0.5 + 0.5 + 0 + 0.5) / 4), 0.5)


def test_one_emotion_a_speaker_is_not_fine(tmp_path: Path) -> None:
    lines = ["file,emotion,speaker"]
    for at in range(18):
        soundfile.write(tmp_path / f"{at}.wav", np.random.default_rng(at).uniform(-0.3, 0.3, 4_000), 8_000)
        lines.append(f"{at}.wav,{EMOTIONS[at % 3]},s{at % 6}")
    (table := tmp_path / "labels.csv").write_text("\n".join(lines), encoding="utf-8")
    report = check(CorpusConfig(name="manifest", root=str(table)))
    (sentence,) = report.confounded
    assert sentence.startswith("who speaks tells the emotion of 100 % of the utterances")
    assert not report.fits
    assert catalogue.read(CorpusConfig(name="manifest", root=str(table)), None).confounded == (sentence,)
