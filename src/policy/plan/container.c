/* One container: its envFrom and env. */
#include "policy/plan/parts.h"

#include "base/text.h"
#include "codec/json_pointer.h"

static struct str env_name(const struct json *entry)
{
	struct str name = json_string(json_getz(entry, "name"));
	return name.p ? name : STR("");
}

/* ---- what a merge leaves behind ---- */

/*
 * A strategic merge patch merges an owner's new env entry into connhook's of the same name, which gives one with both
 * `value` and `valueFrom`: the API server would refuse it. The member that is connhook's; NULL when there is none.
 */
static const char *residue(const struct json *entry, const struct json *recorded)
{
	const struct json *value = json_getz(entry, "value"), *from = json_getz(entry, "valueFrom");
	const struct json *our_value = json_getz(recorded, "value"), *our_from = json_getz(recorded, "valueFrom");
	if (json_is_empty(from))
		return NULL;
	if (our_from != NULL && !json_is_empty(value) && json_equal(from, our_from))
		return "valueFrom";
	if (our_value != NULL && value != NULL && json_equal(value, our_value))
		return "value";
	const struct json *ref = json_getz(from, "secretKeyRef");
	if (our_from != NULL && ref != NULL && json_next(json_first(from)) != NULL &&
	    json_equal(ref, json_getz(our_from, "secretKeyRef")))
		return "valueFrom/secretKeyRef";
	return NULL;
}

static void release(void *tree)
{
	json_free(tree);
}

/* `entry` without the member at the relative pointer; NULL when memory is out. */
static const struct json *without(struct arena *arena, const struct json *entry, struct str member)
{
	struct json *copy = json_copy(entry), *parent = copy;
	if (copy == NULL || !arena_adopt(arena, release, copy)) {
		arena->failed = true;
		return NULL;
	}
	struct str key;
	while (str_split(&member, '/', &key) && member.p != NULL)
		parent = json_get_mutable(parent, key);
	json_free(json_detach(parent, json_get_mutable(parent, key)));
	return copy;
}

/* Takes connhook's part out of an entry of the owner's. False when memory is out. */
static bool clean(struct scene *s, struct list *list, size_t at, const struct record_entry *recorded,
		  const struct declared_keys *declared)
{
	const struct json *entry = list->slots[at].value;
	const char *member = declared_without(declared, &recorded->key, entry, recorded->value);
	if (member == NULL)
		member = residue(entry, recorded->value);
	if (member == NULL)
		return true;
	patch_remove(s->patch, arena_fmt(s->arena, "%.*s/%zu/%s", STR_ARG(list->pointer), at, member));
	list->slots[at].value = without(s->arena, list->slots[at].value, str_of(member));
	return list->slots[at].value != NULL;
}

/* ---- envFrom ---- */

/* The bindings' Secrets, but for those that stand in the part of the list that is not connhook's. */
static bool want_env_from(struct scene *s, struct container_plan *c)
{
	const struct want *w = &s->want;
	bool *taken = arena_array(s->arena, w->env_from_count, sizeof *taken);
	c->env_from_targets = arena_array(s->arena, w->env_from_count, sizeof *c->env_from_targets);
	if (taken == NULL || c->env_from_targets == NULL)
		return false;
	for (size_t i = 0; i < c->env_from.count; i++) {
		struct entry_key key;
		if (c->env_from.slots[i].ours || !entry_key(ENTRY_ENV_FROM, c->env_from.slots[i].value, &key))
			continue;
		for (size_t k = 0; k < w->env_from_count; k++)
			taken[k] = taken[k] || entry_key_cmp(&w->env_from[k].key, &key) == 0;
	}
	for (size_t k = 0; k < w->env_from_count; k++)
		if (!taken[k])
			c->env_from_targets[c->env_from_count++] = (struct target){w->env_from[k].value, w->env_from[k].hash, 0};
	return true;
}

/* ---- env ---- */

/* A source of the container's own envFrom that may hold the variable; its keys are not known here. NULL for none. */
static const struct json *own_source(const struct scene *s, const struct container_plan *c, struct str variable)
{
	for (size_t i = 0; i < c->env_from.count; i++) {
		const struct json *source = c->env_from.slots[i].value;
		struct str prefix = json_string(json_getz(source, "prefix"));
		struct str map = json_string(json_path(source, "configMapRef", "name", NULL));
		struct str secret = json_string(json_path(source, "secretRef", "name", NULL));
		if (c->env_from.slots[i].ours || (map.p == NULL && secret.p == NULL) ||
		    (prefix.p != NULL && !str_starts(variable, prefix)))
			continue;
		/* What a binding reads, and a claim's Secret, has known keys: plan_collisions compares them. */
		bool known = secret.p != NULL && str_ends(secret, STR(CONNECTION_SUFFIX));
		for (size_t k = 0; k < s->wishes.bindings.count && !known; k++)
			known = secret.p != NULL && str_eq(s->wishes.bindings.items[k].secret, secret);
		if (!known)
			return source;
	}
	return NULL;
}

