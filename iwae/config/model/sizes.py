"""What a model costs, told from its configuration."""

from typing import NamedTuple


class Flops(NamedTuple):
    """Floating-point operations of a forward pass, two a multiply-add.

    Attributes:
        encode: of one image through the encoder.
        decode: of one sample of its latents through the decoder.
    """

    encode: float
    decode: float


class Floats(NamedTuple):
    """Numbers in memory during a training step.

    Attributes:
        parameters: of the model.
        image: activations of one image in the encoder, with their gradients.
        sample: activations of one sample of an image in the decoder, with the gradients that are there at
            the same time.
        noise: standard normal numbers of one sample of an image.
    """

    parameters: int
    image: int
    sample: int
    noise: int
