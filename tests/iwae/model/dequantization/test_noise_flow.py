import math

import numpy as np
import pytest
import torch
from scipy import stats

from iwae.model.dequantization.noise_flow import Variational


def flow(num_pixels: int, *, moved: bool = True) -> Variational:
    """Float64, with every layer away from where it starts."""
    source = torch.Generator().manual_seed(num_pixels)
    made = Variational(num_pixels, source).double()
    if moved:
        with torch.no_grad():
            for parameter in made.parameters():
                parameter += 0.05 * torch.randn(parameter.shape, generator=source, dtype=torch.float64)
    return made


@pytest.mark.parametrize("num_pixels", [1, 2, 5])
def test_the_density_is_that_of_the_noise_over_a_numerical_jacobian(num_pixels: int) -> None:
    made = flow(num_pixels)
    source = torch.Generator().manual_seed(1)
    context = made.context(torch.rand(1, num_pixels, generator=source, dtype=torch.float64))
    noise = torch.randn(1, 1, num_pixels, generator=source, dtype=torch.float64)
    step = 1e-5
    with torch.no_grad():
        _, log_q = made.draw(noise, context)
        jacobian = np.empty((num_pixels, num_pixels))
        for i in range(num_pixels):
            shift = step * torch.eye(num_pixels, dtype=torch.float64)[i]
            above, below = (made.in_place(made.draw(noise + sign * shift, context)[0]) for sign in (1, -1))
            jacobian[:, i] = (above - below)[0, 0].numpy() / (2 * step)
    expected = stats.norm.logpdf(noise.numpy()).sum() - np.linalg.slogdet(jacobian)[1]
    assert log_q.item() == pytest.approx(expected, abs=1e-6)


def test_the_density_of_a_draw_is_found_again_from_where_it_lies() -> None:
    made = flow(7)
    source = torch.Generator().manual_seed(1)
    x = torch.rand(4, 7, generator=source, dtype=torch.float64)
    noise = torch.randn(3, 4, 7, generator=source, dtype=torch.float64)
    y, log_q = made.draw(noise, made.context(x))
    torch.testing.assert_close(made(y, x), log_q, rtol=1e-8, atol=1e-8)


def test_it_starts_uniform_whatever_the_image() -> None:
    made = flow(6, moved=False)
    source = torch.Generator().manual_seed(2)
    context = made.context(torch.rand(5, 6, generator=source, dtype=torch.float64))
    noise = torch.randn(2000, 5, 6, generator=source, dtype=torch.float64)
    with torch.no_grad():
        y, log_q = made.draw(noise, context)
    torch.testing.assert_close(log_q, torch.zeros(2000, 5, dtype=torch.float64), rtol=0, atol=1e-9)
    assert stats.kstest(made.in_place(y).flatten().numpy(), "uniform").pvalue > 1e-3


def test_it_stays_within_the_cell_where_float32_ends() -> None:
    made = Variational(3, torch.Generator().manual_seed(0))
    noise = torch.tensor([-9.0, 0.0, 9.0]).expand(1, 1, 3)
    with torch.no_grad():
        y, log_q = made.draw(noise, made.context(torch.rand(1, 3)))
    u = made.in_place(y)
    assert 0 <= u.min() < u.max() < 1
    assert math.isfinite(log_q.item())