/* Variables of bindings that come anew, and may hide some of the container's own. */
struct hidden {
	const struct want_entry *first;
	const struct json *source; /* of its own, that may hold the first one */
	size_t count;
};

static void note_hidden(const struct scene *s, const struct container_plan *c, const struct want_entry *e,
			struct hidden *hidden)
{
	const struct json *source = own_source(s, c, e->key.name);
	if (source == NULL)
		return;
	if (hidden->count++ == 0) {
		hidden->first = e;
		hidden->source = source;
	}
}

/* An env entry wins over all of envFrom. Said when the entry comes. */
static void warn_hidden(struct scene *s, const struct container_plan *c, const struct hidden *hidden)
{
	if (hidden->count == 0)
		return;
	struct str map = json_string(json_path(hidden->source, "configMapRef", "name", NULL));
	struct str secret = json_string(json_path(hidden->source, "secretRef", "name", NULL));
	const char *kind = map.p != NULL ? "ConfigMap" : "Secret";
	struct str more = STR("");
	if (hidden->count > 1)
		more = arena_fmt(s->arena, " (and %zu more)", hidden->count - 1);
	violation_add(&s->out->warnings, c->field, arena_fmt(s->arena, "hides:%.*s", STR_ARG(hidden->first->key.name)),
		      "in container %s, %.*s of binding %.*s%.*s wins over the container's own %s %s, should that hold it too; "
		      "to keep the %s's, set the variable in env",
		      text_quote(c->name).text, STR_ARG(hidden->first->key.name), STR_ARG(hidden->first->bound->label),
		      STR_ARG(more), kind, text_quote_name(map.p != NULL ? map : secret).text, kind);
}

/* Sorts by the place behind others' entries; the order of the bindings stays where that is the same. */
static void sort_targets(struct target *targets, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct target t = targets[i];
		size_t k = i;
		for (; k > 0 && targets[k - 1].behind > t.behind; k--)
			targets[k] = targets[k - 1];
		targets[k] = t;
	}
}

/*
 * The bindings' variables, but for those that the owner sets. In front, or behind the entries of others that they refer
 * to: Kubernetes resolves $(NAME) against earlier entries only.
 */
static bool want_env(struct scene *s, struct container_plan *c)
{
	const struct want *w = &s->want;
	size_t *behind = arena_array(s->arena, w->names.count, sizeof *behind), others = 0;
	c->env_targets = arena_array(s->arena, w->env_count, sizeof *c->env_targets);
	if (behind == NULL || c->env_targets == NULL)
		return false;
	for (size_t i = 0; i < c->env.count && w->env_count > 0; i++) {
		if (c->env.slots[i].ours)
			continue;
		others++;
		size_t place = want_place(w, env_name(c->env.slots[i].value));
		if (place < w->names.count)
			behind[place] = others;
	}
	for (size_t i = 0; i < w->env_count; i++) {
		const struct want_entry *e = &w->env[i];
		if (behind[e->place] > 0) {
			violation_add(&s->out->warnings, c->field, STR("kept"),
				      "container %s sets %.*s itself, which is kept; binding %.*s does not replace it",
				      text_quote(c->name).text, STR_ARG(e->key.name), STR_ARG(e->bound->label));
			continue;
		}
		c->env_targets[c->env_count++] = (struct target){e->value, e->hash, 0};
	}
	/* In the order of `env` each entry stands behind those of connhook's that it refers to: one pass is enough. */
	size_t next = 0;
	for (size_t i = 0; i < w->env_count && next < c->env_count; i++) {
		const struct want_entry *e = &w->env[i];
		if (c->env_targets[next].value != e->value)
			continue;
		struct target *t = &c->env_targets[next++];
		for (size_t k = 0; k < e->need_count; k++)
			t->behind = behind[e->needs[k]] > t->behind ? behind[e->needs[k]] : t->behind;
		behind[e->place] = t->behind;
	}
	sort_targets(c->env_targets, c->env_count);
	return true;
}

/* ---- what is there of it ---- */

