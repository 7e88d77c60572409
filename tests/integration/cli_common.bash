# SPDX-License-Identifier: LGPL-2.1-or-later
# The command line by itself: a copy of banger beside a bangerd that answers from a table, in a home
# of the test's own. No guest is started.
load common

cli_setup() {
  local tree=$BATS_TEST_TMPDIR/tree
  mkdir -p "$tree/bin" "$tree/plugins"
  cp "$BANGER_BUILD/bin/banger" "$tree/bin/banger"
  cp "$BATS_TEST_DIRNAME/../fixtures/fake_bangerd.py" "$tree/bin/bangerd"
  printf '#!/bin/sh\n' >"$tree/bin/banger-agent"
  chmod +x "$tree/bin/bangerd" "$tree/bin/banger-agent"
  PATH="$tree/bin:$PATH"
  BANGER_HOME=$BATS_TEST_TMPDIR/home
  mkdir -p "$BANGER_HOME"
}

cli_teardown() {
  banger daemon stop --quiet
}

# The requests that the daemon got; none: an empty line.
requests() {
  cat "$BANGER_HOME/requests" 2>/dev/null || true
}
