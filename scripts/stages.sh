#!/usr/bin/env bash
# Runs make targets one after the other, each as a stage with its name and time, and closes with what became of them.
#
#   scripts/stages.sh TITLE TARGET…
#
# A stage that fails does not keep the next ones from running: one run tells everything. Exit code 1 if one failed.
set -uo pipefail

title=$1
shift
log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=0
summary=()

# The line with which a runner closes, whichever runner it was: pytest, nextest, our fuzzer; cargo test has one per binary.
closing_line() {
  grep -aE '^=+ .*(passed|failed|error).* in [0-9.]+s|^ *Summary \[' "$1" | tail -n 1 | tr -d '=' | sed -E 's/^ +//; s/ +$//' | grep . && return
  awk '/^test result:/ { binaries++; passed += $4; failed += $6 } /^fuzz: .* inputs from/ { targets++; inputs += $3 }
    END { if (binaries) printf "%d passed, %d failed in %d test binaries\n", passed, failed, binaries
          else if (targets) printf "%d inputs for %d fuzz targets\n", inputs, targets }' "$1"
}

run() {
  local name=$1 begin=$SECONDS outcome=passed
  printf '\n== %s: %s\n' "$title" "$name"
  make --no-print-directory "$name" 2>&1 | tee "$log" || { outcome=FAILED failed=1; }
  local line
  line=$(printf '%-12s %-6s %5d s  %s' "$name" "$outcome" $((SECONDS - begin)) "$(closing_line "$log")")
  printf '== %s: %s\n' "$title" "$line"
  summary+=("$line")
}

for target in "$@"; do
  run "$target"
done
printf '\n== %s: closing lines\n' "$title"
printf '   %s\n' "${summary[@]}"
if [ "$failed" -eq 0 ]; then
  printf '== %s: all passed in %d s\n' "$title" "$SECONDS"
else
  printf '== %s: FAILED after %d s\n' "$title" "$SECONDS"
fi
exit "$failed"
