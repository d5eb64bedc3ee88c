#!/bin/bash
# SPDX-License-Identifier: MIT
# The program pulp-plugin: every verb, its refusals and its exit statuses.
. "${top_srcdir:?}/tests/lib/env.sh"
. "$top_srcdir/tests/plugins/toolchain.sh"

# build FILE MODULE LABEL VERSION [CODE]: a plugin with one task.
build()
{
	printf '#include <pulp/plugin.h>\nPULP_PLUGIN("%s", "%s", "%s", "Made for a test");\nPULP_TASK(t, "T") { return pulp_done(ctx); }\n%s\n' \
		"$2" "$3" "$4" "${5:-}" >built.c
	must_compile "$1" built.c
}

json()
{
	python3 -c 'import json, sys; d = json.load(sys.stdin); print(eval(sys.argv[1]))' "$1"
}

mkdir a b c
export PULP_PLUGIN_PATH=$PWD/a:$PWD/b
build one.so one c_one 1.0

# --- what all programs do alike
run_ok "--help" pulp-plugin --help
like "$out" '^Usage: pulp-plugin VERB' "goes to standard output"
is "$err" "" "alone"
run_ok "--help of a verb" pulp-plugin install --help
like "$out" '--force' "shows its options"
run_ok "--version" pulp-plugin --version
like "$out" '^pulp-plugin [0-9.]+'$'\n''jansson [0-9.]+, libsmartcols [0-9.]+$' "names the libraries"
exits 64 "no verb" pulp-plugin
exits 64 "an unknown verb" pulp-plugin instal
like "$err" "unknown verb 'instal': did you mean 'install'\?" "gets the closest one"
exits 64 "an unknown option" pulp-plugin install --forse one.so
like "$err" "unknown option --forse: did you mean --force\?" "gets the closest one"
like "$err" "Try 'pulp-plugin install --help'" "and where help is"
exits 64 "an unknown letter" pulp-plugin install -x one.so
like "$err" "unknown option -x" "is named"
exits 64 "a missing value" pulp-plugin install one.so --into
like "$err" "--into needs a value: DIR" "is named"
exits 64 "a value for a flag" pulp-plugin install --force=yes one.so
like "$err" "--force takes no value" "is named"
exits 64 "a missing argument" pulp-plugin inspect
like "$err" "arguments are missing: FILE" "is named"
exits 64 "an argument too many" pulp-plugin inspect one.so two.so
like "$err" "one argument too many: 'two.so'" "is named"
exits 64 "a bad colour" pulp-plugin --color=mauve list
exits 64 "a bad time" pulp-plugin check --timeout soon one.so
like "$err" "'soon' is not a duration" "is named"
exits 64 "the hidden verb" pulp-plugin trial one.so
run_ok "options after the argument" pulp-plugin inspect one.so --json
run_ok "-- ends the options" pulp-plugin inspect -- one.so
pulp-plugin inspect one.so >/dev/full 2>log
is "$?" 74 "a full disk is told"

# --- inspect and check
run_ok "inspect" pulp-plugin inspect one.so
like "$out" 'module: +one.*one\.t' "shows module and task"
is "$(pulp-plugin inspect --json one.so | json 'd["module"], d["label"], d["version"], d["abi"], d["tasks"][0]["name"], d["tasks"][0]["timeout"]')" \
	"('one', 'c_one', '1.0', '1.1', 'one.t', None)" "inspect --json"
build made.so made c_made 1.0 'PULP_RESOURCE(made__thing, "A thing that is made" PULP_TIMEOUT(5s)) { return pulp_complete(ctx); }'
run_ok "inspect of one with a resource" pulp-plugin inspect made.so
like "$out" 'resources: 1.*RESOURCE.*made\.thing\s+5\.0 s\s+A thing that is made' "shows it"
is "$(pulp-plugin inspect --json made.so | json 'd["resources"], len(d["tasks"])')" \
	"([{'type': 'made.thing', 'symbol': 'pulp_resource_made__thing', 'doc': 'A thing that is made', 'timeout': 5.0, 'memory': None}], 1)" "with --json too"
