#include "review/print.h"

#include "base/limits.h"
#include "base/text.h"
#include "codec/diff.h"
#include "codec/json_writer.h"
#include "codec/yaml_write.h"
#include "review/report.h"

#include <string.h>

#define RED "\033[31m"
#define GREEN "\033[32m"
#define RESET "\033[0m"

/* ---- what formats share ---- */

bool review_remark(const struct review *review, const struct review_result *r, size_t index,
		   struct review_remark *out)
{
	if (index < r->finding_count) {
		const struct finding *f = &r->findings[index].finding;
		enum review_level level = f->mode == MODE_ENFORCE ? LEVEL_ERROR : LEVEL_WARNING;
		*out = (struct review_remark){level, f->audited, f->rule, f->field, f->message,
					      r->findings[index].line, r->findings[index].fix};
		return true;
	}
	index -= r->finding_count;
	if (index < r->advice_count) {
		const struct review_advice *a = &r->advice[index];
		*out = (struct review_remark){LEVEL_WARNING, false, REVIEW_ADVICE, a->field, a->message, a->line,
					      a->fix};
		return true;
	}
	index -= r->advice_count;
	if (index >= r->note_count)
		return false;
	const struct review_note *n = &r->notes[index];
	*out = (struct review_remark){review->strict ? LEVEL_WARNING : LEVEL_NOTE, false, n->id, n->field, n->message,
				      n->line, n->fix};
	return true;
}

bool review_is_refused(const struct review *review, const struct review_result *r)
{
	return !r->allowed || (review->strict && r->finding_count + r->advice_count + r->note_count > 0);
}

void review_add_title(struct buf *out, const struct review_result *r)
{
	text_add(out, r->kind);
	buf_addc(out, ' ');
	text_add(out, r->namespace);
	buf_addz(out, r->namespace.n > 0 ? "/" : "");
	text_add(out, r->name.n > 0 ? r->name : STR("(without a name)"));
}

void review_add_place(struct buf *out, const struct review_result *r, size_t line)
{
	text_add(out, str_of(r->manifest->source));
	buf_fmt(out, ":%zu", line);
}

void review_add_unreadable(struct buf *out, const struct unreadable *u)
{
	if (u->line > 0)
		text_add(out, str_of(u->source));
	if (u->line > 0)
		buf_fmt(out, ":%zu", u->line);
	if (u->column > 0)
		buf_fmt(out, ":%zu", u->column);
	buf_addz(out, u->line > 0 ? ": " : "");
	text_add(out, u->message);
}

void review_add_sentence(struct buf *out, const struct review_remark *remark)
{
	text_add(out, remark->field);
	buf_addz(out, remark->field.n > 0 ? ": " : "");
	text_add(out, remark->message);
}

/* ---- summary ---- */

static const char *remark_label(const struct review_remark *remark)
{
	if (remark->level == LEVEL_NOTE)
		return "note: ";
	if (remark->level == LEVEL_WARNING)
		return remark->audited ? "would be denied: " : "warning: ";
	return "";
}

static void add_injected(struct buf *out, const struct review_result *r)
{
	for (size_t i = 0; i < r->binding_count; i++)
		buf_fmt(out, "%s%.*s", i > 0 ? ", " : "  injected ", STR_ARG(r->bindings[i]));
	if (r->skipped != NULL && strcmp(r->skipped, "not-a-workload") != 0)
		buf_fmt(out, "  skipped: %s", r->skipped);
}

static void summary_print(struct buf *out, const struct review *review, const struct review_result *r)
{
	bool patched = r->patch.n > 0;
	const char *word = !r->allowed ? "denied " : patched ? "patched" : "ok     ";
	const char *paint = !review->colour ? "" : !r->allowed ? RED : patched ? GREEN : "";
	struct review_remark remark;
	buf_fmt(out, "%s%s%s  ", paint, word, *paint ? RESET : "");
	review_add_title(out, r);
	if (r->allowed)
		add_injected(out, r);
	buf_addc(out, '\n');
	for (size_t i = 0; review_remark(review, r, i, &remark); i++) {
		buf_addz(out, "         ");
		review_add_place(out, r, remark.line);
		buf_fmt(out, ": %s", remark_label(&remark));
		review_add_sentence(out, &remark);
		buf_fmt(out, " [%s]\n", remark.id);
	}
}

