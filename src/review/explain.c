#include "review/explain.h"

#include "base/text.h"
#include "policy/plan/annotations.h"
#include "policy/plan/declared.h"
#include "policy/plan/record.h"
#include "review/print.h"

struct story {
	struct arena *arena;
	const struct review_result *result;
	struct wishes wishes;
	struct record record;     /* of the object as it would be stored */
	struct declared declared; /* by the object as it is */
	struct buf *out;
};

/* "  word      sentence" */
static void add_word(struct buf *out, const char *word)
{
	buf_fmt(out, "  %-8s ", word);
}

static void add_wishes(struct story *s, struct line_finder *lines, struct str asked)
{
	const struct wishes *w = &s->wishes;
	add_word(s->out, "asks");
	for (size_t i = 0; i < w->bindings.count; i++) {
		buf_addz(s->out, i > 0 ? ", " : "");
		text_add(s->out, w->bindings.items[i].label);
	}
	if (w->opted_out)
		buf_addz(s->out, "for nothing: its annotation inject is \"false\"\n");
	else if (w->bindings.count == 0 && !w->migrate)
		buf_addz(s->out, "for nothing: it has no annotation for bindings, and no default of the configuration fits\n");
	else if (asked.p != NULL && (w->bindings_annotated || w->migrate)) {
		buf_addz(s->out, ": ");
		text_add(s->out, asked);
		buf_fmt(s->out, ", %s:%zu\n", s->result->manifest->source, line_find(lines, asked));
	} else {
		buf_addz(s->out, ": a default of the configuration\n");
	}
	if (w->opted_out || w->app.n == 0)
		return;
	add_word(s->out, "as");
	text_add(s->out, w->app);
	buf_addz(s->out, w->app_annotated ? ", as its annotation says\n"
					  : ", by its label app.kubernetes.io/name or its own name\n");
}

/* The binding that gives the entry; NULL. */
static const struct bound *binding_of(const struct story *s, enum entry_kind kind, const struct entry_key *key)
{
	for (size_t i = 0; i < s->wishes.bindings.count; i++) {
		const struct bound *b = &s->wishes.bindings.items[i];
		if (kind == ENTRY_ENV_FROM && b->env_from && str_eq(b->secret, key->name))
			return b;
		for (size_t e = 0; kind == ENTRY_ENV && e < b->env_count; e++)
			if (str_eq(b->env[e].name, key->name))
				return b;
	}
	return NULL;
}

static bool is_declared(const struct declared_keys *keys, const struct entry_key *key)
{
	for (size_t i = 0; i < keys->count; i++)
		if (entry_key_cmp(&keys->items[i].key, key) == 0)
			return true;
	return false;
}

/* One entry: what it is, and whose. */
static void add_entry(struct story *s, struct str container, enum entry_kind kind, const struct json *entry,
		      const struct declared_entries *declared)
{
	struct entry_key key;
	if (!entry_key(kind, entry, &key))
		return;
	struct record_group *group = record_container(&s->record, container);
	bool recorded = group != NULL && record_find(kind == ENTRY_ENV ? &group->env : &group->env_from, &key) != NULL;
	const struct bound *b = binding_of(s, kind, &key);
	if (!recorded && b == NULL && kind == ENTRY_ENV)
		return; /* a variable that has nothing to do with connhook */
	add_word(s->out, recorded ? "gets" : "has");
	buf_addz(s->out, kind == ENTRY_ENV ? "env " : "envFrom Secret ");
	text_add(s->out, key.name);
	buf_addz(s->out, " in ");
	text_add(s->out, container);
	if (recorded) {
		buf_addz(s->out, ": connhook's, by its record");
		if (b != NULL)
			buf_fmt(s->out, ", of binding %.*s", STR_ARG(b->label));
	} else if (is_declared(kind == ENTRY_ENV ? &declared->env : &declared->env_from, &key)) {
		buf_addz(s->out, ": its owner's, by last-applied or an Apply entry of managedFields");
	} else {
		buf_addz(s->out, ": its owner's, as it stands in the manifest");
	}
	buf_addc(s->out, '\n');
}

static void add_container(struct story *s, const struct json *container)
{
	struct declared_entries declared;
	struct str name = container_name(container);
	declared_entries(s->arena, &s->declared, name, &declared);
	for (size_t kind = ENTRY_ENV_FROM; kind <= ENTRY_ENV; kind++) {
		const struct json *list = json_getz(container, entry_list[kind]);
		for (const struct json *e = json_first(list); e != NULL; e = json_next(e))
			add_entry(s, name, (enum entry_kind)kind, e, &declared);
	}
}

static void add_remarks(struct story *s)
{
	const struct review review = {.results = s->result, .count = 1};
	struct review_remark remark;
	for (size_t i = 0; review_remark(&review, s->result, i, &remark); i++) {
		add_word(s->out, remark.level == LEVEL_ERROR ? "denied" : remark.level == LEVEL_WARNING ? "warning" : "note");
		review_add_sentence(s->out, &remark);
		buf_fmt(s->out, " [%s]\n", remark.id);
	}
}

static void add_outcome(struct story *s, const struct workload *w)
{
	const struct review_result *r = s->result;
	if (r->skipped != NULL) {
		add_word(s->out, "skipped");
		buf_fmt(s->out, "%s: nothing is injected\n", r->skipped);
	}
	for (const struct json *c = json_first(w->containers); c != NULL; c = json_next(c))
		add_container(s, c);
	if (s->record.present && s->record.migration.name.p != NULL) {
		add_word(s->out, "gets");
		buf_fmt(s->out, "init container %.*s: connhook's, by its record\n", STR_ARG(s->record.migration.name));
	}
	add_remarks(s);
}

int review_explain(struct arena *arena, const struct review_settings *settings, const struct review_result *result,
		   struct buf *out, struct error *err)
{
	struct story s = {.arena = arena, .result = result, .out = out};
	const struct workload_kind *kind = workload_find(result->group, result->kind);
	struct line_finder lines = {.manifest = result->manifest, .object = result->manifest->object};
	struct workload before, after;
	struct workload_fault fault;
	struct json *admitted;
	int rc = review_admitted(result, &admitted, err);
	if (rc != 0)
		return rc;
	review_add_title(out, result);
	buf_fmt(out, " (%s:%zu)\n", result->manifest->source, result->manifest->line);
	if (kind == NULL || !workload_open(kind, result->manifest->object, &before, &fault) ||
	    !workload_open(kind, admitted, &after, &fault)) {
		add_remarks(&s);
	} else {
		annotations_read(arena, settings->config, &before, result->namespace, &s.wishes);
		declared_read(arena, settings->config, &before, &s.declared);
		(void)record_read(arena, settings->config, after.template_metadata, NULL, &s.record);
		add_wishes(&s, &lines, annotations_ask(arena, settings->config, &before));
		add_outcome(&s, &after);
	}
	json_free(admitted);
	return arena->failed ? error_nomem(err) : 0;
}
