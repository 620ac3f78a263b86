"""The book, built with warnings as errors and opened in a real browser: it works, alone, for everybody.

Every page is opened once, and what it loaded, links to and looks like to axe is noted; most tests read these notes.
"""

import ast
import base64
import copy
import functools
import http.server
import json
import re
import subprocess
import sys
import threading
import unicodedata
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote, unquote, urlsplit

import pytest
import yaml
from conftest import babyagi

import babyagi_lib
from babyagi_course import needs as needing
from babyagi_course import pages as paging
from babyagi_course import parts
from babyagi_course.book import ASSETS, Asset, fetch_assets, rooted
from babyagi_course.errors import CourseError
from babyagi_course.lessons import Course, Lesson
from babyagi_course.links import Links
from babyagi_course.notebooks import DIFFICULTY, figures, source, tags
from babyagi_lib.learner import journal, states
from babyagi_lib.learner.publishing import MIME

COURSE = Course.find()
LINKS = Links.read(COURSE.root)
PUBLISHED = LINKS.moved("ada/course", None)  # as in a copy with an address of its own
LESSONS = {f"notebooks/{lesson.name}.html": lesson for lesson in COURSE.lessons}
LOOK_UP = ["exercises", "glossary", "notation", "references", "teaching", "results", "dependencies", "cite"]
PAGES = ["index.html", *LESSONS, *(f"{name}.html" for name in LOOK_UP), "search.html", "404.html"]
LESSON = "notebooks/04_ner_finetuning.html"
LESSON_6 = "notebooks/06_q_learning.html"
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}

# axe-core itself, as its makers publish it, by the same pinned and checked way as the book's scripts: the Python
# packages that wrap it carry a copy whose version nobody chose.
AXE = Asset(
    "axe-core@4.14.1",
    "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
    "axe",
    ("package/axe.min.js",),
)
# The theme lets the keyboard reach what scrolls, and looks what that is some time after the window has changed.
SEEN_WHAT_SCROLLS = """[...document.querySelectorAll("#main-content [tabindex='-1']")].every(
    e => e.scrollWidth <= e.clientWidth && e.scrollHeight <= e.clientHeight)"""
# A formula inside a line does not break: two formulas, one after the other, do.
CUT = """[...document.querySelectorAll("mjx-container:not([display])")].filter(e => e.getBoundingClientRect().right
    > e.closest("p, li, td, dd").getBoundingClientRect().right + 1).map(e => e.closest("p, li, td, dd").innerText)"""
MOVING = "document.getAnimations().map(a => a.animationName ?? a.transitionProperty)"
RUN_AXE = "axe.run(document, {resultTypes: ['violations']}).then(results => results.violations)"
# Every page is looked at in the first two: what is built does not depend on the colours, nor contrast on the width, but
# for the bars around the text, which are the same everywhere. The front page is looked at in all.
STATES = [(DESKTOP, "light"), (PHONE, "dark"), (DESKTOP, "dark"), (PHONE, "light")]


@dataclass
class Visit:
    """What one page did and showed."""

    title: str = ""
    asked: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    weight: int = 0
    links: list[str] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    pictures: list[dict] = field(default_factory=list)
    reading: str = ""
    formulas: int = 0
    broken_formulas: int = 0
    width_on_a_phone: int = 0
    cut_on_a_phone: list[str] = field(default_factory=list)
    moving: dict[str, list[str]] = field(default_factory=dict)
    violations: dict[str, list[dict]] = field(default_factory=dict)


FACTS = """() => ({
    title: document.title,
    links: [...document.querySelectorAll("a[href]")].map(a => a.href.baseVal === undefined
        ? a.href : new URL(a.href.baseVal, document.baseURI).href),
    ids: [...document.querySelectorAll("[id]")].map(e => e.id),
    pictures: [...document.querySelectorAll("img")].map(i => ({src: i.getAttribute("src"), alt: i.getAttribute("alt")})),
    reading: document.querySelector(".reading")?.innerText ?? "",
    formulas: document.querySelectorAll("mjx-container").length,
    broken: document.querySelectorAll("mjx-merror").length,
})"""


@pytest.fixture(scope="module")
def book(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("book")
    done = babyagi(COURSE.root, "book", "--out", str(out))
    assert done.returncode == 0, done.stderr[-5000:]
    assert ("is a placeholder" in done.stderr) == LINKS.placeholder
    assert done.stdout.strip().startswith("Open ") and done.stdout.strip().endswith("index.html")
    return Path(done.stdout.strip().removeprefix("Open ")).parent


@pytest.fixture(scope="module")
def address(book):
    """The book under the path it will have, by a server that answers as GitHub Pages does."""
    base = urlsplit(LINKS.site).path

    class Pages(http.server.SimpleHTTPRequestHandler):
        def translate_path(self, path):
            path = unquote(urlsplit(path).path)
            return str(book / path.removeprefix(base)) if path.startswith(base) else str(book / "nowhere")

        def send_error(self, code, *_, **__):
            body = (book / "404.html").read_bytes()
            self.send_response(code)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}{base.rstrip('/')}"
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


@pytest.fixture(scope="module")
def axe() -> str:
    return (fetch_assets(COURSE.root / "book" / "_vendor", (AXE,)) / "axe" / "axe.min.js").read_text(encoding="utf-8")


def opened(browser, visit: Visit, **context):
    """A new page that notes requests and errors; its context is to be closed."""
    page = browser.new_context(viewport=DESKTOP, **context).new_page()
    page.on("request", lambda r: visit.asked.append(r.url))
    page.on("response", lambda r: visit.errors.append(f"{r.status} {r.url}") if r.status >= 400 else None)
    page.on("console", lambda m: visit.errors.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda e: visit.errors.append(str(e)))
    return page


@pytest.fixture(scope="module")
def visits(browser, address, axe):
    """Opens a page of the book, the first time it is asked for, and says what was seen."""

    @functools.cache
    def visited(name: str) -> Visit:
        visit, responses = Visit(), []
        page = opened(browser, visit, color_scheme="light", reduced_motion="reduce")
        page.on("response", lambda response: responses.append(response))
        page.goto(f"{address}/{name}", wait_until="networkidle")
        visit.weight = sum(int(response.headers["content-length"]) for response in responses)
        facts = page.evaluate(FACTS)
        visit.title, visit.links, visit.ids = facts["title"], facts["links"], set(facts["ids"])
        visit.pictures, visit.reading = facts["pictures"], facts["reading"]
        visit.formulas, visit.broken_formulas = facts["formulas"], facts["broken"]
        page.evaluate(axe)
        page.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
        for viewport, scheme in STATES if name == "index.html" else STATES[:2]:
            page.set_viewport_size(viewport)
            page.emulate_media(color_scheme=scheme)
            page.wait_for_function(f"document.documentElement.dataset.theme === '{scheme}'")
            state = f"{viewport['width']} wide, {scheme}"
            visit.moving[state] = page.evaluate(MOVING)
            page.wait_for_function(SEEN_WHAT_SCROLLS)
            visit.violations[state] = page.evaluate(RUN_AXE)
        page.set_viewport_size(PHONE)
        visit.width_on_a_phone = page.evaluate("document.documentElement.scrollWidth")
        visit.cut_on_a_phone = page.evaluate(CUT)
        page.context.close()
        return visit

    return visited


@pytest.fixture
def page(browser):
    """A page that notes every request, console error and failed load."""
    visit = Visit()
    page = opened(browser, visit, permissions=["clipboard-read", "clipboard-write"])
    page.asked, page.errors = visit.asked, visit.errors
    yield page
    page.context.close()


