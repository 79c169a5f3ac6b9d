"""What a sweep's trials are ranked by, where some of its models, or all of them, have no likelihood."""

from typing import Any

import pytest

from iwae.errors import ConfigError
from sweeps.spec.spec import SweepSpec

AUTOENCODER = {"name": "autoencoder", "hidden_dims": [16]}
ERROR = "val/reconstruction_mse_final"


def document(*models: dict[str, Any], **search: Any) -> dict[str, Any]:
    base = {"data": {"name": "digits"}, "objective": {"num_samples": 1}, "num_epochs": 20}
    space = {"model": {"grid": list(models)}}
    return {"name": "demo", "base": base, "search": {"space": space, **search}}


def test_models_without_a_likelihood_are_ranked_by_reconstruction() -> None:
    assert SweepSpec.parse(document(AUTOENCODER, metric=ERROR)).search.metric == ERROR
    with pytest.raises(
        ConfigError,
        match=rf"^search\.metric: val/nll_final is not allowed: must be {ERROR}: no model of this sweep has",
    ):
        SweepSpec.parse(document(AUTOENCODER))


def test_beside_models_with_a_likelihood_the_metric_is_the_likelihood() -> None:
    assert SweepSpec.parse(document({"name": "vae"}, AUTOENCODER)).search.metric == "val/nll_final"
    with pytest.raises(
        ConfigError, match=rf"^search\.metric: {ERROR} is not allowed: must be val/nll_final: vae has"
    ):
        SweepSpec.parse(document({"name": "vae"}, AUTOENCODER, metric=ERROR))


def test_no_scheduler_compares_a_likelihood_with_a_reconstruction_error() -> None:
    mixed = document({"name": "vae"}, AUTOENCODER)
    with pytest.raises(ConfigError, match=r"^search\.space: .* asha would compare"):
        SweepSpec.parse({**mixed, "scheduler": {"name": "asha"}})
    alone = document(AUTOENCODER, {**AUTOENCODER, "latent_dim": 5}, metric=ERROR)
    assert SweepSpec.parse({**alone, "scheduler": {"name": "asha"}}).scheduler.name == "asha"
