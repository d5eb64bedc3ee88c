#!/bin/bash
# SPDX-License-Identifier: MIT
# Plugins export pulp_task_* and pulp_resource_* alone, the client library pulp_*, programs nothing; a
# program that runs tasks does not even link libpq.
. "${top_srcdir:?}/tests/lint/lint.sh"
if grep -q '^SANITIZE = .*[a-z]' "$top_builddir/Makefile"; then
	skip_all 'sanitizers and coverage export symbols of their own'
fi

# exported FILE: its dynamic symbols; those with a version are libc's, copied.
exported()
{
	nm -D --defined-only "$1" 2>/dev/null | awk '{ print $NF }' |
		grep -vE '@|^(_init|_fini|_edata|_end|__bss_start|__data_start|data_start|_IO_stdin_used|_start|main)$'
}

# lint TREE: TREE is an installed prefix here.
lint()
{
	local file

	for file in "$1"/lib/pulp/plugins/*.so; do
		[ ! -e "$file" ] || exported "$file" | grep -vE '^pulp_(task|resource)_' | sed "s|^|${file#"$1/"}: exports |"
	done
	for file in "$1"/lib/lib*.so; do
		[ ! -e "$file" ] || exported "$file" | grep -v '^pulp_' | sed "s|^|${file#"$1/"}: exports |"
	done
	for file in "$1"/bin/* "$1"/sbin/* "$1"/libexec/*/*; do
		[ ! -e "$file" ] || exported "$file" | sed "s|^|${file#"$1/"}: exports |"
	done
	for file in "$1"/libexec/*/pulp-zygote "$1"/lib/pulp/plugins/*.so; do
		[ ! -e "$file" ] || readelf -d "$file" | sed -n "s|.*NEEDED.*\[\(libpq[^]]*\)\].*|${file#"$1/"}: links \1|p"
	done
}

is "$(lint "$PULP_TEST_PREFIX")" '' 'nothing more than wanted is exported'

# build FILE CC-ARG...: compiles standard input to FILE of the copy.
build()
{
	local file=$TEST_DIR/copy/$1

	shift
	mkdir -p "$(dirname "$file")"
	cc -x c -o "$file" "$@" - -Wl,--no-as-needed || bail 'cc failed'
}

build lib/pulp/plugins/bad.so -shared -fPIC <<<'int pulp_task_x, helper; void _init_it(void) {} '
planted 'a plugin that exports more' '^lib/pulp/plugins/bad\.so: exports helper$'
build lib/libpulp-client.so -shared -fPIC <<<'int pulp_client_x, pw_db_connect;'
planted 'a client library that does' '^lib/libpulp-client\.so: exports pw_db_connect$'
build sbin/pulp-worker -rdynamic <<<'#include <stdio.h>
int pw_all; int main(void) { return fputs("", stdout); }'
is "$(exported "$TEST_DIR/copy/sbin/pulp-worker")" pw_all 'what is copied from libc does not count'
planted 'a program that does' '^sbin/pulp-worker: exports pw_all$'
build libexec/pulp-worker/pulp-zygote -Wl,--no-as-needed -l:libpq.so.5 <<<'int main(void) { return 0; }'
planted 'a zygote that links libpq' '^libexec/pulp-worker/pulp-zygote: links libpq\.so'
done_testing
