# SPDX-License-Identifier: LGPL-2.1-or-later
# Runs inside the machine. suite.sh has made the home outside. It is copied into memory, since 9p does not tell
# of holes in files, and put in its old place, since the store has whole paths.
setup_suite() {
  if ! grep -q '^root / overlay' /proc/mounts || [ "$(hostname)" != testbed ]; then
    echo "these tests change the machine they run on: tests/run.sh testbed" >&2
    return 1
  fi
  local repo
  repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
  BANGER_BUILD=${BANGER_BUILD:-$(cd "$repo" && realpath "${BUILD:-build}")}
  export BANGER_BUILD
  export BANGER_HOME=$BANGER_BUILD/testbed/home
  mkdir "$BATS_SUITE_TMPDIR/home"
  cp -a --sparse=always "$BANGER_HOME/state" "$BATS_SUITE_TMPDIR/home"
  mount --bind "$BATS_SUITE_TMPDIR/home" "$BANGER_HOME"
  source "$repo/tests/integration/config.bash"
  echo "return { $common_config }" >"$BANGER_HOME/config.lua"
}

teardown_suite() {
  "$BANGER_BUILD/bin/banger" daemon stop
}
