"""Settings that depend on one another: what one of them may be, given the others.

In: a configuration whose settings are in their ranges one by one. The first rule that it breaks is refused.
"""

import re

from raysernas.config.fault import Fault
from raysernas.config.front_ends import LAYERS, MIX
from raysernas.config.schema import Config

FEWEST_RANKED = 8  # genotypes of a rank correlation


def check_together(config: Config) -> None:
    """Refuse the first settings that do not fit together.

    Raises:
        Fault: which, and what would fit.
    """
    _check_study(config)
    _check_features(config)
    _check_search(config)
    _check_order(config)
    _check_corpus(config)
    _check_network(config)
    _check_retrain(config)
    _check_proposals(config)
    if config.study.racing.enabled:
        _check_racing(config)


def _check_study(config: Config) -> None:
    name, cache = config.study.name, config.study.cache
    if not re.fullmatch(r"\w[\w.-]*", name):
        what, expected = "study.name is not a folder's name", "letters, digits, - _ and . (not first)"
        raise Fault("config", what, got=repr(name), expected=expected, fix="set study.name")
    if "://" in cache:
        what, expected = "study.cache is no local folder", "a folder on a disk of each node"
        raise Fault(
            "config", what, got=cache, expected=expected, fix="set study.cache=PATH, or leave it empty"
        )


def _check_corpus(config: Config) -> None:
    corpus = config.corpus
    if chained := [old for old, new in corpus.merge.items() if new in corpus.merge]:
        what = f"corpus.merge counts {chained[0]} as an emotion that is itself merged"
        fix = f"set corpus.merge.{chained[0]} to the last of them"
        expected = "an emotion to keep on the right of every pair"
        raise Fault("config", what, got=corpus.merge, expected=expected, fix=fix)
    if gone := [emotion for emotion in corpus.emotions if emotion in corpus.merge]:
        what = f"corpus.emotions keeps {gone[0]}, which corpus.merge counts as {corpus.merge[gone[0]]}"
        expected, fix = "emotions that are left after merging", "take it out of one of the two"
        raise Fault("config", what, got=gone[0], expected=expected, fix=fix)
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
    if corpus.folds == "speaker_text" and config.study.protocol == "nested":
        what = "study.protocol=nested chooses in each fold, but the folds of one speaker are one result"
        fix = "set study.protocol=flat, or another corpus.folds"
        raise Fault("config", what, got="folds: speaker_text, protocol: nested", expected="flat", fix=fix)
    if (corpus.folds == "file") != bool(corpus.fold_file):
        what = "corpus.folds=file and corpus.fold_file belong together"
        got = f"folds: {corpus.folds}, fold_file: {corpus.fold_file!r}"
        fix = "set corpus.folds=file corpus.fold_file=PATH/TO/folds.csv"
        raise Fault("config", what, got=got, expected="both or neither", fix=fix)


def _check_network(config: Config) -> None:
    network, ranking = config.network, config.checks.ranking
    places = network.reductions
    if beyond := [cell for cell in places if not 0 <= cell < network.cells] or len(places) == network.cells:
        what = "network.reductions names cells that cannot be reductions"
        every = f"cells from 0 to {network.cells - 1}, and one that is none"
        expected, fix = every if beyond else "a cell that is none", "set network.reductions or network.cells"
        raise Fault("config", what, got=list(places), expected=expected, fix=fix)
    if network.functionals and config.features.functionals == "none":
        what = "network.functionals adds functionals to the logits, but there are none"
        expected, fix = "own, egemaps or compare", "set features.functionals=own or network.functionals=false"
        raise Fault("config", what, got="features.functionals: none", expected=expected, fix=fix)
    if 0 < ranking < FEWEST_RANKED:
        what = "checks.ranking is too few genotypes for a rank correlation"
        raise Fault(
            "config", what, got=ranking, expected=f"0, or at least {FEWEST_RANKED}", fix="set checks.ranking"
        )


def _check_features(config: Config) -> None:
    features = config.features
    if features.device == "cuda" and features.backend == "librosa":
        what = "features.device=cuda, but librosa computes on the CPU only"
        fix = "set features.backend=torchaudio or features.device=cpu"
        raise Fault("config", what, got="backend: librosa", expected="torchaudio", fix=fix)
    if features.kind == "pretrained" and not features.model:
        what, expected = (
            "features.kind=pretrained, but features.model is not set",
            "a folder, or NAME[@REVISION]",
        )
        raise Fault("config", what, got=repr(features.model), expected=expected, fix="set features.model")
    if features.kind in LAYERS and features.pad == "waveform":
        what = f"features.pad=waveform, but the frames of features.kind={features.kind} are padded themselves"
        raise Fault("config", what, got="pad: waveform", expected="frames", fix="set features.pad=frames")
    if features.kind not in LAYERS and config.network.layer != MIX:
        what = f"network.layer names a layer, but the frames of features.kind={features.kind} have none"
        fix = "set network.layer=mix, or features.kind=pretrained"
        raise Fault("config", what, got=config.network.layer, expected=MIX, fix=fix)
    if features.kind in ("mfcc", "streams") and features.coefficients > features.bands:
        what, expected = "features.coefficients is more than features.bands", f"at most {features.bands}"
        fix = "set features.coefficients or features.bands"
        raise Fault("config", what, got=features.coefficients, expected=expected, fix=fix)


