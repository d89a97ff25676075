/*
 * sync-wave: Argo CD applies an application in waves (argo-cd.readthedocs.io/en/stable/user-guide/sync-waves), and
 * waits for one before the next. What a workload is bound to must stand in an earlier wave than the workload. Hooks of
 * the phases PreSync and PostSync run before and behind all waves of the phase Sync (.../user-guide/resource_hooks);
 * those of Helm are taken for them (.../user-guide/helm/#helm-hooks).
 */
#include "policy/rules/rule.h"

#include "base/limits.h"
#include "base/text.h"
#include "policy/plan/annotations.h"

#define KEY "argocd.argoproj.io/sync-wave"
#define FIELD "metadata.annotations[" KEY "]"
#define HOOK "argocd.argoproj.io/hook"
#define HELM_HOOK "helm.sh/hook"

/* When an object is applied. */
enum moment { IN_ITS_WAVE, SYNC_HOOK, BEFORE_WAVES, BEHIND_WAVES };

/* What Argo CD annotations say of one object. */
struct marks {
	const struct json *wave;
	enum moment moment;
	const char *hook_key; /* HOOK or HELM_HOOK; NULL without one */
	struct str hooks;     /* its value */
	struct str hook;      /* the one of them that counts */
};

static enum moment moment_of(struct str hook)
{
	if (str_eqz(hook, "PreSync") || str_eqz(hook, "pre-install") || str_eqz(hook, "pre-upgrade"))
		return BEFORE_WAVES;
	if (str_eqz(hook, "Sync"))
		return SYNC_HOOK;
	return hook.n == 0 || str_eqz(hook, "crd-install") ? IN_ITS_WAVE : BEHIND_WAVES;
}

/* Several hooks may stand in one list: the object is made for each, and the first of them counts. */
static void read_marks(const struct rule_context *context, struct marks *out)
{
	const struct json *annotations = json_path(context->object, "metadata", "annotations", NULL);
	bool first = true;
	struct str hook;
	*out = (struct marks){.wave = json_get(annotations, STR(KEY))};
	if (json_string(json_get(annotations, STR(HOOK))).p != NULL)
		out->hook_key = HOOK;
	else if (json_string(json_get(annotations, STR(HELM_HOOK))).p != NULL)
		out->hook_key = HELM_HOOK;
	if (out->hook_key == NULL)
		return;
	out->hooks = json_string(json_get(annotations, str_of(out->hook_key)));
	for (struct str rest = out->hooks; str_split(&rest, ',', &hook);) {
		static const int order[] = {[BEFORE_WAVES] = 0, [SYNC_HOOK] = 1, [BEHIND_WAVES] = 2, [IN_ITS_WAVE] = 3};
		enum moment moment = moment_of(str_trim(hook));
		if (moment != IN_ITS_WAVE && (first || order[moment] < order[out->moment])) {
			out->moment = moment;
			out->hook = str_trim(hook);
			first = false;
		}
	}
}

static bool is_bound(const struct rule_context *context)
{
	struct wishes wishes;
	if (context->workload == NULL)
		return false;
	annotations_read(context->arena, context->config, context->workload, context->request->namespace, &wishes);
	return wishes.bindings.count > 0;
}

/* Is it something that workloads are bound to? */
static bool is_source(const struct rule_context *context)
{
	const struct review_request *request = context->request;
	return rule_kind_matches(context->rule, request) ||
	       (str_eqz(request->group, "external-secrets.io") && str_eqz(request->kind, "ExternalSecret"));
}

static void check_hook(const struct rule_context *context, const struct marks *marks, bool source,
		       struct violations *found)
{
	int last = context->rule->integer;
	struct str field = arena_fmt(context->arena, "metadata.annotations[%s]", marks->hook_key);
	struct str identity = arena_fmt(context->arena, "hook:%.*s", STR_ARG(marks->hooks));
	if (source && marks->moment == BEHIND_WAVES)
		violation_add(found, field, identity,
			      "found hook %s for kind %.*s, which is applied behind all waves, or never; expected it to be there "
			      "before the workloads bound to it; remove the hook",
			      text_quote(marks->hook).text, STR_ARG(str_utf8_cut(context->request->kind, LIMIT_QUOTE)));
	else if (!source && marks->moment == BEFORE_WAVES && is_bound(context))
		violation_add(found, field, identity,
			      "found hook %s for a workload with bindings, which runs before wave %d of claims and "
			      "ExternalSecrets, whatever its own; expected hook \"Sync\" in a later wave; write these",
			      text_quote(marks->hook).text, last);
}

static void check(const struct rule_context *context, struct violations *found)
{
	struct marks marks;
	bool source = is_source(context);
	if (!source && context->workload == NULL)
		return;
	read_marks(context, &marks);
	struct str text = json_string(marks.wave);
	int wave = 0, last = context->rule->integer;
	struct str identity = arena_fmt(context->arena, "wave:%.*s", STR_ARG(text));
	if (marks.hook_key != NULL)
		check_hook(context, &marks, source, found);
	if (text.p != NULL && !rule_integer(text, &wave))
		violation_add(found, STR(FIELD), identity,
			      "found %s, which Argo CD reads as wave 0; expected a whole number, such as \"%d\"; write one",
			      text_quote(text).text, source ? last : last + 2);
	else if (marks.moment == BEFORE_WAVES || marks.moment == BEHIND_WAVES ||
		 (text.p == NULL && marks.moment == IN_ITS_WAVE))
		return;
	else if (source && wave > last)
		violation_add(found, STR(FIELD), identity,
			      "found wave %d for kind %.*s; expected wave %d or earlier, so that it is there before the workloads "
			      "bound to it; write \"%d\"",
			      wave, STR_ARG(context->request->kind), last, last);
	else if (!source && wave <= last && is_bound(context))
		violation_add(found, STR(FIELD), identity,
			      "found wave %d for a workload with bindings; expected a wave later than %d, that of claims and "
			      "ExternalSecrets, so that its Secrets are there when it starts; write \"%d\"",
			      wave, last, last + 2);
}

static const struct rule_resource resources[] = {
	{"external-secrets.io", "ExternalSecret", "externalsecrets", false}, {NULL, NULL, NULL, false},
};

const struct rule rule_sync_wave = {
	.id = "sync-wave",
	.mode = MODE_WARN,
	.check = check,
	.resources = resources,
	.kinds = rule_claims,
	.kind_count = RULE_CLAIMS,
	.integer = "wave",
	.integer_value = 0,
};
