"""Chooses the form of a match, from counts that are cheap to get."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from asknown.durations import spell
from asknown.model.nodes import FeatureView, WindowCall
from asknown.plan.nodes import FORMS, WINDOW_FORMS, Form, Match, Spine, WindowForm

DAY = 86_400_000_000
# A bucket this many times the typical distance between two rows of a key finds nearly every moment's row.
SPACINGS_IN_A_BUCKET = 5
# The buckets for moments that found nothing are so many times as wide: a pass reads all rows anyway.
WIDER = 30
# Up to this many candidate rows for each moment, looking at them all costs less than being clever.
FEW_ROWS = 16
# From this many rows at one event time of a key on, looking at them again for each moment costs too much.
MANY_TIES = 1.5
# A form that is forced adds up the rows of a key from far fewer in the longest frame on than one that is chosen.
TILED_ROWS_FORCED = 2
# What an aggregate keeps of each value, or of each band where it keeps one: of a number, and of what has any length.
KEPT_OF_NUMBERS, KEPT_OF_OTHERS = 64, 256
# Aggregates that keep every value in memory. Those that read them in order have them sorted, which spills.
KEEPING = ("count_distinct", "median", "quantile_cont", "quantile_disc")
# What a pair of a moment and a row takes while pairs are sorted.
PAIR = 256


@dataclass(frozen=True)
class PlanOptions:
    """Forms that a test or a benchmark forces on a plan. Every form gives the same results.

    ``forms`` names the form of a match by its view (``*``: of every view), ``window_form`` the form of all windows.
    """

    forms: Mapping[str, Form] = field(default_factory=dict)
    window_form: WindowForm | None = None

    def form_of(self, view: FeatureView) -> Form | None:
        """The form that the view's match is forced into."""
        return self.forms.get(view.name, self.forms.get("*"))


@dataclass(frozen=True)
class Memory:
    """A limit of memory in bytes, and how many rows the spine has at most (None: unknown)."""

    limit: int
    moments: int | None


@dataclass(frozen=True)
class Sample:
    """What a look at some of a view's rows told: how many, of how many keys, over how long (microseconds)."""

    rows: int
    keys: int
    hottest: int  # rows of the key that has the most
    squares: int  # of the rows of each key, the squares, added up
    times: int  # distinct pairs of key and event time
    span: int  # twice what the middle half of the rows lie in: some may be very late
    whole: bool  # the sample is all there is

    @property
    def rows_of_a_rows_key(self) -> float:
        """The rows of the key of a row that is picked at random: where few keys have most rows, many."""
        return self.squares / max(self.rows, 1)

    @property
    def rows_of_a_time(self) -> float:
        return self.rows / max(self.times, 1)

    @property
    def spacing(self) -> int:
        """The typical time between two rows of one key."""
        return int(self.span / max(self.rows_of_a_rows_key, 1.0))


def choose_match(
    view: FeatureView, sample: Sample | None, *, forms: Sequence[str] = FORMS, forced: Form | None = None
) -> Match:
    """The form for ``view`` among those that the engine has: ``forced``, or by what ``sample`` says (None: nothing).

    The width of a bucket decides speed alone, never the result.
    """
    if forced is not None and forced in forms:
        match = Match(forced, "asked for", _widths(view, sample) if forced == "cascade" else ())
    elif "cascade" not in forms:
        match = _choose_portable(sample, forms)
    elif sample is None:
        match = _choose_blindly(view)
    else:
        match = _choose_by(view, sample)
    if match.form not in forms:
        match = replace(match, form="union")
    # To match known_at among ties takes an as-of join.
    return replace(match, many_ties="asof" in forms and sample is not None and sample.rows_of_a_time > MANY_TIES)


def _choose_portable(sample: Sample | None, forms: Sequence[str]) -> Match:
    if sample is not None and sample.whole and sample.rows_of_a_rows_key <= FEW_ROWS:
        return Match("range", f"{_about(sample.rows_of_a_rows_key)} for a key: joining them all is cheap")
    if "asof" in forms:
        return Match("asof", "one sort of the rows")
    return Match("union", "rows and moments in one sort: the engine has no as-of join")


def _choose_blindly(view: FeatureView) -> Match:
    if view.ttl is not None:
        widths = _widths(view, None)
        return Match("cascade", f"nothing is known of the rows: buckets of {_spell(view, widths)}", widths)
    return Match("asof", "nothing is known of the rows, and there is no ttl")


def _choose_by(view: FeatureView, sample: Sample) -> Match:
    typical = sample.rows_of_a_rows_key
    if sample.whole and typical <= FEW_ROWS:
        return Match("range", f"{_about(typical)} for a key: joining them all is cheap")
    share = view.ttl / sample.span if view.ttl is not None and sample.span else 1.0
    if sample.whole:
        share = min(1.0, share)
    if view.ttl is not None and typical * share <= FEW_ROWS:
        why = f"{_about(typical * share)} within the ttl: buckets of its length find all"
        return Match("cascade", why, (view.ttl,))
    if typical * share <= FEW_ROWS:
        return Match("asof", f"{_about(typical * share)} for a moment: too few for buckets")
    widths = _widths(view, sample)
    every = spell(_round(sample.spacing))
    return Match("cascade", f"a row every {every} for a key: buckets of {_spell(view, widths)}", widths)


