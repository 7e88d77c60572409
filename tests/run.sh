#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Runs test groups and counts what they say: tests/run.sh GROUP...
# Every program speaks TAP (testanything.org); the last line is `N passed, N failed, N skipped`. A program
# that ends badly, or before the number of tests it announced, counts as a failure of its own.
#
# A group is one program or many. Of all that was asked for, as many programs as there are processors (JOBS=N:
# that many) run side by side, in the order of the groups. What a program prints is shown when it has ended, as a
# whole; a single one is shown as it goes. Programs that share something have a lane, in which they follow one another.
# The suites that boot guests are a lane: a translated guest takes a processor of its own. The testbed is a machine of one
# processor with a lane of its own: beside the other suites it keeps the second one busy.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
build=$(realpath "${BUILD:-build}")
export BANGER_BUILD=$build CMOCKA_MESSAGE_OUTPUT=TAP
export TSAN_OPTIONS="halt_on_error=1 suppressions=$PWD/tests/tsan.supp"
export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=halt_on_error=1
jobs_max=${JOBS:-$(nproc)}

passed=0 failed=0 skipped=0
failures=() reasons=()
scratch=$(mktemp -d)

# -- Counting --------------------------------------------------------------------------------------------

# What the failed tests of the file $1 said, the first lines of each. It comes before their names, and those are the
# last of all: the end of a log is all that many a CI shows.
why() {
  awk '/^(not )?ok /{bad = /^not ok / && tolower($0) !~ /# ?skip/; n = 0; if (bad) print "\n  " $0}
    bad && /^#/ && n++ < 40 {print "    " $0}' "$1"
}

# Reads TAP from the file $2, adds to the counts; $1 names the source, $3 is its exit status.
count() {
  local ok bad skip plan line
  skip=$(grep -E '^(not )?ok ' "$2" | grep -ciE '# ?skip') # cmocka says `not ok N # SKIP`
  ok=$(grep -E '^ok ' "$2" | grep -cviE '# ?skip')
  bad=$(grep -E '^not ok ' "$2" | grep -cviE '# ?skip')
  plan=$(sed -nE 's/^1\.\.([0-9]+).*/\1/p' "$2" | awk "{n += \$1} END {print n + 0}")
  passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
  if [ "$bad" -gt 0 ]; then
    while read -r line; do failures+=("$1: ${line:0:160}"); done \
      < <(grep -E '^not ok ' "$2" | grep -viE '# ?skip')
    reasons+=("$1:$(why "$2")")
  elif [ "$3" -ne 0 ] || [ "$((ok + skip))" -ne "${plan:-0}" ]; then
    failed=$((failed + 1))
    failures+=("$1: ended with status $3 after $((ok + skip)) of ${plan:-no} tests")
    reasons+=("$1 printed last:"$'\n'"$(tail -n 40 "$2" | cut -c1-400 | sed 's/^/    /')")
  fi
}

# -- Running ---------------------------------------------------------------------------------------------

# One index a program. `commands` are quoted for eval; `checks`: the name of a test that the command itself is,
# by its exit status; empty: it speaks TAP.
names=() groups=() lanes=() commands=() checks=() began=()
declare -A index_of=() lane_is_busy=() group_wall=() group_cpu=()
group=

# plan NAME LANE COMMAND...: `-` is no lane.
plan() {
  names+=("$1") lanes+=("$2") groups+=("$group") checks+=("${check:-}")
  shift 2
  commands+=("$(printf '%q ' "$@")")
}

# A check with one outcome, as one test.
plan_check() {
  local check=$3
  plan "$1" "$2" "${@:4}"
}

# patient SECONDS COMMAND...: words of one that fails when it hangs, while the rest of the run goes on. Far more than
# any takes, with a sanitizer on a loaded machine too.
patient=(timeout --kill-after=10)

