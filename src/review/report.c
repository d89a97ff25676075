/* The formats of `connhook review` that other programs read: GitHub Actions, JUnit, SARIF. */
#include "review/print.h"

#include "base/text.h"
#include "codec/json_writer.h"
#include "policy/rules/rule.h"
#include "review/notes.h"

#include <string.h>

/* What GitHub and SARIF name the levels. */
static const char *const github_levels[] = {"error", "warning", "notice"};
static const char *const sarif_levels[] = {"error", "warning", "note"};

/* Does the result come from a file that a report can point to? */
static bool has_file(const struct review_result *r)
{
	return strcmp(r->manifest->source, REVIEW_STDIN) != 0;
}

/* The file's name without a leading "./": reports are about paths below the repository. */
static struct str below_repository(const char *source)
{
	struct str name = str_of(source);
	while (str_starts(name, STR("./")))
		name = str_from(name, 2);
	return name;
}

static struct str file_name(const struct review_result *r)
{
	return below_repository(r->manifest->source);
}

static size_t line_of(const struct unreadable *u)
{
	return u->line > 0 ? u->line : 1;
}

/* "Deployment team-a/web: field: message" */
static void add_about(struct buf *out, const struct review_result *r, const struct review_remark *remark)
{
	review_add_title(out, r);
	buf_addz(out, remark->audited ? ": would be denied: " : ": ");
	review_add_sentence(out, remark);
}

/* Moves the failure of a buffer that is done with to `out`. */
static void done(struct buf *text, struct buf *out)
{
	buf_fail(out, text->error);
	buf_free(text);
}

/* ---- GitHub Actions: docs.github.com/actions/reference/workflow-commands-for-github-actions ---- */

static void add_escaped(struct buf *out, struct str text, bool property)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		if (c == '%' || c == '\r' || c == '\n' || (property && (c == ':' || c == ',')))
			buf_fmt(out, "%%%02X", (unsigned)c);
		else
			buf_addc(out, c);
	}
}

void review_github_print(struct buf *out, const struct review *review, const struct review_result *r)
{
	struct review_remark remark;
	(void)review;
	for (size_t i = 0; review_remark(r, i, &remark); i++) {
		struct buf text;
		buf_fmt(out, "::%s ", github_levels[remark.level]);
		if (has_file(r)) {
			buf_addz(out, "file=");
			add_escaped(out, file_name(r), true);
			buf_fmt(out, ",line=%zu,", remark.line);
		}
		buf_addz(out, "title=");
		add_escaped(out, str_of(remark.id), true);
		buf_addz(out, "::");
		buf_init(&text, out->limit);
		add_about(&text, r, &remark);
		add_escaped(out, buf_str(&text), false);
		buf_addc(out, '\n');
		done(&text, out);
	}
}

void review_github_end(struct buf *out, const struct review *review)
{
	for (size_t i = 0; i < review->unreadable_count; i++) {
		const struct unreadable *u = &review->unreadable[i];
		buf_addz(out, "::error ");
		if (strcmp(u->source, REVIEW_STDIN) != 0) {
			buf_addz(out, "file=");
			add_escaped(out, below_repository(u->source), true);
			buf_fmt(out, ",line=%zu,", line_of(u));
		}
		buf_addz(out, "title=" REVIEW_UNREADABLE "::");
		add_escaped(out, u->message, false);
		buf_addc(out, '\n');
	}
}

/* ---- JUnit: github.com/testmoapp/junitxml ---- */

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

/* Appends what `write` gives for the result, in XML; control characters are gone then. */
static void add_xml_of(struct buf *out, const struct review_result *r,
		       void (*write)(struct buf *out, const struct review_result *r))
{
	struct buf text;
	buf_init(&text, out->limit);
	write(&text, r);
	add_xml(out, buf_str(&text));
	done(&text, out);
}

static void add_source(struct buf *out, const struct review_result *r)
{
	text_add(out, file_name(r));
}

static size_t count_errors(const struct review_result *r)
{
	struct review_remark remark;
	size_t count = 0;
	for (size_t i = 0; review_remark(r, i, &remark); i++)
		count += remark.level == LEVEL_ERROR;
	return count;
}

/* A line for each remark that is a denial, or for each that is none. */
static void add_lines(struct buf *out, const struct review_result *r, bool errors)
{
	struct review_remark remark;
	for (size_t i = 0; review_remark(r, i, &remark); i++) {
		if ((remark.level == LEVEL_ERROR) != errors)
			continue;
		review_add_place(out, r, remark.line);
		buf_fmt(out, ": %s%s", errors ? "" : sarif_levels[remark.level], errors ? "" : ": ");
		review_add_sentence(out, &remark);
		buf_fmt(out, " [%s]\n", remark.id);
	}
}

