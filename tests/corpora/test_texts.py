"""Laws of folds that hold out a speaker and a text: neither is heard in training or validation."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raysernas.config.schema import CorpusConfig
from raysernas.corpora import catalogue, fingerprint
from raysernas.corpora.corpus import Corpus
from raysernas.corpora.folds import splits, texts
from tests.support import toy
from tests.support.faults import refusal

CONFIG = CorpusConfig(folds="speaker_text")


def spoken(speakers: int, takes: int) -> Corpus:
    """A toy corpus in which each take is a sentence."""
    whole = toy.corpus(speakers, takes)
    return replace(
        whole,
        utterances=tuple(replace(each, text=f"text {each.key[-1]}") for each in whole.utterances),
    )


@given(speakers=st.integers(4, 8), takes=st.integers(2, 6), groups=st.sampled_from([0, 2]))
def test_neither_the_speaker_nor_the_text_of_a_test_is_heard_before(speakers, takes, groups):
    corpus = spoken(speakers, takes)
    folds = splits.of(corpus, replace(CONFIG, text_groups=groups))
    assert len(folds) == speakers * (groups or takes)
    for fold in folds:
        tested = [corpus.utterances[i] for i in fold.test]
        heard = [corpus.utterances[i] for i in (*fold.train, *fold.valid)]
        assert len({each.speaker for each in tested}) == 1
        assert not {each.speaker for each in tested} & {each.speaker for each in heard}
        assert not {each.text for each in tested} & {each.text for each in heard}
        assert texts.shared(corpus, fold.train, fold.test) == 0
    assert sorted(i for fold in folds for i in fold.test) == list(range(len(corpus.utterances)))


def test_folds_by_speaker_alone_know_the_texts():
    corpus = spoken(5, 3)
    fold = splits.of(corpus, CorpusConfig(folds="speaker"))[0]
    assert texts.shared(corpus, fold.train, fold.test) == len(fold.test)
    assert texts.shared(toy.corpus(5, 3), fold.train, fold.test) == 0, "unknown texts are not shared"


def test_groups_hold_about_as_many_utterances_and_every_text_once():
    corpus = spoken(4, 7)
    groups = texts.groups(corpus, 3)
    assert sorted(text for group in groups for text in group) == sorted(
        {each.text for each in corpus.utterances}
    )
    assert {len(group) for group in groups} == {2, 3}
    assert groups == texts.groups(replace(corpus, utterances=corpus.utterances[::-1]), 3)


@pytest.mark.parametrize(
    ("corpus", "groups", "says"),
    [
        (toy.corpus(5, 3), 0, "the text of 45 of 45 utterances of toy is not known"),
        (spoken(5, 3), 4, "the texts cannot be kept apart"),
        (spoken(5, 3), 1, "the texts cannot be kept apart"),
    ],
)
def test_what_cannot_be_kept_apart_is_refused(corpus, groups, says):
    assert says in refusal(lambda: splits.of(corpus, replace(CONFIG, text_groups=groups)))


def test_the_text_of_an_utterance_moves_neither_fingerprint_nor_folds():
    corpus, plain = spoken(4, 2), toy.corpus(4, 2)
    hashes = {each.path: "x" for each in plain.utterances}
    assert fingerprint.of(corpus.utterances, hashes) == fingerprint.of(plain.utterances, hashes)
    config = CorpusConfig(folds="speaker")
    assert splits.resolved(config, corpus).folds_hash == splits.resolved(config, plain).folds_hash


def test_real_emodb_has_a_hundred_folds(emodb_root):
    corpus = catalogue.read(CorpusConfig(name="emodb", root=str(emodb_root)), None)
    folds = splits.of(corpus, CONFIG)
    assert len({each.text for each in corpus.utterances}) == 10
    assert len(folds) == 100
    assert not any(texts.shared(corpus, (*fold.train, *fold.valid), fold.test) for fold in folds)
    assert sum(len(fold.test) for fold in folds) == 535


@pytest.mark.parametrize(
    ("name", "file", "text"),
    [
        ("emodb", "wav/03a01Fa.wav", "a01"),
        ("emovo", "f1/dis-f1-b1.wav", "b1"),
        ("ravdess", "Actor_01/03-01-05-02-02-01-01.wav", "02"),
        ("savee", "AudioData/DC/a01.wav", "01"),
        ("savee", "AudioData/DC/n07.wav", "twice"),
        ("savee", "AudioData/DC/sa05.wav", "twice"),
        ("savee", "AudioData/DC/sa06.wav", "sa06"),
        ("tess", "OAF_back_angry.wav", "back"),
        ("crema_d", "AudioWAV/1001_DFA_ANG_XX.wav", "DFA"),
        ("nemo", "samples/EB0_anger_17.wav", "17"),
    ],
)
def test_readers_know_the_text_from_the_name_of_the_file(name, file, text, tmp_path):
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    release = catalogue.release(CorpusConfig(name=name, root=str(tmp_path)))
    assert [each.text for each in release.utterances if each.path == str(path)] == [text]


def test_a_manifest_tells_the_text_in_a_column(tmp_path):
    (tmp_path / "labels.csv").write_text("file,emotion,speaker,text\na.wav,joy,x,hello\nb.wav,joy,y,\n")
    (tmp_path / "a.wav").write_bytes(b"")
    (tmp_path / "b.wav").write_bytes(b"")
    release = catalogue.release(CorpusConfig(name="manifest", root=str(tmp_path / "labels.csv")))
    assert [each.text for each in release.utterances] == ["hello", ""]
