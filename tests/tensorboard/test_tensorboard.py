"""What TensorBoard shows of real trials of every fate: by its own reader, and as the page that people see."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tensorboard.plugins.hparams import metadata

from raysernas.config.identity import trial_config
from raysernas.config.schema import Config, StudyConfig
from raysernas.record.files import StudyFiles, TrialKey
from raysernas.tensorboard.telemetry import Telemetry
from tests.support import board_page
from tests.support.boards import FATES, all_fates, files_of
from tests.support.runs import SESSION, Run, event_counts


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("boards")
    all_fates(found)
    return found


@pytest.mark.slow
@pytest.mark.chaos
@pytest.mark.parametrize("fate", FATES)
def test_every_trial_has_one_run_with_its_beginning_and_its_end_once(storage: Path, fate: str) -> None:
    files = files_of(storage, fate)
    run, counts = Run(files.tensorboard), event_counts(files.tensorboard)
    assert set(counts.values()) == {1}
    assert {tag for tag, _ in counts} >= SESSION
    assert {"settings", "protocol", "status"} <= set(run.texts)
    arm, candidate = FATES[fate]
    assert (
        run.hparams.items()
        >= {"arm": arm, "candidate": f"c{candidate:03d}", "fold": "f0", "seed": "s0"}.items()
    )
    expected = {"finished": "SUCCESS", "resumed": "SUCCESS", "failed": "FAILURE", "killed": "FAILURE"}.get(
        fate, "UNKNOWN"
    )
    assert run.status == expected
    assert run.scalars["result/finished"] == {0: float(expected == "SUCCESS")}
    assert [info.name for info in run.session(metadata.EXPERIMENT_TAG).hparam_infos][-2:] == [
        "search.alphas_lr",
        "network.channels",
    ]


@pytest.mark.slow
@pytest.mark.chaos
@pytest.mark.parametrize("fate", ["finished", "resumed"])
def test_a_finished_run_shows_both_stages_and_its_scores(storage: Path, fate: str) -> None:
    files = files_of(storage, fate)
    run, row = Run(files.tensorboard), pd.read_parquet(files.record)
    assert list(run.scalars["search/loss"]) == [1, 2, 3, 4, 5, 6]
    assert list(run.scalars["retrain-1/valid_ua"]) == [1, 2, 3, 4, 5, 6]
    assert run.scalars["result/test_ua"][0] == pytest.approx(row["test_ua"].mean())
    parts = {"finished": ("normal", "reduction", "recurrent"), "resumed": ("normal", "reduction")}[fate]
    for part in parts:
        assert (
            list(run.images[f"search/alphas_{part}"]) == list(run.images[f"search/cell_{part}"]) == [2, 4, 6]
        )
        shares = [
            values
            for tag, values in run.scalars.items()
            if tag.startswith(f"search_alphas/{part}/node0_from0/")
        ]
        assert sum(values[6] for values in shares) == pytest.approx(1)
        assert list(run.images[f"genotype/{part}"]) == [0]
    assert list(run.images["retrain-0/valid_confusion"]) == [2, 4, 6]
    assert list(run.images["result/test_confusion-1"]) == [int(row["epoch"].iloc[1])]
    assert "node 0 adds" in run.texts["genotype"][0]


@pytest.mark.slow
@pytest.mark.chaos
def test_a_run_that_did_not_finish_shows_how_far_it_came_and_why(storage: Path) -> None:
    failed, raced, unbegun, killed = (
        Run(files_of(storage, fate).tensorboard) for fate in ("failed", "raced", "unbegun", "killed")
    )
    assert list(failed.scalars["search/loss"]) == [1, 2, 3, 4, 5, 6]
    assert failed.texts["status"][0].startswith("**failed (not_a_number)**\n\ntraining: the loss became ")
    assert set(failed.images) >= {
        "genotype/chain",
        "search/cell_chain",
        "search/alphas_conv",
        "search/alphas_pool",
    }
    assert list(raced.scalars["search/loss"]) == [*range(1, len(raced.scalars["search/loss"]) + 1)]
    assert (
        raced.texts["status"][0]
        == unbegun.texts["status"][0]
        == "**raced**\n\nraced out: 9.0 points below candidate 0"
    )
    assert set(unbegun.scalars) == {"result/finished"}
    assert len(killed.scalars["retrain-0/loss"]) >= 3
    assert killed.texts["status"][0] == "**failed (lost)**\n\nits process was lost: killed by signal 9"
    for run in (failed, raced, unbegun, killed):
        assert not {"result/valid_ua", "result/test_ua", "result/test_wa"} & set(run.scalars)


@pytest.fixture(scope="module")
def page(storage: Path) -> Iterator[tuple[Any, str]]:
    if why := board_page.missing():
        pytest.skip(why)
    folder = files_of(storage, "finished").root / "tensorboard"
    with board_page.served(folder, runs=len(FATES)) as address, board_page.opened() as driver:
        yield driver, address


def seen(page: tuple[Any, str], name: str, *expected: str) -> list[str]:
    """The words of a page, once these are among them."""
    driver, address = page
    board_page.show(driver, address, name)
    board_page.eventually(
        lambda: all(any(part in word for word in board_page.words(driver)) for part in expected)
    )
    return board_page.words(driver)


@pytest.mark.slow
@pytest.mark.chaos
def test_the_page_shows_scalars_with_one_run_a_trial(storage: Path, page: tuple[Any, str]) -> None:
    runs = ["/".join(files_of(storage, fate).tensorboard.parts[-4:]) for fate in FATES]
    words = seen(
        page,
        "scalars",
        *runs,
        "result",
        "retrain-0",
        "retrain-1",
        "search",
        "search_alphas",
        "result/valid_ua",
    )
    assert {word for word in words if word.count("/") == 3 and word.endswith("/s0")} == set(runs)


@pytest.mark.slow
@pytest.mark.chaos
def test_the_page_shows_pictures(page: tuple[Any, str]) -> None:
    driver, _ = page
    seen(page, "images", "genotype/normal", "genotype", "result", "retrain-0", "search")
    board_page.eventually(
        lambda: (
            len(board_page.pictures(driver)) > 0 and all(done for _, done, *_ in board_page.pictures(driver))
        )
    )
    assert all(width > 200 and height > 200 for _, _, width, height in board_page.pictures(driver))


@pytest.mark.slow
@pytest.mark.chaos
def test_the_page_shows_texts(page: tuple[Any, str]) -> None:
    """Markdown comes out as what it means."""
    words = seen(
        page, "text", "genotype", "protocol", "settings", "status", "parts", "Normal cell: node 0 adds"
    )
    assert not any("**" in word for word in words)


@pytest.mark.slow
@pytest.mark.chaos
def test_the_page_shows_settings_scores_and_fates_of_every_trial(
    storage: Path, page: tuple[Any, str]
) -> None:
    """The page has no column for a fate, but for whether a trial has finished."""
    scores = (
        "validation UA",
        "test UA (not to choose by)",
        "test WA (not to choose by)",
        "finished (1) or not (0)",
    )
    words = seen(page, "hparams", "search.alphas_lr", "network.channels", *scores)
    assert {"arm", "candidate", "fold", "seed"} <= set(words)
    for fate, (arm, candidate) in FATES.items():
        assert {arm, f"c{candidate:03d}"} <= set(words), fate
    score = pd.read_parquet(files_of(storage, "finished").record)["valid_ua"].mean()
    assert f"{score:#.5g}" in words


@pytest.mark.slow
@pytest.mark.chaos
def test_the_page_has_nothing_to_complain_about(page: tuple[Any, str]) -> None:
    driver, _ = page
    for name in ("timeseries", "scalars", "images", "text", "hparams"):
        seen(page, name, "darts")
    assert [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"] == []


@pytest.mark.slow
@pytest.mark.chaos
def test_a_server_that_runs_all_the_while_shows_a_resumed_trial_once(tmp_path: Path) -> None:
    """The folder is begun anew under the eyes of a server that has read the first attempt. (With `--load_fast
    false` TensorBoard keeps to a file that it has opened, deleted or not, and must be started again.)"""
    files = StudyFiles(tmp_path).trial(TrialKey(arm="cnn", candidate=0, fold=0, seed=0))
    trial = trial_config(Config(), arm="cnn", fold=0, seed=0)

    def attempted(epochs: int) -> None:
        telemetry = Telemetry(files, trial, StudyConfig(), lambda _: None)
        stage = telemetry.stage("retrain", 9, 0)
        for epoch in range(1, epochs + 1):
            stage({"epoch": epoch, "loss": float(epoch)})

    def steps() -> list[int]:
        asked = board_page.asked(
            f"{address}data/plugin/scalars/scalars?run=cnn%2Fc000%2Ff0%2Fs0&tag=retrain-0%2Floss"
        )
        return [step for _, step, _ in asked]

    attempted(3)
    with board_page.served(files.root / "tensorboard", runs=1) as address:
        board_page.eventually(lambda: steps() == [1, 2, 3])
        attempted(5)
        board_page.eventually(lambda: steps() == [1, 2, 3, 4, 5])
