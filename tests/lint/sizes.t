#!/bin/bash
# SPDX-License-Identifier: MIT
# Functions have at most 70 lines (main 100), files 500. Code is wrapped at 100
# columns by .ci/format; what it leaves alone (comments, texts, tables) ends here
# at 190.
. "${top_srcdir:?}/tests/lint/lint.sh"
command -v ctags >/dev/null && ctags --version | grep -q Universal || skip_all 'ctags is missing: apt-get install universal-ctags'

lint()
{
	{
		sed 's/^/exempt /' "$1/tests/lint/exemptions"
		(cd "$1" && files . '*.c' '*.h' | xargs ctags -f - --kinds-C=f --fields=+ne --excmd=number --sort=no) |
			sed -nE 's/^([^\t]+)\t([^\t]+)\t.*\tline:([0-9]+)\t.*end:([0-9]+).*/function \1 \2 \3 \4/p'
		(cd "$1" && files . '*.c' '*.h' '*.sql' '*.sh' '*.t' '*.am' '*.awk' '*.py' | xargs wc -l) |
			sed -nE 's/^ *([0-9]+) (.*)/file \2 \1/p'
	} | awk '
	$1 == "exempt" {
		if ($2 == "sizes" || $2 == "columns")
			limit[$3] = $4
		next
	}
	$1 == "function" {
		lines = $5 - $4 + 1
		most = ($3 ":" $2) in limit ? limit[$3 ":" $2] : $2 == "main" ? 100 : 70
		if (lines > most)
			print $3 ":" $4 ": " $2 " has " lines " lines, more than " most
	}
	$1 == "file" && $2 != "total" {
		most = $2 in limit ? limit[$2] : 500
		if ($3 > most)
			print $2 ": has " $3 " lines, more than " most
	}'
	(cd "$1" && files . '*.c' '*.h' | xargs awk '
	length($0) > 100 {
		columns = 0
		for (i = 1; i <= length($0); i++)
			columns += substr($0, i, 1) == "\t" ? 8 - columns % 8 : 1
		if (columns > 190)
			print FILENAME ":" FNR ": has " columns " columns, more than 190"
	}') | while read -r place text; do
		file=${place%:}
		exempt columns "${file%:*}" >/dev/null || echo "$place $text"
	done
}

# lines N: N lines.
lines()
{
	awk -v n="$1" 'BEGIN { for (i = 0; i < n; i++) print "\tx++;" }'
}

clean 'no function, file or line is too long'

{
	printf 'static int\nlong_one(int x)\n{\n'
	lines 68
	printf '}\n'
} | plant core/base/long.c
planted 'a function of 71 lines' '^core/base/long\.c:2: long_one has 71 lines, more than 70$'
{
	printf 'int\nmain(void)\n{\n\tint x = 0;\n'
	lines 97
	printf '}\n'
} | plant tests/unit/long.c
planted 'a main of 101' '^tests/unit/long\.c:2: main has 101 lines, more than 100$'
lines 501 | plant core/base/long.h
planted 'a file of 501 lines' '^core/base/long\.h: has 501 lines, more than 500$'
printf '\t/* %s */\n' "$(printf 'x%.0s' {1..180})" | plant core/base/wide.c
planted 'a line of 194 columns' '^core/base/wide\.c:1: has 194 columns, more than 190$'
done_testing
