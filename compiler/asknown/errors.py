"""The only error that users see: what is wrong, where, and what to type next.

Every mistake of a user raises an :class:`AsknownError`. Our own bugs show a traceback.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

CODES: dict[str, str] = {
    # project
    "no-project": "No pyproject.toml with a [tool.asknown] table here or in any folder above.",
    "bad-toml": "pyproject.toml is not valid TOML.",
    "bad-yaml": "A YAML file does not parse, repeats a key, nests too deep or expands too many aliases.",
    "unknown-key": "A configuration key that asknown does not know.",
    "wrong-type": "A configuration value of the wrong type.",
    "missing-key": "A required configuration key is missing.",
    "duplicate-name": "Two things of one kind share a name.",
    "unknown-group": "A model names a group that no file declares.",
    "bad-name": "A name that asknown cannot use for a thing of this kind.",
    "unknown-profile": "The profile or the target named is not in profiles.yml.",
    "missing-env": "An environment variable that profiles.yml or a model asks for is not set.",
    "bad-duration": "A duration that is not a fixed length of time.",
    # render
    "template": "A model or macro template is broken, or fails while rendering.",
    "undefined": "A template uses a name, macro or variable that is not defined.",
    "output-limit": "A template does not end, or renders more text than a model may have.",
    # model and catalog
    "sql-syntax": "The rendered SQL of a model does not parse.",
    "bad-model": "A model's SQL parses, but cannot be used as a model.",
    "nested-window": "A window stands inside another window's argument.",
    "stack-type": "A column has two types in the relations that stack() puts one under the other.",
    "bad-config": "A model's config() names something the model does not have.",
    "duplicate-column": "Two columns of one model have the same name (names that differ only in case are the same).",
    "literal-table": "A model names another model's table directly where ref() is needed.",
    "guessed-file": "SQL reads a text file in types that DuckDB guesses from its first lines.",
    "leak-frame-ahead": "A window gives a row a value from rows after it.",
    "leak-whole-partition": "A window sees all rows of its partition, also those after each row.",
    "late-rows-in-window": "A window in a view with known_at sees rows that were not known yet.",
    "local-date": "A view's time is a date of a source with a time zone, where days begin at another instant.",
    "clock": "A view, or a model below it, reads the current time.",
    "chance": "A view, or a model below it, gives random results.",
    "contract": "A model is not what its contract says.",
    "data-type": "A column has another type than its data_type says.",
    "private-model": "A model reads a private model of another group.",
    "deprecated": "A model is used after its deprecation date, or soon will be.",
    "unordered-pick": "Rows are chosen, or put in a row, without an order.",
    "leak-global-aggregate": "A total over all rows is given to each row, also of those after it.",
    "leak-group-without-time": "Totals by a key that carry no time are joined back to the rows.",
    "leak-latest-only": "Only the newest row of a key is kept, and what was known before is lost.",
    "leak-join-ahead": "A join admits only rows that are later than the row.",
    "leak-truncated-time": "The event time is the start of the day, say, that a total is over.",
    "leak-first-time": "The event time is the first one of the rows that a total is over.",
    "leak-order-untimed": "A window, or a limit, puts rows in an order that is no time.",
    "known-at-constant": "A view's known_at is a constant, or before the time that it is made of.",
    "known-at-too-early": "A feature reads a column that is known later than its view says.",
    "known-at-missing": "A view does not use the column of its source that says when a row became known.",
    "label-as-feature": "A feature reads the value that is to be predicted.",
    "leak-join-undated": "A join reads the present state of a table, for old rows too.",
    "order-not-total": "A window in a model below a view depends on the order of rows that tie.",
    "float-order": "A model adds floats, whose sum follows the order of rows.",
    "float-equal": "Floats are compared by equality.",
    "engine-version": "A model uses what versions of the engine compute differently.",
    "naive-time": "A view's time comes from a source without a zone, or is a reading of a local clock.",
    "ttl-against-cadence": "A view's ttl is shorter than the time between two rows, or is missing.",
    "fan-out": "A join may give several rows for one.",
    "key-not-null": "A view's key comes from the outer side of a join.",
    "future-column": "A feature reads a column that is written when the next row comes.",
    "stack-as-of": "An as-of feature is from one relation of a stack, and NULL while another has the newest row.",
    "star-in-view": "A view gives all columns of what it reads.",
    "unresolved-column": "The lineage of a feature cannot be told.",
    "duplicate-feature": "Two features give the same values.",
    "unbounded-scan": "A view has no ttl, so a training set reads all of its history.",
    "unused": "A view is in no feature service.",
    "public-without-contract": "A public view has no contract.",
    "production-uses-development": "An exposure uses a feature service in development.",
    "undocumented": "A public view, or a service in production, has no description.",
    "unowned": "A public view, or a service in production, has no owner.",
    "untested": "A public view, or a view of a service in production, has no test.",
    "online-not-computable": "The online table cannot compute a view, and materialize will refuse it.",
    "lifetime-keeps-events": "The online table keeps all events of a view with windows of all time.",
    "bad-switch": "A comment or setting that should turn a rule of asknown check off names no rule or no reason.",
    "unused-switch": "A comment turns off a rule that finds nothing there.",
    "bad-selector": "A value of --select or --exclude cannot be read, or selects nothing.",
    "unknown-test": "No unit test has this name.",
    "bad-test": "A test of the project cannot be run as it is written, or shows nothing.",
    "windows-below": "A model refers to a view with trailing windows, where they would end at each event.",
    "bad-window": "A trailing window whose keys, order, frame or aggregate are not supported.",
    "not-yet": "Something that asknown does not support yet.",
    "cycle": "Models refer to each other in a cycle.",
    "unknown-model": "No model has this name.",
    "unknown-source": "No source, or no table of the source, has this name.",
    "unknown-entity": "No entity has this name.",
    "unknown-view": "No feature view has this name.",
    "unknown-feature": "The feature view has no feature of this name.",
    "unknown-service": "No feature service or feature view has this name.",
    "name-clash": "Two columns of the result would have the same name.",
    "unsupported-type": "A column has a type that asknown cannot keep exactly.",
    # training
    "spine": "The spine cannot be read, or is not a table of rows.",
    "spine-key": "The spine lacks a key column of an entity.",
    "spine-time": "The spine's instant is missing, ambiguous, or not a timestamp.",
    "request-input": "An input of an on-demand view is missing, unknown, or of the wrong type.",
    "lookup-too-many": "A view is looked up by a list of more keys than are looked up at once.",
    "key-type": "A key is given with another type than the feature view's key has.",
    "file-value": "A value in a file, or the types of several files, cannot be read exactly.",
    "no-data": "A file or table that a source names cannot be found.",
    "not-in-dialect": "The target's SQL cannot compute a feature exactly.",
    "engine": "The engine refused the query.",
    "lost-connection": "The connection to the warehouse ended; the next call connects anew.",
    "output": "The result cannot be written where it should go.",
    # online
    "no-online": "The online table has not been made yet.",
    "online-corrupt": "The online file is damaged, or is not an online table.",
    "online-layout": "The online file was written by another version of asknown.",
    "online-owner": "The online table belongs to another target or project.",
    "online-stale": "The online table no longer fits the project's definition of a view.",
    "not-online": "A feature's expression cannot be computed online to the same bits.",
    "online-write": "The online table cannot be written (read-only, locked, or the disk is full).",
    "online-server": "The server of the online table is away, is too slow, or refuses a command.",
    "online-settings": "The settings of the online table's server could lose rows.",
    "online-file": "A command needs an online table that is a file, and the project's is on a server.",
    "load-older": "A load is for an earlier instant than the newest load of the online table.",
    "load-shrinks": "A load would remove more than a tenth of a view's keys, without --allow-shrink.",
    "beyond-ahead": "A read asks for an instant at which rows count that lay too far ahead for the last load to keep.",
    "snapshot": "A snapshot of the online table cannot be published or followed.",
    "before-watermark": "A read asks for an instant before the online table's watermark.",
    # push
    "push-source": "A source cannot take pushes as it is declared, or its files do not fit the declaration.",
    "push-view": "A row of a view cannot be turned back into a row of its source.",
    "push-row": "A pushed row lacks a column, has one too many, or has a value of another type.",
    "push-future": "A pushed row's event time lies too far after its arrival.",
    "push-no-id": "A source that feeds windows takes no rows without an id, because a repeat would count twice.",
    "push-twice": "A file that push did not write has the id of a pushed row.",
    "push-full": "More rows wait to be written than the queue holds.",
    "push-land": "Pushed rows cannot be written into the source's folder.",
    # registry
    "registry-moved": "Another revision was applied in the meantime.",
    "registry-write": "The registry cannot be read or written (locked, read-only, or in a folder that does not exist).",
    "registry-corrupt": "The registry is damaged, or the file is not a registry of this version of asknown.",
    "not-pinned": "A reference names a view of another project, or a version, that asknown.lock does not have.",
    "bad-lock": "asknown.lock, or the copy of a closure that it pins, is damaged or missing.",
    "private-view": "A view of another project is used that is not public.",
    "not-applied": "The registry has `enforce: true`, and nobody has applied the version of a view to be loaded.",
    "unknown-project": "The registry has no project of this name.",
    "unknown-version": "The registry has no such version of a view, or no such revision.",
    "breaking": "The changes break what uses the applied versions, and --accept does not name them.",
    "kafka": "A topic, or the schema registry, cannot be read.",
    "kafka-message": "A message of a topic is no row of the source.",
    "missing-extra": "An optional package that is needed is not installed.",
    "bad-value": "A value given on the command line or to the library cannot be read.",
}


LONGEST_LINE = 120
HIDDEN = "***"
_SHORTEST_SECRET = 4  # characters; hiding a shorter value would blank out ordinary words
_secrets: set[str] = set()
_PASSWORD = re.compile(r"://[^/@\s]*?:([^/\s]+)@")
_CREDENTIAL = re.compile(r"(?:pass|pwd|token|secret|key)\w*\s*=\s*'?([^&;\s']+)", re.IGNORECASE)


@dataclass(frozen=True)
class Where:
    """A place in one of the user's files. ``line`` and ``column`` count from 1; 0 means unknown."""

    path: str
    line: int = 0
    column: int = 0
    text: str = ""  # the line itself, shown above the caret

    def __str__(self) -> str:
        place = printable(hidden(self.path))
        if self.line:
            place += f":{self.line}"
            if self.column:
                place += f":{self.column}"
        return place

    def picture(self) -> str:
        """The source line with a caret under the column, or an empty string when the line is not known."""
        if not self.text:
            return ""
        number = str(self.line)
        shown, caret = _cut("".join(c if c.isprintable() else " " for c in self.text), self.column)
        picture = f"  {number} | {shown}"
        if caret:
            picture += f"\n  {' ' * len(number)} | {' ' * (caret - 1)}^"
        return picture


