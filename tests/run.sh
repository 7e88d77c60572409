#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Runs test groups and counts what they say: tests/run.sh GROUP...
# Every group speaks TAP (testanything.org); the last line is `N passed, N failed, N skipped`. A program
# that ends badly, or before the number of tests it announced, counts as a failure of its own.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
build=$(realpath "${BUILD:-build}")
export BANGER_BUILD=$build CMOCKA_MESSAGE_OUTPUT=TAP

tsan="halt_on_error=1 suppressions=$PWD/tests/tsan.supp"
under_tsan='every answer fits|come in the order' # of the load tests: those in which many threads meet

passed=0 failed=0 skipped=0
failures=()

# What the failed tests of the file $1 said: the end of a log is all that many a CI shows.
why() {
  awk '/^(not )?ok /{bad = /^not ok / && tolower($0) !~ /# ?skip/} 
    bad && /^#/ && n < 60 {if (!n++) print ""; print "    " $0}' "$1"
}

# Reads TAP from the file $2, adds to the counts; $1 names the source, $3 is its exit status.
count() {
  local ok bad skip plan
  skip=$(grep -E '^(not )?ok ' "$2" | grep -ciE '# ?skip') # cmocka says `not ok N # SKIP`
  ok=$(grep -E '^ok ' "$2" | grep -cviE '# ?skip')
  bad=$(grep -E '^not ok ' "$2" | grep -cviE '# ?skip')
  plan=$(sed -nE 's/^1\.\.([0-9]+).*/\1/p' "$2" | awk "{n += \$1} END {print n + 0}")
  passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
  if [ "$bad" -gt 0 ]; then
    failures+=("$1: $(grep -E '^not ok ' "$2" | grep -viE '# ?skip' | head -5 | paste -sd';' -)$(why "$2")")
  elif [ "$3" -ne 0 ] || [ "$((ok + skip))" -ne "${plan:-0}" ]; then
    failed=$((failed + 1))
    failures+=("$1: ended with status $3 after $((ok + skip)) of ${plan:-no} tests")
  fi
}

# tap NAME COMMAND...: runs it, shows what it prints, counts it.
tap() {
  local name=$1 log status
  shift
  log=$(mktemp)
  echo "# $name"
  "$@" 2>&1 </dev/null | tee "$log"
  status=${PIPESTATUS[0]}
  count "$name" "$log" "$status"
  rm -f "$log"
}

# A check with one outcome, as one test.
single() {
  local name=$1
  shift
  if "$@"; then echo "1..1"; echo "ok 1 - $name"; else echo "1..1"; echo "not ok 1 - $name"; return 1; fi
}

# patient SECONDS COMMAND...: one that hangs fails, and the rest of the run goes on. Far more than any
# takes, with a sanitizer on a loaded machine too.
patient() {
  timeout --kill-after=10 "$@"
}

# The suites that put the daemon under strain, with an instrumented daemon and real guests.
integration_of() {
  BANGER_BUILD=$1 ROUNDS=2 tap "integration, $(basename "$1")" \
    patient 1200 bats --tap tests/integration/{run,daemon,concurrency}.bats
}

none_found() { # none_found WHAT: an empty group is a build that went wrong
  failed=$((failed + 1))
  failures+=("no $1 was built")
}

unit_of() { # unit_of BUILD: every unit program of a build folder
  local program found=
  for program in "$1"/tests/test_*; do
    [ -x "$program" ] && [ ! -d "$program" ] || continue
    found=yes
    BANGER_BUILD=$1 tap "$(basename "$1")/$(basename "$program")" patient 600 "$program"
  done
  [ "$found" ] || none_found "unit test in $1"
}

# From one seed: a smoke test says the same of the same code each time; longer runs are for people.
fuzz_smoke() {
  local program found=
  for program in "$build"/fuzz/fuzz_*; do
    [ -x "$program" ] && [ ! -d "$program" ] || continue
    found=yes
    tap "$(basename "$program")" single "$(basename "$program"): ${FUZZ_RUNS:-20000} inputs" \
      "$program" -seed=1 -runs="${FUZZ_RUNS:-20000}" -max_total_time=20 -verbosity=0 -close_fd_mask=1
  done
  [ "$found" ] || none_found "fuzz target"
}

for group in "$@"; do
  case "$group" in
    unit) unit_of "$build" ;;
    asan) ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=halt_on_error=1 unit_of "$build/asan" ;;
    tsan) TSAN_OPTIONS=$tsan unit_of "$build/tsan" ;;
    headers) tap headers single "public headers stand alone, as C11 and C++17" share/build/headers.sh ;;
    arrows) tap arrows single "includes point down" share/build/arrows.sh ;;
    fuzz) fuzz_smoke ;;
    faults) tap faults patient 1200 bats --tap tests/faults ;;
    load) tap load patient 1200 bats --tap tests/load ;;
    load-tsan) BANGER_BUILD=$build/tsan LOAD_OPERATIONS=${LOAD_OPERATIONS:-3000} TSAN_OPTIONS=$tsan \
      tap load-tsan patient 1200 bats --tap -f "$under_tsan" tests/load ;;
    integration) tap integration patient 2400 bats --tap tests/integration ;;
    testbed) BUILD=$build tap testbed tests/testbed/suite.sh ;;
    integration-asan) integration_of "$build/asan" ;;
    integration-tsan) integration_of "$build/tsan" ;;
    *) echo "tests/run.sh: no group '$group'" >&2; exit 2 ;;
  esac
done

if [ "${#failures[@]}" -gt 0 ]; then
  printf '\nfailed:\n'
  printf '  %s\n' "${failures[@]}"
fi
printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ]
