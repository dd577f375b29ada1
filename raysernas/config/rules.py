"""Settings that depend on one another: what may stand in one of them because of what stands in the others.

In comes a configuration whose settings are in their ranges one by one; the first pair that does not fit is
refused.
"""

from raysernas.config.bounds import FEWEST_RANKED
from raysernas.config.fault import Fault
from raysernas.config.schema import Config


def check_together(config: Config) -> None:
    """Refuse the first settings that do not fit together.

    Raises:
        Fault: which, and what would fit.
    """
    _check_storage(config)
    _check_features(config)
    _check_search(config)
    _check_corpus(config)
    _check_network(config)
    _check_retrain(config)
    _check_proposals(config)
    if config.study.racing.on:
        _check_racing(config)


def _check_storage(config: Config) -> None:
    if "://" in config.study.cache:
        raise Fault(
            "config",
            "study.cache is no local folder",
            got=config.study.cache,
            expected="a folder on a disk of each node",
            fix="set study.cache=PATH, or leave it empty",
        )


def _check_corpus(config: Config) -> None:
    corpus = config.corpus
    if chained := [old for old, new in corpus.merge.items() if new in corpus.merge]:
        raise Fault(
            "config",
            f"corpus.merge counts {chained[0]} as an emotion that is itself merged",
            got=corpus.merge,
            expected="an emotion to keep on the right of every pair",
            fix=f"set corpus.merge.{chained[0]} to the last of them",
        )
    if gone := [emotion for emotion in corpus.emotions if emotion in corpus.merge]:
        raise Fault(
            "config",
            f"corpus.emotions keeps {gone[0]}, which corpus.merge counts as {corpus.merge[gone[0]]}",
            got=gone[0],
            expected="emotions that are left after merging",
            fix="take it out of one of the two",
        )
    if (corpus.folds == "random" or corpus.valid == "utterances") and not corpus.speaker_dependent:
        setting = "folds=random" if corpus.folds == "random" else "valid=utterances"
        raise Fault(
            "config",
            f"corpus.{setting} lets a speaker be trained on and tested or validated",
            got="speaker_dependent: false",
            expected="speakers on one side only, or your word that they are not: such scores are 5 to 25 "
            "points too high",
            fix="set corpus.folds=speaker_groups, or corpus.speaker_dependent=true, which marks every table",
        )
    if (corpus.folds == "file") != bool(corpus.fold_file):
        raise Fault(
            "config",
            "corpus.folds=file and corpus.fold_file belong together",
            got=f"folds: {corpus.folds}, fold_file: {corpus.fold_file!r}",
            expected="both or neither",
            fix="set corpus.folds=file corpus.fold_file=PATH/TO/folds.csv",
        )


def _check_network(config: Config) -> None:
    network, ranking = config.network, config.checks.ranking
    places = network.reductions
    if beyond := [cell for cell in places if not 0 <= cell < network.cells] or len(places) == network.cells:
        raise Fault(
            "config",
            "network.reductions names cells that cannot be reductions",
            got=list(places),
            expected=f"cells from 0 to {network.cells - 1}, and one that is none"
            if beyond
            else "a cell that is none",
            fix="set network.reductions or network.cells",
        )
    if 0 < ranking < FEWEST_RANKED:
        raise Fault(
            "config",
            "checks.ranking is too few genotypes for a rank correlation",
            got=ranking,
            expected=f"0, or at least {FEWEST_RANKED}",
            fix="set checks.ranking",
        )


def _check_features(config: Config) -> None:
    features = config.features
    if features.device == "cuda" and features.backend == "librosa":
        raise Fault(
            "config",
            "features.device=cuda, but librosa computes on the CPU only",
            got="backend: librosa",
            expected="torchaudio",
            fix="set features.backend=torchaudio or features.device=cpu",
        )
    if features.kind == "mfcc" and features.coefficients > features.bands:
        raise Fault(
            "config",
            "features.coefficients is more than features.bands",
            got=features.coefficients,
            expected=f"at most {features.bands}",
            fix="set features.coefficients or features.bands",
        )


