"""One study folder as it was found: its configuration, the rows of its ledger, and what to know about both.

Comes in: a folder or a place of a bucket. Goes out: a `Study`, whose frame of trials always has the same
columns, whatever an older version did not record or a file has lost: a number that is not known is NaN, a
text is empty, and a remark says so. Every record is believed only as far as it agrees with itself: a score
that its own confusion contradicts is no score.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from raysernas.config.identity import reads
from raysernas.config.schema import Config
from raysernas.record import ledger
from raysernas.record.files import StudyFiles, TrialKey, need_config
from raysernas.record.metrics import METRICS, scores

TEXTS = (
    *(
        "arm",
        "status",
        "reason",
        "failure",
        "digest",
        "genotype",
        "emotions",
        "valid_confusion",
        "test_confusion",
    ),
    *("test_speakers", "valid_speakers", "skipped", "unlike", "commit", "versions", "host", "cpu"),
)
SCORES = tuple(f"{part}_{score}" for part in ("valid", "test") for score in METRICS)
SECONDS = ("features_s", "search_s", "checks_s", "retrain_s", "test_s")
NUMBERS = (
    *(
        "candidate",
        "fold",
        "seed",
        "retrain_seed",
        "schema_version",
        "attempts",
        "epoch",
        "parameters",
        "latency_ms",
    ),
    *("n_weights", "n_alphas", "n_valid", "n_test", "n_unknown", "n_unlike", "n_skipped", "search_entropy"),
    *("search_multiply_adds", "search_mb", "retrain_mb", "test_mb"),
    *SCORES,
    *SECONDS,
    "failed_s",
)
WHOLE = ("candidate", "fold", "seed", "retrain_seed")
CLOSE = 1e-6  # of a score and the one that its confusion gives
NAMED = 3  # trials that a remark names before it counts


@dataclass(frozen=True, slots=True)
class Study:
    """What a folder holds; `name` tells it from the others that are loaded with it."""

    name: str
    root: str
    config: Config
    trials: pd.DataFrame
    remarks: tuple[str, ...]


def read(root: Path) -> Study:
    """A study, finished or not, called as its study.yaml calls it.

    Raises:
        Fault: when the folder is not a study's, a record is of a newer version, or the place does not answer.
    """
    files = StudyFiles(root)
    config = need_config(files)
    rows, told = ledger.table_and_remarks(files)
    once, twice = single(known(rows))
    trials, odd = sound(once, config.corpus.emotions)
    trials = trials.assign(study=config.study.name, planned=of_plan(trials, config))
    first = ["study", "trial", "planned"]
    trials = trials[[*first, *(column for column in trials if column not in first)]]
    return Study(
        config.study.name, str(root), config, trials, (*told, *twice, *odd, *_unlike_plan(trials, config))
    )


def renamed(of: Study, name: str) -> Study:
    """The same study under another name."""
    return replace(of, name=name, trials=of.trials.assign(study=name))


def known(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of a ledger with all columns of TEXTS and NUMBERS, each of its kind, `trial`,
    `genotype_digest` and `n_train`.
    """
    columns = {
        name: pd.to_numeric(rows[name], errors="coerce") if name in rows else np.nan for name in NUMBERS
    }
    texts = {name: rows[name].fillna("").astype(str) if name in rows else "" for name in TEXTS}
    frame = rows.assign(**columns, **texts).astype(
        dict.fromkeys([name for name in NUMBERS if name not in WHOLE], float)
    )
    frame = frame.astype(dict.fromkeys(TEXTS, str)).astype(dict.fromkeys(WHOLE, "int64"))
    keys = zip(*(frame[name] for name in ("arm", "candidate", "fold", "seed")), strict=True)
    names = [
        TrialKey(arm=arm, candidate=candidate, fold=fold, seed=seed).name
        for arm, candidate, fold, seed in keys
    ]
    train = frame["n_weights"] + frame["n_alphas"]
    return frame.assign(
        trial=pd.Series(names, frame.index, str), genotype_digest=_digests(frame["genotype"]), n_train=train
    )


