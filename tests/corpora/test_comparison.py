"""A release is compared with what others have counted, cell by cell."""

from pathlib import Path

from raysernas.config.schema import CorpusConfig
from raysernas.corpora import catalogue, comparison
from raysernas.corpora.comparison import PublishedCount
from raysernas.corpora.corpus import Expected, Release, Utterance
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
