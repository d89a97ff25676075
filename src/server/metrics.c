#include "server/metrics.h"

#include "base/limits.h"
#include "kube/workload.h"
#include "policy/rules/rule.h"
#include "server/process.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "connhook_"
#define PHASES 2
#define NAME_MAX_LENGTH 63

static const char *const phase_names[PHASES] = {[PHASE_MUTATE] = "mutate", [PHASE_VALIDATE] = "validate"};
#define MODE_AUDIT (MODE_ENFORCE + 1) /* the label's value for what the configuration's `audit` lets through */
static const char *const mode_names[] = {
	[MODE_OFF] = "off", [MODE_WARN] = "warn", [MODE_ENFORCE] = "enforce", [MODE_AUDIT] = "audit",
};
static const char *const outcome_names[OUTCOME_COUNT] = {
	[OUTCOME_ALLOWED] = "allowed", [OUTCOME_PATCHED] = "patched", [OUTCOME_DENIED] = "denied",
	[OUTCOME_SKIPPED] = "skipped", [OUTCOME_ERROR] = "error",
};

/* What has no name of its own. */
#define OTHER "other"

/* The last of each stands for all others. */
static const char *const operations[] = {"CREATE", "UPDATE", "DELETE", "CONNECT", OTHER};
static const unsigned codes[] = {200, 400, 404, 405, 408, 411, 413, 415, 500, 503, 0};

#define LENGTH(array) (sizeof(array) / sizeof *(array))
#define OPERATIONS LENGTH(operations)
#define KINDS (LIMIT_METRIC_KINDS + 1)
#define CODES LENGTH(codes)

/* Upper bounds of the histogram's buckets in nanoseconds: 50 microseconds to 5 seconds. */
static const uint64_t bounds[] = {
	50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000, 25000000, 50000000, 100000000, 250000000,
	500000000, 1000000000, 2500000000, 5000000000,
};
#define BOUNDS LENGTH(bounds)

/* Counters under names that are constants of the program; those for which there is no room share the last one. */
struct named_counters {
	struct named_counter {
		const char *name;
		uint64_t counts[LENGTH(mode_names)];
	} items[LIMIT_METRIC_NAMES];
	size_t used;
};

struct binding_counter {
	char name[NAME_MAX_LENGTH + 1];
	uint64_t count;
};

struct metrics {
	pthread_mutex_t lock; /* over all that follows */
	time_t started;
	char kinds[LIMIT_METRIC_KINDS][NAME_MAX_LENGTH + 1];
	size_t kind_count;
	uint64_t requests[PHASES][OPERATIONS][KINDS][OUTCOME_COUNT][2]; /* the last kind: all others */
	uint64_t buckets[BOUNDS + 1];
	uint64_t nanoseconds;
	struct named_counters violations, skipped;
	struct binding_counter bindings[LIMIT_METRIC_BINDINGS];
	size_t binding_count;
	uint64_t other_bindings;
	uint64_t responses[CODES];
	long long connections;
	char fingerprint[NAME_MAX_LENGTH + 1];
	time_t configured;
	struct validity certificate, client_ca;
	bool reload_failed;
	uint64_t limits[METRIC_LIMITS];
};

enum outcome outcome_of(const struct decision *d)
{
	if (d->http_status != 200)
		return OUTCOME_ERROR;
	if (!d->allowed)
		return OUTCOME_DENIED;
	if (d->skipped != NULL)
		return OUTCOME_SKIPPED;
	return d->patched ? OUTCOME_PATCHED : OUTCOME_ALLOWED;
}

const char *outcome_name(enum outcome outcome)
{
	return outcome_names[outcome];
}

const char *phase_name(enum phase phase)
{
	return phase_names[phase];
}

struct metrics *metrics_new(time_t started)
{
	struct metrics *m = calloc(1, sizeof *m);
	if (m == NULL)
		return NULL;
	if (pthread_mutex_init(&m->lock, NULL) != 0) {
		free(m);
		return NULL;
	}
	m->started = started;
	return m;
}

void metrics_free(struct metrics *m)
{
	if (m == NULL)
		return;
	pthread_mutex_destroy(&m->lock);
	free(m);
}

static size_t find_operation(struct str name)
{
	size_t i = 0;
	while (i < OPERATIONS - 1 && !str_eqz(name, operations[i]))
		i++;
	return i;
}

