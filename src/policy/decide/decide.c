#include "policy/decide/decide.h"

#include "base/limits.h"
#include "base/text.h"
#include "codec/json_patch.h"
#include "kube/owner.h"
#include "kube/review.h"
#include "policy/decide/skip.h"
#include "policy/plan/annotations.h"
#include "policy/plan/entry.h"
#include "policy/plan/plan.h"
#include "policy/plan/unread.h"
#include "policy/rules/rule.h"

/* The rule name of a malformed annotation: always enforced, in both phases. */
#define ANNOTATIONS "annotations"

/* Why nothing is injected where nothing ever is. */
#define NOT_A_WORKLOAD "not-a-workload"

/* The rule name of an object that is not decided on, because that would cost too much. */
#define LIMITS "limits"

/* One call. */
struct call {
	struct arena *arena;
	const struct config *config;
	enum phase phase;
	struct decision *out;
	struct review_request request;
	struct workload workload, old_workload;
	bool is_workload, has_old_workload;
	struct plan plan, old_plan;
	bool has_plan, has_old_plan;
	struct violations unread; /* annotations that have no effect */
	struct finding *findings;
	size_t finding_count, finding_capacity;
	struct str *warnings;
	size_t warning_count, warning_capacity, warning_bytes, warnings_dropped;
	size_t untold; /* faults that deny and are only counted */
	bool denied, forbidden;
};

/* ---- findings ---- */

/* Adds a warning, unless it is there already or there is no room. */
static void warn(struct call *c, struct str text)
{
	for (size_t i = 0; i < c->warning_count; i++)
		if (str_eq(c->warnings[i], text))
			return;
	struct str *warnings =
		arena_grow(c->arena, c->warnings, c->warning_count, &c->warning_capacity, sizeof *warnings);
	if (warnings == NULL)
		return;
	c->warnings = warnings;
	if (text.n > LIMIT_WARNING) {
		struct str cut = str_utf8_cut(text, LIMIT_WARNING - 3);
		text = arena_fmt(c->arena, "%.*s...", STR_ARG(cut));
	}
	if (c->warning_bytes + text.n > LIMIT_WARNINGS - LIMIT_WARNINGS_TAIL) {
		c->warnings_dropped++;
		return;
	}
	c->warning_bytes += text.n;
	c->warnings[c->warning_count++] = text;
}

/* "[rule] FIELD: MESSAGE; HELP", where the help stays when there is no room for all of it. */
static struct str warning_text(struct call *c, const char *rule, bool audited, const struct violation *v,
			       struct str help)
{
	struct str text = arena_fmt(c->arena, "[%s] %s%.*s%s%.*s", rule, audited ? "would be denied: " : "",
				    STR_ARG(v->field), v->field.n > 0 ? ": " : "", STR_ARG(v->message));
	if (help.n == 0)
		return text;
	bool cut = text.n + 2 + help.n > LIMIT_WARNING;
	if (cut)
		text = str_utf8_cut(text, LIMIT_WARNING - 5 - help.n);
	return arena_fmt(c->arena, "%.*s%s; %.*s", STR_ARG(text), cut ? "..." : "", STR_ARG(help));
}

static void add_finding(struct call *c, const char *rule, enum rule_mode mode, bool audited, const struct violation *v,
			struct str help)
{
	struct finding *findings =
		arena_grow(c->arena, c->findings, c->finding_count, &c->finding_capacity, sizeof *findings);
	if (findings == NULL)
		return;
	c->findings = findings;
	struct str message = v->message;
	if (help.n > 0)
		message = arena_fmt(c->arena, "%.*s; %.*s", STR_ARG(message), STR_ARG(help));
	c->findings[c->finding_count++] = (struct finding){rule, mode, audited, v->field, message};
	if (mode == MODE_WARN)
		warn(c, warning_text(c, rule, audited, v, help));
}

/* Takes over what was found, each with `help` behind it; what the old object had already only warns. */
static void report(struct call *c, const char *rule, enum rule_mode mode, bool forbidden,
		   const struct violations *found, struct str help)
{
	for (size_t i = 0; i < found->count; i++) {
		const struct violation *v = &found->items[i];
		bool audited = mode == MODE_ENFORCE && !v->known && c->config->audit;
		enum rule_mode as = v->known || audited ? MODE_WARN : mode;
		c->denied = c->denied || as == MODE_ENFORCE;
		c->forbidden = c->forbidden || (as == MODE_ENFORCE && forbidden);
		if (v->message.p != NULL)
			add_finding(c, rule, as, audited, v, help);
		else if (as == MODE_ENFORCE)
			c->untold++;
		else
			c->warnings_dropped++;
	}
}

