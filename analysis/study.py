"""One study folder as it was found: its configuration, the rows of its ledger, and remarks on both.

In: a folder or a URI. Out: a `Study`. Its frame of trials always has the same columns, whatever an older
version did not record or a file has lost: an unknown number is NaN, an unknown text is empty, and a remark
says so. A record is believed only as far as it agrees with itself: a score that its own confusion contradicts
does not count.
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

from analysis.frames import KEY, columns
from raysernas.config.identity import reads
from raysernas.config.schema import Config
from raysernas.record import ledger
from raysernas.record.files import StudyFiles, TrialKey, need_config
from raysernas.record.metrics import METRICS, scores

TEXTS = columns(
    "arm status reason failure digest genotype emotions valid_confusion test_confusion "
    "test_speakers valid_speakers skipped unlike confounded commit versions host cpu"
)
SCORES = tuple(f"{part}_{name}" for part in ("valid", "test") for name in METRICS)
SECONDS = columns("features_s search_s checks_s retrain_s test_s")
NUMBERS = (
    *columns("candidate fold seed retrain_seed schema_version attempts epoch parameters latency_ms"),
    *columns("n_weights n_alphas n_valid n_test n_unknown n_unlike n_confounded n_skipped search_entropy"),
    *columns("search_multiply_adds search_mb retrain_mb test_mb"),
    *SCORES,
    *SECONDS,
    "failed_s",
)
WHOLE = ("candidate", "fold", "seed", "retrain_seed")
CLOSE = 1e-6  # the most by which a score may differ from that of its confusion
NAMED = 3  # trials that a remark names; it counts the others


@dataclass(frozen=True, slots=True)
class Study:
    """The contents of a folder; `name` is unique among the studies that are loaded together."""

    name: str
    root: str
    config: Config
    trials: pd.DataFrame
    remarks: tuple[str, ...]


def read(root: Path) -> Study:
    """A study, finished or not, under the name in its study.yaml.

    Raises:
        Fault: if the folder holds no study, a record is of a newer version, or the place does not answer.
    """
    files = StudyFiles(root)
    config = need_config(files)
    rows, remarks = ledger.table_and_remarks(files)
    once, twice = single(known(rows))
    trials, odd = sound(once, config.corpus.emotions)
    trials = trials.assign(study=config.study.name, planned=of_plan(trials, config))
    first = ["study", "trial", "planned"]
    trials = trials[[*first, *(column for column in trials if column not in first)]]
    remarks = (*remarks, *twice, *odd, *_unlike_plan(trials, config))
    return Study(config.study.name, str(root), config, trials, remarks)


def renamed(of: Study, name: str) -> Study:
    """The same study under another name."""
    return replace(of, name=name, trials=of.trials.assign(study=name))


def known(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of a ledger with all columns of TEXTS and NUMBERS, in the right types, and `trial`,
    `genotype_digest` and `n_train`.
    """
    numbers = {
        name: pd.to_numeric(rows[name], errors="coerce") if name in rows else np.nan for name in NUMBERS
    }
    texts = {name: rows[name].fillna("").astype(str) if name in rows else "" for name in TEXTS}
    kinds = dict.fromkeys(NUMBERS, "float64") | dict.fromkeys(TEXTS, str) | dict.fromkeys(WHOLE, "int64")
    frame = rows.assign(**numbers, **texts).astype(kinds)
    each = zip(*(frame[name] for name in KEY), strict=True)
    names = [TrialKey(arm=arm, candidate=c, fold=fold, seed=seed).name for arm, c, fold, seed in each]
    return frame.assign(
        trial=pd.Series(names, frame.index, str),
        genotype_digest=[_digest(text) for text in frame["genotype"]],
        n_train=frame["n_weights"] + frame["n_alphas"],
    )


