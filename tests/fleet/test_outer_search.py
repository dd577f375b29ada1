"""Laws of the outer search as a whole: what proposals may depend on, and what happens to candidates that
are given up.
"""

import random
from pathlib import Path

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raysernas.config.schema import Config
from raysernas.fleet.plan import header
from raysernas.fleet.queue import Queue
from raysernas.record import ledger
from raysernas.record.files import CandidateGroup, StudyFiles, TrialKey
from tests.fleet.test_plan import planned
from tests.support.faults import refusal
from tests.support.fleet import drain, fail, finish, opened, proposed, scored, states, study
from tests.support.marks import slow_after
from tests.support.runs import Run

RACE = (
    "study.arms=[darts]",
    "study.folds=[0,1,2,3]",
    "study.racing.enabled=true",
    "study.racing.looks=none",
    "study.candidates=4",
)


def scrambled(root: Path, config: Config, seed: int, *, cuts: int = 2, slots: int = 3) -> None:
    """Run a study whose trials end, die and are interrupted in any order, in several launches."""
    rng = random.Random(seed)
    for cut in range(cuts + 1):
        with opened(root, config) as queue:
            for _ in range(10_000):
                while len(queue.running()) < rng.randint(1, slots) and queue.next() is not None:
                    pass
                if queue.over() or (cut < cuts and rng.random() < 0.1):
                    break
                _act(root, queue, rng)


def _act(root: Path, queue: Queue, rng: random.Random) -> None:
    key = rng.choice(sorted(queue.running()))
    match rng.randrange(6):
        case 0:
            queue.interrupted(key)
        case 1:
            queue.died(key, "its node is gone", "lost")
        case _ if random.Random(f"{key.name} fails").random() < 0.1:
            fail(root, queue, key)
        case _:
            finish(root, queue, key, right=scored(key))


