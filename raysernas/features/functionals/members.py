"""The functionals that `features.functionals` can name. How to add some: raysernas/README.md."""

from dataclasses import replace

from raysernas.config.schema import Config, FeaturesConfig
from raysernas.features.functionals.functional_set import FunctionalSet
from raysernas.features.functionals.open_smile import ComParE, EGeMaps
from raysernas.features.functionals.own import Own

FUNCTIONALS: dict[str, type[FunctionalSet]] = {
    "own": Own,
    "egemaps": EGeMaps,
    "compare": ComParE,
}


def functional_set(config: FeaturesConfig) -> FunctionalSet:
    """The functionals that `features.functionals` names, which is not `none`."""
    return FUNCTIONALS[config.functionals](config)


def check(config: Config) -> None:
    """Refuse a study whose functionals, or those of its space, cannot be computed here.

    Raises:
        Fault: when a package is missing.
    """
    axis = config.study.space.get("features.functionals", {})
    for name in {config.features.functionals, *axis.get("choices", ())} - {"none"}:
        functional_set(replace(config.features, functionals=name)).check()