def _spell(view: FeatureView, widths: Sequence[int]) -> str:
    return ", then of ".join("the ttl" if width == view.ttl else spell(width) for width in widths)


def _about(rows: float) -> str:
    count = max(round(rows), 1)
    return f"about {count:,} row{'' if count == 1 else 's'}"


def choose_windows(
    places: Sequence[int],
    calls: Sequence[WindowCall],
    sample: Sample | None,
    *,
    forms: Sequence[str] = WINDOW_FORMS,
    forced: WindowForm | None = None,
    tiled_rows: int,
    view: FeatureView,
    memory: Memory | None = None,
) -> Iterator[tuple[WindowForm, str, tuple[int, ...]]]:
    """How the calls at ``places`` are computed: (form, why, the places), for each pass that it takes.

    ``tiled_rows`` is from how many rows of a key in the longest frame on adding them up by tiles pays. ``memory`` is
    given where somebody set a limit.
    """
    if "sorted" in forms and (forced == "sorted" or (forced is None and memory is not None)):
        kept = tuple(places) if memory is None or forced else _kept(view, places, calls)
        if kept and (memory is None or forced or _must_sort(view, [calls[place] for place in kept], sample, memory)):
            yield "sorted", "asked for" if forced else "what they keep of each moment would fill the memory", kept
            places = tuple(place for place in places if place not in kept)
    merging = tuple(place for place in places if calls[place].aggregate.merges)
    others = tuple(place for place in places if place not in merging)
    frames = {calls[place].frame for place in merging}
    if merging and forced != "pairs" and "bands" in forms:
        rows, most = _rows_in(max(frame.oldest for frame in frames), sample)
        many = "tiles" in forms and rows > tiled_rows
        if forced == "tiles" or (forced is None and many):
            why = f"{_about(rows)} of a row's key in the longest frame, up to {_about(most)}: added up beforehand"
            yield "tiles", why, merging
            places = others
        elif forced == "bands" or len(frames) > 1:
            yield "bands", f"each row into its band of age, once for {len(frames)} frames", merging
            places = others
    if places:
        yield "pairs", "every value is needed" if others else "one frame", tuple(places)


def _kept(view: FeatureView, places: Sequence[int], calls: Sequence[WindowCall]) -> tuple[int, ...]:
    """The calls that keep values of any length or number for each group: engines cannot write those to disk."""
    return tuple(
        place
        for place in places
        if calls[place].aggregate.name in KEEPING
        or (calls[place].aggregate.state == "extreme" and not _is_narrow(view, calls[place]))
    )


def _is_narrow(view: FeatureView, call: WindowCall) -> bool:
    """Whether the call's values all have one length."""
    return call.value is None or view.column(call.value).type.kind not in ("text", "blob", "list", "struct", "other")


def _must_sort(view: FeatureView, calls: Sequence[WindowCall], sample: Sample | None, memory: Memory) -> bool:
    """Whether what ``calls`` keep would fill the memory, or much of it where pairs are soon sorted."""
    if sample is None or memory.moments is None:
        return True
    if not sample.whole and not all(call.aggregate.merges for call in calls):  # how many values is not known
        return True
    held, pairs = 0.0, 0.0
    for call in calls:
        rows = _rows_in(call.frame.oldest, sample)[0]
        pairs = max(pairs, memory.moments * rows)
        values = min(1.0, rows) if call.aggregate.merges else rows
        held += memory.moments * values * (KEPT_OF_NUMBERS if _is_narrow(view, call) else KEPT_OF_OTHERS)
    return held > memory.limit / 2 or (held > memory.limit / 16 and pairs * PAIR < memory.limit * 16)


def is_sparse(spine: Spine, sample: Sample | None) -> bool:
    """Whether the spine surely asks for less than half of a view's keys."""
    return spine.bounds.rows is not None and sample is not None and 2 * spine.bounds.rows < sample.keys


def _rows_in(length: int, sample: Sample | None) -> tuple[float, float]:
    """The rows in so many microseconds of the key of a row picked at random, and of the key that has the most."""
    if sample is None or not sample.span:
        return 0.0, 0.0
    share = length / sample.span
    if sample.whole:
        share = min(1.0, share)
    return sample.rows_of_a_rows_key * share, sample.hottest * share


def _widths(view: FeatureView, sample: Sample | None) -> tuple[int, ...]:
    """The widths of a cascade's buckets: from a few rows of a key on, each much wider, the last of the ttl if any."""
    quarter = DAY if view.ttl is None else max(view.ttl // 4, 1)
    width = quarter
    if sample is not None and sample.span:
        width = max(_round(SPACINGS_IN_A_BUCKET * sample.spacing), 1)
    if view.ttl is None:
        return (width,)
    widths = [min(width, quarter)]
    while widths[-1] * WIDER * 2 < view.ttl:
        widths.append(_round(widths[-1] * WIDER))
    return (*widths, view.ttl)


def _round(length: int) -> int:
    """The length cut to its leading unit, for people to read."""
    for unit in (DAY, 3_600_000_000, 60_000_000, 1_000_000, 1_000):
        if length >= unit:
            return length // unit * unit
    return max(length, 1)