/* The same list, with those marked that the old object had. */
static struct violations compared(struct call *c, const struct violations *found, const struct violations *old)
{
	struct violations result = {.arena = c->arena};
	struct violations_before before;
	if (old != NULL && found->count > 0) {
		violations_before(old, &before);
		result.before = &before;
	}
	violations_add(&result, found, "");
	result.before = NULL;
	return result;
}

/* ---- rules ---- */

static struct str object_name(const struct json *object)
{
	struct str name = json_string(json_path(object, "metadata", "name", NULL));
	return name.p ? name : STR("");
}

/* Looks at one object, and adds to `found` what the rule finds. */
static struct violations check_object(struct call *c, enum rule_id id, const struct json *object,
				      const struct workload *workload, const struct plan *plan,
				      struct violations found)
{
	struct rule_context context = {
		.arena = c->arena,
		.config = c->config,
		.rule = &c->config->rules[id],
		.request = &c->request,
		.object = object,
		.name = object_name(object),
		.workload = workload,
		.plan = plan,
	};
	rules[id]->check(&context, &found);
	return found;
}

/* `before`: what the old object had, or NULL. */
static struct violations check_new(struct call *c, enum rule_id id, struct violations_before *before)
{
	return check_object(c, id, c->request.object, c->is_workload ? &c->workload : NULL,
			    c->has_plan ? &c->plan : NULL, (struct violations){.arena = c->arena, .before = before});
}

/* The plan of the old object, made when a violation must be compared with it. */
static const struct plan *old_plan(struct call *c)
{
	if (!c->has_old_plan && c->has_old_workload && c->has_plan) {
		plan_make(c->arena, c->config, &c->old_workload, c->request.namespace, NULL, &c->old_plan);
		c->has_old_plan = true;
	}
	return c->has_old_plan ? &c->old_plan : NULL;
}

static void run_rule(struct call *c, enum rule_id id)
{
	const struct rule_config *config = &c->config->rules[id];
	enum rule_mode mode = config->mode;
	if (mode == MODE_OFF || rule_exempts(config, &c->request) || (c->phase == PHASE_MUTATE && !rules[id]->mutating))
		return;
	struct violations found = check_new(c, id, NULL);
	if (found.count > 0 && c->request.old_object != NULL) {
		/* Again, now that it is known what was there before: what is new is what has to be told. */
		struct violations_before before;
		struct violations old = check_object(c, id, c->request.old_object,
						     c->has_old_workload ? &c->old_workload : NULL, old_plan(c),
						     (struct violations){.arena = c->arena, .untold = true});
		violations_before(&old, &before);
		found = check_new(c, id, &before);
	}
	report(c, rules[id]->id, mode, rules[id]->forbidden, &found, config->help);
}

/* ---- workloads ---- */

static void add_fault(struct violations *found, const struct workload_fault *fault)
{
	struct str field = arena_str(found->arena, str_of(fault->field));
	const char *kind = json_kind_name(fault->found);
	violation_add(found, field, arena_fmt(found->arena, "shape:%.*s:%s", STR_ARG(field), kind),
		      "found %s; expected %s, without which connhook cannot read the workload", kind,
		      json_kind_name(fault->wanted));
}

/* Opens the workload and its old self. A shape that Kubernetes refuses is a violation of the object. */
static void open_workload(struct call *c, const struct workload_kind *kind)
{
	struct workload_fault fault, old_fault;
	bool update = c->request.old_object != NULL;
	if (update)
		c->has_old_workload = workload_open(kind, c->request.old_object, &c->old_workload, &old_fault);
	c->is_workload = workload_open(kind, c->request.object, &c->workload, &fault);
	if (c->is_workload)
		return;
	struct violations found = {.arena = c->arena}, old = {.arena = c->arena};
	add_fault(&found, &fault);
	if (update && !c->has_old_workload)
		add_fault(&old, &old_fault);
	found = compared(c, &found, &old);
	report(c, ANNOTATIONS, MODE_ENFORCE, false, &found, STR(""));
}

