#!/usr/bin/env bash
# The whole path on real flights, as `make demo` shows it: define, train, load, read.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH="$PWD/.venv/bin:$PATH"

if [ -t 1 ]; then bold=$'\033[1m' plain=$'\033[0m'; else bold='' plain=''; fi

heading() { printf '\n%s%s%s\n\n' "$bold" "$1" "$plain"; }
run() { printf '$ %s\n' "$*"; "$@"; }
first() { # the first lines of a command's output, and how many there are
    printf '$ %s | head -n %s\n' "${*:2}" "$1"
    "${@:2}" | awk -v most="$1" 'NR <= most { print } END { if (NR > most) printf "… %d lines in all\n", NR }'
}

heading '1. A feature view is one SQL file: models/features/carrier_delays.sql'
cat models/features/carrier_delays.sql

heading '2. asknown compiles a service of five such views into one point-in-time query'
first 24 asknown compile flight_delay_v1 --spine flights_spine

heading '3. The training set: every flight of 2013, with what was known when it was about to leave'
run asknown train flight_delay_v1 --spine flights_spine --output train.parquet

heading '4. The online table: each carrier, airport, aircraft and route at noon on the last day of the year'
run asknown materialize --until '2013-12-31 12:00'
run ls -lh online.db

heading '5. One read: a flight that is about to leave'
run asknown get flight_delay_v1 carrier=UA tailnum=N14228 origin=EWR dest=IAH --at '2013-12-31 12:30'

printf '\nThe models are in models/; docs/leakage.md says what a join without hindsight is worth.\n'
