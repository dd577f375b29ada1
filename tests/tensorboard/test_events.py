"""Laws of events: TensorBoard's own reader takes what is written here for its own."""

from hypothesis import given
from hypothesis import strategies as st

from raysernas.drawing import pictures
from raysernas.tensorboard.events import Events
from tests.support.runs import Run, event_counts

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(numbers=st.lists(st.floats(width=32, allow_nan=False)), words=st.lists(texts))
def test_numbers_and_texts_are_read_back(tmp_path_factory, numbers, words):
    waiting, folder = Events(), tmp_path_factory.mktemp("run")
    waiting.start_run()
    for step, number in enumerate(numbers):
        waiting.scalar("a/b", number, step)
    for step, word in enumerate(words):
        waiting.text("words", word, step)
    (folder / "events.out.tfevents.1").write_bytes(waiting.drain())
    assert waiting.drain() == b""
    run = Run(folder)
    assert run.scalars.get("a/b", {}) == dict(enumerate(numbers))
    assert run.texts.get("words", {}) == dict(enumerate(words))
    assert sum(event_counts(folder).values()) == len(numbers) + len(words)


def test_a_picture_is_read_back_with_its_size(tmp_path):
    picture, waiting = pictures.confusion([[3, 1], [0, 2]], ["joy", "fear"]), Events()
    waiting.start_run()
    waiting.image("seen", picture, 7)
    (tmp_path / "events.out.tfevents.1").write_bytes(waiting.drain())
    content, width, height = pictures.png(picture)
    run = Run(tmp_path)
    assert run.images == {"seen": {7: content}}
    (event,) = run._reader.Images("seen")
    assert (event.width, event.height) == (width, height)


def test_a_torn_end_costs_the_last_record_and_no_other(tmp_path):
    waiting = Events()
    waiting.start_run()
    for step in range(3):
        waiting.scalar("a", float(step), step)
    whole = waiting.drain()
    for cut in (1, 5, 20):
        (tmp_path / "events.out.tfevents.1").write_bytes(whole[:-cut])
        assert list(Run(tmp_path).scalars["a"]) == [0, 1]
