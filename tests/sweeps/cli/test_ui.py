"""The pages as a user opens them: headless Chromium, by the links that `sweeps ui` prints."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.browser import needed, opened, wait
from support.workplace import Workplace

pytestmark = [pytest.mark.service, needed]


@pytest.fixture(scope="module")
def links(finished: tuple[Workplace, dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """The parent run's page and the page that compares the trials, while `sweeps ui` serves them."""
    process = finished[0].start("ui", "small", "--port", "0")
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        parent = process.stdout.readline().strip()
        told = process.stderr.readline() + process.stderr.readline()
        yield parent, re.findall(r"http://\S+compare-runs[^)\s]+", told)[0]
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=300)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with opened() as driver:
        yield driver


def test_the_parents_page_answers_the_question(browser: Any, links: tuple[str, str]) -> None:
    browser.get(links[0])
    text = wait(browser, lambda b: "K = 1 to K = 5" in page_text(b) and page_text(b))
    assert "token=" in links[0]
    assert "token=" not in browser.current_url
    assert "small" in text
    assert "K=5 D=2 s0" in text


def test_a_browser_without_the_link_is_shown_nothing(browser: Any, links: tuple[str, str]) -> None:
    browser.delete_all_cookies()
    browser.get("about:blank")  # else only the part behind the # changes, and nothing is asked for
    browser.get(re.sub(r"\?token=[^#]*", "", links[0]))
    assert "open the link that `sweeps ui` printed" in wait(browser, page_text)


def test_the_report_opens_in_place_and_draws(browser: Any, links: tuple[str, str]) -> None:
    browser.get(links[0].replace("?workflowType", "/artifacts/report/index.html?workflowType"))
    frame = wait(browser, lambda b: next(iter(b.find_elements("tag name", "iframe")), None))
    browser.switch_to.frame(frame)
    try:
        assert "What this report cannot say" in wait(browser, lambda b: page_text(b))
        wait(browser, lambda b: len(b.find_elements("css selector", ".js-plotly-plot .main-svg")) > 5)
    finally:
        browser.switch_to.default_content()


def test_the_compare_page_draws_the_trials(browser: Any, links: tuple[str, str], tmp_path: Path) -> None:
    browser.get(links[1])
    assert "Comparing 4 Runs" in wait(browser, lambda b: "Parallel" in page_text(b) and page_text(b))
    wait(browser, lambda b: b.find_elements("css selector", ".js-plotly-plot .parcoords, canvas, .main-svg"))


def page_text(browser: Any) -> str:
    return str(browser.find_element("tag name", "body").text)
