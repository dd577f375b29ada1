"""Every reader finds what its corpus holds, and says which file or row it cannot take."""

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from raysernas.config import CorpusConfig, Fault
from raysernas.corpora.corpus import Corpus
from raysernas.corpora.readers import emodb, manifest, synthetic

HEADER = "file,emotion,speaker,session,gender,split,start,end\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "wav").mkdir()
    for name in "ab":
        soundfile.write(tmp_path / "wav" / f"{name}.wav", np.zeros(1_600), 16_000)
    return tmp_path


def _manifest(folder: Path, text: str, encoding: str = "utf-8") -> Corpus:
    path = folder / "corpus.csv"
    path.write_text(text, encoding=encoding)
    return manifest.read(path, None)


def _refusal(folder: Path, text: str) -> str:
    with pytest.raises(Fault) as caught:
        _manifest(folder, text)
    return str(caught.value)


def _emodb(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"x")
    return folder


# EmoDB


def test_emodb_labels_come_from_the_names(tmp_path: Path) -> None:
    letters = {"W": "anger", "L": "boredom", "E": "disgust", "A": "fear", "F": "happiness", "T": "sadness", "N": "neutral"}
    _emodb(tmp_path / "wav", *[f"03a01{letter}a.wav" for letter in letters], "16b10Wb.WAV", "._03a01Fa.wav", ".DS_Store")
    corpus = emodb.read(tmp_path, None)
    assert corpus == emodb.read(tmp_path / "wav", None)
    assert corpus.emotions == tuple(sorted(letters.values()))
    assert {u.key: (u.emotion, u.speaker, u.gender) for u in corpus.utterances} == {
        f"03a01{letter}a": (emotion, "03", "male") for letter, emotion in letters.items()
    } | {"16b10Wb": ("anger", "16", "female")}


@pytest.mark.parametrize("name", ["04a01Fa.wav", "03a01Xa.wav", "03a01fa.wav", "03a01F.wav", "03a01Fa copy.wav", "3a01Fa.wav"])
def test_a_name_that_is_not_emodbs_is_refused(tmp_path: Path, name: str) -> None:
    _emodb(tmp_path, name)
    with pytest.raises(Fault) as caught:
        emodb.read(tmp_path, None)
    assert str(caught.value) == (
        f"corpus: {name} is not a name of EmoDB\n  got: {tmp_path / name}\n"
        "  expected: speaker, text, emotion (AEFLNTW), version, as in 03a01Fa.wav\n"
        "  do this: take the file out of the folder, or read the folder as a manifest"
    )


def test_the_real_emodb(emodb_root: Path, tmp_path: Path) -> None:
    corpus = emodb.read(emodb_root, tmp_path)
    genders = {utterance.speaker: utterance.gender for utterance in corpus.utterances}
    assert len(corpus.utterances) == 535
    assert list(corpus.counts().values()) == [127, 81, 46, 69, 71, 79, 62]
    assert [speaker for speaker, gender in genders.items() if gender == "female"] == ["08", "09", "13", "14", "16"]
    assert [sum(u.speaker == speaker for u in corpus.utterances) for speaker in corpus.speakers] == [
        49, 58, 43, 38, 55, 35, 61, 69, 56, 71,
    ]  # fmt: skip


# manifest


def test_a_manifest_with_every_column(folder: Path) -> None:
    corpus = _manifest(
        folder, HEADER + "wav/b.wav,sad,03,1,FEMALE,test,,\n ./wav/a.wav , joy,4,,,,0.01,0.05\nwav/a.wav,joy,4,,,,0.05,\n"
    )
    rows = [(u.key, u.speaker, u.gender, u.session, u.split, u.start_s, u.end_s) for u in corpus.utterances]
    assert rows == [
        ("wav/a.wav#0.01-0.05", "4", "unknown", "", "", 0.01, 0.05),
        ("wav/a.wav#0.05-0.0", "4", "unknown", "", "", 0.05, 0.0),
        ("wav/b.wav", "03", "female", "1", "test", 0.0, 0.0),
    ]
    assert corpus.emotions == ("joy", "sad")
    assert corpus.utterances[2].path == str(folder / "wav/b.wav")


def test_a_manifest_from_a_spreadsheet(folder: Path) -> None:
    text = 'emotion,"speaker",file,remark\r\nNA,"1, the first",wav/a.wav,"two\nlines"\r\nnull,007,wav/b.wav,\r\n'
    corpus = _manifest(folder, text, "utf-8-sig")
    assert [(u.emotion, u.speaker) for u in corpus.utterances] == [("NA", "1, the first"), ("null", "007")]


