"""The report as its reader sees it: headless Chromium."""

import pytest

from support.browser import look, needed, opened, wait
from tracking.report.links import Links
from tracking.report.report import write_report

pytestmark = [pytest.mark.service, needed]
BOXES = """return ['h1', '.first .picture.wide', '.first table'].map(
    name => { const r = document.querySelector(name).getBoundingClientRect();
              return [r.left, r.top, r.right, r.bottom] })"""


@pytest.fixture(scope="module")
def browser():
    with opened() as driver:
        yield driver


@pytest.fixture
def page(make, tmp_path):
    """The address of a report with links to the runs of its trials."""
    points = [
        {"objective.num_samples": k, "annealing": {"name": name}}
        for k in (1, 5, 20, 50)
        for name in ("none", "cosine")
    ]
    make.noise = 0.1
    record = make.sweep([{**p, "model.latent_dim": 20} for p in points])
    pages = {trial.key: f"http://mlflow.test/#/experiments/1/runs/{trial.key}" for trial in record.trials}
    links = Links("http://mlflow.test", "http://mlflow.test/#/experiments/1/runs/parent", pages)
    write_report(record, tmp_path, make.pictures(record), links)
    return f"file://{tmp_path}/index.html"


def errors(browser):
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


def test_the_first_screen_holds_answer_picture_and_table(browser, page):
    look(browser, 1280, 800)
    browser.get(page)
    answer, picture, table = browser.execute_script(BOXES)
    for left, top, right, bottom in (answer, picture, table):
        assert (left >= 0, top >= 0, right <= 1280, bottom <= 800) == (True, True, True, True)
    assert answer[3] <= min(picture[1], table[1])  # the answer first
    assert picture[2] <= table[0]  # side by side
    assert "Use K =" in browser.title or "use K =" in browser.find_element("tag name", "h1").text.replace(
        "\xa0", " "
    )
    assert len(browser.find_elements("css selector", ".first tbody tr")) == 4
    assert errors(browser) == []


def test_labels_of_the_picture_overlap_neither_points_nor_one_another(browser, page):
    look(browser, 1280, 800)
    browser.get(page)
    boxes = browser.execute_script(
        """return [...document.querySelectorAll('.picture.wide .label, .picture.wide .mean')].map(e => {
            const r = e.getBoundingClientRect(); return [e.tagName, r.left, r.top, r.right, r.bottom] })"""
    )
    labels = [box for box in boxes if box[0] == "text"]
    assert len(labels) >= 4
    for label in labels:
        for other in boxes:
            if other is not label:
                _, left, top, right, bottom = other
                apart = label[3] <= left or right <= label[1] or label[4] <= top or bottom <= label[2]
                assert apart, (label, other)


def test_nothing_is_wider_than_a_telephone(browser, page):
    look(browser, 400, 850)
    browser.get(page)
    charts = browser.find_elements("css selector", ".chart")
    for chart in charts:
        browser.execute_script("arguments[0].scrollIntoView()", chart)
        wait(browser, lambda b, chart=chart: chart.find_elements("css selector", ".main-svg"))
    assert browser.execute_script("return document.documentElement.scrollWidth") == 400
    assert len(charts) > 8
    assert errors(browser) == []


def test_the_system_theme_and_the_button_change_page_and_figures(browser, page):
    look(browser, 1280, 800, dark=True)
    browser.get(page)
    paper = "return getComputedStyle(document.body).backgroundColor"
    assert browser.execute_script(paper) == "rgb(20, 24, 31)"
    chart = browser.find_element("css selector", ".chart")
    browser.execute_script("arguments[0].scrollIntoView()", chart)
    wait(browser, lambda b: chart.find_elements("css selector", ".main-svg"))
    ink = "return arguments[0].layout.font.color"
    assert browser.execute_script(ink, chart) == "#e7eaf0"
    browser.find_element("id", "theme").click()
    assert browser.execute_script(paper) == "rgb(255, 255, 255)"
    wait(browser, lambda b: b.execute_script(ink, chart) == "#1c2430")


def test_rows_and_points_link_to_their_runs_and_texts_are_there_to_copy(browser, page):
    look(browser, 1280, 800)
    browser.get(page)
    links = browser.find_elements("css selector", ".first td a")
    assert len(links) == 12  # four K's, three seeds each
    assert all("/#/experiments/1/runs/" in link.get_attribute("href") for link in links)
    points = browser.find_elements("css selector", ".picture.wide a[href]")
    assert len(points) == 8
    browser.find_element("xpath", "//button[text()='LaTeX']").click()
    text = browser.find_element("css selector", "dialog textarea").get_attribute("value")
    assert r"\toprule" in text
    assert text.count(r"\\") == 5  # the head and four rows
