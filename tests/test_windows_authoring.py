"""How a trailing window may be written and what its columns may be called; and what is refused, never misread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from asknown import AsknownError
from oracle import Window
from small_windows import DAY, HOUR, T0, WINDOW_FORMS, check, hours, item, items_of, opened, train, world_of
from worlds import Column, assert_equals, exact, write_project

# --- names ------------------------------------------------------------------------------------------------------------


def test_a_feature_may_have_the_name_of_the_column_that_it_aggregates(tmp_path: Path) -> None:
    rows = [{"k": 1, "ts": hours(i), "x": i} for i in range(3)]
    items = [
        item("x", "BIGINT", "sum(x)", Window("sum", "x", DAY)),
        item("_1", "INTEGER", "max(x)", Window("max", "x", DAY)),
    ]
    world = world_of(rows, {"x": "INTEGER"}, items, [(1, hours(2))])
    check(world, tmp_path, {"x": [3], "_1": [2]}, hours(2))


GENERATED = (
    "w0",
    "w1",
    "s0",
    "_1",
    "_1a",
    "_1b",
    "_1c",
    "_1d",
    "_2",
    "sums",
    "misfit",
    "band",
    "tile",
    "age",
    "bucket",
)


def test_a_key_may_have_the_name_of_a_generated_column(tmp_path: Path) -> None:
    """Whatever the query calls its own columns by, a user's column of that name must not take its place."""
    rows = [{"k": 7, "ts": hours(i), "x": x, "i": i} for i, x in enumerate((0.1, 0.2, 2.0**-90))]
    items = [
        item("total", "DOUBLE", "sum(x)", Window("sum", "x", DAY)),
        item("mean", "DOUBLE", "avg(x)", Window("avg", "x", 2 * DAY)),
        item("n", "BIGINT", "count(*)", Window("count", None, HOUR)),
        item("most", "INTEGER", "max(i)", Window("max", "i", DAY)),
        item("which", "DOUBLE", "arg_max(x, i)", Window("arg_max", "x", DAY, order="i")),
    ]
    world = world_of(rows, {"x": "DOUBLE", "i": "INTEGER"}, items, [(7, hours(2)), (7, hours(25))])

    def renamed(columns: Sequence[Column]) -> tuple[Column, ...]:
        keys = [Column(name, "BIGINT") for name in GENERATED]
        return tuple(each for column in columns for each in (keys if column.name == "k" else [column]))

    def widened(row: dict[str, Any]) -> dict[str, Any]:
        return dict.fromkeys(GENERATED, row["k"]) | {name: value for name, value in row.items() if name != "k"}

    (data,) = world.views
    view = replace(
        data,
        view=replace(data.view, keys=GENERATED),
        columns=renamed(data.columns),
        entities=(("e", GENERATED),),
        rows=tuple(map(widened, data.rows)),
        select=(*GENERATED, *(name for name in data.select if name != "k")),
    )
    wide = replace(
        world,
        views=(view,),
        spine_columns=renamed(world.spine_columns),
        spine=tuple(map(widened, world.spine)),
    )
    write_project(wide, tmp_path)
    for form in WINDOW_FORMS:
        with opened(tmp_path, form) as store:
            assert_equals(train(store, wide), wide)


@pytest.mark.parametrize("name", ["_1", "_2", "__1"])
def test_a_star_may_bring_a_column_of_a_generated_name(name: str, tmp_path: Path) -> None:
    """The hidden columns of the windows' arguments must not have the name of a column that only the table knows."""
    rows = [{"k": 1, "ts": T0, "x": 7, name: 100, "y": 9}]
    items = [
        item("total", "BIGINT", "sum(x)", Window("sum", "x", DAY)),
        item("most", "INTEGER", "max(y)", Window("max", "y", DAY)),
    ]
    world = world_of(rows, {"x": "INTEGER", name: "INTEGER", "y": "INTEGER"}, items, [(1, hours(1))])
    (data,) = world.views
    columns = tuple(column.name for column in data.columns)
    view = replace(data.view, features=columns[2:])
    starred = replace(data, view=view, style="star", select=(*columns, "total", "most"))
    check(replace(world, views=(starred,)), tmp_path, {"x": [7], name: [100], "y": [9], "total": [7], "most": [9]}, T0)


# --- what can be meant, and what cannot -------------------------------------------------------------------------------


def train_item(text: str, tmp_path: Path, *, select: str = "k, ts") -> list[dict[str, Any]]:
    """The training set of one view with this select item, over three rows of key 1, at 2 and at 25 o'clock."""
    rows = [{"k": 1, "ts": hours(i), "x": x, "s": s} for i, (x, s) in enumerate(((3, "a"), (None, ""), (1, "b")))]
    world = world_of(rows, {"x": "INTEGER", "s": "VARCHAR"}, [], [(1, hours(2)), (1, hours(25))])
    folder = write_project(world, tmp_path)
    config = "{{ config(entity='e', event_time='ts') }}"
    (folder / "models" / "v.sql").write_text(
        f"{config}\n\nselect {select}, {text}\nfrom {{{{ source('raw', 'raw_v') }}}}\n"
    )
    with opened(folder) as store:
        return train(store, world).to_pylist()