run_ok "check of it" pulp-plugin check made.so
build stray.so stray c_stray 1.0 '__attribute__((visibility("default"))) const int pulp_resource_stray__thing = 1;'
exits 65 "check: a symbol of a resource without its note" pulp-plugin check stray.so
like "$err" 'symbol pulp_resource_stray__thing has no note: .*PULP_RESOURCE' "is named"
build lost.so lost c_lost 1.0 'PULP__NOTE(n, 3, PULP__ABI "lost__thing" "\0" "Lost");'
exits 65 "check: a note of a resource without its symbol" pulp-plugin check lost.so
like "$err" 'no symbol pulp_resource_lost__thing' "is named"
build late.so late c_late 1.0 'PULP_RESOURCE(late, "No app label") { return pulp_complete(ctx); }'
exits 65 "check: a resource without an app label" pulp-plugin check late.so
like "$err" "bad resource type 'late'" "is named"
exits 66 "inspect: no such file" pulp-plugin inspect nothing.so
exits 65 "inspect: not a plugin" pulp-plugin inspect built.c
like "$err" 'built.c: not ELF' "says why"
mkfifo fifo.so
exits 65 "inspect: a fifo" timeout 10 pulp-plugin inspect fifo.so
exits 66 "check: no such file" pulp-plugin check nothing.so
exits 65 "check: not a plugin" pulp-plugin check built.c
run_ok "check" pulp-plugin check one.so
is "$out" "one.so: nothing wrong with one 1.0 (1 task)" "a good one"
build crash.so crash c_crash 1.0 '__attribute__((constructor)) static void c(void) { __builtin_trap(); }'
is "$(pulp-plugin check --json crash.so | json 'd["ok"], d["module"], len(d["problems"])')" "(False, 'crash', 1)" "check --json of a bad one"
is "$(pulp-plugin check --json one.so | json 'd["ok"], d["version"], d["problems"], d["output"]')" "(True, '1.0', [], '')" "and of a good one"
build env.so env c_env 1.0 '#include <stdlib.h>
__attribute__((constructor)) static void c(void) { if (getenv("PGPASSWORD") || getenv("PULP_DATABASE") || !getenv("HOME")) abort(); }'
run_ok "the child that loads it sees no secrets" env PGPASSWORD=x PULP_DATABASE=x pulp-plugin check env.so

# --- new
run_ok "new" pulp-plugin new fresh
is "$(ls fresh | tr '\n' ' ')" "Makefile README.md fresh.c " "writes three files"
mkdir -p shims
printf '#!/bin/sh\nexec %s --define-prefix "$@"\n' "$(command -v pkg-config)" >shims/pkg-config
chmod +x shims/pkg-config
run_ok "which build and check as they are" env PATH="$PWD/shims:$PATH" PKG_CONFIG_PATH="$PULP_TEST_PREFIX/lib/pkgconfig" make -C fresh check
unlike "$err" 'warning' "without a warning"
is "$("$load" fresh/fresh.so hello '{}' | tail -n 1)" 'result "hello"' "and run"
is "$("$load" fresh/fresh.so slow.count '{}' 3 | tail -n 1)" 'fail stopped at 4' "and stop"
run_ok "and install" env PATH="$PWD/shims:$PATH" PKG_CONFIG_PATH="$PULP_TEST_PREFIX/lib/pkgconfig" make -C fresh install
[ -f a/fresh.so ]
ok $? "into the first directory of the path"
rm a/fresh.so
exits 73 "new: there is one already" pulp-plugin new fresh
exits 64 "new: not a name" pulp-plugin new not-a-name
exits 64 "new: a path" pulp-plugin new ../x
exits 64 "new: Python's" pulp-plugin new pulp_x
like "$err" "pulpcore and pulp_\* belong to Python's Pulp" "says why"
is "$(pulp-plugin new --json other | json 'd["folder"], d["files"]')" "('other', ['other.c', 'Makefile', 'README.md'])" "new --json"
like "$(PKG_CONFIG_PATH=$top_builddir/include pkg-config --cflags --variable=plugin_abi pulp-plugin 2>&1)$(
	PKG_CONFIG_PATH=$top_builddir/include pkg-config --variable=plugin_abi pulp-plugin)" '1\.1' "pkg-config works without installation too"

