"""Before any study it is known what lies in a folder, and what is wrong with it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from raysernas.config.fault import Fault
from raysernas.config.schema import CorpusConfig
from raysernas.corpora import catalogue
from raysernas.corpora.check.report import Bar, CorpusReport, EmotionCount, SpeakerCount, check
from raysernas.corpora.comparison import PublishedCount
from raysernas.corpora.corpus import Expected, Release, Remark, Utterance

RATE_HZ = 8_000
MEND = "correct the times if they do not talk at once"


def noise(seconds: float, *, seed: int, level: float = 0.1) -> np.ndarray:
    """Sound that no other seed gives."""
    return np.random.default_rng(seed).uniform(-level, level, round(seconds * RATE_HZ))


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Release:
    """Three speakers with two utterances of each of two emotions, 1 to 2.1 s long, served under the name of
    EmoDB.
    """
    rows = []
    for number, (speaker, letter) in enumerate(
        (speaker, letter) for speaker in ("f1", "m1", "m2") for letter in "AAFF"
    ):
        path = tmp_path / f"{number:02d}.wav"
        soundfile.write(path, noise(1 + number / 10, seed=number), RATE_HZ)
        emotion = {"A": "fear", "F": "joy"}[letter]
        gender = "female" if speaker == "f1" else "male"
        rows.append(
            Utterance(
                key=path.stem,
                path=str(path),
                emotion=emotion,
                raw_label=letter,
                speaker=speaker,
                gender=gender,
                session="1",
            )
        )
    release = Release(name="emodb", utterances=tuple(rows), notes=("A note.",))
    serve(monkeypatch, release)
    return release


def serve(monkeypatch: pytest.MonkeyPatch, release: Release) -> None:
    """Let the reader of EmoDB find this release."""
    monkeypatch.setitem(catalogue.READERS, "emodb", lambda root, label: release)


def looked_at(root: Path) -> CorpusReport:
    """The report on the fixture."""
    return check(CorpusConfig(name="emodb", root=str(root)))


def told(report: CorpusReport, kind: str) -> list[tuple[str, str]]:
    """Subject and text of the remarks of one kind."""
    return [(remark.subject, remark.what) for remark in report.remarks if remark.kind == kind]


def with_rows(release: Release, *rows: Utterance) -> Release:
    """The release with more rows."""
    return replace(release, utterances=(*release.utterances, *rows))


def test_everything_is_counted(corpus: Release, tmp_path: Path) -> None:
    report = looked_at(tmp_path)
    assert (report.utterances, report.usable, report.files, report.fits) == (12, 12, 12, True)
    assert report.emotions == (
        EmotionCount(
            emotion="fear",
            raw_labels={"A": 6},
            counts_as="fear",
            utterances=6,
            by_speaker={"f1": 2, "m1": 2, "m2": 2},
        ),
        EmotionCount(
            emotion="joy",
            raw_labels={"F": 6},
            counts_as="joy",
            utterances=6,
            by_speaker={"f1": 2, "m1": 2, "m2": 2},
        ),
    )
    assert report.speakers[:2] == (
        SpeakerCount(speaker="f1", gender="female", utterances=4),
        SpeakerCount(speaker="m1", gender="male", utterances=4),
    )
    assert (report.sessions, report.scenarios, report.splits) == ({"1": 12}, {}, {})
    assert (report.sample_rates_hz, report.channels, report.remarks) == ({RATE_HZ: 12}, {1: 12}, ())
    assert report.notes == ("A note.",)


def test_durations_are_those_of_the_stretches(
    corpus: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / "long.wav"
    soundfile.write(long, noise(9, seed=99), RATE_HZ)
    row = replace(corpus.utterances[0], key="long", path=str(long), start_s=2.0)
    serve(monkeypatch, replace(corpus, utterances=(*corpus.utterances[:3], row)))
    found = looked_at(tmp_path).durations
    assert (found.shortest_s, found.longest_s, found.mean_s) == pytest.approx((1.0, 7.0, 10.3 / 4))
    assert found.hours == pytest.approx(10.3 / 3600)
    assert found.histogram[0].from_s == 1.0
    assert sum(bar.utterances for bar in found.histogram) == 4
    assert found.histogram[-2:] == (
        Bar(from_s=1.2, to_s=1.3, utterances=1),
        Bar(from_s=1.3, to_s=8.0, utterances=1),
    )


def test_published_numbers_are_compared_cell_by_cell(
    corpus: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = Expected(
        title="right",
        source="x",
        by=("speaker", "emotion"),
        counts={("f1", "bad"): 2, ("m1", "bad"): 2, ("m2", "bad"): 2},
        emotions=("bad",),
        merge={"fear": "bad"},
    )
    wrong = Expected(title="wrong", source="y", by=("speaker",), counts={("f1",): 4, ("m1",): 5, ("m3",): 1})
    serve(monkeypatch, replace(corpus, expected=(right,)))
    assert looked_at(tmp_path).fits
    serve(monkeypatch, replace(with_rows(corpus, corpus.utterances[0]), expected=(right, wrong)))
    fitting, differing = looked_at(tmp_path).published
    assert fitting.differing == ()  # a row that is listed twice is one utterance
    assert differing.differing == (
        PublishedCount(values=("m1",), published=5, found=4),
        PublishedCount(values=("m2",), published=0, found=4),
        PublishedCount(values=("m3",), published=1, found=0),
    )
    serve(monkeypatch, replace(corpus, expected=(wrong,)))
    assert not looked_at(tmp_path).fits


def test_a_label_without_its_audio_counts_as_published(
    corpus: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(
        monkeypatch,
        replace(
            corpus, expected=(Expected(title="all", source="me", by=(), counts={(): len(corpus.utterances)}),)
        ),
    )
    Path(corpus.utterances[0].path).unlink()
    report = looked_at(tmp_path)
    assert (report.published[0].differing, report.usable) == ((), len(corpus.utterances) - 1)


def test_a_bad_file_is_told_once_for_all_that_lies_in_it(
    corpus: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = corpus.utterances[0]
    more = [
        replace(first, key=f"m{at}", path=str(tmp_path / "deep" / "gone.wav"), start_s=float(at))
        for at in range(3)
    ]
    outside = replace(first, key="out", start_s=5.0)
    serve(monkeypatch, with_rows(corpus, *more, outside))
    report = looked_at(tmp_path)
    assert told(report, "bad") == [
        ("deep/gone.wav", "is missing (3 utterances)"),
        ("out", "lies outside its file, which is 1.000 s long: from 5.0 s on"),
    ]
    assert (report.utterances, report.usable, report.fits) == (16, 12, False)


def test_what_the_reader_remarks_comes_first_bad_before_warnings(
    corpus: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remarks = [
        Remark(kind=kind, subject=kind, what="is odd", fix="correct it")
        for kind in ("warning", "left out", "bad", "bad")
    ]
    Path(corpus.utterances[3].path).unlink()
    serve(monkeypatch, replace(corpus, remarks=tuple(remarks)))
    assert [remark.subject for remark in looked_at(tmp_path).remarks] == [
        "bad",
        "03.wav",
        "left out",
        "warning",
    ]


def test_odd_sound_gives_a_warning(corpus: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sounds = {
        "clipped": (np.concatenate([noise(1, seed=50), np.ones(100)]), RATE_HZ),
        "fast": (noise(1, seed=51), 2 * RATE_HZ),
        "long": (noise(60.5, seed=52), RATE_HZ),
        "same": (noise(1, seed=0), RATE_HZ),
        "short": (noise(0.1, seed=53), RATE_HZ),
        "soft": (noise(1, seed=54, level=0.0009), RATE_HZ),
        "stereo": (np.stack([noise(1, seed=55)] * 2, axis=1), RATE_HZ),
    }
    for name, (samples, rate_hz) in sounds.items():
        soundfile.write(tmp_path / f"{name}.wav", samples, rate_hz)
    more = [replace(corpus.utterances[0], key=name, path=str(tmp_path / f"{name}.wav")) for name in sounds]
    serve(monkeypatch, with_rows(corpus, *more))
    report = looked_at(tmp_path)
    assert told(report, "warning") == [
        ("clipped.wav", "is clipped: 1.2 % of its samples are at full scale"),
        ("fast.wav", "has 16000 samples a second, most files have 8000"),
        ("soft.wav", "is very soft: its peak is -61 dBFS"),
        ("stereo.wav", "has 2 channels, most files have 1"),
        ("long", "is 60.50 s long"),
        ("short", "is 0.10 s short"),
        ("same", "is the same sound as 00"),
    ]
    assert report.fits
    assert report.channels == {1: 18, 2: 1}


def test_a_peak_that_touches_full_scale_is_not_clipped(corpus: Release, tmp_path: Path) -> None:
    samples = noise(1, seed=70)
    samples[5:10] = 1.0
    soundfile.write(corpus.utterances[0].path, samples, RATE_HZ)
    assert looked_at(tmp_path).remarks == ()


def test_one_sound_in_two_official_parts_is_told(
    corpus: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "copy.wav").write_bytes(Path(corpus.utterances[0].path).read_bytes())
    copy = replace(corpus.utterances[0], key="copy", path=str(tmp_path / "copy.wav"), split="test")
    serve(
        monkeypatch,
        replace(corpus, utterances=(*(replace(row, split="train") for row in corpus.utterances), copy)),
    )
    assert told(looked_at(tmp_path), "warning") == [
        ("copy", "is the same sound as 00, which is in the part train")
    ]


def test_two_speakers_at_once_are_told(
    corpus: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(tmp_path / "talk.wav", noise(10, seed=80), RATE_HZ)
    times = [("f1", 0, 4), ("f1", 3, 5), ("m1", 3.5, 6), ("m2", 6.005, 7), ("m1", 6.5, 7)]
    times += [("f1", 8, 9.8), ("f1", 8.1, 8.3), ("m1", 8.5, 9)]  # one within another
    more = [
        replace(
            corpus.utterances[0],
            key=f"talk{at}",
            path=str(tmp_path / "talk.wav"),
            speaker=speaker,
            start_s=a,
            end_s=b,
        )
        for at, (speaker, a, b) in enumerate(times)
    ]
    serve(monkeypatch, with_rows(corpus, *more))
    report = looked_at(tmp_path)
    assert told(report, "warning") == [
        ("talk2", "overlaps talk1 of another speaker by 1.50 s"),
        ("talk4", "overlaps talk3 of another speaker by 0.50 s"),
        ("talk7", "overlaps talk5 of another speaker by 0.50 s"),
    ]
    assert {remark.fix for remark in report.remarks} == {MEND}


def test_fold_schemes_are_tried_on_what_can_be_used(
    corpus: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schemes = {scheme.name: scheme for scheme in looked_at(tmp_path).schemes}
    assert not {"usual", "file"} & {*schemes}
    assert (len(schemes["speaker"].folds), schemes["speaker"].usual, schemes["speaker"].why_not) == (
        3,
        True,
        "",
    )
    assert (schemes["random"].speaker_dependent, schemes["speaker"].speaker_dependent) == (True, False)
    assert schemes["official"].folds == ()
    assert schemes["official"].why_not
    serve(monkeypatch, replace(corpus, folds="random"))
    assert [scheme.name for scheme in looked_at(tmp_path).schemes if scheme.usual] == ["random"]
    for row in corpus.utterances[:4]:
        Path(row.path).unlink()
    few = {scheme.name: scheme for scheme in looked_at(tmp_path).schemes}["speaker"]
    assert few.folds == ()
    assert "too few speakers" in few.why_not


def test_a_scheme_whose_training_halves_lack_an_emotion_is_not_possible(
    corpus: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [row for row in corpus.utterances if row.emotion == "joy" or row.key in ("00", "04", "08")]
    serve(monkeypatch, replace(corpus, utterances=tuple(rows)))
    speaker = {scheme.name: scheme for scheme in looked_at(tmp_path).schemes}["speaker"]
    assert (speaker.folds, "has no 'fear'" in speaker.why_not) == ((), True)


def test_classes_that_cannot_be_learned_are_told(
    corpus: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(monkeypatch, replace(corpus, utterances=corpus.utterances[:5]))
    report = looked_at(tmp_path)
    assert (
        "the emotion 'joy' cannot be learned and tested\n  got: utterances: 2, speakers: 1"
        in report.hindrance
    )
    assert not report.fits


def test_progress_is_reported(corpus: Release, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    check(CorpusConfig(name="emodb", root=str(tmp_path)), lambda done, of: seen.append((done, of)))
    assert seen[-1] == (12, 12)


def test_nothing_is_written(corpus: Release, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    looked_at(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_root_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(Fault, match="there is no"):
        looked_at(tmp_path / "gone")


def test_the_real_emodb_is_as_published(emodb_root: Path) -> None:
    report = looked_at(emodb_root)
    assert (report.fits, report.utterances, report.remarks) == (True, 535, ())
    assert report.durations.hours == pytest.approx(0.413, abs=0.001)
