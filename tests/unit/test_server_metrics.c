/* What is counted, and that nobody can make the series grow. */
#include "policy/load/load.h"
#include "server/metrics.h"

#include "base/limits.h"
#include "kube/workload.h"
#include "policy/rules/rule.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

static struct metrics *m;
static struct buf text;

static void setup(void)
{
	m = metrics_new(1000);
	ck_assert_ptr_nonnull(m);
	buf_init(&text, LIMIT_METRICS);
}

static struct metrics_now now;

static void teardown(void)
{
	buf_free(&text);
	metrics_free(m);
	metrics_free(NULL);
}

static const char *written(void)
{
	buf_cut(&text, 0);
	metrics_write(m, &now, &text);
	ck_assert_int_eq(text.error, 0);
	return text.p;
}

static void assert_line(const char *line)
{
	char wanted[512];
	ck_assert_int_gt(snprintf(wanted, sizeof wanted, "\n%s\n", line), 0);
	ck_assert_msg(strstr(written(), wanted) != NULL, "no line %s in:\n%s", line, text.p);
}

/* How many lines of `all` begin with `prefix`. */
static size_t count_in(struct str all, struct str prefix)
{
	struct str line;
	size_t n = 0;
	while (str_split(&all, '\n', &line))
		n += line.n > 0 && str_starts(line, prefix);
	return n;
}

static size_t count_of(const char *prefix)
{
	return count_in(str_of(written()), str_of(prefix));
}

/* The shipped configuration is in use. */
static void use_profile(const char *name)
{
	struct config *config;
	struct error err;
	ck_assert_int_eq(config_load(config_profile(str_of(name)), name, &config, &err), 0);
	metrics_configuration(m, config, 1);
	config_free(config);
}

static struct decision decision_of(const char *operation, const char *kind)
{
	return (struct decision){.http_status = 200, .allowed = true, .operation = str_of(operation), .kind = str_of(kind)};
}

START_TEST(outcomes)
{
	struct decision d = decision_of("CREATE", "Job");
	ck_assert_str_eq(outcome_name(outcome_of(&d)), "allowed");
	d.patched = true;
	ck_assert_str_eq(outcome_name(outcome_of(&d)), "patched");
	d.patched = false;
	d.skipped = "no-bindings";
	ck_assert_str_eq(outcome_name(outcome_of(&d)), "skipped");
	d.allowed = false;
	ck_assert_str_eq(outcome_name(outcome_of(&d)), "denied");
	d.http_status = 400;
	ck_assert_str_eq(outcome_name(outcome_of(&d)), "error");
}
END_TEST

START_TEST(requests)
{
	use_profile("managed");
	struct decision d = decision_of("UPDATE", "StatefulSet");
	d.dry_run = true;
	metrics_admission(m, PHASE_VALIDATE, &d, 1);
	metrics_admission(m, PHASE_VALIDATE, &d, 1);
	assert_line("connhook_admission_requests_total{webhook=\"validate\",operation=\"UPDATE\",kind=\"StatefulSet\","
		"decision=\"allowed\",dry_run=\"true\"} 2");
	d = decision_of("CONNECT", "WebService");
	d.allowed = false;
	metrics_admission(m, PHASE_MUTATE, &d, 1);
	assert_line("connhook_admission_requests_total{webhook=\"mutate\",operation=\"CONNECT\",kind=\"WebService\","
		"decision=\"denied\",dry_run=\"false\"} 1");
	ck_assert_uint_eq(count_of("connhook_admission_requests_total{"), 2);
}
END_TEST

START_TEST(unknown_kinds_and_operations_are_one_series)
{
	static const char *const words[] = {"", "Tenant", "deployment", "Deployments", "other", "x\"} 1\ny{z=\""};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		struct decision d = decision_of(words[i], words[i]);
		metrics_admission(m, PHASE_MUTATE, &d, 1);
	}
	assert_line("connhook_admission_requests_total{webhook=\"mutate\",operation=\"other\",kind=\"other\","
		"decision=\"allowed\",dry_run=\"false\"} 6");
	ck_assert_uint_eq(count_of("connhook_admission_requests_total{"), 1);
}
END_TEST

