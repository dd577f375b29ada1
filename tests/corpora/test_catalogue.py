"""A corpus is found by its name, or it is said what is wrong with it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from raysernas.config.fault import Fault
from raysernas.config.schema import CorpusConfig
from raysernas.corpora import audio, catalogue
from raysernas.corpora.corpus import Label, Release, Utterance


def _emodb(
    folder: Path, names: str = "03a01Wa 08a01Wa 03a01Na 08a01Nb 09a01Nb 03a01Ta 08a01Tb 03a02La 08a02Lb"
) -> CorpusConfig:
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(names.split()):
        # no two files alike
        soundfile.write(folder / f"{name}.wav", np.full(160 + len(names), (1 + number) / 100), 16_000)
    return CorpusConfig(name="emodb", root=str(folder), emotions=("anger", "neutral", "sadness", "boredom"))


def _message(config: CorpusConfig) -> str:
    with pytest.raises(Fault) as caught:
        catalogue.read(config, None)
    return str(caught.value)


def test_the_synthetic_corpus_needs_nothing() -> None:
    corpus = catalogue.read(CorpusConfig(), None)
    assert corpus.counts() == {"anger": 64, "happiness": 64, "neutral": 64, "sadness": 64}
    np.testing.assert_array_equal(
        catalogue.waveform(corpus.utterances[0], 16_000),
        catalogue.waveform(replace(corpus.utterances[0]), 16_000),
    )


def test_emotions_are_kept_in_the_order_given(tmp_path: Path) -> None:
    corpus = catalogue.read(_emodb(tmp_path), None)
    assert corpus.emotions == ("anger", "neutral", "sadness", "boredom")
    assert corpus.counts() == {"anger": 2, "neutral": 3, "sadness": 2, "boredom": 2}
    turned = replace(_emodb(tmp_path), emotions=("boredom", "sadness", "neutral", "anger"))
    assert corpus.fingerprint == catalogue.read(turned, None).fingerprint
    assert catalogue.read(replace(turned, emotions=("neutral", "anger")), None).counts() == {
        "neutral": 3,
        "anger": 2,
    }


def test_the_waveform_of_an_utterance_is_its_stretch(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.linspace(0, 0.9, 1_600), 16_000)
    utterance = Utterance(key="a", path=str(path), emotion="anger", speaker="s", start_s=0.02, end_s=0.05)
    samples = catalogue.waveform(utterance, 16_000)
    np.testing.assert_array_equal(samples, audio.read(path, sample_rate_hz=16_000)[320:800])


def test_a_corpus_is_the_same_wherever_it_lies_and_another_after_a_change(tmp_path: Path) -> None:
    here, there = _emodb(tmp_path / "a"), _emodb(tmp_path / "b")
    found = catalogue.read(here, None).fingerprint
    assert catalogue.read(replace(there, fingerprint=found), tmp_path / "memory").fingerprint == found
    soundfile.write(Path(there.root) / "03a01Wa.wav", np.full(161, 0.5), 16_000)
    changed = catalogue.read(there, tmp_path / "memory").fingerprint
    assert _message(replace(there, fingerprint=found)) == (
        f"corpus: emodb is not the corpus that this study began with\n  got: {changed}\n  expected: {found}\n"
        "  fix: restore the recordings and labels, or begin a study under another study.name"
    )


def test_a_root_is_needed_and_has_to_be_there(tmp_path: Path) -> None:
    assert _message(CorpusConfig(name="emodb")) == (
        "corpus: corpus.root is not set, so emodb cannot be found\n  got: ''\n  expected: the folder of "
        "emodb\n"
        "  fix: set corpus.root=PATH"
    )
    gone = str(tmp_path / "gone")
    assert _message(CorpusConfig(name="manifest", root=gone)) == (
        f"corpus: there is no {gone}\n  got: {gone}\n  expected: a manifest, CSV or Parquet\n  fix: set "
        "corpus.root=PATH"
    )


def test_a_root_that_no_disk_can_have_is_not_there() -> None:
    root = f"/{'x' * 300}"
    assert _message(CorpusConfig(name="emodb", root=root)).startswith("corpus: there is no /")
    root = "~nobody-of-this-name/emodb"
    assert "names a home folder that is not there" in _message(CorpusConfig(name="emodb", root=root))


def test_what_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(root: Path, label: Label) -> Release:
        raise PermissionError(13, "Permission denied", str(root / "Labels"))

    monkeypatch.setitem(catalogue.READERS, "iemocap", forbidden)
    assert _message(CorpusConfig(name="iemocap", root=str(tmp_path))) == (
        f"corpus: {tmp_path}/Labels cannot be read\n  got: Permission denied\n  expected: files and folders "
        "that may be read\n"
        "  fix: allow it with chmod, or check the disk"
    )


def test_a_label_that_contradicts_one_of_another_class_is_found_out(tmp_path: Path) -> None:
    config = replace(
        _emodb(tmp_path / "wav"), name="manifest", emotions=("anger", "neutral"), on_bad_file="skip"
    )
    rows = [
        ("03a01Wa", "anger"),
        ("08a01Wa", "anger"),
        ("03a01Na", "neutral"),
        ("08a01Nb", "neutral"),
        ("09a01Nb", "neutral"),
    ]
    table = [f"{name}.wav,{emotion},{name[:2]}" for name, emotion in (*rows, ("09a01Nb", "fear"))]
    (tmp_path / "wav" / "labels.csv").write_text("\n".join(("file,emotion,speaker", *table)))
    corpus = catalogue.read(config, None)
    assert corpus.counts() == {"anger": 2, "neutral": 2}
    assert {(remark.subject, remark.what) for remark in corpus.skipped} == {
        ("09a01Nb.wav", "is listed 2 times, with differing emotion, raw_label")
    }


def test_a_relative_root_gives_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = _emodb(tmp_path / "wav")
    monkeypatch.chdir(tmp_path)
    corpus = catalogue.read(replace(config, root="."), None)
    assert corpus.utterances[0].path == str(tmp_path / "wav" / "03a01Na.wav")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert catalogue.read(replace(config, root="~/wav"), None) == corpus


def test_a_folder_without_recordings_is_refused(tmp_path: Path) -> None:
    assert "does not hold emodb\n  got: 0 recordings" in _message(
        CorpusConfig(name="emodb", root=str(tmp_path))
    )


def test_what_is_usual_for_a_release_reaches_the_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(_emodb(tmp_path), emotions=())
    found = catalogue.release(config)
    usual = replace(found, emotions=("anger", "neutral"), merge={"boredom": "neutral"}, folds="session")
    monkeypatch.setitem(catalogue.READERS, "emodb", lambda root, label: usual)
    corpus = catalogue.read(config, None)
    assert (corpus.folds, corpus.emotions, dict(corpus.merge)) == (
        "session",
        ("anger", "neutral"),
        {"boredom": "neutral"},
    )
    assert corpus.counts() == {"anger": 2, "neutral": 5}
    settled = catalogue.resolved(config, corpus)
    assert (settled.emotions, settled.merge, settled.fingerprint) == (
        corpus.emotions,
        corpus.merge,
        corpus.fingerprint,
    )
    assert catalogue.read(settled, None) == corpus


def test_where_folds_may_mix_speakers_an_emotion_of_one_speaker_is_learned(tmp_path: Path) -> None:
    config = replace(_emodb(tmp_path, "03a01Wa 08a01Wa 03a01Na 03a01Nb"), emotions=("anger", "neutral"))
    assert "'neutral' cannot be learned and tested" in _message(config)
    assert catalogue.read(replace(config, speaker_dependent=True), None).counts() == {
        "anger": 2,
        "neutral": 2,
    }


def test_an_emotion_that_cannot_be_learned_is_refused(tmp_path: Path) -> None:
    config = _emodb(tmp_path)
    assert _message(replace(config, emotions=())) == (
        "corpus: the emotion 'disgust' cannot be learned and tested\n  got: utterances: 0, speakers: 0\n"
        "  expected: at least 2 utterances, of at least 2 speakers\n"
        "  fix: set corpus.emotions=[anger,boredom,neutral,sadness]"
    )
    _emodb(tmp_path, "10a01Ea")
    assert "'disgust' cannot be learned and tested\n  got: utterances: 1, speakers: 1" in _message(
        replace(config, emotions=())
    )
    _emodb(tmp_path, "10a01Eb 10a01Ec")
    assert "got: utterances: 3, speakers: 1" in _message(replace(config, emotions=("anger", "disgust")))
    assert "fix: add recordings" in _message(replace(config, emotions=("anger", "disgust")))


def test_one_emotion_is_no_question(tmp_path: Path) -> None:
    assert "there is only one emotion" in _message(replace(_emodb(tmp_path), emotions=("anger",)))


def test_an_unknown_emotion_is_refused(tmp_path: Path) -> None:
    assert "corpus.emotions names 'joy'" in _message(replace(_emodb(tmp_path), emotions=("anger", "joy")))


def test_empty_files_are_found_out_at_once(tmp_path: Path) -> None:
    config = _emodb(tmp_path)
    (tmp_path / "08a01Tb.wav").write_bytes(b"")
    assert _message(config) == (
        "corpus: 1 file or row of emodb cannot be used\n  got: \n    08a01Tb is empty: 0 bytes\n"
        "  expected: every file readable, with sound, and labelled once\n"
        "  fix: fetch it again; or go without them: corpus.on_bad_file=skip (python -m raysernas.corpora "
        "check lists all)"
    )
    corpus = catalogue.read(replace(config, on_bad_file="skip", emotions=("anger", "neutral")), None)
    assert len(corpus.utterances) == 5, "a bad file of a class that is not asked for is nobody's business"
    assert corpus.skipped == ()
    more = replace(_emodb(tmp_path, "16a01Tc"), on_bad_file="skip")
    corpus = catalogue.read(more, None)
    assert [remark.subject for remark in corpus.skipped] == ["08a01Tb"]
    assert "08a01Tb" not in {utterance.key for utterance in corpus.utterances}
