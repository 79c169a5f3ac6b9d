"""The pages as a user opens them: headless Chromium, by the links that `sweeps ui` prints."""

import re
import signal
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from support.browser import needed, opened, wait
from support.workplace import Workplace

FIRST_COLUMNS = [
    "params.`objective.num_samples`",
    "params.`model.latent_dim`",
    "params.`annealing.name`",
    "metrics.`seeds`",
    "metrics.`val_nll_final_mean`",
]
pytestmark = [pytest.mark.service, needed]


class Links(NamedTuple):
    """What `sweeps ui` prints while it serves them."""

    table: str
    charts: str
    parent: str


@pytest.fixture(scope="module")
def links(finished: tuple[Workplace, dict[str, Any]]) -> Iterator[Links]:
    process = finished[0].start("ui", "small", "--port", "0")
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        table = process.stdout.readline().strip()
        told = process.stderr.readline() + process.stderr.readline() + process.stderr.readline()
        yield Links(table, *re.findall(r": (http://\S+)", told))
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=300)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with opened() as driver:
        yield driver


def test_the_link_opens_on_the_configurations_best_first(browser: Any, links: Links) -> None:
    browser.get(links.table)
    wait(browser, lambda b: "2 matching runs" in page_text(b))
    wait(browser, lambda b: columns(b)[:5] == FIRST_COLUMNS)
    cells = browser.find_elements("css selector", ".ag-cell[col-id='metrics.`val_nll_final_mean`']")
    means = [float(cell.text.rstrip("…")) for cell in cells if cell.text]
    assert len(means) == 2
    assert means == sorted(means)
    assert "token=" in links.table
    assert "token=" not in browser.current_url


def test_the_charts_of_the_same_runs_are_prepared(browser: Any, links: Links) -> None:
    browser.get(links.charts)
    wait(
        browser,
        lambda b: len(b.find_elements("css selector", ".js-plotly-plot .main-svg, .parcoords, canvas")) > 2,
    )
    assert "small: K against time\n(3)" in page_text(browser)


def test_the_parents_page_begins_with_the_answer(browser: Any, links: Links) -> None:
    browser.set_window_size(1280, 900)
    browser.get(links.parent)
    text = wait(browser, lambda b: "best/val_nll_final" in page_text(b) and page_text(b))
    assert "small" in text
    assert text.index("Description") < text.index("About this run")
    assert "Ask a question" not in text  # MLflow's assistant, over a third of the page


def test_a_browser_without_the_link_is_shown_nothing(browser: Any, links: Links) -> None:
    browser.delete_all_cookies()
    browser.get("about:blank")  # else only the part behind the # changes, and nothing is asked for
    browser.get(re.sub(r"\?token=[^#]*", "", links.parent))
    assert "open the link that `sweeps ui` printed" in wait(browser, page_text)


def test_the_report_opens_in_place_and_draws(browser: Any, links: Links) -> None:
    browser.get(links.parent.replace("?workflowType", "/artifacts/report/index.html?workflowType"))
    frame = wait(browser, lambda b: next(iter(b.find_elements("tag name", "iframe")), None))
    browser.switch_to.frame(frame)
    try:
        assert "K" in wait(browser, lambda b: b.find_elements("tag name", "h1"))[0].text
        # A chart is drawn when it comes into sight.
        browser.execute_script("document.querySelector('script[data-chart]').parentElement.scrollIntoView()")
        wait(browser, lambda b: b.find_elements("css selector", ".js-plotly-plot .main-svg"))
        # The frame may open nothing: a link shows its address, on the server that is being looked at.
        link = browser.find_element("css selector", ".first td a[href]")
        browser.execute_script("arguments[0].click()", link)
        address = browser.find_element("css selector", "dialog[open] textarea").get_attribute("value")
        assert address.startswith(links.parent.partition("/?")[0].partition("/#")[0] + "/#/experiments/")
        assert "/runs/" in address
    finally:
        browser.switch_to.default_content()


def columns(browser: Any) -> list[str]:
    """The table's columns of parameters and metrics that are in sight, from left to right."""
    script = """return [...document.querySelectorAll(".ag-header-cell")]
        .map(cell => [cell.getBoundingClientRect().left, cell.getAttribute("col-id")])
        .sort((a, b) => a[0] - b[0]).map(([left, name]) => name)"""
    return [name for name in browser.execute_script(script) if name.startswith(("params", "metrics"))]


def page_text(browser: Any) -> str:
    return str(browser.find_element("tag name", "body").text)
