"""From study folders to pandas frames.

    import analysis
    results = analysis.load("results/emodb")
    results.arms

Comes in: folders of studies, finished or not, or places of a bucket such as s3://bucket/results/emodb. Goes out: `Results`. Every
frame has the column `study` first and an index without meaning; scores are in 0..1; NaN is what is not known, and `remarks` says in
words what is missing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from analysis import study
from analysis.study import Study
from raysernas.config import Config, Fault
from raysernas.record import storage


@dataclass(frozen=True, kw_only=True)
class Results:
    """What studies have found.

    Attributes:
        trials: one row for each retrain seed of each ended trial, one for a trial that failed or was given up: `trial` (its name),
            `planned` (whether study.yaml plans it; other rows stand in no other frame), all columns of the ledger (settings
            dotted), `genotype_digest` (8 hexadecimal digits, empty without a genotype), `n_train` (utterances of both halves).
        studies: one row a study: `study`, `root`, `trials` (ended), `finished`, `failed`, `raced`.
        remarks: sentences on what is missing, passed over or odd.
        configs: study -> its study.yaml.
    """

    trials: pd.DataFrame
    studies: pd.DataFrame
    remarks: tuple[str, ...]
    configs: Mapping[str, Config]


def load(*roots: str | Path, mixed: bool = False) -> Results:
    """Studies, to be looked at together.

    Args:
        roots: folder or URI of each study.
        mixed: take studies of unlike protocols into one table all the same; they are marked.

    Raises:
        Fault: for a folder that is not a study's, a record of a newer version, a place that does not answer.
    """
    if not roots:
        raise Fault("analysis", "no study was named", got="nothing", expected="the folder of a study", do='load("results/laptop")')
    found = _apart([study.read(storage.place(str(root))) for root in roots])
    return Results(
        trials=pd.concat([each.trials for each in found], ignore_index=True),
        studies=pd.DataFrame([_row(each) for each in found]),
        remarks=tuple(remark for each in found for remark in each.remarks),
        configs={each.name: each.config for each in found},
    )


def _apart(found: Sequence[Study]) -> list[Study]:
    return list(found)


def _row(of: Study) -> dict[str, object]:
    ended = of.trials.drop_duplicates("trial")["status"]
    told = {status: int((ended == status).sum()) for status in ("finished", "failed", "raced")}
    return {"study": of.name, "root": of.root, "trials": len(ended), **told}
