"""EmoDB as audb 1.4.1 hands it out in audformat: the header's tables and schemes, and a few of its rows."""

from pathlib import Path

EMOTIONS = {"W": "anger", "F": "happiness", "N": "neutral", "T": "sadness"}
GENDERS = {3: "male", 8: "female", 9: "female", 10: "male"}
TEST_SPEAKERS = (9, 10)
YAML = """name: emodb
source: http://emodb.bilderbar.info/download/download.zip
usage: unrestricted
languages: [deu]
description: Berlin Database of Emotional Speech.
schemes:
  confidence: {dtype: float, minimum: 0, maximum: 1}
  duration: {dtype: time}
  emotion:
    description: Six basic emotions and neutral.
    dtype: str
    labels: [anger, boredom, disgust, fear, happiness, sadness, neutral]
  speaker:
    dtype: int
    labels:
      3: {gender: male, age: 31, language: deu}
      8: {gender: female, age: 34, language: deu}
      9: {gender: female, age: 21, language: deu}
      10: {gender: male, age: 32, language: deu}
  transcription:
    dtype: str
    labels: {a01: Der Lappen liegt auf dem Eisschrank.}
splits:
  test: {type: test}
  train: {type: train}
tables:
  emotion:
    type: filewise
    columns:
      emotion: {scheme_id: emotion, rater_id: gold}
      emotion.confidence: {scheme_id: confidence, rater_id: gold}
  emotion.categories.test.gold_standard:
    type: filewise
    split_id: test
    columns:
      emotion: {scheme_id: emotion, rater_id: gold}
      emotion.confidence: {scheme_id: confidence, rater_id: gold}
  emotion.categories.train.gold_standard:
    type: filewise
    split_id: train
    columns:
      emotion: {scheme_id: emotion, rater_id: gold}
      emotion.confidence: {scheme_id: confidence, rater_id: gold}
  files:
    type: filewise
    columns:
      duration: {scheme_id: duration}
      speaker: {scheme_id: speaker}
      transcription: {scheme_id: transcription}
"""


def names() -> list[str]:
    """The recordings: every speaker in every emotion."""
    return [f"{speaker:02d}a01{letter}a" for speaker in GENDERS for letter in EMOTIONS]


def write(folder: Path) -> Path:
    """The folder as it is handed out, recordings empty."""
    (folder / "wav").mkdir(parents=True)
    (folder / "db.yaml").write_text(YAML, encoding="utf-8")
    for name in names():
        (folder / "wav" / f"{name}.wav").touch()
    tested = [name for name in names() if int(name[:2]) in TEST_SPEAKERS]
    for table, listed in (
        ("emotion", names()),
        ("emotion.categories.test.gold_standard", tested),
        ("emotion.categories.train.gold_standard", [name for name in names() if name not in tested]),
    ):
        rows = [f"wav/{name}.wav,{EMOTIONS[name[5]]},0.9" for name in listed]
        _table(folder, table, ["file,emotion,emotion.confidence", *rows])
    files = [f"wav/{name}.wav,0 days 00:00:01.898250,{int(name[:2])},a01" for name in names()]
    _table(folder, "files", ["file,duration,speaker,transcription", *files])
    return folder


def _table(folder: Path, name: str, lines: list[str]) -> None:
    (folder / f"db.{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
