"""From the door of a trial to the step of a search's optimiser there are few calls of ours to read."""

import sys
from pathlib import Path

import pytest
import torch

import raysernas
from raysernas import trial

FRAMES = 10
OURS = str(Path(raysernas.__path__[0]))
TINY = (
    "corpus.synthetic_speakers=5",
    "corpus.synthetic_takes=2",
    "features.window_s=0.6",
    "features.bands=16",
    "network.channels=2",
    "network.hidden=4",
    "search.epochs=1",
    "search.batch=8",
    "retrain.epochs=1",
    "study.space={}",
)


class ReachedError(BaseException):
    """The trial is ended here: what comes behind the step is of no interest."""


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.Adam])
def test_a_step_of_a_search_is_near_the_door(optimizer, tmp_path, monkeypatch):
    frames = []

    def step(*_args, **_named):
        frame = sys._getframe(1)
        while frame is not None:
            frames.append(frame.f_code)
            frame = frame.f_back
        raise ReachedError

    monkeypatch.setattr(optimizer, "step", step)
    with pytest.raises(ReachedError):
        trial.main(["laptop", "arm=darts", *TINY, f"study.storage={tmp_path}"])
    names = [code.co_qualname for code in reversed(frames) if code.co_filename.startswith(OURS)]
    assert names[0] == "main"
    assert len(names) <= FRAMES, f"{len(names)}: {' > '.join(names)}"
