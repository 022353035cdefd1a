"""A real Chromium before a real server over a real store that is being written."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from dashboard_studies import begin, create, fail, finish
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from aster_dse import dashboard
from aster_dse.dashboard.server import DashboardServer
from aster_dse.store import StudyRow, StudyStore

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CHROMEDRIVER = shutil.which("chromedriver")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--enable-unsafe-swiftshader",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1500,1300",
)
PATIENCE_S = 60
PAUSE_BETWEEN_CLICKS_S = 5

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not (CHROMIUM and CHROMEDRIVER), reason="chromium and chromedriver are not installed"),
]


class Page:
    """What a visitor sees and does."""

    def __init__(self, driver: webdriver.Chrome, address: str) -> None:
        self.driver = driver
        self.address = address
        self.hosts: set[str] = set()
        """Every host that a request went to."""

    def open(self, path: str) -> None:
        self.driver.get(self.address + path)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        waiting = WebDriverWait(self.driver, PATIENCE_S, ignored_exceptions=[StaleElementReferenceException])
        return waiting.until(lambda _: condition(), message=f"never happened: {what}")

    def text(self, selector: str) -> str:
        found = self.driver.find_elements(By.CSS_SELECTOR, selector)
        return found[0].text if found else ""

    def click(self, selector: str) -> None:
        self.until(lambda: self.driver.find_elements(By.CSS_SELECTOR, selector), f"{selector} exists")
        self.driver.find_element(By.CSS_SELECTOR, selector).click()

    def points(self) -> int:
        """Points in the scatter, the ring around the chosen one not counted."""
        return self.run(
            "const p = document.querySelector('#scatter .js-plotly-plot');"
            "const count = (n, trace) => n + (trace.customdata ? trace.customdata.length : 0);"
            "return p && p.data ? p.data.reduce(count, 0) : -1"
        )

    def axis(self, name: str) -> dict[str, Any]:
        return self.run(
            "const a = document.querySelector('#scatter .js-plotly-plot').layout[arguments[0]];"
            "return {title: a.title.text, type: a.type}",
            name,
        )

    def address_state(self) -> dict[str, str]:
        query = parse_qs(urlsplit(self.driver.current_url).query)
        return {name: values[0] for name, values in query.items()}

    def answers(self) -> list[int]:
        """Status of each callback answered since this was last asked; notes where requests went meanwhile."""
        statuses = []
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                parts = urlsplit(message["params"]["request"]["url"])
                if parts.scheme in ("http", "https", "ws", "wss"):
                    self.hosts.add(parts.netloc)
            if message["method"] == "Network.responseReceived":
                response = message["params"]["response"]
                if "/_dash-update-component" in response["url"]:
                    statuses.append(response["status"])
        return statuses

    def click_point(self, trace: str) -> int:
        """Click a marker of a trace with the mouse until the panel shows its point; returns the point's id.

        A figure that is redrawn between press and release takes no click: a visitor clicks again.
        """
        clicked: list[tuple[float, int]] = []

        def shown() -> int | None:
            if clicked and f"point {clicked[-1][1]}" in self.text("#panel h2"):
                return clicked[-1][1]
            if clicked and time.monotonic() - clicked[-1][0] < PAUSE_BETWEEN_CLICKS_S:
                return None
            spot = self.hover_point(trace)
            if spot is not None:
                for kind in ("mousePressed", "mouseReleased"):
                    event = {"type": kind, "x": spot["x"], "y": spot["y"], "button": "left", "clickCount": 1}
                    self.driver.execute_cdp_cmd("Input.dispatchMouseEvent", event)
                clicked.append((time.monotonic(), spot["id"]))
            return None

        return self.until(shown, "the panel shows the point")

    def hover_point(self, trace: str) -> Any:
        """Move the mouse over a marker of a trace; where it is, None while the plot does not notice."""
        spot = self.run(
            """
            const plot = document.querySelector('#scatter .js-plotly-plot');
            plot.scrollIntoView({block: 'center'});
            const trace = plot.data.find((t) => t.name.startsWith(arguments[0]));
            const box = plot.getBoundingClientRect(), full = plot._fullLayout, size = full._size;
            return {x: box.left + size.l + full.xaxis.d2p(trace.x[0]),
                    y: box.top + size.t + full.yaxis.d2p(trace.y[0]), id: trace.customdata[0]};
            """,
            trace,
        )
        place = {"x": spot["x"], "y": spot["y"]}
        self.driver.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": "mouseMoved", **place})
        noticed = self.run(
            "const h = document.querySelector('#scatter .js-plotly-plot')._hoverdata;"
            "return h && h.length ? h[0].customdata : null"
        )
        return spot if noticed == spot["id"] else None


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(CHROMEDRIVER))
    yield browser
    browser.quit()


@pytest.fixture
def server(store: StudyStore, url: str) -> Iterator[DashboardServer]:
    assert store.studies() == []
    with dashboard.open_server(url, port=0) as opened:
        thread = threading.Thread(target=opened.run, daemon=True)
        thread.start()
        yield opened
    thread.join(timeout=10)


@pytest.fixture
def page(driver: webdriver.Chrome, server: DashboardServer) -> Iterator[Page]:
    """A visitor who came in by the one-time link; at the end nothing may have gone wrong or elsewhere."""
    driver.get_log("browser")
    driver.get_log("performance")
    driver.get(server.one_time_url())
    visitor = Page(driver, server.address)
    visitor.until(
        lambda: visitor.driver.find_elements(By.CSS_SELECTOR, "main#page > *"), "the start page opens"
    )
    yield visitor
    visitor.answers()
    complaints = [entry for entry in driver.get_log("browser") if is_complaint(entry)]
    hosts = visitor.hosts
    driver.get("about:blank")
    assert complaints == []
    assert hosts == {urlsplit(server.address).netloc}


def is_complaint(entry: dict[str, Any]) -> bool:
    """What a browser says about a page, except that its software WebGL is slow."""
    return entry["level"] in ("SEVERE", "WARNING") and "GPU stall" not in entry["message"]


@pytest.fixture
def study(store: StudyStore) -> StudyRow:
    created = create(store, "digits on tiles")
    for number in range(3):
        finish(store, created, number, points=16)
    fail(store, created, 3)
    begin(store, created, 4)
    return created


def test_the_list_leads_to_a_study(page: Page, study: StudyRow) -> None:
    page.until(lambda: "3 complete" in page.text("#studies"), "the list learns of the study by itself")
    page.click("#studies a")
    page.until(lambda: page.points() == 48, "all points are drawn")
    assert page.text("h1") == study.name
    assert "diverged" in page.text("#failures")
    assert page.driver.title == f"{study.name} · ASTER-DSE"


def test_no_study_is_no_dead_end(page: Page) -> None:
    assert "aster-dse search" in page.text("#studies")


def test_axes_and_filters_are_chosen_in_the_browser(page: Page, study: StudyRow) -> None:
    page.open(f"/s/{study.id}")
    page.until(lambda: page.points() == 48, "all points are drawn")
    assert page.axis("xaxis")["title"] == "energy (µJ, lower is better)"
    assert page.axis("yaxis")["title"] == "accuracy (higher is better)"
    page.run("window.dash_clientside.set_props('x', {value: 'latency_us'})")
    page.until(lambda: page.axis("xaxis")["title"] == "latency (µs, lower is better)", "the axis changes")
    page.click("#options label:nth-of-type(4) input")
    page.until(lambda: page.axis("xaxis")["type"] == "log", "the axis is logarithmic")
    page.click("#options label:nth-of-type(1) input")
    page.until(lambda: page.points() == 45, "infeasible points are gone")
    assert page.address_state()["x"] == "latency_us"
    state = page.driver.current_url
    page.driver.get(state)
    page.until(lambda: page.points() == 45, "the same view from its address")
    assert page.axis("xaxis") == {"title": "latency (µs, lower is better), log scale", "type": "log"}


def test_a_click_opens_the_point(page: Page, study: StudyRow) -> None:
    page.open(f"/s/{study.id}")
    page.until(lambda: page.points() == 48, "all points are drawn")
    point = page.click_point("front")
    page.until(
        lambda: page.run("return !!document.querySelector('#energy-figure .bars path')"), "bars are drawn"
    )
    assert "exit_threshold" in page.text("#configuration-yaml")
    assert f"aster-dse show '{study.name}'" in page.text("#panel")
    assert page.address_state()["p"] == str(point)
    page.until(
        lambda: page.driver.find_elements(By.CSS_SELECTOR, "#grid .ag-row-selected"), "its row is marked"
    )
    page.click("#point-close")
    page.until(lambda: page.text("#panel h2") == "No point chosen", "the panel closes")
    page.click("#grid .ag-center-cols-container .ag-row[row-index='0'] .ag-cell")
    page.until(lambda: page.text("#panel h2").startswith("Trial"), "a row of the table opens its point")


def test_what_a_search_finds_appears_by_itself(page: Page, store: StudyStore, study: StudyRow) -> None:
    page.open(f"/s/{study.id}")
    page.until(lambda: page.points() == 48, "all points are drawn")
    with store.lease(study.id, holder="a test"):
        finish(store, study, 5, points=16)
        page.until(lambda: page.points() == 64, "the new points are drawn")
        page.until(lambda: "searching on" in page.text("#tile-updated"), "the search is seen to run")
    page.until(lambda: "interrupted" in page.text("#tile-updated"), "and to have ended with a trial open")
    ticks: list[int] = []

    def quiet() -> bool:
        ticks.extend(page.answers())
        return len(ticks) > 3 and ticks[-3:] == [204, 204, 204]

    page.until(quiet, "three ticks that bring nothing")


def test_many_points_are_drawn_under_the_security_policy(page: Page, store: StudyStore) -> None:
    study = create(store, "large", ("accuracy >= 0.5",))
    for number in range(20):
        finish(store, study, number, points=64)
    page.open(f"/s/{study.id}?show=")
    page.until(lambda: page.points() == 1280, "all points are known")
    drawn = "return document.querySelectorAll('#scatter .scatterlayer .point').length"
    page.until(lambda: page.run(drawn) >= 1280, "all points are drawn")
    assert "WebGL" not in page.text("#scatter")


@pytest.mark.parametrize("points", [0, 8])
def test_a_study_without_a_feasible_point_says_so(page: Page, store: StudyStore, points: int) -> None:
    study = create(store, "hopeless", ("energy_uj <= 0.001",))
    if points:
        finish(store, study, 0, points=points, feasible=False)
    page.open(f"/s/{study.id}?show=feasible")
    expected = "meets the constraints" if points else "No point yet"
    page.until(lambda: expected in page.text("#scatter .annotation"), "the reason is given")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_figures_follow_the_colour_scheme(page: Page, study: StudyRow, scheme: str) -> None:
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    page.open(f"/s/{study.id}")
    page.until(lambda: page.points() == 48, "all points are drawn")
    text = page.run("return document.querySelector('#scatter .js-plotly-plot').layout.font.color")
    assert text == {"light": "#1a1f26", "dark": "#e5e9ee"}[scheme]


def test_a_name_is_text_whatever_it_holds(page: Page, store: StudyStore) -> None:
    study = create(store, '<img src=x onerror="document.title=1"> ' + "long" * 40)
    finish(store, study, 0, points=4)
    page.open(f"/s/{study.id}")
    page.until(lambda: page.points() == 4, "all points are drawn")
    assert page.text("h1") == study.name
    assert page.run("return document.documentElement.scrollWidth <= window.innerWidth")
