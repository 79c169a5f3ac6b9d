"""Which configurations train as one batched program: those that differ in scalars only. No PyTorch."""

import hashlib
import json

from iwae.config.objective import BoundConfig
from iwae.config.train import TrainConfig


def pack_key(config: TrainConfig) -> str | None:
    """What the members of a pack have in common, as SHA-256; None where a trial can only train alone.

    Members share data, model, objective and K, batch size, device and threads. They may differ in seed,
    learning rate and its schedule, Adam's other numbers, clipping, β, annealing, epochs and evaluation.

    Args:
        config: of one trial. It trains alone if its minibatch goes through in chunks, if its images are no
            terms of their own (free bits), if its backward pass is sparse, if its encoder is updated by
            itself, or if its model's family does not pack.
    """
    objective = config.objective
    sparse = isinstance(objective, BoundConfig) and objective.backward.name == "sparse"
    if config.chunk_size is not None or objective.needs_whole_minibatch or sparse:
        return None
    if objective.aggressive_encoder or not config.model.packs:
        return None
    shared = {
        **config.model_dump(mode="json", include={"data", "model", "batch_size", "device", "threads"}),
        "objective": objective.model_dump(mode="json", exclude={"beta"}),
        "optimizer": config.optimizer.name,
    }
    return hashlib.sha256(json.dumps(shared, sort_keys=True).encode()).hexdigest()
