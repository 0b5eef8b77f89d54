"""`asknown serve`: serves the online table over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from asknown.cli.progress import say
from asknown.cli.session import ProjectCommand, Session
from asknown.durations import microseconds
from asknown.errors import AsknownError

if TYPE_CHECKING:
    from asknown.addresses import Address
    from asknown.online.nodes import Owner
    from asknown.project.nodes import ServiceLog
    from asknown.serve import lifecycle
    from asknown.serve.app import Application
    from asknown.serve.auth import Token
    from asknown.serve.workers import Serving


@click.command("serve", cls=ProjectCommand)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", default=6566, show_default=True, type=click.IntRange(0, 65535), help="The port; 0 takes a free one."
)
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Processes that serve.")
@click.option("--file", metavar="FILE", help="The online table's file; no project is then needed.")
@click.option("--push", "is_pushing", is_flag=True, help="Take pushed rows too; needs the project.")
@click.option("--open", "is_open", is_flag=True, help="Serve without tokens beyond this machine.")
@click.option(
    "--drain", default="5 seconds", show_default=True, metavar="DURATION", help="Go on serving after SIGTERM."
)
@click.option("--limit-concurrency", default=256, show_default=True, type=click.IntRange(1), help="Requests in work.")
@click.option("--limit-body", default=2_000_000, show_default=True, type=click.IntRange(1), help="Bytes of a request.")
@click.option("--limit-rows", default=5_000, show_default=True, type=click.IntRange(1), help="Rows of a request.")
@click.option(
    "--limit-features", default=2_000, show_default=True, type=click.IntRange(1), help="Features of a request."
)
@click.option(
    "--receive", default="10 seconds", show_default=True, metavar="DURATION", help="Time to receive a request."
)
@click.option("--new-token", metavar="NAME", help="Print a new token and its line for profiles.yml, and serve nothing.")
@click.option("--scope", "scopes", multiple=True, metavar="SCOPE", help="A scope of the new token: read, read:VIEW, …")
@click.pass_obj
def command(
    session: Session,
    *,
    host: str,
    port: int,
    workers: int,
    file: str | None,
    is_pushing: bool,
    is_open: bool,
    drain: str,
    limit_concurrency: int,
    limit_body: int,
    limit_rows: int,
    limit_features: int,
    receive: str,
    new_token: str | None,
    scopes: tuple[str, ...],
) -> None:
    """Serve the online table over HTTP.

    Answers Feast's POST /get-online-features, so that an unchanged Feast client can read from it, and POST /v1/features
    with rows or columns, in JSON or Arrow. GET / is a page to try it on; /openapi.json describes the rest. Loads are
    seen without a restart. Tokens stand under 'serve:' in profiles.yml; without any, only this machine is served unless
    --open is given. Ends on SIGTERM, when every request is answered.

    Needs the packages of asknown[serve].

    \b
    Examples:
      asknown serve
      asknown serve --file online.db --port 8080
      asknown serve --new-token checkout --scope read:flight_delay_v1
    """
    _import_server()
    if new_token is not None:
        _print_token(new_token, scopes)
        return
    if scopes:
        raise click.UsageError("--scope belongs to --new-token", click.get_current_context())
    from asknown.serve import lifecycle
    from asknown.serve.limits import Limits
    from asknown.serve.workers import Serving

    address = lifecycle.Address(host, port)
    path, owner, tokens, logs = _where(session, file)
    if not tokens and not is_open and not address.is_loopback:
        raise AsknownError(
            "bad-value",
            f"{host} can be reached from other machines, and there are no tokens",
            hint="asknown serve --new-token NAME --scope read makes one; --open serves everybody",
        )
    limits = Limits(
        body=limit_body,
        rows=limit_rows,
        features=limit_features,
        concurrency=limit_concurrency,
        receive=_seconds(receive, "--receive"),
    )
    pushing = _pushing(session, file) if is_pushing else None
    _serve(Serving(path, tokens, limits, owner, logs, _seconds(drain, "--drain"), pushing), address, workers, drain)


def _serve(serving: Serving, address: lifecycle.Address, workers: int, drain: str) -> None:
    """Serves until a signal, in this process or in several."""
    from asknown.serve.lifecycle import run
    from asknown.serve.workers import run_workers

    pushes = serving.open_writer()
    if pushes is not None:
        for found in pushes.paths():
            say(str(found))
    application = serving.application(pushes)
    _check_logs(application)
    listener = address.listen()
    place, number = listener.getsockname()[:2]
    where = f"serving {serving.path} on http://{f'[{place}]' if ':' in place else place}:{number}"
    if workers == 1:
        run(
            application,
            listener,
            drain=serving.drain,
            on_ready=lambda: say(where),
            on_drain=lambda: say(f"ending: requests are served for {drain} longer"),
        )
    else:
        application.state.reading.reader.close()
        if pushes is not None:
            pushes.close()
        run_workers(serving, listener, workers, on_ready=lambda: say(f"{where} with {workers} processes"), say=say)


def _pushing(session: Session, file: str | None) -> tuple[Path, str | None]:
    """The project whose sources take pushes, by folder and target."""
    from asknown.project.settings import load_settings

    if file is not None:
        raise AsknownError(
            "bad-value", "--push is of the project's own online table", hint="leave --file out: asknown serve --push"
        )
    return load_settings(session.project).root, session.target


def _import_server() -> None:
    """Imports what serves. Raises ``missing-extra`` where one of its packages is not installed."""
    try:
        import asknown.serve.lifecycle  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("asknown"):
            raise
        raise AsknownError(
            "missing-extra", f"serving needs {error.name}", hint="type: pip install 'asknown[serve]'"
        ) from None


def _check_logs(application: Application) -> None:
    """Opens the table and compares what is to be logged with its services, so that mistakes are errors at the start."""
    from asknown.serve.log import check_columns
    from asknown.serve.read import fields_of

    reading = application.state.reading
    known = reading.services()
    for service, writer in application.state.logs.items():
        if service in known:
            fields = fields_of(reading.resolve([service]))
            check_columns(service, writer.how, [*fields.keys, *fields.inputs])


def _where(
    session: Session, file: str | None
) -> tuple[Address, Owner | None, tuple[Token, ...], tuple[tuple[str, ServiceLog, Path], ...]]:
    """The table, whose it must be, the tokens, and the services that are logged. ``--file`` needs no project."""
    from asknown.online.nodes import Owner
    from asknown.project import load_online, load_services, load_settings, load_tokens
    from asknown.serve.auth import Token

    try:
        settings = load_settings(session.project)
    except AsknownError as error:
        if file is None or error.code != "no-project":
            raise
        return Path(file), None, (), ()
    tokens = tuple(Token(token.name, token.sha256, frozenset(token.scopes)) for token in load_tokens(settings))
    services = load_services(settings).values()
    logs = tuple((s.name, s.log, settings.root / s.log.to) for s in services if s.log is not None)
    if file is not None:
        return Path(file), None, tokens, logs
    online = load_online(settings, session.target)
    return online.address, Owner(online.project, online.target), tokens, logs


def _print_token(name: str, scopes: tuple[str, ...]) -> None:
    """Prints the token, and on stderr the line to paste: the token itself is shown this once."""
    from asknown.project.serving import is_scope
    from asknown.serve.auth import new_token

    for scope in scopes:
        if not is_scope(scope):
            raise AsknownError(
                "bad-value",
                f"'{scope}' is not a scope",
                hint="scopes: read, read:<service or view>, push, push:<source>, metrics",
            )
    text, sha256 = new_token()
    click.echo(text)
    say("keep the token: it is not shown again. In profiles.yml, under the profile:")
    say("  serve:")
    say("    tokens:")
    say(f"      - {{name: {name}, sha256: {sha256}, scopes: [{', '.join(scopes or ('read',))}]}}")


def _seconds(text: str, option: str) -> float:
    try:
        return microseconds(text) / 1_000_000
    except AsknownError as error:
        raise AsknownError("bad-duration", f"{option}: {error.message}", hint=error.hint) from None