static void add_error_lines(struct buf *out, const struct review_result *r)
{
	add_lines(out, r, true);
}

static void add_other_lines(struct buf *out, const struct review_result *r)
{
	add_lines(out, r, false);
}

/* The first denial, and how many more there are. */
static void add_first_error(struct buf *out, const struct review_result *r)
{
	struct review_remark remark;
	size_t count = count_errors(r);
	for (size_t i = 0; review_remark(r, i, &remark); i++) {
		if (remark.level != LEVEL_ERROR)
			continue;
		review_add_sentence(out, &remark);
		if (count > 1)
			buf_fmt(out, " (and %zu more)", count - 1);
		return;
	}
	buf_addz(out, "denied");
}

/* The rule of the first denial. */
static const char *error_type(const struct review_result *r)
{
	struct review_remark remark;
	for (size_t i = 0; review_remark(r, i, &remark); i++)
		if (remark.level == LEVEL_ERROR)
			return remark.id;
	return "denied";
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
		failures += !r->allowed;
	}
	buf_addz(out, "<testsuite name=\"");
	add_xml_of(out, first, add_source);
	buf_fmt(out, "\" tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"0\">\n", tests, failures);
}

void review_junit_begin(struct buf *out, const struct review *review)
{
	buf_fmt(out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<testsuites name=\"connhook review\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\">\n",
		review->count + review->unreadable_count, review->denied, review->unreadable_count);
}

void review_junit_print(struct buf *out, const struct review *review, const struct review_result *r)
{
	const struct review_result *last = review->results + review->count - 1;
	if (r == review->results || !same_suite(r - 1, r))
		begin_suite(out, review, r);
	buf_addz(out, "<testcase classname=\"");
	add_xml_of(out, r, add_source);
	buf_addz(out, "\" name=\"");
	add_xml_of(out, r, review_add_title);
	if (has_file(r)) {
		buf_addz(out, "\" file=\"");
		add_xml_of(out, r, add_source);
		buf_fmt(out, "\" line=\"%zu", r->manifest->line);
	}
	buf_addz(out, "\">\n");
	if (!r->allowed) {
		buf_fmt(out, "<failure type=\"%s\" message=\"", error_type(r));
		add_xml_of(out, r, add_first_error);
		buf_addz(out, "\">");
		add_xml_of(out, r, add_error_lines);
		buf_addz(out, "</failure>\n");
	}
	if (r->finding_count + r->advice_count + r->note_count > count_errors(r)) {
		buf_addz(out, "<system-out>");
		add_xml_of(out, r, add_other_lines);
		buf_addz(out, "</system-out>\n");
	}
	buf_addz(out, "</testcase>\n");
	if (r == last || !same_suite(r, r + 1))
		buf_addz(out, "</testsuite>\n");
}

void review_junit_end(struct buf *out, const struct review *review)
{
	for (size_t i = 0; i < review->unreadable_count; i++) {
		const struct unreadable *u = &review->unreadable[i];
		struct buf text;
		buf_init(&text, out->limit);
		text_add(&text, u->message);
		buf_addz(out, "<testsuite name=\"");
		add_xml(out, below_repository(u->source));
		buf_addz(out, "\" tests=\"1\" failures=\"0\" errors=\"1\" skipped=\"0\">\n<testcase classname=\"");
		add_xml(out, below_repository(u->source));
		buf_addz(out, "\" name=\"readable\" file=\"");
		add_xml(out, below_repository(u->source));
		buf_fmt(out, "\" line=\"%zu\">\n<error type=\"" REVIEW_UNREADABLE "\" message=\"", line_of(u));
		add_xml(out, buf_str(&text));
		buf_addz(out, "\"></error>\n</testcase>\n</testsuite>\n");
		done(&text, out);
	}
	buf_addz(out, "</testsuites>\n");
}

/* ---- SARIF 2.1.0: docs.oasis-open.org/sarif/sarif/v2.1.0 ---- */

static void write_rule(struct json_writer *w, const char *id)
{
	jw_object(w);
	jw_memberz(w, "id", id);
	jw_object_end(w);
}

void review_sarif_begin(struct buf *out, const struct review *review)
{
	(void)review;
	struct json_writer w = {.out = out};
	buf_addz(out, "{\"$schema\":\"https://json.schemastore.org/sarif-2.1.0.json\",\"version\":\"2.1.0\",\"runs\":[{"
		      "\"tool\":{\"driver\":{\"name\":\"connhook\",\"version\":\"" CONNHOOK_VERSION "\",\"rules\":");
	jw_array(&w);
	for (size_t i = 0; i < RULE_COUNT; i++)
		write_rule(&w, rules[i]->id);
	write_rule(&w, "annotations");
	write_rule(&w, REVIEW_ADVICE);
	write_rule(&w, REVIEW_UNREADABLE);
	for (size_t i = 0; review_note_ids[i] != NULL; i++)
		write_rule(&w, review_note_ids[i]);
	jw_array_end(&w);
	buf_addz(out, "}},\"results\":[");
}

