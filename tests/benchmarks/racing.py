"""What racing saves and what it loses, on a generator fitted to a study that has really run.

    python -m tests.benchmarks.racing STUDY [repetitions]

STUDY is the folder of a study of several arms, folds and seeds. Its ledger gives the variances of folds, of
arms on folds and of seeds; a generator with these draws candidates of which one is truly best and the others
are worse by a fixed difference (at 0 all are equal, and the one asked about is any). Compared: no racing,
ours with both `looks`, and Optuna's WilcoxonPruner (p 0.1, at least 3 pairs, pairs are trials). `saved`:
share of trials not run. `lost`: the best was given up. `not chosen`: another candidate has the best mean at
the end, which happens without racing too. The generator's folds are independent; those of a real study are
not.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import optuna
from optuna.trial import TrialState

from raysernas.config.schema import RacingConfig
from raysernas.fleet import racing
from raysernas.record import ledger
from raysernas.record.files import StudyFiles

CANDIDATES, SEEDS = 8, 2
DIFFERENCES = (0.0, -0.03, -0.06)
Scores = npt.NDArray[np.float64]  # candidate, fold, seed
Kept = tuple[int, list[bool]]  # trials that ran, and which candidates were run to the end


def fitted(root: Path) -> tuple[dict[str, float], float]:
    """Standard deviations of folds, arms on folds, and seeds; validation over training utterances."""
    rows = ledger.validation(StudyFiles(root)).query("status == 'finished'")
    cells = rows.groupby(["arm", "fold", "seed"])["valid_ua"].mean().unstack()
    seed = cells.var(axis=1, ddof=1).mean()
    means = cells.mean(axis=1).unstack()
    arms, folds, seeds = len(means), means.shape[1], cells.shape[1]
    rest = means.sub(means.mean(axis=1), axis=0).sub(means.mean(axis=0), axis=1) + means.to_numpy().mean()
    both = (rest**2).to_numpy().sum() / ((arms - 1) * (folds - 1))
    fold = means.mean(axis=0).var(ddof=1) - both / arms
    variances = {"fold": fold, "arm on fold": both - seed / seeds, "seed": seed}
    ratio = (rows["n_valid"] / (rows["n_weights"] + rows["n_alphas"])).mean()
    return {name: float(np.sqrt(max(0.0, value))) for name, value in variances.items()}, float(ratio)


def drawn(
    rng: np.random.Generator, sd: dict[str, float], folds: int, difference: float
) -> tuple[Scores, int]:
    """Scores of all candidates, and which is truly best."""
    best = int(rng.integers(CANDIDATES))
    means = np.full(CANDIDATES, 0.75 + difference)
    means[best] = 0.75
    scores = means[:, None, None] + sd["fold"] * rng.standard_normal((1, folds, 1))
    scores = scores + sd["arm on fold"] * rng.standard_normal((CANDIDATES, folds, 1))
    return scores + sd["seed"] * rng.standard_normal((CANDIDATES, folds, SEEDS)), best


def ours(looks: str, ratio: float) -> Callable[[Scores, np.random.Generator], Kept]:
    """The race as the queue runs it, one trial at a time."""
    rules = RacingConfig(enabled=True, looks=looks)  # pyright: ignore[reportArgumentType] - one of the two

    def run(scores: Scores, rng: np.random.Generator) -> Kept:
        _, folds, seeds = scores.shape
        ran, kept, best = 0, [], -1
        for number, own in enumerate(scores):
            seen: dict[int, dict[int, float]] = {}
            order = rng.permutation(folds)
            given_up = False
            for count, (seed, fold) in enumerate(((s, f) for s in range(seeds) for f in order), start=1):
                seen.setdefault(int(fold), {})[seed] = own[fold, seed]
                ran += 1
                if best >= 0 and count < folds * seeds:
                    rival = {f: dict(enumerate(scores[best, f])) for f in range(folds)}
                    given_up = racing.hopeless(
                        racing.compare(seen, rival, ratio), rules, folds=folds, seeds=seeds
                    )
                if given_up:
                    break
            kept.append(not given_up)
            if not given_up and (best < 0 or own.mean() > scores[best].mean()):
                best = number
        return ran, kept

    return run


def wilcoxon(scores: Scores, rng: np.random.Generator) -> Kept:
    """Optuna's own pruner, told every trial as a step."""
    _, folds, seeds = scores.shape
    study = optuna.create_study(
        direction="maximize", pruner=optuna.pruners.WilcoxonPruner(p_threshold=0.1, n_startup_steps=3)
    )
    ran, kept = 0, []
    for own in scores:
        trial, pruned = study.ask(), False
        for seed, fold in ((s, int(f)) for s in range(seeds) for f in rng.permutation(folds)):
            trial.report(float(own[fold, seed]), step=fold * seeds + seed)
            ran += 1
            if pruned := trial.should_prune():
                break
        kept.append(not pruned)
        study.tell(
            trial,
            None if pruned else float(own.mean()),
            state=TrialState.PRUNED if pruned else TrialState.COMPLETE,
        )
    return ran, kept


def everything(scores: Scores, rng: np.random.Generator) -> Kept:
    """No racing."""
    return scores.size, [True] * len(scores)


def main(root: Path, repetitions: int) -> None:
    """Print the variances and the table."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sd, ratio = fitted(root)
    told = ", ".join(f"{name} {100 * value:.1f}" for name, value in sd.items())
    print(
        f"standard deviations in points: {told}; n_valid / n_train {ratio:.2f}; {CANDIDATES} candidates, "
        f"{SEEDS} seeds"
    )
    ways = {
        "no racing": everything,
        "ours, bonferroni": ours("bonferroni", ratio),
        "ours, none": ours("none", ratio),
        "Wilcoxon": wilcoxon,
    }
    print("folds  difference  rule               saved   lost  not chosen")
    for folds in (4, 5, 10):
        for difference in DIFFERENCES:
            for name, run in ways.items():
                rng = np.random.default_rng(0)  # the same scores for every rule
                counts = np.zeros(3)
                for _ in range(repetitions):
                    scores, best = drawn(np.random.default_rng(rng.integers(2**32)), sd, folds, difference)
                    ran, kept = run(scores, np.random.default_rng(rng.integers(2**32)))
                    means = np.where(kept, scores.mean(axis=(1, 2)), -np.inf)
                    counts += [1 - ran / scores.size, not kept[best], int(means.argmax()) != best]
                saved, lost, other = counts / repetitions
                print(
                    f"{folds:5}  {difference:10.2f}  {name:17}  {saved:5.2f}  {lost:5.2f}  {other:10.2f}",
                    flush=True,
                )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 200)
