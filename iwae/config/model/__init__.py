"""ModelConfig: which model is trained, one class a family."""

from typing import Annotated

from pydantic import Field

from iwae.config.model.families.autoencoder import AutoencoderConfig as AutoencoderConfig
from iwae.config.model.families.autoregressive import AutoregressiveConfig as AutoregressiveConfig
from iwae.config.model.families.conditional import ConditionalConfig as ConditionalConfig
from iwae.config.model.families.fitted import MixtureConfig as MixtureConfig
from iwae.config.model.families.fitted import PCAConfig as PCAConfig
from iwae.config.model.families.two_layer import TwoLayerConfig as TwoLayerConfig
from iwae.config.model.families.vq_vae import VQVAEConfig as VQVAEConfig
from iwae.config.model.likelihood import LikelihoodPart as LikelihoodPart
from iwae.config.model.likelihood import OutputBias as OutputBias
from iwae.config.model.networks import NetworksPart as NetworksPart
from iwae.config.model.part import Evidence as Evidence
from iwae.config.model.part import Likelihood as Likelihood
from iwae.config.model.part import ModelPart as ModelPart
from iwae.config.model.posterior import FlowPosterior as FlowPosterior
from iwae.config.model.posterior import GaussianPosterior as GaussianPosterior
from iwae.config.model.posterior import PosteriorConfig as PosteriorConfig
from iwae.config.model.prior import MixturePrior as MixturePrior
from iwae.config.model.prior import PriorConfig as PriorConfig
from iwae.config.model.prior import StandardNormalPrior as StandardNormalPrior
from iwae.config.model.prior import VampPrior as VampPrior
from iwae.config.model.sizes import Floats as Floats
from iwae.config.model.sizes import Flops as Flops
from iwae.config.model.vae import LatentPart as LatentPart
from iwae.config.model.vae import VAEConfig as VAEConfig
from iwae.config.part import default_name

# The registry: a new family is one more class in the union.
ModelConfig = Annotated[
    VAEConfig
    | ConditionalConfig
    | TwoLayerConfig
    | AutoregressiveConfig
    | VQVAEConfig
    | AutoencoderConfig
    | PCAConfig
    | MixtureConfig,
    Field(discriminator="name"),
    default_name("vae"),
]