/*
 * Does an UPDATE change nothing that connhook reads? Then it leaves the workload alone, also under a configuration
 * that has changed since: labelling or scaling must never start a rollout.
 */
static bool is_unchanged(const struct call *c)
{
	const struct workload *new = &c->workload, *old = &c->old_workload;
	if (!c->has_old_workload || c->plan.released || !json_equal(new->template, old->template))
		return false;
	return annotations_same(c->arena, c->config, new, old, c->request.namespace);
}

static void free_tree(void *tree)
{
	json_free(tree);
}

/*
 * Does the plan make the template of a Job what is stored? It cannot change after creation. So applying the manifest
 * again, in which nothing is injected, succeeds when connhook injects the same once more. Where that would give
 * something else, the object is left alone and the API server says what it thinks of it.
 */
static bool gives_stored_template(struct call *c)
{
	const struct json *patch;
	if (c->plan.patch.p == NULL || c->plan.problems.count > 0 || c->arena->failed)
		return false;
	struct json *changed = json_copy(c->request.object);
	if (changed == NULL || json_parse_in(c->arena, c->plan.patch, &patch, NULL) != 0 ||
	    json_patch_apply(&changed, patch, NULL) != 0) {
		json_free(changed);
		c->arena->failed = true;
		return false;
	}
	if (!arena_adopt(c->arena, free_tree, changed))
		return false;
	struct workload result;
	struct workload_fault fault;
	return workload_open(c->workload.kind, changed, &result, &fault) &&
	       entry_same(result.template, c->old_workload.template);
}

static bool is_complete(const struct plan *plan)
{
	return plan->problems.count == 0 && plan->missing.count == 0;
}

/*
 * While one configuration hands over to another, an instance may have injected by either: what the other one finds
 * complete is judged by that one's plan. Both are the platform's; nothing that the object says has a part in it.
 */
static void accept_other(struct call *c, const struct workload *old)
{
	const struct config *other = c->config->other;
	if (c->phase != PHASE_VALIDATE || other == NULL || is_complete(&c->plan))
		return;
	struct plan plan = {.skipped = skip_request(other, &c->request)};
	if (plan.skipped == NULL)
		plan_make(c->arena, other, &c->workload, c->request.namespace, old, &plan);
	if (is_complete(&plan))
		c->plan = plan;
}

/* Passes on what the plan warns of. */
static void advise(struct call *c)
{
	c->out->advice = c->plan.warnings.items;
	c->out->advice_count = c->plan.warnings.count;
	for (size_t i = 0; i < c->plan.warnings.count; i++)
		warn(c, c->plan.warnings.items[i].message);
}

/* Makes the plan and reports what is wrong with the annotations. */
static const char *plan_workload(struct call *c, const struct workload_kind *kind)
{
	open_workload(c, kind);
	if (!c->is_workload)
		return NULL;
	const char *why = kind->only_judged ? NOT_A_WORKLOAD : skip_injection(&c->request);
	if (why != NULL)
		return why;
	bool job_update = kind->template_is_immutable && c->has_old_workload;
	if (job_update && (c->phase != PHASE_MUTATE || json_equal(c->workload.template, c->old_workload.template)))
		return "job-update";
	const struct workload *before = c->has_old_workload ? &c->old_workload : NULL;
	plan_make(c->arena, c->config, &c->workload, c->request.namespace, before, &c->plan);
	accept_other(c, before);
	if (job_update && !gives_stored_template(c))
		return "job-update";
	c->has_plan = true;
	const struct plan *old = c->plan.problems.count > 0 ? old_plan(c) : NULL;
	struct violations problems = compared(c, &c->plan.problems, old ? &old->problems : NULL);
	report(c, ANNOTATIONS, MODE_ENFORCE, false, &problems, STR(""));
	if (c->plan.problems.count > 0)
		return NULL;
	if (is_unchanged(c)) {
		c->has_plan = c->plan.skipped != NULL;
		return c->plan.skipped != NULL ? c->plan.skipped : "unchanged";
	}
	if (c->phase == PHASE_MUTATE)
		advise(c);
	return c->plan.skipped;
}

/* ---- the answer ---- */

