/* The log: both forms, escapes, cuts, and the valve. Lines are read back from a pipe. */
#include "server/log.h"

#include "unit.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* A line of the log, or nothing, as it was written: without its time, which changes. */
struct written {
	ssize_t n;
	char text[2 * LIMIT_LOG_LINE];
};

static int files[2];

static struct log log_of(enum log_format format)
{
	ck_assert_int_eq(pipe(files), 0);
	struct log log = LOG_TO(files[1]);
	log.format = format;
	return log;
}

static struct written read_line(void)
{
	struct written w = {0};
	close(files[1]);
	w.n = read(files[0], w.text, sizeof w.text - 1);
	ck_assert_int_ge(w.n, 0);
	w.text[w.n] = '\0';
	close(files[0]);
	return w;
}

/* What stands behind the level. */
static const char *behind_level(const struct written *w)
{
	const char *level = strstr(w->text, "level");
	ck_assert_ptr_nonnull(level);
	return strpbrk(level, " ,") + 1;
}

START_TEST(text_form)
{
	struct log log = log_of(LOG_TEXT);
	struct log_line line;
	log_line(&line, &log, LOG_INFO, "two words");
	log_strz(&line, "plain", "a-b/c:d@e");
	log_strz(&line, "empty", "");
	log_strz(&line, "quoted", "x=\"1\" \\ \n");
	log_int(&line, "number", -12);
	log_bool(&line, "truth", true);
	log_seconds(&line, "duration", 1002003999);
	log_fmt(&line, "made", "%d-%s", 7, "x");
	log_end(&line);
	struct written w = read_line();
	ck_assert_str_eq(behind_level(&w),
		"msg=\"two words\" plain=a-b/c:d@e empty=\"\" quoted=\"x=\\\"1\\\" \\\\ \\u000a\" number=-12 truth=true "
		"duration=1.002003 made=7-x\n");
	ck_assert_int_eq(strncmp(w.text, "time=20", 7), 0);
}
END_TEST

START_TEST(json_form)
{
	struct log log = log_of(LOG_JSON);
	struct log_line line;
	log_line(&line, &log, LOG_ERROR, "m");
	log_strz(&line, "quoted", "x=\"1\" \\ \n\t\x01");
	log_int(&line, "number", 12);
	log_bool(&line, "truth", false);
	log_seconds(&line, "duration", 50000);
	log_end(&line);
	struct written w = read_line();
	ck_assert_str_eq(behind_level(&w),
		"\"msg\":\"m\",\"quoted\":\"x=\\\"1\\\" \\\\ \\u000a\\u0009\\u0001\",\"number\":12,\"truth\":false,"
		"\"duration\":0.000050}\n");
	ck_assert_int_eq(strncmp(w.text, "{\"time\":\"20", 11), 0);
	ck_assert_ptr_nonnull(strstr(w.text, "\",\"level\":\"error\",\"msg\""));
}
END_TEST

/* Bytes that are no UTF-8 would make the line unreadable for a JSON parser. */
START_TEST(bad_utf8)
{
	struct log log = log_of(LOG_JSON);
	struct log_line line;
	log_line(&line, &log, LOG_INFO, "m");
	log_strz(&line, "good", "\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80");
	log_strz(&line, "bad", "a\xff\xc3(\xe2\x82");
	log_end(&line);
	struct written w = read_line();
	ck_assert_str_eq(behind_level(&w),
		"\"msg\":\"m\",\"good\":\"\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80\",\"bad\":\"a\\ufffd\\ufffd(\\ufffd\\ufffd\"}\n");
}
END_TEST

START_TEST(long_values_are_cut)
{
	struct log log = log_of(LOG_TEXT);
	struct log_line line;
	char value[LIMIT_LOG_VALUE + 2];
	memset(value, 'v', sizeof value - 1);
	value[sizeof value - 1] = '\0';
	log_line(&line, &log, LOG_INFO, "m");
	log_str(&line, "long", (struct str){value, LIMIT_LOG_VALUE + 1});
	log_str(&line, "fits", (struct str){value, LIMIT_LOG_VALUE});
	log_end(&line);
	struct written w = read_line();
	value[LIMIT_LOG_VALUE] = '\0';
	char wanted[3 * LIMIT_LOG_VALUE];
	ck_assert_int_gt(snprintf(wanted, sizeof wanted, "msg=m long=\"%s...\" fits=%s\n", value, value), 0);
	ck_assert_str_eq(behind_level(&w), wanted);
}
END_TEST

/* What does not fit is left out as a whole; what comes later and is shorter still goes in. */
static void fill(enum log_format format, const char *tail)
{
	struct log log = log_of(format);
	struct log_line line;
	char value[LIMIT_LOG_VALUE];
	memset(value, '\x01', sizeof value);
	log_line(&line, &log, LOG_INFO, "m");
	for (int i = 0; i < 10; i++)
		log_str(&line, "evil", (struct str){value, sizeof value});
	log_strz(&line, "last", "here");
	log_end(&line);
	struct written w = read_line();
	ck_assert_int_le(w.n, LIMIT_LOG_LINE);
	ck_assert_int_gt(w.n, LIMIT_LOG_LINE / 2);
	size_t n = strlen(tail);
	ck_assert_str_eq(w.text + w.n - n, tail);
	ck_assert_ptr_eq(strchr(w.text, '\n'), w.text + w.n - 1);
}

START_TEST(full_lines)
{
	fill(LOG_TEXT, "\" last=here\n");
	fill(LOG_JSON, "\",\"last\":\"here\"}\n");
}
END_TEST

