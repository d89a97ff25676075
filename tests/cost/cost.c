/*
 * decide() behind a pipe, in a build that counts what it does: `make cost` compiles all of src/, but not this file,
 * with -fsanitize-coverage=trace-pc, which calls a function at each basic block, and puts counters around the
 * functions of the C library whose time depends on lengths. No clock, and the same figure at each run.
 *
 * Input, repeated:   PHASE LIMIT LENGTH\n  and LENGTH bytes of request body, judged by the profile managed;
 *                    PHASE is mutate, validate, or unread for what `review` alone looks for;
 *                    LIMIT is the memory of the decision in bytes, 0 for the default
 * Output, for each:  STATUS STEPS WORK PEAK OVER OUTCOME\n
 *                    STEPS: blocks, and 16 bytes of the C library's; WORK: units of the budget; PEAK: its memory, in
 *                    bytes, at the end; OVER: the limit that the budget is over, or "none"; OUTCOME: "denied",
 *                    "patched", why nothing was done, or "allowed"
 */
#include "base/limits.h"
#include "policy/decide/decide.h"
#include "policy/load/load.h"
#include "policy/plan/unread.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_OF_A_STEP 16

static uint64_t steps;

void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void)
{
	steps++;
}

static void pay(size_t bytes)
{
	steps += 1 + bytes / BYTES_OF_A_STEP;
}

/* What the linker calls instead (--wrap). */
size_t __real_strlen(const char *s);
size_t __wrap_strlen(const char *s);
size_t __wrap_strlen(const char *s)
{
	size_t n = __real_strlen(s);
	pay(n);
	return n;
}

int __real_strcmp(const char *a, const char *b);
int __wrap_strcmp(const char *a, const char *b);
int __wrap_strcmp(const char *a, const char *b)
{
	size_t n = 0;
	while (a[n] != '\0' && a[n] == b[n])
		n++;
	pay(n);
	return __real_strcmp(a, b);
}

int __real_memcmp(const void *a, const void *b, size_t n);
int __wrap_memcmp(const void *a, const void *b, size_t n);
int __wrap_memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;
	size_t same = 0;
	while (same < n && x[same] == y[same])
		same++;
	pay(same);
	return __real_memcmp(a, b, n);
}

void *__real_memchr(const void *s, int c, size_t n);
void *__wrap_memchr(const void *s, int c, size_t n);
void *__wrap_memchr(const void *s, int c, size_t n)
{
	void *at = __real_memchr(s, c, n);
	pay(at != NULL ? (size_t)((const char *)at - (const char *)s) : n);
	return at;
}

void *__real_memmem(const void *s, size_t n, const void *part, size_t m);
void *__wrap_memmem(const void *s, size_t n, const void *part, size_t m);
void *__wrap_memmem(const void *s, size_t n, const void *part, size_t m)
{
	void *at = __real_memmem(s, n, part, m);
	pay(m + (at != NULL ? (size_t)((const char *)at - (const char *)s) : n));
	return at;
}

void *__real_memcpy(void *to, const void *from, size_t n);
void *__wrap_memcpy(void *to, const void *from, size_t n);
void *__wrap_memcpy(void *to, const void *from, size_t n)
{
	pay(n);
	return __real_memcpy(to, from, n);
}

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
	pay(count * size);
	return __real_calloc(count, size);
}

/* What `review` looks for in the object, where nobody reads annotations. */
static void look(const struct config *config, struct str body, struct decision *d)
{
	struct arena arena = {0};
	const struct json *root = NULL;
	if (json_parse_in(&arena, body, &root, NULL) == 0) {
		const struct json *object = json_path(root, "request", "object", NULL);
		const struct workload_kind *kind =
			workload_find(STR("apps"), json_string(json_getz(object, "kind")));
		struct workload w;
		struct workload_fault fault;
		struct unread found;
		struct str remedy;
		unread_find(&arena, config, object, &found);
		if (kind != NULL && workload_open(kind, object, &w, &fault))
			(void)unread_misplaced(&arena, config, &w, &remedy);
	}
	d->http_status = arena.failed ? 500 : 200;
	d->allowed = true;
	arena_free(&arena);
}

static int serve(const struct config *config, const char *line)
{
	char phase[16];
	char *end;
	size_t word = strcspn(line, " ");
	if (word >= sizeof phase)
		return 1;
	(void)snprintf(phase, sizeof phase, "%.*s", (int)word, line);
	unsigned long limit = strtoul(line + word, &end, 10), length = strtoul(end, &end, 10);
	char *body = *end == '\n' && length > 0 ? malloc(length) : NULL;
	if (body == NULL || fread(body, 1, length, stdin) != length) {
		free(body);
		return 1;
	}
	struct decision d = {.budget.memory_limit = limit};
	steps = 0;
	if (strcmp(phase, "unread") == 0)
		look(config, (struct str){body, length}, &d);
	else
		decide(config, strcmp(phase, "mutate") == 0 ? PHASE_MUTATE : PHASE_VALIDATE, (struct str){body, length}, &d);
	uint64_t counted = steps;
	const char *outcome = !d.allowed ? "denied" : d.patched ? "patched" : d.skipped != NULL ? d.skipped : "allowed";
	bool ok = printf("%d %llu %zu %zu %s %s\n", d.http_status, (unsigned long long)counted, d.budget.work,
			 d.budget.memory, budget_limit_name(d.budget.over), outcome) > 0;
	decision_free(&d);
	free(body);
	return ok && fflush(stdout) == 0 ? 0 : 1;
}

int main(void)
{
	struct config *config = NULL;
	char line[256];
	int r = config_load(config_profile(STR("managed")), "managed", &config, NULL);
	while (r == 0 && fgets(line, sizeof line, stdin) != NULL)
		r = serve(config, line);
	config_free(config);
	return r != 0;
}
