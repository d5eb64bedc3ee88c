#!/bin/bash
# SPDX-License-Identifier: MIT
# From pulp-plugin new to a task's result, by a running worker; what it does when plugins come, change, go, or are bad.
. "${top_srcdir:?}/tests/lib/env.sh"
. "$top_srcdir/tests/plugins/toolchain.sh"
# shellcheck source=tests/lib/worker.sh
. "$top_srcdir/tests/lib/worker.sh"

export PULP_DATABASE=embedded:$TEST_DIR/db
at_exit 'pulp-task db stop >/dev/null 2>&1'
mkdir plugins
export PULP_PLUGIN_PATH=$PWD/plugins
export PKG_CONFIG_PATH=$top_builddir/include

# hello VERSION RESULT: the plugin that new wrote, with this version and result of hello.hello.
hello()
{
	sed -i -e "s/\"c_hello\", \"[^\"]*\"/\"c_hello\", \"$1\"/" -e "s/pulp_result(ctx, .*/pulp_result(ctx, \"\\\\\"$2\\\\\"\");/" hello/hello.c
	make -C hello >make.log 2>&1 || bail "make: $(tail -n 3 make.log)"
}

pulp-plugin new hello >/dev/null && make -C hello install >make.log 2>&1 || bail "new: $(tail -n 3 make.log)"
cp "$PULP_TEST_PREFIX/lib/pulp/plugins/example.so" .
pulp-plugin install example.so >/dev/null || bail "install"
printf '#include <pulp/plugin.h>\nPULP_PLUGIN("crash", "c_crash", "1", "Crashes");\nPULP_TASK(t, "T") { return pulp_done(ctx); }\n__attribute__((constructor)) static void c(void) { __builtin_trap(); }\n' >crash.c
must_compile plugins/crash.so crash.c
echo text >plugins/text.so
worker_start --slots 4

run pulp-task dispatch hello.hello --args '[1]' --kwargs '{"a": 2}' --wait
is "$status" 0 "a plugin as new writes it is run by a worker" || diag "$err"
is "$(field "$out" result)" hello "its result is there"
like "$(pulp-task logs "$out")" 'my arguments are \[1\] and \{"a": ?2\}' "its log line too"
run pulp-task dispatch hello.slow.count --wait
is "$status" 0 "a task with a dot in its name" || diag "$err"

# The tutorial.
mkdir -p data/sub && printf 12345 >data/a && printf 67 >data/sub/b
run pulp-task dispatch example.files.count --kwargs "{\"path\": \"$PWD/data\"}" --wait
is "$(field "$out" result)" '{"bytes": 7, "files": 2}' "example.files.count" || diag "$err"
run pulp-task dispatch example.countdown --kwargs '{"from": 2}' --wait
is "$status" 0 "example.countdown" || diag "$err"
like "$(field "$out" progress_reports)" '"code": "countdown", "done": 2, .*"state": "completed"' "reports its progress"
run pulp-task dispatch example.greet.all --kwargs '{"names": ["Ada", "Bo"]}' --wait
is "$status" 0 "example.greet.all" || diag "$err"
children=$(field "$out" child_tasks | grep -oE '[0-9a-f]{8}-[0-9a-f-]{27}' | sort -u)
is "$(wc -w <<<"$children")" 2 "dispatches two children"
for child in $children; do
	wait_state "$child" completed
	ok $? "a child runs"
done
is "$(for child in $children; do field "$child" result; done | sort | tr '\n' ' ')" "Hello, Ada! Hello, Bo! " "and greets"

# What is bad hinders nobody.
like "$(cat worker.err)" 'text\.so: not ELF' "a bad file is named in the log"
wait_for 'grep -qE "(crash.*signal|signal.*crash)" worker.err'
ok $? "so is a plugin that crashes when it is loaded" || diag "$(tail -n 5 worker.err)"

# A newer version comes while a task of the old one runs.
run pulp-task dispatch example.countdown --kwargs '{"from": 5000}'
slow=$out
wait_state "$slow" running
sed 's/"c_example", "[^"]*"/"c_example", "2.0"/; s/Hello, %s!/Welcome, %s!/' "$top_srcdir/plugins/example/example.c" >example2.c
mkdir newer
# shellcheck disable=SC2046 # several words
must_compile newer/example.so example2.c $(pkg-config --cflags --libs jansson)
run_ok "a newer version is installed" pulp-plugin install newer/example.so
kill -HUP "$(worker_pid)"
run pulp-task dispatch example.greet --require c_example=2.0 --wait
is "$status" 0 "after HUP new tasks run with it" || diag "$err"
is "$(field "$out" result)" "Welcome, world!" "really"
is "$(field "$slow" state)" running "the running one goes on with the old"
pulp-task cancel "$slow" >/dev/null
wait_state "$slow" canceled
ok $? "and can still be canceled"

# It goes.
run_ok "remove" pulp-plugin remove hello
kill -HUP "$(worker_pid)"
wait_for 'grep -q "event=worker.reload" worker.err'
run pulp-task dispatch hello.hello
gone=$out
wait_for '[[ "$(pulp-task why "$gone")" =~ hello ]]'
ok $? "a task of a removed plugin waits, and why names it"
is "$(field "$gone" state)" waiting "it waits"
hello 3.0 again
run_ok "the plugin comes back" pulp-plugin install hello/hello.so
kill -HUP "$(worker_pid)"
wait_state "$gone" completed
ok $? "and the task runs"
is "$(field "$gone" result)" again "with the new version"
worker_stop
is "$stopped" 0 "the worker ends with 0"
done_testing