static void count_kind(const char *kind)
{
	struct decision d = decision_of("CREATE", kind);
	metrics_admission(m, PHASE_VALIDATE, &d, 1);
}

static void assert_kind(const char *kind, unsigned count)
{
	char line[256];
	ck_assert_int_gt(snprintf(line, sizeof line, "connhook_admission_requests_total{webhook=\"validate\","
		"operation=\"CREATE\",kind=\"%s\",decision=\"allowed\",dry_run=\"false\"} %u", kind, count), 0);
	assert_line(line);
}

START_TEST(kinds_have_their_names_from_the_tables)
{
	use_profile("in-cluster");
	for (size_t i = 0; i < workload_kind_count; i++) {
		count_kind(workload_kinds[i].kind);
		assert_kind(workload_kinds[i].kind, 1);
	}
	/* Of a claim, of a rule's own resources, of a rule that is off, of a glob. */
	static const char *const words[] = {"DragonflyInstance", "ClusterPushSecret", "TidbCluster", "*"};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		count_kind(words[i]);
	assert_kind("DragonflyInstance", 1);
	assert_kind("ClusterPushSecret", 1);
	assert_kind("other", 2);
	use_profile("managed");
	count_kind("TidbCluster");
	count_kind("DragonflyInstance");
	assert_kind("TidbCluster", 1);
	assert_kind("DragonflyInstance", 2);
}
END_TEST

/* A configuration whose one rule looks at `count` kinds. */
static struct config config_of(const struct group_kind *kinds, size_t count)
{
	struct config config = {.fingerprint = STR("x")};
	config.rules[RULE_SYNC_WAVE] = (struct rule_config){.mode = MODE_WARN, .kinds = kinds, .kind_count = count};
	return config;
}

START_TEST(odd_kinds)
{
	static const char longest[] = "K23456789012345678901234567890123456789012345678901234567890123";
	static const char too_long[] = "K234567890123456789012345678901234567890123456789012345678901234";
	const struct group_kind kinds[] = {
		{.kind = STR("other")}, {.kind = STR("")}, {.kind = STR("Twice")}, {.kind = STR("Twice")},
		{.kind = STR(longest)}, {.kind = STR(too_long)},
	};
	const struct config config = config_of(kinds, sizeof kinds / sizeof *kinds);
	for (int i = 0; i < 2; i++)
		metrics_configuration(m, &config, 1);
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		count_kind(kinds[i].kind.p);
	assert_kind("other", 3);
	assert_kind("Twice", 2);
	assert_kind(longest, 1);
	ck_assert_uint_eq(count_of("connhook_admission_requests_total{"), 3);
}
END_TEST

START_TEST(duration)
{
	struct decision d = decision_of("CREATE", "Job");
	static const uint64_t times[] = {0, 50000, 50001, 1000000, 5000000000, 5000000001};
	for (size_t i = 0; i < sizeof times / sizeof *times; i++)
		metrics_admission(m, PHASE_MUTATE, &d, times[i]);
	assert_line("connhook_admission_duration_seconds_bucket{le=\"5e-05\"} 2");
	assert_line("connhook_admission_duration_seconds_bucket{le=\"0.0001\"} 3");
	assert_line("connhook_admission_duration_seconds_bucket{le=\"0.001\"} 4");
	assert_line("connhook_admission_duration_seconds_bucket{le=\"5\"} 5");
	assert_line("connhook_admission_duration_seconds_bucket{le=\"+Inf\"} 6");
	assert_line("connhook_admission_duration_seconds_sum 10.001100002");
	assert_line("connhook_admission_duration_seconds_count 6");
}
END_TEST

