#!/bin/bash
# SPDX-License-Identifier: MIT
# pulp/plugin.h compiles alone and quietly, in every C and C++ it promises, and refuses tasks that do not say how they end.
. "${top_srcdir:?}/tests/lib/env.sh"
. "$top_srcdir/tests/plugins/toolchain.sh"

quiet=(-Wall -Wextra -pedantic -Werror)

printf '#include <pulp/plugin.h>\n' >alone.c
cat >plugin.c <<'END'
#include <pulp/plugin.h>

PULP_PLUGIN("quiet", "c_quiet", "1.0", "Compiles without a word");

PULP_TASK(all, "Calls everything" PULP_IMMEDIATE PULP_TIMEOUT(90s) PULP_MEMORY(64M))
{
	struct pulp_progress progress = { sizeof(progress), "code", "message", 0, 1, 2, 0 };
	const char *reply;

	pulp_log(ctx, PULP_INFO, "%s %s", ctx->args, ctx->kwargs);
	if (pulp_should_stop(ctx))
		return pulp_fail(ctx, "stopped %d", 1);
	if (pulp_progress(ctx, "code", "message", 1, 2) < 0 || pulp_progress_report(ctx, &progress) < 0)
		return pulp_fail(ctx, "%s", pulp_last_error(ctx));
	if (pulp_dispatch(ctx, "{}", &reply) < 0 || pulp_request(ctx, "x", "{}", 0) < 0)
		return pulp_result(ctx, "1");
	return pulp_done(ctx);
}

PULP_TASK(none, "Uses nothing")
{
	return pulp_done(ctx);
}

PULP_RESOURCE(quiet__thing, "Has all endings" PULP_TIMEOUT(5s) PULP_MEMORY(64M))
{
	if (!ctx->resource)
		return pulp_fail(ctx, "no id");
	if (ctx->resource[0] == 'd')
		return pulp_deleted(ctx);
	return pulp_complete(ctx);
}

PULP_RESOURCE(quiet__none, "Uses nothing, and has the name of a task")
{
	return pulp_complete(ctx);
}
END
cp plugin.c plugin.cc

for compiler in "${c_compilers[@]}"; do
	for std in c99 c11 c17 c2x gnu99 gnu17; do
		for source in alone.c plugin.c; do
			"$compiler" "${include[@]}" -std=$std "${quiet[@]}" -O2 -fPIC -c -o x.o $source 2>log
			ok $? "$compiler -std=$std $source" || diag "$(head -n 5 log)"
		done
	done
done
for compiler in "${cxx_compilers[@]}"; do
	for std in c++11 c++14 c++17 c++20 gnu++17; do
		for flag in -fexceptions -fno-exceptions; do
			"$compiler" "${include[@]}" -std=$std "${quiet[@]}" $flag -O2 -fPIC -c -o x.o plugin.cc 2>log
			ok $? "$compiler -std=$std $flag plugin.cc" || diag "$(head -n 5 log)"
		done
	done
	printf 'extern "C" {\n#include <pulp/plugin.h>\n}\n' >inside.cc
	"$compiler" "${include[@]}" -std=c++11 "${quiet[@]}" -c -o x.o inside.cc 2>log
	ok $? "$compiler: included inside extern \"C\"" || diag "$(head -n 5 log)"
	printf '#include <pulp/plugin.h>\nnamespace a {\nPULP_PLUGIN("a", "c_a", "1", "In a namespace");\nPULP_TASK(t, "T") { return pulp_done(ctx); }\n}\n' >space.cc
	"$compiler" "${include[@]}" -std=c++11 "${quiet[@]}" -fPIC -shared -Wl,-z,defs -o space.so space.cc 2>log &&
		is "$("$load" ./space.so)" "t: ok" "$compiler: inside a namespace"
done

# refused WHAT BODY [HEAD]: a task with this body does not compile, with any compiler.
refused()
{
	local compiler

	printf '%s\n#include <pulp/plugin.h>\nPULP_PLUGIN("a", "c_a", "1", "A");\nPULP_TASK(t, "T")\n{\n%s\n}\n' "${3:-}" "$2" >refused.c
	for compiler in "${c_compilers[@]}"; do
		"$compiler" "${include[@]}" -fPIC -shared -Wl,-z,defs -o x.so refused.c 2>log
		[ $? = 1 ]
		ok $? "$compiler refuses $1" || diag "$(head -n 5 log)"
	done
}

refused 'a task without return' '(void)ctx;'
refused 'a task that returns on one path only' 'if (ctx->args) return pulp_done(ctx);'
refused 'return 0' 'return 0;'
refused 'return without value' 'return;'
refused 'pulp_fail without return' 'pulp_fail(ctx, "x"); return pulp_done(ctx);'
refused 'pulp_done without return' 'pulp_done(ctx); return pulp_done(ctx);'
refused 'two PULP_PLUGIN in one file' 'return pulp_done(ctx); } PULP_PLUGIN("b", "c_b", "1", "B"); static void f(void) {'
refused 'one task twice' 'return pulp_done(ctx); } PULP_TASK(t, "T again") { return pulp_done(ctx);'
refused 'a resource without return' 'return pulp_done(ctx); } PULP_RESOURCE(a__b, "B") { (void)ctx;'
refused 'pulp_deleted without return' 'return pulp_done(ctx); } PULP_RESOURCE(a__b, "B") { pulp_deleted(ctx); return pulp_complete(ctx);'
refused 'a resource in a plugin for workers that know none' 'return pulp_done(ctx); } PULP_RESOURCE(a__b, "B") { return pulp_complete(ctx);' \
	'#define PULP_ABI_MINOR 0'
refused 'an ABI minor that is newer than the header' 'return pulp_done(ctx);' '#define PULP_ABI_MINOR 77'

printf '#include <pulp/plugin.h>\nPULP_TASK(u, "U") { return pulp_done(ctx); }\n' >second.c
printf '#include <pulp/plugin.h>\nPULP_PLUGIN("b", "c_b", "1", "B");\n' >third.c
for linker in "${linkers[@]}"; do
	compile x.so second.c "-fuse-ld=$linker"
	[ $? = 1 ] && grep -q pulp_needs_one_PULP_PLUGIN compile.log
	ok $? "$linker: tasks without PULP_PLUGIN do not link, and the linker names what is missing"
	compile x.so plugin.c third.c "-fuse-ld=$linker"
	[ $? = 1 ] && grep -q pulp_needs_one_PULP_PLUGIN compile.log
	ok $? "$linker: two PULP_PLUGIN in two files do not link"
	compile x.so plugin.c second.c "-fuse-ld=$linker" && [ "$("$load" ./x.so | tr '\n' ' ')" = "all: ok none: ok u: ok quiet.none: ok quiet.thing: ok " ]
	ok $? "$linker: a plugin of two files"
	compile x.so second.c plugin.c second.c "-fuse-ld=$linker"
	ok $(($? != 1)) "$linker: one task in two files does not link"
done
done_testing
