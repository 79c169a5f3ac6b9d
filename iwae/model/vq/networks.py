"""From pixels to a grid of vectors and back (van den Oord et al. 2017, §4.1).

Images: strided convolutions, two residual blocks, and the same mirrored. Flat features, or ``mlp``: dense
layers to a row of vectors.
"""

from torch import Tensor, nn
from torch.nn.functional import pad

from iwae.config.layout import Layout
from iwae.config.model.families.vq_vae import RESIDUAL_BLOCKS, VQVAEConfig
from iwae.model.layers import ACTIVATIONS, dense


def encoder_network(config: VQVAEConfig, layout: Layout) -> nn.Module:
    """``[B, X]`` -> ``[B, H' W', E]``: a vector for each place of the grid, row by row; values unset."""
    if config.networks == "mlp":
        places = config.num_positions
        layers = dense(
            (layout.num_pixels, *config.hidden_dims, places * config.latent_dim), ACTIVATIONS["relu"]
        )
        return nn.Sequential(*layers, nn.Unflatten(-1, (places, config.latent_dim)))
    return _ConvEncoder(config, layout)


def decoder_network(config: VQVAEConfig, layout: Layout) -> nn.Module:
    """``[B, H' W', E]`` -> ``[B, n X]``: the first numbers of all pixels, then the second; values unset."""
    if config.networks == "mlp":
        places = config.num_positions
        widths = (
            places * config.latent_dim,
            *config.hidden_dims[::-1],
            config.numbers_per_pixel * layout.num_pixels,
        )
        return nn.Sequential(nn.Flatten(-2), *dense(widths, ACTIVATIONS["relu"]))
    return _ConvDecoder(config, layout)


class _ConvEncoder(nn.Module):
    def __init__(self, config: VQVAEConfig, layout: Layout) -> None:
        super().__init__()
        assert layout.image_shape is not None
        self._shape = layout.image_shape
        height, width = config.grid(layout)
        size = 2**config.downsamplings
        self._margin = (0, width * size - self._shape[1], 0, height * size - self._shape[0])
        channels, inputs = config.channels, self._shape[2]
        layers: list[nn.Module] = []
        for index in range(config.downsamplings):
            layers += [_conv(channels if index else inputs, channels, 4, stride=2), nn.ReLU()]
        layers += [_conv(channels, channels, 3)]
        layers += [_Residual(channels) for _ in range(RESIDUAL_BLOCKS)]
        self.layers = nn.Sequential(*layers, nn.ReLU(), _conv(channels, config.latent_dim, 1))

    def forward(self, x: Tensor) -> Tensor:
        image = x.view(-1, *self._shape).permute(0, 3, 1, 2)  # [B, H, W, C] -> [B, C, H, W]
        vectors: Tensor = self.layers(pad(image, self._margin))
        return vectors.flatten(2).mT  # [B, E, H' W'] -> [B, H' W', E]


class _ConvDecoder(nn.Module):
    def __init__(self, config: VQVAEConfig, layout: Layout) -> None:
        super().__init__()
        assert layout.image_shape is not None
        self._shape, self._grid, self._numbers = (
            layout.image_shape,
            config.grid(layout),
            config.numbers_per_pixel,
        )
        channels, outputs = config.channels, self._numbers * self._shape[2]
        layers: list[nn.Module] = [_conv(config.latent_dim, channels, 3)]
        layers += [_Residual(channels) for _ in range(RESIDUAL_BLOCKS)]
        for index in range(config.downsamplings, 0, -1):
            layers += [nn.ReLU(), _transposed(channels, channels if index > 1 else outputs)]
        self.layers = nn.Sequential(*layers)

    def forward(self, codes: Tensor) -> Tensor:
        height, width, channels = self._shape
        whole: Tensor = self.layers(codes.mT.reshape(len(codes), -1, *self._grid))
        image = whole[..., :height, :width].reshape(-1, self._numbers, channels, height, width)
        return image.permute(0, 1, 3, 4, 2).flatten(1)  # [B, n, H, W, C] -> [B, n X]


class _Residual(nn.Module):
    """``x`` + ReLU, 3×3, ReLU, 1×1 of it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReLU(), _conv(channels, channels, 3), nn.ReLU(), _conv(channels, channels, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        residual: Tensor = self.layers(x)
        return x + residual


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Module:
    # skip_init: the layer's own initialization would draw from torch's global generator.
    conv: nn.Module = nn.utils.skip_init(  # type: ignore[no-untyped-call]
        nn.Conv2d, inputs, outputs, kernel, stride=stride, padding=(kernel - 1) // 2
    )
    return conv


def _transposed(inputs: int, outputs: int) -> nn.Module:
    conv: nn.Module = nn.utils.skip_init(  # type: ignore[no-untyped-call]
        nn.ConvTranspose2d, inputs, outputs, 4, stride=2, padding=1
    )
    return conv