/* "Deployment team-a/web: FIELD: MESSAGE [rule]", or all of them numbered. */
static struct str denial_message(struct call *c)
{
	struct decision *d = c->out;
	struct buf text;
	buf_init_in(&text, LIMIT_RESPONSE, c->arena);
	bool namespaced = d->namespace.n > 0, named = d->name.n > 0;
	buf_fmt(&text, "%.*s%s%.*s%s%.*s", STR_ARG(str_utf8_cut(d->kind, LIMIT_QUOTE)), namespaced || named ? " " : "",
		STR_ARG(str_utf8_cut(d->namespace, LIMIT_QUOTE)), namespaced && named ? "/" : "",
		STR_ARG(str_utf8_cut(d->name, LIMIT_QUOTE_NAME)));
	size_t count = c->untold, number = 0;
	for (size_t i = 0; i < c->finding_count; i++)
		count += c->findings[i].mode == MODE_ENFORCE;
	if (count > 1)
		buf_fmt(&text, " has %zu faults", count);
	for (size_t i = 0; i < c->finding_count; i++) {
		const struct finding *f = &c->findings[i];
		if (f->mode != MODE_ENFORCE)
			continue;
		if (text.n > LIMIT_MESSAGE)
			break;
		number++;
		if (count > 1)
			buf_fmt(&text, "%s (%zu) ", number == 1 ? ":" : ";", number);
		else
			buf_addz(&text, ": ");
		buf_fmt(&text, "%.*s%s%.*s [%s]", STR_ARG(f->field), f->field.n > 0 ? ": " : "", STR_ARG(f->message), f->rule);
	}
	if (number < count)
		buf_fmt(&text, "; and %zu more", count - number);
	return text_shown(c->arena, buf_move(&text, c->arena));
}

static struct review_cause *denial_causes(struct call *c, size_t *count)
{
	struct review_cause *causes = arena_array(c->arena, LIMIT_CAUSES, sizeof *causes);
	*count = 0;
	for (size_t i = 0; i < c->finding_count && causes != NULL && *count < LIMIT_CAUSES; i++) {
		const struct finding *f = &c->findings[i];
		if (f->mode == MODE_ENFORCE)
			causes[(*count)++] = (struct review_cause){
				f->field, arena_fmt(c->arena, "%.*s [%s]", STR_ARG(f->message), f->rule)};
	}
	return causes;
}

/* A value for an audit annotation: parts joined by commas, cut to its limit. */
static struct str audit_value(struct arena *arena, struct buf *text)
{
	return str_utf8_cut(text_shown(arena, buf_move(text, arena)), LIMIT_AUDIT_VALUE);
}

static size_t audit(struct call *c, struct review_audit entries[4])
{
	size_t count = 0;
	entries[count++] = (struct review_audit){"config", c->config->fingerprint};
	if (c->out->skipped != NULL)
		entries[count++] = (struct review_audit){"skipped", str_of(c->out->skipped)};
	if (c->phase == PHASE_MUTATE && c->has_plan && c->plan.bindings.count > 0 && !c->denied) {
		struct buf text;
		buf_init(&text, LIMIT_ANNOTATION);
		for (size_t i = 0; i < c->plan.bindings.count; i++)
			buf_fmt(&text, "%s%.*s", i > 0 ? "," : "", STR_ARG(c->plan.bindings.items[i].label));
		if (c->plan.migrates)
			buf_addz(&text, ";migration");
		entries[count++] = (struct review_audit){"injected", audit_value(c->arena, &text)};
	}
	if (c->finding_count > 0) {
		struct buf text;
		buf_init_in(&text, LIMIT_RESPONSE, c->arena);
		for (size_t i = 0; i < c->finding_count && text.n < LIMIT_AUDIT_VALUE; i++)
			buf_fmt(&text, "%s%s=%s", i > 0 ? "," : "", c->findings[i].rule,
				c->findings[i].mode == MODE_ENFORCE ? "enforce" : c->findings[i].audited ? "audit" : "warn");
		entries[count++] = (struct review_audit){"rules", audit_value(c->arena, &text)};
	}
	return count;
}

/* Says how many warnings there was no room for. */
static void count_dropped(struct call *c)
{
	struct str *warnings =
		arena_grow(c->arena, c->warnings, c->warning_count, &c->warning_capacity, sizeof *warnings);
	if (warnings == NULL || c->warnings_dropped == 0)
		return;
	c->warnings = warnings;
	c->warnings[c->warning_count++] = arena_fmt(c->arena, "and %zu more warnings", c->warnings_dropped);
}

