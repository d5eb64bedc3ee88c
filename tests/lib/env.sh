# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What every test in shell begins with:
#
#	#!/bin/bash
#	. "${top_srcdir:?}/tests/lib/env.sh"
#
# make sets top_srcdir and top_builddir. By hand:
#	make -C build tests/installed.stamp
#	top_srcdir=$PWD top_builddir=$PWD/build tests/system/x.t
#
# Sourcing it changes into a temporary folder of the test's own and brings
# tap.sh. The tree under test is not the build folder but an installed copy in a
# world-readable place, so that a test run by root may run it as an ordinary
# account too, whatever the modes above the checkout are. Exported:
#
#	PULP_TEST_PREFIX  the installed tree: bin sbin libexec lib include share;
#	                  bin and sbin are at the front of PATH
#	PULP_TEST_USER    the account that run_as_user takes: root has one that may
#	                  do nothing (nobody), anybody else is it himself
#	TEST_DIR          the test's folder, short enough for sockets, anyone may
#	                  enter it; it is the current folder, and goes at the end
#	TEST_USER_DIR     a folder in it that belongs to PULP_TEST_USER (0700)
#	PULP_PLUGIN_PATH  the installed plugins
#	PULP_LIBEXEC_DIR  where the installed pulp-zygote is
#	PULP_STATE_DIRECTORY, PULP_WORKING_DIRECTORY, HOME, XDG_*  below TEST_DIR
#
# PULP_CONFIG names an empty file and no database is set: see pg.sh.
#
# At the end, also after a signal, all that at_exit and start noted is undone in
# the opposite order, and only then the folder is removed.

set -u
umask 022
unset MAKEFLAGS MFLAGS MAKELEVEL # a make that a test runs is its own
: "${top_srcdir:?is set by make}" "${top_builddir:?is set by make}"

# shellcheck source=tests/lib/tap.sh
. "$top_srcdir/tests/lib/tap.sh"

# at_exit 'COMMAND': COMMAND (one string of shell, evaluated in a function: "$1"
# is not the script's) runs when the test ends. The last one noted runs first.
at_exit()
{
	test_exits=("$1" "${test_exits[@]}")
}
test_exits=()

# Runs what at_exit noted, then removes the folder. Keeps the exit status.
test_end()
{
	local status=$? command

	set +u # a mistake in one command must not keep the others from running
	trap '' HUP INT TERM
	trap - EXIT
	for command in "${test_exits[@]}"; do
		eval "$command" || :
	done
	cd / || :
	if [ -n "${PULP_TEST_KEEP:-}" ]; then
		echo "# kept: $TEST_DIR"
	else
		chmod -R u+rwX "$TEST_DIR" 2>/dev/null || :
		rm -rf "$TEST_DIR"
	fi
	exit "$status"
}

# wait_for 'COMMAND' [SECONDS]: waits until COMMAND (one string of shell)
# succeeds, at most SECONDS (default 10). Returns 1 when the time is over. This
# is the only place in the tests that looks again after a pause.
wait_for()
{
	local deadline=$((${EPOCHREALTIME/[.,]/} + ${2:-10} * 1000000))

	until eval "$1" >/dev/null 2>&1; do
		[ "${EPOCHREALTIME/[.,]/}" -lt "$deadline" ] || return 1
		sleep 0.02
	done
}

# alive PID: is there such a process, and is it more than a zombie?
alive()
{
	local state

	state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null)
	[ -n "$state" ] && [ "$state" != Z ] && [ "$state" != X ]
}

# start NAME COMMAND [ARG...]: runs COMMAND (not a shell function) in the
# background, with all signals at their defaults and its output in
# $TEST_DIR/NAME.out and .err; $started is its pid. Ended at the end of the test,
# if not before by stop.
start()
{
	local name=$1

	shift
	env --default-signal "$@" </dev/null >"$TEST_DIR/$name.out" 2>"$TEST_DIR/$name.err" &
	test_started "$!"
}

# start_as_user NAME COMMAND [ARG...]: the same as PULP_TEST_USER.
start_as_user()
{
	local name=$1

	shift
	(run_as_user_exec env --default-signal "$@") </dev/null >"$TEST_DIR/$name.out" 2>"$TEST_DIR/$name.err" &
	test_started "$!"
}

test_started()
{
	started=$1
	test_running[started]=1
	at_exit "stop $started TERM 5 || stop $started KILL 5"
}
test_running=()

