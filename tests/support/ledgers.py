"""Simulated study folders of any size: what is written is drawn from known effects, and every piece says that
it is simulated.

A recogniser tells each utterance with a chance of its own: `level`, the true effect of its arm, what its fold
and its speaker are worth, and what a seed and a retrain seed add; `retrain.lr` and, in searched arms,
`search.alphas_lr` of a candidate cost it up to `tuning`. Confusions, scores and posteriors are of the same
decisions. Ten thousand trials are written in some seconds.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from raysernas.config.arms import ARMS
from raysernas.config.files import assign, show
from raysernas.config.identity import identity, reads, settings, trial_config
from raysernas.config.schema import Config
from raysernas.record import genotype, ledger, storage
from raysernas.record.files import StudyFiles, TrialKey
from raysernas.record.metrics import METRICS, Evaluation
from raysernas.record.reading import MANY, SCHEMA_VERSION, SUFFIX

NAME = "simulated"
BEST = {"retrain.lr": 4e-3, "search.alphas_lr": 3e-2}  # from which every decade costs `tuning`
SPACE = {
    "retrain.lr": {"low": 5e-4, "high": 2e-2, "log": True},
    "search.alphas_lr": {"low": 3e-3, "high": 1e-1, "log": True},
    "retrain.weight_decay": {"low": 1e-3, "high": 1e-1, "log": True},  # which costs nothing
}
FAVOURED = ("sep_conv_3x3", "bilstm_1")  # operations that searches tend to
EPOCHS = 4  # in each history of each stage
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is simulated; spreads are standard deviations of the chance of a right decision, in 0..1."""

    arms: Sequence[str] = ("darts", "random", "cnn")
    folds: int = 5
    seeds: int = 2
    retrain_seeds: int = 1
    candidates: int = 1
    protocol: str = "flat"
    emotions: Sequence[str] = ("anger", "fear", "joy", "sadness")
    speakers: int = 2  # of each fold
    speaker: str = NAME  # begins the name of every speaker
    takes: int = 5  # utterances of a speaker in one emotion
    level: float = 0.6
    effects: Mapping[str, float] = field(default_factory=dict)  # arm -> what is added to the level
    fold_sd: float = 0.05
    speaker_sd: float = 0.05
    seed_sd: float = 0.03
    retrain_sd: float = 0.02
    tuning: float = 0.05  # lost a decade squared from BEST
    failed: float = 0.0  # share of the trials that failed
    raced: float = 0.0  # share of the trials of candidates but the first that were given up
    seed: int = 0
    singles: bool = False  # a file for each trial instead of one for all
    predictions: bool = False
    genotypes: bool = False  # as files; the ledger has them anyway
    histories: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)  # more of study.yaml, dotted

    def of(self, arm: str) -> int:
        """Candidates of an arm: one if it reads nothing of the space."""
        return self.candidates if any(reads(arm, key) for key in SPACE) else 1

    @cached_property
    def config(self) -> Config:
        """Its study.yaml."""
        tried = {"study.candidates": self.candidates, "study.space": SPACE} if self.candidates > 1 else {}
        whole = {
            "study.name": NAME,
            "study.arms": list(self.arms),
            "study.folds": list(range(self.folds)),
            "study.seeds": list(range(self.seeds)),
            "study.protocol": self.protocol,
            "retrain.seeds": list(range(self.retrain_seeds)),
            "corpus.emotions": list(self.emotions),
            "compute.device": "cpu",
            "corpus.fingerprint": NAME,
        }
        return assign(Config(), {**whole, **tried, **self.settings})

    @property
    def told(self) -> tuple[Ints, Ints]:
        """(emotion, speaker) of every test utterance of a fold, as numbers."""
        grid = np.indices((self.speakers, len(self.emotions), self.takes)).reshape(3, -1)
        return grid[1], grid[0]


def simulated(root: Path, **plan: Any) -> StudyFiles:
    """The study folder `root` (or place of a bucket), full of simulated trials.

    Args:
        plan: the fields of `Plan`.
    """
    chosen, files = Plan(**plan), StudyFiles(root)
    rng = np.random.default_rng(chosen.seed)
    storage.write_text(files.config, show(chosen.config))
    luck = {"fold": rng.normal(0, chosen.fold_sd, (2, chosen.folds))}
    # of the validating, of the tested
    luck["speaker"] = rng.normal(0, chosen.speaker_sd, (2, chosen.folds, chosen.speakers))
    for number, arm in enumerate(chosen.arms, start=1):
        rows, decisions = _of_arm(chosen, arm, luck, rng)
        if chosen.singles:
            for name, group in rows.groupby(_names(rows), sort=False):
                ledger.write_table(files.trials / f"{name}{SUFFIX}", group.dropna(axis=1, how="all"))
        else:
            ledger.write_table(files.trials / f"{MANY}{number:04d}-{NAME}{SUFFIX}", rows)
        _beside(chosen, files, rows[rows["status"] == "finished"], decisions, rng)
    if not chosen.singles:
        ledger.compact(files)
    return files


