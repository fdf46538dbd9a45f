#!/usr/bin/env bash
# Runs every fuzz target for a bounded time: scripts/fuzz.sh SECONDS [TARGET…]
#
# Coverage-guided fuzzing needs a nightly compiler and cargo-fuzz. Where they are missing, this says so and stops without
# an error: the same entry points run under proptest in the crates' own tests.
set -euo pipefail

seconds=${1:?usage: scripts/fuzz.sh SECONDS [TARGET…]}
shift
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [ ! -f fuzz/Cargo.toml ]; then
  echo "fuzz: there are no fuzz targets yet" >&2
  exit 0
fi
if ! cargo fuzz --version >/dev/null 2>&1 || ! cargo +nightly --version >/dev/null 2>&1; then
  echo "fuzz: skipped: needs cargo-fuzz and a nightly compiler (cargo install cargo-fuzz; rustup toolchain install nightly)" >&2
  exit 0
fi
[ $# -gt 0 ] || mapfile -t targets < <(cargo +nightly fuzz list)
[ $# -eq 0 ] || targets=("$@")
for target in "${targets[@]}"; do
  echo "fuzz: $target for $seconds s" >&2
  cargo +nightly fuzz run "$target" -- -max_total_time="$seconds" -rss_limit_mb=2048 -verbosity=0
done