START_TEST(findings_and_skips)
{
	static const struct finding findings[] = {
		{.rule = "one", .mode = MODE_ENFORCE},
		{.rule = "one", .mode = MODE_WARN},
		{.rule = "one", .mode = MODE_ENFORCE},
	};
	struct decision d = decision_of("CREATE", "Job");
	d.findings = findings;
	d.finding_count = 3;
	metrics_admission(m, PHASE_MUTATE, &d, 1);
	assert_line("connhook_rule_violations_total{rule=\"one\",mode=\"enforce\"} 2");
	assert_line("connhook_rule_violations_total{rule=\"one\",mode=\"warn\"} 1");
	struct finding audited = {.rule = "one", .mode = MODE_WARN, .audited = true};
	d.findings = &audited;
	d.finding_count = 1;
	metrics_admission(m, PHASE_VALIDATE, &d, 1);
	assert_line("connhook_rule_violations_total{rule=\"one\",mode=\"audit\"} 1");
	assert_line("connhook_rule_violations_total{rule=\"one\",mode=\"warn\"} 1");
	d = decision_of("DELETE", "Job");
	d.skipped = "delete";
	metrics_admission(m, PHASE_MUTATE, &d, 1);
	assert_line("connhook_skipped_total{reason=\"delete\"} 1");
}
END_TEST

START_TEST(names_beyond_the_limit_share_one_series)
{
	static char names[LIMIT_METRIC_NAMES + 10][16];
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct decision d = decision_of("CREATE", "Job");
		ck_assert_int_gt(snprintf(names[i], sizeof names[i], "reason-%zu", i), 0);
		d.skipped = names[i];
		metrics_admission(m, PHASE_MUTATE, &d, 1);
	}
	ck_assert_uint_eq(count_of("connhook_skipped_total{"), LIMIT_METRIC_NAMES);
	assert_line("connhook_skipped_total{reason=\"other\"} 11");
}
END_TEST

START_TEST(bindings)
{
	struct binding configured[LIMIT_METRIC_BINDINGS + 2];
	static char names[LIMIT_METRIC_BINDINGS + 2][16];
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		ck_assert_int_gt(snprintf(names[i], sizeof names[i], "b%zu", i), 0);
		configured[i] = (struct binding){.name = str_of(names[i])};
	}
	const struct config config = {.fingerprint = STR("fedcba9876543210"), .bindings = configured, .binding_count = 2};
	metrics_configuration(m, &config, 1234);
	assert_line("connhook_injected_total{binding=\"b1\"} 0");
	assert_line("connhook_config_last_reload_success_timestamp_seconds 1234");
	assert_line("connhook_build_info{version=\"" CONNHOOK_VERSION "\",configuration=\"fedcba9876543210\"} 1");

	struct str used[] = {STR("b1"), STR("gone")};
	struct decision d = decision_of("CREATE", "Job");
	d.bindings = used;
	d.binding_count = 2;
	metrics_admission(m, PHASE_MUTATE, &d, 1);
	assert_line("connhook_injected_total{binding=\"b1\"} 0");
	d.patched = true;
	metrics_admission(m, PHASE_MUTATE, &d, 1);
	assert_line("connhook_injected_total{binding=\"b1\"} 1");
	assert_line("connhook_injected_total{binding=\"other\"} 1");

	/* A second configuration adds its names, up to the limit. */
	const size_t all = sizeof names / sizeof *names;
	const struct config larger = {.fingerprint = STR("x"), .bindings = configured, .binding_count = all};
	metrics_configuration(m, &larger, 1235);
	ck_assert_uint_eq(count_of("connhook_injected_total{binding=\"b"), LIMIT_METRIC_BINDINGS);
	assert_line("connhook_injected_total{binding=\"b1\"} 1");
}
END_TEST

/* Its series must not be that of all others. */
START_TEST(a_binding_named_other)
{
	const struct binding other = {.name = STR("other")};
	const struct config config = {.fingerprint = STR("x"), .bindings = &other, .binding_count = 1};
	struct decision d = decision_of("CREATE", "Job");
	struct str used[] = {STR("other"), STR("gone")};
	d.patched = true;
	d.bindings = used;
	d.binding_count = 2;
	metrics_configuration(m, &config, 1);
	metrics_admission(m, PHASE_MUTATE, &d, 1);
	assert_line("connhook_injected_total{binding=\"other\"} 2");
	ck_assert_uint_eq(count_of("connhook_injected_total{"), 1);
}
END_TEST

#define DIGITS_MAX 20   /* of a counter */
#define SERIES_MAX 19928 /* what docs/server.md says */

