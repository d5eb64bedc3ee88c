/* SPDX-License-Identifier: MIT */
/*
 * The walk over the leaves. In every program that dispatches or runs tasks; pure
 * but for the ring's random bytes. The text was checked by jansson once, so that what is left to do is
 * lexical: what is neither punctuation nor a string with a colon behind it is a leaf.
 */
#include "crypt/leaves.h"

#include <string.h>

#include <jansson.h>

#include "task/json.h"

/* A piece of the text that is one leaf, or one key. */
struct piece {
	const char *text;
	size_t len;
};

typedef int leaf_fn(const struct pw_keyring *keys, const struct piece *leaf, struct pw_buf *buf,
		    struct pw_err *err);

/* What a walk is doing. The leaves of members that are not wanted stay as they are. */
struct walk {
	const struct pw_keyring *keys;
	leaf_fn *leaf;
	const char *const *members; /* NULL: all of them */
	int depth;
	bool wanted;
	int changed;
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The string or the bare word that begins at P. */
static struct piece
piece_at(const char *p, const char *end)
{
	const char *start = p;

	if (*p == '"') {
		for (p++; p < end && *p != '"'; p++)
			if (*p == '\\')
				p++;
		p = p < end ? p + 1 : end;
	} else {
		while (p < end && !is_blank(*p) && !memchr("[]{},:\"", *p, 7))
			p++;
	}
	return (struct piece){ start, (size_t)(p - start) };
}

static const char *
skip_blanks(const char *p, const char *end)
{
	while (p < end && is_blank(*p))
		p++;
	return p;
}

/* However it was written ("\u0061rgs"). */
static bool
is_member(const char *const *members, const struct piece *key)
{
	pw_auto_json *name = json_loadb(key->text, key->len, JSON_DECODE_ANY, NULL);

	for (; json_is_string(name) && *members; members++)
		if (strcmp(json_string_value(name), *members) == 0)
			return true;
	return false;
}

/* A member that is null is as good as one that is not there. */
static bool
is_nothing(const struct walk *walk, const struct piece *piece)
{
	return walk->members && walk->depth == 1 && piece->len == 4 && memcmp(piece->text, "null", 4) == 0;
}

/* A string with a colon behind it, or a leaf. Returns where it ends; NULL with *err filled. */
static const char *
take_piece(struct walk *walk, const char *p, const char *end, struct pw_buf *buf,
	   struct pw_err *err)
{
	struct piece piece = piece_at(p, end);
	const char *stop = p + piece.len, *next = skip_blanks(stop, end);
	int done;

	if (*p == '"' && next < end && *next == ':') {
		if (walk->members && walk->depth == 1)
			walk->wanted = is_member(walk->members, &piece);
	} else if (walk->wanted && !is_nothing(walk, &piece)) {
		done = walk->leaf(walk->keys, &piece, buf, err);
		if (done < 0)
			return NULL;
		walk->changed |= done;
		return stop;
	}
	if (pw_buf_add(buf, piece.text, piece.len) < 0) {
		pw_err_nomem(err);
		return NULL;
	}
	return stop;
}

static int
step(struct walk *walk, const char *json, size_t len, struct pw_buf *buf, struct pw_err *err)
{
	const char *end = json + len;

	for (const char *p = json; p < end;) {
		if (!is_blank(*p) && !memchr("[]{},:", *p, 6)) {
			p = take_piece(walk, p, end, buf, err);
			if (!p)
				return -1;
			continue;
		}
		walk->depth += *p == '[' || *p == '{';
		walk->depth -= *p == ']' || *p == '}';
		if (pw_buf_addc(buf, *p++) < 0)
			return pw_err_nomem(err);
	}
	return walk->changed;
}

static int
check(const char *json, size_t len, size_t flags, struct pw_err *err)
{
	json_error_t why;
	/* Integers as reals: a large one is not refused, and it is the text that is used. */
	pw_auto_json *value =
		json_loadb(json, len, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | flags, &why);

	if (value)
		return 0;
	if (json_error_code(&why) == json_error_out_of_memory)
		return pw_err_nomem(err);
	return pw_err_set(err, PW_ERR_INPUT, "not JSON");
}

static int
run(struct walk *walk, const char *json, size_t len, struct pw_buf *buf, struct pw_err *err)
{
	size_t before = buf->len;
	int done = memchr(json, '\0', len) ? pw_err_set(err, PW_ERR_INPUT, "not JSON") : check(json, len, 0, err);

	if (done == 0)
		done = step(walk, json, len, buf, err);
	if (done < 0 && buf->data) {
		buf->len = before;
		buf->data[before] = '\0';
	}
	return done;
}

static int
seal_leaf(const struct pw_keyring *keys, const struct piece *leaf, struct pw_buf *buf,
	  struct pw_err *err)
{
	if (pw_buf_addc(buf, '"') < 0)
		return pw_err_nomem(err);
	if (pw_keyring_seal(keys, leaf->text, leaf->len, buf, err) < 0)
		return -1;
	return pw_buf_addc(buf, '"') < 0 ? pw_err_nomem(err) : 1;
}

/* Appends what was in the leaf; the number of its key. */
static int
unseal(const struct pw_keyring *keys, const struct piece *leaf, struct pw_buf *buf,
       struct pw_err *err)
{
	if (leaf->text[0] != '"')
		return pw_err_set(err, PW_ERR_INPUT, "a value that is not encrypted");
	return pw_keyring_open(keys, leaf->text + 1, leaf->len - 2, buf, err);
}

static int
open_leaf(const struct pw_keyring *keys, const struct piece *leaf, struct pw_buf *buf,
	  struct pw_err *err)
{
	size_t before = buf->len;
	int which = unseal(keys, leaf, buf, err);

