/*
 * Memory that runs out: the pure parts of connhook behind a pipe, each run anew for every allocation that it makes,
 * which then fails: it alone, and it with all that follow. What comes of it must be what comes of it with memory, or
 * the complete error, and all memory must be given back.
 *
 * Command line:      torture [STEP]      every STEPth allocation, from another one for each input; default: every one,
 *                                        but for very large inputs
 * Input, repeated:   PART CONFIG LENGTH\n  and LENGTH bytes
 *                    PART is one of `parts` below; CONFIG as for decide_pipe, "-" where the part needs none
 * Output, for each:  fault MODE NUMBER STACK WHAT\n  for each run that went wrong; MODE is only or rest, NUMBER the
 *                    allocation's, STACK its callers as hexadecimal places in this program, parted by commas
 *                    done ALLOCATIONS RUNS ERRORS SAME REFUSED\n  every run is one of the last three, or a fault
 *
 * The runs for one input happen in a child process, so that a crash is one more fault and not the end.
 */
#include "base/buf.h"
#include "base/limits.h"
#include "codec/base64.h"
#include "codec/diff.h"
#include "codec/json_patch.h"
#include "codec/yaml.h"
#include "codec/yaml_write.h"
#include "pki/pki.h"
#include "policy/decide/decide.h"
#include "policy/load/load.h"
#include "publish/native.h"
#include "publish/registration.h"

#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <unwind.h>

#define LINE_MAX_BYTES (4 * KIB)
#define INPUT_MAX (64 * MIB)
#define VIEW_MAX (256 * MIB)
#define FAULTS_MAX 8      /* for one input; the others of it are not looked for */
#define WHAT_MAX 400      /* how much of a wrong outcome is shown */
#define STACK_MAX 24
#define WORK_MAX 20000000 /* allocations in all runs of one mode; of inputs with more, not each allocation is tried */
#define BYTES_PER_WORK 16 /* so many bytes of an input take as long as an allocation */
#define RUN_SECONDS 60    /* for one run, which takes milliseconds */
#define SOURCES_MAX 8

/* ---- the allocator ---- */

#ifdef __SANITIZE_ADDRESS__
#define REAL(name) __interceptor_##name
#else
#define REAL(name) __libc_##name
#endif
/* A sanitizer allocates before it is ready to check anything. */
#define UNCHECKED __attribute__((no_sanitize("address", "undefined")))

extern void *REAL(malloc)(size_t n);
extern void *REAL(calloc)(size_t count, size_t size);
extern void *REAL(realloc)(void *p, size_t n);
extern void REAL(free)(void *p);

static struct memory {
	bool armed;   /* allocations are counted, and fail */
	bool rest;    /* those behind `fail_at` too */
	long count;   /* since it was armed */
	long fail_at; /* 0: none */
	long live;    /* blocks that have not been given back */
	void **stack; /* where the callers of the first that failed are noted */
} memory;

/* Notes one caller; `at` is where the next one goes. */
static _Unwind_Reason_Code note_caller(struct _Unwind_Context *context, void *at)
{
	void ***next = at;
	if (*next == memory.stack + STACK_MAX)
		return _URC_END_OF_STACK;
	*(*next)++ = (void *)_Unwind_GetIP(context);
	return _URC_NO_REASON;
}

__attribute__((noinline)) static void note_stack(void)
{
	void **next = memory.stack;
	memset(memory.stack, 0, STACK_MAX * sizeof *memory.stack);
	memory.armed = false;
	(void)_Unwind_Backtrace(note_caller, &next);
	memory.armed = true;
}

UNCHECKED static bool fails(void)
{
	if (!memory.armed)
		return false;
	memory.count++;
	if (memory.fail_at == 0 || memory.count < memory.fail_at || (memory.count > memory.fail_at && !memory.rest))
		return false;
	if (memory.count == memory.fail_at)
		note_stack();
	errno = ENOMEM;
	return true;
}

