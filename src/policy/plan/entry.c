#include "policy/plan/entry.h"

const char *const entry_list[ENTRY_KINDS] = {
	[ENTRY_ENV_FROM] = "envFrom", [ENTRY_ENV] = "env", [ENTRY_PULL_SECRET] = "imagePullSecrets"};

bool entry_key(enum entry_kind kind, const struct json *entry, struct entry_key *out)
{
	const struct json *named = kind == ENTRY_ENV_FROM ? json_getz(entry, "secretRef") : entry;
	struct str prefix = kind == ENTRY_ENV_FROM ? json_string(json_getz(entry, "prefix")) : STR("");
	*out = (struct entry_key){json_string(json_getz(named, "name")), prefix.p ? prefix : STR("")};
	return out->name.n > 0;
}

int entry_key_cmp(const struct entry_key *a, const struct entry_key *b)
{
	int order = str_cmp(a->name, b->name);
	return order != 0 ? order : str_cmp(a->prefix, b->prefix);
}

/* Is it an object whose members are all among `keys` (which ends in NULL)? */
static bool holds_only(const struct json *object, const char *const *keys)
{
	if (json_kind(object) != JSON_OBJECT)
		return false;
	for (const struct json *m = json_first(object); m != NULL; m = json_next(m)) {
		size_t i = 0;
		while (keys[i] != NULL && !str_eqz(json_key(m), keys[i]))
			i++;
		if (keys[i] == NULL)
			return false;
	}
	return true;
}

bool entry_has_form(enum entry_kind kind, const struct json *entry)
{
	static const char *const source[] = {"prefix", "secretRef", NULL}, *const reference[] = {"name", "optional", NULL};
	static const char *const literal[] = {"name", "value", NULL}, *const keyed[] = {"name", "valueFrom", NULL};
	static const char *const from[] = {"secretKeyRef", NULL}, *const key[] = {"name", "key", "optional", NULL};
	static const char *const name[] = {"name", NULL};
	switch (kind) {
	case ENTRY_ENV_FROM:
		return holds_only(entry, source) && holds_only(json_getz(entry, "secretRef"), reference) &&
		       json_kind(json_path(entry, "secretRef", "optional", NULL)) == JSON_BOOL;
	case ENTRY_ENV:
		return holds_only(entry, literal) ||
		       (holds_only(entry, keyed) && holds_only(json_getz(entry, "valueFrom"), from) &&
			holds_only(json_path(entry, "valueFrom", "secretKeyRef", NULL), key));
	case ENTRY_PULL_SECRET:
	case ENTRY_KINDS:
		break;
	}
	return holds_only(entry, name);
}

/* What the API server leaves out or writes by itself. */
static bool is_default(const struct json *member)
{
	return json_is_empty(member) || (str_eqz(json_key(member), "apiVersion") && str_eqz(json_string(member), "v1"));
}

bool entry_same(const struct json *a, const struct json *b)
{
	return json_equal(a, b) || (json_is_empty(a) && json_is_empty(b)) ||
	       (json_kind(a) == json_kind(b) && entry_hash(a) == entry_hash(b));
}

unsigned long long entry_hash(const struct json *v)
{
	unsigned long long hash = str_hash(STR_HASH_SEED, str_of(json_kind_name(json_kind(v))));
	struct str text = json_kind(v) == JSON_NUMBER ? json_number(v) : json_string(v);
	if (json_is_true(v))
		text = STR("true");
	hash = str_hash(hash, text);
	bool object = json_kind(v) == JSON_OBJECT;
	for (const struct json *e = json_first(v); e != NULL; e = json_next(e)) {
		if (object && is_default(e))
			continue;
		unsigned long long inner = entry_hash(e);
		hash = object ? hash + str_hash(inner, json_key(e)) : hash * 31 + inner;
	}
	return hash;
}
