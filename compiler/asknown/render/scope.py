"""The names that a template sees while one model renders: ``config``, ``ref``, ``source``, ``var`` and the rest."""

from __future__ import annotations

import os
import re
import string
from collections.abc import Callable
from typing import Any

from asknown import durations
from asknown.errors import AsknownError, did_you_mean, keep_secret
from asknown.project.nodes import ModelFile, Project, ViewName
from asknown.project.pins import find_pin, read_view_name
from asknown.render.config import quoted, read_config
from asknown.render.errors import RenderError
from asknown.render.nodes import REQUEST, LookupCall, RequestCall, ViewConfig

_NO_DEFAULT = object()
_VERSION = {"v", "version"}  # dbt's words


class ModelScope:
    """The functions that a template may call, and what one model has declared with them so far.

    ``line`` returns the template line that is being written. With ``unpinned``, views of other projects need no pin.
    """

    def __init__(self, project: Project, model: ModelFile, line: Callable[[], int], *, unpinned: bool = False) -> None:
        self.config: ViewConfig | None = None
        self.config_line = 0
        self.refs: dict[str, None] = {}
        self.sources: dict[tuple[str, str], None] = {}
        self.request: RequestCall | None = None
        self._lookups: list[LookupCall] = []
        self.foreign: dict[ViewName, None] = {}
        self._project = project
        self._unpinned = unpinned
        self._model = model
        self._line = line

    def names(self) -> dict[str, Any]:
        """The names and their values, for the template."""
        functions = {name: getattr(self, "_" + name) for name in FUNCTIONS}
        return functions | {"this": ThisModel(quote_name(self._model.name)), "view": ViewNames(self._read_view)}

    def _config(self, *args: Any, **keywords: Any) -> str:
        if args:
            raise RenderError("wrong-type", "config() takes key=value pairs", hint="write config(entity='…', …)")
        if self.config is not None:
            raise RenderError(
                "bad-config", f"'{self._model.name}' calls config() twice", hint="merge them into one config()"
            )
        self.config = read_config(self._model.name, keywords, self._project.entities)
        self.config_line = self._line()
        return ""

    def _ref(self, *args: Any, **keywords: Any) -> str:
        if len(args) == 2 or keywords.keys() & _VERSION:
            return self._ref_pinned(args, keywords)
        (name,) = _texts("ref('model')", args, keywords)
        if self._project.models.get(name) == self._model:
            raise RenderError("cycle", f"model '{name}' refers to itself", needle=quoted(name))
        if name not in self._project.models:
            raise RenderError(
                "unknown-model",
                f"there is no model '{name}'",
                hint=did_you_mean(name, set(self._project.models) - {self._model.name}, what="models"),
                needle=quoted(name),
            )
        self.refs[name] = None
        return quote_name(name)

    def _ref_pinned(self, args: tuple[Any, ...], keywords: dict[str, Any]) -> str:
        """A pinned view, as in ``ref('flights', 'carrier_delays', v=3)``; with ``v=`` alone a version of one's own."""
        v = next((keywords[key] for key in _VERSION if key in keywords), None)
        if (
            keywords.keys() - _VERSION
            or len(keywords) > 1
            or not all(isinstance(arg, str) for arg in args)
            or not 1 <= len(args) <= 2
            or not (v is None or (isinstance(v, int) and not isinstance(v, bool)))
        ):
            usage = "ref('project', 'view', v=3)"
            raise RenderError("wrong-type", "ref() takes names in quotes and a version", hint=f"write {usage}")
        name = ViewName(args[0] if len(args) == 2 else self._project.settings.name, args[-1], v)
        return quote_name(self._pinned(name, args[-1]))

    def _pinned(self, name: ViewName, needle: str) -> str:
        """The name that a pinned view has in this project."""
        self.foreign[name] = None
        if self._unpinned:
            return str(name)
        try:
            pin = find_pin(self._project, name)
        except AsknownError as error:
            raise RenderError(error.code, error.message, hint=error.hint, needle=quoted(needle)) from None
        self.refs[pin.name] = None
        return pin.name

    def _source(self, *args: Any, **keywords: Any) -> str:
        source, table = _texts("source('source', 'table')", args, keywords)
        if (source, table) not in self._project.sources:
            tables = [known_table for known, known_table in self._project.sources if known == source]
            if tables:
                raise RenderError(
                    "unknown-source",
                    f"source '{source}' has no table '{table}'",
                    hint=did_you_mean(table, tables, what="its tables"),
                    needle=quoted(table),
                )
            raise RenderError(
                "unknown-source",
                f"there is no source '{source}'",
                hint=did_you_mean(source, (known for known, _ in self._project.sources), what="sources"),
                needle=quoted(source),
            )
        self.sources[source, table] = None
        # One identifier with a dot in it, which the compiler defines as a CTE: it never names a table of a schema.
        return quote_name(f"{source}.{table}")

    def _request(self, *references: Any, full_names: Any = False) -> str:
        name = self._model.name
        lookups = [reference for reference in references if isinstance(reference, LookupCall)]
        references = tuple(reference for reference in references if not isinstance(reference, LookupCall))
        self._lookups = [one for one in self._lookups if not any(one is used for used in lookups)]
        if not all(isinstance(reference, str) and reference for reference in references):
            raise RenderError(
                "wrong-type",
                "request() takes names in quotes",
                hint="write request('view', 'view:feature'), or request() for keys and inputs alone",
            )
        if not isinstance(full_names, bool):
            raise RenderError("wrong-type", "request() takes true or false for full_names")
        if self.request is not None:
            raise RenderError("bad-model", f"'{name}' calls request() twice", hint="name everything in one request(…)")
        if self.config is None or self.config.inputs is None:
            raise RenderError(
                "bad-model",
                f"'{name}' reads the request, but is not an on-demand view",
                hint="put {{ config(inputs={'amount': 'double'}) }} first, or inputs={} where the request brings none",
            )
        found = (LookupCall(self._requested(one.reference), one.keys, one.prefix) for one in lookups)
        self.request = RequestCall(tuple(map(self._requested, references)), full_names, self._line(), tuple(found))
        return REQUEST

    def _lookup(self, *references: Any, prefix: Any = "", **keys: Any) -> LookupCall:
        texts = [*references, *keys.values()]
        if len(references) != 1 or not keys or not all(isinstance(one, str) and one for one in texts):
            raise RenderError(
                "wrong-type",
                "lookup() takes a view or view:feature, and for its keys columns of the request, in quotes",
                hint="write request('card_txns:last_device', lookup('device_txns:cards_7d', device='last_device'))",
            )
        if not isinstance(prefix, str):
            raise RenderError("wrong-type", "lookup() takes a text for prefix", hint="write prefix='device_'")
        self._lookups.append(LookupCall(references[0], tuple(keys.items()), prefix))
        return self._lookups[-1]

    def finish(self) -> None:
        """Raises an error for a lookup() that is in no request()."""
        if self._lookups:
            reference = self._lookups[0].reference
            raise RenderError(
                "bad-model",
                f"'{self._model.name}' calls lookup('{reference}', …) outside request()",
                hint=f"write it inside: request('view', lookup('{reference}', …))",
                needle=quoted(reference),
            )

    def _requested(self, reference: str) -> str:
        """A reference of ``request()``, with the whole name of a pinned view."""
        found = read_view_name(reference, self._project.settings.name)
        if found is None or reference in self._project.services:
            return reference
        name, rest = found
        self.foreign[name] = None
        if self._unpinned:
            return reference
        try:
            return find_pin(self._project, name).name + rest
        except AsknownError as error:
            raise RenderError(error.code, error.message, hint=error.hint, needle=quoted(reference)) from None

    def _var(self, name: str, default: Any = _NO_DEFAULT) -> Any:
        variables = self._project.settings.vars
        if name in variables:
            return variables[name]
        if default is _NO_DEFAULT:
            raise RenderError(
                "undefined",
                f"the project has no variable '{name}'",
                hint=f"{did_you_mean(str(name), variables, what='variables')}; set it under [tool.asknown.vars] in "
                f"pyproject.toml, or give a default: var('{name}', …)",
                needle=quoted(str(name)),
            )
        return default

    def _env_var(self, name: str, default: Any = _NO_DEFAULT) -> Any:
        value = os.environ.get(str(name))
        if value is not None:
            keep_secret(value)
            return value
        if default is _NO_DEFAULT:
            raise RenderError(
                "missing-env",
                f"the environment variable {name} is not set",
                hint=f"export {name}=…, or give a default: env_var('{name}', '…')",
                needle=quoted(str(name)),
            )
        return default

    def _raise(self, message: Any) -> str:
        raise RenderError("template", str(message))

    def _identifier(self, name: Any) -> str:
        if not isinstance(name, str) or not name:
            raise RenderError("wrong-type", f"identifier() takes a name, not {name!r}")
        return quote_name(name)

    def _microseconds(self, text: Any) -> int:
        return _length(text)

    def _spell_duration(self, length: Any) -> str:
        if isinstance(length, int) and not isinstance(length, bool) and length >= 0:
            return durations.spell(length)
        return _as_written(length, _length(length))

    def _read_view(self) -> tuple[list[str], str]:
        name, config = self._model.name, self.config
        if config is None:
            raise RenderError(
                "template",
                f"'{name}' uses the view's keys and event_time before config() names them",
                hint="put {{ config(entity='…', event_time='…') }} first",
            )
        if config.entity is None or config.event_time is None:
            raise RenderError(
                "template",
                f"'{name}' is not a feature view, so it has no keys and no event_time for a window",
                hint="add entity='…' and event_time='…' to config(), or write the window out",
            )
        entities = self._project.entities
        keys = dict.fromkeys(key.name for entity in config.entity for key in entities[entity].keys)
        return [quote_name(key) for key in keys], quote_name(config.event_time)