UNCHECKED static void *counted(void *p)
{
	memory.live += p != NULL;
	return p;
}

UNCHECKED void *malloc(size_t n)
{
	return fails() ? NULL : counted(REAL(malloc)(n));
}

UNCHECKED void *calloc(size_t count, size_t size)
{
	return fails() ? NULL : counted(REAL(calloc)(count, size));
}

UNCHECKED void free(void *p)
{
	memory.live -= p != NULL;
	REAL(free)(p);
}

UNCHECKED void *realloc(void *p, size_t n)
{
	if (p == NULL)
		return malloc(n);
	if (n > 0)
		return fails() ? NULL : REAL(realloc)(p, n);
	free(p);
	return NULL;
}

void *reallocarray(void *p, size_t count, size_t size)
{
	if (size != 0 && count > SIZE_MAX / size) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(p, count * size);
}

char *strndup(const char *s, size_t max)
{
	size_t n = strnlen(s, max);
	char *copy = malloc(n + 1);
	if (copy == NULL)
		return NULL;
	memcpy(copy, s, n);
	copy[n] = '\0';
	return copy;
}

char *strdup(const char *s)
{
	return strndup(s, strlen(s));
}

/* ---- the parts, and what can be seen of their outcome ---- */

/* What every complete error looks like. */
#define NO_MEMORY "out of memory"

struct input {
	const struct config *config; /* NULL for a part without */
	struct str text;
};

/* Runs with memory armed, then writes all that came of it. NO_MEMORY stands for the whole, complete error. */
typedef void part_run(const struct input *in, struct buf *view);

static void arm(void)
{
	memory.count = 0;
	memory.armed = true;
}

static void disarm(void)
{
	memory.armed = false;
}

static void see(struct buf *view, const char *name, struct str s)
{
	buf_fmt(view, "%s", name);
	if (s.p != NULL)
		buf_fmt(view, "=%.*s", STR_ARG(s));
	buf_addc(view, '\n');
}

/* A failed function whose sentence is the one for memory. */
static bool is_nomem(int rc, const struct error *err)
{
	return rc == ERR_NOMEM && strcmp(err->text, NO_MEMORY) == 0;
}

static bool is_failed(const struct buf *b)
{
	return b->error == ERR_NOMEM && b->p == NULL && b->n == 0;
}

static void see_buf(struct buf *view, const char *name, const struct buf *b)
{
	buf_fmt(view, "%d ", b->error);
	see(view, name, buf_str(b));
}

/* Does nothing but the status and the answer remain of a decision without memory? */
static bool is_bare(const struct decision *d)
{
	static const char said[] =
		"{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"message\":\"" NO_MEMORY
		"\",\"reason\":\"InternalError\",\"code\":500}";
	return d->http_status == 500 && (is_failed(&d->body) || str_eqz(buf_str(&d->body), said)) && !d->allowed &&
	       !d->patched && d->skipped == NULL && d->patch.p == NULL && d->finding_count == 0 && d->binding_count == 0 &&
	       d->warning_count == 0 && d->advice_count == 0;
}

static void see_decision(struct buf *view, const struct decision *d)
{
	buf_fmt(view, "%d %s%s%s skipped=%s\n", d->http_status, d->allowed ? "allowed" : "denied",
		d->patched ? " patched" : "", d->dry_run ? " dry-run" : "", d->skipped != NULL ? d->skipped : "-");
	see_buf(view, "body", &d->body);
	see(view, "uid", d->uid);
	see(view, "operation", d->operation);
	see(view, "group", d->group);
	see(view, "kind", d->kind);
	see(view, "namespace", d->namespace);
	see(view, "name", d->name);
	see(view, "user", d->user);
	see(view, "patch", d->patch);
	for (size_t i = 0; i < d->finding_count; i++) {
		const struct finding *f = &d->findings[i];
		buf_fmt(view, "%s %d %d ", f->rule, (int)f->mode, (int)f->audited);
		see(view, "field", f->field);
		see(view, "message", f->message);
	}
	for (size_t i = 0; i < d->binding_count; i++)
		see(view, "binding", d->bindings[i]);
	for (size_t i = 0; i < d->warning_count; i++)
		see(view, "warning", d->warnings[i]);
	for (size_t i = 0; i < d->advice_count; i++) {
		see(view, "advice", d->advice[i].message);
		see(view, "field", d->advice[i].field);
	}
}