def _check_search(config: Config) -> None:
    search = config.search
    if search.weights_lr_min > search.weights_lr:
        raise Fault(
            "config",
            "search.weights_lr_min is above search.weights_lr",
            got=search.weights_lr_min,
            expected=f"at most {search.weights_lr}",
            fix="set search.weights_lr_min or search.weights_lr",
        )
    if search.warmup_epochs >= search.epochs:
        raise Fault(
            "config",
            "search.warmup_epochs leaves no epoch in which the alphas learn",
            got=search.warmup_epochs,
            expected=f"fewer than search.epochs={search.epochs}",
            fix="set search.warmup_epochs or search.epochs",
        )
    if search.stop == "eigenvalue" and search.eigenvalue_every != 1:
        raise Fault(
            "config",
            "search.stop=eigenvalue, but the eigenvalue is not measured in every epoch",
            got=f"eigenvalue_every: {search.eigenvalue_every}",
            expected="1",
            fix="set search.eigenvalue_every=1 or search.stop=epochs",
        )
    if search.stop == "eigenvalue" and 2 * search.stop_window > search.epochs - search.warmup_epochs:
        raise Fault(
            "config",
            "search.stop=eigenvalue compares two windows of measurements, for which the search is too short",
            got=f"{search.epochs - search.warmup_epochs} epochs after the warm-up",
            expected=f"at least {2 * search.stop_window}, twice search.stop_window",
            fix="set search.stop_window, search.epochs or search.stop=epochs",
        )
    _check_order(config)


def _check_order(config: Config) -> None:
    search = config.search
    if config.compute.precision == "bf16" and search.order != "first":
        raise Fault(
            "config",
            f"search.order={search.order} is not to be had in bf16: its rounding (0.4 %) is as large as the "
            "mixed term",
            got="precision: bf16",
            expected="search.order=first, or compute.precision=fp32",
            fix="set compute.precision=fp32 or search.order=first",
        )
    if search.difference_error and search.order == "first":
        raise Fault(
            "config",
            "search.difference_error measures the second order, but search.order is first",
            got="order: first",
            expected="second_difference or second_exact",
            fix="set search.difference_error=false or another search.order",
        )


def _check_retrain(config: Config) -> None:
    retrain = config.retrain
    if config.network.cnn == "ordered" and retrain.drop_path:
        raise Fault(
            "config",
            "retrain.drop_path drops edges of free cells, but network.cnn=ordered has none",
            got=retrain.drop_path,
            expected="0, or network.cnn=free",
            fix="set retrain.drop_path=0 or network.cnn=free",
        )
    if retrain.versions and not (
        retrain.speeds or retrain.pitches_st or retrain.noise_snr_db or retrain.shift_s
    ):
        raise Fault(
            "config",
            "retrain.versions are of a sound that varies, but nothing varies it",
            got=retrain.versions,
            expected="0, or one of retrain.speeds, pitches_st, noise_snr_db and shift_s",
            fix="set retrain.speeds=[0.9,1.0,1.1], say, or retrain.versions=0",
        )


def _check_proposals(config: Config) -> None:
    study = config.study
    if "valid_ua" not in study.objectives:
        raise Fault(
            "config",
            "study.objectives leaves out what a network is for",
            got=list(study.objectives),
            expected="valid_ua, alone or with others",
            fix="add valid_ua to study.objectives",
        )
    if study.sampler == "nsga2" and study.generation < 2:
        raise Fault(
            "config",
            "study.sampler=nsga2 breeds each generation from the one before, but there are no generations",
            got=f"generation: {study.generation}",
            expected="at least 2, the candidates of one of its generations",
            fix="set study.generation, such as 8, or another study.sampler",
        )


def _check_racing(config: Config) -> None:
    study, racing = config.study, config.study.racing
    if study.protocol == "nested":
        raise Fault(
            "config",
            "study.racing compares candidates on several folds, but study.protocol=nested has one for each "
            "search",
            got="racing.on: true, protocol: nested",
            expected="one of the two",
            fix="set study.racing.on=false or study.protocol=flat",
        )
    if study.objectives != ("valid_ua",):
        raise Fault(
            "config",
            "study.racing looks at validation UA alone and would give up small networks of a Pareto set",
            got=list(study.objectives),
            expected="valid_ua alone",
            fix="set study.racing.on=false or study.objectives=[valid_ua]",
        )
    if not 0 < racing.p < 0.5:
        raise Fault(
            "config",
            "study.racing.p is no level of a one-sided test",
            got=racing.p,
            expected="0 < number < 0.5: at 0 nothing is "
            "ever given up, and from 0.5 on what is not even worse",
            fix="set study.racing.p",
        )
    folds, trials = len(study.folds), len(study.folds) * len(study.seeds)
    if folds and (racing.pairs > folds or racing.pairs >= trials):
        raise Fault(
            "config",
            "study.racing.pairs leaves no trial that racing could save",
            got=f"{racing.pairs} pairs",
            expected=f"at most the {folds} folds of the study, and fewer than the {trials} trials of a "
            "candidate",
            fix="set study.racing.pairs, or more study.folds or study.seeds, or study.racing.on=false",
        )