static void write_answer(struct call *c)
{
	struct decision *d = c->out;
	count_dropped(c);
	struct review_audit entries[4];
	struct review_response response = {
		.allowed = !c->denied,
		.code = c->forbidden ? 403 : d->budget.over == BUDGET_TIME ? 503 : 422,
		.warnings = c->warnings,
		.warning_count = c->warning_count,
		.audit = entries,
		.audit_count = audit(c, entries),
	};
	if (c->denied) {
		response.message = denial_message(c);
		response.causes = denial_causes(c, &response.cause_count);
	} else if (c->phase == PHASE_MUTATE && c->has_plan) {
		response.patch = c->plan.patch;
	}
	review_write(&d->body, &c->request, &response);
	d->http_status = 200;
	d->allowed = response.allowed;
	d->patched = response.patch.n > 0;
	d->patch = response.patch;
	d->findings = c->findings;
	d->finding_count = c->finding_count;
	d->warnings = c->warnings;
	d->warning_count = c->warning_count;
}

static void note_bindings(struct call *c)
{
	if (c->phase != PHASE_MUTATE || !c->has_plan || c->denied)
		return;
	size_t count = c->plan.bindings.count;
	struct str *names = arena_array(c->arena, count, sizeof *names);
	for (size_t i = 0; i < count && names != NULL; i++)
		names[i] = c->plan.bindings.items[i].binding->name;
	c->out->bindings = names;
	c->out->binding_count = names ? count : 0;
}

static void note_request(struct decision *d, const struct review_request *r)
{
	d->uid = r->uid;
	d->operation = r->operation;
	d->group = r->group;
	d->kind = r->kind;
	d->namespace = r->namespace;
	d->user = r->user;
	d->dry_run = r->dry_run;
	d->name = r->name.n > 0 ? r->name : object_name(r->object);
	if (d->name.n == 0)
		d->name = json_string(json_path(r->object, "metadata", "generateName", NULL));
}

/* Nothing is injected, and an annotation asks for it: said with the annotation's field. */
static void warn_unread(struct call *c, struct str field, struct str message)
{
	violation_add(&c->unread, field, STR("unread"), "%.*s", STR_ARG(message));
	c->out->advice = c->unread.items;
	c->out->advice_count = c->unread.count;
	warn(c, message);
}

/* Who sends it, or where it lives, is exempt: said when it is asked for anew. */
static void warn_exempt(struct call *c, const struct workload_kind *kind)
{
	struct workload_fault fault;
	if (kind == NULL || kind->only_judged || c->phase != PHASE_MUTATE || owner_is_controller(c->request.user) ||
	    !str_starts(str_of(c->out->skipped), STR("exempt-")) ||
	    !workload_open(kind, c->request.object, &c->workload, &fault))
		return;
	if (c->request.old_object != NULL && workload_open(kind, c->request.old_object, &c->old_workload, &fault) &&
	    annotations_same(c->arena, c->config, &c->workload, &c->old_workload, c->request.namespace))
		return;
	struct str field = annotations_ask(c->arena, c->config, &c->workload);
	if (field.p != NULL)
		warn_unread(c, field,
			    arena_fmt(c->arena,
				      "nothing is injected, although annotations ask for it: the configuration exempts this %s; "
				      "exempt it no longer, or remove the annotations",
				      c->out->skipped + sizeof "exempt-" - 1));
}

/* The kind is only judged. The mutating webhook does not see it: the validating one says so, when it is asked anew. */
static void warn_only_judged(struct call *c, const struct workload_kind *kind)
{
	if (c->phase != PHASE_VALIDATE || !kind->only_judged || !c->is_workload ||
	    (c->has_old_workload && annotations_ask(c->arena, c->config, &c->old_workload).p != NULL))
		return;
	struct str field = annotations_ask(c->arena, c->config, &c->workload);
	if (field.p != NULL)
		warn_unread(c, field,
			    arena_fmt(c->arena,
				      "nothing is injected into a %s, although annotations ask for it; connhook injects into: "
				      "%.*s; name the Secrets in the manifest",
				      kind->kind, STR_ARG(unread_kinds(c->arena))));
}

