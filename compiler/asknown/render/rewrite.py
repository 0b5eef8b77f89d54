"""Rewrites a template's tree before it runs, so that text keeps its line and nothing runs uncounted.

- A call of ``mark`` with the template's line precedes each piece of text that goes straight into the model. It notes
  where the text comes from and writes nothing, so nothing has to be removed from the SQL afterwards.
- Text that is captured first (``{% set %}…{% endset %}``, ``{% macro %}``, ``{% call %}``, ``{% filter %}``, recursive
  loops) has no marks inside. The tag that writes the captured text has one.
- Each round of a loop becomes a step, and ``a ~ b`` and ``a[b:c]`` become counted calls. All these calls read
  attributes of the environment, which no name in a template can reach.
"""

# ruff: noqa: N802 - the names that Jinja's visitor looks for

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jinja2 import TemplateSyntaxError, nodes
from jinja2.visitor import NodeTransformer

_CLOSED_TAGS: tuple[tuple[type[nodes.Node], str], ...] = (
    (nodes.Include, "include"),
    (nodes.Import, "import"),
    (nodes.FromImport, "from"),
    (nodes.Extends, "extends"),
    (nodes.Block, "block"),
    (nodes.ScopedEvalContextModifier, "autoescape"),
)


def rewrite(tree: nodes.Template, name: str) -> None:
    """Rewrites ``tree`` in place. Raises TemplateSyntaxError for tags that models may not use."""
    _refuse_closed_tags(tree, name)
    environment = tree.environment
    _Rewriter().visit(tree)
    tree.set_environment(environment)  # type: ignore[arg-type]


def first_line(node: nodes.Node) -> int:
    """The line on which ``node`` starts. (Jinja itself notes the line of a call's parenthesis or a filter's bar.)"""
    return min(part.lineno for part in (node, *node.find_all(nodes.Node)) if part.lineno)


def _refuse_closed_tags(tree: nodes.Template, name: str) -> None:
    for kind, tag in _CLOSED_TAGS:
        for node in tree.find_all(kind):
            raise TemplateSyntaxError(
                f"{{% {tag} %}} is not supported: call a macro by its name, and name a model with ref()",
                node.lineno,
                name,
            )


def _call(method: str, args: Iterable[nodes.Expr], line: int) -> nodes.Call:
    return nodes.Call(nodes.EnvironmentAttribute(method), list(args), [], None, None, lineno=line)


def _mark(line: int, verbatim: bool) -> nodes.Call:
    return _call("mark", [nodes.Const(line), nodes.Const(verbatim)], line)


class _Rewriter(NodeTransformer):
    def __init__(self) -> None:
        self._captured = 0

    def visit_Output(self, node: nodes.Output) -> Any:
        self.generic_visit(node)
        if self._captured:
            size = sum(len(child.data) for child in node.nodes if isinstance(child, nodes.TemplateData))
            return [nodes.ExprStmt(_call("count", [nodes.Const(size)], node.lineno), lineno=node.lineno), node]
        marked: list[nodes.Expr] = []
        for child in node.nodes:
            line = first_line(child)
            child.lineno = line
            marked += [_mark(line, isinstance(child, nodes.TemplateData)), child]
        node.nodes = marked
        return node

    def visit_For(self, node: nodes.For) -> Any:
        result = self._visit_captured(node) if node.recursive else [self.generic_visit(node)]
        node.body.insert(0, nodes.ExprStmt(_call("step", [], node.lineno), lineno=node.lineno))
        if node.test is not None:
            node.test = nodes.And(_call("step", [], node.test.lineno), node.test, lineno=node.test.lineno)
        return result

    def visit_Macro(self, node: nodes.Macro) -> Any:
        return self._visit_captured(node)[-1]

    def visit_AssignBlock(self, node: nodes.AssignBlock) -> Any:
        return self._visit_captured(node)[-1]

    def visit_CallBlock(self, node: nodes.CallBlock) -> Any:
        return self._visit_captured(node)

    def visit_FilterBlock(self, node: nodes.FilterBlock) -> Any:
        return self._visit_captured(node)

    def visit_Concat(self, node: nodes.Concat) -> nodes.Call:
        self.generic_visit(node)
        return _call("concatenate", node.nodes, node.lineno)

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Expr:
        self.generic_visit(node)
        if not isinstance(node.arg, nodes.Slice):
            return node
        ends = (node.arg.start, node.arg.stop, node.arg.step)
        return _call("cut", [node.node, *(end or nodes.Const(None) for end in ends)], node.lineno)

    def _visit_captured(self, node: nodes.Stmt) -> list[nodes.Node]:
        """The node, preceded by a mark for the text that it will write once it has captured it."""
        self._captured += 1
        self.generic_visit(node)
        self._captured -= 1
        if self._captured:
            return [node]
        return [nodes.Output([_mark(node.lineno, False)], lineno=node.lineno), node]
