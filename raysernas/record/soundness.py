"""Which rows of a ledger are believed, and how far: one check for the launch's table and for the analysis.

In: rows as the files hold them. Out: the same columns whatever an older version did not record or a file has
lost (an unknown number is NaN, an unknown text is empty), without what contradicts itself, and a remark on
everything that was left out. A score that its own confusion contradicts does not count.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from raysernas.record import ensembles
from raysernas.record.files import TrialKey
from raysernas.record.metrics import METRICS, scores
from raysernas.record.reading import KEY
from raysernas.record.seal import checksum

TEXTS = (
    *("arm", "status", "reason", "failure", "digest", "genotype", "emotions", "valid_confusion"),
    *("test_confusion", "test_speakers", "valid_speakers", "skipped", "unlike", "confounded", "checksums"),
    *("commit", "versions", "host", "cpu", "instructions"),
    *ensembles.CONFUSIONS,
)
SCORES = tuple(f"{part}_{name}" for part in ("valid", "test") for name in METRICS)
SECONDS = ("features_s", "search_s", "checks_s", "retrain_s", "test_s")  # of wall-clock time
CPU_SECONDS = tuple(name.replace("_s", "_cpu_s") for name in SECONDS)
NUMBERS = (
    *("candidate", "fold", "seed", "retrain_seed", "schema_version", "attempts", "epoch", "parameters"),
    *("latency_ms", "n_weights", "n_alphas", "n_valid", "n_test", "n_unknown", "n_unlike", "n_skipped"),
    *("n_confounded", "n_known_texts", "search_entropy", "search_multiply_adds"),
    *("search_mb", "retrain_mb", "test_mb"),
    *SCORES,
    *SECONDS,
    *CPU_SECONDS,
    "failed_s",
    ensembles.MEMBERS,
    *ensembles.SCORES,
)
PARTS = ("valid", "test", *ensembles.PARTS)
WHOLE = ("candidate", "fold", "seed", "retrain_seed")
CLOSE = 1e-6  # the most by which a score may differ from that of its confusion
LONGEST = 10**6  # characters of a confusion: more than three hundred classes
NAMED = 3  # trials that a remark names; it counts the others


def believed(
    rows: pd.DataFrame, emotions: Sequence[str] = (), parts: Sequence[str] = PARTS
) -> tuple[pd.DataFrame, list[str]]:
    """`known`, `single` and `sound` of the rows of a ledger, and the remarks of the last two."""
    trials, twice = single(known(rows))
    trials, odd = sound(trials, emotions, parts)
    return trials, [*twice, *odd]


def known(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of a ledger with all columns of TEXTS and NUMBERS, in the right types, and `trial`,
    `genotype_digest` and `n_train` (utterances that the tested model was trained on).
    """
    numbers = {
        name: pd.to_numeric(rows[name], errors="coerce") if name in rows else np.nan for name in NUMBERS
    }
    texts = {name: rows[name].fillna("").astype(str) if name in rows else "" for name in TEXTS}
    kinds = dict.fromkeys(NUMBERS, "float64") | dict.fromkeys(TEXTS, str) | dict.fromkeys(WHOLE, "int64")
    frame = rows.assign(**numbers, **texts).astype(kinds).copy()  # else in a hundred pieces, which is slow
    refit = rows.get("retrain.on", pd.Series("", rows.index)) == "all_but_test"
    each = zip(*(frame[name] for name in KEY), strict=True)
    names = [TrialKey(arm=arm, candidate=c, fold=fold, seed=seed).name for arm, c, fold, seed in each]
    return frame.assign(
        trial=pd.Series(names, frame.index, str),
        genotype_digest=[_digest(text) for text in frame["genotype"]],
        n_train=frame["n_weights"] + frame["n_alphas"] + frame["n_valid"].where(refit, 0),
    )


