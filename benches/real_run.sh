#!/bin/sh
# A round for real: `weir serve` with a carrier, `weir registration-sim` with its people, both over real sockets and at
# real speed, and beside it the rehearsal of the same round. Anybody can run it; it needs no set-up, no fixed ports and
# leaves nothing behind. Without arguments it takes less than an hour; see --help.
#
#   benches/real_run.sh
#   benches/real_run.sh --drop-at 8 --drop-for 4 --csv real-run.csv
#
# WEIR_PROFILE=dev uses the debug build.
set -eu
cd "$(dirname "$0")/.."
profile="${WEIR_PROFILE:-release}"
cargo build --quiet --profile "$profile" --bin weir --example real_run
folder="${CARGO_TARGET_DIR:-target}/$([ "$profile" = dev ] && echo debug || echo "$profile")"
exec "$folder/examples/real_run" --weir "$folder/weir" "$@"
