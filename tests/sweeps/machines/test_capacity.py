from typing import Any

import pytest

from iwae.errors import ConfigError
from sweeps.machines.capacity import Node, check_fits, waiting
from sweeps.spec.resources import Resources


def needed(**values: Any) -> Resources:
    return Resources(**values)


def test_a_trial_of_four_cpus_does_not_fit_on_two_nodes_of_two() -> None:
    check_fits(needed(cpus=2), [Node(2, 0), Node(2, 0)])
    with pytest.raises(ConfigError, match=r"resources.cpus: 4 .* must be <= 2, .*\(2 nodes of 2 CPUs\)"):
        check_fits(needed(cpus=4), [Node(2, 0), Node(2, 0)])


def test_cpus_and_gpus_must_be_on_the_same_node() -> None:
    nodes = [Node(8, 0), Node(2, 1)]
    check_fits(needed(cpus=2, gpus=1), nodes)
    with pytest.raises(
        ConfigError, match=r"resources: 4 CPUs and 1 GPU are not allowed together.*2 CPUs and 1"
    ):
        check_fits(needed(cpus=4, gpus=1), nodes)


def test_a_cluster_without_gpus_says_so() -> None:
    with pytest.raises(ConfigError, match=r"resources.gpus: 1 is not allowed: must be <= 0, the GPUs"):
        check_fits(needed(gpus=1), [Node(2, 0)])
    with pytest.raises(ConfigError, match=r"\(no node\)"):
        check_fits(needed(), [])


def test_a_trial_waits_while_every_node_that_fits_is_busy() -> None:
    busy, free, small = Node(4, 1, 4, 0), Node(4, 1, 4, 1), Node(1, 0, 1, 0)
    assert waiting(needed(cpus=2, gpus=1), [busy, small]) == (
        "a trial needs 2 CPUs and 1 GPU on one node; free now: 4 of 4 CPUs and 0 of 1 GPUs"
    )
    assert waiting(needed(cpus=2, gpus=1), [busy, free]) is None


def test_nodes_whose_use_is_not_known_are_not_said_to_be_busy() -> None:
    assert waiting(needed(cpus=2), [Node(2, 0)]) is None