def test_a_parquet_manifest_is_the_same_corpus(folder: Path) -> None:
    text = "file,emotion,speaker,start,end\nwav/a.wav,joy,3,0.01,\nwav/b.wav,sad,12,,0.05\n"
    frame = pd.DataFrame(
        {
            "file": ["wav/a.wav", "wav/b.wav"],
            "emotion": pd.Categorical(["joy", "sad"]),
            "speaker": [3, 12],
            "start": [0.01, None],
            "end": [None, 0.05],
            "votes": [[1, 2], [3]],
        }
    )
    frame.to_parquet(folder / "corpus.parquet")
    assert manifest.read(folder / "corpus.parquet", None) == _manifest(folder, text)
    frame.rename(columns={"speaker": "talker"}).to_parquet(folder / "corpus.parquet")
    with pytest.raises(Fault, match="got: the columns file, emotion, talker, start, end, votes"):
        manifest.read(folder / "corpus.parquet", None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,emotion\nwav/a.wav,joy\n", "corpus.csv has no column 'speaker'\n  got: the columns file, emotion\n"),
        ("wav/a.wav,joy,3\n", "corpus.csv has no column 'file'\n"),
        ("file;emotion;speaker\nwav/a.wav;joy;3\n", "corpus.csv separates its columns by semicolons\n  got: file;emotion;"),
        ("file\temotion\tspeaker\n", "corpus.csv separates its columns by tabs\n"),
        ("file,emotion,speaker\n", "corpus.csv lists no utterances\n  got: a header only\n"),
        ("", "corpus.csv cannot be read\n  got: No columns to parse from file\n"),
        ("file,emotion,speaker\na,b,c,d,e\n", "corpus.csv cannot be read\n"),
        ("file,emotion,speaker,file\na,b,c,d\n", "corpus.csv has two columns 'file'\n"),
        ("file,emotion,speaker\nwav/a.wav,joy,3\nwav/b.wav, ,4\n", "corpus.csv row 2: emotion is empty\n  got: nothing\n"),
        ("file,emotion,speaker\nwav/a.wav,joy\n", "corpus.csv row 1: speaker is empty\n"),
        ("file,emotion,speaker,gender\nwav/a.wav,joy,3,m\n", "corpus.csv row 1: gender 'm' is not known\n  got: m\n"),
        ("file,emotion,speaker,start\nwav/a.wav,joy,3,x\n", "corpus.csv row 1: start is no time\n  got: x\n"),
        ("file,emotion,speaker,end\nwav/a.wav,joy,3,-1\n", "corpus.csv row 1: end is no time\n"),
        ("file,emotion,speaker,end\nwav/a.wav,joy,3,inf\n", "corpus.csv row 1: end is no time\n"),
        ("file,emotion,speaker,start,end\nwav/a.wav,joy,3,2,1\n", "corpus.csv row 1: end is not after start\n"),
        ("file,emotion,speaker\n../a.wav,joy,3\n", "corpus.csv row 1: ../a.wav lies outside the table's folder\n"),
        ("file,emotion,speaker\n/a.wav,joy,3\n", "corpus.csv row 1: /a.wav lies outside the table's folder\n"),
        ("file,emotion,speaker,gender\nwav/a.wav,joy,3,male\nwav/b.wav,joy,3,\n", "corpus.csv speaker 3 has two genders\n"),
    ],
)  # fmt: skip
def test_a_manifest_that_cannot_be_taken(folder: Path, text: str, message: str) -> None:
    assert _refusal(folder, text).startswith(f"manifest: {message}")


def test_repeated_and_missing_files_of_a_manifest(folder: Path) -> None:
    head = "file,emotion,speaker\nwav/a.wav,joy,3\n"
    assert _refusal(folder, head + "./wav/a.wav,sad,3\n").startswith("corpus: manifest lists wav/a.wav more than once\n")
    assert "1 of 2 audio files cannot be used" in _refusal(folder, head + "wav/c.wav,sad,3\n")


def test_what_is_no_table_is_refused(folder: Path) -> None:
    for path in (folder, folder / "gone.csv"):
        with pytest.raises(Fault, match="is not a file"):
            manifest.read(path, None)
    (folder / "x.parquet").write_text("no parquet")
    (folder / "x.csv").write_bytes(b"file,emotion\n\xff\xfe,\x80\n")
    for name in ("x.parquet", "x.csv"):
        with pytest.raises(Fault, match=f"{name} cannot be read"):
            manifest.read(folder / name, None)


