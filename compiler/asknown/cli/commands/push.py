"""`asknown push`: pushes rows into a source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from asknown.cli.arguments import complete, pushed_sources
from asknown.cli.output import Format, format_option, write_json, write_rows
from asknown.cli.progress import say
from asknown.cli.session import ProjectCommand, Session
from asknown.cli.stopping import stopped_by_signals
from asknown.errors import AsknownError

if TYPE_CHECKING:
    from asknown.serve.messages import Messages
    from asknown.store.push_answers import PushAnswer

_AT_ONCE = 1_000  # rows in one transaction
COUNTS = ("rows", "new", "older", "late", "duplicates", "skipped")


@click.command("push", cls=ProjectCommand)
@click.argument("source", shell_complete=complete(pushed_sources))
@click.option("--rows", "file", metavar="FILE", help="The rows: JSON lines (.jsonl, or - for stdin), CSV, Parquet.")
@click.option("--from", "topic", metavar="URL", help="A topic whose messages are the rows: kafka://host:9092/topic.")
@click.option(
    "--messages",
    type=click.Choice(("json", "avro", "debezium")),
    default="json",
    show_default=True,
    help="What messages are.",
)
@click.option(
    "--config", type=click.Path(path_type=Path), metavar="FILE", help="Settings of Kafka's client, name=value a line."
)
@click.option(
    "--bad", type=click.Path(path_type=Path), metavar="FILE", help="Write messages that are no rows there, and go on."
)
@click.option("--partial", is_flag=True, help="Push the other rows of a file if some are refused.")
@format_option()
@click.pass_context
def command(
    ctx: click.Context,
    *,
    source: str,
    file: str | None,
    topic: str | None,
    messages: Messages,
    config: Path | None,
    bad: Path | None,
    partial: bool,
    kind: Format,
) -> None:
    """Push rows into a source, readable at once.

    SOURCE is a table that declares 'push'. Each row has every column of it but the arrival. When the command ends, the
    rows are on the disk, readable online, and land in the source's folder. Rows whose id was pushed before change
    nothing. If one row is refused, none is pushed, unless --partial is given; then the command exits with 1.

    With --from it pushes the messages of a topic until it is stopped, and goes on there when it is started again: the
    offsets are written with the rows, so that none is lost and none counts twice.

    \b
    Examples:
      asknown push orders --rows orders.jsonl
      tail -f orders.log | head -100 | asknown push shop.orders --rows - --format json
      asknown push orders --from kafka://localhost:9092/orders --bad bad.jsonl
    """
    if (file is None) == (topic is None):
        raise AsknownError(
            "bad-value", "push takes either --rows or --from", hint="asknown push orders --rows orders.jsonl"
        )
    _refuse_unused(
        ctx, ("partial",) if file is None else ("messages", "config", "bad"), "--rows" if file is None else "--from"
    )
    if topic is not None:
        _push_topic(ctx, source, topic, messages, config=config, bad=bad, kind=kind)
        return
    assert file is not None
    from asknown.cli.pushed import read_rows

    with ctx.ensure_object(Session).open_store() as store:
        writer = store.push_writer()
        rows = read_rows(file, writer.columns(source))
        if not partial:
            writer.check(source, rows)  # before the first is written
        slices = [rows[start : start + _AT_ONCE] for start in range(0, len(rows), _AT_ONCE)] or [[]]
        answer = _together([writer.push(source, some, partial=partial) for some in slices])
    if kind == "json":
        write_json([answer.to_dict()])
    else:
        write_rows(kind, COUNTS, [tuple(getattr(answer, name) for name in COUNTS)])
    for refused in answer.outcomes:
        say(refused.message)
    say(f"views that follow {source}: {', '.join(answer.views) or 'none is loaded'}")
    if answer.outcomes:
        ctx.exit(1)


def _refuse_unused(ctx: click.Context, names: Sequence[str], owner: str) -> None:
    """Refuses an option that would do nothing; ``owner`` is the option that it belongs to."""
    for name in names:
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{name} belongs to {owner}", ctx)


def _push_topic(
    ctx: click.Context,
    source: str,
    url: str,
    messages: Messages,
    *,
    config: Path | None,
    bad: Path | None,
    kind: Format,
) -> None:
    """Pushes the messages of a topic until a signal, and shows what became of them."""
    from asknown.serve.kafka import TopicPush, TopicReader, check_ids, parse_topic, read_config
    from asknown.serve.messages import decoder
    from asknown.store.push_paths import find_pushable

    topic, settings = parse_topic(url), {} if config is None else read_config(config)
    decode = decoder(messages, settings)
    with ctx.ensure_object(Session).open_store() as store, stopped_by_signals() as stop:
        check_ids(find_pushable(store.project, source), messages)
        pushing = TopicPush(store.push_writer(), source, decode, bad=bad)
        try:
            with TopicReader(topic, settings) as reader:
                say(f"pushing the messages of {topic.name} into {source} until stopped")
                pushing.run(reader, stop)
        finally:
            taken = pushing.taken
            counts = {**{name: taken.counts[name] for name in COUNTS}, "bad": taken.bad}
            if kind == "json":
                write_json([counts])
            else:
                write_rows(kind, tuple(counts), [tuple(counts.values())])


def _together(answers: Sequence[PushAnswer]) -> PushAnswer:
    """The answers to the parts of a file as one."""
    counts = {name: sum(getattr(answer, name) for answer in answers) for name in COUNTS}
    refused = tuple(
        replace(outcome, row=outcome.row + number * _AT_ONCE)
        for number, answer in enumerate(answers)
        for outcome in answer.outcomes
    )
    return replace(answers[-1], **counts, outcomes=refused)
