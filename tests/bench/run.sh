#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# make bench: the figures of the design's budgets, as a table on stderr and JSON on stdout.
set -eu
cd "$(dirname "$0")/../.."
exec python3 tests/bench/bench.py --build "$(realpath "${BUILD:-build}")" "$@"
