/* Notes on what is asked for and will not happen. */
#include "review/notes_parts.h"

#include "policy/plan/annotations.h"
#include "policy/plan/unread.h"

#include <stdlib.h>

static int by_annotation(const void *a, const void *b)
{
	const struct json *const *x = a, *const *y = b;
	int order = str_cmp(json_key(*x), json_key(*y));
	struct str one = json_string(*x), other = json_string(*y);
	return order != 0 ? order : str_cmp(one.p ? one : STR(""), other.p ? other : STR(""));
}

/* What stands on workloads has been read. */
static void collect_read(struct notes *all, struct review_result *results, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct review_result *r = &results[i];
		if (workload_find(r->group, r->kind) == NULL)
			continue;
		const struct json *annotations = json_path(r->manifest->object, "metadata", "annotations", NULL);
		for (const struct json *a = json_first(annotations); a != NULL; a = json_next(a)) {
			if (annotation_name(all->settings->config, json_key(a)).p == NULL)
				continue;
			const struct json **read =
				arena_grow(all->arena, all->read, all->read_count, &all->read_capacity, sizeof(*read));
			if (read == NULL)
				return;
			all->read = read;
			all->read[all->read_count++] = a;
		}
	}
	if (all->read_count > 1)
		qsort(all->read, all->read_count, sizeof(*all->read), by_annotation);
}

/* A Pod that a controller has made is as its template. */
static bool has_controller(const struct review_result *r)
{
	const struct json *owners = json_path(r->manifest->object, "metadata", "ownerReferences", NULL);
	for (const struct json *o = json_first(owners); o != NULL; o = json_next(o))
		if (json_is_true(json_getz(o, "controller")))
			return true;
	return false;
}

/* Where the same stands on a workload, it is kustomize's commonAnnotations; but what has containers asks for itself. */
static void check_unread(const struct notes *all, struct review_result *r)
{
	struct unread found;
	if (workload_find(r->group, r->kind) != NULL || has_controller(r))
		return;
	unread_find(all->arena, all->settings->config, r->manifest->object, &found);
	if (found.field.p == NULL ||
	    (!found.beside_containers && all->read_count > 0 &&
	     bsearch(&found.annotation, all->read, all->read_count, sizeof(*all->read), by_annotation) != NULL))
		return;
	note_add(all, r, UNREAD_ANNOTATION, found.field,
		 arena_fmt(all->arena,
			   "nothing is injected into kind %.*s, although this annotation asks for it; connhook injects into: "
			   "%.*s; %s",
			   STR_ARG(r->kind), STR_ARG(unread_kinds(all->arena)),
			   found.beside_containers ? "name the Secrets in the manifest" : "write it on one of these"));
}

/* A partial manifest, which kustomize patches with, has no template either: it asks for nothing, or has no typo. */
static void check_template(const struct notes *all, struct review_result *r, const struct workload *w)
{
	struct str meant, near = unread_template(all->arena, w, &meant);
	struct str asked = annotations_ask(all->arena, all->settings->config, w);
	if (near.p != NULL)
		note_add(all, r, NO_TEMPLATE, near,
			 arena_fmt(all->arena,
				   "the %s has no %s, so that nothing is injected and no Pod is made; did you mean \"%.*s\"?",
				   w->kind->kind, w->kind->template_field, STR_ARG(meant)));
	else if (asked.p != NULL)
		note_add(all, r, NO_TEMPLATE, asked,
			 arena_fmt(all->arena,
				   "nothing is injected, although this annotation asks for it: the %s has no %s; add it, or remove "
				   "the annotation",
				   w->kind->kind, w->kind->template_field));
}

static void check_workload(const struct notes *all, struct review_result *r)
{
	const struct workload_kind *kind = workload_find(r->group, r->kind);
	struct workload w;
	struct workload_fault fault;
	if (kind == NULL || kind->only_judged || !workload_open(kind, r->manifest->object, &w, &fault))
		return;
	if (w.template == NULL && json_path(w.object, "spec", "workloadRef", NULL) == NULL)
		check_template(all, r, &w);
	struct str remedy, field = unread_misplaced(all->arena, all->settings->config, &w, &remedy);
	if (field.p != NULL)
		note_add(all, r, UNREAD_ANNOTATION, field, remedy);
}

void notes_add_unread(struct notes *all, struct review_result *results, size_t count)
{
	collect_read(all, results, count);
	for (size_t i = 0; i < count; i++) {
		check_unread(all, &results[i]);
		check_workload(all, &results[i]);
	}
}