/* As long as names can be, of characters that take two each. */
static struct str worst_name(char out[64], size_t number)
{
	memset(out, '"', 63);
	ck_assert_int_eq(snprintf(out, 5, "%04zu", number), 4);
	out[4] = '"';
	out[63] = '\0';
	return str_of(out);
}

static void count_everything(const struct decision *like)
{
	static const char *const operations[] = {"CREATE", "UPDATE", "DELETE", "CONNECT", "x"};
	struct decision d = *like;
	for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
		for (int way = 0; way < 2 * 2 * OUTCOME_COUNT; way++) {
			d.operation = str_of(operations[i]);
			d.dry_run = way % 2;
			d.http_status = way / 4 == OUTCOME_ERROR ? 400 : 200;
			d.allowed = way / 4 != OUTCOME_DENIED;
			d.patched = way / 4 == OUTCOME_PATCHED;
			d.skipped = way / 4 == OUTCOME_SKIPPED ? "reason" : NULL;
			metrics_admission(m, way / 2 % 2 ? PHASE_VALIDATE : PHASE_MUTATE, &d, UINT64_MAX / 100000);
		}
}

/* docs/server.md says how many series there can be, and LIMIT_METRICS holds their text. */
START_TEST(every_series_there_can_be)
{
	static char names[LIMIT_METRIC_BINDINGS + 1][64], rules_and_reasons[LIMIT_METRIC_NAMES + 1][64];
	static struct group_kind kinds[LIMIT_METRIC_KINDS + 1];
	static struct binding configured[LIMIT_METRIC_BINDINGS + 1];
	for (size_t i = 0; i <= LIMIT_METRIC_BINDINGS; i++)
		configured[i].name = worst_name(names[i], i);
	for (size_t i = 0; i <= LIMIT_METRIC_KINDS; i++)
		kinds[i].kind = worst_name(names[i], i);
	struct config config = config_of(kinds, sizeof kinds / sizeof *kinds);
	config.bindings = configured;
	config.binding_count = sizeof configured / sizeof *configured;
	metrics_configuration(m, &config, INT32_MAX);
	struct str gone = STR("gone");
	struct decision d = decision_of("CREATE", "no kind that has a name");
	d.bindings = &gone;
	d.binding_count = 1;
	count_everything(&d);
	for (size_t i = 0; i < workload_kind_count; i++) {
		d.kind = str_of(workload_kinds[i].kind);
		count_everything(&d);
	}
	d.kind = STR("ExternalSecret"); /* what the rule looks at without being told */
	count_everything(&d);
	for (size_t i = 0; i <= LIMIT_METRIC_KINDS; i++) {
		d.kind = kinds[i].kind;
		count_everything(&d);
	}
	for (size_t i = 0; i <= LIMIT_METRIC_NAMES; i++) {
		ck_assert_int_gt(snprintf(rules_and_reasons[i], 64, "as-long-as-no-rule-and-no-reason-is-%zu", i), 0);
		const struct finding findings[] = {
			{.rule = rules_and_reasons[i], .mode = MODE_OFF},
			{.rule = rules_and_reasons[i], .mode = MODE_WARN},
			{.rule = rules_and_reasons[i], .mode = MODE_ENFORCE},
			{.rule = rules_and_reasons[i], .mode = MODE_WARN, .audited = true},
		};
		d = decision_of("CREATE", "Job");
		d.skipped = rules_and_reasons[i];
		d.findings = findings;
		d.finding_count = sizeof findings / sizeof *findings;
		metrics_admission(m, PHASE_MUTATE, &d, 1);
	}
	for (unsigned status = 200; status < 600; status++)
		metrics_response(m, status);
	const struct str all = str_of(written());
	size_t series = count_in(all, STR("")) - count_in(all, STR("#"));
	ck_assert_uint_eq(count_in(all, STR("connhook_admission_requests_total{")),
			  2 * 5 * (LIMIT_METRIC_KINDS + 1) * 5 * 2);
	ck_assert_uint_eq(count_in(all, STR("connhook_injected_total{")), LIMIT_METRIC_BINDINGS + 1);
	ck_assert_uint_eq(count_in(all, STR("connhook_rule_violations_total{")), LIMIT_METRIC_NAMES * 4);
	ck_assert_uint_eq(count_in(all, STR("connhook_skipped_total{")), LIMIT_METRIC_NAMES);
	ck_assert_uint_eq(count_in(all, STR("connhook_http_responses_total{")), 11);
	ck_assert_uint_eq(series, SERIES_MAX);
	ck_assert_uint_le(text.n + series * DIGITS_MAX, LIMIT_METRICS);
	printf("%zu series, %zu bytes, of %lu\n", series, text.n, LIMIT_METRICS);
}
END_TEST

