#!/usr/bin/env bash
# The whole path on real flights, as `make demo` shows it: define, train, load, read.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH="$PWD/.venv/bin:$PATH"

if [ -t 1 ]; then bold=$'\033[1m' plain=$'\033[0m'; else bold='' plain=''; fi

heading() { printf '\n%s%s%s\n\n' "$bold" "$1" "$plain"; }
run() { printf '$ %s\n' "$1"; eval "$1"; }
first() { # so many lines of what a command prints, and how many there are
    printf '$ %s | head -n %s\n' "$2" "$1"
    eval "$2" | awk -v most="$1" 'NR <= most { print } END { if (NR > most) printf "… %d lines in all\n", NR }'
}

heading '1. A feature view is one SQL file'
run "cat models/features/carrier_delays.sql"

heading '2. asknown compiles a service of five such views into one point-in-time query'
first 24 "asknown compile flight_delay_v1 --spine flights_spine"

heading '3. The training set: every flight of 2013, with what was known when it was about to leave'
run "asknown train flight_delay_v1 --spine flights_spine -o train.parquet --hindsight"

heading '4. A few rows of it, on a spine written as SQL'
run "asknown train carrier_delays:last_arr_delay origin_weather:temp aircraft_facts:seats --limit 5 \\
    --spine \"select * from {{ ref('flights_spine') }} where event_timestamp > '2013-12-30 17:40'\""

heading '5. The online table: each carrier, airport, aircraft and route, as known at 17:42'
run "asknown materialize --until '2013-12-30 17:42'"
run "ls -lh online.db"

heading '6. One read, for the first flight of 4: the values it was trained on'
run "asknown get flight_delay_v1 carrier=UA tailnum=N25705 origin=EWR dest=SAN --at '2013-12-30 17:42'"

printf '\nThe models are in models/. What a join with hindsight would have learned: docs/leakage.md\n'
