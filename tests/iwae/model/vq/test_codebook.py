"""The codebook against the formulas of van den Oord et al. 2017, computed by hand in NumPy."""

from typing import Literal

import numpy as np
import pytest
import scipy.stats
import torch
from scipy.spatial.distance import cdist
from torch import Tensor

from iwae.model.vq.codebook import DECAY, Codebook, perplexity

Kind = Literal["ema", "gradient"]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def vectors(number: int = 40, seed: int = 1) -> Tensor:
    return torch.randn(number, 3, generator=generator(seed), dtype=torch.float64)


def codebook(kind: Kind = "ema", revive_below: float = 0.0, num_codes: int = 5) -> Codebook:
    book = Codebook(num_codes, 3, kind, revive_below).double()
    book.start(vectors(seed=2), generator())
    return book


def test_code_is_the_nearest() -> None:
    book = codebook()
    expected = cdist(vectors().numpy(), book.codes.numpy()).argmin(1)
    assert book.nearest(vectors()).tolist() == expected.tolist()


def test_gradient_goes_straight_through_to_the_vectors() -> None:
    book, z = codebook("gradient"), vectors().requires_grad_()
    indices = book.nearest(z)
    quantized = book.quantize(z, indices)
    assert torch.equal(quantized, book.codes[indices])
    upstream = vectors(seed=3)
    (of_vectors,) = torch.autograd.grad(quantized, z, upstream)
    assert torch.equal(of_vectors, upstream)
    assert quantized.grad_fn is not None
    with pytest.raises(RuntimeError, match="not have been used in the graph"):
        torch.autograd.grad(book.quantize(z, indices), book.codes, upstream)


@pytest.mark.parametrize("kind", ["ema", "gradient"])
def test_losses_and_their_gradients_are_those_of_the_paper(kind: Kind) -> None:
    book, z, beta = codebook(kind), vectors().requires_grad_(), 0.25
    indices = book.nearest(z)
    loss = book.losses(z, indices, beta)
    codes = book.codes.detach()
    difference = (z - codes[indices]).detach()
    squared = difference.square().sum(1)
    torch.testing.assert_close(loss.detach(), (beta + (kind == "gradient")) * squared)
    trained = [z, *book.parameters()]
    of_vectors, *of_codes = torch.autograd.grad(loss.sum(), trained)
    torch.testing.assert_close(of_vectors, 2 * beta * difference)
    assert len(of_codes) == (kind == "gradient")
    for gradient in of_codes:
        expected = torch.stack([-2 * difference[indices == code].sum(0) for code in range(5)])
        torch.testing.assert_close(gradient, expected)


def test_moving_averages_follow_the_paper() -> None:
    book = codebook()
    start = book.codes.numpy().copy()
    codes, count, total = start, np.zeros(5), np.zeros((5, 3))  # N and m of appendix A.1
    for step in range(3):
        z = vectors(seed=10 + step)
        nearest = cdist(z.numpy(), codes).argmin(1)
        for code in range(5):
            chosen = z.numpy()[nearest == code]
            count[code] = DECAY * count[code] + (1 - DECAY) * len(chosen)
            total[code] = DECAY * total[code] + (1 - DECAY) * chosen.sum(0)
        codes = total / count[:, None]
        book.update(z, generator(step))
    np.testing.assert_allclose(book.codes, codes, rtol=1e-12)
    np.testing.assert_allclose(book.share, count / (1 - DECAY**3) / 40, rtol=1e-12)
    assert not np.allclose(book.codes, start, rtol=1e-3)


@pytest.mark.parametrize("kind", ["ema", "gradient"])
def test_dead_code_becomes_a_vector_of_the_minibatch(kind: Kind) -> None:
    book = codebook(kind, revive_below=0.1)
    with torch.no_grad():
        book.codes[2] = 1e3  # so far that nothing is near
        book.share[2] = 0.1 / 5
        if kind == "ema":
            book.mean[2] = book.codes[2] * book.share[2]
    book.update(vectors(), generator())
    torch.testing.assert_close(
        torch.cdist(book.codes[2:3], vectors()).min(), torch.zeros((), dtype=torch.float64)
    )
    assert float(book.share[2]) == pytest.approx(1 / 5)


def test_revival_is_the_same_from_the_same_generator() -> None:
    books = [codebook(revive_below=1.0) for _ in range(3)]
    for book, seed in zip(books, (4, 4, 5), strict=True):
        book.update(vectors(), generator(seed))
    assert torch.equal(books[0].codes, books[1].codes)
    assert not torch.equal(books[0].codes, books[2].codes)


def test_perplexity_is_exp_of_the_entropy() -> None:
    indices = torch.tensor([[0, 1, 1, 3], [3, 3, 0, 1]])
    expected = np.exp(scipy.stats.entropy([2, 3, 0, 3]))
    assert perplexity(indices, 4) == pytest.approx(expected, rel=1e-12)
    assert perplexity(torch.arange(7), 7) == pytest.approx(7)
    assert perplexity(torch.zeros(7, dtype=torch.int64), 7) == 1
