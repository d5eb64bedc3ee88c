/* SPDX-License-Identifier: MIT */
/* Progress reports as lines: in words, and with a bar that fits every width. */
#include <locale.h>
#include <string.h>

#include "cmd/bar.h"
#include "lib/tap.h"

static json_t *
report(const char *json)
{
	json_t *value = json_loads(json, 0, NULL);

	if (!value)
		bail("bad JSON in the test: %s", json);
	return value;
}

static const char files[] =
	"{\"message\": \"Downloading files\", \"code\": \"sync.files\", \"state\": \"running\", \"total\": 1000, \"done\": 450, \"suffix\": null}";
static const char suffixed[] =
	"{\"message\": \"Downloading\", \"code\": \"sync\", \"state\": \"running\", \"total\": 200, \"done\": 50, \"suffix\": \"files\"}";
static const char unknown[] =
	"{\"message\": \"Scanning\", \"code\": \"scan\", \"state\": \"running\", \"total\": null, \"done\": 12345, \"suffix\": \"entries\"}";
static const char failed[] =
	"{\"message\": \"Copying\", \"code\": \"copy\", \"state\": \"failed\", \"total\": 10, \"done\": 3, \"suffix\": null}";
static const char wide[] =
	"{\"message\": \"\u30d5\u30a1\u30a4\u30eb\u3092\u53d6\u5f97\", \"code\": \"w\", \"state\": \"running\", \"total\": 10, \"done\": 5, \"suffix\": null}";
static const char nasty[] =
	"{\"message\": \"a\\u001b[2Jb\\nc\", \"code\": \"n\", \"state\": \"running\", \"total\": 10, \"done\": 20, \"suffix\": \"\\u0007x\"}";
static const char nameless[] = "{\"message\": \"\", \"code\": \"the.code\", \"state\": \"waiting\", \"total\": 0, \"done\": 0, \"suffix\": null}";
static const char *const all[] = { files, suffixed, unknown, failed, wide, nasty, nameless };

static void
words(const char *json, const char *want)
{
	pw_auto_buf buf = PW_BUF_INIT;
	json_t *value = report(json);

	ok(pw_bar_text(value, &buf) == 0, "in words");
	is_str(pw_buf_text(&buf), want, "%s", want);
	json_decref(value);
}

static void
line(const char *json, int width, bool in_blocks, const char *want)
{
	pw_auto_buf buf = PW_BUF_INIT;
	json_t *value = report(json);

	ok(pw_bar_line(value, width, in_blocks, &buf) == 0, "in %d columns", width);
	is_str(pw_buf_text(&buf), want, "|%s|", want);
	json_decref(value);
}

static void
blocks(void)
{
	pw_auto_buf want = PW_BUF_INIT;

	if (pw_buf_adds(&want, "Downloading ") < 0)
		bail("out of memory");
	for (int i = 0; i < 29; i++)
		if (pw_buf_adds(&want, i < 7 ? "\xe2\x96\x88" : "\xe2\x96\x91") < 0)
			bail("out of memory");
	if (pw_buf_adds(&want, "  25 % 50/200 files") < 0)
		bail("out of memory");
	line(suffixed, 60, true, pw_buf_text(&want));
}

static void
every_width(bool in_blocks)
{
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		json_t *value = report(all[i]);
		int bad = -1, control = -1;

		for (int width = 0; width <= 300; width++) {
			pw_auto_buf buf = PW_BUF_INIT;

			if (pw_bar_line(value, width, in_blocks, &buf) < 0 ||
			    pw_text_width(pw_buf_text(&buf)) > width)
				bad = width;
			for (size_t j = 0; j < buf.len; j++)
				if ((unsigned char)buf.data[j] < ' ' ||
				    (!in_blocks && i != 4 && (unsigned char)buf.data[j] > '~'))
					control = width;
		}
		is_int(bad, -1, "report %zu fits every width", i);
		is_int(control, -1, "and is nothing that acts on a terminal");
		json_decref(value);
	}
}

int
main(void)
{
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		bail("there is no locale C.UTF-8");
	words(files, "Downloading files: 450 of 1000 (45 %)");
	words(suffixed, "Downloading: 50 of 200 files (25 %)");
	words(unknown, "Scanning: 12345 entries");
	words(failed, "Copying: 3 of 10 (30 %), failed");
	words(nasty, "a [2Jb c: 20 of 10  x (100 %)");
	words(nameless, "the.code: 0 of 0 (100 %), waiting");

	line(files, 60, false, "Downloading files ############---------------  45 % 450/1000");
	line(files, 40, false, "Downloadi... #####-------  45 % 450/1000");
	blocks();
	line(files, 20, false, "Downloading...  45 %");
	line(unknown, 40, false, "Scanning 12345 entries");
	line(unknown, 16, false, "Sc 12345 entries");
	line(failed, 40, false, "Copying ####----------  30 % 3/10 failed");
	line(files, 0, false, "");
	every_width(false);
	every_width(true);
	return tap_done();
}