static void run_decide(const struct input *in, enum phase phase, struct buf *view)
{
	struct decision d = {0};
	arm();
	decide(in->config, phase, in->text, &d);
	disarm();
	if (is_bare(&d))
		buf_addz(view, NO_MEMORY);
	else
		see_decision(view, &d);
	decision_free(&d);
}

static void run_mutate(const struct input *in, struct buf *view)
{
	run_decide(in, PHASE_MUTATE, view);
}

static void run_validate(const struct input *in, struct buf *view)
{
	run_decide(in, PHASE_VALIDATE, view);
}

/* ---- all that is written from a configuration ---- */

enum { WRITTEN_MUTATING, WRITTEN_VALIDATING, WRITTEN_NOTES, WRITTEN_POLICIES, WRITTEN_BINDINGS, WRITTEN };

static void write_objects(const struct config *config, struct buf written[WRITTEN])
{
	static const struct registration by_service = {
		.namespace = STR_INIT("connhook"),
		.service = STR_INIT("connhook"),
		.port = 443,
		.ca_bundle = STR_INIT("-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"),
		.minor = REGISTRATION_MATCH_CONDITIONS,
	};
	static const struct registration by_url = {
		.url = STR_INIT("https://localhost:8443"),
		.inject_ca_from = STR_INIT("connhook/connhook"),
	};
	registration_write_mutating(&written[WRITTEN_MUTATING], config, &by_service);
	registration_write_validating(&written[WRITTEN_VALIDATING], config, &by_url);
	native_write_notes(&written[WRITTEN_NOTES], config);
	for (enum rule_id id = 0; id < RULE_COUNT; id++) {
		if (!native_has(config, id))
			continue;
		native_write_policy(&written[WRITTEN_POLICIES], config, id);
		native_write_binding(&written[WRITTEN_BINDINGS], config, id);
	}
}

static void see_objects(struct buf *view, const struct config *config, bool torture)
{
	struct buf written[WRITTEN];
	bool failed = false;
	for (size_t i = 0; i < WRITTEN; i++)
		buf_init(&written[i], LIMIT_RESPONSE);
	if (torture)
		arm();
	write_objects(config, written);
	disarm();
	for (size_t i = 0; i < WRITTEN; i++)
		failed = failed || is_failed(&written[i]);
	if (failed)
		buf_addz(view, NO_MEMORY);
	for (size_t i = 0; i < WRITTEN; i++) {
		if (!failed)
			see_buf(view, "written", &written[i]);
		buf_free(&written[i]);
	}
}

static void run_registration(const struct input *in, struct buf *view)
{
	see_objects(view, in->config, true);
}

static void run_config(const struct input *in, struct buf *view)
{
	struct config *config = NULL;
	struct error err = {.text = ""};
	arm();
	int rc = config_load(in->text, "config.yaml", &config, &err);
	disarm();
	if (is_nomem(rc, &err) && config == NULL) {
		buf_addz(view, NO_MEMORY);
		return;
	}
	buf_fmt(view, "%d %s\n", rc, err.text);
	if (config == NULL)
		return;
	see(view, "fingerprint", config->fingerprint);
	see_objects(view, config, false);
	config_free(config);
}

/* ---- JSON Patch: a document, a NUL byte, a patch ---- */

