"""A study on a cluster of several nodes, real processes all: it is spread over them, and loses one without losing a trial."""

import tempfile
import time
from pathlib import Path

import pytest

from raysernas.record import ledger
from raysernas.record.files import StudyFiles
from tests.raylets import Raylets, descendants, kill
from tests.test_chaos import DEADLINE_S, KEY, launched

pytestmark = pytest.mark.slow
PLAN = ("study.arms=[cnn_lstm_attention]", "study.seeds=[0]", "study.candidates=6", "study.generation=0", "retrain.epochs=150")
TRIALS = 6 * 2


def test_a_study_is_spread_over_three_nodes_and_finishes_without_one_of_them(tmp_path: Path) -> None:
    files, used, last = StudyFiles(tmp_path / "chaos"), set[int](), time.monotonic() + DEADLINE_S
    with (
        tempfile.TemporaryDirectory(prefix="t-", dir="/tmp", ignore_cleanup_errors=True) as folder,
        Raylets(Path(folder), 3) as cluster,
    ):
        launch = launched(tmp_path, cluster.environment, f"study.resources.address={cluster.address}", *PLAN)
        try:
            while len(used) < 3 or not list(files.trials.glob("*.parquet")):
                assert launch.poll() is None, launch.communicate()[1]
                assert time.monotonic() < last, f"only {len(used)} nodes run trials"
                used |= {node for node in cluster.nodes if descendants(node) & set(cluster.trials())}
                time.sleep(0.05)
            before = len(list(files.trials.glob("*.parquet")))
            assert before < TRIALS, "it was over before the node was lost"
            kill(cluster.nodes[1])
            _, told = launch.communicate(timeout=DEADLINE_S)
        finally:
            kill(launch.pid)
            launch.communicate()
    assert (launch.returncode, told) == (0, "")
    rows = ledger.table(files)
    assert len(rows) == TRIALS == len(rows.drop_duplicates(KEY))
    assert set(rows["status"]) == {"finished"}
