#include "review/notes.h"

#include "base/limits.h"
#include "kube/name.h"
#include "policy/plan/annotations.h"
#include "policy/rules/rule.h"
#include "review/line.h"
#include "review/notes_parts.h"

#include <stdlib.h>
#include <string.h>

#define SHOWN_CLAIMS 3 /* that a note names as a help */

/* argo-cd.readthedocs.io/en/stable/user-guide/sync-waves and .../resource_hooks */
#define WAVE_KEY "argocd.argoproj.io/sync-wave"
#define HOOK_KEY "argocd.argoproj.io/hook"

/* When Argo CD applies an object. Hooks outside of the sync have no order here. */
enum sync_phase { PRE_SYNC, SYNC, POST_SYNC, NO_SYNC };

static const char *const phase_names[] = {"PreSync", "Sync", "PostSync"};

struct moment {
	enum sync_phase phase;
	int wave;
	bool marked; /* an annotation says so */
};

/* Fields are asked for out of their order, of other objects each time: there is nothing to remember. */
void note_add(const struct notes *all, struct review_result *r, const char *id, struct str field, struct str message)
{
	struct review_note *notes = arena_grow(all->arena, r->notes, r->note_count, &r->note_capacity, sizeof *notes);
	if (notes == NULL)
		return;
	r->notes = notes;
	struct line_finder lines = {.manifest = r->manifest, .object = r->manifest->object};
	r->notes[r->note_count++] =
		(struct review_note){id, field, message, line_find(&lines, field), fix_find(&lines, id, field, message)};
}

static struct str annotation(const struct review_result *r, struct str key)
{
	return json_string(json_get(json_path(r->manifest->object, "metadata", "annotations", NULL), key));
}

/* ---- who makes which Secret ---- */

static bool is_claim(const struct notes *all, const struct review_result *r)
{
	struct review_request request = {.group = r->group, .kind = r->kind};
	return rule_kind_matches(&all->settings->config->rules[RULE_CLAIM_SECRET_NAME], &request);
}

/* The string at the path of keys; the object's own name, and its field, when there is none. */
static struct str target(const struct review_result *r, const struct json *found, const char *field, const char **out)
{
	struct str name = json_string(found);
	*out = name.n > 0 ? field : "metadata.name";
	return name.n > 0 ? name : r->name;
}

/* Does an ExternalSecret write the whole Secret? With Merge and None somebody else does. */
static bool is_owner(const struct json *target)
{
	struct str policy = json_string(json_getz(target, "creationPolicy"));
	return !str_eqz(policy, "Merge") && !str_eqz(policy, "None");
}

/* Fills *out when the object makes a Secret. */
static bool source_of(const struct notes *all, struct review_result *r, struct source *out)
{
	const struct json *object = r->manifest->object;
	struct source s = {.namespace = r->namespace, .result = r, .owns = true, .field = "metadata.name"};
	if (r->name.n == 0)
		return false;
	if (is_claim(all, r)) {
		s.secret = arena_fmt(all->arena, "%.*s" CONNECTION_SUFFIX, STR_ARG(r->name));
		s.claim = r->name;
	} else if (r->group.n == 0 && str_eqz(r->kind, "Secret")) {
		s.secret = r->name;
	} else if (str_eqz(r->group, "external-secrets.io") && str_eqz(r->kind, "ExternalSecret")) {
		const struct json *to = json_path(object, "spec", "target", NULL);
		s.secret = target(r, json_getz(to, "name"), "spec.target.name", &s.field);
		s.owns = is_owner(to);
	} else if (str_eqz(r->group, "external-secrets.io") && str_eqz(r->kind, "ClusterExternalSecret")) {
		const struct json *to = json_path(object, "spec", "externalSecretSpec", "target", NULL);
		const struct json *made = json_path(object, "spec", "externalSecretName", NULL);
		const struct json *name = json_getz(to, "name");
		s.secret = target(r, name != NULL ? name : made, "spec", &s.field);
		s.namespace = STR("");
		s.owns = false; /* which namespaces it chooses cannot be told here */
	} else if (str_eqz(r->group, "bitnami.com") && str_eqz(r->kind, "SealedSecret")) {
		const struct json *made = json_path(object, "spec", "template", "metadata", "name", NULL);
		s.secret = target(r, made, "spec.template.metadata.name", &s.field);
	} else {
		return false;
	}
	*out = s;
	return true;
}

/* In the order of the input. */
static int by_place(const struct source *a, const struct source *b)
{
	return (a->result > b->result) - (a->result < b->result); /* of one array */
}

static int by_secret(const void *a, const void *b)
{
	const struct source *x = a, *y = b;
	int order = str_cmp(x->secret, y->secret);
	if (order == 0)
		order = str_cmp(x->namespace, y->namespace);
	return order != 0 ? order : by_place(x, y);
}

