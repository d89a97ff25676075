/* What is counted, and that nobody can make the series grow. */
#include "server/metrics.h"

#include "base/limits.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct metrics *m;
static struct buf text;

static void setup(void)
{
	m = metrics_new(1000);
	ck_assert_ptr_nonnull(m);
	buf_init(&text, LIMIT_METRICS);
}

static void teardown(void)
{
	buf_free(&text);
	metrics_free(m);
	metrics_free(NULL);
}

static const char *written(void)
{
	buf_cut(&text, 0);
	metrics_write(m, &text);
	ck_assert_int_eq(text.error, 0);
	return text.p;
}

static void assert_line(const char *line)
{
	char wanted[512];
	ck_assert_int_gt(snprintf(wanted, sizeof wanted, "\n%s\n", line), 0);
	ck_assert_msg(strstr(written(), wanted) != NULL, "no line %s in:\n%s", line, text.p);
}

static size_t count_of(const char *part)
{
	size_t n = 0;
	for (const char *p = strstr(written(), part); p != NULL; p = strstr(p + 1, part))
		n++;
	return n;
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
	ck_assert_uint_eq(count_of("\nconnhook_admission_requests_total{"), 2);
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
	ck_assert_uint_eq(count_of("\nconnhook_admission_requests_total{"), 1);
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
	ck_assert_uint_eq(count_of("\nconnhook_skipped_total{"), LIMIT_METRIC_NAMES);
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
	ck_assert_uint_eq(count_of("\nconnhook_injected_total{binding=\"b"), LIMIT_METRIC_BINDINGS);
	assert_line("connhook_injected_total{binding=\"b1\"} 1");
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

START_TEST(http)
{
	metrics_response(m, 200);
	metrics_response(m, 200);
	metrics_response(m, 413);
	metrics_response(m, 999);
	metrics_connection(m, 1);
	metrics_connection(m, 1);
	metrics_connection(m, -1);
	metrics_certificate(m, 4102444800);
	metrics_log_lost(m, 17);
	assert_line("connhook_http_responses_total{code=\"200\"} 2");
	assert_line("connhook_http_responses_total{code=\"413\"} 1");
	assert_line("connhook_http_responses_total{code=\"404\"} 0");
	assert_line("connhook_http_responses_total{code=\"other\"} 1");
	assert_line("connhook_connections 1");
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
	tcase_add_test(cases, outcomes);
	tcase_add_test(cases, requests);
	tcase_add_test(cases, unknown_kinds_and_operations_are_one_series);
	tcase_add_test(cases, duration);
	tcase_add_test(cases, findings_and_skips);
	tcase_add_test(cases, names_beyond_the_limit_share_one_series);
	tcase_add_test(cases, bindings);
	tcase_add_test(cases, label_values_are_escaped);
	tcase_add_test(cases, http);
	suite_add_tcase(suite, cases);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
