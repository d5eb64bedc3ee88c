#!/bin/bash
# SPDX-License-Identifier: MIT
# The bad files of pulp-plugin(7)'s table that a linker can make: each is told by its error, by the loader and by check.
# (What no linker makes is forged by tests/unit/test-plugin-meta.c.)
. "${top_srcdir:?}/tests/lib/env.sh"
. "$top_srcdir/tests/plugins/toolchain.sh"

# The parts of a plugin without PULP_TASK: a note, and what is to be found under its symbol.
cat >parts.h <<'END'
#include <pulp/plugin.h>
PULP_PLUGIN("bad", "c_bad", "1.0", "Not as it should be");
#define NOTE(name) PULP__NOTE(pulp__note_##name, 2, PULP__ABI #name "\0" "Doc")
static pulp_end run(pulp_context *ctx) { return pulp_done(ctx); }
#define HEAD(type) sizeof(struct type), PULP_ABI_MAJOR, PULP_ABI_MINOR
#define EXPORT __attribute__((visibility("default")))
EXPORT const struct pulp_task pulp_task_good = { HEAD(pulp_task), run, &pulp_needs_one_PULP_PLUGIN };
NOTE(good);
END

# bad WHAT SOURCE REGEX [FLAG...]: a plugin with one good task and this source loads, and the task "t" is refused so.
bad()
{
	local what=$1 regex=$3 got

	printf '#include "parts.h"\n%s\n' "$2" >bad.c
	shift 3
	must_compile bad.so bad.c -I. "$@"
	got=$("$load" ./bad.so 2>&1)
	like "$got" "$regex" "$what"
	like "$got" 'good: ok' "and its other task is all right"
	exits 65 "check refuses it" pulp-plugin check bad.so
	like "$err" "$regex" "with the same words"
}

bad 'a note without a symbol' 'NOTE(t);' 'no symbol pulp_task_t'
bad 'a symbol that is not exported' 'NOTE(t); __attribute__((visibility("hidden"), used)) const struct pulp_task pulp_task_t = { HEAD(pulp_task), run, 0 };' \
	'no symbol pulp_task_t'
printf '#include <pulp/plugin.h>\n__attribute__((visibility("default"))) const struct pulp_task pulp_task_t = { sizeof(struct pulp_task), 1, 0, 0, 0 };\n' >dep.c
"$cc" "${include[@]}" -fPIC -shared -Wl,-soname,libdep.so -o libdep.so dep.c || bail "libdep"
bad 'the symbol of a dependency' 'NOTE(t); extern const struct pulp_task pulp_task_t; const void *needed(void) { return &pulp_task_t; }' \
	'symbol pulp_task_t belongs to .*/libdep\.so' -L. -ldep -Wl,-rpath,"$PWD"
bad 'a function' 'NOTE(t); EXPORT pulp_end pulp_task_t(pulp_context *ctx); pulp_end pulp_task_t(pulp_context *ctx) { return pulp_done(ctx); }' \
	'symbol pulp_task_t is not a task descriptor'
bad 'an indirect function' 'NOTE(t); static void *resolve(void) { return (void *)run; } EXPORT void pulp_task_t(void) __attribute__((ifunc("resolve")));' \
	'symbol pulp_task_t is not a task descriptor'
bad 'a thread-local object' 'NOTE(t); EXPORT __thread struct pulp_task pulp_task_t = { HEAD(pulp_task), run, 0 };' \
	'symbol pulp_task_t is not a task descriptor'
bad 'an absolute symbol' 'NOTE(t); __asm__(".globl pulp_task_t\n.set pulp_task_t, 0x1234\n.type pulp_task_t, @object\n.size pulp_task_t, 64");' \
	'symbol pulp_task_t is not a task descriptor'
bad 'an object that is too small' 'NOTE(t); EXPORT const char pulp_task_t[8] = "small";' 'task t: descriptor too small'
bad 'a descriptor that says it is too small' 'NOTE(t); EXPORT const struct pulp_task pulp_task_t = { 8, 1, 0, run, 0 };' \
	'task t: descriptor too small'
bad 'a descriptor that says it is larger than it is' 'NOTE(t); EXPORT const struct pulp_task pulp_task_t = { 4096, 1, 0, run, 0 };' \
	'task t: descriptor too small'
bad 'a descriptor without a function' 'NOTE(t); EXPORT const struct pulp_task pulp_task_t = { HEAD(pulp_task), 0, 0 };' \
	'task t: no function'
bad 'a descriptor whose ABI is not its note'\''s' 'NOTE(t); EXPORT const struct pulp_task pulp_task_t = { sizeof(struct pulp_task), 1, 3, run, 0 };' \
	'task t: descriptor and note disagree \(ABI 1\.3 and 1\.1\)'

# All that is wrong is said, not the first thing only.
cat >many.c <<'END'
#include "parts.h"
PULP__NOTE(n1, 2, PULP__ABI "a" "\0" "Doc" "\0" "timeout=60*60");
PULP__NOTE(n2, 2, PULP__ABI "_b" "\0" "Doc");
PULP__NOTE(n3, 2, PULP__ABI "c" "\0" "");
PULP__NOTE(n4, 2, PULP__ABI "good" "\0" "Twice");
END
must_compile many.so many.c -I.
exits 65 "a plugin with many faults" pulp-plugin check many.so
for text in "task a: option timeout: '60\*60' is not a duration" "bad task name '_b'" 'task c: doc is empty' 'task good defined twice'; do
	like "$err" "$text" "check says: $text"
