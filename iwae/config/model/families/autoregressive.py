"""AutoregressiveConfig: a VAE whose decoder also sees the pixels before a pixel."""

import itertools
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from iwae.config.layout import Layout
from iwae.config.limits import Width
from iwae.config.model.families.pixel_cnn import PixelCNNSize
from iwae.config.model.sizes import Floats, Flops
from iwae.config.model.vae import LatentPart


class AutoregressiveConfig(LatentPart):
    """A VAE with p(x|z) = Π_i p(x_i | x before i, z) (Gulrajani et al. 2017; Chen et al. 2017).

    The decoder drafts what the likelihood needs of every pixel; a masked network, told of the draft and of
    the pixels before, adds to it: a gated PixelCNN for images, a MADE for flat features. A decoder that sees
    much of x has little use for z, and ignores it; a small ``receptive_field`` leaves z more to say.

    Attributes:
        name: ``autoregressive``.
        receptive_field: what a pixel depends on beside z: in images so many rows above it and columns to
            either side, of flat features so many before it. 0: nothing, p(x|z) has independent pixels; null:
            everything before it.
        masked_features: width of the PixelCNN for each colour; MADE has the decoder's hidden widths.
        masked_layers: gated layers of the PixelCNN.
    """

    built_by: ClassVar[str] = "iwae.model.families.autoregressive:Autoregressive"

    name: Literal["autoregressive"]
    receptive_field: Annotated[int, Field(ge=0, le=10**6)] | None = 3
    masked_features: Width = 16
    masked_layers: Annotated[int, Field(ge=1, le=100)] = 4

    @property
    def packs(self) -> bool:
        """Not with a PixelCNN: batched convolutions take as long as each alone, or longer."""
        return False

    def pixel_cnn(self, layout: Layout) -> PixelCNNSize:
        """Of the PixelCNN, for images of this layout."""
        assert layout.image_shape is not None
        height, width, channels = layout.image_shape
        whole = max(height, width) - 1
        field = whole if self.receptive_field is None else min(self.receptive_field, whole)
        outputs = self.numbers_per_pixel
        return PixelCNNSize(
            channels, 1, outputs, self.masked_features, self.masked_layers, field, self.masked_features
        )

    def flops(self, layout: Layout) -> Flops:
        """A VAE's, and the masked network's for every sample."""
        encode, decode = super().flops(layout)
        return Flops(encode, decode + 2.0 * self._masked(layout)[0])

    def floats(self, layout: Layout) -> Floats:
        """A VAE's, and the masked network's."""
        floats = super().floats(layout)
        _, parameters, sample = self._masked(layout)
        return floats._replace(parameters=floats.parameters + parameters, sample=floats.sample + sample)

    def _masked(self, layout: Layout) -> tuple[int, int, int]:
        """Multiply-adds of a sample, parameters, and numbers of a sample that wait for the gradient."""
        if layout.image_shape is None:
            features, outputs = layout.num_pixels, self.numbers_per_pixel * layout.num_pixels
            hidden = self.decoder_widths
            layers = (features, *hidden, outputs)
            weights = sum(before * after for before, after in itertools.pairwise(layers))
            weights += outputs * (features + sum(hidden))  # the direct connections, and those from the draft
            return weights, weights + sum(layers[1:]), 2 * sum(layers[1:])
        size = self.pixel_cnn(layout)
        places = layout.num_pixels // size.channels
        # 3×3 weights, from the draft to the context map.
        draft = 9 * size.channels * size.outputs * size.context
        floats = places * (size.floats + 2 * size.context + 2 * size.channels * size.outputs)
        return places * (size.weights + draft), size.parameters + draft + size.context, floats
