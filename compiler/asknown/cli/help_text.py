"""The text of `asknown --help` at 80 columns and more. Written by docs/generate.py."""

TEXT = """\
Usage: asknown [OPTIONS] COMMAND [ARGS]...

  Features in SQL, as known at the moment of the decision.

  One definition gives the same values in the training set and in the online
  table.

Options:
  --project DIR  Any folder of the project (default: the current one).
  --target NAME  A target in profiles.yml (default: the profile's 'target').
  --debug        Show where in asknown an error comes from.
  --version      Show the version.
  --help         Show this message.

Commands:
  init         Create a folder with a small project that works.
  ls           List the project's models, views, services, entities, sources.
  show         Show a model, view, service, entity or source.
  compile      Print the SQL that runs.
  check        Find what is wrong with the project, without reading a row.
  test         Run the project's tests.
  audit        Look for hindsight in features, on your data.
  verify       Compare what the online table serves with what training says.
  profile      Describe the values of features.
  drift        Compare the values of features in two samples.
  run          Build the models that are materialized as tables or views.
  train        Build a training set: each row as known at its instant.
  materialize  Load each entity's newest values into the online table.
  push         Push rows into a source, readable at once.
  get          Read features from the online table.
  serve        Serve the online table over HTTP.
  publish      Publish a snapshot of the online table.
  follow       Keep a replica of the online table that is published.
  plan         Show what would change against the registry.
  apply        Record the project's current definitions in the registry.
  pin          Pin the views of other projects that this one uses.
  history      List the revisions of the project, newest first.
  rollback     Make an earlier revision the newest.
  search       Find applied features by their words.
  lineage      List the columns of sources that a feature comes from.
  docs         Write the catalogue as one HTML page.
  doctor       Check the online table, or a target, and say what to run.

  Examples:
    asknown init my_features
    asknown train flight_delay_v1 --spine flights_spine -o train.parquet
    asknown materialize
    asknown get carrier_delays carrier=UA

  The options --project, --target and --debug may also follow the command.
  Data goes to stdout, messages and progress to stderr.

  Formats:
    table  for people
    json   one document, a list of objects; timestamps are ISO 8601, decimals text,
           and so are NaN, Infinity and -Infinity
    csv    with a head; nothing stands for NULL, and "" for an empty text

  Exit codes:
    0    success
    1    an error in the project, the data or the request
    2    a command line that asknown does not understand
    130  interrupted

  Shell completion, for bash (zsh and fish alike):
    eval "$(_ASKNOWN_COMPLETE=bash_source asknown)"
"""