# Into `cpu`: the processors' time of all children that have been waited for, in milliseconds. Not as the
# output of a function: that would be a process with children of its own.
children_cpu() {
  times >"$scratch/times"
  cpu=$(awk 'NR == 2 {for (i = 1; i <= 2; i++) {split($i, part, /[ms]/); sum += part[1] * 60000 + part[2] * 1000}}
    END {printf "%d", sum}' "$scratch/times")
}

start() { # start INDEX
  local i=$1
  eval "exec ${commands[i]}" >"$scratch/$i.log" 2>&1 </dev/null &
  index_of[$!]=$i began[i]=${EPOCHREALTIME/./}
  lane_is_busy[${lanes[i]}]=yes lane_is_busy[-]=
  if [ "${#names[@]}" -eq 1 ]; then # as it goes
    echo "# ${names[i]}"
    tail -n +1 -s 0.2 -f --pid=$! "$scratch/$i.log" 2>/dev/null &
    watcher=$!
  fi
}

finish() { # finish INDEX STATUS
  local i=$1 status=$2 log=$scratch/$1.log took cpu
  took=$(((${EPOCHREALTIME/./} - began[i]) / 1000))
  children_cpu
  group_wall[${groups[i]}]=$((${group_wall[${groups[i]}]:-0} + took))
  group_cpu[${groups[i]}]=$((${group_cpu[${groups[i]}]:-0} + cpu - cpu_before))
  cpu_before=$cpu
  lane_is_busy[${lanes[i]}]=
  if [ -n "${checks[i]}" ]; then
    { [ "$status" -eq 0 ] && echo "ok 1 - ${checks[i]}" || echo "not ok 1 - ${checks[i]}"; echo "1..1"; } >>"$log"
  fi
  if [ "${#names[@]}" -eq 1 ]; then
    wait "$watcher"
  else
    echo "# ${names[i]}"
    cat "$log"
  fi
  count "${names[i]}" "$log" "$status"
  rm -f "$log"
}

may_start() { # may_start INDEX
  [ "$running" -lt "$jobs_max" ] && [ -z "${lane_is_busy[${lanes[$1]}]:-}" ]
}

# Starts what may start; says in `running` how many do.
start_some() {
  local i left=()
  for i in "${waiting[@]}"; do
    if may_start "$i"; then
      start "$i"
      running=$((running + 1))
    else
      left+=("$i")
    fi
  done
  waiting=("${left[@]}")
}

run_all() {
  local waiting=("${!names[@]}") running=0 cpu cpu_before pid status
  children_cpu
  cpu_before=$cpu
  start_some
  while [ "$running" -gt 0 ]; do
    pid=
    wait -n -p pid "${!index_of[@]}"
    status=$?
    [ -n "$pid" ] || continue
    finish "${index_of[$pid]}" "$status"
    unset "index_of[$pid]"
    running=$((running - 1))
    start_some
  done
}

# Nothing that was started outlives us: `timeout` hands a TERM on.
give_up() {
  trap - EXIT
  [ "${#index_of[@]}" -eq 0 ] || kill "${!index_of[@]}" 2>/dev/null
  wait
  rm -rf "$scratch"
  exit 130
}
trap give_up INT TERM
trap 'rm -rf "$scratch"' EXIT

# -- The groups ------------------------------------------------------------------------------------------

none_found() { # none_found WHAT: an empty group is a build that went wrong
  failed=$((failed + 1))
  failures+=("no $1 was built")
}

unit_of() { # unit_of BUILD: every unit program of a build folder; the same program of another has its lane
  local program name found=""
  for program in "$1"/tests/test_*; do
    [ -x "$program" ] && [ ! -d "$program" ] || continue
    found=yes name=$(basename "$program")
    plan "$(basename "$1")/$name" "$name" env BANGER_BUILD="$1" "${patient[@]}" 600 "$program"
  done
  [ "$found" ] || none_found "unit test in $1"
}

# From one seed: a smoke test says the same of the same code each time; longer runs are for people.
fuzz_smoke() {
  local program name found="" runs=${FUZZ_RUNS:-20000}
  for program in "$build"/fuzz/fuzz_*; do
    [ -x "$program" ] && [ ! -d "$program" ] || continue
    found=yes name=$(basename "$program")
    plan_check "$name" - "$name: $runs inputs" \
      "$program" -seed=1 -runs="$runs" -max_total_time=20 -verbosity=0 -close_fd_mask=1
  done
  [ "$found" ] || none_found "fuzz target"
}

suite() { # suite NAME LANE SECONDS BATS-ARGUMENT...
  plan "$1" "$2" "${patient[@]}" "$3" bats --tap "${@:4}"
}

# The suites that put the daemon under strain, with an instrumented daemon and real guests.
integration_of() {
  plan "integration, $(basename "$1")" guests env BANGER_BUILD="$1" ROUNDS=2 \
    "${patient[@]}" 1200 bats --tap tests/integration/{run,daemon,concurrency}.bats
}

under_tsan='every answer fits|come in the order' # of the load tests: those in which many threads meet

for group in "$@"; do
  case "$group" in
    unit) unit_of "$build" ;;
    asan) unit_of "$build/asan" ;;
    tsan) unit_of "$build/tsan" ;;
    headers) plan_check headers - "public headers stand alone, as C11 and C++17" share/build/headers.sh ;;
    arrows) plan_check arrows - "includes point down" share/build/arrows.sh ;;
    fuzz) fuzz_smoke ;;
    faults)
      suite "faults, release" - 300 tests/faults
      plan faults guests env BANGER_BUILD="$build/faults" "${patient[@]}" 3600 tests/faults/matrix.py
      ;;
    load) suite load - 1200 tests/load ;;
    load-tsan)
      plan load-tsan - env BANGER_BUILD="$build/tsan" "${patient[@]}" 1800 bats --tap -f "$under_tsan" tests/load
      ;;
    soak)
      plan_check soak - "nothing grows in ${SOAK_SECONDS:=120} s" env SOAK_SECONDS="$SOAK_SECONDS" \
        "${patient[@]}" $((SOAK_SECONDS + 900)) python3 tests/load/soak.py
      ;;
    integration) suite integration guests 2400 tests/integration ;;
    testbed) plan testbed testbed env BUILD="$build" tests/testbed/suite.sh ;;
    integration-asan) integration_of "$build/asan" ;;
    integration-tsan) integration_of "$build/tsan" ;;
    *) echo "tests/run.sh: no group '$group'" >&2; exit 2 ;;
  esac
done

run_all

printf '\n%-18s %8s %8s\n' group seconds cpu
for group in "$@"; do
  printf '%-18s %8d %8d\n' "$group" $((${group_wall[$group]:-0} / 1000)) $((${group_cpu[$group]:-0} / 1000))
done
if [ "${#failures[@]}" -gt 0 ]; then
  printf '\n%s\n' "${reasons[@]}"
  printf '\nfailed:\n'
  printf '  %s\n' "${failures[@]}"
fi
printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ]