# --- install
umask 077
run_ok "install" pulp-plugin install one.so
umask 022
like "$out" "installed one 1\.0 as .*/a/one\.so" "says what it did"
like "$out" "kill -HUP" "and what to do next"
is "$(stat -c %a a/one.so)" 644 "mode 0644 whatever the umask"
cmp -s one.so a/one.so
ok $? "the same bytes"
run_ok "the same version again" pulp-plugin install one.so
like "$out" 'in place of 1\.0' "says so"
build one.so one c_one 1.0.post1
is "$(pulp-plugin install --json one.so | json 'd["version"], d["replaced"]')" "('1.0.post1', '1.0')" "a newer version, --json"
build one.so one c_one 1.0rc1
exits 73 "an older version" pulp-plugin install one.so
like "$err" 'a/one\.so is newer, one 1\.0\.post1, than this one, 1\.0rc1: --force' "says how"
run_ok "is installed by --force" pulp-plugin install --force one.so
cp one.so renamed.so
exits 73 "the same module in another file" pulp-plugin install renamed.so
like "$err" 'module one is already that of .*/a/one\.so' "says which"
exits 73 "even with --force" pulp-plugin install --force renamed.so
exits 73 "and in another directory" pulp-plugin install --into b renamed.so
build label.so label c_one 1.0
exits 73 "the same label" pulp-plugin install label.so
like "$err" 'label c_one is already that of .*/a/one\.so' "says which"
mkdir other_dir && build other_dir/one.so different c_different 9.0
exits 73 "another plugin's file" pulp-plugin install other_dir/one.so
like "$err" 'a/one\.so is another plugin, one 1\.0rc1' "says which"
run_ok "is replaced by --force" pulp-plugin install --force other_dir/one.so
run_ok "and back" pulp-plugin install --force one.so
exits 65 "a bad plugin" pulp-plugin install crash.so
like "$err" 'crash\.so: it crashes while it is loaded' "is told under its own name"
like "$err" 'crash\.so: not installed' "and not installed"
echo broken >a/crash2.so
cp one.so c/crash2.so && build c/crash2.so crash2 c_crash2 1.0
run_ok "a broken file is replaced" pulp-plugin install c/crash2.so
rm a/crash2.so
exits 64 "a name that is none" pulp-plugin install built.c
exits 64 "a hidden name" pulp-plugin install .hidden.so
exits 66 "no such file" pulp-plugin install nothing.so
exits 65 "a fifo" timeout 10 pulp-plugin install fifo.so
exits 66 "no such directory" pulp-plugin install --into nowhere one.so
build two.so two c_two 2.0
run_ok "into a directory that is not in the path" pulp-plugin install --into c two.so
like "$err" 'c is not in the plugin path' "is told"
run_ok "by an option" pulp-plugin install --plugin-path "$PWD/c" two.so
printf 'plugin_path = %s\n' "$PWD/c" >x.conf
run_ok "by the configuration file" env -u PULP_PLUGIN_PATH pulp-plugin list --config x.conf
like "$out" 'two' "list finds it"
is "$(find a b c -name '.*' -type f | wc -l)" 0 "no temporary file is left"

# --- a running worker's plugin
build long.so long c_long 1.0 '#include <stdio.h>
PULP_TASK(wait, "Reads until its input ends") { pulp_log(ctx, PULP_INFO, "mapped"); while (getchar() != EOF) ; return pulp_result(ctx, "\"whole\""); }'
pulp-plugin install long.so >/dev/null || bail "install"
mkfifo input
"$load" a/long.so wait '{}' <input >mapped.out &
mapped=$!
exec 7>input
wait_for 'grep -q long.so /proc/$mapped/maps'
inode=$(stat -c %i a/long.so)
build long.so long c_long 2.0
run_ok "a plugin that is mapped is replaced" pulp-plugin install long.so
isnt "$(stat -c %i a/long.so)" "$inode" "by another file"
exec 7>&-
wait "$mapped"
is "$(tail -n 1 mapped.out)" 'result "whole"' "and the process that has the old one goes on"
rm a/long.so

# --- interrupted
build hang.so hang c_hang 1.0 '#include <unistd.h>
__attribute__((constructor)) static void c(void) { pause(); }'
start install pulp-plugin install --timeout 60s hang.so
wait_for 'ls a/.hang.so.* && [ -n "$(cat "/proc/$started/task/$started/children")" ]'
child=$(tr -d ' ' <"/proc/$started/task/$started/children")
stop "$started" TERM
is "$stopped" 143 "an install that is interrupted ends"
is "$(find a -name '.*' -type f | wc -l)" 0 "and leaves no file"
wait_for "! alive $child"
ok $? "and no process"

# --- list
rm -f a/* b/* c/*
is "$(pulp-plugin list --json)" "[]" "an empty list"
run_ok "for people" pulp-plugin list
like "$err" 'no plugins in ' "is told"
build a/z.so zebra c_zebra 1.0
build b/a.so ant c_ant 2.0
build b/y.so zebra c_zebra2 1.1
build b/z.so bee c_ant 1.0
echo text >a/text.so
mkfifo a/fifo.so
echo text >a/.hidden.so
echo text >a/readme
is "$(pulp-plugin list --json | json '[x["module"] for x in d]')" "['ant', 'zebra', None, None, None, None]" "list --json: plugins by module, then problems"
run_ok "list" pulp-plugin list
like "$out" $'ant\tc_ant\t2.0\t1\tMade for a test\t.*/b/a.so' "prints columns"
like "$err" 'text\.so: not ELF' "and what is refused: text"
like "$err" 'fifo\.so: not a regular file' "a fifo"
like "$err" '/b/y\.so: module zebra is already that of /.*/a/z\.so' "a second module, both paths named"
like "$err" '/b/z\.so: label c_ant is already that of /.*/b/a\.so' "a second label"
is "$(PULP_PLUGIN_PATH=$PWD/b:$PWD/nowhere::$PWD/a pulp-plugin list --json | json 'sorted(x["file"][-6:] for x in d if x["module"])')" \
	"['b/a.so', 'b/y.so']" "which is the second is a question of the path's order"
