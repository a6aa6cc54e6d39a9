#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the fuzz targets and runs each for some seconds from its seed corpus (tests/fuzz/corpus/<target>, where there is one).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
seconds=${1:-10}

cmake --preset fuzz >/dev/null
NINJA_STATUS='[%f/%t, %es] ' cmake --build --preset fuzz --target tests/fuzz/all -- -j "$(nproc)" | tail -n 3
status=0
shopt -s nullglob
for target in build/fuzz/tests/fuzz/fuzz_*; do
  if [ ! -f "$target" ] || [ ! -x "$target" ]; then continue; fi
  name=${target##*/}
  mkdir -p ".cache/fuzz/$name"
  seeds=()
  if [ -d "tests/fuzz/corpus/$name" ]; then seeds=("tests/fuzz/corpus/$name"); fi
  printf '%s: ' "$name"
  if "$target" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=1024 -artifact_prefix=".cache/fuzz/" -print_final_stats=1 \
    ".cache/fuzz/$name" "${seeds[@]}" >".cache/fuzz/$name.log" 2>&1; then
    sed -n 's/^stat::number_of_executed_units: */runs without a finding: /p' ".cache/fuzz/$name.log"
  else
    status=1
    echo "FAILED"
    tail -n 40 ".cache/fuzz/$name.log"
  fi
done
exit "$status"
