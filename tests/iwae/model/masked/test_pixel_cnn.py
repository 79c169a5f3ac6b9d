"""Gated PixelCNN: what a pixel depends on, and that drawing follows the forward pass."""

import itertools

import pytest
import torch
from torch import Tensor

from iwae.config.model.families.pixel_cnn import PixelCNNSize
from iwae.model.masked.layers import initialize_uniform
from iwae.model.masked.pixel_cnn import PixelCNN


def network(context: int = 2, **sizes: int) -> PixelCNN:
    shape = {"channels": 1, "inputs": 1, "outputs": 1, "features": 12, "layers": 2, "receptive_field": 2}
    built = PixelCNN(PixelCNNSize(context=context, **(shape | sizes)))
    initialize_uniform(built, torch.Generator().manual_seed(1))
    return built.double()


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def dependence(net: PixelCNN, channels: int, height: int, width: int) -> Tensor:
    """Whether output i depends on input j, bool ``[X, X]``, pixels in H, W, C order."""
    x = noise(1, channels, height, width)

    def outputs(x: Tensor) -> Tensor:
        found: Tensor = net(x, noise(1, 2, height, width))
        return found

    jacobian = torch.autograd.functional.jacobian(outputs, x)[0, :, :, :, 0]  # [C, H, W, C, H, W]
    size = channels * height * width
    return jacobian.permute(1, 2, 0, 4, 5, 3).reshape(size, size) != 0


@pytest.mark.parametrize(("layers", "field"), [(1, 1), (2, 1), (2, 3), (3, 2), (2, 5)])
def test_pixel_depends_on_exactly_the_window_before_it(layers: int, field: int) -> None:
    height, width = 4, 5
    found = dependence(network(layers=layers, receptive_field=field), 1, height, width)
    places = list(itertools.product(range(height), range(width)))
    expected = [
        [(a, b) < (i, j) and i - a <= field and abs(j - b) <= field for a, b in places] for i, j in places
    ]
    assert torch.equal(found, torch.tensor(expected))


def test_channel_depends_on_the_channels_before_it_and_the_window() -> None:
    found = dependence(network(channels=3), 3, 3, 3)
    places = list(itertools.product(range(3), range(3), range(3)))
    expected = [[before < here and abs(here[1] - before[1]) <= 2 for before in places] for here in places]
    assert torch.equal(found, torch.tensor(expected))


@pytest.mark.parametrize("channels", [1, 3])
def test_nothing_is_seen_in_a_field_of_zero(channels: int) -> None:
    assert not dependence(network(channels=channels, receptive_field=0), channels, 3, 3).any()


def test_context_reaches_every_pixel_from_its_own_place_on() -> None:
    context = noise(1, 2, 3, 3).requires_grad_()
    output = network()(noise(1, 1, 3, 3), context)
    for row, column in itertools.product(range(3), range(3)):
        (gradient,) = torch.autograd.grad(output[0, 0, row, column], context, retain_graph=True)
        assert (gradient[0, :, row, column] != 0).all()


def test_every_context_gives_what_it_gives_alone() -> None:
    net, x, context = network(), noise(2, 1, 3, 4), noise(6, 2, 3, 4)
    together = net(x, context)
    alone = [net(x[i % 2][None], context[i][None]) for i in range(6)]
    torch.testing.assert_close(together, torch.cat(alone))


@pytest.mark.parametrize(("channels", "inputs", "outputs"), [(1, 1, 1), (3, 1, 2), (1, 4, 4)])
def test_drawing_sees_what_the_forward_pass_sees(channels: int, inputs: int, outputs: int) -> None:
    net = network(channels=channels, inputs=inputs, outputs=outputs, layers=3)
    context, values, said = noise(2, 2, 4, 5), noise(60, 2, inputs), []

    def choose(numbers: Tensor) -> Tensor:
        said.append(numbers)
        return values[len(said) - 1]

    x = net.draw((2, 4, 5), context, choose)
    forward = net(x, context).unflatten(1, (channels, outputs))  # [N, C, n, H, W]
    torch.testing.assert_close(torch.stack(said, 1), forward.permute(0, 3, 4, 1, 2).flatten(1, 3))
    drawn = x.unflatten(1, (channels, inputs)).permute(0, 3, 4, 1, 2).flatten(1, 3)
    assert torch.equal(drawn, values[: len(said)].transpose(0, 1))


def test_probabilities_of_all_images_sum_to_one() -> None:
    images = torch.tensor(list(itertools.product((0.0, 1.0), repeat=9)), dtype=torch.float64)
    net = network()
    logits = net(images.view(-1, 1, 3, 3), noise(1, 2, 3, 3).expand(512, -1, -1, -1)).flatten(1)
    log_p = torch.distributions.Bernoulli(logits=logits).log_prob(images).sum(1)
    assert log_p.exp().sum().item() == pytest.approx(1, abs=1e-12)
    assert log_p.std() > 0.1
