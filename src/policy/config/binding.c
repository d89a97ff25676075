#include "policy/config/binding.h"

#include "base/buf.h"
#include "base/limits.h"
#include "base/meant.h"
#include "base/text.h"
#include "kube/name.h"

#define SUFFIX_LENGTH (sizeof CONNECTION_SUFFIX - 1)

/* Identity of the fault that is told once, however often it stands side by side. */
#define EMPTY "bindings:empty:"

/* One element of a list: `name` or `name=instance`. */
struct element {
	struct str text, name, instance;
	const struct binding *binding;
};

static struct str suggestion(const struct config *config, struct str name, struct arena *arena)
{
	struct meant meant = {.wrong = name};
	for (size_t i = 0; i < config->binding_count; i++)
		meant_offer(&meant, config->bindings[i].name);
	return meant_text(&meant, arena);
}

/* "expected one of: db, cache" */
static struct str choices(const struct config *config, struct arena *arena)
{
	if (config->binding_count == 0)
		return STR("the configuration has none");
	struct buf text;
	buf_init(&text, LIMIT_MESSAGE);
	buf_addz(&text, "expected one of:");
	for (size_t i = 0; i < config->binding_count && text.n < LIMIT_MESSAGE / 4; i++)
		buf_fmt(&text, "%s %.*s", i > 0 ? "," : "", STR_ARG(config->bindings[i].name));
	return buf_move(&text, arena);
}

static struct str identity(struct arena *arena, const char *fault, struct str part)
{
	return arena_fmt(arena, "bindings:%s:%.*s", fault, STR_ARG(part));
}

/* Reads one element; false, with a problem added, when its form or name is wrong. */
static bool element_read(const struct config *config, struct str text, struct str field, struct violations *problems,
			 struct element *out)
{
	struct arena *arena = problems->arena;
	struct element e = {.text = str_trim(text)};
	size_t equals = str_find(e.text, '=');
	e.name = str_trim((struct str){e.text.p, equals});
	if (e.text.n == 0) {
		bool told = problems->count > 0 && str_eqz(problems->items[problems->count - 1].identity, EMPTY);
		if (!told)
			violation_add(problems, field, STR(EMPTY),
				      "found an empty element in the list; expected names parted by single commas, such as "
				      "\"db,cache\"; remove the superfluous comma");
		return false;
	}
	if (equals < e.text.n) {
		e.instance = str_trim(str_from(e.text, equals + 1));
		if (e.instance.n == 0 || e.name.n == 0 || str_find(e.instance, '=') < e.instance.n) {
			violation_add(problems, field, identity(arena, "form", e.text),
				      "found %s; expected \"name\" or \"name=instance\"", text_quote(e.text).text);
			return false;
		}
	}
	e.binding = config_binding(config, e.name);
	if (e.binding == NULL) {
		violation_add(problems, field, identity(arena, "unknown", e.name),
			      "found %s, which is not a binding; %.*s%.*s", text_quote(e.name).text,
			      STR_ARG(choices(config, arena)), STR_ARG(suggestion(config, e.name, arena)));
		return false;
	}
	*out = e;
	return true;
}

/* Takes the list apart; only elements without fault are in the result. */
static size_t list_read(const struct config *config, struct str list, struct str field, struct violations *problems,
			struct element elements[LIMIT_LIST])
{
	struct arena *arena = problems->arena;
	if (str_trim(list).n == 0) {
		violation_add(problems, field, identity(arena, "empty-list", STR("")),
			      "the list is empty; %.*s; name one, or remove the annotation",
			      STR_ARG(choices(config, arena)));
		return 0;
	}
	size_t count = 0;
	struct str rest = list, part;
	while (str_split(&rest, ',', &part)) {
		if (count == LIMIT_LIST) {
			violation_add(problems, field, identity(arena, "long", STR("")),
				      "found more than %d bindings; remove some", LIMIT_LIST);
			return count;
		}
		struct element e;
		if (violations_full(problems))
			return count;
		if (!element_read(config, part, field, problems, &e))
			continue;
		bool twice = false;
		for (size_t i = 0; i < count; i++)
			twice = twice || (str_eq(elements[i].name, e.name) && str_eq(elements[i].instance, e.instance));
		if (twice)
			violation_add(problems, field, identity(arena, "twice", e.text),
				      "found %s twice; name each binding once", text_quote(e.text).text);
		else
			elements[count++] = e;
	}
	return count;
}

static bool wants_instance(const struct binding *b)
{
	bool wants = template_wants_instance(b->secret_name) || template_wants_instance(b->claim) ||
		     template_wants_instance(b->prefix);
	for (size_t i = 0; i < b->env_count; i++)
		wants = wants || template_wants_instance(b->env[i].value);
	return wants;
}

