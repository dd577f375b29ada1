"""A study learns from the classes it names, and from no utterance that nobody knows the truth about."""

from dataclasses import replace

import pytest

from raysernas.config.fault import Fault
from raysernas.config.schema import CorpusConfig
from raysernas.corpora.corpus import Corpus, Release, Utterance
from raysernas.corpora.inspection import Sound
from raysernas.corpora.selection import check_emotions, select, usable


def _row(key: str, emotion: str = "anger", speaker: str = "s", path: str = "", **more: object) -> Utterance:
    return replace(Utterance(key=key, path=path or f"/{key}", emotion=emotion, speaker=speaker), **more)


def _sound(content: str, fault: str = "") -> Sound:
    return Sound(content, 16_000, 1, 16_000, 0.5, 0.0, fault, "correct it" if fault else "")


def _release(*emotions: str, usual: tuple[str, ...] = (), merge: dict[str, str] | None = None) -> Release:
    rows = (
        _row(f"u{at}", emotion, scenario="scripted" if at % 2 else "improvised")
        for at, emotion in enumerate(emotions)
    )
    return Release(name="mine", utterances=tuple(rows), emotions=usual, merge=merge or {})


def _told(rows: list[Utterance], sounds: dict[str, Sound] | None = None) -> dict[str, list[str]]:
    """What is said of each key."""
    found: dict[str, list[str]] = {}
    for remark in usable(rows, sounds or {})[1]:
        assert remark.kind == "bad"
        assert remark.fix
        found.setdefault(remark.subject, []).append(remark.what)
    return found


# --- which classes


def test_without_a_word_the_usual_classes_are_merged_as_usual() -> None:
    release = _release("joy", "fun", "fear", "other", usual=("joy", "fear"), merge={"fun": "joy"})
    chosen = select(release, CorpusConfig())
    assert (chosen.emotions, dict(chosen.merge)) == (("joy", "fear"), {"fun": "joy"})
    assert [(row.key, row.emotion) for row in chosen.utterances] == [
        ("u0", "joy"),
        ("u1", "joy"),
        ("u2", "fear"),
    ]


def test_without_usual_classes_all_are_taken_that_name_an_emotion() -> None:
    assert select(_release("joy", "other", "fear", "no_agreement"), CorpusConfig()).emotions == (
        "fear",
        "joy",
    )


def test_named_classes_are_kept_in_their_order_and_merged_only_as_named() -> None:
    release = _release("joy", "fun", "fear", usual=("joy", "fear"), merge={"fun": "joy"})
    chosen = select(release, CorpusConfig(emotions=("joy", "fear")))
    assert (chosen.emotions, dict(chosen.merge), len(chosen.utterances)) == (("joy", "fear"), {}, 2)
    chosen = select(release, CorpusConfig(emotions=("fear", "fun"), merge={"joy": "fun"}))
    assert [(row.key, row.emotion) for row in chosen.utterances] == [
        ("u0", "fun"),
        ("u1", "fun"),
        ("u2", "fear"),
    ]


def test_a_merge_alone_turns_the_usual_classes_into_what_they_count_as() -> None:
    release = _release("anger", "fear", "joy", usual=("anger", "fear", "joy"))
    chosen = select(release, CorpusConfig(merge={"anger": "negative", "fear": "negative"}))
    assert chosen.emotions == ("negative", "joy")
    assert [row.emotion for row in chosen.utterances] == ["negative", "negative", "joy"]
    assert select(release, CorpusConfig(merge={"fear": "joy"})).emotions == ("anger", "joy")


def test_what_was_resolved_is_chosen_again() -> None:
    release = _release(
        "joy", "fun", "fear", usual=("joy", "fear", "calm"), merge={"fun": "joy", "mirth": "joy"}
    )
    first = select(release, CorpusConfig())
    assert select(release, CorpusConfig(emotions=first.emotions, merge=dict(first.merge))) == first