static int patch_parsed(struct str document, struct str patch_text, struct json **tree, const struct json *before,
			struct error *err)
{
	struct json *patch = NULL;
	int rc = json_parse(document, tree, err);
	if (rc == 0)
		rc = json_parse(patch_text, &patch, err);
	if (rc == 0)
		rc = json_patch_apply(tree, patch, err);
	disarm();
	json_free(patch);
	if (rc != 0 && *tree != NULL && !json_equal(*tree, before))
		return error_set(err, ERR_IO, "a failed patch has changed the document");
	return rc;
}

static void run_patch(const struct input *in, struct buf *view)
{
	size_t nul = str_find(in->text, '\0');
	struct str document = {in->text.p, nul};
	struct json *before = NULL, *tree = NULL;
	struct error err = {.text = ""};
	if (json_parse(document, &before, &err) != 0) {
		buf_addz(view, err.text);
		return;
	}
	arm();
	int rc = patch_parsed(document, str_from(in->text, nul + 1), &tree, before, &err);
	if (is_nomem(rc, &err)) {
		buf_addz(view, NO_MEMORY);
	} else {
		buf_fmt(view, "%d %s\n", rc, err.text);
		json_write(view, tree);
	}
	json_free(before);
	json_free(tree);
}

/* ---- YAML: read, as JSON, written as YAML again, and the difference of the two ---- */

static int yaml_again(struct arena *arena, struct str text, struct buf written[2], struct error *err)
{
	const struct yaml_node **documents;
	size_t count;
	int rc = yaml_parse(arena, text, &documents, &count, err);
	for (size_t i = 0; i < count && rc == 0; i++) {
		const struct json *value = NULL;
		struct buf json;
		buf_init(&json, VIEW_MAX);
		yaml_to_json(&json, documents[i]);
		rc = json.error != 0 ? error_nomem(err) : json_parse_in(arena, buf_str(&json), &value, err);
		if (rc == 0)
			yaml_write(&written[0], value);
		buf_free(&json);
	}
	if (rc == 0 && written[0].error == 0)
		diff_unified(&written[1], text, buf_str(&written[0]), STR("before"), STR("after"), true);
	return rc;
}

static void run_yaml(const struct input *in, struct buf *view)
{
	struct arena arena = {0};
	struct error err = {.text = ""};
	struct buf written[2];
	buf_init(&written[0], VIEW_MAX);
	buf_init(&written[1], VIEW_MAX);
	arm();
	int rc = yaml_again(&arena, in->text, written, &err);
	disarm();
	if (is_nomem(rc, &err) || is_failed(&written[0]) || is_failed(&written[1])) {
		buf_addz(view, NO_MEMORY);
	} else {
		buf_fmt(view, "%d %s\n", rc, err.text);
		see_buf(view, "yaml", &written[0]);
		see_buf(view, "diff", &written[1]);
	}
	buf_free(&written[0]);
	buf_free(&written[1]);
	arena_free(&arena);
}

/* ---- base64, there and back ---- */

static void run_base64(const struct input *in, struct buf *view)
{
	struct buf text, bytes;
	struct error err = {.text = ""};
	buf_init(&text, VIEW_MAX);
	buf_init(&bytes, VIEW_MAX);
	arm();
	base64_encode(&text, in->text);
	int rc = text.error != 0 ? 0 : base64_decode(&bytes, buf_str(&text), &err);
	disarm();
	if (is_failed(&text) || is_failed(&bytes)) {
		buf_addz(view, NO_MEMORY);
	} else {
		buf_fmt(view, "%d %s\n", rc, err.text);
		see_buf(view, "text", &text);
		see_buf(view, "bytes", &bytes);
	}
	buf_free(&text);
	buf_free(&bytes);
}

/*
 * ---- certificates: files parted by NUL bytes ----
 *
 * OpenSSL 3.0 makes of some failed allocations that a key or a signature is bad, or leaves a detail out; in a few
 * places it loses blocks. So here an outcome may also be a refusal for a wrong reason, never an approval; and a few
 * runs may leave blocks behind. A leak of connhook's own would do so in hundreds.
 */