/*
 * The Secret's name. An instance takes the place of the whole template, unless the template has a place for it; with
 * `claim` it is the claim's name. False, with a problem added, when the result is no valid name.
 */
static bool secret_name(const struct element *e, const struct template_values *values, struct str field,
			struct violations *problems, struct str *out)
{
	struct arena *arena = problems->arena;
	bool is_claim = e->binding->claim.p != NULL;
	struct str template = is_claim ? e->binding->claim : e->binding->secret_name;
	*out = (struct str){NULL, 0};
	if (template.p == NULL)
		return true;
	struct str base = e->instance.p != NULL && !template_wants_instance(template)
				  ? e->instance
				  : template_expand(arena, template, values);
	struct str claim = {base.p, is_claim && str_ends(base, STR(CONNECTION_SUFFIX)) ? base.n - SUFFIX_LENGTH : 0};
	if (name_is_subdomain(claim)) {
		violation_add(problems, field, identity(arena, "conn", e->text),
			      "%s names the claim's Secret %s; expected the claim: write %s",
			      text_quote(e->text).text, text_quote(base).text,
			      text_quote_name(arena_fmt(arena, "%.*s=%.*s", STR_ARG(e->name), STR_ARG(claim))).text);
		return false;
	}
	*out = is_claim ? arena_fmt(arena, "%.*s" CONNECTION_SUFFIX, STR_ARG(base)) : base;
	if (name_is_subdomain(*out))
		return true;
	struct str advice = STR("");
	if (e->instance.p == NULL)
		advice = arena_fmt(arena, "; write \"%.*s=NAME\", or name the service in the annotation \"app\"",
				   STR_ARG(e->name));
	violation_add(problems, field, identity(arena, "name", *out),
		      "%s gives the Secret name %s, which is not valid; expected at most 253 lower-case letters, "
		      "digits, - and ., beginning and ending with a letter or digit%.*s",
		      text_quote(e->text).text, text_quote(*out).text,
		      STR_ARG(advice));
	return false;
}

/* Fills the `env` entries. False when memory is out. */
static bool fill_env(struct arena *arena, const struct binding *binding, const struct template_values *values,
		     struct bound *out)
{
	struct bound_env *env = arena_array(arena, binding->env_count, sizeof *env);
	if (env == NULL)
		return false;
	for (size_t i = 0; i < binding->env_count; i++) {
		const struct env_mapping *m = &binding->env[i];
		env[i] = (struct bound_env){m->name, m->key, {NULL, 0}};
		if (m->key.p != NULL)
			out->env_from = false;
		else
			env[i].value = template_expand(arena, m->value, values);
	}
	out->env = env;
	out->env_count = binding->env_count;
	return true;
}

static bool bind(const struct element *e, const struct template_values *values, struct str field,
		 struct violations *problems, struct bound *out)
{
	struct arena *arena = problems->arena;
	const struct binding *b = e->binding;
	struct template_values own = *values;
	own.instance = e->instance;
	if (e->instance.p == NULL && wants_instance(b)) {
		violation_add(problems, field, identity(arena, "instance", e->text),
			      "binding \"%.*s\" needs an instance; write \"%.*s=INSTANCE\"", STR_ARG(e->name), STR_ARG(e->name));
		return false;
	}
	if (e->instance.p != NULL && b->secret_name.p == NULL && b->claim.p == NULL && !wants_instance(b)) {
		violation_add(problems, field, identity(arena, "no-instance", e->text),
			      "found %s, but binding \"%.*s\" takes no instance; write \"%.*s\"", text_quote(e->text).text,
			      STR_ARG(e->name), STR_ARG(e->name));
		return false;
	}
	struct bound result = {.binding = b, .label = e->text};
	if (!secret_name(e, &own, field, problems, &result.secret))
		return false;
	result.env_from = result.secret.p != NULL;
	result.prefix = b->prefix.n > 0 ? template_expand(arena, b->prefix, &own) : STR("");
	if (result.prefix.n > 0 && !name_is_env(result.prefix)) {
		violation_add(problems, field, identity(arena, "prefix", result.prefix),
			      "%s gives the variable prefix %s, which is not valid; expected printable ASCII without =",
			      text_quote(e->text).text, text_quote(result.prefix).text);
		return false;
	}
	if (!fill_env(arena, b, &own, &result))
		return false;
	*out = result;
	return true;
}

void binding_list_read(const struct config *config, struct str list, const struct template_values *values,
		       struct str field, struct violations *problems, struct bound_list *out)
{
	struct element elements[LIMIT_LIST];
	size_t count = list_read(config, list, field, problems, elements);
	struct bound *items = arena_array(problems->arena, count, sizeof *items);
	*out = (struct bound_list){items, 0};
	for (size_t i = 0; i < count && items != NULL; i++)
		if (bind(&elements[i], values, field, problems, &items[out->count]))
			out->count++;
}