/* A relative URI reference of a file name: RFC 3986. */
static void add_uri(struct buf *out, struct str name)
{
	if (str_starts(name, STR("/")))
		buf_addz(out, "file://");
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		if (letter || c == '-' || c == '.' || c == '_' || c == '~' || c == '/')
			buf_addc(out, c);
		else
			buf_fmt(out, "%%%02X", (unsigned)(unsigned char)c);
	}
}

/* Standard input has a place too: code scanning asks for one. */
static void write_physical_location(struct json_writer *w, const char *source, size_t line)
{
	struct buf uri;
	buf_init(&uri, w->out->limit);
	add_uri(&uri, strcmp(source, REVIEW_STDIN) == 0 ? STR("stdin") : below_repository(source));
	jw_key(w, "physicalLocation");
	jw_object(w);
	jw_key(w, "artifactLocation");
	jw_object(w);
	jw_member(w, "uri", buf_str(&uri));
	jw_object_end(w);
	jw_key(w, "region");
	jw_object(w);
	jw_key(w, "startLine");
	jw_int(w, (long long)line);
	jw_object_end(w);
	jw_object_end(w);
	done(&uri, w->out);
}

static void write_location(struct json_writer *w, const struct review_result *r, const struct review_remark *remark)
{
	struct buf title;
	buf_init(&title, w->out->limit);
	review_add_title(&title, r);
	jw_object(w);
	write_physical_location(w, r->manifest->source, remark->line);
	jw_key(w, "logicalLocations");
	jw_array(w);
	jw_object(w);
	jw_member(w, "fullyQualifiedName", buf_str(&title));
	jw_object_end(w);
	jw_array_end(w);
	jw_object_end(w);
	done(&title, w->out);
}

static bool has_remarks_before(const struct review *review, const struct review_result *r)
{
	for (const struct review_result *before = r; before > review->results; before--)
		if (before[-1].finding_count + before[-1].advice_count + before[-1].note_count > 0)
			return true;
	return false;
}

void review_sarif_print(struct buf *out, const struct review *review, const struct review_result *r)
{
	struct review_remark remark;
	struct json_writer w = {.out = out, .comma = review_remark(r, 0, &remark) && has_remarks_before(review, r)};
	for (size_t i = 0; review_remark(r, i, &remark); i++) {
		struct buf text;
		buf_init(&text, out->limit);
		add_about(&text, r, &remark);
		jw_object(&w);
		jw_memberz(&w, "ruleId", remark.id);
		jw_memberz(&w, "level", sarif_levels[remark.level]);
		jw_key(&w, "message");
		jw_object(&w);
		jw_member(&w, "text", buf_str(&text));
		jw_object_end(&w);
		jw_key(&w, "locations");
		jw_array(&w);
		write_location(&w, r, &remark);
		jw_array_end(&w);
		jw_object_end(&w);
		done(&text, out);
	}
}

/* As a result, or as a notification of the invocation. */
static void write_unreadable(struct json_writer *w, const struct unreadable *u, bool result)
{
	jw_object(w);
	if (result)
		jw_memberz(w, "ruleId", REVIEW_UNREADABLE);
	jw_memberz(w, "level", "error");
	jw_key(w, "message");
	jw_object(w);
	jw_member(w, "text", u->message);
	jw_object_end(w);
	jw_key(w, "locations");
	jw_array(w);
	jw_object(w);
	write_physical_location(w, u->source, line_of(u));
	jw_object_end(w);
	jw_array_end(w);
	jw_object_end(w);
}

void review_sarif_end(struct buf *out, const struct review *review)
{
	const struct review_result *end = review->results + review->count;
	struct json_writer w = {.out = out, .comma = has_remarks_before(review, end)};
	for (size_t i = 0; i < review->unreadable_count; i++)
		write_unreadable(&w, &review->unreadable[i], true);
	buf_addz(out, "],\"invocations\":[{\"executionSuccessful\":");
	buf_addz(out, review->unreadable_count > 0 ? "false" : "true");
	buf_addz(out, ",\"toolExecutionNotifications\":[");
	w = (struct json_writer){.out = out};
	for (size_t i = 0; i < review->unreadable_count; i++)
		write_unreadable(&w, &review->unreadable[i], false);
	buf_addz(out, "]}]}]}\n");
}
