import hashlib
import pickle
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iwae.config import yaml
from iwae.config.catalogue import CATALOGUE
from iwae.config.data import DatasetName
from iwae.config.train import TrainConfig
from iwae.data.dataset import Dataset
from iwae.errors import ConfigError, NonFiniteError


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"objective": {"num_samples": 0}}, "objective.num_samples: 0 is not allowed: must be >= 1"),
        (
            {"objective": {"num_samples": 2.5}},
            "objective.num_samples: 2.5 is not allowed: must be a whole number",
        ),
        (
            {"objective": {"num_samples": True}},
            "objective.num_samples: true is not allowed: must be a whole number",
        ),
        (
            {"objective": {"name": "nvae"}},
            "objective.name: nvae is not allowed: must be one of vae, multi-sample-vae, iwae",
        ),
        ({"objective": {"num_sample": 5}}, "objective.num_sample: unknown key: did you mean num_samples?"),
        (
            {"objective": {"name": "vae", "free_bits": 0.1, "num_samples": 5}},
            "objective.free_bits: 0.1 is not allowed: must be 0 when num_samples > 1:"
            " free bits bound the ELBO only",
        ),
        (
            {"model": {"likelihood": "gaussian"}},
            "model.likelihood: gaussian is not allowed: must be bernoulli on binary data,"
            " or data.binarization none",
        ),
        (
            {"data": {"name": "mnist", "binarization": "none"}},
            "data.binarization: none is not allowed: must be dynamic, fixed or threshold:"
            " mnist has gray pixels and a Bernoulli likelihood needs 0 or 1",
        ),
        (
            {"data": {"name": "npz"}},
            "data.path: null is not allowed: must be the path of an .npz file when data.name is npz",
        ),
        (
            {"annealing": {"name": "linear", "warmup_epochs": 60}},
            "annealing.warmup_epochs: 60 is not allowed: must be <= num_epochs (50)",
        ),
        (
            {"annealing": {"name": "zigzag"}},
            "annealing.name: zigzag is not allowed: must be one of none, linear, cosine, sigmoid, cyclical",
        ),
        (
            {"annealing": {"name": "linear", "target": "entropy_weight"}, "objective": {"name": "vae"}},
            "annealing.target: entropy_weight is not allowed: must be beta when objective.name is vae:"
            " its KL is analytic",
        ),
        ({"optimizer": {"lr": float("nan")}}, "optimizer.lr: nan is not allowed: must be a finite number"),
        (
            {"optimizer": {"schedule": {"name": "stages", "epochs": [1, 3], "factors": [1.0, 0.5]}}},
            "optimizer.schedule.epochs: [1, 3] is not allowed: must be at least num_epochs (50) in all",
        ),
        (
            {"evaluation": {"snr_num_draws": 2}},
            "evaluation.snr_num_draws: 2 is not allowed: must be 0 (leave it out) or >= 3",
        ),
        ({"model": {"hidden_dims": [400, 0]}}, "model.hidden_dims[1]: 0 is not allowed: must be >= 1"),
    ],
)
def test_wrong_value_is_one_line_with_its_path_and_the_fix(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        TrainConfig.parse(values)
    assert str(caught.value) == message


def test_path_of_an_error_starts_where_the_caller_says() -> None:
    with pytest.raises(ConfigError, match=r"^base.batch_size: 0 is not allowed: must be >= 1$"):
        TrainConfig.parse({"batch_size": 0}, "base")


def test_key_is_the_hash_of_sorted_json_without_defaults() -> None:
    config = TrainConfig.parse({"seed": 3, "objective": {"num_samples": 50}, "device": "cpu", "threads": 2})
    by_hand = '{"objective":{"num_samples":50},"seed":3}'
    assert config.key == hashlib.sha256(by_hand.encode()).hexdigest()


def test_key_of_the_defaults_is_that_of_an_empty_object() -> None:
    assert TrainConfig().key == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


def test_key_does_not_see_values_written_out_that_equal_the_defaults() -> None:
    config = TrainConfig.parse({"objective": {"num_samples": 5}})
    assert TrainConfig.parse(config.to_dict()).key == config.key


def test_configuration_key_ignores_the_seed_and_nothing_else() -> None:
    first, second = (TrainConfig.parse({"seed": seed}) for seed in (1, 2))
    assert first.key != second.key
    assert first.configuration_key == second.configuration_key == TrainConfig().key
    assert TrainConfig.parse({"batch_size": 20}).configuration_key != TrainConfig().key


def test_digits_are_evaluated_with_defaults_of_their_own_that_the_record_shows() -> None:
    config = TrainConfig.parse({"data": {"name": "digits"}, "evaluation": {"num_samples": 7}})
    assert (config.evaluation.num_samples, config.evaluation.final_num_samples) == (7, 1000)
    assert TrainConfig().evaluation.final_num_samples == 5000


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"annealing": {"name": "cyclical", "cycles": 3, "ramp_share": 0.4}},
        {
            "optimizer": {
                "schedule": {"name": "stages", "epochs": [50], "factors": [1.0]},
                "betas": [0.9, 0.99],
            }
        },
        {"model": {"decoder_hidden_dims": [3, 4]}, "data": {"num_train": 10}},
    ],
)
def test_configuration_survives_yaml(values: dict[str, Any]) -> None:
    config = TrainConfig.parse(values)
    again = TrainConfig.from_yaml(config.to_yaml())
    assert again == config
    assert again.key == config.key


