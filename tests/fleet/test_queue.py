"""Laws of the queue of trials: every trial runs once, whatever happens in between."""

import shutil
from pathlib import Path

import hypothesis
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raysernas.config.fault import Fault
from raysernas.config.files import load
from raysernas.config.identity import digest, settings
from raysernas.fleet import journal
from raysernas.fleet.queue import Queue
from raysernas.record import compaction, ledger, storage
from raysernas.record.files import CandidateGroup, StudyFiles, TrialKey
from tests.support.faults import refusal
from tests.support.fleet import drain, fail, finish, opened, params, states, study
from tests.support.runs import Run


def test_every_trial_runs_exactly_once(tmp_path: Path) -> None:
    ran = drain(tmp_path, study("study.seeds=[0,1]"))
    assert len(ran) == len(set(ran)) == 2 * 3 * 2 * 2
    assert {(key.candidate, key.fold, key.seed) for key in ran} == {
        (c, f, s) for c in range(3) for f in (0, 1) for s in (0, 1)
    }


def test_a_finished_study_has_nothing_left(tmp_path: Path) -> None:
    drain(tmp_path, study())
    with opened(tmp_path, study()) as queue:
        assert sum(queue.left().values()) == 0
        assert queue.done() == 12
        assert queue.next() is None


@hypothesis.settings(max_examples=6)
@given(cuts=st.lists(st.integers(0, 5), max_size=4))
def test_relaunches_continue_wherever_the_launch_was_killed(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
) -> None:
    root = tmp_path_factory.mktemp("cut")
    ran: list[TrialKey] = []
    for cut in cuts:
        ran += drain(root, study(), most=cut)
        with opened(root, study()) as queue:
            queue.next()  # and one more was under way
    ran += drain(root, study())
    assert len(ran) == len(set(ran)) == 12


def test_the_first_results_of_every_arm_come_early(tmp_path: Path) -> None:
    ran = drain(tmp_path, study())
    assert [key.name for key in ran[:4]] == [
        "darts-c000-f0-s0",
        "cnn-c000-f0-s0",
        "darts-c000-f1-s0",
        "cnn-c000-f1-s0",
    ]
    assert [key.candidate for key in ran] == sorted(key.candidate for key in ran)


def test_the_first_candidate_is_the_configuration_as_written(tmp_path: Path) -> None:
    config = study("retrain.lr=0.0025", "search.alphas_lr=0.003")
    with opened(tmp_path, config) as queue:
        key = queue.next()
        assert key is not None
        assert settings(queue.trial(key)).items() >= {"retrain.lr": 0.0025, "search.alphas_lr": 0.003}.items()


def test_test_scores_change_nothing(tmp_path: Path) -> None:
    config = study("study.candidates=13", "study.arms=[darts]", "study.folds=[0]")
    for root, best in ((tmp_path / "low", 0), (tmp_path / "high", 10)):
        with opened(root, config) as queue:
            while (key := queue.next()) is not None:
                finish(
                    root, queue, key, right=key.candidate % 7, test=best if key.candidate % 2 else 10 - best
                )
    assert params(tmp_path / "low") == params(tmp_path / "high")
    assert states(tmp_path / "low") == states(tmp_path / "high")


def test_the_whole_table_is_never_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> pd.DataFrame:
        raise AssertionError("the queue looked at test scores")

    monkeypatch.setattr(ledger, "table", forbidden)
    assert len(drain(tmp_path, study())) == 12


def test_a_candidate_with_a_failed_trial_has_failed(tmp_path: Path) -> None:
    with opened(tmp_path, study("study.arms=[cnn]", "study.candidates=1")) as queue:
        first, second = queue.next(), queue.next()
        assert first is not None
        assert second is not None
        finish(tmp_path, queue, first)
        fail(tmp_path, queue, second)
        assert queue.next() is None
    assert states(tmp_path, "cnn") == [("FAIL", None)]


def test_retry_failed_runs_failed_trials_again(tmp_path: Path) -> None:
    config = study("study.arms=[cnn]", "study.candidates=1")
    with opened(tmp_path, config) as queue:
        for key in (queue.next(), queue.next()):
            assert key is not None
            fail(tmp_path, queue, key)
    assert drain(tmp_path, config) == []
    again = study("study.arms=[cnn]", "study.candidates=1", "study.retry_failed=true")
    assert len(drain(tmp_path, again)) == 2
    assert drain(tmp_path, again) == []


def test_candidates_with_equal_settings_share_their_trials(tmp_path: Path) -> None:
    space = "study.space={network.nodes: {choices: [2]}, search.alphas_lr: {choices: [3e-3]}}"
    ran = drain(
        tmp_path,
        load(
            None,
            [
                "study.arms=[darts,cnn]",
                "study.candidates=4",
                "study.folds=[0,1]",
                "search.alphas_lr=3e-3",
                space,
            ],
        ),
    )
    assert {key.candidate for key in ran} == {0}
    assert len(ran) == 4
    assert states(tmp_path, "darts") == 4 * [("COMPLETE", pytest.approx(0.5))]
    assert states(tmp_path, "cnn") == 4 * [("COMPLETE", pytest.approx(0.5))]


@pytest.mark.parametrize(
    "more", ["study.folds=[0,1,2]", "study.seeds=[0,5]", "study.candidates=5", "study.arms=[darts,cnn,lstm]"]
)
def test_an_extended_study_runs_only_what_is_new(tmp_path: Path, more: str) -> None:
    before = drain(tmp_path, study())
    ran = drain(tmp_path, study(more))
    assert ran
    assert not {*before} & {*ran}
    assert drain(tmp_path, study(more)) == []