static int by_namespace(const void *a, const void *b)
{
	const struct source *const *x = a, *const *y = b;
	int order = str_cmp((*x)->namespace, (*y)->namespace);
	return order != 0 ? order : by_place(*x, *y);
}

static int collect(struct notes *all, struct review_result *results, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct source *sources = arena_grow(all->arena, all->sources, all->count, &all->capacity, sizeof *sources);
		if (sources == NULL)
			return ERR_NOMEM;
		all->sources = sources;
		all->count += source_of(all, &results[i], &all->sources[all->count]);
	}
	if (all->count > 1)
		qsort(all->sources, all->count, sizeof *all->sources, by_secret);
	all->claims = arena_array(all->arena, all->count, sizeof(*all->claims));
	if (all->claims == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < all->count; i++)
		if (all->sources[i].claim.p != NULL && all->sources[i].result->allowed)
			all->claims[all->claim_count++] = &all->sources[i];
	if (all->claim_count > 1)
		qsort(all->claims, all->claim_count, sizeof(*all->claims), by_namespace);
	return 0;
}

/* The first source of the Secret in exactly the namespace; NULL when there is none. */
static const struct source *find_exactly(const struct notes *all, struct str secret, struct str namespace)
{
	const struct source wanted = {.secret = secret, .namespace = namespace}; /* its result, NULL, is the least */
	size_t low = 0, high = all->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (by_secret(&all->sources[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	const struct source *s = &all->sources[low];
	return low < all->count && str_eq(s->secret, secret) && str_eq(s->namespace, namespace) ? s : NULL;
}

/* The first source of the Secret in the namespace, or in those that cannot be told. */
static const struct source *find_source(const struct notes *all, struct str secret, struct str namespace)
{
	const struct source *s = find_exactly(all, secret, namespace);
	return s != NULL ? s : find_exactly(all, secret, STR(""));
}

/* ---- missing-claim, missing-secret ---- */

/* "; the claims of this namespace here are a, b": what the owner may have meant. Empty when there is none. */
static struct str claims_here(const struct notes *all, struct str namespace)
{
	size_t low = 0, high = all->claim_count, shown = 0;
	struct buf text;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (str_cmp(all->claims[middle]->namespace, namespace) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	buf_init(&text, LIMIT_MESSAGE);
	for (; low < all->claim_count && str_eq(all->claims[low]->namespace, namespace); low++, shown++) {
		if (shown == SHOWN_CLAIMS) {
			buf_addz(&text, ", ...");
			break;
		}
		buf_addz(&text, shown > 0 ? ", " : "; the claims of its namespace here: ");
		buf_add(&text, str_utf8_cut(all->claims[low]->claim, NAME_SUBDOMAIN_MAX));
	}
	return buf_move(&text, all->arena);
}

static void note_missing(const struct notes *all, struct review_result *r, const struct bound *b, struct str field)
{
	struct str name = b->binding->name, secret = b->secret;
	if (b->binding->claim.p == NULL) {
		note_add(all, r, MISSING_SECRET, field,
			 arena_fmt(all->arena,
				   "binding %.*s reads Secret \"%.*s\", which nothing in the given files makes; add an ExternalSecret "
				   "with that target, or review its file together with this one",
				   STR_ARG(name), STR_ARG(secret)));
		return;
	}
	struct str claim = {secret.p, secret.n - (sizeof CONNECTION_SUFFIX - 1)};
	note_add(all, r, MISSING_CLAIM, field,
		 arena_fmt(all->arena,
			   "binding %.*s reads the Secret of claim \"%.*s\", which is in none of the given files; add it, review "
			   "its file together with this one, or bind another one as %.*s=CLAIM%.*s",
			   STR_ARG(name), STR_ARG(claim), STR_ARG(name), STR_ARG(claims_here(all, r->namespace))));
}

/* ---- wave-order ---- */

static struct moment moment_of(const struct review_result *r)
{
	struct str wave = annotation(r, STR(WAVE_KEY)), hooks = annotation(r, STR(HOOK_KEY)), hook = STR("");
	struct moment m = {SYNC, 0, wave.p != NULL || hooks.p != NULL};
	if (wave.p != NULL)
		(void)rule_integer(wave, &m.wave); /* Argo CD takes anything else for 0 */
	if (hooks.p == NULL || !str_split(&hooks, ',', &hook))
		return m;
	m.phase = NO_SYNC;
	for (size_t i = 0; i < sizeof phase_names / sizeof phase_names[0]; i++)
		if (str_eqz(str_trim(hook), phase_names[i]))
			m.phase = (enum sync_phase)i;
	return m;
}

/* The rule of that name has said it already. */
static bool has_wave_finding(const struct review_result *r)
{
	for (size_t i = 0; i < r->finding_count; i++)
		if (strcmp(r->findings[i].finding.rule, rules[RULE_SYNC_WAVE]->id) == 0)
			return true;
	return false;
}

static void note_order(const struct notes *all, struct review_result *r, const struct bound *b, const struct source *s)
{
	struct moment mine = moment_of(r), other = moment_of(s->result);
	const struct review_result *o = s->result;
	if ((!mine.marked && !other.marked) || mine.phase == NO_SYNC || other.phase == NO_SYNC ||
	    mine.phase > other.phase || (mine.phase == other.phase && mine.wave > other.wave) || has_wave_finding(r) ||
	    has_wave_finding(o))
		return;
	const char *key = mine.phase < other.phase ? HOOK_KEY : WAVE_KEY;
	struct str field = STR("metadata.name"), text;
	if (annotation(r, str_of(key)).p != NULL)
		field = arena_fmt(all->arena, "metadata.annotations[%s]", key);
	if (mine.phase < other.phase)
		text = arena_fmt(all->arena, "found hook %s, which runs before the %s of", phase_names[mine.phase],
				 phase_names[other.phase]);
	else
		text = arena_fmt(all->arena, "found wave %d, which is not later than wave %d of", mine.wave, other.wave);
	note_add(all, r, WAVE_ORDER, field,
		 arena_fmt(all->arena,
			   "%.*s %.*s \"%.*s\" (%s:%zu), whose Secret \"%.*s\" binding %.*s reads; expected %s, so that the Secret "
			   "is there when the workload starts",
			   STR_ARG(text), STR_ARG(o->kind), STR_ARG(o->name), o->manifest->source, o->manifest->line,
			   STR_ARG(s->secret), STR_ARG(b->binding->name),
			   mine.phase < other.phase ? "it to be a hook of an earlier wave" : "a later wave"));
}

/* ---- a workload ---- */

/* Where the list of bindings stands: on the pod template, on the workload, or nowhere. */
static struct str bindings_field(const struct notes *all, const struct workload *w)
{
	struct str field = annotation_field(all->arena, all->settings->config, "bindings");
	struct str key = arena_fmt(all->arena, "%.*s/bindings", STR_ARG(all->settings->config->annotation_prefix));
	if (json_get(json_getz(w->template_metadata, "annotations"), key) != NULL)
		return arena_fmt(all->arena, "%s.%.*s", w->kind->template_field, STR_ARG(field));
	return json_get(json_getz(w->metadata, "annotations"), key) != NULL ? field : STR("");
}

static void check_workload(const struct notes *all, struct review_result *r)
{
	const struct workload_kind *kind = workload_find(r->group, r->kind);
	struct workload w;
	struct workload_fault fault;
	struct wishes wishes;
	if (kind == NULL || r->binding_count == 0 || !workload_open(kind, r->manifest->object, &w, &fault))
		return;
	annotations_read(all->arena, all->settings->config, &w, r->namespace, &wishes);
	struct str field = bindings_field(all, &w);
	for (size_t i = 0; i < wishes.bindings.count; i++) {
		const struct bound *b = &wishes.bindings.items[i];
		const struct source *s = b->secret.p != NULL ? find_source(all, b->secret, r->namespace) : NULL;
		if (s != NULL)
			note_order(all, r, b, s);
		else if (b->secret.p != NULL && !b->binding->optional)
			note_missing(all, r, b, field);
	}
}

/* ---- duplicate-target ---- */

static bool same_object(const struct review_result *a, const struct review_result *b)
{
	return str_eq(a->group, b->group) && str_eq(a->kind, b->kind) && str_eq(a->name, b->name);
}

/* Two environments in one directory give one object twice: that is no fault. */
static void check_targets(const struct notes *all)
{
	const struct source *first = NULL;
	for (size_t i = 0; i < all->count; i++) {
		const struct source *s = &all->sources[i];
		if (!s->owns)
			continue;
		if (first == NULL || !str_eq(first->secret, s->secret) || !str_eq(first->namespace, s->namespace)) {
			first = s;
			continue;
		}
		const struct review_result *o = first->result;
		if (same_object(o, s->result))
			continue;
		note_add(all, s->result, DUPLICATE_TARGET, str_of(s->field),
			 arena_fmt(all->arena,
				   "found Secret \"%.*s\", which %.*s \"%.*s\" (%s:%zu) writes as well; expected one writer, because "
				   "each undoes the other's keys; name another Secret, or join the two",
				   STR_ARG(s->secret), STR_ARG(o->kind), STR_ARG(o->name), o->manifest->source, o->manifest->line));
	}
}

int review_add_notes(struct arena *arena, const struct review_settings *settings, struct review_result *results,
		     size_t count, struct error *err)
{
	struct notes all = {.arena = arena, .settings = settings};
	if (collect(&all, results, count) != 0)
		return error_nomem(err);
	for (size_t i = 0; i < count; i++)
		check_workload(&all, &results[i]);
	notes_add_unread(&all, results, count);
	check_targets(&all);
	return arena->failed ? error_nomem(err) : 0;
}
