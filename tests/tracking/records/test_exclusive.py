from support.hand_made import planned, probe
from tracking.records.exclusive import machine_kind, merged, shape_of


def test_a_shape_is_what_a_step_costs_and_nothing_else():
    config = planned(5).config
    for other in ({"seed": 7}, {"num_epochs": 9}, {"annealing": {"name": "linear", "warmup_epochs": 2}}):
        assert shape_of(config.model_validate({**config.to_dict(), **other})) == shape_of(config)
    for other in ({"objective": {"num_samples": 6}}, {"batch_size": 50}):
        assert shape_of(config.model_validate({**config.to_dict(), **other})) != shape_of(config)


def test_of_a_fit_in_closed_form_it_is_also_the_epochs_that_share_its_seconds():
    config = planned(1).config
    for model, differs in (({"name": "pca"}, True), ({"name": "mixture"}, False)):
        values = {**config.to_dict(), "model": model, "data": {"name": "digits", "binarization": "none"}}
        one, other = (config.parse({**values, "num_epochs": number}) for number in (5, 9))
        assert (shape_of(one) != shape_of(other)) is differs


def test_a_kind_of_machine_is_a_gpu_or_a_cpu_with_its_threads():
    assert machine_kind({"cpu": "EPYC", "threads": 1, "gpu": None}) == "EPYC, 1 thread"
    assert machine_kind({"cpu": "EPYC", "threads": 2}) == "EPYC, 2 threads"
    assert machine_kind({"cpu": "EPYC", "threads": 2, "gpu": "H100"}) == "H100"
    assert machine_kind({}) == ""


def test_a_newer_probe_takes_the_place_of_one_of_the_same_shape_and_machine():
    old, other, new = probe(planned(1), 0.01), probe(planned(5), 0.02), probe(planned(1), 0.03)
    elsewhere = probe(planned(1), 0.04, "another")
    assert merged([old, other], [new, elsewhere]) == (new, other, elsewhere)