/* The place of a kind that is counted by name; the last one for all others. */
static size_t find_kind(const struct metrics *m, struct str name)
{
	for (size_t i = 0; i < m->kind_count; i++)
		if (str_eqz(name, m->kinds[i]))
			return i;
	return KINDS - 1;
}

static void count_named(struct named_counters *counters, const char *name, size_t column)
{
	size_t i = 0;
	while (i < counters->used && strcmp(counters->items[i].name, name) != 0)
		i++;
	if (i == counters->used) {
		if (i == LIMIT_METRIC_NAMES) {
			i--;
			counters->items[i].name = OTHER;
		} else {
			counters->items[i].name = name;
			counters->used++;
		}
	}
	counters->items[i].counts[column]++;
}

static struct binding_counter *find_binding(struct metrics *m, struct str name)
{
	for (size_t i = 0; i < m->binding_count; i++)
		if (str_eqz(name, m->bindings[i].name))
			return &m->bindings[i];
	return NULL;
}

static void count_bindings(struct metrics *m, const struct decision *d)
{
	for (size_t i = 0; i < d->binding_count; i++) {
		struct binding_counter *binding = find_binding(m, d->bindings[i]);
		if (binding != NULL)
			binding->count++;
		else
			m->other_bindings++;
	}
}

void metrics_admission(struct metrics *m, enum phase phase, const struct decision *d, uint64_t nanoseconds)
{
	size_t operation = find_operation(d->operation), bucket = 0;
	enum outcome outcome = outcome_of(d);
	while (bucket < BOUNDS && nanoseconds > bounds[bucket])
		bucket++;
	pthread_mutex_lock(&m->lock);
	m->requests[phase][operation][find_kind(m, d->kind)][outcome][d->dry_run]++;
	m->buckets[bucket]++;
	m->nanoseconds += nanoseconds;
	for (size_t i = 0; i < d->finding_count; i++)
		count_named(&m->violations, d->findings[i].rule,
			    d->findings[i].audited ? MODE_AUDIT : (size_t)d->findings[i].mode);
	if (d->skipped != NULL)
		count_named(&m->skipped, d->skipped, 0);
	if (outcome == OUTCOME_PATCHED)
		count_bindings(m, d);
	pthread_mutex_unlock(&m->lock);
}

void metrics_response(struct metrics *m, unsigned status)
{
	size_t i = 0;
	while (i < CODES - 1 && codes[i] != status)
		i++;
	pthread_mutex_lock(&m->lock);
	m->responses[i]++;
	pthread_mutex_unlock(&m->lock);
}

void metrics_connection(struct metrics *m, int change)
{
	pthread_mutex_lock(&m->lock);
	m->connections += change;
	pthread_mutex_unlock(&m->lock);
}

static void copy_name(struct str name, char out[NAME_MAX_LENGTH + 1])
{
	struct str kept = str_utf8_cut(name, NAME_MAX_LENGTH);
	if (kept.n > 0)
		memcpy(out, kept.p, kept.n);
	out[kept.n] = '\0';
}

/* May a series have this name? Not what would be cut, and not the name of what has none. */
static bool is_name(struct str name)
{
	return name.n > 0 && name.n <= NAME_MAX_LENGTH && !str_eqz(name, OTHER);
}

static void add_kind(struct metrics *m, struct str name)
{
	bool glob = str_is_glob(name);
	if (is_name(name) && !glob && m->kind_count < LIMIT_METRIC_KINDS && find_kind(m, name) == KINDS - 1)
		copy_name(name, m->kinds[m->kind_count++]);
}

static void add_binding(struct metrics *m, struct str name)
{
	if (is_name(name) && m->binding_count < LIMIT_METRIC_BINDINGS && find_binding(m, name) == NULL)
		copy_name(name, m->bindings[m->binding_count++].name);
}

/* The kinds that connhook mutates, and those that its rules look at. */
static void add_kinds(struct metrics *m, const struct config *config)
{
	for (size_t i = 0; i < workload_kind_count; i++)
		add_kind(m, str_of(workload_kinds[i].kind));
	for (enum rule_id id = 0; id < RULE_COUNT; id++) {
		const struct rule_config *rule = &config->rules[id];
		if (rule->mode == MODE_OFF)
			continue;
		for (const struct rule_resource *r = rules[id]->resources; r != NULL && r->group != NULL; r++)
			add_kind(m, str_of(r->kind));
		for (size_t i = 0; i < rule->kind_count; i++)
			add_kind(m, rule->kinds[i].kind);
	}
}

