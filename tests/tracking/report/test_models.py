"""A sweep of models: which one, what its number is, and what never stands in one table."""

import csv
import json

import pytest

from tracking.analysis.analysis import analyse
from tracking.analysis.configurations import tables
from tracking.analysis.two_sweeps.comparison import compare_sweeps
from tracking.analysis.winner import best
from tracking.errors import RecordError
from tracking.report.charts.axes import axis_of
from tracking.report.charts.first.ladder import ladder
from tracking.report.report import write_report
from tracking.report.words.headline import headline
from tracking.runs.answer import answer_metrics

WITH, WITHOUT = slice(0, 4), slice(4, 6)


@pytest.fixture(scope="module")
def analysed():
    from support.factory import Factory

    record = Factory().models()
    return [analyse(table) for table in tables(record)]


def shifted(make, gaps, seeds=(0, 1, 2), noise=0.02):
    """Models with the given NLLs; seeds differ by ``noise``."""
    record = make.models(seeds, slice(0, len(gaps)))
    values = [value + noise * seed for value in gaps for seed in range(len(seeds))]
    trials = [
        make.trial(
            trial.plan.overrides,
            trial.config.seed,
            index=index,
            base={"data": {"name": "digits", "binarization": "none"}, "objective.num_samples": 1},
            final={"val/nll_final": value, "test/nll": value},
        )
        for index, (trial, value) in enumerate(zip(record.trials, values, strict=True))
    ]
    return make.record(trials, "models")


def words(make, gaps, **more):
    (analysis,) = map(analyse, tables(shifted(make, gaps, **more)))
    return headline(analysis)


def test_models_without_a_likelihood_have_a_table_of_their_own(analysed):
    names = [{kind.label for kind in one.kinds} for one in analysed]
    assert names == [
        {"vae", "vae with flow posterior", "probabilistic pca", "mixture"},
        {"pca", "autoencoder"},
    ]
    assert [one.table.score.is_likelihood for one in analysed] == [True, False]


def test_the_best_of_a_sweep_is_one_with_a_likelihood_where_there_is_any(make):
    mixed, without = make.models(), make.models(which=WITHOUT)
    assert best(mixed).score.is_likelihood
    assert best(without).val_nll_final is None
    assert best(without).value == pytest.approx(0.03 / 20**0.5, rel=0.01)
    assert "best/val_nll_final" in answer_metrics(mixed)
    assert "best/val_reconstruction_mse" in answer_metrics(without)
    assert "best/val_nll_final" not in answer_metrics(without)


def test_sweeps_of_nlls_and_of_reconstruction_errors_are_not_compared(make):
    with pytest.raises(
        RecordError, match="what is measured is NLL of a density in models and reconstruction"
    ):
        compare_sweeps(make.models(which=WITH), make.models(which=WITHOUT))


def test_the_first_sentence_names_the_model_and_how_sure_that_is(make):
    clear = words(make, [90.0, 80.0, 95.0])
    assert clear[0].startswith(
        "Use vae with flow posterior: of 3 models it has the lowest validation NLL, 80.02"
    )
    assert clear[0].endswith("separable from every other.")
    near = words(make, [80.01, 80.0, 95.0])
    assert near[0].endswith("80.02 nats; vae is not separable from it.")
    alone = words(make, [90.0, 80.0], seeds=(0,))
    assert alone[0].endswith("with one seed each, other seeds may change the order.")
    assert not any("which K" in sentence for sentence in (*clear, *near, *alone))


def test_exact_likelihoods_are_told_from_estimates(make):
    said = next(one for one in words(make, [90.0, 80.0, 95.0, 99.0]) if one.startswith("What the NLLs are"))
    assert "those of probabilistic pca and mixture are exact" in said
    assert "are estimates from above, −L at 1,000 samples" in said
    assert not any(one.startswith("What the NLLs are") for one in words(make, [90.0, 80.0]))


def test_known_data_say_how_far_the_best_is_from_the_truth(make):
    record = make.models(which=WITH, final={"val/true_nll_final": 80.0})
    said = " ".join(headline(analyse(tables(record)[0])))
    assert "its NLL on these items is 80.00 nats" in said
    assert "above it" in said


