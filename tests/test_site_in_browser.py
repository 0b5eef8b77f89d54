"""The catalogue in a real browser: `make test-site` runs this. Pictures of what was seen are left in .tmp/site/."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from asknown import FeatureStore
from asknown.store.catalogue import make_catalogue
from browser import DESKTOP, PHONE, Browser, find_chromium, open_browser
from site_project import HOSTILE, write_project

PICTURES = Path(__file__).parents[1] / ".tmp" / "site"
PAGES = (
    "",
    "all",
    "asking",
    "view/orders",
    "on-demand/against_usual",
    "model/stg_orders",
    "source/raw.orders",
    "list/service",
)
SHOWN = "[...document.querySelectorAll('main > section')].filter(s => s.checkVisibility()).map(s => s.id)"
# The texts with less contrast than 4.5 to 1 against what lies behind them (WCAG AA).
PALE = """(() => {
  const light = (c) => { const v = c.map(x => x / 255).map(x => x <= .03928 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4);
    return .2126 * v[0] + .7152 * v[1] + .0722 * v[2]; };
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const behind = (e) => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] > 0) return c.slice(0, 3); } return [255, 255, 255]; };
  const pale = [];
  for (const e of document.querySelectorAll("body *")) {
    if (!e.checkVisibility() || ![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
    const svg = e.closest("svg");
    const front = rgb(getComputedStyle(e)[svg ? "fill" : "color"]).slice(0, 3);
    const rect = svg && e.parentElement.querySelector("rect");
    const back = rect ? rgb(getComputedStyle(rect).fill) : behind(e);
    const [a, b] = [light(front), light(back)].sort((x, y) => y - x);
    if ((a + .05) / (b + .05) < 4.5) pale.push(`${e.tagName} ${e.className} ${e.textContent.slice(0, 20)}`);
  }
  return pale;
})()"""

if "ASKNOWN_BROWSER" not in os.environ:
    pytest.skip("make test-site runs these, in a headless Chromium", allow_module_level=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_project(tmp_path_factory.mktemp("shop"))
    with FeatureStore(folder) as store:
        store.registry.apply("the first version")
        html, _ = make_catalogue(store)
    (folder / "index.html").write_text(html, encoding="utf-8")
    return folder / "index.html"


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = find_chromium()
    assert program is not None, "there is no Chromium; on Debian: apt-get install chromium"
    with open_browser(program, tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def browser(tab: Browser, site: Path) -> Iterator[Browser]:
    """The tab. After each test it has asked for nothing but the file, and no text in the file has run."""
    tab.requests.clear()
    tab.problems.clear()
    yield tab
    assert set(tab.requests) <= {site.as_uri(), "about:blank", "data:,"}
    assert tab.problems == []
    assert tab.ask("typeof window.broken") == "undefined"


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_each_page_is_shown_alone_and_readable(
    browser: Browser, site: Path, size: tuple[int, int], dark: bool, scripts: bool
) -> None:
    browser.show(size, dark=dark, scripts=scripts)
    for page in PAGES:
        browser.open(site, page)
        assert browser.ask(SHOWN) == [page or "home"]
        assert browser.ask("document.documentElement.scrollWidth") <= size[0], page
        assert browser.ask("scrollY") == 0, page
        assert browser.ask(PALE) == [], page
        name = f"{page.replace('/', '-') or 'home'}-{'phone' if size == PHONE else 'desktop'}{'-dark' * dark}.png"
        if scripts:
            browser.picture(PICTURES / name)


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_a_link_to_a_feature_shows_its_view_and_marks_it(browser: Browser, site: Path, scripts: bool) -> None:
    browser.show(DESKTOP, scripts=scripts)
    browser.open(site, "orders:avg_amount_7d")
    assert browser.ask(SHOWN) == ["view/orders"]
    assert browser.ask("document.querySelector('tr:target td').textContent") == "avg_amount_7d"
    text = browser.ask("document.querySelector('main').innerText")
    for feature in ("last_amount", "<u>odd</u> 'name'", "avg_amount_7d", "large_7d"):
        assert feature in text
    assert HOSTILE in text


def test_every_link_shows_a_page(browser: Browser, site: Path) -> None:
    browser.show(DESKTOP)
    browser.open(site)
    targets = browser.ask("[...new Set([...document.querySelectorAll('a')].map(a => a.getAttribute('href')))]")
    for target in targets:
        browser.ask(f"location.hash = {target!r}")
        assert browser.ask("document.querySelector(':target') !== null"), target


def test_the_search_works_by_keyboard(browser: Browser, site: Path) -> None:
    browser.show(DESKTOP)
    browser.open(site)
    browser.press("/", "average amount")
    assert browser.ask(SHOWN) == ["found"]
    assert browser.ask("document.querySelector('#hits a').textContent") == "avg_amount_7d"
    browser.picture(PICTURES / "search-desktop.png")
    browser.press("ArrowDown")
    assert browser.ask("document.activeElement.textContent") == "avg_amount_7d"
    browser.press("ArrowUp")
    assert browser.ask("document.activeElement.id") == "q"
    browser.press("Enter", "Enter")
    assert browser.ask(SHOWN) == ["view/orders"]
    assert browser.ask("location.hash") == "#orders:avg_amount_7d"
    browser.press("/", "nothing like it")
    assert browser.ask("document.getElementById('count').textContent") == "0 found"
    browser.press("Escape")
    assert browser.ask(SHOWN) == ["view/orders"]


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_the_page_of_all_features_names_each_below_its_view(browser: Browser, site: Path, scripts: bool) -> None:
    browser.show(DESKTOP, scripts=scripts)
    browser.open(site, "all")
    text = browser.ask("document.getElementById('all').innerText")
    for feature in ("last_amount", "<u>odd</u> 'name'", "avg_amount_7d", "large_7d"):
        assert feature in text
    links = browser.ask("[...document.querySelectorAll('#all a')].map(a => a.getAttribute('href'))")
    assert "#view/orders" in links
    assert ("#orders:avg_amount_7d" in links) is scripts


@pytest.mark.parametrize("words", ["orders:avg", "growth <team>", 'a"b', "<u>odd", "\\", "(", "*", "{{"])
def test_any_words_can_be_searched(browser: Browser, site: Path, words: str) -> None:
    browser.show(PHONE)
    browser.open(site)
    browser.press("/", words)
    assert browser.ask("document.getElementById('count').textContent").endswith("found")


def test_a_facet_narrows_the_search(browser: Browser, site: Path) -> None:
    browser.show(DESKTOP)
    browser.open(site)
    browser.press("/", "amount")
    before = browser.ask("document.querySelectorAll('#hits li').length")
    owner = "document.querySelector('[data-facet=owner]')"
    browser.ask(f"{owner}.value = 'growth <team>', {owner}.dispatchEvent(new Event('change'))")
    assert 0 < browser.ask("document.querySelectorAll('#hits li').length") < before


def test_the_tab_key_reaches_the_content_first(browser: Browser, site: Path) -> None:
    browser.show(DESKTOP, scripts=False)
    browser.open(site, "view/orders")
    browser.ask("document.body.focus()")
    reached = []
    for _ in range(40):
        browser.press("Tab")
        reached.append(browser.ask("document.activeElement.outerHTML.slice(0, 80)"))
    assert any("growth" in one for one in reached)
    assert any("<pre" in one for one in reached)
