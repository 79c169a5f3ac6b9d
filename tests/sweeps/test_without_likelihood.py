"""A sweep of models with and without a likelihood, fitted and trained, as a user runs it."""

from pathlib import Path

import pytest

from support.workplace import Workplace
from sweeps.results.log import sweep_lines
from sweeps.status import status_json

pytestmark = pytest.mark.service

SPEC = """
name: small
base:
  data: {name: mixture-2d, binarization: none, num_train: 300, num_validation: 50}
  model: {likelihood: gaussian}
  objective: {num_samples: 1}
  num_epochs: 2
  evaluation: {num_samples: 5, final_num_samples: 100, final_num_images: 50, few_num_samples: 5}
search:
  space:
    model:
      grid:
        - {name: mixture, num_components: 3}
        - {name: pca, latent_dim: 1}
        - {name: autoencoder, hidden_dims: [4], latent_dim: 1, likelihood: gaussian}
checkpoint_every: 0.001
"""


def test_every_trial_ends_is_recorded_and_comes_out_the_same_again(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    place.spec.write_text(SPEC)
    result = place.json("run", place.spec)
    assert result["trials"] == {"COMPLETE": 3}
    assert place.json("verify", "small") == {"ok": True, "faults": []}
    # The likelihood ranks, and only the mixture has one; what it was drawn from is known.
    trials = {trial.config.model.name: trial for trial in place.storage().record().trials}
    best = trials["mixture"].final
    assert best is not None
    assert result["best"]["val_nll_final"] == best["val/nll_final"]
    assert best["test/nll"] - best["test/true_nll"] == pytest.approx(0.1, abs=0.1)
    assert status_json(place.storage())["best_trial"]["trial_key"] == trials["mixture"].key
    lines = "\n".join(map(str, sweep_lines(place.storage().record())))
    for name in ("pca", "autoencoder"):
        final = trials[name].final
        assert final is not None
        assert not [metric for metric in final if "/nll" in metric]
        error = final["val/reconstruction_mse_final"]
        assert f"final val reconstruction error {error:.4g}" in lines