# synthetic


def test_the_synthetic_corpus_has_a_frame() -> None:
    corpus = synthetic.read(CorpusConfig(synthetic_speakers=5, synthetic_takes=2))
    assert list(corpus.counts().values()) == [10] * 4
    assert {u.speaker: (u.gender, u.session) for u in corpus.utterances} == {
        "s00": ("female", "00"), "s01": ("male", "00"), "s02": ("female", "01"), "s03": ("male", "01"), "s04": ("female", "02"),
    }  # fmt: skip
    assert [u.key for u in corpus.utterances] == sorted(u.key for u in corpus.utterances)


def test_every_setting_of_the_synthetic_corpus_is_in_its_fingerprint() -> None:
    settings = [{}, {"synthetic_seed": 1}, {"synthetic_speakers": 9}, {"synthetic_takes": 9}]
    assert len({synthetic.read(CorpusConfig(**setting)).fingerprint for setting in settings}) == 4


def test_path_and_rate_decide_the_sound() -> None:
    corpus, other = (synthetic.read(CorpusConfig(synthetic_seed=seed)) for seed in (0, 1))
    one = synthetic.waveform(corpus.utterances[0].path, 16_000)
    np.testing.assert_array_equal(one, synthetic.waveform(corpus.utterances[0].path, 16_000))
    assert not np.array_equal(one, synthetic.waveform(corpus.utterances[1].path, 16_000))
    assert not np.array_equal(one, synthetic.waveform(other.utterances[0].path, 16_000))
    half = synthetic.waveform(corpus.utterances[0].path, 8_000)
    assert half.dtype == one.dtype == np.float32
    assert abs(2 * len(half) - len(one)) <= 2


def test_synthetic_speech_is_quick_and_sound() -> None:
    paths = [u.path for u in synthetic.read(CorpusConfig(synthetic_takes=1)).utterances]
    begun_s = time.process_time()
    waves = [synthetic.waveform(path, 16_000) for path in paths]
    assert (time.process_time() - begun_s) / len(paths) < 0.1
    assert all(0.9 * 16_000 <= len(wave) <= 1.5 * 16_000 for wave in waves)
    assert all(np.isfinite(wave).all() and 0.01 < np.abs(wave).max() < 1 for wave in waves)


@pytest.mark.parametrize("path", ["synthetic:", "synthetic:v0/seed0/speaker0/anger/take0", "synthetic:v1/seed0/speaker0/joy/take0"])
def test_a_path_of_another_generator_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="is not a path of the synthetic corpus"):
        synthetic.waveform(path, 16_000)


def test_anger_and_happiness_differ_in_the_order_of_frames_only() -> None:
    """Level at the end over level at the beginning tells them apart; the level of the whole does not."""
    courses: dict[str, list[float]] = {"anger": [], "happiness": []}
    levels: dict[str, list[float]] = {"anger": [], "happiness": []}
    for utterance in synthetic.read(CorpusConfig(emotions=("anger", "happiness"))).utterances:
        if utterance.emotion in courses:
            wave = synthetic.waveform(utterance.path, 16_000).astype(float)
            first, last = (np.mean(part**2) for part in np.array_split(wave, 2))
            courses[utterance.emotion].append(10 * np.log10(last / first))
            levels[utterance.emotion].append(10 * np.log10(np.mean(wave**2)))
    assert np.mean(courses["anger"]) < -3
    assert np.mean(courses["happiness"]) > 3
    assert abs(np.mean(levels["anger"]) - np.mean(levels["happiness"])) < 1.5
    assert synthetic.MANNERS["anger"].arc == -synthetic.MANNERS["happiness"].arc


def test_an_emotion_is_one_however_its_accents_were_typed(tmp_path: Path) -> None:
    rows = ["file,emotion,speaker"]
    for i, emotion in enumerate(["\u00c4rger", "A\u0308rger", "Ruhe", "Ruhe"]):
        soundfile.write(tmp_path / f"{i}.wav", np.zeros(100) + 0.1, 16_000)
        rows.append(f"{i}.wav,{emotion},s{i}")
    (tmp_path / "labels.csv").write_text("\n".join(rows), encoding="utf-8")
    assert manifest.read(tmp_path / "labels.csv", None).emotions == ("Ruhe", "\u00c4rger")