# stop PID [SIGNAL [SECONDS]]: signals a process that start has started (default
# TERM) and waits for its end, at most SECONDS (default 10): 1 if it is still
# there then. $stopped is its exit status (128 + signal, if one ended it). All is
# well if it has ended already.
stop()
{
	[ -n "${test_running[$1]:-}" ] || return 0
	{
		kill "-${2:-TERM}" "$1" || :
		wait_for "! alive $1" "${3:-10}" || return 1
		wait "$1"
		# shellcheck disable=SC2034 # for the caller
		stopped=$?
	} 2>/dev/null # the shell's own remark that somebody was killed
	unset "test_running[$1]"
	return 0
}

# run_as_user COMMAND [ARG...]: as PULP_TEST_USER, with HOME and TMPDIR in
# TEST_USER_DIR; waits and gives its exit status. Not for shell functions.
run_as_user()
{
	(run_as_user_exec "$@")
}

# The same, in place of the current (sub)shell.
run_as_user_exec()
{
	cd "$TEST_USER_DIR" || exit 1
	export HOME=$TEST_USER_DIR TMPDIR=$TEST_USER_DIR USER=$PULP_TEST_USER LOGNAME=$PULP_TEST_USER
	export XDG_RUNTIME_DIR=$TEST_USER_DIR XDG_STATE_HOME=$TEST_USER_DIR/state
	export PULP_STATE_DIRECTORY=$TEST_USER_DIR/state PULP_WORKING_DIRECTORY=$TEST_USER_DIR/tmp
	if [ "$(id -u)" = 0 ]; then
		exec setpriv --reuid="$PULP_TEST_USER" --regid="$(id -g "$PULP_TEST_USER")" --clear-groups \
			--inh-caps=-all "$@"
	fi
	exec "$@"
}

# processes_of PATTERN: the pids whose environment has an entry that begins with
# PATTERN (PULP_TASK_ID=...): what a task has left behind.
processes_of()
{
	local environ

	for environ in /proc/[0-9]*/environ; do
		if tr '\0' '\n' 2>/dev/null <"$environ" | grep -q "^$1"; then
			basename "$(dirname "$environ")"
		fi
	done
}

if [ "$(id -u)" = 0 ]; then
	PULP_TEST_USER=${PULP_TEST_USER:-nobody}
else
	PULP_TEST_USER=$(id -un)
fi
if [ -z "${PULP_TEST_PREFIX:-}" ]; then
	PULP_TEST_PREFIX=$(cat "$top_builddir/tests/installed.stamp" 2>/dev/null) && [ -d "$PULP_TEST_PREFIX" ] ||
		bail "no installed tree: make tests/installed.stamp"
fi

TEST_DIR=$(mktemp -d /tmp/pulp.XXXXXX) || bail "mktemp failed"
trap test_end EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
chmod 711 "$TEST_DIR"
TEST_USER_DIR=$TEST_DIR/user
mkdir -m 700 "$TEST_USER_DIR" "$TEST_DIR/home"
[ "$(id -u)" != 0 ] || chown "$PULP_TEST_USER:" "$TEST_USER_DIR"
cd "$TEST_DIR" || exit 1

for test_name in $(compgen -e | grep -E '^(PULP_|PG[A-Z]+$|NOTIFY_SOCKET$|WATCHDOG_)'); do
	case $test_name in
	PULP_TEST_* | PULP_BENCH_* | PULP_PG_BINDIR) ;;
	*) unset "$test_name" ;;
	esac
done
: >"$TEST_DIR/pulp-worker.conf"
export PULP_TEST_PREFIX PULP_TEST_USER TEST_DIR TEST_USER_DIR
export PATH=$PULP_TEST_PREFIX/bin:$PULP_TEST_PREFIX/sbin:$PATH
export LD_LIBRARY_PATH=$PULP_TEST_PREFIX/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export PULP_PLUGIN_PATH=$PULP_TEST_PREFIX/lib/pulp/plugins
export PULP_LIBEXEC_DIR=$PULP_TEST_PREFIX/libexec/pulp-worker
export PULP_CONFIG=$TEST_DIR/pulp-worker.conf
export PULP_STATE_DIRECTORY=$TEST_DIR/state PULP_WORKING_DIRECTORY=$TEST_DIR/tmp
export HOME=$TEST_DIR/home XDG_STATE_HOME=$TEST_DIR/state XDG_RUNTIME_DIR=$TEST_DIR/home
export LC_ALL=C.UTF-8 TZ=UTC NO_COLOR=1 SHELL=/bin/sh
