"""The front ends whose frames consist of layers, and the names of these layers; read without torch.

A front end without layers gives a map: the numbers of a frame have an order, as the bands of a spectrum do.
The numbers of a layer have none, so networks convolve such frames over time only, and which layer they read
is part of their architecture.
"""

from collections.abc import Callable

from raysernas.config.schema import FeaturesConfig

MIX = "mix"  # in place of a layer's name: all of them, mixed
LAYERS: dict[str, Callable[[FeaturesConfig], tuple[str, ...]]] = {
    "streams": lambda config: tuple(config.streams),
    "pretrained": lambda config: tuple(f"layer_{number}" for number in config.layers),
}


def layer_names(config: FeaturesConfig) -> tuple[str, ...]:
    """The names of the layers of a frame, in their order; none for a map."""
    return LAYERS[config.kind](config) if config.kind in LAYERS else ()
