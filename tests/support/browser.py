"""A headless Chromium, for tests that see pages as a user does."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CHROMEDRIVER = shutil.which("chromedriver")
needed = pytest.mark.skipif(
    CHROMIUM is None or CHROMEDRIVER is None, reason="chromium and chromedriver are not installed"
)
PATIENCE_SECONDS = 300.0
OPTIONS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync --disable-dev-shm-usage --hide-scrollbars"
    " --window-size=1500,1200"
)


@contextmanager
def opened() -> Iterator[Any]:
    """A browser with its driver, closed with the context; its console is kept."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for option in OPTIONS.split():
        options.add_argument(option)
    driver = webdriver.Chrome(service=Service(CHROMEDRIVER), options=options)
    try:
        yield driver
    finally:
        driver.quit()


def wait(browser: Any, condition: Callable[[Any], Any]) -> Any:
    """What a condition gives once it is true."""
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, PATIENCE_SECONDS).until(condition)


def look(browser: Any, width: int, height: int, *, dark: bool = False) -> None:
    """Give the window's inside a size, and the system a theme."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [theme]})


def first_paint(browser: Any) -> float:
    """Milliseconds from the navigation to the first contentful paint of the page that is open."""
    script = "return performance.getEntriesByName('first-contentful-paint').map(e => e.startTime)"
    return float(wait(browser, lambda b: b.execute_script(script))[0])
