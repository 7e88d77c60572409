# SPDX-License-Identifier: LGPL-2.1-or-later
setup_suite() {
  export BANGER_HOME=$BATS_SUITE_TMPDIR/home
  local repo
  repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
  export BANGER_BUILD=${BANGER_BUILD:-$repo/build}
  mkdir -p "$BANGER_HOME"
  source "$repo/tests/integration/config.bash"
  echo "return { $common_config }" >"$BANGER_HOME/config.lua"
  "$BANGER_BUILD/bin/banger" kernel import --deb linux-image-cloud-amd64 --name linux-image-cloud-amd64
  "$BANGER_BUILD/bin/banger" image build tiny
}

# A test that configures the suite's home puts back what was there: the next ones boot guests by it.
# A daemon that was built with sanitizers says what it found in its log, leaks when it ends.
teardown_suite() {
  "$BANGER_BUILD/bin/banger" daemon stop
  source "$(dirname "${BASH_SOURCE[0]}")/config.bash"
  if grep -vxF -e "return { $common_config }" -e "return { $common_config,  }" "$BANGER_HOME/config.lua"; then
    echo "a test has left this configuration in the suite's home" >&2
    return 1
  fi
  if grep -E 'Sanitizer|runtime error:' -A 25 "$BANGER_HOME/state/bangerd.log"; then
    echo "the daemon's log has a sanitizer's report" >&2
    return 1
  fi
}
