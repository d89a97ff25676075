/*
 * decide() behind a pipe, for the tests: one process, no network, as many calls as one likes.
 *
 * Input, repeated:   PHASE CONFIG LENGTH\n  and LENGTH bytes of request body
 *                    PHASE is mutate or validate; CONFIG is managed, in-cluster or the path of a file
 * Output, for each:  STATUS LENGTH SKIPPED BINDINGS FINGERPRINT\n  and LENGTH bytes of answer
 *                    SKIPPED is the reason and BINDINGS a comma list, "-" where there is none;
 *                    FINGERPRINT is the configuration's;
 *                    STATUS 0: the configuration cannot be used, and the answer is the sentence that says why
 *
 * Ends at the end of input with all memory given back, so that a leak checker judges what decide() left behind.
 */
#include "base/buf.h"
#include "base/limits.h"
#include "policy/decide/decide.h"
#include "policy/load/load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIPE_LINE_MAX (4 * KIB)
#define PIPE_BODY_MAX (64 * MIB)
#define PIPE_CONFIGS_MAX 4096

/* A configuration by the name it was asked for; `config` is NULL when it could not be used, for the reason `err`. */
struct entry {
	char *name;
	struct config *config;
	struct error err;
};

struct cache {
	struct entry *items[PIPE_CONFIGS_MAX];
	size_t count;
};

static void entry_free(struct entry *e)
{
	if (e == NULL)
		return;
	config_free(e->config);
	free(e->name);
	free(e);
}

static int load_file(const char *path, struct entry *e)
{
	FILE *f = fopen(path, "rb");
	if (f == NULL)
		return error_set(&e->err, ERR_IO, "%s: %s", path, strerror(errno));
	struct buf text;
	buf_init(&text, PIPE_BODY_MAX); /* config_load says what is too large */
	char chunk[4 * KIB];
	size_t n;
	while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
		buf_add(&text, (struct str){chunk, n});
	int r = 0;
	if (ferror(f) != 0 || text.error != 0)
		r = error_set(&e->err, ERR_IO, "%s: it cannot be read whole", path);
	else
		r = config_load(buf_str(&text), path, &e->config, &e->err);
	buf_free(&text);
	if (fclose(f) != 0 && r == 0)
		r = error_set(&e->err, ERR_IO, "%s: %s", path, strerror(errno));
	return r;
}

/* The entry of that name, loaded on first use; NULL when memory or the table is full. Owned by the cache. */
static const struct entry *cache_get(struct cache *cache, const char *name)
{
	for (size_t i = 0; i < cache->count; i++)
		if (strcmp(cache->items[i]->name, name) == 0)
			return cache->items[i];
	if (cache->count == PIPE_CONFIGS_MAX)
		return NULL;
	struct entry *e = calloc(1, sizeof *e);
	if (e == NULL || (e->name = strdup(name)) == NULL) {
		entry_free(e);
		return NULL;
	}
	struct str profile = config_profile(str_of(name));
	int r = profile.p != NULL ? config_load(profile, name, &e->config, &e->err) : load_file(name, e);
	if (r != 0 && e->config != NULL) {
		config_free(e->config);
		e->config = NULL;
	}
	cache->items[cache->count++] = e;
	return e;
}

static void cache_free(struct cache *cache)
{
	for (size_t i = 0; i < cache->count; i++)
		entry_free(cache->items[i]);
}

/* Writes one answer; false when the other side has gone. */
static bool answer(int status, struct str body, const char *rest)
{
	bool ok = printf("%d %zu %s\n", status, body.n, rest) > 0;
	ok = ok && (body.n == 0 || fwrite(body.p, body.n, 1, stdout) == 1);
	return ok && fflush(stdout) == 0;
}

static bool answer_decision(const struct config *config, const struct decision *d)
{
	struct buf rest;
	buf_init(&rest, PIPE_LINE_MAX);
	buf_fmt(&rest, "%s ", d->skipped != NULL ? d->skipped : "-");
	for (size_t i = 0; i < d->binding_count; i++)
		buf_fmt(&rest, "%s%.*s", i > 0 ? "," : "", STR_ARG(d->bindings[i]));
	buf_fmt(&rest, "%s %.*s", d->binding_count > 0 ? "" : "-", STR_ARG(config->fingerprint));
	bool ok = rest.error == 0 && answer(d->http_status, buf_str(&d->body), buf_str(&rest).p);
	buf_free(&rest);
	return ok;
}

/* Takes "PHASE CONFIG LENGTH\n" apart in place. */
static bool header_parse(char *line, enum phase *phase, const char **config, size_t *length)
{
	char *first = strchr(line, ' '), *last = strrchr(line, ' ');
	if (first == NULL || first == last)
		return false;
	*first = *last = '\0';
	if (strcmp(line, "mutate") == 0)
		*phase = PHASE_MUTATE;
	else if (strcmp(line, "validate") == 0)
		*phase = PHASE_VALIDATE;
	else
		return false;
	*config = first + 1;
	char *end;
	errno = 0;
	unsigned long n = strtoul(last + 1, &end, 10);
	if (errno != 0 || end == last + 1 || *end != '\n' || n > PIPE_BODY_MAX)
		return false;
	*length = n;
	return true;
}

/* Serves one frame whose header is `line`: 0, or 1 when the stream cannot go on. */
static int serve(struct cache *cache, char *line)
{
	enum phase phase;
	const char *name;
	size_t length;
	if (!header_parse(line, &phase, &name, &length)) {
		(void)fputs("decide_pipe: expected 'PHASE CONFIG LENGTH'\n", stderr);
		return 1;
	}
	/* Exactly as long as the body, and without a NUL behind it: a read past the end is then caught. */
	char *body = malloc(length > 0 ? length : 1);
	if (body == NULL || fread(body, 1, length, stdin) != length) {
		(void)fputs("decide_pipe: the body ended early or does not fit in memory\n", stderr);
		free(body);
		return 1;
	}
	const struct entry *e = cache_get(cache, name);
	bool ok = false;
	if (e == NULL) {
		(void)fputs("decide_pipe: too many configurations\n", stderr);
	} else if (e->config == NULL) {
		ok = answer(0, error_str(&e->err), "- - -");
	} else {
		struct decision d = {0};
		decide(e->config, phase, (struct str){body, length}, &d);
		ok = answer_decision(e->config, &d);
		decision_free(&d);
	}
	free(body);
	return ok ? 0 : 1;
}

int main(void)
{
	static struct cache cache;
	char line[PIPE_LINE_MAX];
	int r = 0;
	while (r == 0 && fgets(line, sizeof line, stdin) != NULL)
		r = serve(&cache, line);
	cache_free(&cache);
	return r;
}
