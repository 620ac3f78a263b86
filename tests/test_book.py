"""The book, built with warnings as errors and opened in a real browser: it works, alone, for everybody."""

import gzip
import http.server
import json
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest

from babyagi_lib.course.book import ASSETS, fetch_assets, for_book
from babyagi_lib.course.lessons import Course, CourseError

COURSE = Course.find()
PAGES = ["index.html", "results.html", *(f"notebooks/{lesson.name}.html" for lesson in COURSE.lessons)]
LESSON = "notebooks/04_ner_finetuning.html"


@pytest.fixture(scope="module")
def book(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("book")
    done = subprocess.run(
        [sys.executable, "-c", "from babyagi_lib.course.cli import main; main()", "book", "--out", str(out)],
        cwd=COURSE.root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-5000:]
    assert done.stdout.strip().startswith("Open ") and done.stdout.strip().endswith("index.html")
    return Path(done.stdout.strip().removeprefix("Open ")).parent


@pytest.fixture(scope="module")
def address(book):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(book)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="module")
def browser():
    import shutil

    from playwright.sync_api import sync_playwright

    found = shutil.which("chromium")
    if not found:
        pytest.skip("no chromium on this machine: the browser tests need one")
    with sync_playwright() as playwright:
        flags = [
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ]
        chromium = playwright.chromium.launch(executable_path=found, args=flags)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser, address):
    """A page that notes every request, console error and failed load."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    opened.asked, opened.errors = [], []
    opened.on("request", lambda r: opened.asked.append(r.url))
    opened.on("response", lambda r: opened.errors.append(f"{r.status} {r.url}") if r.status >= 400 else None)
    opened.on("console", lambda m: opened.errors.append(m.text) if m.type in ("error", "warning") else None)
    opened.on("pageerror", lambda e: opened.errors.append(str(e)))
    yield opened
    context.close()


@pytest.mark.parametrize("name", PAGES)
def test_no_request_leaves_and_the_console_is_clean(page, address, name):
    page.goto(f"{address}/{name}", wait_until="networkidle")
    assert [u for u in page.asked if not u.startswith((address, "data:", "blob:"))] == []
    assert page.errors == []
    assert page.title()


@pytest.mark.parametrize("name", PAGES)
def test_weight(page, address, name):
    """Under 4 MB as a web server sends it, which is with text compressed."""
    sizes = {}

    def weigh(response):
        ready = response.request.resource_type in ("image", "font")
        sizes[response.url] = len(response.body() if ready else gzip.compress(response.body()))

    page.on("response", weigh)
    page.goto(f"{address}/{name}", wait_until="networkidle")
    assert 100_000 < sum(sizes.values()) < 4_000_000, sizes


@pytest.mark.parametrize("name", PAGES)
def test_on_a_phone_nothing_is_cut_off(page, address, name):
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{address}/{name}", wait_until="networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_maths_is_rendered(page, address):
    page.goto(f"{address}/{LESSON}", wait_until="networkidle")
    assert page.locator("mjx-container").count() >= 4
    assert page.locator("mjx-merror").count() == 0
    assert "$" not in page.locator("article h2, article p").filter(has_text="cross-entropy averaged").inner_text()


def test_every_figure_has_alt_text(page, address):
    page.goto(f"{address}/{LESSON}", wait_until="networkidle")
    alts = page.eval_on_selector_all("article img", "images => images.map(i => i.getAttribute('alt') || '')")
    assert len(alts) >= 5
    assert all(len(alt) > 40 and "/" not in alt[:12] for alt in alts), alts


def test_the_diagram_is_drawn(page, address):
    page.goto(f"{address}/index.html", wait_until="networkidle")
    page.locator(".mermaid svg").first.wait_for(timeout=10_000)
    assert "pretraining" in page.locator(".mermaid svg").first.text_content()


def test_search_finds_a_term(page, address):
    page.goto(f"{address}/search.html?q=bootstrap", wait_until="networkidle")
    hits = page.locator("#search-results li a")
    hits.first.wait_for(timeout=10_000)
    assert any("04_ner_finetuning" in hits.nth(i).get_attribute("href") for i in range(hits.count()))


def test_a_solution_opens_on_click(page, address):
    page.goto(f"{address}/{LESSON}", wait_until="networkidle")
    solution = page.locator(".tag_solution").first
    code = solution.locator("pre").first
    assert not code.is_visible()
    solution.locator("summary").first.click()
    assert code.is_visible() and "def extract" in code.inner_text()


def test_a_hint_opens_on_click(page, address):
    page.goto(f"{address}/{LESSON}", wait_until="networkidle")
    hint = page.locator("details", has_text="Hint 1").first
    assert not hint.locator("p").first.is_visible()
    hint.locator("summary").click()
    assert hint.locator("p").first.is_visible()


def test_dark_mode_changes_the_page_and_keeps_text_legible(page, address):
    page.emulate_media(color_scheme="dark")
    page.goto(f"{address}/{LESSON}", wait_until="networkidle")
    background, text = page.evaluate(
        "() => { const s = getComputedStyle(document.body); return [s.backgroundColor, s.color]; }"
    )

    def luminance(rgb):
        return sum(int(v) for v in rgb.strip("rgba()").split(",")[:3]) / 3

    assert luminance(background) < 60 < 150 < luminance(text)


def test_results_page_has_every_figure(page, address):
    from babyagi_lib.course.lessons import figures

    page.goto(f"{address}/results.html", wait_until="networkidle")
    text = page.locator("article").inner_text().replace("\u2019", "'")  # typographic apostrophes
    for lesson in COURSE.lessons:
        for figure in figures(lesson.notebook):
            assert figure["label"] in text and figure["text"] in text
    for path in (COURSE.root / "benchmarks").glob("*.json"):
        for run in json.loads(path.read_text(encoding="utf-8"))["runs"]:
            assert run["name"] in text


def test_assets_are_what_was_published(tmp_path, monkeypatch):
    """A package with other bytes is refused, and leaves nothing behind."""
    from babyagi_lib.course import book

    monkeypatch.setattr(book, "_npm_pack", lambda package: b"something else")
    with pytest.raises(CourseError, match="is not what was published"):
        fetch_assets(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert all(asset.integrity.startswith("sha512-") and "@" in asset.package for asset in ASSETS)


def test_for_book_gives_figures_their_alt_text_and_drops_stderr():
    output = {"output_type": "display_data", "data": {"image/png": ""}, "metadata": {"image/png": {"alt": "A curve."}}}
    noise = {"output_type": "stream", "name": "stderr", "text": "progress"}
    cell = {"cell_type": "code", "metadata": {}, "source": "", "outputs": [noise, output]}
    injected = {"cell_type": "code", "metadata": {"tags": ["injected-parameters"]}, "source": "", "outputs": []}
    notebook = {"cells": [cell, injected], "metadata": {"widgets": {"state": "of an explorer"}}}
    before = json.dumps(notebook)
    staged = for_book(notebook)
    assert "widgets" not in staged["metadata"], "it would make the page fetch scripts"
    assert len(staged["cells"]) == 1 and staged["cells"][0]["outputs"] == [output]
    assert staged["cells"][0]["metadata"]["mystnb"]["image"]["alt"] == "A curve."
    assert json.dumps(notebook) == before
