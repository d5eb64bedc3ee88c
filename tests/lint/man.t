#!/bin/bash
# SPDX-License-Identifier: MIT
# The manual pages are good mdoc, and a program's page and its --help name the same
# options and verbs.
. "${top_srcdir:?}/tests/lint/lint.sh"
command -v mandoc >/dev/null || skip_all 'mandoc is missing: apt-get install mandoc'

# options TEXT...: the long options in a text.
options()
{
	grep -oE '(^|[^a-zA-Z0-9-])--[a-z][a-z0-9-]+' | grep -oE -- '--[a-z][a-z0-9-]+' | sort -u
}

# help_options PROGRAM: those of --help and of each verb's --help.
help_options()
{
	local verb

	{
		"$1" --help
		"$1" --help | sed -nE 's/^ +([a-z][a-z-]+)( ([a-z]+))?( .*)?$/\1 \3/p' | sort -u | while read -r verb; do
			# shellcheck disable=SC2086 # a verb may be two words
			timeout 10 "$1" $verb --help 2>/dev/null || timeout 10 "$1" ${verb%% *} --help 2>/dev/null
		done
	} </dev/null | options
}

page_options()
{
	mandoc -T ascii -O width=1000 "$1" | sed 's/.\x08//g' | options
}

lint()
{
	local page name program

	for page in "$1"/man/*.[1-8]; do
		[ -e "$page" ] || continue
		name=man/${page##*/}
		# Pages of ours refer to each other before any is installed.
		mandoc -T lint -W style "$page" 2>&1 | grep -vE 'referenced manual not found|outdated mandoc\.db' |
			sed "s|^mandoc: $page:|$name:|"
		head -n 1 "$page" | grep -q '^\.\\" SPDX-License-Identifier: MIT' || echo "$name:1: no line SPDX-License-Identifier: MIT"
		case $page in
		*.[18]) program=$(command -v "$(basename "${page%.*}")") || continue ;;
		*) continue ;;
		esac
		diff <(help_options "$program") <(page_options "$page") |
			sed -nE "s|^< (.*)|$name: lacks \1, which --help has|p; s|^> (.*)|$name: has \1, which --help lacks|p"
	done
	# Every installed program has a page.
	for program in "$PULP_TEST_PREFIX"/bin/* "$PULP_TEST_PREFIX"/sbin/*; do
		[ ! -x "$program" ] || compgen -G "$1/man/${program##*/}.[18]" >/dev/null ||
			echo "man: no page for ${program##*/}"
	done
}

clean 'the pages are good, and agree with the programs'

# A program and its page to plant faults into.
mkdir bin
PATH=$TEST_DIR/bin:$PATH
cat >bin/pulp-sample <<'END'
#!/bin/sh
case $1 in
show) echo 'Usage: pulp-sample show [--json]' ;;
*) printf 'Usage: pulp-sample [--slots N]\n  show   shows\n  --help\n' ;;
esac
END
chmod +x bin/pulp-sample
# page OPTION...: a page that names these options.
page()
{
	mkdir -p "$TEST_DIR/copy/man"
	{
		printf '.\\" SPDX-License-Identifier: MIT\n.Dd November 1, 2026\n.Dt PULP-SAMPLE 1\n.Os\n.Sh NAME\n.Nm pulp-sample\n'
		printf '.Nd shows\n.Sh SYNOPSIS\n.Nm\n.Op Ar option\n.Sh DESCRIPTION\n.Bl -tag -width 4n\n'
		printf '.It Fl -%s\nText.\n' "$@"
		printf '.El\n'
	} | plant man/pulp-sample.1
}
page help json slots
is "$(lint "$TEST_DIR/copy" | grep pulp-sample)" '' 'a page that agrees'
page help json
planted 'an option that the page lacks' '^man/pulp-sample\.1: lacks --slots, which --help has$'
page help slots
planted 'one of a verb' '^man/pulp-sample\.1: lacks --json, which --help has$'
page help json slots verbose
planted 'an option that only the page has' '^man/pulp-sample\.1: has --verbose, which --help lacks$'
page help json slots
sed -i 's/^\.Nd shows/.Nd shows. \n.Xx/' "$TEST_DIR/copy/man/pulp-sample.1"
planted 'bad mdoc' '^man/pulp-sample\.1:[0-9]+:[0-9]+: (ERROR|WARNING|STYLE)'
page help json slots
sed -i 1d "$TEST_DIR/copy/man/pulp-sample.1"
planted 'a page without a licence' '^man/pulp-sample\.1:1: no line SPDX'
done_testing
