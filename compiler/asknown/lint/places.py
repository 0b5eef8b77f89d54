"""Finds where a construct stands in the author's file: sqlglot keeps the places of names, not those of functions."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cached_property

from sqlglot import Dialect, Token, exp
from sqlglot.tokenizer_core import TokenType

from asknown.errors import Where
from asknown.model.nodes import Model
from asknown.model.windows import place_of

_FRAMES = ("RANGE", "ROWS", "GROUPS")


class Places:
    """The places of a model's windows and functions."""

    def __init__(self, model: Model) -> None:
        self._model = model

    @cached_property
    def _tokens(self) -> list[Token]:
        return list(Dialect.get_or_raise(self._model.dialect).tokenize(self._model.rendered.sql))

    @cached_property
    def _overs(self) -> dict[int, int]:
        """The place among the tokens of each window's OVER, by the window's id."""
        windows = [w for w in in_order(self._model.tree) if isinstance(w, exp.Window) and w.arg_key != "windows"]
        overs = [i for i, token in enumerate(self._tokens) if token.token_type == TokenType.OVER]
        return dict(zip(map(id, windows), overs, strict=True)) if len(windows) == len(overs) else {}

    def window(self, window: exp.Window) -> Where:
        """Where the function of a window stands."""
        over = self._overs.get(id(window))
        return place_of(self._model, window) if over is None else self._where(self._function_before(over))

    def frame(self, window: exp.Window) -> Where:
        """Where the frame of a window stands, or its function where the frame is that of a window with a name."""
        over = self._overs.get(id(window))
        if over is None or window.args.get("spec") is None:
            return self.window(window)
        for place in range(over, len(self._tokens)):
            if self._tokens[place].text.upper() in _FRAMES:
                return self._where(place)
        return self.window(window)

    def calls(self, words: Collection[str], *, bare: Collection[str] = ()) -> list[tuple[str, Where]]:
        """(word, place) of functions, in the order of the text; those in ``bare`` need no parenthesis."""
        return [
            (token.text.casefold(), self._where(place))
            for place, token in enumerate(self._tokens)
            if token.text.casefold() in words
            and token.token_type not in (TokenType.STRING, TokenType.IDENTIFIER)
            and (token.text.casefold() in bare or self._is_open(place + 1))
        ]

    def words(self, words: Collection[str]) -> list[Where]:
        """Where these words stand, in the order of the text."""
        return [at for _, at in self.calls(words, bare=words)]

    def texts(self, texts: Collection[str]) -> list[Where]:
        """Where these texts stand in quotes."""
        return [
            self._where(place)
            for place, token in enumerate(self._tokens)
            if token.token_type == TokenType.STRING and token.text.strip().casefold() in texts
        ]

    def near(self, node: exp.Expr) -> Where:
        """Where the first name in an expression stands whose place in the template is certain, or its line."""
        places = [self._at(start) for start in sorted(int(p.meta["start"]) for p in node.walk() if "start" in p.meta)]
        certain = [place for place in places if place.column]
        return next(iter(certain or places), self.start())

    def star(self, item: exp.Expr) -> Where:
        """Where a star of the outermost select stands: the first star that follows a SELECT, a comma or a dot."""
        if item.find(exp.Identifier) is not None:
            return self.near(item)
        before = (TokenType.SELECT, TokenType.COMMA, TokenType.DOT)
        places = [
            place
            for place, token in enumerate(self._tokens)
            if token.token_type == TokenType.STAR and place and self._tokens[place - 1].token_type in before
        ]
        return self._where(places[-1]) if places else self.start()

    def config(self) -> Where:
        """Where the model's ``config()`` stands."""
        return self._model.rendered.config_place

    def start(self) -> Where:
        """The model's first line."""
        return self._model.rendered.where(1)

    def _is_open(self, place: int) -> bool:
        return place < len(self._tokens) and self._tokens[place].token_type == TokenType.L_PAREN

    def _function_before(self, over: int) -> int:
        """The token that names the function before an OVER."""
        place = over - 1
        while place >= 0 and self._tokens[place].text.upper() in ("NULLS", "IGNORE", "RESPECT"):
            place -= 1
        while True:
            depth = 0
            while place >= 0:
                kind = self._tokens[place].token_type
                depth += (kind == TokenType.R_PAREN) - (kind == TokenType.L_PAREN)
                if depth == 0:
                    break
                place -= 1
            place -= 1
            if place < 0:
                return over
            if self._tokens[place].text.upper() == "FILTER":
                place -= 1
            elif self._tokens[place].text.upper() == "GROUP" and self._tokens[place - 1].text.upper() == "WITHIN":
                place -= 2
            else:
                return place

    def _where(self, place: int) -> Where:
        return self._at(self._tokens[place].start)

    def _at(self, start: int) -> Where:
        sql = self._model.rendered.sql
        return self._model.rendered.where(sql.count("\n", 0, start) + 1, start - sql.rfind("\n", 0, start))


def in_order(node: exp.Expr) -> Iterator[exp.Expr]:
    """The nodes of a tree in the order of the text, as far as sqlglot keeps it: CTEs stand before their query."""
    yield node
    children = list(node.iter_expressions())
    with_ = node.args.get("with_")
    if with_ is not None:
        children = [with_, *(child for child in children if child is not with_)]
    for child in children:
        yield from in_order(child)
