#!/bin/bash
# SPDX-License-Identifier: MIT
# Includes go down only, as core/layers.txt says; no circles; what a layer may not
# know it does not include; a unit test links its layer and those below it.
. "${top_srcdir:?}/tests/lint/lint.sh"

# The includes of the C files: FILE:LINE:NAME, or FILE:LINE:<NAME where it is a
# system header.
includes()
{
	files "$1" '*.c' '*.h' '*.inc' | (cd "$1" && xargs grep -nHoE '^[ \t]*#[ \t]*include[ \t]*["<][^">]+') |
		sed -E 's/:[ \t]*#[ \t]*include[ \t]*"?/:/'
}

lint()
{
	{
		sed 's/^/layers /' "$1/core/layers.txt"
		(cd "$1" && printf 'folder %s\n' core/*/ | sed 's|core/||; s|/$||')
		files "$1" '*.h' | sed -n 's|^plugins/|own |p'
		includes "$1" | sed 's/^/include /'
		(cd "$1" && grep -noE 'libpw-[a-z]+\.la' tests/unit/*.am) | sed 's/^/link /'
	} | awk '
	function problem(where, text) { print where ": " text }
	function may(from, to) { return from == to || (from, to) in allowed }
	$1 == "layers" {
		line++
		sub(/#.*/, "")
		if (!sub(/:/, " ", $2))
			next
		layer = $2
		sub(/ $/, "", layer)
		known[layer] = 1
		for (i = 3; i <= NF; i++) {
			if (!($i in known) || $i == layer)
				problem("core/layers.txt:" line, $i " does not stand on an earlier line")
			allowed[layer, $i] = 1
			below[layer, $i] = 1
			for (name in known)
				if ((name != layer) && ($i, name) in below)
					below[layer, name] = 1
		}
		# SQL texts are for those who speak to the database.
		if (layer == "db" || (layer, "db") in allowed || (layer, "store") in allowed)
			allowed[layer, "sql"] = below[layer, "sql"] = 1
		next
	}
	$1 == "folder" {
		if (!($2 in known) && $2 != "sql")
			problem("core/" $2, "this folder is not in core/layers.txt")
		next
	}
	# plugins/exec is not core/exec: -I puts plugins first there.
	$1 == "own" { own[$2] = 1 }
	$1 == "include" {
		split($2, part, ":")
		where = part[1] ":" part[2]
		split(part[1], path, "/")
		name = part[3]
		ours = !sub(/^</, "", name)
		to = split(name, target, "/") > 1 ? target[1] : ""
		if (!ours && to in known && to != "sys")
			problem(where, "our own headers go in quotes")
		if (!ours)
			to = ""
		if (path[1] == "core") {
			from = path[2]
			if ((to in known || to == "sql") && !may(from, to) && from != "sql")
				problem(where, from " may not include " to)
			if (name == "libpq-fe.h" && from != "db" && !((from, "db") in allowed))
				problem(where, from " knows no database")
			if (name == "jansson.h" && from == "base")
				problem(where, "base links no jansson")
			# Mapping a plugin runs its constructors.
			if (name == "dlfcn.h" && from != "plugin" && from != "zygote")
				problem(where, "only the zygote maps plugins")
			if (name == "plugin/loaded.h" && from != "plugin" && from != "zygote" && from != "cmd")
				problem(where, "only the zygote maps plugins")
		} else if (path[1] == "include" && (to in known || to == "sql"))
			problem(where, "the installed headers stand alone")
		else if (path[1] == "plugins" && to != "base" && !(name in own) && (to in known || to == "sql"))
			problem(where, "a plugin knows nothing of ours but include/pulp and base")
		next
	}
	$1 == "link" {
		split($2, part, ":")
		layer = part[1]
		sub(/.*\//, "", layer)
		sub(/\.am$/, "", layer)
		to = part[3]
		sub(/libpw-/, "", to)
		sub(/\.la/, "", to)
		if (layer in known && to != layer && !((layer, to) in below))
			problem(part[1] ":" part[2], "a unit test of " layer " may not link " to)
	}'
	circles "$1"
}

# tsort complains of a loop and names the files in it.
circles()
{
	includes "$1" | grep -E '^(core|include|plugins)/[^:]*\.h:' | awk -F: '
	{
		file = $1
		sub(/^core\/|^include\//, "", file)
		print file, $3
	}' | grep -v '<' | tsort 2>&1 >/dev/null | sed -n 's/^tsort: \(.*\.h\)$/\1: includes itself in a circle/p'
}

clean 'includes and links go down only'

plant core/base/upward.h <<<'#include "sys/loop.h"'
planted 'an include of a higher layer' '^core/base/upward\.h:1: base may not include sys$'
plant core/exec/deep/asks.c <<<' # include  "store/migrate.h"'
planted 'one in a subfolder, with blanks' '^core/exec/deep/asks\.c:1: exec may not include store$'
plant core/store/angles.c <<<'#include <base/err.h>'
planted 'our own header in angle brackets' '^core/store/angles\.c:1: our own headers go in quotes$'
plant core/proto/text.c <<<'#include "sql/sql.h"'
planted 'SQL in a layer without a database' '^core/proto/text\.c:1: proto may not include sql$'
plant core/exec/query.c <<<'#include <libpq-fe.h>'
planted 'libpq in a layer without a database' '^core/exec/query\.c:1: exec knows no database$'
plant core/supervisor/load.c <<<'#include <dlfcn.h>'
planted 'dlopen outside the zygote' '^core/supervisor/load\.c:1: only the zygote maps plugins$'
plant core/base/json.c <<<'#include <jansson.h>'
planted 'jansson in base' '^core/base/json\.c:1: base links no jansson$'
plant plugins/example/peek.c <<<'#include "task/task.h"'
planted 'a plugin that uses the core' '^plugins/example/peek\.c:1: a plugin knows nothing'
plant include/pulp/more.h <<<'#include "task/task.h"'
planted 'an installed header that uses the core' '^include/pulp/more\.h:1: the installed headers stand alone$'
plant core/extra/extra.c <<<''
planted 'a folder that is no layer' '^core/extra: this folder is not in core/layers\.txt$'
sed -i 's/^proto: base/proto: base exec/' "$TEST_DIR/copy/core/layers.txt"
planted 'a layer above itself' '^core/layers\.txt:[0-9]+: exec does not stand on an earlier line$'
plant tests/unit/base.am <<<'tests_unit_test_base_LDADD = libpw-db.la libpw-base.la'
planted 'a unit test that links a higher layer' '^tests/unit/base\.am:1: a unit test of base may not link db$'
plant core/base/a.h <<<'#include "base/b.h"'
plant core/base/b.h <<<'#include "base/c.h"'
plant core/base/c.h <<<'#include "base/a.h"'
planted 'a circle of three' '^base/[abc]\.h: includes itself in a circle$'
done_testing