/* Notes what is injected, what of it is missing, and what comes anew. False when memory is out. */
static bool note(struct scene *s, const struct container_plan *c, const struct list *list,
		 const struct target *targets, size_t count, const struct want_entry *entries, size_t entry_count)
{
	bool *held = arena_array(s->arena, count, sizeof *held);
	const char *key = entry_list[list->kind];
	if (held == NULL)
		return false;
	for (size_t i = 0; i < list->count; i++)
		for (size_t k = 0; k < count && list->slots[i].ours; k++)
			held[k] = held[k] || targets[k].hash == list->slots[i].hash;
	struct hidden hidden = {.count = 0};
	for (size_t k = 0; k < count; k++) {
		size_t e = 0;
		while (e < entry_count && entries[e].value != targets[k].value)
			e++;
		bool reads = json_getz(entries[e].value, "value") == NULL;
		size_t binding = (size_t)(entries[e].bound - s->wishes.bindings.items);
		s->reads_secret[binding] = s->reads_secret[binding] || reads;
		if (held[k])
			continue;
		bool env = list->kind == ENTRY_ENV;
		violation_add(&s->out->missing, arena_fmt(s->arena, "%.*s.%s", STR_ARG(c->field), key),
			      arena_fmt(s->arena, "missing:%.*s:%s:%.*s", STR_ARG(c->name), key, STR_ARG(entries[e].key.name)),
			      "container %s lacks %s %.*s of binding %.*s", text_quote(c->name).text,
			      env ? "variable" : "Secret", STR_ARG(entries[e].key.name), STR_ARG(entries[e].bound->label));
		if (env)
			note_hidden(s, c, &entries[e], &hidden);
	}
	warn_hidden(s, c, &hidden);
	return true;
}

/*
 * A recorded variable that stands there in another form, that nobody declares and that is no longer asked for: somebody
 * has changed it since, so it is not connhook's to take away.
 */
static void warn_changed(struct scene *s, const struct container_plan *c, const struct record_entry *recorded)
{
	if (want_place(&s->want, recorded->key.name) == s->want.names.count)
		violation_add(&s->out->warnings, c->field, arena_fmt(s->arena, "changed:%.*s", STR_ARG(recorded->key.name)),
			      "container %s keeps %s, which connhook injected and somebody has changed since; remove it by hand "
			      "when it is not needed",
			      text_quote(c->name).text, text_quote_name(recorded->key.name).text);
}

static bool look_after_env(struct scene *s, struct container_plan *c, size_t round, struct record_group *recorded,
			   const struct declared_keys *declared)
{
	for (size_t i = 0; i < c->env.count && recorded != NULL; i++) {
		struct entry_key key;
		if (c->env.slots[i].ours || !entry_key(ENTRY_ENV, c->env.slots[i].value, &key))
			continue;
		struct record_entry *r = record_find(&recorded->env, &key);
		if (r == NULL)
			continue;
		if (!clean(s, &c->env, i, r, declared))
			return false;
		if (r->taken != round && !declared_has(declared, &key))
			warn_changed(s, c, r);
	}
	return true;
}

static const struct json **values(struct arena *arena, const struct target *targets, size_t count)
{
	const struct json **result = arena_array(arena, count, sizeof(const struct json *));
	for (size_t i = 0; i < count && result != NULL; i++)
		result[i] = targets[i].value;
	return result;
}

/* Does a binding give the entry? */
static bool is_wanted(const struct want_entry *entries, size_t count, const struct entry_key *key)
{
	size_t k = 0;
	while (k < count && entry_key_cmp(&entries[k].key, key) != 0)
		k++;
	return k < count;
}

/*
 * envFrom is one value to server-side apply: whoever applies it declares all of it. But its owner stays so in later
 * requests of others, in which connhook's entries stand there again: then the list is what was stored. They stand
 * there, too, when connhook is called once more in one request; so what is asked for is connhook's while it has
 * connhook's form.
 */
static void declare_env_from(const struct scene *s, const struct container_plan *c, const struct json *container,
			     const struct json *was, bool selected, struct declared_entries *declared)
{
	struct declared_entries before = {0};
	const struct json *list = json_getz(container, "envFrom");
	if (!declared->env_from_applied)
		return;
	if (was != NULL)
		declared_entries(s->arena, &s->old_declared, c->name, &before);
	if (before.env_from_applied && !s->applied_anew && json_equal(list, json_getz(was, "envFrom")))
		return;
	struct entry_key key;
	for (const struct json *e = json_first(list); e != NULL; e = json_next(e))
		if (entry_key(ENTRY_ENV_FROM, e, &key) &&
		    !(selected && !s->declared.is_copy && is_wanted(s->want.env_from, s->want.env_from_count, &key)))
			declared_add(s->arena, &key, &declared->env_from);
	declared_sort(&declared->env_from);
}

