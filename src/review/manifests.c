#include "review/manifests.h"

#include "base/limits.h"
#include "base/text.h"
#include "review/reading.h"

#include <stdarg.h>
#include <string.h>

void manifests_free(struct manifests *m)
{
	reading_drop(m);
	arena_free(&m->arena);
	*m = (struct manifests){0};
}

void manifests_init(struct manifests *m)
{
	*m = (struct manifests){.lenient = {.aliased = LIMIT_YAML_ALIASED}};
}

/* Adds a finding: 0, or ERR_NOMEM. */
int reading_fault(const struct reading *r, size_t line, size_t column, const char *format, ...)
{
	struct manifests *m = r->m;
	va_list args;
	va_start(args, format);
	struct str message = arena_fmtv(&m->arena, format, args);
	va_end(args);
	struct unreadable *items =
		arena_grow(&m->arena, m->unreadable, m->unreadable_count, &m->unreadable_capacity, sizeof *items);
	if (items == NULL || message.p == NULL)
		return error_nomem(r->err);
	m->unreadable = items;
	m->unreadable[m->unreadable_count++] = (struct unreadable){r->source, line, column, message};
	return 0;
}

int reading_pass_over(const struct reading *r)
{
	r->m->passed_over++;
	return 0;
}

int manifests_add_unreadable(struct manifests *m, const struct manifest *item, const char *sentence,
			     struct error *err)
{
	return reading_fault(&(struct reading){m, item->source, false, err}, item->line, 0, "%s", sentence);
}

struct str manifests_source(struct manifests *m, const char *path)
{
	bool piped = strcmp(path, "-") == 0;
	const char *name = !piped ? path : m->stdin_name != NULL ? m->stdin_name : REVIEW_STDIN;
	return text_shown(&m->arena, arena_str(&m->arena, str_of(name)));
}

int manifests_add_empty(struct manifests *m, const char *path, bool others, struct error *err)
{
	struct str source = manifests_source(m, path), shown = text_shown(&m->arena, arena_str(&m->arena, str_of(path)));
	if (source.p == NULL || shown.p == NULL)
		return error_nomem(err);
	return reading_fault(&(struct reading){m, source.p, false, err}, 0, 0,
			  "there is no Kubernetes object in %s%s; give manifests, or pipe kustomize build to review -",
			  shown.p, others ? ", ..." : "");
}

int manifests_finish(struct manifests *m, struct error *err)
{
	return reading_flush(m, err);
}