def single(trials: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The trials that have one row for each retrain seed, and a remark on the others: which of their rows is
    right is unknown.
    """
    twice = trials.duplicated(["trial", "retrain_seed"], keep=False)
    bad = trials["trial"].isin(trials.loc[twice, "trial"])
    remark = f"{few(trials.loc[bad, 'trial'])} have several rows for one retrain seed and count as not run"
    return trials[~bad].reset_index(drop=True), [remark] if bad.any() else []


def sound(trials: pd.DataFrame, emotions: Sequence[str] = ()) -> tuple[pd.DataFrame, list[str]]:
    """The trials without impossible values, and remarks on those: scores outside 0..1 or unlike their
    confusion, torn confusions, and scores over other emotions than study.yaml names (if it names none: than
    most trials have).
    """
    trials, remarks = trials.copy(), []
    done = trials["status"] == "finished"
    finished, named, texts = done.to_numpy(), json.dumps(list(emotions)), trials.loc[done, "emotions"]
    usual = named if (texts == named).any() else "".join(texts.mode().tolist()[:1])
    strange = finished & (trials["emotions"] != usual).to_numpy()
    if strange.any():
        which = few(trials.loc[strange, "trial"])
        remarks.append(f"{which} have other emotions than the study; their scores count as unknown")
    for part in ("valid", "test"):
        names, confusion = [f"{part}_{score}" for score in METRICS], f"{part}_confusion"
        given, counted = trials[names].to_numpy(dtype=float), np.full((len(trials), len(METRICS)), np.nan)
        counted[finished], torn = _scores(trials.loc[finished, confusion].tolist())
        shares = given[:, [metric.is_share for metric in METRICS.values()]]
        outside = finished & ((shares < 0) | (shares > 1)).any(axis=1)
        unlike = finished & (np.abs(given - counted) > CLOSE).any(axis=1) & ~outside
        torn = np.isin(np.arange(len(trials)), np.flatnonzero(finished)[torn])
        for reason, bad in {"lie outside 0..1": outside, "do not fit their confusion": unlike}.items():
            if bad.any():
                trials.loc[bad, names] = np.nan
                which = few(trials.loc[bad, "trial"])
                remarks.append(f"{part} scores of {which} {reason} and count as unknown")
        if torn.any():
            which = few(trials.loc[torn, "trial"])
            remarks.append(f"the {part} confusion of {which} cannot be read and is in no sum")
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
    retrained = trials["retrain_seed"].isin(config.retrain.seeds) | (trials["status"] != "finished")
    return planned & (trials["candidate"] < study.candidates) & retrained


def confusions(texts: Sequence[str]) -> list[npt.NDArray[np.int64] | None]:
    """Each confusion [truth, prediction] of the ledger; None for a text that is not one."""
    with suppress(ValueError):  # all at once is many times as fast, if they are sound and of one size
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
    """[row, metric], NaN without a confusion; and which rows have a text that is not one."""
    found, values = confusions(texts), np.full((len(texts), len(METRICS)), np.nan)
    for size in {len(one) for one in found if one is not None}:
        rows = [row for row, one in enumerate(found) if one is not None and len(one) == size]
        values[rows] = scores(np.stack([one for one in found if one is not None and len(one) == size]))
    torn = [one is None and text != "" for one, text in zip(found, texts, strict=True)]
    return values, np.array(torn, dtype=bool)


def _digest(genotype: str) -> str:
    return hashlib.sha256(genotype.encode()).hexdigest()[:8] if genotype else ""


def _unlike_plan(trials: pd.DataFrame, config: Config) -> list[str]:
    """How many planned trials have ended, and how many are beyond the plan."""
    beyond = trials.loc[~trials["planned"], "trial"].nunique()
    ended = trials.loc[trials["planned"], "trial"].nunique()
    study, space = config.study, config.study.space
    folds = len(study.folds) or trials["fold"].nunique()
    each = [study.candidates if any(reads(arm, key) for key in space) else 1 for arm in study.arms]
    planned, remarks = sum(each) * folds * len(study.seeds), []
    if trials.empty:
        remarks.append("no trial has ended")
    elif ended < planned:
        remarks.append(f"{ended} of {planned} planned trials have ended")
    if beyond:
        what = "1 trial is" if beyond == 1 else f"{beyond} trials are"
        remarks.append(f"{what} beyond what study.yaml plans now, and count in the cost only")
    return remarks


def few(names: Iterable[str]) -> str:
    """Names of trials for a sentence: the first three, and the number of the others."""
    each = list(dict.fromkeys(names))
    more = f" and {len(each) - NAMED} more trials" if len(each) > NAMED else ""
    return ", ".join(each[:NAMED]) + more