def test_these_are_all_the_pages(book):
    found = [path.relative_to(book).as_posix() for path in book.rglob("*.html")]
    assert sorted(name for name in found if not name.startswith("_static/")) == sorted(PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_no_request_leaves_and_the_console_is_clean(visits, address, name):
    visit = visits(name)
    assert [u for u in visit.asked if not u.startswith((address, "data:", "blob:"))] == []
    assert visit.errors == []
    assert visit.title


@pytest.mark.parametrize("name", PAGES)
def test_weight(visits, name):
    """Under 4 MB with all that it loads, as it lies on the disk: uncompressed."""
    assert 100_000 < visits(name).weight < 4_000_000


@pytest.mark.parametrize("name", PAGES)
def test_on_a_phone_nothing_is_cut_off(visits, name):
    assert visits(name).width_on_a_phone <= PHONE["width"]
    assert visits(name).cut_on_a_phone == []


@pytest.mark.parametrize("name", PAGES)
def test_nothing_moves_for_who_asked_for_less_motion(visits, name):
    """Nothing fades in where it is unfolded, nor from one colour to another."""
    assert not any(visits(name).moving.values()), visits(name).moving


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(visits, name):
    """Nor anything lesser: light and dark, desktop and phone, with everything unfolded."""
    for state, violations in visits(name).violations.items():
        assert [(v["id"], v["impact"], v["help"], v["nodes"][0]["html"][:300]) for v in violations] == [], state


@pytest.mark.parametrize("name", PAGES)
def test_every_link_inside_the_book_leads_somewhere(visits, address, book, name):
    broken = []
    for link in set(visits(name).links):
        if not link.startswith(address):
            assert link.startswith(("https://", "http://")), link
            continue
        target, _, anchor = link.removeprefix(address + "/").partition("#")
        target = target or "index.html"
        if target not in PAGES:
            if not (book / target).is_file():
                broken.append(link)
        elif anchor and unquote(anchor) not in visits(target).ids:
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("name", PAGES)
def test_every_picture_says_what_it_shows(visits, name):
    for picture in visits(name).pictures:
        assert picture["alt"] and len(picture["alt"]) > 40 and "/" not in picture["alt"][:12], picture


@pytest.mark.parametrize("name", PAGES)
def test_formulas_are_set(visits, name):
    assert visits(name).broken_formulas == 0


def test_maths_comes_only_where_it_is_needed(visits):
    assert visits(LESSON).formulas >= 4 and visits("glossary.html").formulas > 0
    assert not any("mathjax" in url for url in visits("index.html").asked)


# Using it: what a reader clicks does what it says. At the widths of a phone, a tablet and a desktop, and on a desktop
# zoomed to 200%, where a page has half the width. (A click fails unless what it hits is what a reader sees there.)

SIZES = [(390, 1), (768, 1), (1280, 1), (640, 2)]
USED = ["index.html", "notebooks/02_adapter_heads.html", "notebooks/06_q_learning.html"]
each_size = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}px, {size[1]:.0%}")
each_used = pytest.mark.parametrize("name", USED)


