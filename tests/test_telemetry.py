"""Laws of telemetry: TensorBoard's own reader finds what was told, once, also after a second attempt."""

import json

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from raysernas.learn.telemetry import Telemetry
from raysernas.record.files import TrialFiles, TrialKey


def test_scalars_are_read_back_and_a_second_attempt_replaces_the_first(tmp_path):
    files = TrialFiles(tmp_path, TrialKey(arm="darts", candidate=3, fold=2, seed=1))
    for attempt in (5, 7):
        telemetry = Telemetry(files, {"search.epochs": 2})
        for epoch in (1, 2):
            telemetry.epoch("search", {"epoch": epoch, "loss": attempt / epoch, "genotype": "{}"})
        telemetry.close()
    assert files.tensorboard == tmp_path / "tensorboard" / "darts" / "c003" / "f2" / "s1"
    reader = EventAccumulator(str(files.tensorboard)).Reload()
    assert reader.Tags()["scalars"] == ["search/loss"]
    assert [(event.step, event.value) for event in reader.Scalars("search/loss")] == [(1, 7.0), (2, 3.5)]
    lines = [json.loads(line) for line in files.history.read_text().splitlines()]
    assert lines == [{"stage": "search", "epoch": epoch, "loss": 7 / epoch, "genotype": "{}"} for epoch in (1, 2)]


def test_nested_numbers_are_scalars_by_their_way_and_timing_is_no_part_of_the_history(tmp_path):
    files = TrialFiles(tmp_path, TrialKey(arm="darts", candidate=0, fold=0, seed=0))
    telemetry = Telemetry(files, {})
    shown = {"timing": {"step_s": 0.5}, "shares": {"normal": {"node0_from1": {"skip_connect": 0.75}}}}
    entry = {"epoch": 1, "mixing": {"normal": [[0.25, 0.75]]}, "warning": "every gene skips", **shown}
    telemetry.epoch("search", entry)
    telemetry.close()
    reader = EventAccumulator(str(files.tensorboard)).Reload()
    assert set(reader.Tags()["scalars"]) == {"search/shares/normal/node0_from1/skip_connect", "search/timing/step_s"}
    assert [event.value for event in reader.Scalars("search/shares/normal/node0_from1/skip_connect")] == [0.75]
    assert "search/warning/text_summary" in reader.Tags()["tensors"]
    (line,) = files.history.read_text().splitlines()
    assert json.loads(line) == {"stage": "search"} | {name: value for name, value in entry.items() if name not in shown}