def test_rows_that_contradict_a_chosen_one_come_along() -> None:
    rows = (_row("a", "joy"), _row("a", "other"), _row("b", "other"), _row("c", "joy"))
    more = (_row("c", "joy", scenario="scripted"), _row("d", "fear", scenario="scripted"))
    chosen = select(Release(name="mine", utterances=(*rows, *more)), CorpusConfig(emotions=("joy",)))
    assert [(row.key, row.emotion) for row in chosen.utterances] == [
        ("a", "joy"),
        ("a", "other"),
        ("c", "joy"),
        ("c", "joy"),
    ]
    assert set(_told(list(chosen.utterances))) == {"a", "c"}
    scripted = select(Release(name="mine", utterances=(*rows, *more)), CorpusConfig(scenarios=("scripted",)))
    assert [(row.key, row.scenario) for row in scripted.utterances] == [
        ("c", ""),
        ("c", "scripted"),
        ("d", "scripted"),
    ]


def test_two_emotions_may_change_places() -> None:
    chosen = select(
        _release("joy", "fear"), CorpusConfig(emotions=("joy", "fear"), merge={"joy": "fear", "fear": "joy"})
    )
    assert [row.emotion for row in chosen.utterances] == ["fear", "joy"]


def test_utterances_are_ordered_by_key_wherever_their_files_lie() -> None:
    rows = (_row("c", path="/a"), _row("a", path="/c"), _row("b", path="/z"), _row("b", path="/b"))
    chosen = select(Release(name="mine", utterances=rows), CorpusConfig())
    assert [(row.key, row.path) for row in chosen.utterances] == [
        ("a", "/c"),
        ("b", "/b"),
        ("b", "/z"),
        ("c", "/a"),
    ]


def test_scenarios_are_kept_as_named() -> None:
    chosen = select(_release("joy", "fear", "joy"), CorpusConfig(scenarios=("improvised",)))
    assert [row.key for row in chosen.utterances] == ["u0", "u2"]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (
            {"emotions": ("joy", "mirth")},
            "corpus.emotions names 'mirth'\n  got: ['joy', 'mirth']\n  expected: some of ['fear',",
        ),
        ({"emotions": ("joy", "fear"), "merge": {"joy": "fear"}}, "corpus.emotions names 'joy'\n"),
        ({"merge": {"mirth": "joy"}}, "corpus.merge names 'mirth'\n"),
        (
            {"scenarios": ("read",)},
            "corpus.scenarios names 'read'\n  got: ['read']\n  expected: some of ['improvised',",
        ),
    ],
)
def test_what_the_release_does_not_have_is_refused(settings: dict, expected: str) -> None:
    with pytest.raises(Fault) as caught:
        select(_release("joy", "fear", usual=("joy", "fear")), CorpusConfig(**settings))
    assert expected in str(caught.value)


# --- which utterances


def test_good_utterances_know_their_file() -> None:
    rows = [_row("a"), _row("b", path="synthetic:b")]
    good, bad = usable(rows, {"/a": Sound("00", 8_000, 2, 100, 0.5, 0.0)})
    assert bad == ()
    assert [(row.key, row.sample_rate_hz, row.channels) for row in good] == [("a", 8_000, 2), ("b", 0, 0)]


def test_of_equal_rows_the_first_is_kept() -> None:
    rows = [_row("a"), _row("b"), _row("a"), _row("a")]
    assert _told(rows) == {"a": ["is listed more than once"] * 2}
    assert [row.key for row in usable(rows, {})[0]] == ["a", "b"]


def test_of_rows_that_disagree_none_is_kept() -> None:
    rows = [_row("a"), _row("a", "fear", speaker="t"), _row("a"), _row("b")]
    assert _told(rows) == {"a": ["is listed 3 times, with differing emotion, speaker"] * 3}


def test_two_files_of_one_content_are_no_disagreement() -> None:
    rows = [_row("a", path="/here"), _row("a", path="/there")]
    assert _told(rows, {"/here": _sound("00"), "/there": _sound("00")}) == {
        "a": ["lies in two files, /here and /there"]
    }
    assert _told(rows, {"/here": _sound("00"), "/there": _sound("11")}) == {
        "a": ["is listed 2 times, with differing file"] * 2
    }


def test_one_sound_under_two_labels_is_nobodys() -> None:
    rows = [_row("a"), _row("b", speaker="t"), _row("c", "fear"), _row("d"), _row("e")]
    sounds = {f"/{key}": _sound("00" if key in "abcd" else "11") for key in "abcde"}
    assert _told(rows, sounds) == {
        "a": ["is the same sound as b, which has another speaker or emotion"],
        "b": ["is the same sound as a, which has another speaker or emotion"],
        "c": ["is the same sound as a, which has another speaker or emotion"],
        "d": ["is the same sound as b, which has another speaker or emotion"],
    }