#define REFUSED "refused: "
#define LOST_RUNS_MAX 8

static size_t sources_of(struct str text, struct pki_source sources[SOURCES_MAX])
{
	static const char *const names[SOURCES_MAX] = {"file 1", "file 2", "file 3", "file 4",
						       "file 5", "file 6", "file 7", "file 8"};
	size_t count = 0;
	for (struct str part; count < SOURCES_MAX && str_split(&text, '\0', &part); count++)
		sources[count] = (struct pki_source){names[count], part};
	return count;
}

static void run_inspect(const struct input *in, struct buf *view)
{
	struct pki_source sources[SOURCES_MAX];
	struct pki_report report = {0};
	struct error err = {.text = ""};
	size_t count = sources_of(in->text, sources);
	ERR_clear_error(); /* makes the list of errors, without which OpenSSL says nothing */
	arm();
	int rc = pki_inspect(sources, count, time(NULL), &report, &err);
	disarm();
	if (is_nomem(rc, &err)) {
		buf_addz(view, NO_MEMORY);
	} else {
		buf_fmt(view, "%s%d %zu %s\n", rc == ERR_INVALID || !report.good ? REFUSED : "", rc, report.file_count,
			err.text);
	}
	pki_report_dispose(&report);
	OPENSSL_thread_stop(); /* OpenSSL keeps the memory of its list of errors for as long as the thread lives */
}

static void run_pair(const struct input *in, struct buf *view)
{
	struct pki_source sources[SOURCES_MAX];
	struct error err = {.text = ""};
	if (sources_of(in->text, sources) != 2)
		return;
	ERR_clear_error();
	arm();
	int rc = pki_pair_check(&sources[0], &sources[1], time(NULL), &err);
	disarm();
	if (is_nomem(rc, &err))
		buf_addz(view, NO_MEMORY);
	else
		buf_fmt(view, "%s%d %s\n", rc == ERR_INVALID ? REFUSED : "", rc, err.text);
	OPENSSL_thread_stop();
}

static const struct part {
	const char *name;
	bool wants_config, of_openssl;
	part_run *run;
} parts[] = {
	{"mutate", true, false, run_mutate},
	{"validate", true, false, run_validate},
	{"registration", true, false, run_registration},
	{"config", false, false, run_config},
	{"patch", false, false, run_patch},
	{"yaml", false, false, run_yaml},
	{"base64", false, false, run_base64},
	{"inspect", false, true, run_inspect},
	{"pair", false, true, run_pair},
};

/* ---- the runs for one input ---- */

enum { MODE_ONLY, MODE_REST, MODES };

static const char *const mode_names[MODES] = {"only", "rest"};

/* Shared by the process that reports and the one that runs, so that it outlives a crash. */
static struct progress {
	long allocations, runs, errors, same, refused, lost;
	int mode;
	long number, step;
	void *stack[STACK_MAX];
	size_t fault_count;
	struct fault {
		int mode;
		long number;
		void *stack[STACK_MAX];
		char what[WHAT_MAX];
	} faults[FAULTS_MAX];
} *progress;

static void add_fault(const char *what)
{
	if (progress->fault_count == FAULTS_MAX)
		return;
	struct fault *f = &progress->faults[progress->fault_count++];
	f->mode = progress->mode;
	f->number = progress->number;
	memcpy(f->stack, progress->stack, sizeof f->stack);
	(void)snprintf(f->what, sizeof f->what, "%s", what);
	for (char *c = f->what; *c != '\0'; c++)
		if ((unsigned char)*c < ' ')
			*c = ' ';
}