def _check_search(config: Config) -> None:
    search = config.search
    if search.weights_lr_min > search.weights_lr:
        what, expected = "search.weights_lr_min is above search.weights_lr", f"at most {search.weights_lr}"
        fix = "set search.weights_lr_min or search.weights_lr"
        raise Fault("config", what, got=search.weights_lr_min, expected=expected, fix=fix)
    if search.warmup_epochs >= search.epochs:
        what = "search.warmup_epochs leaves no epoch in which the alphas learn"
        expected, fix = (
            f"fewer than search.epochs={search.epochs}",
            "set search.warmup_epochs or search.epochs",
        )
        raise Fault("config", what, got=search.warmup_epochs, expected=expected, fix=fix)
    if search.stop == "eigenvalue" and search.eigenvalue_every != 1:
        what = "search.stop=eigenvalue, but the eigenvalue is not measured in every epoch"
        got, fix = (
            f"eigenvalue_every: {search.eigenvalue_every}",
            "set search.eigenvalue_every=1 or search.stop=epochs",
        )
        raise Fault("config", what, got=got, expected="1", fix=fix)
    left = search.epochs - search.warmup_epochs
    if search.stop == "eigenvalue" and 2 * search.stop_window > left:
        raise Fault(
            "config",
            "search.stop=eigenvalue compares two windows of measurements, for which the search is too short",
            got=f"{left} epochs after the warm-up",
            expected=f"at least {2 * search.stop_window}, twice search.stop_window",
            fix="set search.stop_window, search.epochs or search.stop=epochs",
        )


def _check_order(config: Config) -> None:
    search, precision = config.search, config.compute.precision
    if precision == "bf16" and search.order != "first":
        what = (
            f"search.order={search.order} does not work in bf16: its rounding is as large as the mixed term"
        )
        expected = "search.order=first, or compute.precision=fp32"
        fix = "set compute.precision=fp32 or search.order=first"
        raise Fault("config", what, got="precision: bf16", expected=expected, fix=fix)
    if search.difference_error and search.order == "first":
        what = "search.difference_error measures the second order, but search.order is first"
        fix = "set search.difference_error=false or another search.order"
        raise Fault("config", what, got="order: first", expected="second_difference or second_exact", fix=fix)


def _check_retrain(config: Config) -> None:
    retrain = config.retrain
    if config.network.cnn == "ordered" and retrain.drop_path:
        what = "retrain.drop_path drops edges of free cells, but network.cnn=ordered has none"
        expected, fix = "0, or network.cnn=free", "set retrain.drop_path=0 or network.cnn=free"
        raise Fault("config", what, got=retrain.drop_path, expected=expected, fix=fix)
    varied = retrain.speeds or retrain.pitches_st or retrain.noise_snr_db or retrain.shift_s
    if retrain.versions and not varied:
        what = "retrain.versions asks for versions of a varied sound, but nothing varies it"
        expected = "0, or one of retrain.speeds, pitches_st, noise_snr_db and shift_s"
        fix = "set retrain.speeds=[0.9,1.0,1.1], say, or retrain.versions=0"
        raise Fault("config", what, got=retrain.versions, expected=expected, fix=fix)


def _check_proposals(config: Config) -> None:
    study = config.study
    if "valid_ua" not in study.objectives:
        what, expected = "study.objectives leaves out what a network is for", "valid_ua, alone or with others"
        fix = "add valid_ua to study.objectives"
        raise Fault("config", what, got=list(study.objectives), expected=expected, fix=fix)
    if study.sampler == "nsga2" and study.generation < 2:
        what = "study.sampler=nsga2 breeds each generation from the one before, but there are no generations"
        expected = "at least 2, the candidates of one of its generations"
        fix = "set study.generation, such as 8, or another study.sampler"
        raise Fault("config", what, got=f"generation: {study.generation}", expected=expected, fix=fix)


def _check_racing(config: Config) -> None:
    study, racing = config.study, config.study.racing
    if study.protocol == "nested":
        raise Fault(
            "config",
            "study.racing compares candidates on several folds, but study.protocol=nested has one per search",
            got="racing.enabled: true, protocol: nested",
            expected="one of the two",
            fix="set study.racing.enabled=false or study.protocol=flat",
        )
    if study.objectives != ("valid_ua",):
        what = "study.racing looks at validation UA alone and would give up small networks of a Pareto set"
        fix = "set study.racing.enabled=false or study.objectives=[valid_ua]"
        raise Fault("config", what, got=list(study.objectives), expected="valid_ua alone", fix=fix)
    if not 0 < racing.p < 0.5:
        what = "study.racing.p is no level of a one-sided test"
        expected = "0 < number < 0.5: at 0 nothing is ever given up, and from 0.5 on even what is no worse"
        raise Fault("config", what, got=racing.p, expected=expected, fix="set study.racing.p")
    folds, trials = len(study.folds), len(study.folds) * len(study.seeds)
    if folds and (racing.pairs > folds or racing.pairs >= trials):
        raise Fault(
            "config",
            "study.racing.pairs leaves no trial that racing could save",
            got=f"{racing.pairs} pairs",
            expected=f"at most the study's {folds} folds, and fewer than the {trials} trials of a candidate",
            fix="set study.racing.pairs, or more study.folds or study.seeds, or study.racing.enabled=false",
        )
