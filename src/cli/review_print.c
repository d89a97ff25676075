#include "cli/review_print.h"

#include "base/limits.h"
#include "codec/diff.h"
#include "codec/json_writer.h"
#include "codec/yaml_write.h"

#include <string.h>

static void print_title(struct buf *out, const struct review_result *r)
{
	buf_fmt(out, "%.*s %.*s%s%.*s", STR_ARG(r->kind), STR_ARG(r->namespace), r->namespace.n > 0 ? "/" : "",
		STR_ARG(r->name));
}

/* ---- summary ---- */

static void print_injected(struct buf *out, const struct review_result *r)
{
	const struct decision *d = &r->mutate;
	if (d->binding_count > 0)
		buf_addz(out, "  injected ");
	for (size_t i = 0; i < d->binding_count; i++)
		buf_fmt(out, "%s%.*s", i > 0 ? ", " : "", STR_ARG(d->bindings[i]));
	if (d->skipped != NULL && !str_eqz(STR("not-a-workload"), d->skipped))
		buf_fmt(out, "  skipped: %s", d->skipped);
}

static void summary_print(struct buf *out, const struct review_result *r, bool first, bool colour)
{
	(void)first;
	const char *word = !r->allowed ? "denied " : r->patched ? "patched" : "ok     ";
	const char *paint = !r->allowed ? "\033[31m" : r->patched ? "\033[32m" : "";
	buf_fmt(out, "%s%s%s  ", colour ? paint : "", word, colour && *paint ? "\033[0m" : "");
	print_title(out, r);
	if (r->allowed)
		print_injected(out, r);
	buf_addc(out, '\n');
	for (size_t i = 0; i < r->finding_count; i++)
		if (r->findings[i].mode == MODE_ENFORCE)
			buf_fmt(out, "         %.*s%s%.*s [%s]\n", STR_ARG(r->findings[i].field),
				r->findings[i].field.n > 0 ? ": " : "", STR_ARG(r->findings[i].message), r->findings[i].rule);
	for (size_t i = 0; i < r->warning_count; i++)
		buf_fmt(out, "         warning: %.*s\n", STR_ARG(r->warnings[i]));
}

static void summary_end(struct buf *out, const struct review_totals *t)
{
	buf_fmt(out, "%zu object%s: %zu patched, %zu denied, %zu with warnings\n", t->objects, t->objects == 1 ? "" : "s",
		t->patched, t->denied, t->warned);
}

/* ---- yaml: what would be stored ---- */

static void yaml_print(struct buf *out, const struct review_result *r, bool first, bool colour)
{
	(void)colour;
	if (!r->allowed)
		return;
	if (!first)
		buf_addz(out, "---\n");
	yaml_write(out, r->admitted);
}

/* ---- json ---- */

static const char *mode_name(enum rule_mode mode)
{
	return mode == MODE_ENFORCE ? "enforce" : "warn";
}

static void json_begin(struct buf *out)
{
	buf_addz(out, "[");
}

static void json_print(struct buf *out, const struct review_result *r, bool first, bool colour)
{
	(void)colour;
	buf_addz(out, first ? "\n" : ",\n");
	struct json_writer w = {.out = out};
	jw_object(&w);
	jw_memberz(&w, "source", r->manifest->source);
	jw_member(&w, "kind", r->kind);
	jw_member(&w, "namespace", r->namespace);
	jw_member(&w, "name", r->name);
	jw_key(&w, "allowed");
	jw_bool(&w, r->allowed);
	jw_key(&w, "violations");
	jw_array(&w);
	for (size_t i = 0; i < r->finding_count; i++) {
		jw_object(&w);
		jw_memberz(&w, "rule", r->findings[i].rule);
		jw_memberz(&w, "mode", mode_name(r->findings[i].mode));
		jw_member(&w, "field", r->findings[i].field);
		jw_member(&w, "message", r->findings[i].message);
		jw_object_end(&w);
	}
	jw_array_end(&w);
	jw_key(&w, "warnings");
	jw_array(&w);
	for (size_t i = 0; i < r->warning_count; i++)
		jw_string(&w, r->warnings[i]);
	jw_array_end(&w);
	jw_key(&w, "patch");
	jw_raw(&w, r->patched ? r->mutate.patch : STR("[]"));
	jw_object_end(&w);
}

static void json_end(struct buf *out, const struct review_totals *t)
{
	buf_addz(out, t->objects > 0 ? "\n]\n" : "]\n");
}

/* ---- patch: a line for each object that is patched ---- */

static void patch_print(struct buf *out, const struct review_result *r, bool first, bool colour)
{
	(void)first;
	(void)colour;
	if (!r->allowed || !r->patched)
		return;
	buf_add(out, r->mutate.patch);
	buf_addc(out, '\n');
}

/* ---- diff ---- */

static void diff_print(struct buf *out, const struct review_result *r, bool first, bool colour)
{
	(void)first;
	if (!r->allowed || !r->patched)
		return;
	struct buf before, after, title;
	buf_init(&before, LIMIT_RESPONSE);
	buf_init(&after, LIMIT_RESPONSE);
	buf_init(&title, LIMIT_MESSAGE);
	yaml_write(&before, r->manifest->object);
	yaml_write(&after, r->admitted);
	buf_fmt(&title, "%s ", r->manifest->source);
	print_title(&title, r);
	struct buf admitted;
	buf_init(&admitted, LIMIT_MESSAGE);
	buf_fmt(&admitted, "admitted ");
	print_title(&admitted, r);
	diff_unified(out, buf_str(&before), buf_str(&after), buf_str(&title), buf_str(&admitted), colour);
	if (out->error == 0)
		out->error = before.error != 0 ? before.error : after.error;
	buf_free(&before);
	buf_free(&after);
	buf_free(&title);
	buf_free(&admitted);
}

static const struct review_format formats[] = {
	{"summary", NULL, summary_print, summary_end},
	{"yaml", NULL, yaml_print, NULL},
	{"json", json_begin, json_print, json_end},
	{"patch", NULL, patch_print, NULL},
	{"diff", NULL, diff_print, NULL},
};

const struct review_format *review_format_find(const char *name)
{
	for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
		if (strcmp(formats[i].name, name) == 0)
			return &formats[i];
	return NULL;
}
