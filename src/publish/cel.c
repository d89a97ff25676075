#include "publish/cel.h"

#include "kube/owner.h"

#include <string.h>

/* JSON's form of a string is one of CEL's. */
void cel_string(struct buf *out, struct str s)
{
	json_write_string(out, s);
}

void cel_pattern(struct buf *out, struct str glob, const char *any)
{
	for (size_t i = 0; i < glob.n; i++) {
		char c = glob.p[i];
		if (c == '*' || c == '?')
			buf_fmt(out, "%s%s", any, c == '*' ? "*" : "");
		else if (c != '\0' && strchr(".$+()[^{|\\", c) != NULL)
			buf_fmt(out, "[%s%c]", c == '^' || c == '\\' ? "\\" : "", c);
		else
			buf_addc(out, c);
	}
}

void cel_glob(struct buf *out, const char *subject, struct str glob)
{
	struct str head = {glob.p, glob.n > 0 ? glob.n - 1 : 0};
	if (!str_is_glob(glob)) {
		buf_fmt(out, "%s == ", subject);
		cel_string(out, glob);
	} else if (glob.p[glob.n - 1] == '*' && !str_is_glob(head)) {
		buf_fmt(out, "%s.startsWith(", subject);
		cel_string(out, head);
		buf_addc(out, ')');
	} else {
		struct buf pattern;
		buf_init(&pattern, out->limit);
		buf_addc(&pattern, '^');
		cel_pattern(&pattern, glob, ".");
		buf_addc(&pattern, '$');
		buf_fmt(out, "%s.matches(", subject);
		cel_string(out, buf_str(&pattern));
		buf_addc(out, ')');
		buf_fail(out, pattern.error);
		buf_free(&pattern);
	}
}

void cel_any_of(struct buf *out, const char *subject, const struct names *globs)
{
	buf_addc(out, '(');
	for (size_t i = 0; i < globs->count; i++) {
		buf_addz(out, i > 0 ? " || " : "");
		cel_glob(out, subject, globs->items[i]);
	}
	buf_addz(out, globs->count > 0 ? ")" : "false)");
}

void cel_condition(struct json_writer *w, const char *name, const char *expression)
{
	jw_object(w);
	jw_memberz(w, "name", name);
	jw_memberz(w, "expression", expression);
	jw_object_end(w);
}

void cel_built_condition(struct json_writer *w, const char *name, struct buf *text)
{
	jw_object(w);
	jw_memberz(w, "name", name);
	jw_member(w, "expression", buf_str(text));
	jw_object_end(w);
	buf_fail(w->out, text->error);
	buf_free(text);
}

void cel_none_of(struct json_writer *w, const char *name, const char *unless, const char *subject,
		 const struct names *globs)
{
	struct buf text;
	if (globs->count == 0)
		return;
	buf_init(&text, w->out->limit);
	buf_fmt(&text, "%s!", unless);
	cel_any_of(&text, subject, globs);
	cel_built_condition(w, name, &text);
}

void cel_no_group(struct json_writer *w, const char *name, const struct names *globs)
{
	struct buf text;
	if (globs->count == 0)
		return;
	buf_init(&text, w->out->limit);
	buf_addz(&text, "!has(request.userInfo.groups) || !request.userInfo.groups.exists(g, ");
	cel_any_of(&text, "g", globs);
	buf_addc(&text, ')');
	cel_built_condition(w, name, &text);
}

/* Who asks, and where: in no condition stands what an object says of itself. */
static void write_exempt(struct json_writer *w, const struct config *config)
{
	const struct names controllers = {.items = owner_controllers, .count = owner_controller_count};
	cel_none_of(w, "not-controller", "", "request.userInfo.username", &controllers);
	/* What lives in no namespace has none in its request. */
	cel_none_of(w, "not-exempt-namespace", "!has(request.namespace) || ", "request.namespace",
		    &config->exempt_namespaces);
	cel_none_of(w, "not-exempt-user", "", "request.userInfo.username", &config->exempt_users);
	cel_no_group(w, "not-exempt-group", &config->exempt_groups);
}

/* The member is absent from both objects, or the same in both. */
#define SAME(member)                                                                                                   \
	"(has(object." member ") ? has(oldObject." member ") && object." member " == oldObject." member " : "         \
	"!has(oldObject." member "))"

void cel_judged(struct json_writer *w, const struct config *config)
{
	/* Finalizers leave also while connhook is down. CREATE has no old object. */
	cel_condition(w, "not-deleting",
		      "!(request.operation == \"UPDATE\" && has(object.metadata.deletionTimestamp) && " SAME("spec") " && "
		      SAME("data") ")");
	write_exempt(w, config);
}

/* No controller of the kinds in kube/owner.c. */
static void write_not_owned(struct json_writer *w)
{
	struct buf text;
	buf_init(&text, w->out->limit);
	buf_addz(&text, "!has(object.metadata.ownerReferences) || !object.metadata.ownerReferences.exists(o, "
			"has(o.controller) && o.controller == true && (");
	for (size_t i = 0; i < owner_kind_count; i++) {
		const struct owner_kind *row = &owner_kinds[i];
		buf_fmt(&text,
			"%s(request.kind.group == \"%s\" && request.kind.kind == \"%s\" && "
			"o.apiVersion.startsWith(\"%s/\") && o.kind == \"%s\")",
			i > 0 ? " || " : "", row->group, row->kind, row->owner_group, row->owner_kind);
	}
	buf_addz(&text, "))");
	cel_built_condition(w, "not-owned", &text);
}

void cel_injected(struct json_writer *w, const struct config *config)
{
	cel_condition(w, "not-deleting", "!has(object.metadata.deletionTimestamp)");
	write_not_owned(w);
	write_exempt(w, config);
}
