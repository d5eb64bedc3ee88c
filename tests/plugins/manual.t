#!/bin/bash
# SPDX-License-Identifier: MIT
# The tutorial of pulp-plugin(7) compiles, checks and runs as it is printed.
. "${top_srcdir:?}/tests/lib/env.sh"
. "$top_srcdir/tests/plugins/toolchain.sh"
page=$top_srcdir/man/pulp-plugin.7

# display LINE: the literal display that follows a line of the page, as a reader sees it.
display()
{
	from=$1 awk '
	$0 == ENVIRON["from"] { found = 1 }
	found && /^\.Ed/ { exit }
	inside { print }
	found && /^\.Bd/ { inside = 1 }' "$page" | sed -e 's/\\(aq/'\''/g' -e 's/\\(ga/`/g' -e 's/\\(ha/^/g' -e 's/\\(ti/~/g' \
		-e 's/\\-/-/g' -e 's/^\\&//' -e 's/\\e/\\/g'
}

display '.\" example.c begins' >example.c
[ "$(wc -l <example.c)" -gt 100 ]
ok $? "the page shows a source"
diff "$top_srcdir/plugins/example/example.c" example.c >differences
ok $? "which is that of the plugin that ships" || diag "$(head -n 5 differences)"
if command -v mandoc >/dev/null; then
	mandoc -T utf8 -O width=100 "$page" 2>/dev/null | sed 's/.\x08//g' |
		sed -n '/^     .. SPDX-License/,/^     It is built/p' | sed -e '$d' -e 's/^     //' | sed -e '${/^$/d}' >printed.c
	expand example.c | diff - printed.c >differences
	ok $? "and is printed so" || diag "$(head -n 5 differences)"
fi

# The example of resources.
display '.\" notes.c begins' >notes.c
for cc in "${c_compilers[@]}"; do
	compile notes.so notes.c -Wall -Wextra -Werror
	ok $? "the example of resources compiles with $cc" || diag "$(head -n 5 compile.log)"
done
uuid=01930000-0000-7000-8000-00000000000a
is "$("$load" ./notes.so)" "write: ok"$'\n'"notes.note: ok" "it has a task and a resource"
is "$("$load" ./notes.so notes.note $uuid)" 'result "complete"' "what is not there is complete"
touch $uuid $uuid.half
is "$("$load" ./notes.so notes.note $uuid)" 'result "deleted"' "a half is deleted"
[ -e $uuid ] && [ ! -e $uuid.half ]
ok $? "really, and nothing else"
mkdir $uuid.half
like "$("$load" ./notes.so notes.note $uuid)" '^fail .*half: ' "what cannot be deleted is told"

# The table of errors names what the programs say: each of these is in a message of core/plugin, and on the page.
messages=('not a regular file' 'not ELF' 'cut short' 'bad program headers' '-bit' '-endian' 'wrong machine' 'not a shared object'
	'a program' 'forbids dlopen' 'no pulp notes: is this a plugin?' 'note sizes lie' 'note text has no end' 'notes too big'
	'PULP_PLUGIN notes' 'needs ABI' 'bad ABI' 'bad module name' 'bad label' 'bad task name' 'bad resource type' 'is not PEP 440' 'no doc'
	'doc is empty' 'doc has a control character' 'doc is not UTF-8' 'defined twice' 'unknown option' 'is already that of'
	'not owned by root' 'anybody may write it' 'file changed since it was read' 'no symbol' 'belongs to'
	'is not a task descriptor' 'descriptor too small' 'no function' 'descriptor and note disagree')
sed -n '/^\.Sh FILES THAT ARE REFUSED/,$p' "$page" >table
missing=
for message in "${messages[@]}"; do
	grep -qF -e "$message" table && cat "$top_srcdir"/core/plugin/*.c "$top_srcdir/core/base/pep440.c" | grep -qF -e "$message" ||
		missing="$missing '$message'"
done
is "$missing" "" "every message about a bad file is in the table, as it is said"

# The commands under it, as printed, up to the ones that need a worker.
display 'It is built, looked at, checked, installed and taken up by the worker so:' >commands
sed '/^sudo/,$d' commands >build
is "$(grep -c . build)" 4 "the page shows the commands"
export PKG_CONFIG_PATH=$PULP_TEST_PREFIX/lib/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
mkdir -p shims
printf '#!/bin/sh\nexec %s --define-prefix "$@"\n' "$(command -v pkg-config)" >shims/pkg-config
chmod +x shims/pkg-config
run env PATH="$PWD/shims:$PATH" sh -e build
is "$status" 0 "they work" || diag "$err"
is "$err" "" "without a warning"
like "$out" 'module: +example' "inspect shows the plugin"
like "$out" 'nothing wrong with example 1\.0\.0 \(4 tasks\)' "check is content"

# A task that fails leaves its memory to the end of its process.
task()
{
	ASAN_OPTIONS=detect_leaks=0 "$load" ./example.so "$@"
}
is "$(task greet '{"name": "Ada"}')" 'result "Hello, Ada!"' "greet"
is "$(task greet '{}')" 'result "Hello, world!"' "greet nobody"
is "$(task greet '{"name": 1}')" 'fail name must be a string' "greet a number"
mkdir -p some/where && printf 12345 >some/where/a && printf 67 >some/b
is "$(task files.count '{"path": "some"}')" 'result {"files": 2, "bytes": 7}' "files.count"
is "$(task files.count '{"path": "/nonexistent"}')" 'fail /nonexistent: No such file or directory' "files.count of nothing"
is "$(task files.count '{}')" 'fail path is missing' "files.count without a path"
is "$(task countdown '{"from": 2}' | tail -n 2 | tr '\n' ' ')" "progress countdown 'Counting' completed 2/2 result \"lift-off\" " "countdown"
is "$(task countdown '{"from": 90}' 1 | tail -n 2 | tr '\n' ' ')" 'log 2 89 to go fail stopped ' "countdown, stopped"
is "$(task countdown '{"from": -1}')" 'fail from must be a number from 0 on' "countdown from below"
is "$(task greet.all '{"names": ["Ada", "Bo"]}' | head -n 2 | tail -n 1)" \
	'request dispatch {"func": "example.greet", "kwargs": {"name": "Bo"}}' "greet.all dispatches children"
is "$(REFUSE=1 task greet.all '{"names": ["Ada"]}' | tail -n 1)" 'fail task 0: refused' "and fails when it may not"
done_testing