void review_add_counts(struct buf *out, const struct review *review)
{
	buf_fmt(out, "%zu object%s: %zu patched, %zu denied, %zu with warnings", review->count,
		review->count == 1 ? "" : "s", review->patched, review->denied, review->warned);
	if (review->noted > 0)
		buf_fmt(out, ", %zu with notes", review->noted);
	if (review->unreadable_count > 0)
		buf_fmt(out, ", %zu unreadable", review->unreadable_count);
	buf_addc(out, '\n');
	if (review->passed_over > 0)
		buf_fmt(out, "%zu passed over: no manifests\n", review->passed_over);
}

static void summary_end(struct buf *out, const struct review *review)
{
	for (size_t i = 0; i < review->unreadable_count; i++) {
		buf_fmt(out, "%s" REVIEW_UNREADABLE "%s  ", review->colour ? RED : "", review->colour ? RESET : "");
		review_add_unreadable(out, &review->unreadable[i]);
		buf_addc(out, '\n');
	}
	review_add_counts(out, review);
}

/* ---- yaml: what would be stored ---- */

/* Hands the object as it would be stored to `write`; a failure stays in `out`. */
static void with_admitted(struct buf *out, const struct review_result *r,
			  void (*write)(struct buf *out, const struct json *object))
{
	struct json *admitted = NULL;
	int rc = r->patch.n > 0 ? review_admitted(r, &admitted, NULL) : 0;
	if (rc == 0) {
		write(out, admitted != NULL ? admitted : r->manifest->object);
		json_free(admitted);
	} else {
		buf_fail(out, rc);
	}
}

static void yaml_print(struct buf *out, const struct review *review, const struct review_result *r)
{
	if (!r->allowed)
		return;
	if (r > review->results + review->first_allowed)
		buf_addz(out, "---\n");
	with_admitted(out, r, yaml_write);
}

/* ---- json ---- */

static void json_begin(struct buf *out, const struct review *review)
{
	(void)review;
	buf_addz(out, "[");
}

static void write_findings(struct json_writer *w, const struct review_result *r)
{
	jw_key(w, "violations");
	jw_array(w);
	for (size_t i = 0; i < r->finding_count; i++) {
		const struct finding *f = &r->findings[i].finding;
		jw_object(w);
		jw_memberz(w, "rule", f->rule);
		jw_memberz(w, "mode", f->mode == MODE_ENFORCE ? "enforce" : "warn");
		if (f->audited) {
			jw_key(w, "audited");
			jw_bool(w, true);
		}
		jw_member(w, "field", f->field);
		jw_key(w, "line");
		jw_int(w, (long long)r->findings[i].line);
		jw_member(w, "message", f->message);
		jw_object_end(w);
	}
	jw_array_end(w);
}

static void write_notes(struct json_writer *w, const struct review_result *r)
{
	jw_key(w, "notes");
	jw_array(w);
	for (size_t i = 0; i < r->note_count; i++) {
		jw_object(w);
		jw_memberz(w, "note", r->notes[i].id);
		jw_member(w, "field", r->notes[i].field);
		jw_key(w, "line");
		jw_int(w, (long long)r->notes[i].line);
		jw_member(w, "message", r->notes[i].message);
		jw_object_end(w);
	}
	jw_array_end(w);
}

static void json_print(struct buf *out, const struct review *review, const struct review_result *r)
{
	buf_addz(out, r == review->results ? "\n" : ",\n");
	struct json_writer w = {.out = out};
	jw_object(&w);
	jw_memberz(&w, "source", r->manifest->source);
	jw_key(&w, "line");
	jw_int(&w, (long long)r->manifest->line);
	jw_member(&w, "kind", r->kind);
	jw_member(&w, "namespace", r->namespace);
	jw_member(&w, "name", r->name);
	jw_key(&w, "allowed");
	jw_bool(&w, r->allowed);
	write_findings(&w, r);
	jw_key(&w, "warnings");
	jw_array(&w);
	for (size_t i = 0; i < r->warning_count; i++)
		jw_string(&w, r->warnings[i]);
	jw_array_end(&w);
	write_notes(&w, r);
	jw_key(&w, "patch");
	jw_raw(&w, r->patch.n > 0 ? r->patch : STR("[]"));
	jw_object_end(&w);
}

