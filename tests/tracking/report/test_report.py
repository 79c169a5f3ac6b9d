import csv
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import plotly.graph_objects as go
import pytest
from PIL import Image

from tracking.records.records import TrialState
from tracking.report.report import write_report

CSV_COLUMNS = (
    "train_seconds",
    "seconds_per_epoch",
    "val_nll_final",
    "test_nll",
    "active_units",
    "ess",
    "encoder_snr",
    "peak_memory_bytes",
    "train_seconds_exclusive",
    "val_reconstruction_mse",
    "test_reconstruction_mse",
)
PARTS = ({"name": "none"}, {"name": "linear", "warmup_epochs": 10}, {"name": "cyclical", "cycles": 2})


def written(record, folder, pictures=None):
    report = write_report(record, folder, pictures or {})
    html = (folder / "index.html").read_text()
    return report, html, json.loads((folder / "tradeoff.json").read_text())


def rows_of(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def charts(html):
    found = re.findall(r'<script type="application/json" data-chart>(.*?)</script>', html)
    return [json.loads(chart) for chart in found]


class Balanced(HTMLParser):
    """Fails where a tag is closed that is not open, and collects what the page would load."""

    VOID = frozenset({"meta", "img", "br", "wbr"})

    def __init__(self, html):
        super().__init__()
        self.stack, self.loads = [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.loads += [value for name, value in attrs if name in ("src", "href") and value]
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag


def test_csv_keeps_its_contract(make, tmp_path):
    points = [{"objective.num_samples": k, "annealing": part} for k in (1, 50) for part in PARTS]
    written(make.sweep(points), tmp_path)
    rows = rows_of(tmp_path / "tradeoff.csv")
    ends = [f"{column}_{end}" for column in CSV_COLUMNS for end in ("mean", "low", "high")]
    varied = ["objective.num_samples", "annealing.name", "annealing.warmup_epochs", "annealing.cycles"]
    assert list(rows[0]) == [*varied, "seeds", *ends, "evidence"]
    assert [(row["objective.num_samples"], row["annealing.name"], row["seeds"]) for row in rows] == [
        (k, name, "3") for k in ("1", "50") for name in ("none", "linear", "cyclical")
    ]
    for row in rows:
        for column in CSV_COLUMNS:
            if column == "train_seconds_exclusive":  # nothing was probed
                assert {row[f"{column}_{end}"] for end in ("mean", "low", "high")} == {""}
                continue
            low, mean, high = (float(row[f"{column}_{end}"]) for end in ("low", "mean", "high"))
            assert low <= mean <= high


def test_csv_leaves_intervals_empty_with_one_seed(make, tmp_path):
    written(make.sweep(make.ks(1, 50), seeds=(0,)), tmp_path)
    for row in rows_of(tmp_path / "tradeoff.csv"):
        assert (row["val_nll_final_low"], row["train_seconds_high"]) == ("", "")
        assert float(row["val_nll_final_mean"]) > 80


def test_every_chart_is_valid_plotly(make, tmp_path):
    points = [{"objective.num_samples": k, "annealing": part} for k in (1, 5, 20, 50) for part in PARTS]
    _, html, _ = written(make.sweep(points), tmp_path)
    found = charts(html)
    assert len(found) >= 10
    for chart in found:
        go.Figure(chart)  # it names a property that plotly does not have


def test_page_is_whole_and_loads_nothing(make, tmp_path):
    record = make.sweep(make.ks(1, 50))
    _, html, _ = written(record, tmp_path, make.pictures(record))
    page = Balanced(html)
    assert page.stack == []
    assert {value.split(",")[0] for value in page.loads if not value.startswith("#")} == {
        "data:image/png;base64"
    }
    assert (
        sum(value.startswith("data:") for value in page.loads) == 4
    )  # samples and reconstructions, smallest and largest K
    assert "default-src 'none'" in html
    anchors = {value[1:] for value in page.loads if value.startswith("#")}
    assert all(f'id="{anchor}"' in html for anchor in anchors)


def test_names_cannot_write_markup_into_the_page(make, tmp_path):
    evil = "<script>alert(1)</script>"
    base = {"data.name": "npz", "data.binarization": "fixed"}
    record = make.sweep([{"data.path": f"{evil}.npz", **k} for k in make.ks(1, 5)], name=evil, base=base)
    report, html, _ = written(record, tmp_path)
    assert evil not in html
    assert "&lt;script&gt;" in html
    assert evil not in report.summary_markdown


def test_page_names_what_it_cannot_say(make, tmp_path):
    states = {0: TrialState.PRUNED, 4: TrialState.FAILED, 8: TrialState.WAITING, 9: TrialState.STOPPED}
    record = make.sweep(make.ks(1, 5, 20, 50), states=states, shared=True)
    _, html, numbers = written(record, tmp_path)
    limits = html[html.index('id="limits"') :]
    assert "1 PRUNED, 1 FAILED, 1 STOPPED and 1 WAITING of 12 trials are left out" in limits
    assert "8 of 8 complete trials shared their device or cores" in limits
    assert numbers["trials"] == {"WAITING": 1, "COMPLETE": 8, "PRUNED": 1, "STOPPED": 1, "FAILED": 1}


def test_schedules_cut_at_equal_seconds_are_named(make, tmp_path):
    points = [{"objective.num_samples": k, "annealing": PARTS[2]} for k in (1, 100)]
    _, html, numbers = written(make.sweep(points), tmp_path)
    cuts = [row["cut"] for row in numbers["groups"][0]["equal_budgets"][0]["rows"]]
    assert cuts[1] == "cyclical annealing"
    assert "cut off in mid-schedule" in html


def test_binarizations_never_share_a_table(make, tmp_path):
    points = [{**k, "data.binarization": kind} for k in make.ks(1, 50) for kind in ("dynamic", "threshold")]
    report, html, numbers = written(make.sweep(points), tmp_path)
    assert {path.name for path in report.files} >= {"tradeoff.csv", "tradeoff-2.csv", "tradeoff-2.png"}
    for name, kind in (("tradeoff.csv", "dynamic"), ("tradeoff-2.csv", "threshold")):
        assert {row["data.binarization"] for row in rows_of(tmp_path / name)} == {kind}
    assert [group["yardstick"]["data"]["binarization"] for group in numbers["groups"]] == [
        "dynamic",
        "threshold",
    ]
    assert "no best across them is named" in html


def test_same_record_gives_the_same_files(make, tmp_path):
    record = make.sweep(make.ks(1, 5, 50))
    for folder in ("a", "b"):
        write_report(record, tmp_path / folder, make.pictures(record))
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_summary_answers_in_under_5000_characters(make, tmp_path):
    points = [
        {"objective.num_samples": k, "model.latent_dim": d, "annealing": part}
        for k in (1, 5, 20, 30, 50, 100)
        for d in (10, 20, 50)
        for part in PARTS
    ]
    report, _, _ = written(make.sweep(points), tmp_path)
    text = report.summary_markdown
    assert len(text) < 5000
    assert text.startswith(
        "**With D = 20, linear annealing, use K = 50: the smallest K that is not separable from"
    )
    assert text.split("\n\n")[1].startswith("| configuration | seeds |")  # before anything else
    assert "The 12 lowest of 54 configurations" in text
    assert text.count("\n- ") >= 3
    assert "report/index.html" in text


def test_summary_of_many_groups_stays_under_5000_characters(make, tmp_path):
    points = [{**k, "data.num_validation": n} for k in make.ks(1, 5, 20, 50) for n in range(1000, 6000, 1000)]
    report, _, _ = written(make.sweep(points, seeds=(0, 1)), tmp_path)
    assert len(report.summary_markdown) < 5000


def test_gaussian_densities_may_be_negative(make, tmp_path):
    make.offset = -400.0
    base = {"data.binarization": "none", "model.likelihood": "gaussian"}
    report, html, _ = written(make.sweep(make.ks(1, 50), base=base), tmp_path)
    assert "The NLL of a density is in the unit of the data" in html
    assert "| −30" in report.summary_markdown


SNR = {"gradient/encoder_snr": None, "gradient/decoder_snr": None, "gradient/snr_floor": None}
EMPTY = dict.fromkeys(("test/nll", "test/nll_few", "val/nll_final_few", "test/active_units", "test/ess"))
FAILED, WAITING = TrialState.FAILED, TrialState.WAITING
SWEEPS = {
    "nothing complete": lambda make: make.sweep(make.ks(1, 5), states=dict.fromkeys(range(6), WAITING)),
    "no trial at all": lambda make: make.record([]),
    "one trial": lambda make: make.sweep(make.ks(5), seeds=(0,)),
    "an empty space": lambda make: make.sweep([{}]),
    "one K": lambda make: make.sweep([{"model.latent_dim": d, **make.ks(5)[0]} for d in (2, 5)]),
    "no K": lambda make: make.sweep([{"model.latent_dim": d} for d in (2, 5, 10)]),
    "categories without K": lambda make: make.sweep([{"annealing": part} for part in PARTS]),
    "two K": lambda make: make.sweep(make.ks(1, 50)),
    "one seed": lambda make: make.sweep(make.ks(1, 5, 50), seeds=(3,)),
    "unequal seeds": lambda make: make.sweep(make.ks(1, 5, 50), states={1: FAILED, 2: FAILED, 5: FAILED}),
    "no gradients": lambda make: make.sweep(make.ks(1, 5), base={"evaluation.snr_num_draws": 0}, final=SNR),
    "missing metrics": lambda make: make.sweep(make.ks(1, 5, 50), final={**SNR, **EMPTY}),
    "equal nlls": lambda make: make.sweep(make.ks(1, 5, 50), final={"val/nll_final": 90.0, "test/nll": 90.0}),
    "zero nll": lambda make: make.sweep(make.ks(1, 5), final={"val/nll_final": 0.0}),
    "lists": lambda make: make.sweep([{"model.hidden_dims": dims} for dims in ([400], [200, 200])]),
    "one diverged": lambda make: make.record(
        [
            *make.sweep(make.ks(1, 50)).trials,
            *(make.trial(make.ks(5)[0], s, final={"val/nll_final": n}) for s, n in enumerate((91.0, 900.0))),
        ]
    ),
    "all diverged": lambda make: make.sweep(make.ks(1, 5), final={"val/nll_final": 9000.0}),
    "dollars": lambda make: make.sweep(make.ks(1, 5), name="$k_1^{2$ costs"),
    "a few pairs": lambda make: make.sweep([*make.ks(1, 5), {**make.ks(9)[0], "model.latent_dim": 5}]),
}


@pytest.mark.parametrize("sweep", SWEEPS.values(), ids=SWEEPS)
def test_every_sweep_has_a_report(make, tmp_path, sweep):
    record = sweep(make)
    report, html, _ = written(record, tmp_path, make.pictures(record))
    assert report.files[0].name == "index.html"
    assert all(path.is_file() for path in report.files)
    assert Balanced(html).stack == []
    assert "nan" not in (tmp_path / "tradeoff.csv").read_text()
    assert 0 < len(report.summary_markdown) < 5000


def test_a_complete_trial_without_history_is_reported(make, tmp_path):
    trials = [replace(trial, history=()) for trial in make.sweep(make.ks(1, 5)).trials]
    report, _, numbers = written(make.record(trials), tmp_path)
    assert numbers["groups"][0]["configurations"][0]["metrics"]["train_seconds"] is None
    assert "K=5" in report.summary_markdown


def test_hundreds_of_configurations_are_all_in_the_table(make, tmp_path):
    points = [
        {"objective.num_samples": 1 + i % 97, "model.latent_dim": 2 + i % 61, "annealing": PARTS[i % 3]}
        for i in range(150)
    ]
    _, html, _ = written(make.sweep(points, seeds=(0,), sampler="random"), tmp_path)
    table = html[html.index('id="table"') : html.index('id="limits"')]
    assert table.count("<tr") == 151
    assert len(rows_of(tmp_path / "tradeoff.csv")) == 150
    with Image.open(tmp_path / "tradeoff.png") as picture:
        assert picture.width > 1000


def test_only_long_tables_scroll(make, tmp_path):
    for count, kind in ((25, "scroll"), (26, "scroll long")):
        record = make.sweep(make.ks(*range(1, count + 1)), seeds=(0,))
        _, html, _ = written(record, tmp_path / str(count))
        table = html[html.index('id="table"') : html.index('id="limits"')]
        assert set(re.findall(r'<div class="(scroll[ a-z]*)"', table)) == {kind}


def test_axes_hold_what_is_possible_although_intervals_of_two_seeds_do_not(make, tmp_path):
    record = make.sweep(make.ks(1, 5, 50), seeds=(0, 1), base={"model.latent_dim": 20})
    _, html, _ = written(record, tmp_path)
    figure = next(chart for chart in charts(html) if "<b>Active units" in json.dumps(chart))
    low, high = figure["layout"]["yaxis"]["range"]
    assert low > -1
    assert high < 22
    assert not any(trace.get("error_y", {}).get("visible") for trace in figure["data"])


def test_seconds_from_several_machines_are_declared(make, tmp_path):
    one, two = make.sweep(make.ks(1, 5), seeds=(0,)).trials
    other = replace(two, attempts=(two.attempts[0].model_copy(update={"hostname": "node-b"}),))
    _, html, _ = written(make.record([one, other]), tmp_path)
    assert "2 machines or devices (node-a and node-b)" in html


def test_adaptive_samplers_are_declared(make, tmp_path):
    for sampler, said in (("grid", False), ("tpe", True)):
        _, html, _ = written(make.sweep(make.ks(1, 5), sampler=sampler), tmp_path / sampler)
        assert ("The tpe sampler chose configurations" in html) == said


def test_training_time_stands_on_the_axis_of_the_other_figures_unless_that_is_k(make, tmp_path):
    rates = make.sweep([{"optimizer.lr": rate} for rate in (0.003, 0.01, 0.3)])
    for name, record, kind in (("rates", rates, "log"), ("ks", make.sweep(make.ks(1, 5, 50)), None)):
        _, html, _ = written(record, tmp_path / name)
        seconds = next(
            one for one in charts(html) if one["layout"]["yaxis"]["title"]["text"] == "training seconds"
        )
        assert seconds["layout"]["xaxis"].get("type") == kind
