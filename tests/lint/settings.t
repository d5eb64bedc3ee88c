#!/bin/bash
# SPDX-License-Identifier: MIT
# The sample configuration file has every setting of settings.def, commented out,
# with its default, and no other; the manual page has each, and no other.
. "${top_srcdir:?}/tests/lint/lint.sh"

# NAME=DEFAULT of each setting.
settings()
{
	sed -nE 's/^S\(([a-z_]+), [A-Z_]+, (NULL|PULP_PLUGIN_DIR|"([^"]*)"),.*/\1=\2/p' "$1/core/conf/settings.def" |
		sed 's/=NULL$/=/; s/=PULP_PLUGIN_DIR$/=@plugindir@/; s/="\(.*\)"$/=\1/'
}

lint()
{
	local page=$1/man/pulp-worker.conf.5

	diff <(settings "$1" | sort) \
		<(sed -nE 's/^#([a-z_]+) =( (.*))?$/\1=\3/p' "$1/core/conf/pulp-worker.conf.in" | sort) |
		sed -nE 's/^< (.*)/core\/conf\/pulp-worker.conf.in: lacks \1/p; s/^> (.*)/core\/conf\/pulp-worker.conf.in: has \1/p'
	grep -nvE '^#|^$' "$1/core/conf/pulp-worker.conf.in" | sed -E 's/^([0-9]+):.*/core\/conf\/pulp-worker.conf.in:\1: is not commented out/'
	[ -e "$page" ] || return
	diff <(settings "$1" | sed 's/=.*//' | sort) \
		<(sed -nE 's/^\.It (Ic|Cm|Va|Li|Sy) ([a-z_]+).*/\2/p' "$page" | sort) |
		sed -nE 's/^< (.*)/man\/pulp-worker.conf.5: lacks \1/p; s/^> (.*)/man\/pulp-worker.conf.5: has \1/p'
}

isnt "$(settings "$top_srcdir" | wc -l)" 0 'settings.def is read'
is "$(settings "$top_srcdir" | wc -l)" "$(grep -c '^S(' "$top_srcdir/core/conf/settings.def")" 'all of it'
clean 'settings, sample file and manual agree'

echo 'S(new_one, INT, "7", "W", 1, "new")' >>"$TEST_DIR/copy/core/conf/settings.def"
planted 'a setting that the sample lacks' '^core/conf/pulp-worker\.conf\.in: lacks new_one=7$'
sed -i 's/^#log_level = info/#log_level = debug/' "$TEST_DIR/copy/core/conf/pulp-worker.conf.in"
planted 'a default that is not so' '^core/conf/pulp-worker\.conf\.in: has log_level=debug$'
echo 'slots = 4' >>"$TEST_DIR/copy/core/conf/pulp-worker.conf.in"
planted 'a line that is not commented out' '^core/conf/pulp-worker\.conf\.in:[0-9]+: is not commented out$'
{
	settings "$top_srcdir" | sed '/^slots=/d; s/=.*//; s/^/.It Ic /'
	echo '.It Ic bogus_one Ar n'
} | plant man/pulp-worker.conf.5
cp -R "$TEST_DIR/copy" "$TEST_DIR/again"
planted 'a setting that the manual lacks' '^man/pulp-worker\.conf\.5: lacks slots$'
mv "$TEST_DIR/again/man" "$TEST_DIR/copy/man.new" && rm -rf "$TEST_DIR/copy/man" && mv "$TEST_DIR/copy/man.new" "$TEST_DIR/copy/man"
planted 'a setting that only the manual has' '^man/pulp-worker\.conf\.5: has bogus_one$'
done_testing