is "$(PULP_PLUGIN_PATH=$PWD/a:$PWD/a/:$PWD/./a pulp-plugin list --json | json 'len(d)')" 3 "a directory that is named twice is read once"
like "$(PULP_PLUGIN_PATH=$PWD/one.so pulp-plugin list 2>&1)" 'one\.so: Not a directory' "a path that is no directory"
if command -v script >/dev/null; then
	# terminal COMMAND: what it shows on a terminal of 70 columns.
	terminal()
	{
		env -u NO_COLOR TERM=xterm script -qec "stty cols 70 rows 24; $1" /dev/null </dev/null | tr -d '\r'
	}
	is "$(terminal 'pulp-plugin list --color never 2>/dev/null' | awk 'length > 70' | wc -l)" 0 "a table fits the terminal"
	like "$(terminal 'pulp-plugin list 2>/dev/null')" $'\033' "with colour"
	unlike "$(terminal 'NO_COLOR=1 pulp-plugin list 2>/dev/null')" $'\033' "not with NO_COLOR"
	unlike "$(terminal 'TERM=dumb pulp-plugin list 2>/dev/null')" $'\033' "nor on a dumb terminal"
	like "$(terminal 'NO_COLOR= pulp-plugin list 2>/dev/null')" $'\033' "an empty NO_COLOR is none"
fi
like "$(pulp-plugin list --color=always 2>&1 >/dev/null)" $'\033' "--color=always"
unlike "$(pulp-plugin list 2>&1)" $'\033' "no colour in a pipe"

# --- remove
exits 66 "remove: there is none" pulp-plugin remove nothing
exits 66 "remove: a file that is not in the path" pulp-plugin remove ./one.so
[ -f one.so ]
ok $? "which stays"
run_ok "remove a module" pulp-plugin remove ant
[ ! -e b/a.so ]
ok $? "is gone"
run_ok "remove a file by its name" pulp-plugin remove text.so
run_ok "remove a file by its path" pulp-plugin remove a/z.so
is "$(pulp-plugin remove --json fifo.so | json 'd["file"][-9:]')" "a/fifo.so" "remove --json"
is "$(ls a b | tr '\n' ' ')" "a: readme  b: y.so z.so " "nothing else is gone"

# --- who may write it
if [ "$(id -u)" = 0 ]; then
	rm -f a/* b/*
	build a/mine.so mine c_mine 1.0
	cp a/mine.so b/yours.so
	chmod 666 a/mine.so
	like "$(pulp-plugin list 2>&1)" 'mine\.so: anybody may write it, and root takes no such plugin' "root: a file that anybody may write"
	chmod 644 a/mine.so
	chown "$PULP_TEST_USER:" a/mine.so
	like "$(pulp-plugin list 2>&1)" 'mine\.so: not owned by root' "root: somebody else's file"
	rm a/mine.so
	chmod 1777 b
	like "$(pulp-plugin list 2>&1)" '/b: anybody may write it' "root: a directory that anybody may write"
	exits 78 "root: nor installs into it" pulp-plugin install --into b one.so
	chmod 755 b
	is "$(pulp-plugin list --json | json 'len(d)')" 1 "and all is well when it is put right"
fi
cp one.so "$TEST_USER_DIR/" && chmod 644 "$TEST_USER_DIR/one.so"
mkdir -p "$TEST_USER_DIR/own" && chmod 777 "$TEST_USER_DIR/own"
run run_as_user env PULP_PLUGIN_PATH="$TEST_USER_DIR/own" pulp-plugin install one.so
is "$status" 0 "an ordinary user installs where he may" || diag "$err"
run run_as_user env PULP_PLUGIN_PATH="$TEST_USER_DIR/own" pulp-plugin list --json
is "$(json '[x["module"] for x in d]' <<<"$out")" "['one']" "and lists it"
if [ "$(id -u)" = 0 ]; then
	run run_as_user env PULP_PLUGIN_PATH="$TEST_DIR/a" pulp-plugin install one.so
	is "$status" 77 "but not elsewhere" || diag "$err"
fi
done_testing