def test_stretches_of_one_sound_are_one_only_if_they_begin_and_end_alike() -> None:
    sounds = {"/x": _sound("00")}
    apart = [_row("a", path="/x", end_s=0.5), _row("b", "fear", path="/x", start_s=0.5)]
    assert _told(apart, sounds) == {}
    whole = [
        _row("a", path="/x"),
        _row("b", "fear", path="/x", end_s=1.0),
        _row("c", "fear", path="/x", end_s=1.005),
    ]
    assert list(_told(whole, sounds)) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("start_s", "end_s", "what"),
    [
        (1.0, 0.0, "lies outside its file, which is 1.000 s long: from 1.0 s on"),
        (0.5, 2.0, "lies outside its file, which is 1.000 s long: 0.5 s to 2.0 s"),
        (0.5, 0.4, "lies outside its file, which is 1.000 s long: 0.5 s to 0.4 s"),
        (0.5, 0.50001, "has no samples: 0.5 s to 0.50001 s"),
    ],
)
def test_a_stretch_has_to_lie_in_its_file(start_s: float, end_s: float, what: str) -> None:
    assert _told([_row("a", start_s=start_s, end_s=end_s)], {"/a": _sound("00")}) == {"a": [what]}
    assert _told([_row("a", start_s=0.5, end_s=1.009)], {"/a": _sound("00")}) == {}


def test_a_bad_file_is_what_is_said_first() -> None:
    rows = [_row("a"), _row("b"), _row("b", "fear")]
    assert _told(rows, {"/a": _sound("", "is missing"), "/b": _sound("00", "is silent")}) == {
        "a": ["is missing"],
        "b": ["is silent"] * 2,
    }


# --- whether it can be learned


def _refusal(*rows: Utterance, emotions: tuple[str, ...] = ("anger", "fear")) -> str:
    with pytest.raises(Fault) as caught:
        check_emotions(Corpus(name="mine", emotions=emotions, utterances=rows, fingerprint=""))
    return str(caught.value)


def test_an_emotion_needs_two_utterances_of_two_known_speakers() -> None:
    rows = [
        _row(f"{emotion}{speaker}", emotion, speaker) for emotion in ("anger", "fear") for speaker in "st"
    ]
    check_emotions(Corpus(name="mine", emotions=("anger", "fear"), utterances=tuple(rows), fingerprint=""))
    assert _refusal(*rows[:3]) == (
        "corpus: the emotion 'fear' cannot be learned and tested\n  got: utterances: 1, speakers: 1\n"
        "  expected: at least 2 utterances, of at least 2 speakers\n  fix: add recordings"
    )
    assert "got: utterances: 2, speakers: 1" in _refusal(*rows[:3], _row("x", "fear", ""))
    more = [replace(row, emotion="joy", key=row.key + "2") for row in rows[:2]]
    rest = _refusal(*rows[:3], *more, emotions=("anger", "fear", "joy"))
    assert rest.endswith("fix: set corpus.emotions=[anger,joy]")


def test_where_nobody_is_known_two_utterances_will_do() -> None:
    rows = tuple(_row(f"{emotion}{at}", emotion, "") for emotion in ("anger", "fear") for at in range(2))
    check_emotions(Corpus(name="mine", emotions=("anger", "fear"), utterances=rows, fingerprint=""))
    assert "got: utterances: 1, speakers: 0" in _refusal(*rows[:3])


def test_where_folds_may_mix_speakers_one_speaker_will_do() -> None:
    rows = tuple(_row(f"{emotion}{at}", emotion, "s") for emotion in ("anger", "fear") for at in range(2))
    assert "got: utterances: 2, speakers: 1" in _refusal(*rows)
    corpus = Corpus(name="mine", emotions=("anger", "fear"), utterances=rows, fingerprint="")
    check_emotions(corpus, speaker_dependent=True)


def test_one_emotion_is_no_question() -> None:
    assert "there is only one emotion" in _refusal(_row("a"), _row("b", speaker="t"), emotions=("anger",))
