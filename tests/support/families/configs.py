"""A tiny configuration of every family of models, which the tests of all families run through."""

from typing import Any

from iwae.config.train import TrainConfig

_GRAY = {"data": {"binarization": "none"}, "model": {"likelihood": "gaussian"}}
_ONE_SAMPLE = {"objective": {"num_samples": 1}}
_FITTED = {"data": {"binarization": "none"}, **_ONE_SAMPLE}
_VQ_VAE = {
    "name": "vq-vae",
    "num_codes": 8,
    "latent_dim": 4,
    "channels": 8,
    "prior_features": 4,
    "prior_layers": 2,
}

# By name, what differs from ``tiny``.
FAMILIES: dict[str, dict[str, Any]] = {
    "vae": {},
    "vae-gaussian": _GRAY,
    "conditional": {"model": {"name": "conditional", "hidden_dims": [16], "latent_dim": 4}},
    "two-layer": {
        "model": {
            "name": "two-layer",
            "hidden_dims": [16],
            "first_latent_dim": 5,
            "latent_hidden_dims": [8],
            "latent_dim": 3,
        }
    },
    "vae-conv": {"model": {"networks": "conv", "hidden_dims": [4, 6]}},
    "vae-fixed-std": {"model": {"posterior": {"std": 0.5}}},
    "vae-flow": {"model": {"posterior": {"name": "flow", "hidden": [6], "auxiliary": False}}},
    "vae-flow-auxiliary": {"model": {"posterior": {"name": "flow", "hidden": [6, 5]}}},
    "vae-bytes": {
        "data": {"binarization": "none"},
        "model": {
            "likelihood": "discretized-logistic",
            "logistic_scale": "predicted",
            "prior": {"name": "mixture", "components": 3},
        },
    },
    "vae-dequantized": {
        "data": {"binarization": "none", "dequantization": "variational"},
        "model": {
            "likelihood": "gaussian",
            "observation_std": "learned-per-feature",
            "prior": {"name": "vampprior", "pseudo_inputs": 5},
        },
    },
    "autoencoder": {"model": {"name": "autoencoder", "hidden_dims": [16], "latent_dim": 4}, **_ONE_SAMPLE},
    "pca": {"model": {"name": "pca", "latent_dim": 4}, **_FITTED},
    "probabilistic-pca": {"model": {"name": "pca", "latent_dim": 4, "probabilistic": True}, **_FITTED},
    "mixture": {"model": {"name": "mixture", "num_components": 4, "min_variance": 1e-3}, **_FITTED},
    "autoregressive": {
        "model": {
            "name": "autoregressive",
            "hidden_dims": [16],
            "latent_dim": 4,
            "masked_features": 4,
            "masked_layers": 2,
        },
    },
    "vq-vae": {"model": _VQ_VAE, **_ONE_SAMPLE},
    "vq-vae-dense": {
        "model": {**_VQ_VAE, "networks": "mlp", "hidden_dims": [16], "codebook": "gradient"},
        **_ONE_SAMPLE,
    },
}

# The same of data that are no images.
FLOATS: dict[str, dict[str, Any]] = {
    "vae-floats": {
        "data": {"name": "breast-cancer", "binarization": "none", "scaling": "standardize"},
        "model": {"likelihood": "gaussian", "observation_std": "learned-per-feature"},
    }
}


def tiny(name: str, **parts: Any) -> TrainConfig:
    """A run of a family on some of the digits or on its own data; a part here is merged into its own."""
    values: dict[str, Any] = {
        "data": {"name": "digits", "num_train": 150},
        "model": {"hidden_dims": [16], "latent_dim": 4},
        "objective": {"num_samples": 3},
        "batch_size": 40,
        "num_epochs": 2,
        "evaluation": {
            "num_samples": 10,
            "num_images": 30,
            "final_num_samples": 20,
            "final_num_images": 30,
            "few_num_samples": 5,
            "snr_num_draws": 4,
        },
        "device": "cpu",
    }
    for part in ({**FAMILIES, **FLOATS}[name], parts):
        for key, value in part.items():
            known = values.get(key)
            both = isinstance(known, dict) and isinstance(value, dict)
            # A part of another name starts from nothing: other families have other fields.
            fresh = both and "name" in value and key == "model"
            values[key] = {**known, **value} if both and not fresh else value
    return TrainConfig.parse(values)