def test_models_are_no_axis_of_k(analysed):
    for one in analysed:
        axis = axis_of(one)
        assert axis.path is None
        assert len(axis.rows) == len(one.kinds)


def test_the_picture_has_a_line_a_model_with_the_best_on_top(analysed):
    drawn = ladder(analysed[0], None, 600)
    assert [one.label for one in drawn.rungs] == [kind.label for kind in analysed[0].kinds]
    assert {one.label: one.shape for one in drawn.rungs}["mixture"] == "exact"
    means = [kind.best.mean("score") for kind in analysed[0].kinds]
    assert means == sorted(means)
    places = [one.x for one in drawn.rungs if not one.beyond]
    assert places == sorted(places)


def test_an_outlier_does_not_press_the_others_together(make):
    (analysis,) = map(analyse, tables(shifted(make, [80.0, 81.0, 82.0, 4000.0])))
    drawn = ladder(analysis, None, 600)
    assert [one.beyond for one in drawn.rungs] == [False, False, False, True]
    assert drawn.rungs[2].x - drawn.rungs[0].x > 200


def test_the_report_of_models_has_both_tables_and_every_models_pictures(make, tmp_path):
    record = make.models(seeds=(0, 1))
    pictures = {
        key: {**arrays, **make.latent_map(3)} for key, arrays in make.pictures(record, (8, 8, 3)).items()
    }
    report = write_report(record, tmp_path, pictures)
    html = (tmp_path / "index.html").read_text()
    numbers = json.loads((tmp_path / "tradeoff.json").read_text())
    assert [group["ranked_by"] for group in numbers["groups"]] == [
        "val/nll_final",
        "val/reconstruction_mse_final",
    ]
    assert len(numbers["groups"][0]["models"]) == 4
    assert "Models without a likelihood are in group 2" in html
    section = html[html.index('id="g1-pictures"') : html.index('id="g2-answer"')]
    assert section.count("<h3>") == 4
    assert section.count("data:image/png") == 8  # samples and reconstructions of each
    assert section.count("Posterior means of test items") == 4
    with (tmp_path / "tradeoff.csv").open() as file:
        assert [row["evidence"] for row in csv.DictReader(file)] == ["estimate", "estimate", "exact", "exact"]
    with (tmp_path / "tradeoff-2.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["evidence"], row["val_nll_final_mean"]) for row in rows] == [("none", ""), ("none", "")]
    assert all(float(row["val_reconstruction_mse_mean"]) > 0 for row in rows)
    assert "which K" not in report.summary_markdown


def test_flat_features_are_drawn_as_plots(make, tmp_path):
    record = make.models(seeds=(0, 1), which=WITH)
    pictures = {trial.key: {**make.features(), **make.latent_map()} for trial in record.complete}
    write_report(record, tmp_path, pictures)
    html = (tmp_path / "index.html").read_text()
    section = html[html.index('id="pictures"') : html.index('id="limits"')]
    assert "data:image" not in section
    assert section.count("Residuals by feature") == 4
    assert section.count("Draws from the model over test items") == 4


def test_unused_codes_are_said_first_with_what_to_try(make, tmp_path):
    unused = {"val/decoder_use": 0.0, "val/kl": 0.01, "val/mutual_information": 0.0}
    used = {"val/decoder_use": 40.0, "val/kl": 22.0}
    trials = [
        make.trial({"objective.num_samples": k}, seed, final=unused if (k, seed) == (5, 0) else used)
        for k in (1, 5)
        for seed in (0, 1)
    ]
    record = make.record(trials)
    report = write_report(record, tmp_path, {})
    html = (tmp_path / "index.html").read_text()
    assert "K=5 D=20 does not use its latent code" in report.summary_markdown.replace("\\", "")
    assert "K=5 D=20 (1 of 2 seeds): The posterior collapsed" in html
    assert "Try annealing" in html
    assert "The code is used" in html[html.index("Does each model use its code?") :]
