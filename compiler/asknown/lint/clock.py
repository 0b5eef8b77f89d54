"""Rules on what changes from run to run: the clock and chance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping

from sqlglot import exp

from asknown.errors import Where
from asknown.lint.nodes import Found, Subject
from asknown.lint.order import way_of

_ASKED_AT = "write the time itself as a feature, and take the difference in an on-demand view: asked_at is its clock"
_ITS_CLOCK = "write asked_at, the instant asked for"
_HASH = "use a hash of the key: it is spread as evenly, and is the same in every run"

# What sqlglot has a class for, and the words for it.
CLOCK_NODES: dict[type[exp.Expr], tuple[str, ...]] = {
    exp.CurrentDate: ("current_date", "today", "curdate"),
    exp.CurrentTime: ("current_time", "get_current_time", "curtime"),
    exp.CurrentTimestamp: (
        *(
            "current_timestamp",
            "now",
            "getdate",
            "sysdate",
            "systimestamp",
            "get_current_timestamp",
            "sysdatetime",
            "unix_timestamp",
        ),
    ),
    exp.CurrentTimestampLTZ: ("current_timestamp_ltz",),
    exp.CurrentDatetime: ("current_datetime",),
    exp.Localtime: ("localtime", "current_localtime"),
    exp.Localtimestamp: ("localtimestamp", "current_localtimestamp"),
    exp.UtcDate: ("utc_date",),
    exp.UtcTime: ("utc_time",),
    exp.UtcTimestamp: ("utc_timestamp",),
}
CHANCE_NODES: dict[type[exp.Expr], tuple[str, ...]] = {
    exp.Rand: ("random", "rand", "randcanonical", "rand32", "rand64"),
    exp.Randn: ("randn",),
    exp.Randstr: ("randstr",),
    exp.Uuid: ("uuid", "gen_random_uuid", "generate_uuid", "uuid_string"),
    exp.Shuffle: ("shuffle",),
    exp.NextValueFor: ("next", "nextval"),
}
CLOCK_FUNCTIONS = {
    *("now", "now64", "today", "yesterday", "getdate", "getutcdate", "sysdate", "sysdatetime", "systimestamp"),
    *("get_current_timestamp", "get_current_time", "get_current_date", "current_localtimestamp", "current_localtime"),
    *("transaction_timestamp", "statement_timestamp", "clock_timestamp", "timeofday", "current_timestamp_ms"),
    *("utc_timestamp", "utc_date", "utc_time", "curdate", "curtime"),
}
CHANCE_FUNCTIONS = {
    *("random", "rand", "randn", "rand32", "rand64", "randcanonical", "randnormal", "randuniform", "random_normal"),
    *("uuid", "uuidv4", "uuidv7", "gen_random_uuid", "uuid_generate_v1", "uuid_generate_v4", "generateuuidv4"),
    *("generateuuidv7", "newid", "nextval", "currval", "lastval", "setseed", "gen_random_bytes", "randomblob"),
    *("monotonically_increasing_id", "shuffle", "generatesnowflakeid", "uniform", "randomprintableascii"),
}
# Functions that read the clock when a last argument is left out.
_SHORT = {"age": 1, "unixepoch": 0, "unix_timestamp": 0, "julianday": 0, "to_unix_timestamp": 0}
# Texts that stand for the time of the run where they become a time.
_NOW = ("now", "today", "tomorrow", "yesterday")
_TIMES = ("date", "time", "datetime", "julianday", "strftime", "unixepoch", "timestamp", "to_date", "to_timestamp")
_MADE = (
    *(exp.Date, exp.Timestamp, exp.TsOrDsToDate, exp.TsOrDsToTimestamp, exp.TsOrDsToDatetime, exp.TimeToStr),
    *(exp.StrToTime, exp.UnixToTime, exp.Datetime, exp.Time),
)


def reads_the_clock(subject: Subject) -> Iterator[Found]:
    """The run's clock, under all of its names."""
    for name, at in _calls(subject, CLOCK_NODES, _is_clock):
        yield Found(subject.says(f"'{subject.model.name}' reads the current time: {name}()"), at, _hint(subject))
    texts = sum(_is_moving_text(literal, subject) for literal in subject.model.tree.find_all(exp.Literal))
    for at in subject.places.texts(_NOW)[:texts]:
        message = f"'{subject.model.name}' reads the current time: a text that is converted to the time of the run"
        yield Found(subject.says(message), at, _hint(subject))


def _hint(subject: Subject) -> str:
    return _ITS_CLOCK if subject.model.is_on_demand else _ASKED_AT


def reads_chance(subject: Subject) -> Iterator[Found]:
    """Random numbers, new identifiers, sequences and samples."""
    for name, at in _calls(subject, CHANCE_NODES, lambda f: f.name.casefold() in CHANCE_FUNCTIONS):
        yield Found(subject.says(f"'{subject.model.name}' is random: {name}()"), at, _HASH)
    samples = list(subject.model.tree.find_all(exp.TableSample))
    places = subject.places.words(("tablesample", "sample"))
    for place, _ in enumerate(samples):
        at = places[place] if place < len(places) else subject.places.start()
        hint = "sample by a hash of the key, as in: where hash(k) % 10 = 0"
        yield Found(subject.says(f"'{subject.model.name}' is random: a sample of rows"), at, hint)


def _calls(
    subject: Subject, nodes: Mapping[type[exp.Expr], tuple[str, ...]], named: Callable[[exp.Anonymous], bool]
) -> Iterator[tuple[str, Where]]:
    """(name, place) of each call: every call of a name counts, so the n-th of them stands at the n-th such word."""
    counted: dict[tuple[str, ...], int] = defaultdict(int)
    for node in subject.model.tree.walk():
        if isinstance(node, exp.Anonymous) and named(node):
            counted[(node.name.casefold(),)] += 1
        elif type(node) in nodes:
            counted[nodes[type(node)]] += 1
    for words, count in counted.items():
        # A word such as current_date needs no parenthesis; a column may be called uuid.
        places = subject.places.calls(words, bare=[w for w in words if w.startswith(("current_", "local", "sysdate"))])
        for place in range(count):
            yield places[place] if place < len(places) else (words[0], subject.places.start())


def _is_clock(function: exp.Anonymous) -> bool:
    name = function.name.casefold()
    return name in CLOCK_FUNCTIONS or len(function.expressions) == _SHORT.get(name, -1)


def _is_moving_text(literal: exp.Literal, subject: Subject) -> bool:
    """Whether a text such as 'now' becomes a time: in a cast, in a function of times, or beside a time."""
    if not literal.is_string or literal.name.strip().casefold() not in _NOW:
        return False
    around = literal.parent
    while isinstance(around, exp.Paren):
        around = around.parent
    match around:
        case exp.Cast():
            return around.to.is_type(*exp.DataType.TEMPORAL_TYPES)
        case exp.Anonymous():
            return around.name.casefold() in _TIMES
        case exp.Binary() | exp.Between():
            select = literal.find_ancestor(exp.Select)
            others = [part for part in around.iter_expressions() if part.unnest() is not literal]
            return select is not None and any(
                way_of(part, select, subject.model, subject) in ("forward", "backward") for part in others
            )
    return isinstance(around, _MADE)