class ThisModel(str):
    """The variable ``this``: the model's name. Called, as in ``this('month')``, it is the macro ``current_period``."""

    macro = "current_period"


class ViewNames:
    """The variable ``view`` of macros: the key columns and the event time of the view that is rendering."""

    def __init__(self, read: Callable[[], tuple[list[str], str]]) -> None:
        self._read = read

    @property
    def keys(self) -> list[str]:
        """The key columns, quoted where SQL needs it."""
        return self._read()[0]

    @property
    def event_time(self) -> str:
        """The event time's column, quoted where SQL needs it."""
        return self._read()[1]


FUNCTIONS = (
    *("config", "ref", "source", "request", "lookup", "var", "env_var", "raise"),
    *("identifier", "microseconds", "spell_duration"),
)
NAMES = (*FUNCTIONS, "this", "view")


def _texts(usage: str, args: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[str, ...]:
    """The arguments of a call, which must be texts, as many as ``usage`` shows."""
    if keywords or len(args) != usage.count(",") + 1 or not all(isinstance(arg, str) for arg in args):
        raise RenderError("wrong-type", f"{usage.partition('(')[0]}() takes names in quotes", hint=f"write {usage}")
    return args


def _length(text: Any) -> int:
    if not isinstance(text, str):
        raise RenderError("wrong-type", f"a duration is a text such as '24 hours', not {text!r}")
    try:
        return durations.microseconds(text)
    except AsknownError as error:
        raise RenderError(error.code, error.message, hint=error.hint, needle=quoted(text)) from None


def _as_written(text: str, length: int) -> str:
    """The duration in the unit that the author wrote, if it is a whole number of one unit: '24 hours', not '1 day'."""
    number = text.split(maxsplit=1)[0].rstrip(string.ascii_letters + "µ")
    if number.isdecimal() and int(number) and length % int(number) == 0:
        size = length // int(number)
        for unit, microseconds in durations.MICROSECONDS.items():
            if microseconds == size:
                return f"{int(number)} {unit}{'' if int(number) == 1 else 's'}"
    return durations.spell(length)


_BARE = re.compile(r"[a-z_][a-z0-9_]*")

# Words that DuckDB, Postgres or the parser read as keywords somewhere in a query. Quoting one too many does no harm.
_GRAMMAR = frozenset(
    """
    all alter analyse analyze and anti any array as asc asof asymmetric at authorization begin between bigint binary bit
    boolean both by case cast char character check coalesce collate collation column columns commit concurrently
    constraint create cross current_catalog current_date current_role current_schema current_time current_timestamp
    current_user dec decimal default deferrable delete desc describe distinct do drop else end except exists extract
    false fetch filter float for force foreign freeze from full generated glob grant group grouping grouping_id having
    ilike in initially inner inout insert install int integer intersect interval into is isnull join lambda lateral
    leading left like limit localtime localtimestamp map national natural nchar none not notnull null nullif numeric
    offset on only or order out outer over overlaps overlay partitioned_by pivot pivot_longer pivot_wider placing
    position positional precision primary qualify real recursive references regexp replace returning revoke right rlike
    rollback row select semi session_user set setof show similar smallint some struct substring summarize symmetric
    table tablesample then time timestamp to trailing treat trim true try_cast tuple uncache union unique unpack unpivot
    update user using values varchar variadic verbose when where window with xmlattributes xmlconcat xmlelement
    xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable xor
    """.split()  # noqa: SIM905 - a list of quoted words would hide the words
)


def quote_name(name: str) -> str:
    """``name`` as an SQL identifier: ``landings``, ``"Landings"``, ``"order"``, ``"two words"``."""
    if _BARE.fullmatch(name) and name not in _GRAMMAR:
        return name
    return '"' + name.replace('"', '""') + '"'
