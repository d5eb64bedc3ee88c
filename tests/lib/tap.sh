# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# The Test Anything Protocol for tests in shell; env.sh brings it. A test makes
# its checks and ends with done_testing; one that ends without it counts as an
# error, and so does one that ran no check at all.

tap_count=0
tap_failed=0

# ok STATUS 'what it shows': good if STATUS is 0. The usual ways to call it:
#	[ -f x ]; ok $? 'x is there'
#	ok "$(grep -q y x; echo $?)" 'y is in x'
ok()
{
	tap_count=$((tap_count + 1))
	if [ "$1" = 0 ]; then
		printf 'ok %d - %s\n' "$tap_count" "$2"
		return 0
	fi
	tap_failed=$((tap_failed + 1))
	printf 'not ok %d - %s\n' "$tap_count" "$2"
	diag "at ${BASH_SOURCE[-1]} line ${BASH_LINENO[-2]}"
	return 1
}

# is GOT WANTED 'what it shows': good if the two texts are the same.
is()
{
	[ "$1" = "$2" ]
	ok $? "$3" || {
		diag "got:  $1" "want: $2"
		return 1
	}
}

# isnt GOT UNWANTED 'what it shows'
isnt()
{
	[ "$1" != "$2" ]
	ok $? "$3" || {
		diag "got:  $1"
		return 1
	}
}

# like GOT REGEX 'what it shows': good if the extended regular expression (bash's
# =~) is found in the text.
like()
{
	[[ "$1" =~ $2 ]]
	ok $? "$3" || {
		diag "got:  $1" "want: a match of $2"
		return 1
	}
}

# unlike GOT REGEX 'what it shows'
unlike()
{
	[[ ! "$1" =~ $2 ]]
	ok $? "$3" || {
		diag "got:  $1" "want: no match of $2"
		return 1
	}
}

# run COMMAND [ARG...]: runs it (at most RUN_DEADLINE seconds, default 60) and
# keeps its exit status in $status, its output in $out and $err.
run()
{
	local out_file err_file

	out_file=$(mktemp "${TEST_DIR:-/tmp}/run.XXXXXX") && err_file=$(mktemp "${TEST_DIR:-/tmp}/run.XXXXXX") ||
		bail "mktemp failed"
	if [ "$(type -t "$1")" = file ]; then
		timeout -k 5 "${RUN_DEADLINE:-60}" "$@" </dev/null >"$out_file" 2>"$err_file"
	else
		"$@" </dev/null >"$out_file" 2>"$err_file"
	fi
	status=$?
	out=$(<"$out_file")
	err=$(<"$err_file")
	rm -f "$out_file" "$err_file"
	return 0
}
status=0 out='' err=''

# run_ok 'what it shows' COMMAND [ARG...]: run, good if it exits 0.
run_ok()
{
	local what=$1

	shift
	run "$@"
	ok "$status" "$what" || {
		diag "exit status $status" "$out" "$err"
		return 1
	}
}

# exits STATUS 'what it shows' COMMAND [ARG...]: run, good if it exits with STATUS.
exits()
{
	local wanted=$1 what=$2

	shift 2
	run "$@"
	is "$status" "$wanted" "$what" || {
		diag "$out" "$err"
		return 1
	}
}

# skip 'why' 'what it would show'
skip()
{
	tap_count=$((tap_count + 1))
	printf 'ok %d - %s # SKIP %s\n' "$tap_count" "$2" "$1"
}

# skip_all 'why': ends the test, all of it skipped.
skip_all()
{
	printf '1..0 # SKIP %s\n' "$1"
	exit 0
}

# bail 'why': ends the test as an error: it could not be carried out.
bail()
{
	printf 'Bail out! %s\n' "$1"
	exit 99
}

# diag TEXT...: a remark in the log.
diag()
{
	printf '%s\n' "$@" | sed 's/^/# /'
}

# Ends the test.
done_testing()
{
	printf '1..%d\n' "$tap_count"
	[ "$tap_count" -gt 0 ] && [ "$tap_failed" = 0 ]
	exit $?
}