def single(trials: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The trials that have one row for each retrain seed, and a remark on the others: which of their rows is
    right is unknown.
    """
    twice = trials.duplicated(["trial", "retrain_seed"], keep=False)
    bad = trials["trial"].isin(trials.loc[twice, "trial"])
    remark = f"{few(trials.loc[bad, 'trial'])} have several rows for one retrain seed and count as not run"
    return trials[~bad].reset_index(drop=True), [remark] if bad.any() else []


def sound(
    trials: pd.DataFrame, emotions: Sequence[str] = (), parts: Sequence[str] = PARTS
) -> tuple[pd.DataFrame, list[str]]:
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
    for part in parts:
        remarks += _checked(trials, part, finished, strange)
    unfit = _unlike_members(trials, [part for part in parts if part in ensembles.PARTS])
    if unfit.any():
        which = few(trials.loc[unfit, "trial"])
        remarks.append(f"the ensembles of {which} do not fit their retrainings and count as unknown")
    return ensembles.without(trials, unfit), remarks


def _checked(
    trials: pd.DataFrame, part: str, finished: npt.NDArray[np.bool_], strange: npt.NDArray[np.bool_]
) -> list[str]:
    """Take out the impossible scores of one part; the remarks on them."""
    remarks, names, confusion = list[str](), [f"{part}_{score}" for score in METRICS], f"{part}_confusion"
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
    needed = finished & (part not in ensembles.PARTS or trials[ensembles.MEMBERS].notna().to_numpy())
    if (empty := needed & np.isnan(given[:, 0])).any():
        remarks.append(f"{few(trials.loc[empty, 'trial'])} finished without a {part} UA")
    return remarks


def _unlike_members(trials: pd.DataFrame, parts: Sequence[str]) -> pd.Series:
    """Which rows have an ensemble that is not of the retrainings beside them: of another number of them, of
    other utterances, or not the same in every row.
    """
    own = trials[(trials["status"] == "finished") & trials[ensembles.MEMBERS].notna()]
    columns = [ensembles.MEMBERS, *(name for part in parts for name in _columns(part))]
    each = own.groupby("trial")
    fits = (each[columns].nunique(dropna=False) == 1).all(axis=1)
    fits &= each[ensembles.MEMBERS].first() == each.size()
    for part in parts:
        alone = part.removeprefix("ensemble_")
        counts = [_support(own[f"{name}_confusion"]) for name in (part, alone)]
        unlike = [one != other and "" not in (one, other) for one, other in zip(*counts, strict=True)]
        fits &= ~fits.index.isin(own.loc[unlike, "trial"])
    return trials["trial"].isin(fits.index[~fits]) & bool(parts)


def _columns(part: str) -> list[str]:
    return [*(f"{part}_{score}" for score in METRICS), f"{part}_confusion"]


def _support(texts: pd.Series) -> list[str]:
    """How many utterances of each emotion a confusion counts, as text; "" for what is none."""
    return ["" if one is None else str(one.sum(axis=1).tolist()) for one in confusions(texts.tolist())]


def fits(checksums: str, name: str, content: bytes) -> bool:
    """Whether a file of a trial has the checksum that its record holds.

    Args:
        checksums: that column; "" in records of earlier versions, which held none.
        name: folder of the file: `history`, `genotypes` or `predictions`.
    """
    held: Any = None
    with suppress(ValueError, RecursionError):
        held = json.loads(checksums)
    return not isinstance(held, dict) or held.get(name, "") in ("", checksum(content))


def confusions(texts: Sequence[str]) -> list[npt.NDArray[np.int64] | None]:
    """Each confusion [truth, prediction] of the ledger; None for a text that is not one."""
    with suppress(
        ValueError, RecursionError
    ):  # all at once is many times as fast, if they are sound and of one size
        longest = max(map(len, texts), default=0)
        together = _counts(f"[{','.join(texts if longest <= LONGEST else ())}]")
        if len(together) == len(texts) and _square(together, 3):
            return list(together)
    found: list[npt.NDArray[np.int64] | None] = []
    for text in texts:
        one = None
        with suppress(ValueError, RecursionError):
            one = _counts(text) if len(text) <= LONGEST else None
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


def few(names: Iterable[str]) -> str:
    """Names of trials for a sentence: the first three, and the number of the others."""
    each = list(dict.fromkeys(names))
    more = f" and {len(each) - NAMED} more trials" if len(each) > NAMED else ""
    return ", ".join(each[:NAMED]) + more
