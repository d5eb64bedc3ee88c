#!/bin/bash
# SPDX-License-Identifier: MIT
# A plugin is the same to us whatever compiler, linker and tool made it; and what is lost silently is told.
. "${top_srcdir:?}/tests/lib/env.sh"
. "$top_srcdir/tests/plugins/toolchain.sh"

cat >a.c <<'END'
#include <pulp/plugin.h>

PULP_PLUGIN("tools", "c_tools", "2.1", "Made by many tools");

PULP_TASK(zebra, "The first in the source")
{
	return pulp_result(ctx, "1");
}

PULP_TASK(ant__farm, "The second, with options" PULP_TIMEOUT(1h) PULP_MEMORY(1G) PULP_IMMEDIATE)
{
	return pulp_fail(ctx, "%s", ctx->args);
}

PULP_TASK(m, "M")
{
	return pulp_done(ctx);
}
END
cp a.c a.cc
wanted='ant.farm: ok m: ok zebra: ok '

# same FILE WHAT: it reads and loads as it should.
same()
{
	local got

	got=$("$load" "./$1" 2>&1 | tr '\n' ' ')
	is "$got" "$wanted" "$2"
}

must_compile reference.so a.c
pulp-plugin inspect --json reference.so | sed 's/"file": "[^"]*"/FILE/' >reference.json
for compiler in "${c_compilers[@]}"; do
	cc=$compiler
	for linker in "${linkers[@]}"; do
		for flags in -O0 '-O2 -g' -O3 -Os '-O2 -ffunction-sections -fdata-sections -Wl,--gc-sections' '-O2 -fvisibility=hidden' \
			"-O2 -Wl,--version-script=$top_srcdir/plugins/plugin.map" '-O2 -Wl,-z,noseparate-code' '-O2 -Wl,-z,now -Wl,-z,relro' \
			'-O2 -Wl,--strip-all' '-O2 -Wl,--build-id=sha1'; do
			# shellcheck disable=SC2086 # several flags
			if ! compile x.so a.c -fuse-ld="$linker" $flags; then
				skip "cannot: $(head -n 1 compile.log)" "$compiler $linker $flags"
				continue
			fi
			same x.so "$compiler $linker $flags"
			pulp-plugin inspect --json x.so | sed 's/"file": "[^"]*"/FILE/' | cmp -s - reference.json
			ok $? "and inspect shows the same"
		done
	done
	if compile x.so a.c -O2 -flto; then
		same x.so "$compiler -flto"
	fi
done
for compiler in "${cxx_compilers[@]}"; do
	cc=$compiler
	for linker in "${linkers[@]}"; do
		if compile x.so a.cc -O2 -fuse-ld="$linker"; then
			same x.so "$compiler $linker"
		fi
	done
done

cc=${c_compilers[0]}
for how in '' --strip-debug --strip-unneeded --strip-all; do
	cp reference.so x.so
	# shellcheck disable=SC2086 # may be none
	[ -z "$how" ] || strip $how x.so
	same x.so "strip ${how:-nothing}"
done
objcopy --strip-unneeded --compress-debug-sections reference.so x.so && same x.so "objcopy"
objcopy --only-keep-debug reference.so x.so
like "$("$load" ./x.so)" 'bad program headers|cut short|no dynamic section' "a file of debug symbols only"
if command -v patchelf >/dev/null; then
	patchelf --set-rpath /opt/somewhere/that/is/long/enough/to/move/sections --output x.so reference.so && same x.so "patchelf"
fi
"$cc" "${include[@]}" -fPIC -c -o a.o a.c && ld -r -o r.o a.o && must_compile x.so r.o && same x.so "ld -r"

