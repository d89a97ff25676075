/*
 * literal-credentials: no password, token or key stands in a manifest, where Git and everybody who may read the
 * workload keep it. No sentence here repeats a value.
 */
#include "policy/rule.h"

#include "base/limits.h"

/* The lists of its configuration. */
enum { NAMES, ALLOWED_NAMES };

/* Variables that hold credentials. A name is compared in upper case, with _ for - and dots. */
static const struct str names[] = {
	STR_INIT("*PASSWORD"), STR_INIT("*PASSWD"), STR_INIT("*_PASS"), STR_INIT("*_PWD"), STR_INIT("*PASSPHRASE"),
	STR_INIT("SECRET"), STR_INIT("*_SECRET"), STR_INIT("*SECRET_KEY"), STR_INIT("*SECRET_ACCESS_KEY"),
	STR_INIT("TOKEN"), STR_INIT("*_TOKEN"), STR_INIT("*API_KEY"), STR_INIT("*APIKEY"), STR_INIT("*PRIVATE_KEY"),
	STR_INIT("*_ACCESS_KEY"), STR_INIT("*ENCRYPTION_KEY"), STR_INIT("*SIGNING_KEY"),
};

/* Not credentials, whatever list a configuration adds: frameworks publish them to browsers. */
static const struct str allowed_names[] = {STR_INIT("NEXT_PUBLIC_*"), STR_INIT("*_PUBLISHABLE_*")};

/* Switches that a name alone cannot tell from a credential: ALLOW_EMPTY_PASSWORD=yes. */
static const char *const switches[] = {"true", "false", "yes", "no", "on", "off", "0", "1"};

/* Parameters of a URL that carry a password, in JDBC's dialects among others. */
static const char *const parameters[] = {"password", "passwd", "pwd", "passphrase", "sslpassword"};

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Is it one of the words, in any case? */
static bool is_one_of(struct str text, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct str word = str_of(words[i]);
		size_t k = 0;
		while (k < text.n && k < word.n && lower(text.p[k]) == word.p[k])
			k++;
		if (k == text.n && k == word.n)
			return true;
	}
	return false;
}

/* The name as the globs have it; absent when memory is out. */
static struct str plain_name(struct arena *arena, struct str name)
{
	char *text = arena_alloc(arena, name.n + 1);
	for (size_t i = 0; i < name.n && text != NULL; i++) {
		char c = name.p[i];
		text[i] = c == '-' || c == '.' ? '_' : c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
	}
	return (struct str){text, text ? name.n : 0};
}

/*
 * Is there more in the text than $(VAR) references? Kubernetes reads $$(VAR) as plain text
 * (kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables).
 */
static bool is_literal(struct str text)
{
	while (text.n > 0) {
		size_t close = str_find(text, ')');
		if (!str_starts(text, STR("$(")) || close == text.n || close == 2)
			return true;
		text = str_from(text, close + 1);
	}
	return false;
}

/* The bytes before the first that is one of `ends`. */
static struct str until(struct str text, const char *ends)
{
	struct str stops = str_of(ends);
	size_t n = 0;
	while (n < text.n && str_find(stops, text.p[n]) == stops.n)
		n++;
	return (struct str){text.p, n};
}

/* Does the part of a URL behind "://" hold a password that is no reference? In its userinfo (RFC 3986, 3.2.1) ... */
static bool userinfo_has_password(struct str rest)
{
	struct str authority = until(rest, "/?# \t\r\n\"'");
	size_t at = str_rfind(authority, '@');
	if (at == authority.n)
		return false;
	struct str userinfo = {authority.p, at};
	return is_literal(str_from(userinfo, str_find(userinfo, ':') + 1));
}

/* ... or in a parameter, which begins with ? & or ; */
static bool parameter_has_password(struct str rest)
{
	for (size_t i = 0; i < rest.n; i++) {
		if (rest.p[i] != '?' && rest.p[i] != '&' && rest.p[i] != ';')
			continue;
		struct str pair = until(str_from(rest, i + 1), "?&;# \t\r\n\"'");
		size_t equals = str_find(pair, '=');
		struct str key = {pair.p, equals};
		if (is_one_of(key, parameters, sizeof parameters / sizeof parameters[0]) &&
		    is_literal(str_from(pair, equals + 1)))
			return true;
	}
	return false;
}

static bool url_has_password(struct str value)
{
	bool url = false;
	for (size_t i = 1; i + 3 <= value.n; i++) {
		struct str rest = str_from(value, i);
		if (!str_starts(rest, STR("://")))
			continue;
		rest = str_from(rest, 3);
		if (userinfo_has_password(rest) || (!url && parameter_has_password(rest)))
			return true;
		url = true; /* the parameters up to the end have been seen */
	}
	return false;
}

