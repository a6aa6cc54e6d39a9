#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the fuzz targets and runs each from its seed corpus (tests/fuzz/corpus/<target>, where
# there is one) and what was found so far: `fuzz.sh [SECONDS]`, or `fuzz.sh --runs N [TARGET...]`
# for so many executions, however long they take.
set -euo pipefail
only=()
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
limit=-max_total_time=${1:-10}
if [ "${1:-}" = --runs ]; then
  limit=-runs=$2
  shift 2
  only=("$@")
fi

cmake --preset fuzz >/dev/null
NINJA_STATUS='[%f/%t, %es] ' cmake --build --preset fuzz --target tests/fuzz/all -- -j "$(nproc)" |
  tail -n 3
shopt -s nullglob
found=$(mktemp)
trap 'rm -f "$found"' EXIT
# One target: a line of what came of it, and its name in $found where something did.
run() {
  local target=$1 name=${1##*/} seeds=()
  mkdir -p ".cache/fuzz/$name"
  if [ -d "tests/fuzz/corpus/$name" ]; then seeds=("tests/fuzz/corpus/$name"); fi
  if "$target" "$limit" -timeout=5 -rss_limit_mb=1024 -artifact_prefix=".cache/fuzz/" \
    -print_final_stats=1 ".cache/fuzz/$name" "${seeds[@]}" >".cache/fuzz/$name.log" 2>&1; then
    sed -n "s/^stat::number_of_executed_units: */$name: runs without a finding: /p" \
      ".cache/fuzz/$name.log"
  else
    echo "$name" >>"$found"
    printf '%s: FAILED\n%s\n' "$name" "$(tail -n 40 ".cache/fuzz/$name.log")"
  fi
}
running=0
for target in build/fuzz/tests/fuzz/fuzz_*; do
  if [ ! -f "$target" ] || [ ! -x "$target" ]; then continue; fi
  name=${target##*/}
  [ "${#only[@]}" -eq 0 ] || [[ " ${only[*]} " = *" ${name#fuzz_} "* ]] || continue
  if [ "$running" -ge "$(nproc)" ]; then
    wait -n || true
    running=$((running - 1))
  fi
  run "$target" &
  running=$((running + 1))
done
wait
[ ! -s "$found" ]