@pytest.fixture
def shown(browser, address, size, name):
    """A page of the book in a window of a given size. What lies elsewhere is not asked for."""
    width, zoom = size
    page = browser.new_context(viewport={"width": width, "height": 900 // zoom}, device_scale_factor=zoom).new_page()
    page.set_default_timeout(10_000)
    elsewhere = re.compile(rf"^(?!{re.escape(address)})https?:")
    page.route(elsewhere, lambda route: route.fulfill(status=204))  # after which a browser stays where it is
    page.goto(f"{address}/{name}", wait_until="networkidle")
    yield page
    page.context.close()


@each_used
@each_size
def test_the_menu_opens_and_closes_and_leads_to_a_lesson(shown, name, size):
    link = shown.locator(".bd-links a", has_text="Lesson 3.").first
    button = shown.locator(".primary-toggle:visible")
    if size[0] >= 992:  # the menu stands beside the text, and the button hides it
        assert link.is_visible()
        button.click()
        link.wait_for(state="hidden")
        button.click()
    else:
        assert not link.is_visible()
        button.click()
        link.wait_for()
        shown.keyboard.press("Escape")
        link.wait_for(state="hidden")
        button.click()
    link.wait_for()
    link.click()
    shown.wait_for_url("**/notebooks/03_binary_cross_entropy.html")


@each_used
@each_size
def test_the_contents_lead_to_a_heading_and_get_out_of_its_way(shown, name, size):
    link = shown.locator("#pst-page-toc-nav a").nth(3)
    if not link.is_visible():
        shown.locator(".secondary-toggle:visible").click()
        link.wait_for()
    heading = shown.locator(link.get_attribute("href")).locator(":is(h1, h2, h3)").first
    link.click()
    shown.wait_for_function("document.querySelector('dialog[open]') === null")
    shown.wait_for_function("h => Math.abs(h.getBoundingClientRect().top) < 150", arg=heading.element_handle())
    assert heading.evaluate(
        "h => h.contains(document.elementFromPoint(h.getBoundingClientRect().left + 5, "
        "h.getBoundingClientRect().top + 5))"
    ), "nothing lies over it"


@each_used
@each_size
def test_the_search_button_finds_a_page(shown, name, size):
    shown.locator(".search-button__button:visible").first.click()
    field = shown.locator("dialog[open] input[type=search]")
    field.fill("bootstrap")
    glass = shown.locator("dialog[open] .bd-search :is(svg, i)").first
    text_begins = field.evaluate("f => f.getBoundingClientRect().left + parseFloat(getComputedStyle(f).paddingLeft)")
    assert glass.bounding_box()["x"] + glass.bounding_box()["width"] <= text_begins, "the icon covers no letter"
    field.press("Enter")
    hits = shown.locator("#search-results li a")
    hits.first.wait_for()
    [hit, *_] = [hit for hit in hits.all() if "04_ner_finetuning" in hit.get_attribute("href")]
    hit.click()
    shown.wait_for_url("**/notebooks/04_ner_finetuning.html*")


@each_used
@each_size
def test_the_theme_button_goes_through_its_three_modes(shown, name, size):
    button, seen = shown.locator(".theme-switch-button:visible").first, {}
    for _ in range(3):
        button.click()
        mode = shown.evaluate("document.documentElement.dataset.mode")
        seen[mode] = shown.evaluate("getComputedStyle(document.body).backgroundColor")
    assert set(seen) == {"light", "dark", "auto"} and seen["light"] != seen["dark"]


@each_used
@each_size
def test_next_and_previous_go_there_and_back(shown, address, name, size):
    shown.locator("a.right-next").first.click()
    follows = PAGES[PAGES.index(name) + 1]
    shown.wait_for_url(f"{address}/{follows}")
    shown.locator("a.left-prev").first.click()
    shown.wait_for_url(f"{address}/{name}")


@pytest.mark.parametrize("name", USED[1:])
@each_size
def test_hints_solutions_and_quiz_answers_open_and_close(shown, name, size):
    folds = shown.locator("article details")
    hint, solution = folds.filter(has_text="Hint 1").first, folds.filter(has_text=re.compile("a solution", re.I)).first
    for fold in (hint, solution, folds.last):
        summary = fold.locator("summary").first
        content = fold.locator(":scope > :not(summary)").first
        assert not content.is_visible()
        summary.click()
        content.wait_for()
        summary.click()
        content.wait_for(state="hidden")


@pytest.mark.parametrize("name", USED[1:])
@each_size
def test_the_launch_buttons_go_where_they_say(shown, name, size):
    lesson, buttons = LESSONS[name], shown.locator(".launch a:not([download])")
    wanted = LINKS.places(lesson.name)
    assert buttons.all_inner_texts() == list(wanted)
    for text, target in wanted.items():
        button = shown.locator(".launch a", has_text=text)
        with shown.expect_request(target):
            button.click(no_wait_after=True)
    with shown.expect_download() as download:
        shown.locator(".launch a[download]").click()
    assert json.loads(Path(download.value.path()).read_text(encoding="utf-8")) == lesson.notebook


# Explorers: the states that were drawn when the lesson ran, under controls that work in the page.

EXPLORERS = [
    (name, cell["id"])
    for name, lesson in LESSONS.items()
    for cell in lesson.notebook["cells"]
    if cell["cell_type"] == "code" and re.search(r"^explore\(", source(cell), re.MULTILINE)
]


def drawn_for(name, cell_id):
    """The states of an explorer in the committed notebook: its controls and the text alternative of each state."""
    [cell] = [cell for cell in LESSONS[name].notebook["cells"] if cell["id"] == cell_id]
    [kept] = [output["data"][states.MIME] for output in cell["outputs"] if states.MIME in output.get("data", {})]
    return kept["controls"], json.loads(zlib.decompress(base64.b64decode(kept["packed"])))["alts"]


@pytest.fixture
def explorers(page, address):
    """The explorers of a lesson's page, in a window of a given size, in their order."""

    def opened(name, size=DESKTOP):
        page.set_viewport_size(size)
        page.goto(f"{address}/{name}", wait_until="networkidle")
        found = page.locator(".explorer")
        found.first.wait_for()
        return found

    return opened


def test_there_are_explorers():
    assert len(EXPLORERS) >= 5


@pytest.mark.parametrize("name", dict(EXPLORERS))
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_every_control_of_an_explorer_changes_its_drawing(explorers, name, size):
    """By keyboard; the drawing's text alternative is the one that was made for just these values."""
    boxes, here = explorers(name, size), [cell for page, cell in EXPLORERS if page == name]
    assert boxes.count() == len(here)
    for box, cell in zip(boxes.all(), here, strict=True):
        controls, alts = drawn_for(name, cell)
        drawing, chosen = box.locator("[role=img]"), [control["start"] for control in controls]

        def alt(chosen=chosen, controls=controls, alts=alts):
            index = 0
            for at, control in zip(chosen, controls, strict=True):
                index = index * len(control["options"]) + at
            return alts[index]

        assert drawing.get_attribute("aria-label") == alt()
        for number, control in enumerate(controls):
            widget = box.get_by_label(control["label"], exact=False).and_(box.locator("input, select")).first
            forward = chosen[number] + 1 < len(control["options"])
            before = drawing.inner_html()
            widget.focus()
            widget.press(
                "ArrowRight"
                if forward and control["slider"]
                else "ArrowDown"
                if forward
                else "ArrowUp"
                if not control["slider"]
                else "ArrowLeft"
            )
            chosen[number] += 1 if forward else -1
            assert drawing.get_attribute("aria-label") == alt()
            assert drawing.inner_html() != before
            if control["slider"]:
                assert (
                    box.locator("output").nth([c["slider"] for c in controls[:number]].count(True)).inner_text()
                    == control["options"][chosen[number]]
                )


def test_the_film_plays_to_its_end_and_stops(explorers, page):
    box = explorers(LESSON_6).nth(1)
    slider, button = box.locator("input"), box.get_by_role("button")
    last = int(slider.get_attribute("max"))
    slider.evaluate("(s, value) => { s.value = value; s.dispatchEvent(new Event('input')); }", last - 3)
    button.click()
    assert button.inner_text() == "Stop"
    page.wait_for_function("b => b.textContent === 'Play'", arg=button.element_handle())
    assert slider.input_value() == str(last)
    button.click()
    page.wait_for_function("s => s.valueAsNumber > 0 && s.valueAsNumber < 9", arg=slider.element_handle())
    button.click()
    stopped = slider.input_value()
    page.wait_for_timeout(400)
    assert slider.input_value() == stopped and button.inner_text() == "Play"


def test_an_explorer_has_the_colours_of_the_page(explorers, page):
    text = explorers(LESSON_6).first.locator("svg text").first
    ink = {}
    for theme in ("light", "dark"):
        page.evaluate("theme => (document.documentElement.dataset.theme = theme)", theme)
        ink[theme] = page.evaluate("getComputedStyle(document.querySelector('.explorer-drawing svg')).color")
    assert ink["light"] != ink["dark"]
    assert text.count() == 1 and page.locator(".explorer img").count() == 0


def test_on_paper_and_without_javascript_the_still_picture_stays(explorers, page, browser, address):
    name = LESSON_6
    box, still = explorers(name).first, page.locator("img.explorer-still").first
    assert box.is_visible() and not still.is_visible()
    page.emulate_media(media="print")
    assert still.is_visible() and not box.is_visible()
    page.emulate_media(media="screen")
    plain = browser.new_context(java_script_enabled=False).new_page()
    plain.goto(f"{address}/{name}")
    alt = drawn_for(name, EXPLORERS[[page for page, _ in EXPLORERS].index(name)][1])
    assert plain.locator("img[alt^='Values and greedy arrows']").first.is_visible() and alt
    assert plain.locator(".explorer").count() == 0
    plain.context.close()


def test_explorers_work_from_a_folder(browser, book):
    page = browser.new_context().new_page()
    page.goto((book / "notebooks" / "03_binary_cross_entropy.html").as_uri())
    slider = page.locator(".explorer input")
    slider.wait_for()
    before = page.locator(".explorer [role=img]").get_attribute("aria-label")
    slider.press("ArrowLeft")
    assert page.locator(".explorer [role=img]").get_attribute("aria-label") != before
    page.context.close()


# Figures fit the page, and open at their own size.


@pytest.mark.parametrize("name", list(LESSONS))
def test_a_figure_fits_a_phone_and_opens_larger(page, address, name):
    page.set_viewport_size(PHONE)
    page.goto(f"{address}/{name}", wait_until="networkidle")
    shown = page.locator(".cell_output img:visible, .explorer-drawing:visible")
    for figure in shown.all():
        box = figure.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"]
    shrunk = page.locator(".shrunk:visible")
    assert shrunk.count() == page.locator(".larger:visible").count() > 0
    for opener in (page.locator(".larger:visible").first, shrunk.last):
        opener.click()
        whole = page.locator("dialog.figure-dialog :is(img, svg)")
        assert whole.bounding_box()["width"] > PHONE["width"]
        page.keyboard.press("Escape")
        page.locator("dialog.figure-dialog").wait_for(state="detached")


def test_a_figure_that_fits_offers_nothing_larger(page, address):
    page.set_viewport_size(DESKTOP)
    page.goto(f"{address}/{LESSON_6}", wait_until="networkidle")
    page.locator(".explorer").first.wait_for()
    assert page.locator(".cell_output img:visible").count() > 5 and page.locator(".larger:visible").count() == 0


def test_in_the_dark_a_figure_has_the_ground_of_the_page(browser, address):
    page = browser.new_context(viewport=DESKTOP, color_scheme="dark").new_page()
    page.goto(f"{address}/{LESSON_6}", wait_until="networkidle")
    page.locator(".explorer").first.wait_for()
    image = page.locator(".cell_output img:not(.explorer-still)").first
    image.scroll_into_view_if_needed()
    box = image.bounding_box()
    edge = {
        "x": box["x"] - 6,
        "y": box["y"] + 2,
        "width": 9,
        "height": 1,
    }  # pixels beside the figure, and its own first
    pixels = page.evaluate(
        """async (png) => {
            const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
            const canvas = new OffscreenCanvas(image.width, image.height).getContext("2d");
            canvas.drawImage(image, 0, 0);
            return [...canvas.getImageData(0, 0, image.width, 1).data];
        }""",
        base64.b64encode(page.screenshot(clip=edge)).decode(),
    )
    page.context.close()
    assert max(pixels[i] for i in range(len(pixels)) if i % 4 < 3) < 30, pixels


# A reader's progress: it stays in the browser, in the form of the file that the notebooks write.


def expect(locator):
    """Assertions of playwright, which wait until they hold."""
    from playwright.sync_api import expect

    return expect(locator)


@pytest.fixture
def reader(browser, address):
    """A reader with a browser of their own, on the page of a lesson."""
    page = browser.new_context(viewport=DESKTOP).new_page()
    page.set_default_timeout(10_000)
    page.goto(f"{address}/{LESSON_6}", wait_until="networkidle")
    yield page
    page.context.close()


def answer(page, number, right):
    """Open the right option of a question, or a wrong one that is closed."""
    options = page.locator(f".quiz[data-question='{number}'] details:not([open])")
    wanted = "details[data-right]" if right else "details:not([data-right])"
    options.and_(page.locator(wanted)).first.locator("summary").click()


def test_answers_and_exercises_are_counted_and_remembered(reader, address):
    score = reader.locator(".quiz-score")
    assert score.inner_text() == "Answered right: 0 of 6, 0 of them at the first try."
    answer(reader, 1, right=True)
    expect(score).to_contain_text("right: 1 of 6")
    answer(reader, 1, right=False)  # afterwards: it takes nothing away
    answer(reader, 2, right=False)
    answer(reader, 2, right=True)
    expect(score).to_have_text("Answered right: 2 of 6, 1 of them at the first try.")  # a moment after the click
    reader.get_by_label("I have solved it").nth(1).check()
    for _ in range(2):  # at once, and when the reader comes back
        assert reader.locator(".bd-links li.current > a .done").inner_text().strip() == "3 of 9 done"
        reader.reload(wait_until="networkidle")
        expect(score).to_have_text("Answered right: 2 of 6, 1 of them at the first try.")
        assert [box.is_checked() for box in reader.get_by_label("I have solved it").all()] == [False, True, False]
    answer(reader, 2, right=False)
    answer(reader, 2, right=True)
    assert score.inner_text() == "Answered right: 2 of 6, 1 of them at the first try.", "only the first time counts"


def test_the_front_page_shows_saves_and_forgets_progress(reader, address, tmp_path):
    answer(reader, 3, right=True)
    expect(reader.locator(".quiz-score")).to_contain_text("right: 1 of 6")
    reader.get_by_label("I have solved it").first.check()
    reader.get_by_label("I have solved it").nth(2).check()
    reader.get_by_label("I have solved it").nth(2).uncheck()
    reader.goto(f"{address}/index.html", wait_until="networkidle")
    rows = {
        row.locator("a").inner_text(): row.inner_text() for row in reader.locator(".reader-progress tbody tr").all()
    }
    assert list(rows) == [lesson.title for lesson in COURSE.lessons]
    assert re.search(r"1 of 3\s+1 of 6$", rows[LESSONS[LESSON_6].title])
    assert all(re.search(r"\s0 of \d\s+0 of \d$", row) for title, row in rows.items() if "Q-learning you" not in title)
    with reader.expect_download() as download:
        reader.get_by_role("button", name="Save").click()
    download.value.save_as(tmp_path / journal.FILE)
    assert download.value.suggested_filename == journal.FILE
    assert journal.read(tmp_path) == {"06_q_learning": {"exercises": ["value_iteration"], "quiz": {"3": 1}}}
    reader.on("dialog", lambda dialog: dialog.accept())
    reader.get_by_role("button", name="Forget").click()
    assert "1 of" not in reader.locator(".reader-progress tbody").inner_text().replace("0 of 1", "")
    assert reader.locator(".bd-links .done").all_inner_texts() == [""] * len(LESSONS)
    reader.reload()
    assert reader.evaluate(f"localStorage.getItem('{journal.FILE.removesuffix('.json')}')") == "{}"


def test_printing_opens_every_answer_and_counts_none(reader):
    reader.evaluate("dispatchEvent(new Event('beforeprint'))")
    reader.wait_for_timeout(300)
    reader.evaluate("dispatchEvent(new Event('afterprint'))")
    assert reader.locator(".quiz-score").inner_text() == "Answered right: 0 of 6, 0 of them at the first try."


def test_two_pages_of_the_book_count_together(reader, address):
    other = reader.context.new_page()
    other.goto(f"{address}/notebooks/03_binary_cross_entropy.html", wait_until="networkidle")
    answer(other, 1, right=True)
    expect(other.locator(".quiz-score")).to_contain_text("right: 1 of 6")
    answer(reader, 1, right=True)
    shown = reader.locator(".bd-links .done").filter(has_text="done")
    expect(shown).to_have_text([" 1 of 9 done", " 1 of 9 done"])


def test_a_page_says_what_to_do_with_an_exercise(reader):
    places = reader.locator(".exercise").all_inner_texts()
    assert len(places) == 3 and all("cannot run your function" in text for text in places)
    assert "run this cell again" not in reader.locator("article").inner_text()


def test_a_formula_is_no_stop_of_the_tab_key(page, address):
    page.goto(f"{address}/notebooks/03_binary_cross_entropy.html", wait_until="networkidle")
    page.wait_for_function("document.querySelectorAll('mjx-container').length > 50")
    assert page.locator("mjx-container[tabindex='0']").count() == 0


def test_a_wide_formula_shows_its_beginning(browser, address):
    page = browser.new_context(viewport=PHONE).new_page()
    page.goto(f"{address}/notebooks/06_q_learning.html", wait_until="networkidle")
    page.wait_for_function("document.querySelectorAll('mjx-container').length > 50")
    starts = page.locator("div.math").evaluate_all(
        """boxes => boxes.filter(box => box.scrollWidth > box.clientWidth).map(box =>
            box.querySelector('mjx-math').getBoundingClientRect().left - box.getBoundingClientRect().left)"""
    )
    page.context.close()
    assert starts and min(starts) > -1, "pixels between the left end of the box and that of the formula"


@pytest.mark.parametrize("name", list(LESSONS))
def test_printed_text_is_shown_whole_on_a_desktop(page, address, name):
    page.set_viewport_size(DESKTOP)
    page.goto(f"{address}/{name}", wait_until="networkidle")
    hidden = page.locator(".cell_output :is(.stream, .text_plain) pre").evaluate_all(
        "outputs => outputs.filter(o => o.scrollWidth > o.clientWidth + 1).map(o => o.innerText.slice(0, 200))"
    )
    assert not hidden


def test_without_javascript_the_front_page_has_its_bars(browser, address):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/index.html")
    drawn = "cells => cells.map(cell => getComputedStyle(cell, '::before').background)"
    bars = page.eval_on_selector_all(".bars td", drawn)
    assert bars and not any(bar.startswith("rgba(0, 0, 0, 0) none") for bar in bars), bars
    context.close()


def test_what_is_folded_is_printed_and_folded_again(page, address):
    page.goto(f"{address}/{LESSON}", wait_until="networkidle")
    solution = page.locator(".tag_solution pre").first
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert solution.is_visible() and page.locator("article details:not([open])").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert not solution.is_visible()


def test_the_columns_of_what_was_measured_keep_apart(page, address):
    page.goto(f"{address}/{LESSON}", wait_until="networkidle")
    table = page.locator("#what-you-measured table").first
    gaps = table.locator("td").evaluate_all("cells => cells.map(c => parseFloat(getComputedStyle(c).paddingRight))")
    assert gaps and min(gaps) >= 8


# The front page


def test_the_front_page_shows_what_lesson_4_measured(page, address):
    page.goto(f"{address}/index.html", wait_until="networkidle")
    found = {f["label"]: f["value"] for f in figures(LESSONS[LESSON].notebook)}
    shown = page.locator(".bars td").all_inner_texts()
    baseline, right = "words right, always answering O", "words right"
    labels = (baseline, right, "entity F1", "entity F1 with the article's labels")
    assert shown == ["97.3%", *(f"{found[label]:.1%}" for label in labels)]
    lengths = page.eval_on_selector_all(
        ".bars td", "cells => cells.map(c => parseFloat(getComputedStyle(c, '::before').width))"
    )
    assert lengths[1] / lengths[2] == pytest.approx(found[baseline] / found[right], rel=0.02)


def test_the_front_page_leads_to_every_lesson_and_the_map_to_its_own(visits, page, address):
    links = {link.removeprefix(address + "/") for link in visits("index.html").links}
    assert set(LESSONS) <= links
    page.goto(f"{address}/index.html", wait_until="networkidle")
    drawing = page.locator("svg.course-map:not(.needs)")
    on_the_map = drawing.locator("a").evaluate_all("links => links.map(a => a.getAttribute('href'))")
    assert on_the_map == [name for name in LESSONS if not name.startswith("notebooks/00")]
    assert len(drawing.get_attribute("aria-label")) > 100
    page.set_viewport_size(PHONE)
    sizes = drawing.locator("text").evaluate_all(
        "texts => texts.map(t => parseFloat(getComputedStyle(t).fontSize) * t.getScreenCTM().a)"
    )
    assert min(sizes) > 11, "letters of the map on a phone, in pixels"


def test_a_shared_link_shows_a_picture(book):
    page = (book / LESSON).read_text(encoding="utf-8")
    meta = dict(re.findall(r'<meta (?:property|name)="([^"]+)" content="([^"]*)"', page))
    assert meta["og:title"].startswith("Lesson 4") and meta["og:url"] == LINKS.site + LESSON
    assert meta["twitter:card"] == "summary_large_image" and len(meta["og:description"]) > 80
    assert "minutes to read" not in meta["og:description"]
    assert meta["og:image"].startswith(LINKS.site)
    picture = (book / meta["og:image"].removeprefix(LINKS.site)).read_bytes()
    assert len(picture) < 150_000
    size = [int.from_bytes(picture[i : i + 4]) for i in (16, 20)]
    assert size == [int(meta["og:image:width"]), int(meta["og:image:height"])] == [1200, 630]


# A lesson


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_can_be_opened_elsewhere_and_downloaded(visits, address, book, name):
    lesson = LESSONS[name]
    download = f"{address}/downloads/{lesson.path.name}"
    assert {*LINKS.places(lesson.name).values(), download} <= set(visits(name).links)
    downloaded = json.loads((book / "downloads" / lesson.path.name).read_text(encoding="utf-8"))
    assert downloaded == lesson.notebook


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_says_how_long_it_takes_to_read(visits, name):
    takes = paging.effort(LESSONS[name])
    for told in (
        f"{takes.words:,} words",
        f"about {takes.reading} minutes to read",
        f"about {takes.solving} minutes for",
    ):
        assert told in visits(name).reading


def test_long_code_is_folded(page, address):
    page.goto(f"{address}/notebooks/02_adapter_heads.html", wait_until="networkidle")
    long = page.locator("pre").evaluate_all(
        f"blocks => blocks.filter(b => b.innerText.trim().split('\\n').length > {paging.LONG} && !b.closest('details'))"
        ".map(b => b.innerText.slice(0, 80))"
    )
    assert [text for text in long if "import " in text or "def " in text] == []
    folded = page.locator("summary", has_text=re.compile(r"Show \d+ lines of code")).first
    code = folded.locator("xpath=..").locator("pre").first
    assert not code.is_visible()
    folded.click()
    assert code.is_visible()


def test_code_is_copied_as_it_stands(page, address):
    page.goto(f"{address}/{LESSON}", wait_until="networkidle")
    cell = page.locator(".cell_input:visible").nth(1)
    cell.hover()
    cell.locator(".copybtn").click()
    assert page.evaluate("navigator.clipboard.readText()").strip() == cell.locator("pre").inner_text().strip()


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


def test_the_keyboard_reaches_everything_and_shows_where_it_is(page, address):
    page.goto(f"{address}/{LESSON}", wait_until="networkidle")
    wanted = {
        "skip link": ".skip-link a",
        "navigation": ".bd-links a",
        "content": "article p a",
        "launch": ".launch a",
        "summary": "article summary",
        "copy": ".copybtn",
    }
    reached, hidden = set(), []
    for _ in range(150):
        page.keyboard.press("Tab")
        now = page.evaluate(
            """wanted => { const e = document.activeElement, s = getComputedStyle(e), r = e.getBoundingClientRect();
            return {names: Object.keys(wanted).filter(k => e.matches(wanted[k])), html: e.outerHTML.slice(0, 120),
                    shown: (s.outlineStyle !== "none" && parseFloat(s.outlineWidth) > 0 || s.boxShadow !== "none")
                           && parseFloat(s.opacity) > 0.5 && r.width > 0} }""",
            wanted,
        )
        reached |= set(now["names"])
        if not now["shown"]:
            hidden.append(now["html"])
    assert reached == set(wanted)
    assert hidden == []
    page.locator("article summary").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("article details").first.get_attribute("open") is not None


def test_dark_mode_changes_the_page(page, address):
    page.emulate_media(color_scheme="dark")
    page.goto(f"{address}/{LESSON}", wait_until="networkidle")
    background, text = page.evaluate(
        "() => { const s = getComputedStyle(document.body); return [s.backgroundColor, s.color]; }"
    )

    def luminance(rgb):
        return sum(int(v) for v in re.findall(r"\d+", rgb)[:3]) / 3

    assert luminance(background) < 60 < 150 < luminance(text)


# Looking things up


def found_for(page, address, query):
    """The hits of a search, best first: where each leads, and the text around it."""
    page.goto(f"{address}/search.html?q={quote(query)}", wait_until="networkidle")
    hits = page.locator("#search-results li")
    hits.first.wait_for(timeout=10_000)
    return [(hit.locator("a").get_attribute("href"), hit.inner_text()) for hit in hits.all()]


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("Q-learning", "06_q_learning"),
        ("few-shot learning", "05_fewshot"),
        ("pretraining", "01_pretraining"),
        ("finding names", "04_ner_finetuning"),
        ("温度", "glossary.html?q=%E6%B8%A9%E5%BA%A6#temperature-scaling"),
        ("temperature scaling", "glossary.html?q=temperature%20scaling#temperature-scaling"),
    ],
)
def test_the_best_hit_comes_first(page, address, query, first):
    href, text = found_for(page, address, query)[0]
    assert first in href and query.lower() in text.lower()