# What is lost silently (pulp-plugin(7)).
printf '#include <pulp/plugin.h>\nPULP_PLUGIN("arch", "c_arch", "1", "In an archive");\nPULP_TASK(main, "Main") { return pulp_done(ctx); }\n' >main.c
printf '#include <pulp/plugin.h>\nPULP_TASK(lost, "Lost") { return pulp_done(ctx); }\n' >lost.c
"$cc" "${include[@]}" -fPIC -c lost.c && ar rc liblost.a lost.o
must_compile x.so main.c -L. -llost
is "$("$load" ./x.so)" "main: ok" "an unreferenced member of an archive is not there"
must_compile x.so main.c -Wl,--whole-archive -L. -llost -Wl,--no-whole-archive
is "$("$load" ./x.so | tr '\n' ' ')" "lost: ok main: ok " "--whole-archive takes it in"
objcopy -R '.note*' reference.so x.so
is "$("$load" ./x.so)" "./x.so: no pulp notes: is this a plugin?" "strip -R .note*: no pulp notes"
pulp-plugin check x.so >out 2>&1
is "$?" 65 "and check refuses it"
like "$(cat out)" 'symbol pulp_task_zebra has no note: was it stripped' "and says that there are symbols without notes"
if [ -n "$(command -v gcc)" ] && [ -n "$(command -v ld.lld)" ]; then
	cc=gcc
	if compile x.so a.c -O2 -flto -fno-fat-lto-objects -fuse-ld=lld; then
		like "$("$load" ./x.so)" 'no pulp notes' "gcc's slim LTO objects with lld: no pulp notes"
	fi
	compile x.so a.c -O2 -flto -ffat-lto-objects -fuse-ld=lld && same x.so "fat ones work"
fi

# An author who wants to be served by older workers too says so; here the header is a newer one.
mkdir -p newer/pulp
sed -e 's/^#define PULP_ABI_MINOR 1/#define PULP_ABI_MINOR 4/' -e 's/PULP_ABI_MINOR > 1/PULP_ABI_MINOR > 4/' \
	"$top_srcdir/include/pulp/plugin.h" >newer/pulp/plugin.h
cc=${c_compilers[0]}
"$cc" -Inewer -fPIC -shared -o x.so a.c
is "$("$load" ./x.so)" "./x.so: needs ABI 1.4, this worker has 1.1" "made with a newer header"
"$cc" -Inewer -DPULP_ABI_MINOR=0 -fPIC -shared -o x.so a.c && same x.so "made with a newer header for older workers"
"$cc" -Inewer -fPIC -c -o newer.o lost.c && "$cc" "${include[@]}" -fPIC -shared -o x.so main.c newer.o
is "$("$load" ./x.so)" "./x.so: needs ABI 1.4, this worker has 1.1" "one object made with a newer header"
sed 's/^#define PULP_ABI_MAJOR 1/#define PULP_ABI_MAJOR 2/' "$top_srcdir/include/pulp/plugin.h" >newer/pulp/plugin.h
"$cc" -Inewer -fPIC -shared -o x.so a.c
is "$("$load" ./x.so)" "./x.so: needs ABI 2, this worker has 1" "made for the next major ABI"

# C++: an exception becomes a failure, one file of a plugin may be C++ and another C.
if [ ${#cxx_compilers[@]} -gt 0 ]; then
	cat >thrower.cc <<'END'
#include <pulp/plugin.h>
#include <stdexcept>
#include <string>

struct guard { pulp_context *ctx; ~guard() { pulp_log(ctx, PULP_INFO, "unwound"); } };

PULP_TASK(thrower, "Throws")
{
	guard g = { ctx };
	throw std::runtime_error(std::string("thrown: ") + ctx->kwargs);
}
END
	for compiler in "${cxx_compilers[@]}"; do
		"$cc" "${include[@]}" -fPIC -c main.c
		"$compiler" "${include[@]}" -fPIC -shared -o x.so thrower.cc main.o
		is "$("$load" ./x.so thrower '{}' | tr '\n' ' ')" "log 1 unwound fail thrown: {} " "$compiler: an exception is a failure"
	done
fi
done_testing