/*
 * Whoever has applied a dump of the live object declares what connhook had injected. While that is asked for it stays
 * connhook's; then it stays, and is named.
 */
static void leave_copies(struct scene *s, struct container_plan *c, struct list *list,
			 const struct declared_keys *declared)
{
	const struct want *w = &s->want;
	const struct want_entry *entries = list->kind == ENTRY_ENV ? w->env : w->env_from;
	size_t count = list->kind == ENTRY_ENV ? w->env_count : w->env_from_count;
	for (size_t i = 0; i < list->count; i++) {
		struct entry_key key;
		if (!list->slots[i].ours || !entry_key(list->kind, list->slots[i].value, &key) ||
		    !declared_has(declared, &key) || is_wanted(entries, count, &key))
			continue;
		list->slots[i].ours = false;
		list->ours--;
		violation_add(&s->out->warnings, c->field, arena_fmt(s->arena, "copied:%.*s", STR_ARG(key.name)),
			      "container %s keeps %s, which connhook injected and a copy of the live object declares; remove it "
			      "from the manifest when it is not needed",
			      text_quote(c->name).text, text_quote_name(key.name).text);
	}
}

static bool read_lists(struct scene *s, const struct json *container, size_t round, bool selected,
		       struct record_group *recorded, const struct json *was, struct container_plan *c)
{
	const struct declared_keys nothing = {NULL, 0, 0};
	struct declared_entries declared = {0};
	bool copy = s->declared.is_copy;
	if (recorded != NULL) {
		declared_entries(s->arena, &s->declared, c->name, &declared);
		declare_env_from(s, c, container, was, selected, &declared);
	}
	if (!list_read(s->arena, ENTRY_ENV_FROM, json_pointer_join(s->arena, c->pointer, STR("envFrom")),
		       json_getz(container, "envFrom"), recorded ? &recorded->env_from : NULL,
		       copy ? &nothing : &declared.env_from, round, &c->env_from) ||
	    !list_read(s->arena, ENTRY_ENV, json_pointer_join(s->arena, c->pointer, STR("env")),
		       json_getz(container, "env"), recorded ? &recorded->env : NULL, copy ? &nothing : &declared.env, round,
		       &c->env))
		return false;
	if (copy) {
		leave_copies(s, c, &c->env_from, &declared.env_from);
		leave_copies(s, c, &c->env, &declared.env);
	}
	return look_after_env(s, c, round, recorded, &declared.env);
}

bool container_plan(struct scene *s, const struct json *container, size_t index, bool selected,
		    struct record_group *recorded, const struct json *was, struct container_plan *out)
{
	struct arena *arena = s->arena;
	struct container_plan c = {
		.name = container_name(container),
		.pointer = arena_fmt(arena, "%.*s/containers/%zu", STR_ARG(s->pod_pointer), index),
		.field = arena_fmt(arena, "%.*s.containers[%zu]", STR_ARG(s->pod_field), index),
		.members = STR(""),
	};
	if (!read_lists(s, container, index + 1, selected, recorded, was, &c))
		return false;
	if (selected) {
		if (!want_env_from(s, &c) || !want_env(s, &c) ||
		    !note(s, &c, &c.env_from, c.env_from_targets, c.env_from_count, s->want.env_from, s->want.env_from_count) ||
		    !note(s, &c, &c.env, c.env_targets, c.env_count, s->want.env, s->want.env_count))
			return false;
		plan_collisions(s, &c);
	}
	const struct json **env = values(arena, c.env_targets, c.env_count);
	const struct json **env_from = values(arena, c.env_from_targets, c.env_from_count);
	if (env == NULL || env_from == NULL)
		return false;
	c.members = record_members(arena, env, c.env_count, env_from, c.env_from_count, &s->error);
	c.env_from_result =
		list_result(arena, &c.env_from, c.env_from_targets, c.env_from_count, &c.env_from_result_count);
	c.env_result = list_result(arena, &c.env, c.env_targets, c.env_count, &c.env_result_count);
	*out = c;
	return s->error == 0 && list_difference(arena, &c.env_from, c.env_from_targets, c.env_from_count, s->patch) &&
	       list_difference(arena, &c.env, c.env_targets, c.env_count, s->patch) && !arena->failed;
}