void metrics_configuration(struct metrics *m, const struct config *config, time_t when)
{
	pthread_mutex_lock(&m->lock);
	add_kinds(m, config);
	for (size_t i = 0; i < config->binding_count; i++)
		add_binding(m, config->bindings[i].name);
	copy_name(config->fingerprint, m->fingerprint);
	m->configured = when;
	pthread_mutex_unlock(&m->lock);
}

void metrics_reload(struct metrics *m, bool successful)
{
	pthread_mutex_lock(&m->lock);
	m->reload_failed = !successful;
	pthread_mutex_unlock(&m->lock);
}

void metrics_certificates(struct metrics *m, const struct validity *certificate, const struct validity *client_ca)
{
	pthread_mutex_lock(&m->lock);
	m->certificate = *certificate;
	m->client_ca = *client_ca;
	pthread_mutex_unlock(&m->lock);
}

enum metric_limit metric_limit_of(enum budget_limit over)
{
	return over == BUDGET_MEMORY ? METRIC_LIMIT_MEMORY : over == BUDGET_TIME ? METRIC_LIMIT_TIME : METRIC_LIMIT_WORK;
}

void metrics_limit(struct metrics *m, enum metric_limit limit)
{
	pthread_mutex_lock(&m->lock);
	m->limits[limit]++;
	pthread_mutex_unlock(&m->lock);
}

static void head(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_fmt(out, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name, help, name, type);
}

/* A label's value with its quotes. */
static void label(struct buf *out, const char *name, const char *value)
{
	buf_fmt(out, "%s=\"", name);
	for (const char *p = value; *p != '\0'; p++) {
		if (*p == '\n' || *p == '"' || *p == '\\')
			buf_addc(out, '\\');
		buf_addc(out, *p == '\n' ? 'n' : *p);
	}
	buf_addc(out, '"');
}

static void sample(struct buf *out, const char *name, const char *key, const char *value, uint64_t count)
{
	buf_fmt(out, PREFIX "%s{", name);
	label(out, key, value);
	buf_fmt(out, "} %llu\n", (unsigned long long)count);
}

static void single(struct buf *out, const char *name, const char *help, long long value)
{
	head(out, name, "gauge", help);
	buf_fmt(out, PREFIX "%s %lld\n", name, value);
}

static void write_requests(const struct metrics *m, struct buf *out)
{
	static const char name[] = "admission_requests_total";
	static const size_t total = sizeof m->requests / sizeof(uint64_t);
	const uint64_t *count = &m->requests[0][0][0][0][0];
	head(out, name, "counter", "Admission requests by what was decided.");
	for (size_t i = 0; i < total; i++) {
		if (count[i] == 0)
			continue;
		size_t dry = i % 2, outcome = i / 2 % OUTCOME_COUNT, kind = i / 2 / OUTCOME_COUNT % KINDS;
		size_t operation = i / 2 / OUTCOME_COUNT / KINDS % OPERATIONS;
		size_t phase = i / 2 / OUTCOME_COUNT / KINDS / OPERATIONS;
		buf_fmt(out, PREFIX "%s{webhook=\"%s\",operation=\"%s\",", name, phase_names[phase], operations[operation]);
		label(out, "kind", kind < m->kind_count ? m->kinds[kind] : OTHER);
		buf_fmt(out, ",decision=\"%s\",dry_run=\"%s\"} %llu\n", outcome_names[outcome], dry ? "true" : "false",
			(unsigned long long)count[i]);
	}
}

static void write_duration(const struct metrics *m, struct buf *out)
{
	static const char name[] = "admission_duration_seconds";
	unsigned long long sum = 0;
	head(out, name, "histogram", "Time from the complete request to the decision.");
	for (size_t i = 0; i < BOUNDS; i++) {
		sum += m->buckets[i];
		buf_fmt(out, PREFIX "%s_bucket{le=\"%g\"} %llu\n", name, (double)bounds[i] / 1e9, sum);
	}
	sum += m->buckets[BOUNDS];
	buf_fmt(out, PREFIX "%s_bucket{le=\"+Inf\"} %llu\n", name, sum);
	buf_fmt(out, PREFIX "%s_sum %llu.%09llu\n", name, (unsigned long long)(m->nanoseconds / 1000000000),
		(unsigned long long)(m->nanoseconds % 1000000000));
	buf_fmt(out, PREFIX "%s_count %llu\n", name, sum);
}

