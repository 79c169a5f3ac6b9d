"""What it costs to make bytes continuous."""

from typing import NamedTuple

# Of q(u|x): hidden units of every network, and coupling layers.
HIDDEN = 64
COUPLINGS = 2


class DequantizationCost(NamedTuple):
    """What is added to a model's cost.

    Attributes:
        encode: floating-point operations of an image.
        decode: of a sample.
        parameters: numbers.
        image: numbers in memory for an image.
        sample: for a sample.
        noise: standard normal numbers of a sample.
    """

    encode: float
    decode: float
    parameters: int
    image: int
    sample: int
    noise: int


def couplings(num_pixels: int) -> int:
    """Coupling layers: a single pixel has no other one to be conditioned on."""
    return COUPLINGS if num_pixels > 1 else 0


def dequantization_cost(kind: str, num_pixels: int) -> DequantizationCost:
    """Of one image or sample of ``num_pixels`` pixels; ``kind`` as in ``DataConfig.dequantization``."""
    if kind == "none":
        return DequantizationCost(0, 0, 0, 0, 0, 0)
    if kind == "uniform":  # the uniform numbers and the intensities
        return DequantizationCost(0, 0, 0, 0, 2 * num_pixels, num_pixels)
    context = num_pixels * HIDDEN + HIDDEN + HIDDEN * 2 * num_pixels + 2 * num_pixels
    multiply_adds, parameters = 0, context
    for coupling in range(couplings(num_pixels)):
        given = (num_pixels + 1) // 2 if coupling % 2 == 0 else num_pixels // 2
        changed = num_pixels - given
        multiply_adds += (given + 2 * changed) * HIDDEN
        parameters += (given + 1 + HIDDEN + 1) * HIDDEN + (HIDDEN + 1) * 2 * changed
    encode = 2.0 * (3 * num_pixels * HIDDEN + COUPLINGS * HIDDEN * HIDDEN)
    image = 3 * num_pixels + (1 + COUPLINGS) * HIDDEN
    # Base, logarithms of densities, and of every coupling its inputs, scales, shifts and hidden units.
    sample = 8 * num_pixels + COUPLINGS * (3 * num_pixels + 2 * HIDDEN)
    return DequantizationCost(encode, 2.0 * multiply_adds, parameters, image, sample, num_pixels)