/* Writes lines until the pipe is full, and one more; returns how many it holds. */
static unsigned fill_pipe(struct log *log)
{
	unsigned count = 0;
	while (log_lost(log) == 0) {
		struct log_line line;
		log_line(&line, log, LOG_INFO, "m");
		log_int(&line, "number", count++);
		log_end(&line);
	}
	return count - 1;
}

static void write_line(struct log *log, const char *message)
{
	struct log_line line;
	log_line(&line, log, LOG_INFO, message);
	log_end(&line);
}

/* A reader that has stopped holds nobody up. When it goes on, it hears what it missed, at the place where it was. */
START_TEST(a_full_pipe)
{
	struct log log = log_of(LOG_TEXT);
	unsigned held = fill_pipe(&log);
	write_line(&log, "lost too");
	ck_assert_uint_eq(log_lost(&log), 2);
	char line[256];
	FILE *reader = fdopen(files[0], "r");
	ck_assert_ptr_nonnull(reader);
	unsigned count = 0;
	while (count < held && fgets(line, sizeof line, reader) != NULL)
		count++;
	ck_assert_uint_eq(count, held);
	write_line(&log, "again");
	write_line(&log, "and again");
	ck_assert_ptr_nonnull(fgets(line, sizeof line, reader));
	ck_assert_ptr_nonnull(strstr(line, " level=error msg=\"lines of the log were lost\" lines=2\n"));
	ck_assert_ptr_nonnull(fgets(line, sizeof line, reader));
	ck_assert_ptr_nonnull(strstr(line, " level=info msg=again\n"));
	ck_assert_ptr_nonnull(fgets(line, sizeof line, reader));
	ck_assert_ptr_nonnull(strstr(line, " level=info msg=\"and again\"\n"));
	ck_assert_uint_eq(log_lost(&log), 2);
	close(files[1]);
	(void)fclose(reader);
}
END_TEST

/* What a full disk cuts off is completed by an end of line, so that the next line stands alone. */
START_TEST(a_line_cut_off)
{
	struct rlimit before, small;
	FILE *file = tmpfile();
	ck_assert_ptr_nonnull(file);
	struct log log = LOG_TO(fileno(file));
	log.format = LOG_JSON;
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	ck_assert(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	small = before;
	small.rlim_cur = 20;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	write_line(&log, "cut off");
	write_line(&log, "lost");
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	ck_assert_uint_eq(log_lost(&log), 2);
	write_line(&log, "again");
	char line[256];
	rewind(file);
	ck_assert_ptr_nonnull(fgets(line, sizeof line, file));
	ck_assert_uint_eq(strlen(line), 20 + 1);
	ck_assert_ptr_nonnull(fgets(line, sizeof line, file));
	ck_assert_ptr_nonnull(strstr(line, "\"msg\":\"lines of the log were lost\",\"lines\":2}\n"));
	ck_assert_ptr_nonnull(fgets(line, sizeof line, file));
	ck_assert_ptr_nonnull(strstr(line, "\"msg\":\"again\"}\n"));
	(void)fclose(file);
}
END_TEST

START_TEST(levels)
{
	struct log log = log_of(LOG_TEXT);
	struct log_line line;
	log.least = LOG_WARN;
	log_line(&line, &log, LOG_INFO, "not wanted");
	log_strz(&line, "key", "value");
	log_int(&line, "number", 1);
	log_fmt(&line, "made", "%d", 1);
	log_end(&line);
	struct written w = read_line();
	ck_assert_int_eq(w.n, 0);
}
END_TEST

START_TEST(names)
{
	enum log_level level = LOG_ERROR;
	enum log_format format = LOG_TEXT;
	ck_assert(log_level_parse(STR("debug"), &level) && level == LOG_DEBUG);
	ck_assert(log_level_parse(STR("warn"), &level) && level == LOG_WARN);
	ck_assert(!log_level_parse(STR("warning"), &level) && !log_level_parse(STR("WARN"), &level) && level == LOG_WARN);
	ck_assert(!log_level_parse(STR(""), &level));
	ck_assert(log_format_parse(STR("json"), &format) && format == LOG_JSON);
	ck_assert(!log_format_parse(STR("jso"), &format) && format == LOG_JSON);
}
END_TEST

START_TEST(valve)
{
	struct log_valve v = {0};
	unsigned long long held = 99;
	for (int i = 0; i < LIMIT_LOG_BURST; i++) {
		ck_assert(log_valve_pass(&v, 5000 + i, &held));
		ck_assert_uint_eq(held, 0);
	}
	for (int i = 0; i < 7; i++)
		ck_assert(!log_valve_pass(&v, 5999, &held));
	ck_assert(log_valve_pass(&v, 6000, &held));
	ck_assert_uint_eq(held, 7);
	ck_assert(log_valve_pass(&v, 6000, &held));
	ck_assert_uint_eq(held, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("log");
	TCase *cases = tcase_create("log");
	tcase_add_test(cases, text_form);
	tcase_add_test(cases, json_form);
	tcase_add_test(cases, bad_utf8);
	tcase_add_test(cases, long_values_are_cut);
	tcase_add_test(cases, full_lines);
	tcase_add_test(cases, a_full_pipe);
	tcase_add_test(cases, a_line_cut_off);
	tcase_add_test(cases, levels);
	tcase_add_test(cases, names);
	tcase_add_test(cases, valve);
	suite_add_tcase(suite, cases);
	return unit_run(suite);
}
