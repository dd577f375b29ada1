"""A release is compared with what others have counted, cell by cell."""

from pathlib import Path

from raysernas.config.schema import CorpusConfig
from raysernas.corpora import catalogue, comparison
from raysernas.corpora.comparison import PublishedCount
from raysernas.corpora.corpus import Expected, PublishedAudio, Release, Utterance
from raysernas.corpora.inspection import Sound
from raysernas.corpora.readers import msp_podcast
from tests.support.trees import emodb as emodb_tree
from tests.support.trees import msp_podcast as podcast_tree


def row(key: str, emotion: str, speaker: str = "a") -> Utterance:
    return Utterance(key=key, path=f"{key}.wav", emotion=emotion, speaker=speaker)


ROWS = (row("1", "anger"), row("2", "anger", "b"), row("3", "excitement"), row("4", "other", "b"))


def compared(rows: tuple[Utterance, ...], **table) -> tuple[PublishedCount, ...]:
    expected = Expected(
        **{
            "title": "t",
            "source": "s",
            "by": ("emotion",),
            "counts": {("anger",): 2, ("happiness",): 1},
            **table,
        }
    )
    return comparison.of(Release(name="x", utterances=rows, expected=(expected,)))[0].differing


def test_what_is_missing_and_what_is_too_much_differs() -> None:
    merge, emotions = {"excitement": "happiness"}, ("anger", "happiness")
    assert compared(ROWS, merge=merge, emotions=emotions) == ()
    assert compared(ROWS[1:], merge=merge, emotions=emotions) == (
        PublishedCount(values=("anger",), published=2, found=1),
    )
    assert compared(ROWS, emotions=emotions) == (PublishedCount(values=("happiness",), published=1, found=0),)
    assert PublishedCount(values=("other",), published=0, found=1) in compared(ROWS, merge=merge)


def test_a_partial_table_says_nothing_of_the_rest() -> None:
    assert compared(ROWS, counts={("anger",): 2}, partial=True) == ()
    assert compared(ROWS, counts={("anger",): 3}, partial=True) == (
        PublishedCount(values=("anger",), published=3, found=2),
    )


def test_a_key_counts_once() -> None:
    assert compared((*ROWS, ROWS[0]), counts={("anger",): 2}, partial=True) == ()


def test_the_order_of_rows_does_not_matter() -> None:
    assert compared(ROWS[::-1], by=("speaker",), counts={("a",): 2}) == compared(
        ROWS, by=("speaker",), counts={("a",): 2}
    )


def test_release_1_8_of_msp_podcast_is_as_published(tmp_path: Path) -> None:
    """Its table of the training part is compared where it has numbers, not in the other parts."""
    root = podcast_tree.write(
        tmp_path, podcast_tree.release_1_8(), file="Labels/labels_concensus.csv", sound=False
    )
    assert comparison.unlike(msp_podcast.read(root)) == ()


def test_a_study_knows_that_its_corpus_is_not_as_published(tmp_path: Path) -> None:
    config = CorpusConfig(
        name="emodb", root=str(emodb_tree.write(tmp_path, emodb_tree.names()[:-1])), on_bad_file="skip"
    )
    told = comparison.unlike(catalogue.release(config))
    assert [line.split(":")[1] for line in told] == [" 1 of 7 numbers differ", " 1 of 10 numbers differ"]


# --- rates and durations

AUDIO = PublishedAudio(
    source="s", rates_hz=(16_000, 48_000), utterances=4, hours=10 / 3600, shortest_s=1.0, longest_s=4.0
)


def heard(
    *lengths_s: float, rate_hz: int = 16_000, audio: PublishedAudio = AUDIO
) -> dict[str, tuple[int, int]]:
    """What differs for utterances of these lengths: its name -> published, found."""
    rows = tuple(row(str(at), "anger") for at in range(len(lengths_s)))
    sounds = {
        each.path: Sound(each.key, rate_hz, 1, round(length_s * rate_hz), 0.5, 0.0)
        for each, length_s in zip(rows, lengths_s, strict=True)
    }
    release = Release(name="x", utterances=rows, audio=audio, emotions=("anger",))
    (table,) = comparison.of_audio(release, rows, sounds)
    assert len(comparison.unlike(release, rows, sounds)) == bool(table.differing)
    return {cell.values[0]: (cell.published, cell.found) for cell in table.differing}


def test_the_sound_of_a_whole_copy_is_as_published() -> None:
    assert heard(1, 2, 3, 4) == heard(1.01, 2, 3, 4.05, rate_hz=48_000) == {}


def test_another_rate_differs() -> None:
    assert heard(1, 2, 3, 4, rate_hz=8_000) == {"utterances with 16,000 or 48,000 Hz": (4, 0)}


def test_utterances_that_were_cut_or_filled_up_differ() -> None:
    assert heard(1, 2, 2, 2) == {"seconds in all": (10, 7), "ms of the longest": (4000, 2000)}
    assert heard(4, 4, 4, 4) == {"seconds in all": (10, 16), "ms of the shortest": (1000, 4000)}


def test_of_a_part_of_a_corpus_only_the_range_is_compared() -> None:
    assert heard(2, 3) == {}
    assert heard(0.5, 3, 5) == {"ms of the shortest": (1000, 500), "ms of the longest": (4000, 5000)}


def test_where_no_durations_are_published_the_rate_is_compared() -> None:
    only = PublishedAudio(source="s", rates_hz=(44_100,))
    assert heard(1, 2, rate_hz=44_100, audio=only) == {}
    assert heard(1, 2, audio=only) == {"utterances with 44,100 Hz": (2, 0)}


def test_without_a_published_sound_or_a_usable_utterance_nothing_is_said() -> None:
    release = Release(name="x", utterances=ROWS, audio=AUDIO)
    assert comparison.of_audio(release, (), {}) == ()
    assert comparison.of_audio(Release(name="x", utterances=ROWS), ROWS, {}) == ()