def single(trials: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The trials that have one row for each retrain seed, and a remark on the others: nobody knows which of
    their rows is right.
    """
    twice = trials.duplicated(["trial", "retrain_seed"], keep=False)
    bad = trials["trial"].isin(trials.loc[twice, "trial"])
    told = (
        [f"{few(trials.loc[bad, 'trial'])} have several rows for one retrain seed and count as not run"]
        if bad.any()
        else []
    )
    return trials[~bad].reset_index(drop=True), told


def sound(trials: pd.DataFrame, emotions: Sequence[str] = ()) -> tuple[pd.DataFrame, list[str]]:
    """The trials without what cannot be, and remarks on it: scores outside 0..1 or not of their confusion,
    torn confusions, or scores over other emotions than study.yaml names (of none that it names: than most
    trials have)."""
    trials, remarks = trials.copy(), []
    done = trials["status"] == "finished"
    finished, named, texts = done.to_numpy(), json.dumps(list(emotions)), trials.loc[done, "emotions"]
    usual = named if (texts == named).any() else "".join(texts.mode().tolist()[:1])
    strange = finished & (trials["emotions"] != usual).to_numpy()
    if strange.any():
        remarks.append(
            f"{few(trials.loc[strange, 'trial'])} tell other emotions than the study; their scores count as "
            "not known"
        )
    for part in ("valid", "test"):
        names, confusion = [f"{part}_{score}" for score in METRICS], f"{part}_confusion"
        given, told = trials[names].to_numpy(dtype=float), np.full((len(trials), len(METRICS)), np.nan)
        told[finished], torn = _scores(trials.loc[finished, confusion].tolist())
        shares = given[:, [metric.is_share for metric in METRICS.values()]]
        outside = finished & ((shares < 0) | (shares > 1)).any(axis=1)
        unlike = finished & (np.abs(given - told) > CLOSE).any(axis=1) & ~outside
        torn = np.isin(np.arange(len(trials)), np.flatnonzero(finished)[torn])
        for reason, bad in {"lie outside 0..1": outside, "do not fit their confusion": unlike}.items():
            if bad.any():
                trials.loc[bad, names] = np.nan
                remarks.append(
                    f"{part} scores of {few(trials.loc[bad, 'trial'])} {reason} and count as not known"
                )
        if torn.any():
            remarks.append(
                f"the {part} confusion of {few(trials.loc[torn, 'trial'])} cannot be read and stands in no "
                "sum"
            )
        trials.loc[outside | unlike | torn | strange, confusion] = ""
        trials.loc[strange, names] = np.nan
        if (empty := finished & np.isnan(given[:, 0])).any():
            remarks.append(f"{few(trials.loc[empty, 'trial'])} finished without a {part} UA")
    return trials, remarks


def of_plan(trials: pd.DataFrame, config: Config) -> pd.Series:
    """Whether study.yaml plans each row: its arm, candidate, fold and seed, and the retrain seed of a
    finished one.
    """
    study = config.study
    folds = study.folds or tuple(sorted(set(trials["fold"])))
    planned = trials["arm"].isin(study.arms) & trials["fold"].isin(folds) & trials["seed"].isin(study.seeds)
    again = trials["retrain_seed"].isin(config.retrain.seeds) | (trials["status"] != "finished")
    return planned & (trials["candidate"] < study.candidates) & again


def confusions(texts: Sequence[str]) -> list[npt.NDArray[np.int64] | None]:
    """Each confusion [truth, prediction] of the ledger; None for a text that is none."""
    with suppress(ValueError):  # all at once, which is many times as fast, if they are sound and of one size
        together = _counts(f"[{','.join(texts)}]")
        if len(together) == len(texts) and _square(together, 3):
            return list(together)
    found: list[npt.NDArray[np.int64] | None] = []
    for text in texts:
        one = None
        with suppress(ValueError):
            one = _counts(text)
        found.append(one if one is not None and _square(one, 2) else None)
    return found


def _counts(text: str) -> npt.NDArray[np.int64]:
    return np.asarray(json.loads(text))


def _square(counts: npt.NDArray[Any], axes: int) -> bool:
    fit = counts.ndim == axes and counts.shape[-1] == counts.shape[-2] and counts.dtype.kind == "i"
    return bool(fit and (counts >= 0).all())


def _scores(texts: Sequence[str]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """[row, metric], NaN for what is no confusion; and which rows have a text that is none."""
    found, told = confusions(texts), np.full((len(texts), len(METRICS)), np.nan)
    for size in {len(one) for one in found if one is not None}:
        rows = [row for row, one in enumerate(found) if one is not None and len(one) == size]
        told[rows] = scores(np.stack([one for one in found if one is not None and len(one) == size]))
    torn = [one is None and text != "" for one, text in zip(found, texts, strict=True)]
    return told, np.array(torn, dtype=bool)


def _digests(genotypes: Iterable[str]) -> list[str]:
    """Eight hexadecimal digits for each genotype; empty where there is none."""
    return [hashlib.sha256(text.encode()).hexdigest()[:8] if text else "" for text in genotypes]


def _unlike_plan(trials: pd.DataFrame, config: Config) -> list[str]:
    """What has not ended, and what is there beyond the plan."""
    beyond, ended = (
        trials.loc[~trials["planned"], "trial"].nunique(),
        trials.loc[trials["planned"], "trial"].nunique(),
    )
    study, space = config.study, config.study.space
    folds = len(study.folds) or trials["fold"].nunique()
    each = [study.candidates if any(reads(arm, key) for key in space) else 1 for arm in study.arms]
    planned, told = sum(each) * folds * len(study.seeds), []
    if trials.empty:
        told.append("no trial has ended")
    elif ended < planned:
        told.append(f"{ended} of {planned} planned trials have ended")
    if beyond:
        what = "1 trial is" if beyond == 1 else f"{beyond} trials are"
        told.append(f"{what} beyond what study.yaml plans now, and stand in no table but that of the cost")
    return told


def few(names: Iterable[str]) -> str:
    """Names of trials for a sentence: the first ones, and how many more."""
    each = list(dict.fromkeys(names))
    more = f" and {len(each) - NAMED} more trials" if len(each) > NAMED else ""
    return ", ".join(each[:NAMED]) + more