def _names(rows: pd.DataFrame) -> list[str]:
    return [_key(row).name for row in rows[["arm", "candidate", "fold", "seed"]].to_dict("records")]


def _key(row: Mapping[Any, Any]) -> TrialKey:
    return TrialKey(arm=row["arm"], candidate=row["candidate"], fold=row["fold"], seed=row["seed"])


def _of_arm(
    plan: Plan, arm: str, luck: dict[str, Floats], rng: np.random.Generator
) -> tuple[pd.DataFrame, Ints]:
    """The rows of an arm, and what each finished one took the test utterances for."""
    grid = np.indices((plan.of(arm), plan.folds, plan.seeds)).reshape(3, -1)
    trials = pd.DataFrame(grid.T, columns=["candidate", "fold", "seed"])
    failed = rng.random(len(trials)) < plan.failed
    raced = (rng.random(len(trials)) < plan.raced) & (trials["candidate"] > 0) & ~failed
    trials["status"] = np.select([failed, raced], ["failed", "raced"], "finished")
    trials = pd.concat([trials.assign(arm=arm), _settings(plan, arm, trials, rng)], axis=1)
    chance = plan.level + plan.effects.get(arm, 0.0) + rng.normal(0, plan.seed_sd, len(trials))
    for key, best in BEST.items():
        if plan.candidates > 1 and reads(arm, key):
            chance -= plan.tuning * np.log10(trials[key].to_numpy(dtype=float) / best) ** 2
    facts = pd.concat([trials, _found(plan, arm, trials, rng)], axis=1).assign(chance=chance)
    done = facts[facts["status"] == "finished"]
    done = done.loc[done.index.repeat(plan.retrain_seeds)].assign(
        retrain_seed=np.tile(range(plan.retrain_seeds), len(done))
    )
    done["chance"] += rng.normal(0, plan.retrain_sd, len(done))
    told = [_decisions(plan, done, luck, part, rng) for part in (0, 1)]
    done = done.assign(
        **_measured(plan, done, rng), **_scores(plan, "valid", told[0]), **_scores(plan, "test", told[1])
    )
    rows = pd.concat([done, _ended(facts)], ignore_index=True).drop(columns="chance")
    whole = done.select_dtypes("integer").columns  # numbers stay whole beside rows that have none
    return _whole(rows.astype(dict.fromkeys(whole, "Int64")), plan), told[1]