/* The part of `view` from where it begins to differ, with a little before it. */
static void add_difference(struct str whole, struct str view)
{
	char what[WHAT_MAX];
	size_t at = 0;
	while (at < whole.n && at < view.n && whole.p[at] == view.p[at])
		at++;
	at = at > WHAT_MAX / 8 ? at - WHAT_MAX / 8 : 0;
	(void)snprintf(what, sizeof what, "half an answer: ...%.*s... where there should be ...%.*s...", WHAT_MAX / 3,
		       view.n > at ? view.p + at : "", WHAT_MAX / 3, whole.n > at ? whole.p + at : "");
	add_fault(what);
}

static void judge(const struct part *part, struct str whole, struct str view, long leaked)
{
	char what[WHAT_MAX];
	progress->lost += leaked != 0;
	if (leaked != 0 && (!part->of_openssl || progress->lost > LOST_RUNS_MAX)) {
		(void)snprintf(what, sizeof what, "%ld blocks are not given back", leaked);
		add_fault(what);
	} else if (str_eq(view, whole)) {
		progress->same++;
	} else if (str_eqz(view, NO_MEMORY)) {
		progress->errors++;
	} else if (part->of_openssl && str_starts(view, STR(REFUSED))) {
		progress->refused++;
	} else {
		add_difference(whole, view);
	}
}

/* One run, in which allocation `fail_at` fails; *view is for buf_free. Returns how many blocks are left. */
static long run_once(const struct part *part, const struct input *in, long fail_at, bool rest, struct buf *view)
{
	long before = memory.live;
	buf_init(view, VIEW_MAX);
	memory.fail_at = fail_at;
	memory.rest = rest;
	(void)alarm(RUN_SECONDS);
	part->run(in, view);
	(void)alarm(0);
	return memory.live - before - (view->p != NULL);
}

static long step_for(const struct input *in, long wanted)
{
	long run = progress->allocations + (long)(in->text.n / BYTES_PER_WORK);
	long needed = run * progress->allocations / WORK_MAX + 1;
	return wanted > needed ? wanted : needed;
}

/* All runs that are left, from progress->mode and progress->number on. */
static void run_all(const struct part *part, const struct input *in, long first, long step)
{
	struct buf whole, view;
	memory.stack = progress->stack;
	(void)run_once(part, in, 0, false, &whole); /* what libraries make once and keep */
	buf_free(&whole);
	long leaked = run_once(part, in, 0, false, &whole);
	progress->allocations = memory.count;
	progress->step = step_for(in, step);
	if (leaked != 0 || whole.error != 0 || str_eqz(buf_str(&whole), NO_MEMORY))
		add_fault("it fails with all memory");
	for (; progress->mode < MODES && progress->fault_count < FAULTS_MAX; progress->mode++, progress->number = first)
		for (; progress->number <= progress->allocations; progress->number += progress->step) {
			progress->runs++;
			leaked = run_once(part, in, progress->number, progress->mode == MODE_REST, &view);
			judge(part, buf_str(&whole), buf_str(&view), leaked);
			buf_free(&view);
		}
	buf_free(&whole);
}

