"""ObjectiveConfig: what is maximized, and by which gradient estimator; one class an estimator."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from iwae.config.limits import MAX_SAMPLES, Count
from iwae.config.part import Part, PartError, default_name


class ObjectivePart(Part):
    """What every objective has. A class of its own gives ``name`` its values, and says what builds it.

    Attributes:
        num_samples: K, the importance samples of a training step.
        beta: constant weight of log p(z) − log q(z|x) (of the KL, for ``vae``); annealing ends at it.
    """

    built_by: ClassVar[str]

    name: str
    num_samples: int = Field(default=1, ge=1, le=MAX_SAMPLES)
    beta: float = Field(default=1.0, ge=0)

    @property
    def needs_whole_minibatch(self) -> bool:
        """Whether a minibatch in chunks would be another objective."""
        return False

    @property
    def reads_device(self) -> bool:
        """Whether a step needs a number that only the device has: it is then no CUDA graph."""
        return False

    @property
    def aggressive_encoder(self) -> bool:
        """Whether the encoder is updated by itself between steps."""
        return False

    @property
    def needs_analytic_kl(self) -> bool:
        """Whether it is made of KL(q(z|x) ‖ p(z)) in closed form."""
        return False

    @property
    def backward_samples(self) -> int:
        """Samples of an image that go through the backward pass; the most where it varies."""
        return self.num_samples

    def check_run(self, annealed: str, chunk_size: int | None) -> None:
        """Refuses a run that this objective cannot be trained in.

        Args:
            annealed: what the annealing weighs, ``beta`` or ``entropy_weight``.
            chunk_size: images of a forward pass; None is the whole minibatch.

        Raises:
            PartError: its path is one of the whole configuration.
        """


DEFAULT_KEPT = 4


class DenseBackward(Part):
    """Every sample takes part in the backward pass."""

    name: Literal["dense"] = "dense"


class SparseBackward(Part):
    """An unbiased estimate of the IWAE gradient from the few samples that hold most of the weight.

    All K samples are weighed without a graph. The heaviest go through the backward pass with their own
    weights, and one more, drawn from the rest in proportion to its weight, stands for the rest's whole weight
    (Burda et al. 2016, §3, has the case of one sample). With ``num_kept`` = K it is the gradient itself.

    Attributes:
        num_kept: M, the samples of an image that go through the backward pass; 4 where neither is given.
        mass: in place of ``num_kept``: M is chosen at every step so that the heaviest M − 1 hold this share
            of the weight, averaged over the minibatch's images. Reads M from the device at every step.
    """

    name: Literal["sparse"]
    num_kept: int | None = Field(default=None, ge=1, le=MAX_SAMPLES)
    mass: float | None = Field(default=None, gt=0, lt=1)

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        if self.num_kept is not None and self.mass is not None:
            raise PartError("mass", self.mass, "null when num_kept is set")
        return self

    @property
    def count(self) -> int | None:
        """M, where it is the same at every step."""
        return None if self.mass is not None else self.num_kept or DEFAULT_KEPT


BackwardConfig = Annotated[DenseBackward | SparseBackward, Field(discriminator="name"), default_name("dense")]


class NoAggression(Part):
    """Encoder and decoder are updated together."""

    name: Literal["off"] = "off"


class AggressiveEncoder(Part):
    """The encoder is updated by itself before every step of the decoder, until that stops to help.

    As long as the mutual information of x and z on validation data rises from epoch to epoch (He et al. 2019,
    algorithm 1): a decoder that is ahead of its encoder learns to do without the code. Every update takes
    about as long as a step.

    Attributes:
        most_updates: of the encoder, before a step.
        check_every: updates between two looks at the objective; it ends when the mean over these updates is
            no higher than over those before.
    """

    name: Literal["until-mi-stalls"]
    most_updates: Count = 100
    check_every: Count = 10


AggressiveConfig = Annotated[
    NoAggression | AggressiveEncoder, Field(discriminator="name"), default_name("until-mi-stalls")
]


class BoundConfig(ObjectivePart):
    """A bound on log p(x), by its own gradient through the reparameterized samples.

    Attributes:
        name: ``vae`` is the ELBO with the analytic KL, ``multi-sample-vae`` the average of the K logs,
            ``iwae`` the log of the average (Burda et al. 2016, eq. 8).
        num_samples: K, the importance samples of a training step.
        beta: constant weight of log p(z) − log q(z|x) (of the KL, for ``vae``); annealing ends at it.
        free_bits: λ in nats per latent dimension: Σ_d max(λ, batch-mean KL_d) (Kingma et al. 2016).
        backward: which samples the gradient is computed from; ``sparse`` for ``iwae`` alone.
        aggressive: whether the encoder is updated by itself before every step, against posterior collapse.
    """

    built_by: ClassVar[str] = "iwae.objectives.bound_objective:BoundObjective"
    later: ClassVar[frozenset[str]] = frozenset({"backward", "aggressive"})

    name: Literal["vae", "multi-sample-vae", "iwae"] = "iwae"
    free_bits: float = Field(default=0.0, ge=0)
    backward: BackwardConfig = DenseBackward()
    aggressive: AggressiveConfig = NoAggression()

    @model_validator(mode="after")
    def _few_samples_hold_the_weight(self) -> Self:
        if self.backward.name == "sparse" and self.name != "iwae":
            raise PartError(
                "backward.name",
                "sparse",
                f"dense when name is {self.name}: its K weights are equal, so take fewer num_samples",
            )
        return self

    @model_validator(mode="after")
    def _free_bits_are_for_the_elbo(self) -> Self:
        if self.free_bits > 0 and self.num_samples > 1:
            raise PartError(
                "free_bits", self.free_bits, "0 when num_samples > 1: free bits bound the ELBO only"
            )
        if self.free_bits > 0 and self.name != "vae":
            raise PartError("free_bits", self.free_bits, "0 unless name is vae: they need the analytic KL")
        return self

    @property
    def needs_whole_minibatch(self) -> bool:
        """With free bits, for the mean KL; with ``backward.mass``, for the number of samples."""
        return self.free_bits > 0 or self._counts_samples

    @property
    def aggressive_encoder(self) -> bool:
        """As ``aggressive`` says."""
        return isinstance(self.aggressive, AggressiveEncoder)

    @property
    def reads_device(self) -> bool:
        """For the number of kept samples with ``backward.mass``, for the objective with ``aggressive``."""
        return self._counts_samples or self.aggressive_encoder

    @property
    def _counts_samples(self) -> bool:
        return getattr(self.backward, "mass", None) is not None

    @property
    def needs_analytic_kl(self) -> bool:
        """For ``vae``, and so for free bits."""
        return self.name == "vae"

    @property
    def backward_samples(self) -> int:
        """M of a sparse backward pass, at most K."""
        kept = self.backward.count if isinstance(self.backward, SparseBackward) else None
        return min(self.num_samples, kept or self.num_samples)

    def check_run(self, annealed: str, chunk_size: int | None) -> None:
        """The analytic KL has no entropy to weigh apart."""
        if self.name == "vae" and annealed != "beta":
            raise PartError(
                "annealing.target", annealed, "beta when objective.name is vae: its KL is analytic"
            )
        if chunk_size is not None and self.needs_whole_minibatch:
            why = (
                "free bits: they need the minibatch's mean KL"
                if self.free_bits > 0
                else "backward.mass: the number of kept samples is the minibatch's"
            )
            raise PartError("chunk_size", chunk_size, f"null with {why}")


# The registry: a new estimator is one more class in the union.
ObjectiveConfig = Annotated[BoundConfig, Field(discriminator="name"), default_name("iwae")]