static void write_policy(const struct metrics *m, struct buf *out)
{
	head(out, "rule_violations_total", "counter", "Violations found, by rule and by what it does about them.");
	for (size_t i = 0; i < m->violations.used; i++)
		for (size_t mode = 0; mode < LENGTH(mode_names); mode++)
			if (m->violations.items[i].counts[mode] > 0)
				buf_fmt(out, PREFIX "rule_violations_total{rule=\"%s\",mode=\"%s\"} %llu\n",
					m->violations.items[i].name, mode_names[mode],
					(unsigned long long)m->violations.items[i].counts[mode]);
	head(out, "injected_total", "counter", "Patches that hold the binding, by binding.");
	for (size_t i = 0; i < m->binding_count; i++)
		sample(out, "injected_total", "binding", m->bindings[i].name, m->bindings[i].count);
	if (m->other_bindings > 0)
		sample(out, "injected_total", "binding", OTHER, m->other_bindings);
	head(out, "skipped_total", "counter", "Requests that were let through unchanged, by reason.");
	for (size_t i = 0; i < m->skipped.used; i++)
		sample(out, "skipped_total", "reason", m->skipped.items[i].name, m->skipped.items[i].counts[0]);
}

static void write_http(const struct metrics *m, struct buf *out)
{
	head(out, "http_responses_total", "counter", "Answers on the admission listener, by HTTP status.");
	for (size_t i = 0; i < CODES; i++) {
		if (codes[i] != 0)
			buf_fmt(out, PREFIX "http_responses_total{code=\"%u\"} %llu\n", codes[i],
				(unsigned long long)m->responses[i]);
		else if (m->responses[i] > 0)
			sample(out, "http_responses_total", "code", OTHER, m->responses[i]);
	}
	single(out, "connections", "Open connections on the admission listener.", m->connections);
}

static void write_limits(const struct metrics *m, const struct metrics_now *now, struct buf *out)
{
	static const char *const names[METRIC_LIMITS] = {
		[METRIC_LIMIT_BODIES] = "bodies", [METRIC_LIMIT_WORK] = "work", [METRIC_LIMIT_MEMORY] = "memory",
		[METRIC_LIMIT_TIME] = "time",
	};
	head(out, "limit_reached_total", "counter", "Requests that were ended by a limit, by limit.");
	for (size_t i = 0; i < METRIC_LIMITS; i++)
		sample(out, "limit_reached_total", "limit", names[i], m->limits[i]);
	single(out, "body_bytes", "Memory held by bodies of requests and by answers.", (long long)now->bodies);
	single(out, "body_limit_bytes", "What they may hold.", (long long)now->bodies_limit);
	single(out, "workers_busy", "Threads at work.", now->busy);
	single(out, "workers", "Threads that answer admissions.", now->threads);
}

static void write_state(const struct metrics *m, unsigned long long lost_lines, struct buf *out)
{
	single(out, "config_last_reload_successful", "1 when configuration and certificates in the files are those in use.",
	       !m->reload_failed);
	single(out, "config_last_reload_success_timestamp_seconds", "When the configuration in use was read.",
	       (long long)m->configured);
	single(out, "tls_certificate_not_before_timestamp_seconds", "When the serving certificate begins to be valid.",
	       (long long)m->certificate.not_before);
	single(out, "tls_certificate_not_after_timestamp_seconds", "When the serving certificate ends.",
	       (long long)m->certificate.not_after);
	if (m->client_ca.not_after != 0)
		single(out, "client_ca_not_after_timestamp_seconds", "When the first of the CAs of clients ends.",
		       (long long)m->client_ca.not_after);
	head(out, "log_lost_lines_total", "counter", "Lines of the log that could not be written without waiting.");
	buf_fmt(out, PREFIX "log_lost_lines_total %llu\n", lost_lines);
	head(out, "build_info", "gauge", "Always 1; the labels say what runs.");
	buf_addz(out, PREFIX "build_info{version=\"" CONNHOOK_VERSION "\",");
	label(out, "configuration", m->fingerprint);
	buf_addz(out, "} 1\n");
}

void metrics_write(struct metrics *m, const struct metrics_now *now, struct buf *out)
{
	pthread_mutex_lock(&m->lock);
	write_requests(m, out);
	write_duration(m, out);
	write_policy(m, out);
	write_http(m, out);
	write_limits(m, now, out);
	write_state(m, now->lost_lines, out);
	pthread_mutex_unlock(&m->lock);
	process_write(out, m->started);
}