START_TEST(label_values_are_escaped)
{
	const struct binding evil = {.name = STR("a\"b\\c\nd")};
	const struct config config = {.fingerprint = STR("x"), .bindings = &evil, .binding_count = 1};
	metrics_configuration(m, &config, 1);
	assert_line("connhook_injected_total{binding=\"a\\\"b\\\\c\\nd\"} 0");
}
END_TEST

START_TEST(limits)
{
	assert_line("connhook_limit_reached_total{limit=\"bodies\"} 0");
	metrics_limit(m, METRIC_LIMIT_BODIES);
	metrics_limit(m, metric_limit_of(BUDGET_WORK));
	metrics_limit(m, metric_limit_of(BUDGET_MEMORY));
	metrics_limit(m, metric_limit_of(BUDGET_MEMORY));
	metrics_limit(m, metric_limit_of(BUDGET_TIME));
	now = (struct metrics_now){.bodies = 17, .bodies_limit = 50331648, .busy = 1, .threads = 2};
	assert_line("connhook_limit_reached_total{limit=\"bodies\"} 1");
	assert_line("connhook_limit_reached_total{limit=\"work\"} 1");
	assert_line("connhook_limit_reached_total{limit=\"memory\"} 2");
	assert_line("connhook_limit_reached_total{limit=\"time\"} 1");
	assert_line("connhook_body_bytes 17");
	assert_line("connhook_body_limit_bytes 50331648");
	assert_line("connhook_workers_busy 1");
	assert_line("connhook_workers 2");
}
END_TEST

START_TEST(http)
{
	metrics_response(m, 200);
	metrics_response(m, 200);
	metrics_response(m, 413);
	metrics_response(m, 999);
	metrics_connection(m, 1);
	metrics_connection(m, 1);
	metrics_connection(m, -1);
	metrics_certificates(m, &(struct validity){1795000000, 4102444800}, &(struct validity){0});
	now.lost_lines = 17;
	assert_line("connhook_http_responses_total{code=\"200\"} 2");
	assert_line("connhook_http_responses_total{code=\"413\"} 1");
	assert_line("connhook_http_responses_total{code=\"404\"} 0");
	assert_line("connhook_http_responses_total{code=\"other\"} 1");
	assert_line("connhook_connections 1");
	assert_line("connhook_tls_certificate_not_before_timestamp_seconds 1795000000");
	assert_line("connhook_tls_certificate_not_after_timestamp_seconds 4102444800");
	assert_line("connhook_log_lost_lines_total 17");
	assert_line("process_start_time_seconds 1000");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("metrics");
	TCase *cases = tcase_create("metrics");
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_set_timeout(cases, 60);
	tcase_add_test(cases, outcomes);
	tcase_add_test(cases, requests);
	tcase_add_test(cases, unknown_kinds_and_operations_are_one_series);
	tcase_add_test(cases, kinds_have_their_names_from_the_tables);
	tcase_add_test(cases, odd_kinds);
	tcase_add_test(cases, duration);
	tcase_add_test(cases, findings_and_skips);
	tcase_add_test(cases, names_beyond_the_limit_share_one_series);
	tcase_add_test(cases, bindings);
	tcase_add_test(cases, a_binding_named_other);
	tcase_add_test(cases, every_series_there_can_be);
	tcase_add_test(cases, label_values_are_escaped);
	tcase_add_test(cases, limits);
	tcase_add_test(cases, http);
	suite_add_tcase(suite, cases);
	return unit_run(suite);
}
