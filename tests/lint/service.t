#!/bin/bash
# SPDX-License-Identifier: MIT
# systemd knows every line of the unit, and the installed one names what is
# installed.
. "${top_srcdir:?}/tests/lint/lint.sh"
unit=$(find "$PULP_TEST_PREFIX/lib/systemd" -name pulp-worker.service)
is "$(grep -c @ "$unit")" 0 'every place in the unit is filled in'
prefix=$(sed -n 's|^ExecStart=\(.*\)/sbin/pulp-worker$|\1|p' "$unit")
like "$PULP_TEST_PREFIX" "$prefix\$" 'it starts the installed program'
command -v systemd-analyze >/dev/null || {
	skip 'systemd-analyze is missing: apt-get install systemd' 'systemd knows every line'
	done_testing
}

lint()
{
	mkdir -p "$TEST_DIR/unit"
	sed "s|=$prefix/sbin/pulp-worker|=/bin/true|" "$1" >"$TEST_DIR/unit/pulp-worker.service"
	SYSTEMD_LOG_LEVEL=warning systemd-analyze verify --man=no "$TEST_DIR/unit/pulp-worker.service" 2>&1 |
		grep -F pulp-worker.service
}

is "$(lint "$unit")" '' 'systemd knows every line'
sed 's/^WatchdogSec=.*/WatchdogSeconds=30/' "$unit" >"$TEST_DIR/bad.service"
like "$(lint "$TEST_DIR/bad.service")" "Unknown key.*'WatchdogSeconds'" 'it is caught: a line that systemd does not know'
sed 's/^Type=.*/Type=whatever/' "$unit" >"$TEST_DIR/bad.service"
like "$(lint "$TEST_DIR/bad.service")" "whatever" 'it is caught: a value that it does not know'
done_testing
