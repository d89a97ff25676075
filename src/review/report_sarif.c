/* SARIF 2.1.0: docs.oasis-open.org/sarif/sarif/v2.1.0, and what GitHub's code scanning takes of it. */
#include "review/report.h"

#include "codec/json_writer.h"
#include "review/catalog.h"

#include <string.h>

static const char *const levels[] = {"error", "warning", "note"};

/* ---- rules ---- */

static void write_text(struct json_writer *w, const char *key, struct str text)
{
	jw_key(w, key);
	jw_object(w);
	jw_member(w, "text", text);
	jw_object_end(w);
}

static void write_rule(struct json_writer *w, const struct catalog_entry *entry)
{
	struct buf page;
	buf_init(&page, w->out->limit);
	buf_fmt(&page, CONNHOOK_DOCS "%s", entry->page);
	jw_object(w);
	jw_memberz(w, "id", entry->id);
	write_text(w, "shortDescription", str_of(entry->title));
	write_text(w, "fullDescription", str_of(entry->says));
	write_text(w, "help", str_of(entry->help));
	jw_member(w, "helpUri", buf_str(&page));
	jw_object_end(w);
	report_done(&page, w->out);
}

/* The place of the id in the table of rules. */
static size_t rule_index(const char *id)
{
	size_t i = 0;
	while (catalog[i].id != NULL && strcmp(catalog[i].id, id) != 0)
		i++;
	return i;
}

static void write_rule_id(struct json_writer *w, const char *id)
{
	size_t index = rule_index(id);
	jw_memberz(w, "ruleId", id);
	if (catalog[index].id == NULL)
		return;
	jw_key(w, "ruleIndex");
	jw_int(w, (long long)index);
}

void sarif_begin(struct buf *out, const struct review *review)
{
	(void)review;
	struct json_writer w = {.out = out};
	buf_addz(out, "{\"$schema\":\"https://json.schemastore.org/sarif-2.1.0.json\",\"version\":\"2.1.0\",\"runs\":[{"
		      "\"tool\":{\"driver\":{\"name\":\"connhook\",\"version\":\"" CONNHOOK_VERSION
		      "\",\"informationUri\":\"" CONNHOOK_DOCS "/review.md\",\"rules\":");
	jw_array(&w);
	for (const struct catalog_entry *entry = catalog; entry->id != NULL; entry++)
		write_rule(&w, entry);
	jw_array_end(&w);
	buf_addz(out, "}},\"columnKind\":\"unicodeCodePoints\",\"results\":[");
}

/* ---- places ---- */

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

static void write_artifact(struct json_writer *w, const char *source)
{
	struct buf uri;
	buf_init(&uri, w->out->limit);
	add_uri(&uri, report_path(source));
	jw_key(w, "artifactLocation");
	jw_object(w);
	jw_member(w, "uri", buf_str(&uri));
	jw_object_end(w);
	report_done(&uri, w->out);
}

static void write_number(struct json_writer *w, const char *key, size_t number)
{
	jw_key(w, key);
	jw_int(w, (long long)number);
}

/* Standard input has a place too: code scanning asks for one. */
static void write_physical_location(struct json_writer *w, const char *source, size_t line, size_t column)
{
	jw_key(w, "physicalLocation");
	jw_object(w);
	write_artifact(w, source);
	jw_key(w, "region");
	jw_object(w);
	write_number(w, "startLine", line);
	if (column > 0)
		write_number(w, "startColumn", column);
	jw_object_end(w);
	jw_object_end(w);
}

static void write_location(struct json_writer *w, const struct review_result *r, const struct review_remark *remark)
{
	struct buf title;
	buf_init(&title, w->out->limit);
	review_add_title(&title, r);
	jw_key(w, "locations");
	jw_array(w);
	jw_object(w);
	write_physical_location(w, r->manifest->source, remark->line, 0);
	jw_key(w, "logicalLocations");
	jw_array(w);
	jw_object(w);
	jw_member(w, "fullyQualifiedName", buf_str(&title));
	jw_memberz(w, "kind", "resource");
	jw_object_end(w);
	jw_array_end(w);
	jw_object_end(w);
	jw_array_end(w);
	report_done(&title, w->out);
}

/* ---- results ---- */

static void write_fingerprint(struct json_writer *w, const char *fingerprint)
{
	jw_key(w, "partialFingerprints");
	jw_object(w);
	jw_memberz(w, "primaryLocationLineHash", fingerprint);
	jw_object_end(w);
}

/* The words to write instead. */
static void write_fix(struct json_writer *w, const struct review_result *r, const struct review_fix *fix)
{
	struct buf says;
	buf_init(&says, w->out->limit);
	buf_fmt(&says, "write \"%.*s\"", STR_ARG(fix->text));
	jw_key(w, "fixes");
	jw_array(w);
	jw_object(w);
	write_text(w, "description", buf_str(&says));
	jw_key(w, "artifactChanges");
	jw_array(w);
	jw_object(w);
	write_artifact(w, r->manifest->source);
	jw_key(w, "replacements");
	jw_array(w);
	jw_object(w);
	jw_key(w, "deletedRegion");
	jw_object(w);
	write_number(w, "startLine", fix->line);
	write_number(w, "startColumn", fix->column);
	write_number(w, "endLine", fix->line);
	write_number(w, "endColumn", fix->column + fix->width);
	jw_object_end(w);
	write_text(w, "insertedContent", fix->text);
	jw_object_end(w);
	jw_array_end(w);
	jw_object_end(w);
	jw_array_end(w);
	jw_object_end(w);
	jw_array_end(w);
	report_done(&says, w->out);
}

void sarif_print(struct buf *out, const struct review *review, const struct review_result *r)
{
	struct review_remark remark;
	struct json_writer w = {.out = out, .comma = r > review->results + review->first_remarked};
	for (size_t i = 0; review_remark(review, r, i, &remark); i++) {
		char fingerprint[FINGERPRINT_MAX];
		struct buf text;
		buf_init(&text, out->limit);
		report_add_about(&text, r, &remark);
		report_fingerprint(fingerprint, review, r, i);
		jw_object(&w);
		write_rule_id(&w, remark.id);
		jw_memberz(&w, "level", levels[remark.level]);
		write_text(&w, "message", buf_str(&text));
		write_location(&w, r, &remark);
		write_fingerprint(&w, fingerprint);
		if (remark.fix.line > 0)
			write_fix(&w, r, &remark.fix);
		jw_object_end(&w);
		report_done(&text, out);
	}
}

/* ---- what could not be read ---- */

/* As a result, or as a notification of the invocation. */
static void write_unreadable(struct json_writer *w, const struct unreadable *u, bool result)
{
	char fingerprint[FINGERPRINT_MAX];
	report_fingerprint_unreadable(fingerprint, u);
	jw_object(w);
	if (result)
		write_rule_id(w, REVIEW_UNREADABLE);
	jw_memberz(w, "level", "error");
	write_text(w, "message", u->message);
	jw_key(w, "locations");
	jw_array(w);
	jw_object(w);
	write_physical_location(w, u->source, report_line(u), u->column);
	jw_object_end(w);
	jw_array_end(w);
	if (result)
		write_fingerprint(w, fingerprint);
	jw_object_end(w);
}

void sarif_end(struct buf *out, const struct review *review)
{
	struct json_writer w = {.out = out, .comma = review->first_remarked < review->count};
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