def test_an_extended_study_judges_candidates_by_all_of_its_folds(tmp_path: Path) -> None:
    drain(tmp_path, study("study.arms=[darts]"), right=lambda key: 9 - key.candidate)
    config = study("study.arms=[darts]", "study.folds=[0,1,2]")
    with opened(tmp_path, config) as queue:
        assert queue.outcome(CandidateGroup(arm="darts"), 0).state == "running"
        key = queue.next()
        assert key is not None
        finish(tmp_path, queue, key, right=0)
        assert queue.outcome(CandidateGroup(arm="darts"), 0).values == pytest.approx(
            [(2 * (9 + 10) / 30 + 10 / 30) / 3]
        )


def test_a_shrunk_study_runs_nothing(tmp_path: Path) -> None:
    drain(tmp_path, study())
    assert drain(tmp_path, study("study.folds=[1]", "study.candidates=2")) == []


def test_a_trial_whose_process_died_gets_a_failed_record(tmp_path: Path) -> None:
    with opened(tmp_path, study()) as queue:
        key = queue.next()
        assert key is not None
        assert queue.died(key, "it diverged", "error") == "failed"
        row = ledger.validation(StudyFiles(tmp_path)).iloc[0]
        assert (row["status"], row["reason"], row["failure"]) == ("failed", "it diverged", "error")
        assert row["digest"] == digest(queue.trial(key))
        run = Run(StudyFiles(tmp_path).trial(key).tensorboard)
        assert (run.status, run.texts["status"][0]) == ("FAILURE", "**failed (error)**\n\nit diverged")
        assert run.hparams["search.alphas_lr"] == 3e-3


def test_a_trial_whose_process_died_after_its_record_has_finished(tmp_path: Path) -> None:
    with opened(tmp_path, study()) as queue:
        key = queue.next()
        assert key is not None
        finish(tmp_path, queue, key)
        assert queue.died(key, "late", "lost") == "finished"


def test_a_record_of_other_settings_is_refused(tmp_path: Path) -> None:
    drain(tmp_path, study(), most=1)
    fault = refusal(lambda: drain(tmp_path, study("search.epochs=7")))
    assert fault.startswith("study: the record of darts-c000-f0-s0 belongs to other settings")
    assert "fix: set another study.name" in fault


def test_missing_candidates_are_a_fault(tmp_path: Path) -> None:
    drain(tmp_path, study())
    shutil.rmtree(StudyFiles(tmp_path).candidates)
    assert "no such candidate in the study's folder" in refusal(lambda: drain(tmp_path, study()))


def test_what_is_left_is_known_before_everything_is_proposed(tmp_path: Path) -> None:
    with opened(tmp_path, study()) as queue:
        assert queue.left() == {"darts": 6, "cnn": 6}
        key = queue.next()
        assert key is not None
        assert queue.left() == {"darts": 6, "cnn": 6}  # it runs, but has not ended
        finish(tmp_path, queue, key)
        assert queue.left() == {"darts": 5, "cnn": 6}


def test_an_arm_that_reads_no_key_of_the_space_has_one_candidate_to_run(tmp_path: Path) -> None:
    space = "study.space={search.alphas_lr: {low: 0.001, high: 0.1, log: true}}"
    with opened(tmp_path, study(space)) as queue:
        assert queue.left() == {"darts": 6, "cnn": 2}
    ran = drain(tmp_path, study(space))
    assert (len(ran), {key.candidate for key in ran if key.arm == "cnn"}) == (8, {0})
    with opened(tmp_path, study(space)) as queue:
        assert sum(queue.left().values()) == 0


def test_a_long_study_keeps_few_files_while_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    undisturbed = tmp_path / "undisturbed"
    drain(undisturbed, study())
    monkeypatch.setattr(compaction, "FILES", 3)
    monkeypatch.setattr(ledger, "LOOSE", 3)
    files = StudyFiles(tmp_path / "study")
    with opened(files.root, study()) as queue:
        while (key := queue.next()) is not None:
            finish(files.root, queue, key)
            single = [path for path in storage.listed(files.trials) if not path.name.startswith("compacted-")]
            assert len(single) <= 4
    assert drain(files.root, study()) == []
    pd.testing.assert_frame_equal(ledger.table(files), ledger.table(StudyFiles(undisturbed)))


def test_a_launch_that_has_lost_its_study_writes_nothing_more(tmp_path: Path) -> None:
    lost: list[int] = []

    def check() -> None:
        if lost:
            raise Fault("study", "it has been taken over", got="-", expected="-", fix="-")

    files, config = StudyFiles(tmp_path), study("study.resources.max_failures=0")
    with journal.opened(files.journal) as held:
        queue = Queue(config, files, held, check)
        keys = [key for key in (queue.next(), queue.next()) if key is not None]
        before = storage.states(tmp_path / "candidates", ".json"), storage.listed(files.trials)
        lost.append(1)
        refusal(lambda: queue.died(keys[0], "its node is gone", "lost"))
        refusal(lambda: finish(tmp_path, queue, keys[1]))  # the trial itself has written its own record
        refusal(lambda: [queue.next() for _ in range(12)])
    assert storage.states(tmp_path / "candidates", ".json") == before[0]
    assert [path.stem for path in storage.listed(files.trials)] == [keys[1].name]