done
is "$(grep -c '^pulp-plugin: many.so: ' <<<"$err")" 4 "and nothing else"
printf '#include <pulp/plugin.h>\nPULP_PLUGIN("none", "c_none", "1", "No tasks");\n' >none.c
must_compile none.so none.c
exits 65 "a plugin without tasks" pulp-plugin check none.so
like "$err" 'it offers no task' "is told so"
printf '#include "parts.h"\nEXPORT const int pulp_task_stray = 1;\n' >stray.c
must_compile stray.so stray.c -I.
exits 65 "a symbol without its note" pulp-plugin check stray.so
like "$err" 'symbol pulp_task_stray has no note' "is told so"

# The file may change between reading and loading.
printf '#include "parts.h"\n' >one.c
must_compile one.so one.c -I.
printf '#include "parts.h"\nNOTE(u); EXPORT const struct pulp_task pulp_task_u = { HEAD(pulp_task), run, 0 };\n' >two.c
must_compile two.so two.c -I.
like "$(READ_FROM=./one.so "$load" ./two.so)" '/one\.so: file changed since it was read$' "notes that changed before dlopen"
like "$(READ_FROM=./two.so "$load" ./one.so)" '/two\.so: file changed since it was read$' "in either direction"
cp one.so three.so
is "$(READ_FROM=./one.so "$load" ./three.so)" "good: ok" "a copy is the same"

# What only dlopen sees.
printf '#include "parts.h"\nint dep(void); int needed(void) { return dep(); }\n' >missing.c
printf '__attribute__((visibility("default"))) int dep(void) { return 0; }\n' >dep.c
"$cc" -fPIC -shared -Wl,-soname,libgone.so -o libgone.so dep.c
must_compile missing.so missing.c -I. -L. -lgone
rm libgone.so
exits 65 "a missing library" pulp-plugin check missing.so
like "$err" 'missing.so: libgone\.so: cannot open shared object file' "is told with dlerror's text"
library()
{
	printf '%s { global: dep; };\n' "$1" >map
	"$cc" -fPIC -shared -Wl,-soname,libold.so -Wl,--version-script=map -o libold.so dep.c || bail "libold"
}
library V2
must_compile old.so missing.c -I. -L. -lold -Wl,-rpath,"$PWD"
library V1
exits 65 "a library that is older than the one it was linked with" pulp-plugin check old.so
like "$err" "old.so: .*version .V2. not found" "is told with dlerror's text"
printf '#include "parts.h"\nint nowhere(void); int needed(void) { return nowhere(); }\n' >undefined.c
"$cc" "${include[@]}" -I. -fPIC -shared -o undefined.so undefined.c
exits 65 "an undefined symbol" pulp-plugin check undefined.so
like "$err" 'undefined symbol: nowhere' "is named"
if command -v musl-gcc >/dev/null; then
	musl-gcc "${include[@]}" -I. -fPIC -shared -o musl.so one.c && exits 65 "a plugin made for musl" pulp-plugin check musl.so
fi

# Constructors.
constructor()
{
	printf '#define _GNU_SOURCE\n#include "parts.h"\n#include <pthread.h>\n#include <signal.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <unistd.h>\n__attribute__((constructor)) static void begin(void) { %s }\n' "$2" >c.c
	must_compile c.so c.c -I. -lpthread
	exits 65 "a constructor that $1" timeout 60 pulp-plugin check --timeout 2s c.so
	like "$err" "$3" "is told: $3"
}
constructor 'crashes' 'fprintf(stderr, "about to\\n"); signal(SIGSEGV, SIG_DFL); raise(SIGSEGV);' 'c\.so: it crashes while it is loaded: signal 11 \(Segmentation fault\)'
like "$err" 'it said:.*about to' "with what it said"
constructor 'exits' 'puts("bye"); fflush(stdout); exit(3);' 'it exits while it is loaded: status 3'
constructor 'exits without a fault' 'exit(0);' 'it exits while it is loaded: status 0'
constructor 'hangs' 'for (;;) pause();' 'it hangs while it is loaded: nothing came of it in 2\.0 s'
constructor 'hangs and ignores signals' 'for (int i = 1; i < 65; i++) signal(i, SIG_IGN); for (;;) ;' 'it hangs while it is loaded'
constructor 'starts a thread' 'static pthread_t t; extern void *idle(void *); pthread_create(&t, 0, idle, 0); } void *idle(void *x) { for (;;) pause(); return x;' \
	'it starts a thread while it is loaded'
constructor 'aborts' 'abort();' 'signal 6'
constructor 'floods' 'for (int i = 0; i < 300000; i++) puts("a line of the flood, and another one follows"); raise(SIGKILL);' 'signal 9'
[ ${#err} -lt 200000 ]
ok $? "of which only the head is kept (${#err} bytes)"
constructor 'prints escape sequences' 'printf("\\033]0;owned\\007"); exit(1);' 'status 1'
unlike "$err" $'\033' "which do not reach the terminal"
constructor 'leaves a daemon' 'if (fork() == 0) { setsid(); if (fork() == 0) { execlp("sleep", "pulp-test-daemon", "987654", (char *)0); } _exit(0); }' \
	'it starts processes while it is loaded: [0-9]+ were left, and killed'
! grep -qa 'pulp-test-[d]aemon' /proc/[0-9]*/cmdline 2>/dev/null
ok $? "and nothing is left of it"
constructor 'closes all descriptors' 'for (int i = 0; i < 1024; i++) close(i);' 'status'
if "$cc" -fsanitize=address -fPIC -shared "${include[@]}" -I. -o asan.so one.c 2>/dev/null && ! grep -q -e --enable-sanitizers "$top_builddir/config.log"; then
	exits 65 "a sanitizer build" pulp-plugin check asan.so
	like "$err" 'it exits while it is loaded|ASan runtime|undefined symbol' "is told"
fi
done_testing
