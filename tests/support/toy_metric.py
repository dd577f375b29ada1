"""A process of its own with one metric more: `python -m tests.support.toy_metric OLD NEW`.

In: the folder of a study recorded without that metric, and a folder for a new one. Out: as JSON on stdout,
what the ledger, the tables, TensorBoard, the analysis and the report page say about it.
"""

import json
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from raysernas.record.metrics import METRICS, Counts, Metric, SetScores


def kappa(confusions: Counts) -> SetScores:
    """Cohen's kappa, in -1..1."""
    total = confusions.sum(axis=(1, 2))
    agreed = np.trace(confusions, axis1=1, axis2=2) / total
    chance = (confusions.sum(axis=1) * confusions.sum(axis=2)).sum(axis=1) / total**2
    return (agreed - chance) / (1 - chance)


def main(old: Path, new: Path) -> dict[str, Any]:
    """What is made from METRICS, after one line was added to it."""
    METRICS["kappa"] = Metric("kappa", "Cohen's kappa", kappa, is_share=False)

    from analysis.__main__ import main as analyse
    from raysernas.config.files import assign
    from raysernas.config.identity import trial_config
    from raysernas.config.schema import Config, StudyConfig
    from raysernas.record import ledger
    from raysernas.tensorboard import finalize, hparams
    from tests.support import records
    from tests.support.runs import Run

    trials = [records.record("cnn", fold=fold, test=(5, 6 + fold, 9)) for fold in (0, 1)]
    config = assign(Config(), {"study.arms": ["cnn"], "study.folds": [0, 1], "study.name": "small"})
    study = records.study(new, config, *trials)
    files, trial = study.trial(trials[0].key), trial_config(config, arm="cnn", fold=0, seed=0)
    finalize.finalize(files, trial, StudyConfig(name="small"), trials[:1])
    tables = new / "tables"
    with redirect_stdout(StringIO()) as printed:
        assert analyse([str(new), "--tables", str(tables)]) == 0
        assert analyse([str(old), "--tables", str(old / "tables")]) == 0
    return {
        "row": ledger.table(study)["test_kappa"].tolist(),
        "printed": printed.getvalue(),
        "scalar": Run(files.tensorboard).scalars["result/test_kappa"],
        "hparams": list(hparams.SCORES),
        "folds": pd.read_parquet(tables / "folds.parquet")["kappa"].tolist(),
        "arms": pd.read_parquet(tables / "arms.parquet")[["kappa", "pooled_kappa"]].to_numpy()[0].tolist(),
        "markdown": (tables / "headline.md").read_text(encoding="utf-8"),
        "latex": (tables / "headline.tex").read_text(encoding="utf-8"),
        "page": (new / "report.html").read_text(encoding="utf-8"),
        "old": pd.read_parquet(old / "tables" / "trials.parquet")[["test_ua", "test_kappa"]].to_dict("list"),
    }


if __name__ == "__main__":
    json.dump(main(Path(sys.argv[1]), Path(sys.argv[2])), sys.stdout)