def _settings(plan: Plan, arm: str, trials: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """The dotted settings and digests of the trials; a candidate draws its own, nested in each fold."""
    told = settings(trial_config(plan.config, arm=arm, fold=0, seed=0))
    fixed = {
        key: json.dumps(value) if isinstance(value, tuple | dict) else value
        for key, value in told.items()
        if "." in key
    }
    frame = pd.DataFrame({key: [value] * len(trials) for key, value in fixed.items()})
    lines = trials["fold"].to_numpy() if plan.protocol == "nested" else np.zeros(len(trials), dtype=np.int64)
    for key, axis in SPACE.items() if plan.candidates > 1 else ():
        if key in frame:
            drawn = np.exp(rng.uniform(np.log(axis["low"]), np.log(axis["high"]), (plan.folds, plan.of(arm))))
            drawn[:, 0] = told[key]
            frame[key] = drawn[lines, trials["candidate"]]
    changed = [key for key in SPACE if key in frame] if plan.candidates > 1 else []
    values = zip(trials["fold"], trials["seed"], *(frame[key] for key in changed), strict=True)
    own = [dict(zip(["fold", "seed", *changed], each, strict=True)) for each in values]
    return frame.assign(digest=[identity(told | each) for each in own])


def _found(plan: Plan, arm: str, trials: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """What a trial has found before it retrains."""
    count, others = len(trials), plan.speakers * len(plan.emotions) * plan.takes
    searched, rest = ARMS[arm].searches, max(plan.folds - 2, 2) * others
    paid = searched or arm == "random_search"
    return pd.DataFrame(
        {
            "n_weights": [rest // 2] * count,
            "n_alphas": rest - rest // 2,
            "n_valid": others,
            "n_test": others,
            "n_unknown": 0,
            "n_unlike": 0,
            "unlike": "[]",
            "n_confounded": 0,
            "n_known_texts": 0,
            "confounded": "[]",
            "n_skipped": 0,
            "skipped": "[]",
            "features_s": 0.5,
            "checks_s": 0.0,
            "search_s": rng.normal(100, 10, count) if paid else 0.001,
            "search_mb": rng.normal(500, 20, count),
            "search_entropy": rng.uniform(0.4, 0.8, count) if searched else np.nan,
            "search_multiply_adds": 2e11 if paid else np.nan,
            "genotype": [_genotype(plan, arm, rng).to_json() for _ in range(count)]
            if ARMS[arm].has_genotype
            else [""] * count,
            "parameters": rng.integers(30_000, 40_000, count) if ARMS[arm].has_genotype else 50_000,
            "test_speakers": [json.dumps(_speakers(plan, fold)) for fold in trials["fold"]],
            "valid_speakers": [
                json.dumps(_speakers(plan, (fold + 1) % max(plan.folds, 2))) for fold in trials["fold"]
            ],
        }
    )


def _genotype(plan: Plan, arm: str, rng: np.random.Generator) -> genotype.Genotype:
    space = genotype.space(trial_config(plan.config, arm=arm, fold=0, seed=0).network)
    return (
        genotype.choose(_mixing(space, 1.0, rng), space) if ARMS[arm].searches else genotype.draw(rng, space)
    )


def _mixing(
    space: genotype.Space, strength: float, rng: np.random.Generator
) -> dict[genotype.GenotypePart, Floats]:
    """Softmaxed alphas that tend to FAVOURED."""
    found: dict[genotype.GenotypePart, Floats] = {}
    for part, choice in space.items():
        liked = np.array([name in FAVOURED for name in choice.operations])
        powers = np.exp(strength * (rng.normal(0, 1, (len(choice.edges), len(choice.operations))) + liked))
        found[part] = powers / powers.sum(axis=1, keepdims=True)
    return found


def _decisions(
    plan: Plan, done: pd.DataFrame, luck: dict[str, Floats], part: int, rng: np.random.Generator
) -> Ints:
    """[row, utterance] -> emotion that it was taken for."""
    truth, speaker = plan.told
    fold = done["fold"].to_numpy()
    chance = (
        done["chance"].to_numpy()[:, None]
        + luck["fold"][part, fold][:, None]
        + luck["speaker"][part, fold][:, speaker]
    )
    right = rng.random(chance.shape) < np.clip(chance, 0.02, 0.98)
    classes = len(plan.emotions)
    return np.where(right, truth, (truth + rng.integers(1, max(classes, 2), chance.shape)) % classes)


def _scores(plan: Plan, part: str, told: Ints) -> dict[str, Any]:
    classes, (truth, _) = len(plan.emotions), plan.told
    cells = truth * classes + told
    each = [Evaluation(np.bincount(row, minlength=classes**2).reshape(classes, classes)) for row in cells]
    return {
        **{f"{part}_{name}": [one.scores[name] for one in each] for name in METRICS},
        f"{part}_classes": classes,
        f"{part}_confusion": [json.dumps(one.confusion.tolist()) for one in each],
    }


def _measured(plan: Plan, done: pd.DataFrame, rng: np.random.Generator) -> dict[str, Any]:
    count = len(done)
    return {
        "retrain_s": rng.normal(60, 5, count),
        "retrain_mb": rng.normal(400, 20, count),
        "test_s": 0.4,
        "test_mb": 300.0,
        "latency_ms": rng.normal(2, 0.1, count),
        "epoch": rng.integers(1, 60, count),
        "emotions": json.dumps(list(plan.emotions)),
    }


def _ended(facts: pd.DataFrame) -> pd.DataFrame:
    """The rows of trials that found nothing: identity and settings, as such trials are recorded."""
    left = facts.loc[facts["status"] != "finished", [name for name in facts if "." in str(name)]]
    known = facts.loc[left.index, ["arm", "candidate", "fold", "seed", "status", "digest"]]
    told = {
        "retrain_seed": 0,
        "emotions": "[]",
        "valid_classes": 0,
        "test_classes": 0,
        "valid_confusion": "",
        "test_confusion": "",
    }
    return pd.concat([left, known], axis=1).assign(**told)


def _whole(rows: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    failed, raced = rows["status"] == "failed", rows["status"] == "raced"
    origin = {"commit": NAME, "versions": json.dumps({"raysernas": NAME}), "host": NAME, "cpu": NAME}
    return rows.assign(
        schema_version=SCHEMA_VERSION,
        study=plan.config.study.name,
        attempts=1,
        **origin,
        reason=np.select(
            [failed, raced], ["simulated: the loss is not finite\n  got: nan", "simulated: raced out"], ""
        ),
        failure=np.where(failed, "not_a_number", ""),
    )


def _speakers(plan: Plan, fold: int) -> list[str]:
    return [f"{plan.speaker}-{fold * plan.speakers + i:03d}" for i in range(plan.speakers)]


def _beside(
    plan: Plan, files: StudyFiles, rows: pd.DataFrame, decisions: Ints, rng: np.random.Generator
) -> None:
    """The other files of an arm's finished trials, as far as they are wanted."""
    wanted = plan.predictions or plan.genotypes or plan.histories
    for _, group in rows.groupby(["candidate", "fold", "seed"]) if wanted else ():
        first = group.iloc[0]
        of_trial = files.trial(_key(first.to_dict()))
        if plan.predictions:
            told = [
                _posteriors(plan, first["fold"], again, decisions[row])
                for again, row in enumerate(group.index)
            ]
            ledger.write_table(of_trial.predictions, pd.concat(told, ignore_index=True))
        if plan.genotypes and first["genotype"]:
            storage.write_text(of_trial.genotype, first["genotype"] + "\n")
        if plan.histories:
            lines = [*_search(plan, first["arm"], rng), *_retraining(group["valid_ua"].tolist())]
            storage.write_text(of_trial.history, "".join(json.dumps(line) + "\n" for line in lines))


def _posteriors(plan: Plan, fold: int, retrain_seed: int, told: Ints) -> pd.DataFrame:
    """As a trial leaves them: key, speaker, emotion, retrain seed and the posterior of each emotion."""
    truth, speaker = plan.told
    names, emotions = np.array(_speakers(plan, fold)), np.array(plan.emotions)
    chosen = 0.7 if len(emotions) > 1 else 1.0
    posteriors = np.full((len(truth), len(emotions)), (1 - chosen) / max(len(emotions) - 1, 1))
    posteriors[np.arange(len(truth)), told] = chosen
    keys = [f"{NAME}-{fold}-{i:04d}" for i in range(len(truth))]
    frame = {"key": keys, "speaker": names[speaker], "emotion": emotions[truth], "retrain_seed": retrain_seed}
    return pd.DataFrame(frame | {f"p_{emotion}": posteriors[:, i] for i, emotion in enumerate(plan.emotions)})


def _search(plan: Plan, arm: str, rng: np.random.Generator) -> list[dict[str, Any]]:
    """The epochs of a search, with the keys that a real one leaves; nothing for an arm that does not
    search.
    """
    lines: list[dict[str, Any]] = []
    if not ARMS[arm].searches:
        return lines
    space = genotype.space(trial_config(plan.config, arm=arm, fold=0, seed=0).network)
    for epoch in range(1, EPOCHS + 1):
        mixing = _mixing(space, epoch / EPOCHS, rng)
        chosen, far = genotype.choose(mixing, space), epoch / EPOCHS
        lines.append(
            {
                "stage": "search",
                "epoch": epoch,
                "loss": 1.5 - far,
                "ua": 0.3 + 0.4 * far,
                "gradient": 1.0,
                "alphas_loss": 1.6 - far,
                "alphas_ua": 0.3 + 0.3 * far,
                "alphas_gradient": 0.1,
                "entropy": genotype.entropy(mixing),
                "entropies": {part: genotype.entropy({part: mixture}) for part, mixture in mixing.items()},
                "skips": sum(gene.operation == "skip_connect" for _, _, gene in chosen.genes),
                **({"changed": 2} if epoch > 1 else {}),
                "none": 0.1,
                "genotype": chosen.to_json(),
                "mixing": {part: mixture.tolist() for part, mixture in mixing.items()},
            }
        )
    return lines


def _retraining(ends: Sequence[float]) -> list[dict[str, Any]]:
    """The epochs of each retraining, one after the other, that end with these validation UAs; seeds are 0, 1
    ...
    """
    steps = [
        (seed, epoch, end * epoch / EPOCHS) for seed, end in enumerate(ends) for epoch in range(1, EPOCHS + 1)
    ]
    names = ("retrain_seed", "epoch", "valid_ua")
    return [
        {"stage": "retrain", **dict(zip(names, step, strict=True)), "loss": 2.0 - step[1] / EPOCHS}
        for step in steps
    ]
