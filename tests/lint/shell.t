#!/bin/bash
# SPDX-License-Identifier: MIT
# The shell scripts give shellcheck nothing to warn of.
. "${top_srcdir:?}/tests/lint/lint.sh"
command -v shellcheck >/dev/null || skip_all 'shellcheck is missing: apt-get install shellcheck'

lint()
{
	(cd "$1" && scripts . | xargs shellcheck -f gcc -S warning -x -P SCRIPTDIR -P .)
}

clean 'no warnings of shellcheck'
bare_copy
plant tests/system/quotes.t <<<$'#!/bin/bash\nunused=1\nrm -rf $1/x'
planted 'what shellcheck warns of' '^tests/system/quotes\.t:2:1: warning: unused appears unused'
plant bootstrap <<<$'#!/bin/sh\nif ['
planted 'a script that is no shell' '^bootstrap:2:.* error'
done_testing
