"""eGeMAPSv02 (88 functionals, TAFFC 2016) and ComParE 2016 (6,373), computed by openSMILE.

openSMILE's licence allows research and personal use only. A clip that is too short for it has no numbers
(NaN).
"""

import warnings
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar, final

import numpy as np

from raysernas.config.fault import Fault
from raysernas.corpora.audio import Samples
from raysernas.features.front_end import Float32Array
from raysernas.features.functionals.functional_set import FunctionalSet, Summarise
from raysernas.record.provenance import package_version

PACKAGE = "opensmile"


@dataclass(frozen=True, slots=True)
class OpenSmile(FunctionalSet):
    """A feature set of openSMILE."""

    feature_set: ClassVar[str]

    @property
    def fingerprint(self) -> list[Any]:
        return [self.feature_set, package_version(PACKAGE), self.config.sample_rate_hz]

    def check(self) -> None:
        if not package_version(PACKAGE):
            raise Fault(
                "features",
                f"features.functionals={self.config.functionals} needs the package {PACKAGE}",
                got="it is not installed here",
                expected="opensmile, whose licence allows research and personal use only",
                fix="pip install 'raysernas[opensmile]', or set features.functionals=own",
            )

    def summarise(self) -> Summarise:
        self.check()
        opensmile: Any = import_module(PACKAGE)
        level = opensmile.FeatureLevel.Functionals
        smile = opensmile.Smile(opensmile.FeatureSet[self.feature_set], level, num_workers=1)

        def summarise(wave: Samples) -> Float32Array:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Segment too short")
                found = smile.process_signal(wave, self.config.sample_rate_hz)
            return found.to_numpy(np.float32)[0]

        return summarise


@final
class EGeMaps(OpenSmile):
    """`features.functionals=egemaps`."""

    __slots__ = ()
    feature_set = "eGeMAPSv02"

    @property
    def width(self) -> int:
        return 88


@final
class ComParE(OpenSmile):
    """`features.functionals=compare`."""

    __slots__ = ()
    feature_set = "ComParE_2016"

    @property
    def width(self) -> int:
        return 6373