def test_every_term_of_the_glossary_is_a_direct_hit(page, address, book):
    page.goto(f"{address}/search.html", wait_until="networkidle")
    terms = page.evaluate("SECTIONS.filter(section => section[4]).map(section => [section[1], section[2]])")
    assert len(terms) == (COURSE.root / "book" / "glossary.md").read_text(encoding="utf-8").count('<a id="')
    for anchor, heading in terms[:: len(terms) // 12]:
        chinese = re.search("[\u3400-\u9fff]+", heading)[0]
        assert any(href.endswith(f"#{anchor}") for href, _ in found_for(page, address, chinese[:2]))


def test_a_term_with_the_words_as_its_name_is_the_first_hit(page, address):
    """Before the longer terms that they are a part of; what stands in brackets after a name does not matter."""
    for words, anchor in (("奖励", "reward"), ("belief", "belief"), ("reward", "reward")):
        terms = [href for href, _ in found_for(page, address, words) if href.startswith("glossary.html")]
        assert terms[0].endswith(f"#{anchor}")


def test_a_broken_memory_is_left_and_the_rest_is_kept(browser, address):
    """What another program left in the browser's storage takes no exercise and no button away."""
    context = browser.new_context(viewport=DESKTOP)
    reader = context.new_page()
    kept = {"03_binary_cross_entropy": {"exercises": [], "quiz": {"1": 2}}}
    for spoiled in ({"11_fusion": 5}, {"11_fusion": {"exercises": ["add_up"]}}, {"11_fusion": None}, {"no_lesson": {}}):
        reader.goto(f"{address}/index.html", wait_until="networkidle")
        reader.evaluate("stored => localStorage.setItem('my_progress', stored)", json.dumps(spoiled | kept))
        reader.goto(f"{address}/notebooks/11_fusion.html", wait_until="networkidle")
        reader.locator(".exercise input").first.wait_for()
        reader.goto(f"{address}/index.html", wait_until="networkidle")
        reader.get_by_role("button", name="Forget").wait_for()
        assert "1 of" in reader.locator(".bd-links .done").nth(3).inner_text()
    context.close()


def test_photographs_are_no_negatives_in_the_dark(browser, address):
    page = browser.new_context(viewport=DESKTOP, color_scheme="dark").new_page()
    page.goto(f"{address}/notebooks/11_fusion.html", wait_until="networkidle")
    filters = "images => images.map(image => getComputedStyle(image).filter)"
    assert set(page.locator(".tag_photo .cell_output img").evaluate_all(filters)) == {"none"}
    drawn = page.locator(".cell:not(.tag_photo) .cell_output img:not(.explorer-still)")
    assert "none" not in drawn.evaluate_all(filters)
    page.context.close()


def test_what_is_dark_on_the_screen_is_printed_light(browser, address):
    page = browser.new_context(viewport=DESKTOP, color_scheme="dark").new_page()
    page.goto(f"{address}/{LESSON}", wait_until="networkidle")
    theme = "document.documentElement.dataset.theme"
    assert page.evaluate(theme) == "dark"
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate(theme) == "light"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(theme) == "dark"
    page.context.close()


def test_a_hit_shows_its_words_and_scrolls_to_the_first(page, address):
    [hit, *_] = [hit for hit in found_for(page, address, "contextual calibration") if "05_fewshot" in hit[0]]
    assert page.locator("#search-results mark").count() > 3
    page.goto(f"{address}/{hit[0]}", wait_until="networkidle")
    marks = page.locator("article mark").all_inner_texts()
    assert {mark.lower() for mark in marks} == {"contextual", "calibration"}
    section = page.locator(f"[id='{hit[0].partition('#')[2]}']")
    assert section.locator("mark").first.evaluate(
        "mark => { const box = mark.getBoundingClientRect(); return box.top >= 0 && box.bottom <= innerHeight; }"
    )


def test_the_page_of_exercises_leads_to_each(page, address):
    page.goto(f"{address}/exercises.html", wait_until="networkidle")
    links = page.locator("article td:nth-child(2) a")
    texts = [source(cell) for lesson in LESSONS.values() for cell in lesson.notebook["cells"]]
    assert links.all_inner_texts() == re.findall(r"^### (Exercise \d.*)$", "\n".join(texts), re.MULTILINE)
    wanted = [(f"{level} of 3", minutes) for text in texts for level, minutes in DIFFICULTY.findall(text)]
    cells = [[cell.strip() for cell in row.locator("td").all_inner_texts()] for row in page.locator("tbody tr").all()]
    assert [(level.replace("\xa0", " "), minutes) for _, _, level, minutes in cells] == wanted
    last = links.last.get_attribute("href")
    links.last.click()
    page.wait_for_url(f"**/{last}")
    assert page.locator(f"[id='{last.partition('#')[2]}']").count() == 1


def test_a_search_without_a_hit_says_so_and_shows_no_html(page, address):
    page.goto(f"{address}/search.html?q={quote('<img src=x onerror=alert(1)> zzz')}", wait_until="networkidle")
    assert "Nothing was found for “<img" in page.locator("#search-results").inner_text()
    assert page.locator("#search-results img").count() == 0


def test_chinese_is_marked_as_chinese(page, address):
    page.goto(f"{address}/glossary.html", wait_until="networkidle")
    marked = "".join(page.locator("[lang=zh]").all_inner_texts())
    rows = page.locator("table tr td:nth-child(2)").all_inner_texts()
    assert len(rows) > 100
    assert set("".join(re.findall("[\u4e00-\u9fff]", "".join(rows)))) <= set(marked)


@pytest.mark.parametrize("name", [name for name in PAGES if name not in ("search.html", "404.html")])
def test_the_foot_of_a_page_says_version_date_and_licence(page, address, name):
    page.goto(f"{address}/{name}", wait_until="networkidle")
    source_file = f"notebooks/{LESSONS[name].path.name}" if name in LESSONS else f"book/{name[:-5]}.md"
    asked = ["git", "log", "-1", "--format=%cs", "--", source_file]
    date = subprocess.run(asked, cwd=COURSE.root, capture_output=True, text=True, check=False).stdout.strip()
    said = page.locator(".foot").inner_text()
    assert f"Version {babyagi_lib.__version__} · " in said and "text CC BY 4.0, code MIT" in said
    assert (f"last changed on {date}" in said) if date else "last changed" not in said
    ways_back = page.locator(".foot a:not([href$='cite.html'])").evaluate_all("links => links.map(a => a.href)")
    assert ways_back == list(LINKS.ways_back(source_file).values())
    page.locator(".foot a[href$='cite.html']").click()
    page.wait_for_url("**/cite.html")


def test_the_foot_of_a_published_page_has_its_ways_back():
    said = paging.foot("book/teaching.md", COURSE.root, PUBLISHED)
    assert "https://github.com/ada/course/edit/main/book/teaching.md" in said
    assert "https://github.com/ada/course/issues/new?title=" in said


@pytest.mark.parametrize("name", PAGES)
def test_no_page_links_to_an_address_that_does_not_exist(visits, name):
    if not LINKS.placeholder:
        pytest.skip("the course has an address")
    assert not [link for link in visits(name).links if link.startswith((LINKS.repository, LINKS.site))]


def test_the_entry_to_cite_is_that_of_the_citation_file(page, address, root):
    cited = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    page.goto(f"{address}/cite.html", wait_until="networkidle")
    entry = page.locator(".highlight-bibtex pre").inner_text()
    assert cited["title"] in entry and cited["authors"][0]["name"] in entry
    assert f"Version {cited['version']}" in entry and cited["version"] == babyagi_lib.__version__
    address = None if LINKS.placeholder else LINKS.repository
    assert cited.get("repository-code") == address and (LINKS.repository in entry) == (address is not None)


def test_a_page_that_is_not_there_leads_back_from_any_depth(page, address):
    answer = page.goto(f"{address}/notebooks/deeper/and/deeper.html", wait_until="networkidle")
    assert answer.status == 404
    assert [error for error in page.errors if "deeper.html" not in error and "404" not in error] == []
    assert all(url.startswith(address) for url in page.asked)
    assert page.locator("article h1").inner_text().startswith("This page is not here")
    page.locator("article a", has_text="front page").click()
    page.wait_for_url(f"{address}/index.html")


def test_results_page_has_every_figure(page, address):
    page.goto(f"{address}/results.html", wait_until="networkidle")
    text = page.locator("article").inner_text().replace("\u2019", "'")  # typographic apostrophes
    for lesson in COURSE.lessons:
        for figure in figures(lesson.notebook):
            assert figure["label"] in text and figure["text"] in text
    for path in (COURSE.root / "benchmarks").glob("*.json"):
        for run in json.loads(path.read_text(encoding="utf-8"))["runs"]:
            assert run["name"] in text


def test_the_teaching_guide_has_the_measured_time_of_every_lesson(page, address):
    page.goto(f"{address}/teaching.html", wait_until="networkidle")
    rows = page.locator("table", has_text="to run").locator("tbody tr").all_inner_texts()
    assert len(rows) == len(LESSONS) + 1
    for row, lesson in zip(rows, COURSE.lessons, strict=False):
        assert lesson.short_title in row
        assert f"{paging.effort(lesson).solving} min" in row.replace("\u00a0", " ")


def test_the_guide_computes_what_a_hub_needs_from_what_was_measured(tmp_path):
    lesson = COURSE.lessons[0]
    cost = {"seconds": 150, "peak_memory_mb": 2048}
    notebooks, path = {lesson.name: {"metadata": {"babyagi": cost}}}, tmp_path / "hub.json"
    needs = {"lesson": "lesson 0", "memory_gb": 0.5, "core_seconds": 24.0, "measured": "six learners, each alone"}
    path.write_text(json.dumps({"learner": needs}))
    table = parts.classroom([lesson], notebooks, path).replace("\u00a0", " ")
    assert "| learners | memory, lesson 0 |" in table and "| 100 | 50 GB | 200 GB | 20 | 50 |" in table
    assert "Measured: six learners, each alone." in table
    path.write_text(json.dumps({"learner": {"lesson": "lesson 0"}}))
    with pytest.raises(CourseError, match=r"hub\.json: .*missing 3 required .*restate\.py"):
        parts.classroom([lesson], notebooks, path)
    path.write_text("{}")
    with pytest.raises(CourseError, match=r"hub\.json lacks learner.* run its program in"):
        parts.classroom([lesson], notebooks, path)
    path.unlink()
    with pytest.raises(CourseError, match=r"hub\.json cannot be read"):
        parts.classroom([lesson], notebooks, path)


def test_the_references_are_those_of_the_lessons(book):
    """Every paper that a lesson links to is in the list, and every work in the list is named by a lesson."""
    from pybtex.database import parse_file

    prose = [
        "\n".join(source(c) for c in lesson.notebook["cells"] if c["cell_type"] == "markdown")
        for lesson in COURSE.lessons
    ]
    sources = "\n".join(text.split("## Sources", 1)[1] for text in prose)
    links = {url.rstrip("/") for url in re.findall(r"\]\((https?://(?:[^()\s]|\([^()\s]*\))+)\)", sources)}
    papers = {url for url in links if urlsplit(url).hostname not in ("github.com", "huggingface.co")}

    entries = parse_file(str(COURSE.root / "book" / "references.bib")).entries
    listed = {key: entry.fields.get("url", "").rstrip("/") for key, entry in entries.items()}
    titles = {key: re.sub(r"[{}]", "", entry.fields["title"]) for key, entry in entries.items()}
    assert papers - set(listed.values()) == set()
    named = {key for key, url in listed.items() if url in links or titles[key].lower() in sources.lower()}
    assert set(entries) - named == set()
    page = (book / "references.html").read_text(encoding="utf-8")
    assert len(re.findall(r'<li id="id\d+"><p>', page)) == len(entries)
    assert [url for url in listed.values() if url not in page] == []


# Without a server


@pytest.mark.parametrize("name", ["index.html", LESSON, "glossary.html"])
def test_it_works_from_the_disk(page, book, name):
    page.goto((book / name).as_uri(), wait_until="networkidle")
    assert page.errors == []
    assert all(url.startswith(("file://", "data:")) for url in page.asked)
    if name != "index.html":
        assert page.locator("mjx-container").count() > 0
    assert page.evaluate("document.fonts.check('900 16px \"Font Awesome 6 Free\"')"), "the theme's icons"


def test_search_works_from_the_disk(page, book):
    page.goto((book / "search.html").as_uri() + "?q=bootstrap", wait_until="networkidle")
    hits = page.locator("#search-results li")
    hits.first.wait_for(timeout=10_000)
    [hit, *_] = [hit for hit in hits.all() if "04_ner_finetuning" in hit.locator("a").get_attribute("href")]
    assert "bootstrap" in hit.locator(".context mark").first.inner_text().lower()
    hit.locator("a").click()
    page.wait_for_url("**/04_ner_finetuning.html*")
    assert page.locator("article mark").count() > 0


# What cells printed


@pytest.mark.parametrize("name", LESSONS)
def test_no_output_hides_behind_a_scroll_bar_on_a_desk(page, address, name):
    page.set_viewport_size(DESKTOP)
    page.goto(f"{address}/{name}", wait_until="networkidle")
    wide = page.locator(".cell_output :is(pre:not(.highlight pre), .text_html)").evaluate_all(
        "found => found.filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent.slice(0, 200))"
    )
    assert not wide


def test_what_was_printed_as_a_table_is_one(page, address):
    page.goto(f"{address}/notebooks/03_binary_cross_entropy.html", wait_until="networkidle")
    table = page.get_by_role("table").filter(has=page.get_by_role("columnheader", name="b log 2"))
    assert table.get_by_role("row").nth(1).get_by_role("cell").all_inner_texts() == ["bfloat16", "8", "5.55", "6.24"]
    assert table.get_by_role("cell", name="16.64").first.evaluate("cell => getComputedStyle(cell).textAlign") == "end"


# On paper


@pytest.fixture(scope="module")
def printed(book, tmp_path_factory):
    """Two pages of the book as a PDF, for paper in a copy with an address, and for a screen in this copy."""
    from pypdf import PdfReader

    folder = tmp_path_factory.mktemp("printed")
    program = (
        "import sys; from pathlib import Path; from babyagi_course import printing; from babyagi_course.links import Links\n"
        "book, folder = map(Path, sys.argv[1:])\n"
        f"for links, name, paper in (({PUBLISHED!r}, 'book', printing.PRINT), ({LINKS!r}, 'book_screen', printing.SCREEN)):\n"
        f"    printing.print_book(book, links, folder / (name + '.pdf'), paper, ['index.html', {LESSON!r}])"
    )  # in a process of its own: playwright runs once in a process, and this one has it
    done = subprocess.run([sys.executable, "-c", program, book, folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert sorted(path.name for path in folder.iterdir()) == ["book.pdf", "book_screen.pdf"]
    return PdfReader(folder / "book.pdf"), PdfReader(folder / "book_screen.pdf")


def squashed(*said):
    """The text of sheets, or a text, without spaces, of which older readers see more, and without ligatures."""
    text = "".join(part if isinstance(part, str) else part.extract_text() for part in said)
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", text))


def test_the_pdf_has_the_pages_in_their_order(book):
    from babyagi_course.printing import in_order

    assert in_order(book) == [name for name in PAGES if name not in ("search.html", "404.html")]


def test_the_front_page_offers_the_pdf_only_where_it_is(book):
    offered = parts.of(COURSE, {}, pdf=True)["pdf"]("")
    assert re.findall(r'href="([^"]+)"', offered) == ["downloads/book.pdf", "downloads/book_screen.pdf"]
    assert parts.of(COURSE, {})["pdf"]("") == ""
    assert "book.pdf" not in (book / "index.html").read_text(encoding="utf-8")


def test_the_pdf_has_bookmarks_contents_and_numbers(printed):
    lesson_text = "\n".join(
        source(cell) for cell in LESSONS[LESSON].notebook["cells"] if cell["cell_type"] == "markdown"
    )
    for pdf in printed:
        marks = [mark for mark in pdf.outline if not isinstance(mark, list)]
        titles = [mark.title for mark in marks]
        assert titles[1:] == ["Contents", LESSONS[LESSON].title, "Solutions and answers"]
        sections = [mark.title for mark in pdf.outline[pdf.outline.index(marks[2]) + 1]]
        assert sections == re.findall(r"^## (.*)$", lesson_text, re.MULTILINE)
        starts = [pdf.get_destination_page_number(mark) for mark in marks]
        contents = squashed(*pdf.pages[starts[1] : starts[2]])
        for title, start in list(zip(titles, starts, strict=True))[2:]:
            assert squashed(title) + str(start + 1) in contents
            assert squashed(pdf.pages[start]).endswith(f"MIT{start + 1}")


def test_the_pdf_keeps_solutions_and_answers_for_its_end(printed):
    lesson = LESSONS[LESSON]
    solutions = [source(cell).splitlines()[0] for cell in lesson.notebook["cells"] if "solution" in tags(cell)]
    for pdf in printed:
        [last] = [mark for mark in pdf.outline if not isinstance(mark, list) and mark.title == "Solutions and answers"]
        end = pdf.get_destination_page_number(last)
        before, after = squashed(*pdf.pages[:end]), squashed(*pdf.pages[end:])
        for solution in solutions:
            assert squashed(solution) not in before and squashed(solution) in after
        assert "Right." not in before and "Right." in after
        assert "97.3%" in before and "Gothroughthetags" in before, "a hint"


def test_links_of_the_pdf_lead_to_its_sheets(printed):
    for pdf, links in zip(printed, (PUBLISHED, LINKS), strict=True):
        notes = [note.get_object() for sheet in pdf.pages for note in sheet.get("/Annots", [])]
        inside = [note["/A"]["/D"][0] for note in notes if note.get("/A", {}).get("/S") == "/GoTo"]
        lesson = next(
            mark for mark in pdf.outline if not isinstance(mark, list) and mark.title == LESSONS[LESSON].title
        )
        assert pdf.pages[pdf.get_destination_page_number(lesson)].indirect_reference in [
            there.indirect_reference for there in inside
        ]
        outside = [note["/A"]["/URI"] for note in notes if "/URI" in note.get("/A", {})]
        assert not [address for address in outside if "127.0.0.1" in address or "file:" in address]
        assert any(address.startswith(links.site) for address in outside) == (not links.placeholder)
        assert (squashed(links.site + LESSON) in squashed(*pdf.pages)) == (not links.placeholder)


# The parts


def test_a_book_that_does_not_build_leaves_the_last_one(tmp_path, monkeypatch):
    from babyagi_course import book

    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "page.html").write_text("the last one")
    refused = subprocess.CompletedProcess([], 1, "", "WARNING: a broken link")
    monkeypatch.setattr(book, "subprocess", SimpleNamespace(run=lambda *_, **__: refused))
    with pytest.raises(CourseError, match="a broken link"):
        book.build(COURSE, tmp_path)
    assert (tmp_path / "book" / "page.html").read_text() == "the last one"


def test_assets_are_what_was_published(tmp_path, monkeypatch):
    """A package with other bytes is refused, and leaves nothing behind."""
    from babyagi_course import book

    monkeypatch.setattr(book, "_npm_pack", lambda package: b"something else")
    with pytest.raises(CourseError, match="is not what was published"):
        fetch_assets(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert all(asset.integrity.startswith("sha512-") and "@" in asset.package for asset in ASSETS)


def figure_output(alt: str, dots: int = 1300, dots_a_metre: int = 5118) -> dict:
    png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + dots.to_bytes(4) * 2 + b"pHYs" + dots_a_metre.to_bytes(4)
    data = {"image/png": base64.b64encode(png).decode()}
    return {"output_type": "display_data", "data": data, "metadata": {"image/png": {"alt": alt}}}


def code(text: str, *outputs: dict, tags: tuple[str, ...] = ()) -> dict:
    return {"cell_type": "code", "metadata": {"tags": list(tags)}, "source": text, "outputs": list(outputs)}


def prose(text: str) -> dict:
    return {"cell_type": "markdown", "metadata": {}, "source": text}


def test_for_book_gives_figures_alt_text_and_size_and_drops_what_does_not_last():
    noise = {"output_type": "stream", "name": "stderr", "text": "progress"}
    notebook = {"cells": [code("", noise, figure_output("A curve."))], "metadata": {"widgets": {"state": "..."}}}
    before = copy.deepcopy(notebook)
    staged = paging.for_book(notebook)
    assert "widgets" not in staged["metadata"], "it would make the page fetch scripts"
    [cell] = staged["cells"]
    [output] = cell["outputs"]
    assert cell["metadata"]["mystnb"]["image"]["alt"] == "A curve."
    assert output["metadata"]["image/png"]["width"] == "960px", "ten inches at 130 dots an inch"
    assert notebook == before


def test_two_figures_in_a_cell_are_refused():
    with pytest.raises(CourseError, match="use two cells"):
        paging.for_book({"cells": [code("", figure_output("A."), figure_output("B."))], "metadata": {}})


def test_what_is_folded():
    shown = {"output_type": "display_data", "data": {"text/markdown": "line\n" * 40}, "metadata": {}}
    cells = [
        code("x = 1"),
        code("\n".join(["x = 1"] * 31)),
        code("x = 1", tags=("solution",)),
        code("x = 1", tags=("hide-input",)),
        code("show(f)", shown),
    ]
    staged = paging.for_book({"cells": cells, "metadata": {}})["cells"]
    folds = [[tag for tag in cell["metadata"]["tags"] if tag.startswith("hide")] for cell in staged]
    assert folds == [[], ["hide-input"], ["hide-cell"], ["hide-input"], ["hide-output"]]
    assert staged[1]["metadata"]["mystnb"]["code_prompt_show"] == "Show 31 lines of code"
    assert staged[4]["metadata"]["mystnb"]["code_prompt_show"] == "Show 40 lines of code"


def test_the_hub_has_a_button_when_there_is_one():
    lesson = COURSE.lessons[0]
    for hub in ("", "https://hub.example.edu"):
        links = Links(PUBLISHED.repository, hub, LINKS.ref)
        first = paging.with_head(lesson.notebook, lesson, links)["cells"][0]["source"]
        assert first.startswith("# ") and first.count("Open in Colab") == 1, "the notebook's own row gives way to ours"
        assert ("Open on JupyterHub" in first) == bool(hub)


def test_the_graph_of_lessons_leads_to_them_and_can_be_read_out(page, address):
    page.goto(f"{address}/index.html", wait_until="networkidle")
    graph, needs = page.locator("svg.needs"), needing.needed(COURSE.lessons)
    assert [f"notebooks/{link}.html" for link in needs] == graph.locator("a").evaluate_all(
        "links => links.map(link => link.getAttribute('href'))"
    )
    assert graph.get_attribute("aria-label") == needing.in_words(needs)
    assert "Lesson 6 builds on no other. Lesson 7 builds on lesson 6." in needing.in_words(needs)
    graph.get_by_role("link", name="7. Policy gradients").click()
    page.wait_for_url("**/07_policy_gradients.html")


def beginning(tmp_path, name, *linked):
    text = "## Before you start\n\nYou need " + " and ".join(f"[that]({other}.ipynb)" for other in linked)
    return written(tmp_path / f"{name}.ipynb", {"cell_type": "markdown", "metadata": {}, "source": text})


def test_a_graph_leaves_out_what_other_arrows_say(tmp_path, monkeypatch):
    lessons = [
        beginning(tmp_path, "00_a"),
        beginning(tmp_path, "01_b", "00_a"),
        beginning(tmp_path, "02_c", "00_a", "01_b"),
    ]
    assert needing.needed(lessons) == {"00_a": [], "01_b": ["00_a"], "02_c": ["00_a", "01_b"]}
    assert needing.in_words(needing.needed(lessons)).endswith("Lesson 2 builds on lessons 0 and 1.")
    monkeypatch.setattr(Lesson, "title", property(lambda lesson: f"Lesson {int(lesson.name[:2])}. A title: with more"))
    assert needing.drawing(lessons).count('class="arrow"') == 2


@pytest.mark.parametrize("linked", ["01_b", "02_c"])
def test_a_lesson_can_build_on_earlier_ones_only(tmp_path, linked):
    lessons = [beginning(tmp_path, "00_a"), beginning(tmp_path, "01_b", linked)]
    with pytest.raises(CourseError, match=rf"01_b.*links to {linked}; a lesson can build on earlier ones only"):
        needing.needed(lessons)


def written(path: Path, *cells: dict) -> Lesson:
    path.write_text(json.dumps({"cells": list(cells), "metadata": {}}), encoding="utf-8")
    return Lesson(path)


def test_the_effort_counts_prose_and_code_but_no_solution(tmp_path):
    text = (
        "# Two words\n\n<details><summary>A</summary></details> [link](https://example.org/not/read) <!-- no word --> and "
        "$$x + y$$ `code`.\n\n```\nnot prose\n```\n"
    )
    plan = "about 40 minutes to read, about 15 minutes for the exercises."
    lesson = written(
        tmp_path / "01.ipynb", prose(text + plan), code("a = 1\n\nb = 2"), code("c = 3", tags=("solution",))
    )
    assert paging.effort(lesson) == paging.Effort(words=6 + 9, lines=2, reading=40, solving=15)
    lesson = written(tmp_path / "02.ipynb", prose(f"With $1<2$ four more words $2>1$. {plan}"))
    assert paging.effort(lesson).words == 4 + 9, "what stands between the signs < and > of formulas counts"


def test_a_lesson_without_its_minutes_is_refused(tmp_path):
    with pytest.raises(CourseError, match="minutes to read"):
        paging.effort(written(tmp_path / "01.ipynb", prose("# A lesson")))


def test_the_minutes_of_the_exercises_are_those_of_each_exercise():
    for lesson in COURSE.lessons:
        prose = "\n".join(source(cell) for cell in lesson.notebook["cells"] if cell["cell_type"] == "markdown")
        apart, together = sum(int(match[2]) for match in DIFFICULTY.finditer(prose)), paging.effort(lesson).solving
        assert apart <= together < apart + 30, f"{lesson.name}: {apart} minutes in the exercises, {together} stated"


@pytest.mark.parametrize(
    ("page", "text", "expected"),
    [
        ("notebooks/04_ner_finetuning.ipynb", "[a](../book/index.md#start)", "[a](../index.md#start)"),
        ("notebooks/04_ner_finetuning.ipynb", "[a](05_fewshot.ipynb)", "[a](05_fewshot.ipynb)"),
        ("book/teaching.md", "[a](../notebooks/05_fewshot.ipynb#recap)", "[a](notebooks/05_fewshot.ipynb#recap)"),
        ("book/teaching.md", "[a](results.md)", "[a](results.md)"),
        ("book/teaching.md", "[a](../README.md)", f"[a]({PUBLISHED.repository}/blob/{LINKS.ref}/README.md)"),
        ("book/teaching.md", "[a](../data)", f"[a]({PUBLISHED.repository}/tree/{LINKS.ref}/data)"),
        (
            "book/teaching.md",
            "[a](nowhere.md) [b](https://x.org) [c](#d)",
            "[a](nowhere.md) [b](https://x.org) [c](#d)",
        ),
    ],
)
def test_links_of_the_repository_become_links_of_the_book(page, text, expected):
    assert paging.relinked(text, page, COURSE.root, PUBLISHED) == expected


def test_a_page_for_any_depth_names_everything_from_the_root():
    page = (
        '<html data-content_root="./"><a href="index.html"><a href="./a/b.html#c"><a href="#c"><a href="https://x.org">'
    )
    assert rooted(page, "https://o.github.io/n/") == (
        '<html data-content_root="/n/"><a href="/n/index.html"><a href="/n/a/b.html#c"><a href="#c"><a href="https://x.org">'
    )


SCORES = COURSE.root / "book" / "scores.yml"


def test_bars_are_drawn_as_the_data_say(tmp_path):
    told = tmp_path / "bars.yml"
    told.write_text(
        "lesson: 01_one\nabout: right\nbars:\n- {label: here & now, figure: right}\n"
        "- {label: a tale, printed: 0.5, source: a book}\n",
        encoding="utf-8",
    )
    figure = {"label": "right", "value": 0.75, "on": "two words & a test"}
    notebook = {"cells": [{"outputs": [{"data": {MIME: {"figures": [figure]}}}]}]}
    drawn = parts.filled(
        "<!-- bars bars.yml -->", {"bars": lambda file: parts.bars(tmp_path / file, {"01_one": notebook})}
    )
    assert re.findall(r'class="(\w+)"><th scope="row">(.+?)</th>.+?<span>(.+?)</span>', drawn) == [
        ("measured", "here &amp; now", "75.0%"),
        ("printed", "a tale", "50.0%"),
    ]
    assert "<caption>Measured on two words &amp; a test, by the run" in drawn


def test_the_front_page_refuses_to_show_a_figure_that_is_gone():
    with pytest.raises(
        CourseError,
        match=r"scores\.yml shows 'words right, always answering O', which 04_ner_finetuning no longer publishes",
    ):
        parts.bars(SCORES, {"04_ner_finetuning": {"cells": []}})


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("lesson: 04_ner_finetuning", "lesson: 04_gone", "no lesson '04_gone'; there are 00_start_here, 01_"),
        ("about: entity F1", "about: of nothing", "shows 'of nothing', which 04_ner_finetuning no longer"),
        ("about: entity F1", "", "expected lesson and about"),
        ("    figure: words right\n", "", "bar 3: expected a label"),
        ("    source: the first article's", "    where: the first article's", "bar 1: expected a label"),
        ("bars:", "bars: [", "not valid YAML"),
    ],
)
def test_what_the_data_of_bars_lack_is_named(tmp_path, old, new, said):
    text = SCORES.read_text(encoding="utf-8")
    assert text.count(f"\n{old}") == 1
    (tmp_path / "scores.yml").write_text(text.replace(f"\n{old}", f"\n{new}"), encoding="utf-8")
    with pytest.raises(CourseError, match=said):
        parts.bars(tmp_path / "scores.yml", {lesson.name: lesson.notebook for lesson in COURSE.lessons})


def test_a_page_has_only_parts_that_there_are():
    with pytest.raises(CourseError, match="<!-- hubs -->: a page can have bars, hub there"):
        parts.filled("Before.\n\n<!-- hubs -->", {"bars": str, "hub": str})
    assert parts.filled("<!-- a note of several words --> <!-- hub -->", {"hub": lambda _: "H"}).endswith("> H")


def test_generic_code_names_no_lesson_and_no_measurement():
    """What a page shows of which is said beside the page, the lesson or the measurement."""
    names = [
        *(lesson.name for lesson in COURSE.lessons),
        *(p.stem for p in (COURSE.root / "benchmarks").glob("*.json")),
    ]
    for module in ("book", "pages", "parts", "measured"):
        code = (COURSE.root / "babyagi_course" / f"{module}.py").read_text(encoding="utf-8")
        quoted = {node.value for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Constant)}
        assert not quoted & {*names, *(f"{name}.json" for name in names), 0.973}
