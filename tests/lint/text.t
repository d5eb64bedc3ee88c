#!/bin/bash
# SPDX-License-Identifier: MIT
# Every source file says its licence, has no blanks at line ends, and no promise
# of work to come; nobody waits by sleeping; nobody forgot to list a file.
. "${top_srcdir:?}/tests/lint/lint.sh"

lint()
{
	local file

	(cd "$1" && {
		files . '*.c' '*.h' '*.inc' '*.t' '*.py'
		scripts .
	} | sort -u | xargs awk '
	FNR <= 2 && /SPDX-License-Identifier: MIT/ { licence[FILENAME] = 1 }
	FNR == 3 && !(FILENAME in licence) { print FILENAME ":1: no line SPDX-License-Identifier: MIT" }')
	(cd "$1" && files . '*.c' '*.h' '*.inc' '*.def' '*.sql' '*.sh' '*.t' '*.am' '*.ac' '*.py' '*.[1-8]' | xargs awk '
	/[ \t\r]$/ { print FILENAME ":" FNR ": a blank or a carriage return at the end" }
	FILENAME !~ /\/lint\// && /(^|[^A-Za-z])(TODO|FIXME|XXX|HACK)([^A-Za-z]|$)/ { print FILENAME ":" FNR ": unfinished work" }')
	(cd "$1" && files . '*.c' '*.h' | xargs awk '
	/(^|[^A-Za-z0-9_.>*"])(sleep|usleep|nanosleep|clock_nanosleep)[ ]?\(/ { print FILENAME ":" FNR ": waits by sleeping" }') |
		but_exempt sleep
	(cd "$1" && scripts . | xargs awk '
	/(^|[;&|({]|do|then|else)[ \t]*sleep[ \t]+["$0-9.]/ { print FILENAME ":" FNR ": waits by sleeping" }') |
		but_exempt sleep
	(cd "$1" && files . '*.t' '*.py' | xargs awk '/time\.sleep/ { print FILENAME ":" FNR ": waits by sleeping" }') |
		but_exempt sleep
	# A test that no makefile fragment names is never run.
	(cd "$1" && files . '*.am' | xargs cat) >"$TEST_DIR/am"
	(cd "$1" && files . '*.t' '*.c' '*.sql' '*.h' '*.def' '*.inc') | while read -r file; do
		grep -qF "$file" "$TEST_DIR/am" || echo "$file: no .am file names it"
	done | but_exempt unlisted
}

# but_exempt LINT: without the problems of files with an exemption.
but_exempt()
{
	local place text

	while read -r place text; do
		exempt "$1" "${place%%:*}" >/dev/null || echo "$place $text"
	done
}

clean 'licences, blanks, sleeps and lists'

plant core/base/mute.c <<<$'int x;\nint y;\nint z;'
planted 'a C file without a licence' '^core/base/mute\.c:1: no line SPDX'
plant tests/system/mute <<<$'#!/bin/sh\n\n:\n:'
planted 'a script without a licence' '^tests/system/mute:1: no line SPDX'
plant core/base/blank.c <<<$'int x; \n\tint y;\t'
planted 'a blank at a line end' '^core/base/blank\.c:1: a blank'
plant core/sql/queries/dos.sql <<<$'select 1\r'
planted 'a carriage return' '^core/sql/queries/dos\.sql:1: a blank or a carriage return'
plant core/base/later.c <<<'/* TODO: later */'
planted 'unfinished work' '^core/base/later\.c:1: unfinished work$'
plant core/base/wait.c <<<$'\tusleep(1000);'
planted 'a sleep in C' '^core/base/wait\.c:1: waits by sleeping$'
plant tests/system/wait.t <<<"#!/bin/bash
until grep -q x y; do ${nothing-}sleep 0.1; done"
planted 'a pause in a test' '^tests/system/wait\.t:2: waits by sleeping$'
plant tests/system/forgotten.t <<<'#!/bin/bash'
planted 'a test that is never run' '^tests/system/forgotten\.t: no \.am file names it$'
plant core/sql/functions/99_forgotten.sql <<<'select 1'
planted 'a query that is not compiled in' '^core/sql/functions/99_forgotten\.sql: no \.am file names it$'
done_testing