FRAME = "order by ts range between interval '1 day' preceding and current row"
LAST = "{{ last('1 day') }}"


@pytest.mark.parametrize(
    "text",
    [
        f"sum(x) over (partition by k {FRAME} exclude current row) as f",
        f"sum(x) over (partition by k {FRAME} exclude ties) as f",
        f"first(x order by s) over {LAST} as f",
        f"first_value(x respect nulls) over {LAST} as f",
        f"nth_value(x, 2) over {LAST} as f",
        f"lag(x) over {LAST} as f",
        f"quantile_cont(x, [0.1, 0.5]) over {LAST} as f",
        f"avg(distinct x) over {LAST} as f",
    ],
)
def test_what_the_windows_do_not_have_is_refused(text: str, tmp_path: Path) -> None:
    """Not computed as if it were not written."""
    with pytest.raises(AsknownError) as caught:
        train_item(text, tmp_path)
    assert caught.value.code == "bad-window", str(caught.value)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (f"mean(x) over {LAST} as f", [2.0, 1.0]),
        (f"count() over {LAST} as f", [3, 2]),
        (f"count(1) over {LAST} as f", [3, 2]),
        (f"sum(case when s = '' then 1 else 0 end) over {LAST} as f", [1, 1]),
        (f"max(length(s)) over {LAST} as f", [1, 1]),
        (f"sum(x) over {LAST} + 1 as f", [5, 2]),
        (f"-max(x) over {LAST} as f", [-3, -1]),
        (f"(count(x) over {LAST})::varchar || 's' as f", ["2s", "1s"]),
        (f"list(s) over {LAST}[1] as f", ["a", ""]),
        (f"sum(x) over (partition by k {FRAME}) as f", [4, 1]),
        (f"argmax(s, x) over {LAST} as f", ["a", "b"]),
        (f"max(x, 2) over {LAST} as f", [[3, 1], [1]]),
        (f"arg_max(s, x, 2) over {LAST} as f", [["a", "b"], ["b"]]),
        (f"x - avg(x) over {LAST} as f", [-1.0, 0.0]),
    ],
)
def test_what_may_be_written(text: str, wanted: list[Any], tmp_path: Path) -> None:
    rows = train_item(text, tmp_path)
    assert [exact(row["f"]) for row in rows] == [exact(value) for value in wanted]


def test_the_keys_and_times_may_be_renamed(tmp_path: Path) -> None:
    """Standard SQL does not know a select's new names inside it: the window says the table's own."""
    rows = [{"k": 1, "ts": hours(i), "x": i} for i in range(3)]
    folder = write_project(world_of(rows, {"x": "INTEGER"}, [], []), tmp_path)
    (folder / "models" / "v.sql").write_text(
        """{{ config(entity='e', event_time='happened') }}

        select r.k as customer, r.ts as happened,
            sum(x) over (partition by r.k order by r.ts range between interval '1 hour' preceding and current row) as f
        from {{ source('raw', 'raw_v') }} as r
        """
    )
    properties = (folder / "models" / "world.yml").read_text()
    (folder / "models" / "world.yml").write_text(properties.replace('["k"]', '["customer"]'))
    spine = pa.table({"customer": [1, 1], "event_timestamp": [hours(2), hours(3)]})
    with opened(folder) as store:
        table = store.get_historical_features(entity_df=spine, features=["v"]).to_arrow()
    assert [int(value) for value in table.column("f").to_pylist()] == [3, 2]


@pytest.mark.parametrize(
    "bound",
    [
        "'7 minutes'::interval",
        "cast('7 minutes' as interval)",
        "to_minutes(7)",
        "interval (7) minutes",
        "to_minutes(7 * k)",
    ],
)
def test_a_window_is_never_silently_that_of_the_last_event(bound: str, tmp_path: Path) -> None:
    """A frame whose bound is not understood must be refused: as a plain column it would be stale, 5 an hour later."""
    world = world_of(
        [{"k": 1, "ts": T0, "x": 5}], {"x": "INTEGER"}, items_of("x", {"sum": "BIGINT"}, HOUR), [(1, hours(1))]
    )
    folder = write_project(world, tmp_path)
    model = folder / "models" / "v.sql"
    over = f"(partition by k order by ts range between {bound} preceding and current row)"
    model.write_text(model.read_text().replace("{{ last('3600000000 microseconds', closed='both') }}", over))
    with opened(folder) as store:
        try:
            (row,) = train(store, world).to_pylist()
        except AsknownError as error:
            assert error.code in ("bad-window", "engine")
        else:
            assert row["sum"] is None