	if (which < 0)
		return -1;
	/* What Python can write and JSON has not (NaN, a lone surrogate) would make nonsense of all the text. */
	if (memchr(buf->data + before, '\0', buf->len - before) ||
	    check(buf->data + before, buf->len - before, JSON_ALLOW_NUL, NULL) < 0)
		return pw_err_set(err, PW_ERR_INPUT, "a token that holds no JSON");
	return 1;
}

static int
rotate_leaf(const struct pw_keyring *keys, const struct piece *leaf, struct pw_buf *buf,
	    struct pw_err *err)
{
	pw_auto_buf clear = PW_BUF_INIT;
	int which = unseal(keys, leaf, &clear, err);

	if (which < 0)
		return -1;
	if (which == 0)
		return pw_buf_add(buf, leaf->text, leaf->len) < 0 ? pw_err_nomem(err) : 0;
	return seal_leaf(keys, &(struct piece){ clear.data, clear.len }, buf, err);
}

/* "[]" and "{}" are the same sealed and in clear. */
static bool
any(const char *json)
{
	for (; json && *json; json++)
		if (!is_blank(*json) && !strchr("[]{},", *json))
			return true;
	return false;
}

bool
pw_leaves_in_arguments(const char *args, const char *kwargs)
{
	return any(args) || any(kwargs);
}

int
pw_leaves_seal_arguments(const struct pw_keyring *keys, const char *args, const char *kwargs,
			 struct pw_buf *ret_args, struct pw_buf *ret_kwargs, struct pw_err *err)
{
	bool nothing = !pw_leaves_in_arguments(args, kwargs);

	if (!keys && !nothing)
		return 0;
	if (!args)
		args = "[]";
	if (!kwargs)
		kwargs = "{}";
	if (nothing)
		return pw_buf_adds(ret_args, args) < 0 || pw_buf_adds(ret_kwargs, kwargs) < 0 ?
			       pw_err_nomem(err) :
			       1;
	if (pw_leaves_seal(keys, args, strlen(args), ret_args, err) < 0)
		return pw_err_prefix(err, "args");
	if (pw_leaves_seal(keys, kwargs, strlen(kwargs), ret_kwargs, err) < 0)
		return pw_err_prefix(err, "kwargs");
	return 1;
}

int
pw_leaves_seal(const struct pw_keyring *keys, const char *json, size_t len, struct pw_buf *buf,
	       struct pw_err *err)
{
	struct walk walk = { .keys = keys, .leaf = seal_leaf, .wanted = true };

	return run(&walk, json, len, buf, err) < 0 ? -1 : 0;
}

int
pw_leaves_open(const struct pw_keyring *keys, const char *json, size_t len, struct pw_buf *buf,
	       struct pw_err *err)
{
	struct walk walk = { .keys = keys, .leaf = open_leaf, .wanted = true };

	return run(&walk, json, len, buf, err) < 0 ? -1 : 0;
}

int
pw_leaves_rotate(const struct pw_keyring *keys, bool plain, const char *json, size_t len,
		 struct pw_buf *buf, struct pw_err *err)
{
	struct walk walk = { .keys = keys, .leaf = plain ? seal_leaf : rotate_leaf, .wanted = true };

	return run(&walk, json, len, buf, err);
}

int
pw_leaves_seal_members(const struct pw_keyring *keys, const char *json, size_t len,
		       const char *const *members, struct pw_buf *buf, struct pw_err *err)
{
	struct walk walk = { .keys = keys, .leaf = seal_leaf, .members = members };

	return run(&walk, json, len, buf, err) < 0 ? -1 : 0;
}
