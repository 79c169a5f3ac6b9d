"""The first sentences, for every kind of sweep: which K, what it costs and gives up, how sure, what next."""

import json
import re

import pytest

from tracking.analysis.analysis import analyse
from tracking.analysis.configurations import tables
from tracking.report.report import write_report
from tracking.report.words.answers.k import answer
from tracking.report.words.details import curve_in_words
from tracking.report.words.headline import headline


def around(nll, spread=0.1):
    return (nll - spread, nll, nll + spread)


def record_of(make, nlls):
    return make.record(
        [
            make.trial({"objective.num_samples": k}, seed, final={"val/nll_final": nll, "test/nll": nll})
            for k, values in nlls.items()
            for seed, nll in enumerate(values)
        ]
    )


def answered(make, nlls):
    (analysis,) = map(analyse, tables(record_of(make, nlls)))
    return answer(analysis)


SATURATING = {1: around(93), 5: around(91), 20: around(90.1), 50: around(90)}


def test_the_first_sentence_names_k_and_the_second_what_it_costs_and_gives_up(make):
    first, second = answered(make, SATURATING)
    assert first == "Use K = 20: the smallest K that is not separable from the best."
    assert second.startswith("It costs 91.6 s of training (K = 50: 98.7 s) and gives up at most 0.")
    assert "(95 %; estimate: 0.10)" in second
    assert second.endswith("more seeds would separate them (sweeps extend).")


def test_a_smaller_k_that_seeds_do_not_rule_out_is_told_with_what_would(make):
    nlls = {1: around(92), 5: around(90.7, 0.2), 20: around(90.1, 0.2), 50: around(90, 0.2)}
    first, _, third = answered(make, nlls)
    assert first == "Use K = 20: the smallest K shown to keep more than half of the gain of K = 50, the best."
    assert third.startswith("K = 5 is not separable from the best either, but may give up as much as 1.")
    assert third.endswith("2 more seeds would separate them.")


@pytest.mark.parametrize(
    ("nlls", "said"),
    [
        ({1: around(93), 5: around(92), 50: around(90)}, "separable from every smaller K."),
        ({1: around(93), 5: (92.0,), 50: around(90)}, "K = 5 has one complete seed and cannot be judged."),
        ({1: around(93), 5: around(92), 50: around(90)}, "a larger one may be better still (sweeps extend)."),
        ({1: around(95), 5: around(90), 50: around(90.2)}, "Another K gains at most 0."),
        ({1: around(90), 5: around(90.1), 50: around(93)}, "Use K = 1: it has the lowest validation NLL"),
        ({1: around(90), 5: around(93.1), 50: around(95)}, "Every larger K is worse."),
        ({1: around(90.3, 2), 50: around(90, 2)}, "These seeds cannot say which K to use: the best, K = 50,"),
        ({1: around(90, 2), 50: around(90.3, 2)}, "but no other K is separable from it."),
        ({1: around(90.3, 2), 50: around(90, 2)}, "nats are separable in 80 % of sweeps; the measured one"),
        ({1: (93.0,), 50: (90.0,)}, "One seed per K cannot say which K to use"),
        (
            {1: (93.0,), 50: (90.0,)},
            "has the lowest validation NLL, 90.00 nats, 3.00 below K = 1, and costs",
        ),
        ({1: around(93), 5: around(91), 50: (90.0,)}, "K = 50 has the lowest validation NLL but only one"),
    ],
)
def test_every_kind_of_answer_has_its_sentence(make, nlls, said):
    assert said in " ".join(answered(make, nlls))


def test_a_k_that_cannot_be_judged_is_not_called_worse(make):
    words = " ".join(answered(make, {1: around(93), 5: (92.0,), 50: around(90)}))
    assert "every smaller K" not in words


def test_what_else_is_varied_comes_first(make):
    points = [{"objective.num_samples": k, "model.latent_dim": d} for k in (1, 50) for d in (10, 30)]
    (analysis,) = map(analyse, tables(make.sweep(points)))
    assert answer(analysis)[0].startswith("With D = 30, use K = 50: ")