/* Runs in children until one comes to the end; false when there can be none. */
static bool torture(const struct part *part, const struct input *in, long step)
{
	static long inputs;
	const long first = 1 + inputs++ % step;
	*progress = (struct progress){.number = first, .step = step};
	while (progress->mode < MODES && progress->fault_count < FAULTS_MAX) {
		pid_t child = fork();
		int status;
		if (child == 0) {
			run_all(part, in, first, step);
			_exit(0);
		}
		if (child < 0 || waitpid(child, &status, 0) != child)
			return false;
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			continue;
		char what[WHAT_MAX];
		(void)snprintf(what, sizeof what, WIFSIGNALED(status) ? "ended by signal %d" : "ended with status %d",
			       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		add_fault(what);
		progress->number += progress->step;
	}
	return true;
}

/* ---- the pipe ---- */

/* Places in this program, parted by commas; "-" for none. */
static void print_stack(void *const stack[STACK_MAX])
{
	Dl_info here, at;
	const char *comma = "";
	if (dladdr(&memory, &here) == 0)
		here.dli_fbase = NULL;
	for (size_t i = 0; i < STACK_MAX && stack[i] != NULL; i++) {
		if (dladdr(stack[i], &at) == 0 || at.dli_fbase != here.dli_fbase)
			continue;
		printf("%s%" PRIxPTR, comma, (uintptr_t)stack[i] - (uintptr_t)at.dli_fbase - 1);
		comma = ",";
	}
	printf("%s", *comma == '\0' ? "-" : "");
}

static bool report(void)
{
	for (size_t i = 0; i < progress->fault_count; i++) {
		const struct fault *f = &progress->faults[i];
		printf("fault %s %ld ", mode_names[f->mode], f->number);
		print_stack(f->stack);
		printf(" %s\n", f->what);
	}
	printf("done %ld %ld %ld %ld %ld\n", progress->allocations, progress->runs, progress->errors, progress->same,
	       progress->refused);
	return fflush(stdout) == 0;
}

/* The configuration last used, which the next input mostly uses too. */
struct loaded {
	char name[LINE_MAX_BYTES];
	struct config *config;
};

static bool load_file(const char *path, struct loaded *loaded, struct error *err)
{
	static char text[LIMIT_CONFIG];
	FILE *f = fopen(path, "rb");
	size_t n = f != NULL ? fread(text, 1, sizeof text, f) : 0;
	bool read = f != NULL && ferror(f) == 0;
	if (f != NULL)
		(void)fclose(f); /* it was only read */
	return read && config_load((struct str){text, n}, path, &loaded->config, err) == 0;
}

static bool load(const char *name, struct loaded *loaded)
{
	struct error err = {.text = "it cannot be read"};
	if (loaded->config != NULL && strcmp(loaded->name, name) == 0)
		return true;
	config_free(loaded->config);
	loaded->config = NULL;
	(void)snprintf(loaded->name, sizeof loaded->name, "%s", name);
	struct str profile = config_profile(str_of(name));
	if (profile.p != NULL ? config_load(profile, name, &loaded->config, &err) == 0 : load_file(name, loaded, &err))
		return true;
	(void)fprintf(stderr, "torture: %s: %s\n", name, err.text);
	return false;
}

static const struct part *find_part(const char *name)
{
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		if (strcmp(parts[i].name, name) == 0)
			return &parts[i];
	return NULL;
}

/* Serves one frame whose header is `line`; false when the stream cannot go on. */
static bool serve(char *line, struct loaded *loaded, long step)
{
	char *first = strchr(line, ' '), *last = strrchr(line, ' '), *end;
	if (first == NULL || first == last) {
		(void)fputs("torture: expected 'PART CONFIG LENGTH'\n", stderr);
		return false;
	}
	*first = *last = '\0';
	const struct part *part = find_part(line);
	size_t length = strtoul(last + 1, &end, 10);
	if (part == NULL || *end != '\n' || length > INPUT_MAX) {
		(void)fprintf(stderr, "torture: %s is no part, or %s no length\n", line, last + 1);
		return false;
	}
	char *bytes = malloc(length > 0 ? length : 1);
	bool ok = bytes != NULL && fread(bytes, 1, length, stdin) == length;
	ok = ok && (!part->wants_config || load(first + 1, loaded));
	struct input in = {part->wants_config ? loaded->config : NULL, {bytes, length}};
	ok = ok && torture(part, &in, step) && report();
	free(bytes);
	return ok;
}

int main(int argc, char **argv)
{
	static struct loaded loaded;
	char line[LINE_MAX_BYTES];
	long step = argc > 1 ? strtol(argv[1], NULL, 10) : 1;
	progress = mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (step < 1 || progress == MAP_FAILED) {
		(void)fputs("usage: torture [STEP]\n", stderr);
		return 2;
	}
	bool ok = true;
	while (ok && fgets(line, sizeof line, stdin) != NULL)
		ok = serve(line, &loaded, step);
	config_free(loaded.config);
	return ok ? 0 : 1;
}