static void decide_request(struct call *c)
{
	const struct workload_kind *kind = workload_find(c->request.group, c->request.kind);
	struct decision *d = c->out;
	d->skipped = skip_request(c->config, &c->request);
	if (d->skipped != NULL) {
		d->budget.over = BUDGET_KEPT; /* what was too large need not be known */
		warn_exempt(c, kind);
	}
	if (d->skipped != NULL || d->budget.over != BUDGET_KEPT)
		return;
	if (kind != NULL) {
		d->skipped = plan_workload(c, kind);
		warn_only_judged(c, kind);
	} else if (c->phase == PHASE_MUTATE) {
		d->skipped = NOT_A_WORKLOAD;
	}
	for (enum rule_id id = 0; id < RULE_COUNT; id++)
		run_rule(c, id);
	if (c->phase == PHASE_VALIDATE && c->finding_count > 0)
		d->skipped = NULL;
}

/* Whose request it was stays; what was decided on it so far is not said, and so not counted. */
static void answer_failure(struct decision *d, int status, const char *reason, struct str message)
{
	buf_free(&d->body);
	*d = (struct decision){
		.arena = d->arena,
		.budget = d->budget,
		.http_status = status,
		.dry_run = d->dry_run,
		.uid = d->uid,
		.operation = d->operation,
		.group = d->group,
		.kind = d->kind,
		.namespace = d->namespace,
		.name = d->name,
		.user = d->user,
	};
	buf_init(&d->body, LIMIT_RESPONSE);
	review_write_status(&d->body, status, reason, message);
}

static struct str limit_message(const struct call *c)
{
	const struct budget *b = &c->out->budget;
	if (b->over == BUDGET_TIME)
		return STR("connhook could not decide within the time that the API server waits; expected to be asked at a "
			   "quieter moment; apply again");
	const char *advice = "make the object smaller: fewer or shorter entries in its lists and annotations";
	if (b->over == BUDGET_MEMORY)
		return arena_fmt(c->arena,
				 "found an object that takes more than %zu MiB of memory to decide on; expected less; %s",
				 b->memory_limit / MIB, advice);
	return arena_fmt(c->arena, "found an object that takes more than %zu units of work to decide on; expected less; %s",
			 b->work_limit, advice);
}

/* The budget is over: of what was found so far nothing is said. The answer is small, and is not paid for by it. */
static void answer_over(struct call *c)
{
	struct decision *d = c->out;
	*c = (struct call){
		.arena = c->arena, .config = c->config, .phase = c->phase, .out = d, .request = c->request};
	c->arena->budget = NULL;
	c->arena->failed = false;
	d->skipped = NULL;
	d->advice = NULL;
	d->advice_count = 0;
	buf_free(&d->body);
	d->body.budget = NULL;
	struct violations found = {.arena = c->arena};
	violation_add(&found, STR(""), STR(LIMITS), "%.*s", STR_ARG(limit_message(c)));
	report(c, LIMITS, c->phase == PHASE_VALIDATE ? MODE_ENFORCE : MODE_WARN, false, &found, STR(""));
	write_answer(c);
}

static void budget_begin(struct decision *d)
{
	if (d->budget.work_limit == 0)
		d->budget.work_limit = LIMIT_WORK;
	if (d->budget.memory_limit == 0)
		d->budget.memory_limit = LIMIT_MEMORY;
	d->arena.budget = &d->budget;
}

void decide(const struct config *config, enum phase phase, struct str body, struct decision *out)
{
	struct error err;
	struct call c = {
		.arena = &out->arena, .config = config, .phase = phase, .out = out, .unread.arena = &out->arena};
	budget_begin(out);
	buf_init_in(&out->body, LIMIT_RESPONSE, c.arena);
	int rc = review_parse(c.arena, body, &c.request, &err);
	if (rc == 0) {
		note_request(out, &c.request);
		decide_request(&c);
		if (out->budget.over == BUDGET_KEPT) {
			write_answer(&c);
			note_bindings(&c);
		}
		if (out->budget.over != BUDGET_KEPT)
			answer_over(&c);
	}
	c.arena->budget = NULL;
	bool over = rc == ERR_NOMEM && out->budget.over != BUDGET_KEPT;
	if (over)
		answer_failure(out, 503, "ServiceUnavailable", limit_message(&c));
	else if (rc != 0 && rc != ERR_NOMEM)
		answer_failure(out, 400, "BadRequest", error_str(&err));
	if ((rc == ERR_NOMEM && !over) || c.arena->failed || out->body.error != 0)
		answer_failure(out, 500, "InternalError", STR("out of memory"));
}

void decision_free(struct decision *d)
{
	buf_free(&d->body);
	arena_free(&d->arena);
	*d = (struct decision){0};
}