static void json_end(struct buf *out, const struct review *review)
{
	for (size_t i = 0; i < review->unreadable_count; i++) {
		const struct unreadable *u = &review->unreadable[i];
		buf_addz(out, review->count + i == 0 ? "\n" : ",\n");
		struct json_writer w = {.out = out};
		jw_object(&w);
		jw_memberz(&w, "source", u->source);
		jw_key(&w, "line");
		jw_int(&w, (long long)(u->line > 0 ? u->line : 1));
		jw_memberz(&w, "kind", "");
		jw_memberz(&w, "namespace", "");
		jw_memberz(&w, "name", "");
		jw_key(&w, "allowed");
		jw_bool(&w, false);
		jw_key(&w, "violations");
		jw_array(&w);
		jw_object(&w);
		jw_memberz(&w, "rule", REVIEW_UNREADABLE);
		jw_memberz(&w, "mode", "enforce");
		jw_memberz(&w, "field", "");
		jw_key(&w, "line");
		jw_int(&w, (long long)(u->line > 0 ? u->line : 1));
		jw_member(&w, "message", u->message);
		jw_object_end(&w);
		jw_array_end(&w);
		jw_key(&w, "warnings");
		jw_raw(&w, STR("[]"));
		jw_key(&w, "notes");
		jw_raw(&w, STR("[]"));
		jw_key(&w, "patch");
		jw_raw(&w, STR("[]"));
		jw_object_end(&w);
	}
	buf_addz(out, review->count + review->unreadable_count > 0 ? "\n]\n" : "]\n");
}

/* ---- patch ---- */

static void patch_print(struct buf *out, const struct review *review, const struct review_result *r)
{
	(void)review;
	if (r->patch.n == 0)
		return;
	buf_add(out, r->patch);
	buf_addc(out, '\n');
}

/* ---- name: as kubectl prints it ---- */

static void name_print(struct buf *out, const struct review *review, const struct review_result *r)
{
	(void)review;
	if (!r->allowed)
		return;
	struct buf kind;
	buf_init(&kind, out->limit);
	for (size_t i = 0; i < r->kind.n; i++) {
		char c = r->kind.p[i];
		buf_addc(&kind, c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c);
	}
	text_add(out, buf_str(&kind));
	buf_addz(out, r->group.n > 0 ? "." : "");
	text_add(out, r->group);
	buf_addc(out, '/');
	text_add(out, r->name);
	buf_addc(out, '\n');
	buf_fail(out, kind.error);
	buf_free(&kind);
}

/* ---- diff ---- */

static void diff_print(struct buf *out, const struct review *review, const struct review_result *r)
{
	if (r->patch.n == 0)
		return;
	struct buf before, after, old_name, new_name;
	buf_init(&before, LIMIT_RESPONSE);
	buf_init(&after, LIMIT_RESPONSE);
	buf_init(&old_name, LIMIT_RESPONSE);
	buf_init(&new_name, LIMIT_RESPONSE);
	yaml_write(&before, r->manifest->object);
	with_admitted(&after, r, yaml_write);
	text_add(&old_name, str_of(r->manifest->source));
	buf_addc(&old_name, ' ');
	review_add_title(&old_name, r);
	buf_addz(&new_name, "admitted ");
	review_add_title(&new_name, r);
	struct buf *parts[] = {&before, &after, &old_name, &new_name};
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		buf_fail(out, parts[i]->error);
	if (out->error == 0)
		diff_unified(out, buf_str(&before), buf_str(&after), buf_str(&old_name), buf_str(&new_name), review->colour);
	buf_free(&before);
	buf_free(&after);
	buf_free(&old_name);
	buf_free(&new_name);
}

/* ---- the table ---- */

const struct review_format review_formats[] = {
	{"summary", "a line for each object, and what is wrong with it", false, NULL, summary_print, summary_end},
	{"yaml", "the admitted manifests, ready for kubectl apply", true, NULL, yaml_print, NULL},
	{"json", "a list of source, line, kind, ..., allowed, violations, patch", false, json_begin, json_print, json_end},
	{"patch", "the JSON Patch of each object that is patched, a line each", true, NULL, patch_print, NULL},
	{"diff", "a unified diff of what is patched", true, NULL, diff_print, NULL},
	{"name", "kind and name of what is admitted, as kubectl prints it", true, NULL, name_print, NULL},
	{"github", "annotations for GitHub Actions", false, NULL, NULL, github_end},
	{"gitlab", "a Code Quality report, for GitLab's merge requests", false, gitlab_begin, gitlab_print, gitlab_end},
	{"junit", "a JUnit report: GitLab, Jenkins and others show it", false, junit_begin, junit_print, junit_end},
	{"sarif", "SARIF 2.1.0, for code scanning", false, sarif_begin, sarif_print, sarif_end},
	{NULL, NULL, false, NULL, NULL, NULL},
};

const struct review_format *review_format_find(const char *name)
{
	for (const struct review_format *f = review_formats; f->name != NULL; f++)
		if (strcmp(f->name, name) == 0)
			return f;
	return NULL;
}
