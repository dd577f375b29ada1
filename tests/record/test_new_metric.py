"""A new metric is one line of METRICS: everything that shows scores shows it, and old ledgers lack it."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from raysernas.config.files import assign
from raysernas.config.schema import Config
from tests.support import records


def test_a_metric_more_is_recorded_printed_drawn_and_analysed(tmp_path: Path) -> None:
    config = assign(Config(), {"study.arms": ["cnn"], "study.folds": [0], "study.name": "small"})
    old, new = records.study(tmp_path / "old", config, records.record("cnn")).root, tmp_path / "new"
    told = subprocess.run(
        [sys.executable, "-m", "tests.support.toy_metric", str(old), str(new)],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(told.stdout)
    scores = [0.5, 0.55]  # two thirds and seven tenths are right, a third would be by chance
    assert found["row"] == pytest.approx(scores)
    assert found["scalar"] == {"0": pytest.approx(scores[0])}
    assert {"result/valid_kappa", "result/test_kappa"} <= set(found["hparams"])
    assert sorted(found["folds"])[::3] == pytest.approx(scores)  # by each of three selections
    assert found["arms"] == pytest.approx([0.525, 0.525])
    printed = found["printed"]
    assert "kappa" in printed
    assert "pooled" in printed
    assert "0.525 ± 0.035" in printed
    assert "| kappa |" in found["markdown"].splitlines()[2]
    assert "& kappa &" in found["latex"]
    assert "Cohen&#x27;s kappa" in found["page"] or "Cohen&#39;s kappa" in found["page"]
    assert found["old"]["test_ua"] == [0.5]
    assert math.isnan(found["old"]["test_kappa"][0])