enum fault { FAULT_NONE, FAULT_NAME, FAULT_URL };

static enum fault fault_of(const struct rule_context *context, struct str name, struct str value)
{
	const struct names *lists = context->rule->lists;
	if (value.n == 0)
		return FAULT_NONE;
	if (url_has_password(value))
		return FAULT_URL;
	struct str plain = plain_name(context->arena, name);
	if (!names_match(&lists[NAMES], plain) || names_match(&lists[ALLOWED_NAMES], plain))
		return FAULT_NONE;
	bool harmless = !is_literal(value) || is_one_of(value, switches, sizeof switches / sizeof switches[0]);
	return harmless ? FAULT_NONE : FAULT_NAME;
}

/* A reference as shells write it is none. */
static const char *hint(struct str value)
{
	while (value.n > 0 && !str_starts(value, STR("${")))
		value = str_from(value, 1);
	return value.n > 0 ? " (Kubernetes replaces $(VAR), not ${VAR})" : "";
}

static void report(const struct rule_context *context, enum fault fault, struct str field, struct str identity,
		   struct str name, struct str value, struct violations *found)
{
	struct str shown = str_utf8_cut(name, LIMIT_QUOTE), prefix = context->config->annotation_prefix;
	if (fault == FAULT_URL)
		violation_add(found, field, identity,
			      "found a URL with a password in %.*s; expected no password in a manifest%s; keep the URL in a "
			      "Secret, which an ExternalSecret writes, and bind it with the annotation %.*s/bindings, or write "
			      "$(VAR) for the password",
			      STR_ARG(shown), hint(value), STR_ARG(prefix));
	else
		violation_add(found, field, identity,
			      "found a literal value for %.*s, by its name a credential; expected a reference to a Secret%s; keep "
			      "the value in a Secret, which an ExternalSecret writes, and bind it with the annotation "
			      "%.*s/bindings, or use valueFrom.secretKeyRef",
			      STR_ARG(shown), hint(value), STR_ARG(prefix));
}

/* All containers of the list but the one named `copy`. */
static void check_containers(const struct rule_context *context, const struct json *list, const char *key,
			     struct str copy, struct violations *found)
{
	size_t index = 0;
	for (const struct json *c = json_first(list); c != NULL; c = json_next(c), index++) {
		size_t at = 0;
		if (copy.p != NULL && str_eq(container_name(c), copy))
			continue;
		for (const struct json *e = json_first(json_getz(c, "env")); e != NULL; e = json_next(e), at++) {
			struct str name = json_string(json_getz(e, "name"));
			const struct json *v = json_getz(e, "value");
			struct str value = str_trim(json_kind(v) == JSON_NUMBER ? json_number(v) : json_string(v));
			enum fault fault = fault_of(context, name, value);
			if (fault != FAULT_NONE)
				report(context, fault,
				       arena_fmt(context->arena, "%s.spec.%s[%zu].env[%zu].value",
						 context->workload->kind->template_field, key, index, at),
				       arena_fmt(context->arena, "%s:%.*s:env:%.*s:%.*s", key, STR_ARG(container_name(c)),
						 STR_ARG(name), STR_ARG(value)),
				       name, value, found);
		}
	}
}

static void check(const struct rule_context *context, struct violations *found)
{
	struct str none = {NULL, 0};
	if (context->workload == NULL)
		return;
	/* The migration's variables are copies: the fault is in the container that it is modelled on. */
	bool migrates = context->plan != NULL && context->plan->migrates;
	check_containers(context, context->workload->containers, "containers", none, found);
	check_containers(context, context->workload->init_containers, "initContainers",
			 migrates ? context->config->migration_container : none, found);
}

/* A name in a list is compared as the rule compares: in upper case. */
static bool is_upper(struct str item)
{
	for (size_t i = 0; i < item.n; i++)
		if ((item.p[i] >= 'a' && item.p[i] <= 'z') || item.p[i] == '-' || item.p[i] == '.')
			return false;
	return true;
}

static const struct name_form upper = {
	is_upper, "upper case with _ for - and dots, as names are compared: *_PASSWORD"};

const struct rule rule_literal_credentials = {
	.id = "literal-credentials",
	.mode = MODE_ENFORCE,
	.check = check,
	.lists = {
		[NAMES] = {"names", RULE_NAMES(names), &upper},
		[ALLOWED_NAMES] = {"allowedNames", RULE_NAMES(allowed_names), &upper},
	},
};
