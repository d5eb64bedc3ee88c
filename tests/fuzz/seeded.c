/* SPDX-License-Identifier: MIT */
/*
 * A fuzzer as a quick test: no compiler's help, but the same inputs each time. Inputs are strings of the words
 * in its .dict file (tests/fuzz/, named as the program is: seeded-NAME), changed here and there.
 * PULP_TEST_SEED and PULP_TEST_STEPS choose others and more; with PULP_TEST_LONG it goes on for long.
 */
#include <signal.h>
#include <unistd.h>

#include "fuzz/fuzz.h"
#include "lib/tap.h"

enum { WORDS = 200, WORD_SIZE = 300, INPUT_SIZE = 4096 };
#ifndef STEPS
#define STEPS 20000 /* the slow ones have fewer */
#endif

static struct {
	char bytes[WORD_SIZE];
	size_t len;
} words[WORDS];
static size_t word_count;
static uint64_t state, seed;
static unsigned long long step;

/* splitmix64 */
static uint64_t
draw(uint64_t most)
{
	uint64_t z = state += 0x9e3779b97f4a7c15U;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
	z = (z ^ z >> 27) * 0x94d049bb133111ebU;
	return (z ^ z >> 31) % most;
}

/* "text with \" \\ and \xHH" */
static void
take_word(const char *line)
{
	char *out = words[word_count].bytes;
	unsigned value;

	for (line++; *line && *line != '"' && out < words[word_count].bytes + WORD_SIZE - 1; line++) {
		if (*line != '\\') {
			*out++ = *line;
		} else if (line[1] == 'x' && sscanf(line + 2, "%2x", &value) == 1) {
			*out++ = (char)value;
			line += 3;
		} else {
			*out++ = *++line;
		}
	}
	words[word_count].len = (size_t)(out - words[word_count].bytes);
	word_count += words[word_count].len > 0;
}

static void
read_words(const char *name)
{
	const char *top = getenv("top_srcdir");
	char path[1000], line[2000];
	FILE *file;

	snprintf(path, sizeof(path), "%s/tests/fuzz/%s.dict", top ? top : ".", name);
	file = fopen(path, "r");
	if (!file)
		bail("%s: no such file", path);
	while (word_count < WORDS && fgets(line, sizeof(line), file))
		if (line[0] == '"')
			take_word(line);
	fclose(file);
	if (!word_count)
		bail("%s: no words", path);
}

static size_t
make_input(uint8_t *input)
{
	size_t size = 0, pieces = draw(8) == 0 ? draw(60) : draw(6);
	size_t changes = draw(3) == 0 ? draw(5) : 0;

	for (size_t i = 0; i < pieces; i++) {
		size_t which = draw(word_count + word_count / 4 + 1);

		if (size + WORD_SIZE > INPUT_SIZE)
			break;
		if (which >= word_count) {
			input[size++] = (uint8_t)draw(256);
			continue;
		}
		memcpy(input + size, words[which].bytes, words[which].len);
		size += words[which].len;
	}
	for (size_t i = 0; i < changes && size; i++) {
		size_t at = draw(size);

		if (draw(2))
			input[at] ^= (uint8_t)(1 << draw(8));
		else
			memmove(input + at, input + at + 1, --size - at);
	}
	return size;
}

static void
say_where(int signal)
{
	char line[120];
	int len = snprintf(line, sizeof(line), "Bail out! signal %d at PULP_TEST_SEED=%llu, step %llu\n", signal,
			   (unsigned long long)seed, step);

	if (write(STDOUT_FILENO, line, (size_t)len) < 0)
		_exit(98);
	_exit(99);
}

static unsigned long long
number_of(const char *name, unsigned long long otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

int
main(int argc, char **argv)
{
	static const int fatal[] = { SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL };
	const char *name = strstr(argv[0], "seeded-");
	const char *more = getenv("PULP_TEST_LONG"), *slow = getenv("PULP_TEST_SLOW");
	unsigned long long steps = number_of("PULP_TEST_STEPS", more && *more ? STEPS * 50 :
								slow && *slow ? STEPS / 20 :
										STEPS);
	uint8_t *input = malloc(INPUT_SIZE);

	if (argc != 1 || !name || !input)
		bail("no arguments; the name is seeded-NAME");
	read_words(name + strlen("seeded-"));
	seed = number_of("PULP_TEST_SEED", 20261124);
	for (size_t i = 0; i < sizeof(fatal) / sizeof(*fatal); i++)
		signal(fatal[i], say_where);
	for (step = 0; step < steps; step++) {
		uint8_t *exact;
		size_t size;

		state = seed * 1000003 + step; /* each step can be had alone */
		size = make_input(input);
		exact = malloc(size + 1); /* so that a byte too far is seen by valgrind and the like */
		if (!exact)
			bail("memory");
		memcpy(exact, input, size);
		LLVMFuzzerTestOneInput(exact, size);
		free(exact);
	}
	ok(steps > 0 && step == steps, "%llu inputs from seed %llu", steps, (unsigned long long)seed);
	free(input);
	return tap_done();
}