def test_flat_configuration_has_every_leaf_under_its_own_path() -> None:
    flat = TrainConfig().flat()
    assert flat["objective.num_samples"] == 1
    assert flat["optimizer.schedule.name"] == "constant"


def test_errors_survive_a_process_boundary() -> None:
    for error in (ConfigError("a.b", "0 is not allowed"), NonFiniteError(3, "kl", float("inf"))):
        assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_exponent_without_a_dot_is_a_number_and_true_is_not() -> None:
    assert TrainConfig.from_yaml("optimizer: {lr: 1e-3}").optimizer.lr == 1e-3
    with pytest.raises(ConfigError, match=r"optimizer.lr: true is not allowed: must be a number"):
        TrainConfig.from_yaml("optimizer: {lr: true}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: 1\nseed: 2", "line 2: the key 'seed' stands twice"),
        ("a: !!python/object/apply:os.system ['true']", "is not allowed: must be plain data"),
        ("a: [1, 2", "line 1: not valid YAML"),
        ("1: 2", "the key 1 must be text"),
    ],
)
def test_yaml_that_is_wrong_or_would_run_code_is_one_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        yaml.load(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


documents = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text("aé :#'\"-1e", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab1: ", max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(documents)
def test_documents_survive_being_written_and_read(document: Any) -> None:
    assert yaml.load(yaml.dump(document)) == document


def test_few_samples_are_never_more_than_the_final_ones():
    few = TrainConfig.parse({"evaluation": {"final_num_samples": 20}}).evaluation.few_num_samples
    assert few == 20
    digits = {"data": {"name": "digits"}, "evaluation": {"final_num_samples": 30}}
    assert TrainConfig.parse(digits).evaluation.few_num_samples == 30
    assert TrainConfig.parse({"data": {"name": "digits"}}).evaluation.few_num_samples == 50
    with pytest.raises(ConfigError, match=r"few_num_samples: 50 is not allowed: must be <= final_num_sam"):
        TrainConfig.parse({"evaluation": {"final_num_samples": 20, "few_num_samples": 50}})


def test_every_data_set_has_a_row_in_the_catalogue() -> None:
    assert list(CATALOGUE) == list(get_args(DatasetName))


def test_catalogue_says_what_the_digits_hold(digits: Dataset) -> None:
    facts = CATALOGUE["digits"]
    assert (facts.layout, facts.num_test) == (digits.layout, len(digits.test))
    assert (facts.num_train, facts.num_validation) == (
        len(digits.train) + len(digits.validation),
        len(digits.validation),
    )


def test_what_older_records_lack_is_written_only_where_it_is_not_at_its_default() -> None:
    plain = TrainConfig.parse({"objective": {"num_samples": 8}})
    chosen = TrainConfig.parse({"objective": {"num_samples": 8, "backward": {"name": "sparse"}}})
    for path in ("objective.backward.name", "data.order", "model.name"):
        assert path not in plain.flat()
        assert path in plain.flat(whole=True)
    assert chosen.flat()["objective.backward.name"] == "sparse"
    assert TrainConfig.from_yaml(plain.to_yaml()) == plain


def test_a_configuration_is_written_in_the_order_of_the_records_that_there_are() -> None:
    """Their artifacts are compared byte by byte."""
    model = TrainConfig.parse({"model": {"latent_dim": 3}}).to_dict()["model"]
    assert list(model) == [
        *("hidden_dims", "decoder_hidden_dims", "latent_dim", "activation"),
        *("likelihood", "observation_std", "init", "output_bias"),
    ]