def test_seconds_beside_other_work_are_said_to_be(make):
    (alone,) = map(analyse, tables(make.sweep(make.ks(1, 50))))
    (beside,) = map(analyse, tables(make.sweep(make.ks(1, 50), shared=True)))
    assert "on a shared machine" not in " ".join(headline(alone))
    assert "; measured on a shared machine)" in " ".join(headline(beside))


def test_the_first_screen_is_short(make):
    points = [{"objective.num_samples": k, "model.latent_dim": d} for k in (1, 5, 20, 50) for d in (10, 30)]
    (analysis,) = map(analyse, tables(make.sweep(points)))
    assert len(headline(analysis)) <= 6


def test_no_verdict_of_a_report_contradicts_another(make, tmp_path):
    """A pair has one interval and one verdict, in the steps, against the best and in the answer."""
    points = [{"objective.num_samples": k, "model.latent_dim": d} for k in (1, 5, 20, 50) for d in (10, 30)]
    make.noise = 0.3
    write_report(make.sweep(points), tmp_path, {})
    (group,) = json.loads((tmp_path / "tradeoff.json").read_text())["groups"]
    answer_for_k, best = group["recommendation"], group["best"]["configuration"]
    verdicts = {}

    def judged(first, second, found):
        sign = 1 if first < second else -1
        low, high = sorted((sign * found["low"], sign * found["high"]))
        verdicts.setdefault(frozenset((first, second)), set()).add((round(low, 9), round(high, 9)))
        assert found["separable"] == (low > 0 or high < 0)

    for gain in group["gains"]:
        judged(gain["first"], gain["second"], gain["val_nll_final"])
    for one in group["against_best"]:
        judged(best, one["configuration"], one["val_nll_final"])
        assert (one["power"] is None) == one["val_nll_final"]["separable"]
    for one in answer_for_k["standings"]:
        if one["gives_up"] is not None:
            judged(answer_for_k["best"], one["configuration"], one["gives_up"])
        if one["change_from_smallest"] is not None:
            judged(answer_for_k["smallest"], one["configuration"], one["change_from_smallest"])
    assert len(verdicts) > 10
    assert all(len(intervals) == 1 for intervals in verdicts.values())


def test_the_json_says_why_no_k_is_recommended(make, tmp_path):
    write_report(make.sweep(make.ks(1, 50), seeds=(0,)), tmp_path, {})
    (group,) = json.loads((tmp_path / "tradeoff.json").read_text())["groups"]
    assert (group["recommendation"]["num_samples"], group["recommendation"]["standings"]) == (None, [])
    assert group["recommendation"]["reason"] == "fewer than two K's have two complete seeds"


def test_the_steps_on_a_curve_and_what_is_left_beyond_it_are_told(make):
    ks = (1, 5, 20, 50, 100)
    (analysis,) = map(analyse, tables(make.sweep(make.ks(*ks))))
    (words,) = curve_in_words(analysis, [gain for gain in analysis.gains if not gain.whole])
    found = re.search(
        r"gain ([\d.]+) \(1→5\), .*; all K above 100 together would gain [\d.]+ nats \[(.*), (.*)\]", words
    )
    truth = [3.2 / k**0.45 for k in (*ks, 1e99)]  # the factory's curve
    assert float(found[1]) == pytest.approx(truth[0] - truth[1], abs=0.1)
    assert float(found[2]) <= truth[-2] - truth[-1] <= float(found[3])


def test_a_curve_that_does_not_fit_is_not_used(make):
    nlls = {1: around(93), 5: around(91), 20: around(92.5), 50: around(90), 100: around(92)}
    (analysis,) = map(analyse, tables(record_of(make, nlls)))
    (words,) = curve_in_words(analysis, analysis.gains)
    assert words.startswith("No curve a + b K^(−c) fits these means (p = ")