def keep_secret(value: str) -> None:
    """Makes :func:`hidden` hide ``value``, that of an environment variable, in every spelling that messages use.

    Of an address such as ``postgres://user:password@host/db?token=…`` the password and the token are hidden too.
    """
    from urllib.parse import quote, unquote_plus

    parts = {value, *_PASSWORD.findall(value), *_CREDENTIAL.findall(value)}
    for part in parts:
        plain = {part, unquote_plus(part)}
        _secrets.update(plain, map(quote, plain), (repr(text)[1:-1] for text in plain))
        _secrets.update(text.replace("'", "''") for text in plain)


def hidden(text: str) -> str:
    """``text`` with every secret that :func:`keep_secret` has stored replaced by ``***``."""
    for secret in sorted(_secrets, key=len, reverse=True) if _secrets else ():
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, HIDDEN)
    return text


def printable(text: str) -> str:
    """``text`` with unprintable characters written as escapes, except line breaks."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode("ascii") for c in text)


def _cut(text: str, column: int) -> tuple[str, int]:
    """A long line, shortened around the column, and the column's new position."""
    if len(text) <= LONGEST_LINE:
        return text, column
    start = max(0, min(column - LONGEST_LINE // 2, len(text) - LONGEST_LINE))
    head, tail = "… " if start else "", " …" if start + LONGEST_LINE < len(text) else ""
    return head + text[start : start + LONGEST_LINE] + tail, column - start + len(head) if column else 0


class AsknownError(Exception):
    """An error that the user can fix.

    ``code`` is a key of :data:`CODES`; ``message`` says what is wrong in the user's words; ``at`` points into
    the user's file; ``hint`` is the next thing to type. Control characters in them are escaped: both may repeat
    values from data, and a terminal would execute those. Secrets are replaced by ``***``. ``also`` are errors that
    were found beside this one.
    """

    also: tuple[AsknownError, ...] = ()

    def __init__(self, code: str, message: str, *, at: Where | None = None, hint: str | None = None) -> None:
        if code not in CODES:
            raise KeyError(f"undocumented error code {code!r}")
        message = printable(hidden(message))
        super().__init__(message)
        self.code = code
        self.message = message
        self.at = at
        self.hint = None if hint is None else printable(hidden(hint))

    def __str__(self) -> str:
        parts = [f"{self.code}: {self.message}"]
        if self.at is not None:
            parts.append(f"  at {self.at}")
            picture = self.at.picture()
            if picture:
                parts.append(picture)
        if self.hint:
            parts.append(f"  hint: {self.hint}")
        return "\n".join([*parts, *map(str, self.also)])


@contextmanager
def kept_in(errors: list[AsknownError]) -> Iterator[None]:
    """Adds an error to the list instead of raising it, so that what comes after is looked at too."""
    try:
        yield
    except AsknownError as error:
        errors += [error, *error.also]
        error.also = ()


def raise_all(errors: Sequence[AsknownError]) -> None:
    """Raises the errors, if there are any, as one: the first, with the others beside it."""
    if errors:
        first, *others = errors
        first.also = tuple(others)
        raise first


def _none_of(what: str) -> str:
    owner, _, plural = what.rpartition(" ")
    if owner not in ("its", "the spine's"):
        return f"there are no {what}"
    return f"{'it' if owner == 'its' else 'the spine'} has no {plural}"


def did_you_mean(name: str, known: Iterable[str], *, what: str = "") -> str:
    """A sentence that says what exists: the nearest names first, else the whole (short) list.

    ``what`` is the plural used in the sentence, as in "views". Empty when nothing is known.
    """
    import difflib  # difflib is slow to import, and most programs end without an error

    names = sorted(set(known))
    folded = {n.casefold(): n for n in reversed(names)}
    near = difflib.get_close_matches(name.casefold(), list(folded), n=3, cutoff=0.6)
    if near:
        return "did you mean " + " or ".join(f"'{folded[n]}'" for n in near) + "?"
    if not names:
        return _none_of(what) if what else ""
    shown = ", ".join(names[:12]) + (f", … ({len(names)} in all)" if len(names) > 12 else "")
    return f"{what or 'known'}: {shown}"
