/* JUnit, as GitLab and Jenkins read it: github.com/testmoapp/junitxml */
#include "review/report.h"

#include "base/text.h"

static const char *const other_levels[] = {"", "warning: ", "note: "};

static void add_xml(struct buf *out, struct str text)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		if (c == '&' || c == '<' || c == '>' || c == '"')
			buf_addz(out, c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : "&quot;");
		else if (c == '\xEF' && (str_starts(str_from(text, i), STR("\xEF\xBF\xBE")) ||
					 str_starts(str_from(text, i), STR("\xEF\xBF\xBF"))))
			i += 2; /* two characters that XML does not have */
		else
			buf_addc(out, c);
	}
}

/* The same of text that may hold control characters, which XML has not. */
static void add_shown(struct buf *out, struct str text)
{
	struct buf shown;
	buf_init(&shown, out->limit);
	text_add(&shown, text);
	add_xml(out, buf_str(&shown));
	report_done(&shown, out);
}

static struct str source_name(const char *source)
{
	return report_has_file(source) ? report_path(source) : str_of(source);
}

/* Where a remark stands decides whether the job fails: with --strict, so does any. */
static bool fails(const struct review *review, const struct review_remark *remark)
{
	return remark->level == LEVEL_ERROR || review->strict;
}

static size_t count_failures(const struct review *review, const struct review_result *r)
{
	struct review_remark remark;
	size_t count = 0;
	for (size_t i = 0; review_remark(review, r, i, &remark); i++)
		count += fails(review, &remark);
	return count;
}

/* A line for each remark that is a failure, or for each that is none. */
static void add_lines(struct buf *out, const struct review *review, const struct review_result *r, bool failures)
{
	struct review_remark remark;
	struct buf text;
	buf_init(&text, out->limit);
	for (size_t i = 0; review_remark(review, r, i, &remark); i++) {
		if (fails(review, &remark) != failures)
			continue;
		review_add_place(&text, r, remark.line);
		buf_fmt(&text, ": %s", other_levels[remark.level]);
		review_add_sentence(&text, &remark);
		buf_fmt(&text, " [%s]\n", remark.id);
	}
	add_xml(out, buf_str(&text));
	report_done(&text, out);
}

/* The first failure, and how many more there are. Jenkins shows the message, GitLab the lines. */
static void begin_failure(struct buf *out, const struct review *review, const struct review_result *r)
{
	struct review_remark remark;
	struct buf text;
	size_t count = count_failures(review, r), i = 0;
	while (review_remark(review, r, i, &remark) && !fails(review, &remark))
		i++;
	buf_init(&text, out->limit);
	if (count > 0)
		review_add_sentence(&text, &remark);
	if (count > 1)
		buf_fmt(&text, " (and %zu more)", count - 1);
	buf_fmt(out, "<failure type=\"%s\" message=\"", count > 0 ? remark.id : "denied");
	add_xml(out, count > 0 ? buf_str(&text) : STR("denied"));
	buf_addz(out, "\">");
	report_done(&text, out);
}

/* The results of one source, which stand together, are one suite. */
static bool same_suite(const struct review_result *a, const struct review_result *b)
{
	return a->manifest->source == b->manifest->source;
}

static void begin_suite(struct buf *out, const struct review *review, const struct review_result *first)
{
	size_t tests = 0, failures = 0;
	for (const struct review_result *r = first; r < review->results + review->count && same_suite(r, first); r++) {
		tests++;
		failures += review_is_refused(review, r);
	}
	buf_addz(out, "<testsuite name=\"");
	add_shown(out, source_name(first->manifest->source));
	buf_fmt(out, "\" tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"0\">\n", tests, failures);
}

void junit_begin(struct buf *out, const struct review *review)
{
	buf_fmt(out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<testsuites name=\"connhook review\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\">\n",
		review->count + review->unreadable_count, review->refused, review->unreadable_count);
}

/* GitLab drops a case whose name it has seen: the same object twice in a file has a number. */
static void begin_case(struct buf *out, const struct review_result *r)
{
	struct buf title;
	buf_init(&title, out->limit);
	review_add_title(&title, r);
	if (r->twin > 0)
		buf_fmt(&title, " (%zu)", r->twin + 1);
	buf_addz(out, "<testcase classname=\"");
	add_shown(out, source_name(r->manifest->source));
	buf_addz(out, "\" name=\"");
	add_xml(out, buf_str(&title));
	report_done(&title, out);
	if (report_has_file(r->manifest->source)) {
		buf_addz(out, "\" file=\"");
		add_shown(out, source_name(r->manifest->source));
		buf_fmt(out, "\" line=\"%zu", r->manifest->line);
	}
	buf_addz(out, "\" time=\"0\">\n");
}

void junit_print(struct buf *out, const struct review *review, const struct review_result *r)
{
	const struct review_result *last = review->results + review->count - 1;
	struct review_remark remark;
	size_t failures = count_failures(review, r);
	if (r == review->results || !same_suite(r - 1, r))
		begin_suite(out, review, r);
	begin_case(out, r);
	if (review_is_refused(review, r)) {
		begin_failure(out, review, r);
		add_lines(out, review, r, true);
		buf_addz(out, "</failure>\n");
	}
	if (review_remark(review, r, failures, &remark)) {
		buf_addz(out, "<system-out>");
		add_lines(out, review, r, false);
		buf_addz(out, "</system-out>\n");
	}
	buf_addz(out, "</testcase>\n");
	if (r == last || !same_suite(r, r + 1))
		buf_addz(out, "</testsuite>\n");
}

void junit_end(struct buf *out, const struct review *review)
{
	for (size_t i = 0; i < review->unreadable_count; i++) {
		const struct unreadable *u = &review->unreadable[i];
		struct str source = source_name(u->source);
		buf_addz(out, "<testsuite name=\"");
		add_xml(out, source);
		buf_addz(out, "\" tests=\"1\" failures=\"0\" errors=\"1\" skipped=\"0\">\n<testcase classname=\"");
		add_xml(out, source);
		buf_fmt(out, "\" name=\"readable (%zu)", i + 1);
		if (report_has_file(u->source)) {
			buf_addz(out, "\" file=\"");
			add_xml(out, source);
			buf_fmt(out, "\" line=\"%zu", report_line(u));
		}
		buf_addz(out, "\" time=\"0\">\n<error type=\"" REVIEW_UNREADABLE "\" message=\"");
		add_shown(out, u->message);
		buf_addz(out, "\"></error>\n</testcase>\n</testsuite>\n");
	}
	buf_addz(out, "</testsuites>\n");
}
