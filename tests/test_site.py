"""The catalogue: everything is on a page, every link leads to one, and every text is text."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner

from asknown import FeatureStore
from asknown.cli.group import main
from asknown.site.drawing import draw_lineage, make_graph
from asknown.site.nodes import Link
from asknown.store.catalogue import make_catalogue
from site_project import HOSTILE, SERVICE, write_project


class Reader(HTMLParser):
    """The ids, the targets of links, the tags and the texts of a document."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.targets: set[str] = set()
        self.tags: dict[str, int] = {}
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] = self.tags.get(tag, 0) + 1
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            elif name in ("href", "src", "action", "srcset"):
                self.targets.add(value or "")
            assert not name.startswith("on"), (tag, name)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(write_project(tmp_path))
    return tmp_path


def run(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(main, arguments, prog_name="asknown")
    assert done.exit_code == code, done.output
    return done.output


def written() -> Reader:
    run("docs", "-o", "public/site")
    return Reader(Path("public/site/index.html").read_text(encoding="utf-8"))


def test_every_link_leads_to_a_part_of_the_page(shop: Path) -> None:
    page = written()
    assert len(page.ids) == len(set(page.ids))
    targets = page.targets - {"data:,"}
    assert targets
    assert all(target.startswith("#") for target in targets)
    assert {target[1:] for target in targets} <= set(page.ids)


def test_everything_has_a_page(shop: Path) -> None:
    page = written()
    for anchor in ("home", "all", "view/orders", "on-demand/against_usual", "model/stg_orders", "source/raw.orders"):
        assert anchor in page.ids
    assert Link("exposure", "Q1 <report>").anchor in page.ids
    for fact in ("money", "public", "from 2999-12-31 on", "javascript:window.broken=3", "Bo & co"):
        assert fact in page.text
    for words in (
        "average of amount over the 7 days up to the asking instant",
        "what it is, from raw.orders",
        "bigint",
        SERVICE,
    ):
        assert words in page.text
    for example in ("get_historical_features", "asknown train orders", "{{ ref('stg_orders') }}", "curl"):
        assert example in page.text


def test_texts_are_never_html(shop: Path) -> None:
    page = written()
    assert page.text.count(HOSTILE) >= 6
    assert "<u>odd</u> 'name'" in page.text
    assert "window.broken = 2" in page.text
    assert page.tags["script"] == 1
    assert not {"img", "b", "i", "u", "iframe", "object"} & page.tags.keys()


def test_the_facts_as_json(shop: Path) -> None:
    written()
    catalog = json.loads(Path("public/site/catalog.json").read_text(encoding="utf-8"))
    (view,) = [page for page in catalog["pages"] if page["link"] == {"kind": "view", "name": "orders", "feature": ""}]
    assert [feature["link"]["feature"] for feature in view["features"]][-1] == "large_7d"
    assert [one["name"] for one in view["used_by"]] == ["against_usual", SERVICE, "Q1 <report>"]


def test_versions_come_from_the_registry(shop: Path) -> None:
    assert "Nothing was applied" in written().text
    run("apply", "--yes", "-m", "first & best")
    text = written().text
    assert "Revision 1 was applied on" in text
    assert "first & best" in text
    view = shop / "models" / "orders.sql"
    view.write_text(view.read_text(encoding="utf-8").replace("amount > 3", "amount > 4"), encoding="utf-8")
    assert "changed since v1 was applied" in written().text
    assert "last load" not in written().text
    run("materialize", "--until", "2024-02-01")
    assert "2 keys as of 2024-02-01T00:00:00Z, as orders" in written().text
    run("apply", "--yes")
    text = written().text
    assert "since v2" in text
    assert "since v1" in text


def test_a_broken_model_has_a_page_with_its_error(shop: Path) -> None:
    (shop / "models" / "broken.sql").write_text("select {{ ref('nothing') }}", encoding="utf-8")
    (shop / "models" / "typo.sql").write_text("select amont from {{ ref('stg_orders') }}", encoding="utf-8")
    assert "unknown-model" in run("docs", code=1)
    page = Reader(Path("site/index.html").read_text(encoding="utf-8"))
    assert {"model/broken", "model/typo", "view/orders"} <= set(page.ids)
    assert "there is no model 'nothing'" in page.text
    assert "amont" in page.text


def test_a_table_that_is_not_built_is_no_fault(shop: Path) -> None:
    table = "{{ config(materialized='table') }} select * from {{ ref('stg_orders') }}"
    (shop / "models" / "kept.sql").write_text(table, encoding="utf-8")
    assert "asknown run kept" in written().text


def test_paths_of_this_machine_and_secrets_stay_here(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "hunter2-hunter2")
    yml = shop / "models" / "shop.yml"
    text = yml.read_text(encoding="utf-8").replace("path: orders.csv", f"path: {shop}/orders.csv")
    yml.write_text(text, encoding="utf-8")
    (shop / "models" / "secret.sql").write_text("select '{{ env_var('SHOP_PASSWORD') }}' as s", encoding="utf-8")
    run("docs")
    for file in ("index.html", "catalog.json"):
        text = (shop / "site" / file).read_text(encoding="utf-8")
        assert str(shop) not in text
        assert "hunter2" not in text


def test_a_folder_that_cannot_be_made_is_an_error(shop: Path) -> None:
    assert "cannot make the folder" in run("docs", "-o", "orders.csv/site", code=1)


def test_the_same_project_gives_the_same_bytes(shop: Path) -> None:
    with FeatureStore(shop) as store:
        first = make_catalogue(store)
    with FeatureStore(shop) as store:
        assert make_catalogue(store) == first


def test_names_never_share_an_anchor() -> None:
    names = ["a b", "a~20~b", "a/b", "a", "A", "ä", "a:b", "a&b", ""]
    assert len({Link("service", name).anchor for name in names}) == len(names)
    assert Link("view", "x", "y").anchor != Link("view", "x/y").anchor


def test_a_drawing_shows_the_nearest_things_and_counts_the_others() -> None:
    centre = Link("model", "centre")
    around = [Link("view", f"v{place}") for place in range(100)]
    svg = draw_lineage(make_graph([(centre, one) for one in around]), centre)
    assert svg.count("<rect") == 20
    assert "+81 more" in svg
    assert draw_lineage(make_graph([]), centre) == ""


def test_a_drawing_has_each_edge_and_links_each_box() -> None:
    a, b, c, d = (Link("model", name) for name in "abcd")
    svg = draw_lineage(make_graph([(a, b), (b, c), (a, c), (c, d)]), c)
    assert svg.count("<path") == 4
    assert svg.count('href="#model/') == 3


def test_a_circle_ends_a_drawing() -> None:
    a, b, c = (Link("on-demand", name) for name in "abc")
    assert "<svg" in draw_lineage(make_graph([(a, b), (b, c), (c, a)]), a)