@hypothesis.settings(max_examples=2)  # other seeds in every run
@given(seed=st.integers(0, 10_000))
@pytest.mark.parametrize("sampler", slow_after(1, ["tpe", "nsga2"]))
def test_with_generations_any_interleaving_gives_equal_candidates(
    sampler: str, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("order")
    plan = (
        "study.generation=4",
        f"study.sampler={sampler}",
        "study.candidates=15",
        "study.resources.max_failures=1000",
    )
    config = study(*plan, "study.folds=[0]")
    scrambled(root / "one", config, seed)
    scrambled(root / "two", config, seed + 1, cuts=0, slots=9)
    for line in ("darts", "cnn"):
        assert proposed(root / "one", line) == proposed(root / "two", line)
        assert len(proposed(root / "one", line)) == 15


@pytest.mark.parametrize("sampler", slow_after(1, ["tpe", "gp", "random", "nsga2"]))
def test_a_relaunch_proposes_what_one_launch_would_have(sampler: str, tmp_path: Path) -> None:
    config = study(
        f"study.sampler={sampler}",
        "study.candidates=13",
        "study.arms=[darts]",
        "study.folds=[0]",
        "study.generation=3",
    )
    drain(tmp_path / "once", config, right=scored)
    for _ in range(4):
        drain(tmp_path / "cut", config, most=4, right=scored)
    assert proposed(tmp_path / "once") == proposed(tmp_path / "cut")
    assert states(tmp_path / "once") == states(tmp_path / "cut")


def test_a_nested_search_sees_no_score_of_other_folds_and_no_test_score(tmp_path: Path) -> None:
    """Every score of the other folds and every test score is changed: fold 0 is proposed the same
    candidates.
    """
    config = study("study.protocol=nested", "study.candidates=13", "study.arms=[darts]")
    for root, other in ((tmp_path / "one", 1), (tmp_path / "two", 9)):
        with opened(root, config) as queue:
            while (key := queue.next()) is not None:
                hits = scored(key) if key.fold == 0 else (other * (key.candidate + 1)) % 11
                finish(root, queue, key, right=hits, test=other)
    assert proposed(tmp_path / "one", "darts-f0") == proposed(tmp_path / "two", "darts-f0")
    assert proposed(tmp_path / "one", "darts-f1") != proposed(tmp_path / "two", "darts-f1")
    assert states(tmp_path / "one", "darts/f0") == states(tmp_path / "two", "darts/f0")


def test_a_nested_study_runs_every_trial_once(tmp_path: Path) -> None:
    config = study("study.protocol=nested", "study.seeds=[0,1]")
    ran = drain(tmp_path, config, most=7) + drain(tmp_path, config)
    assert len(ran) == len(set(ran)) == 2 * 3 * 2 * 2
    assert len(proposed(tmp_path, "cnn-f1")) == 3


def test_points_come_after_the_settings_as_written(tmp_path: Path) -> None:
    config = study(
        "study.points={mine: {retrain.lr: 0.001}, both: {retrain.lr: 0.002, search.alphas_lr: 0.01}}",
        "study.candidates=4",
    )
    drain(tmp_path, config)
    assert [found["retrain.lr"] for found in proposed(tmp_path)[:3]] == [0.003, 0.001, 0.002]
    assert [found["search.alphas_lr"] for found in proposed(tmp_path)[:3]] == [0.003, 0.003, 0.01]
    assert [found["retrain.lr"] for found in proposed(tmp_path, "cnn")[:3]] == [0.003, 0.001, 0.002]


def test_several_objectives_reach_optuna_in_their_order(tmp_path: Path) -> None:
    config = study(
        "study.objectives=[valid_ua,parameters,latency_ms]", "study.arms=[cnn]", "study.candidates=1"
    )
    with opened(tmp_path, config) as queue:
        while (key := queue.next()) is not None:
            finish(tmp_path, queue, key, right=5 + key.fold, parameters=100 * (1 + key.fold), latency_ms=2.0)
        assert queue.outcome(CandidateGroup(arm="cnn"), 0).values == pytest.approx((0.5 + 1 / 60, 150, 2.0))


# --- the journal is a view


# --- trials that come back


def test_a_lost_trial_is_retried_first_and_not_for_ever(tmp_path: Path) -> None:
    with opened(tmp_path, study("study.resources.max_failures=2")) as queue:
        key = queue.next()
        assert key is not None
        for number, kind in enumerate(("lost", "out_of_memory")):
            assert queue.died(key, f"reason {number}", kind) == "retried"
            queue_next = queue.next()
            assert queue_next == key
        queue.interrupted(key)  # does not count
        assert queue.next() == key
        assert queue.died(key, "reason 2", "no_progress") == "failed"
        row = ledger.validation(StudyFiles(tmp_path)).iloc[0]
        assert (row["failure"], row["reason"]) == ("no_progress", "reason 0; then reason 1; then reason 2")
        assert queue.left() == {"darts": 5, "cnn": 6}
        assert (queue.running(), queue.over()) == (set(), False)


# --- racing


def raced(root: Path, config: Config, *, most: int = 1000) -> list[TrialKey]:
    """Candidate 1 is worse on every fold, by unlike amounts."""
    return drain(root, config, most=most, right=lambda key: (3 - key.fold % 2) if key.candidate == 1 else 8)


def statuses(root: Path, candidate: int) -> list[str]:
    rows = ledger.validation(StudyFiles(root))
    return sorted(rows.loc[rows["candidate"] == candidate, "status"])


def test_a_hopeless_candidate_is_given_up_and_every_trial_has_one_record(tmp_path: Path) -> None:
    ran = raced(tmp_path, study(*RACE))
    assert statuses(tmp_path, 1) == ["finished", "finished", "finished", "raced"]
    assert [statuses(tmp_path, number) for number in (0, 2, 3)] == 3 * [4 * ["finished"]]
    assert len(ran) == 15
    reasons = ledger.validation(StudyFiles(tmp_path)).query("status == 'raced'")["reason"]
    assert reasons.str.startswith("raced out: ").all()
    assert raced(tmp_path, study(*RACE)) == []
    # the others ran without telemetry
    (folder,) = [path.parent for path in StudyFiles(tmp_path).tensorboard.rglob("*tfevents*")]
    assert Run(folder).texts["status"][0].startswith("**raced**\n\nraced out: ")


def test_optuna_gets_the_estimate_of_a_candidate_that_was_given_up(tmp_path: Path) -> None:
    raced(tmp_path, study(*RACE))
    state, value = states(tmp_path)[1]
    rows = ledger.validation(StudyFiles(tmp_path))
    done = rows[(rows["candidate"] == 1) & (rows["status"] == "finished")]
    assert state == "COMPLETE"
    assert value == pytest.approx(18 / 30 + (done["valid_ua"] - 18 / 30).mean())


def test_raced_candidates_stay_raced_when_the_study_grows(tmp_path: Path) -> None:
    raced(tmp_path, study(*RACE))
    more = study(*RACE, "study.folds=[0,1,2,3,4]", "study.seeds=[0,1]")
    ran = raced(tmp_path, more)
    assert {key.candidate for key in ran} == {0, 2, 3}
    assert statuses(tmp_path, 1) == ["finished"] * 3 + ["raced"] * 7


def test_running_trials_of_a_candidate_that_is_given_up_should_stop(tmp_path: Path) -> None:
    config = study(*RACE, "study.candidates=2", "study.seeds=[0,1]")
    with opened(tmp_path, config) as queue:
        while (key := queue.next()) is not None and key.candidate == 0:
            finish(tmp_path, queue, key, right=8)
        assert key is not None
        started = [key, *(found for _ in range(4) if (found := queue.next()) is not None)]
        for each in started[:3]:
            finish(tmp_path, queue, each, right=3 - each.fold % 2)
        assert queue.raced_out() == set(started[3:])
        queue.interrupted(started[3])
        assert queue.died(started[4], "killed", "lost") == "finished"
        assert queue.over()
    assert statuses(tmp_path, 1) == ["finished"] * 3 + ["raced"] * 5


def test_every_candidate_has_its_own_order_of_folds_and_seeds_change_last(tmp_path: Path) -> None:
    ran = drain(tmp_path, study(*RACE, "study.seeds=[0,1]", "study.candidates=6"))
    orders = [[key.fold for key in ran if (key.candidate, key.seed) == (number, 0)] for number in range(6)]
    assert all(sorted(order) == [0, 1, 2, 3] for order in orders)
    assert len({tuple(order) for order in orders}) > 1
    assert [key.seed for key in ran if key.candidate == 2] == 4 * [0] + 4 * [1]


@pytest.mark.parametrize("seed", slow_after(1, range(4)))
def test_whatever_happens_a_raced_study_ends_with_one_record_for_every_trial(
    seed: int, tmp_path: Path
) -> None:
    config = study(
        *RACE,
        "study.seeds=[0,1]",
        "study.candidates=6",
        "study.racing.p=0.4",
        "study.resources.max_failures=1000",
    )
    scrambled(tmp_path, config, seed)
    rows = ledger.validation(StudyFiles(tmp_path))
    assert len(rows) == 6 * 4 * 2 == len(rows.drop_duplicates(["candidate", "fold", "seed"]))


# --- what the plan says


def test_the_header_says_how_candidates_are_proposed(tmp_path: Path) -> None:
    space = "study.space={retrain.lr: {low: 1e-6, high: 1}}"
    given = (
        space,
        "study.candidates=3",
        "study.racing.enabled=true",
        "study.points={mine: {retrain.lr: 0.1}}",
    )
    text = header(planned(tmp_path, *given, dry=True))
    assert text["proposals"] == (
        "as written, point mine, tpe; by valid_ua; "
        "given up if worse than the best on 3 or more common folds (p 0.1, looks: bonferroni)"
    )
    assert text["optimistic"].startswith("each arm has one candidate for all folds")
    nested = header(
        planned(
            tmp_path, space, "study.candidates=3", "study.protocol=nested", "study.generation=2", dry=True
        )
    )
    assert "optimistic" not in nested
    assert nested["proposals"] == "as written, tpe; by valid_ua; 2 at a time"
    assert nested["arms"] == "darts (3), cnn (3) - in brackets the candidates of each on each fold"


def test_racing_is_refused_on_fewer_folds_than_it_needs_once_they_are_known(tmp_path: Path) -> None:
    assert "study.racing.pairs leaves no trial" in refusal(
        lambda: planned(tmp_path, "study.racing.enabled=true", "study.racing.pairs=4")
    )
