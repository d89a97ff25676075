/* The native policy of literal-credentials. */
#include "publish/native_parts.h"

#include "base/limits.h"
#include "policy/facts/credential.h"
#include "publish/cel.h"

/* The lists of its configuration. */
enum { NAMES, ALLOWED_NAMES };

/* Nothing but $(VAR) references. */
#define REFERENCES "([$][(][^)]+[)])*"

/* Text that is more than references, of characters outside the class `ends`: references, then what is none. */
#define LITERAL(ends)                                                                                                  \
	"([$][(][^)" ends "]+[)])*"                                                                                        \
	"([^$" ends "][^" ends "]*|[$]|[$][^(" ends "][^" ends "]*|[$][(]|[$][(][)][^" ends "]*|[$][(][^)" ends "]+)"

#define URL_ENDS "/?# \\t\\r\\n\"'"
#define PAIR_ENDS "?&;# \\t\\r\\n\"'"

/* A password in the userinfo of a URL, up to the last @ of its authority; or in a parameter. */
#define USERINFO "(?s).://[^:" URL_ENDS "]*:" LITERAL(URL_ENDS) "@[^@" URL_ENDS "]*([" URL_ENDS "]|$)"
#define PARAMETER                                                                                                      \
	"(?s).://.*[?&;](?i:password|passwd|pwd|passphrase|sslpassword)=" LITERAL(PAIR_ENDS) "([" PAIR_ENDS "]|$)"

static struct str literal(const struct native *n, const char *text)
{
	struct buf out;
	buf_init(&out, LIMIT_RESPONSE);
	cel_string(&out, str_of(text));
	return native_take(n, &out);
}

/*
 * Values that may be no credential: connhook looks closer (credential_is_harmless), CEL lets them pass. Everything with
 * a colon, a slash, a bracket, a dash or an underscore, numbers, and the words that are no credential. So do names of
 * cookies.
 */
static struct str doubtful_values(const struct native *n)
{
	struct buf pattern;
	buf_init(&pattern, LIMIT_RESPONSE);
	buf_addz(&pattern, "(?is)^([^ ]*[-:/<>{}_*.+!@#$% \\[\\]].*|[0-9].*|pub.*|change.*|replace.*|todo.*|insert.*|xxxx.*"
			   "|redacted.*|placeholder.*|your.*|setme|fillme|updateme|masked|.*xxxxx.*|.*regcred|awssm.*|gcpsm.*|gcpsecret.*|akv.*|azurekv.*|keyvault.*");
	for (size_t i = 0; i < CREDENTIAL_HARMLESS_WORDS; i++)
		buf_fmt(&pattern, "|%s", credential_harmless_words[i]);
	buf_addz(&pattern, ")$");
	struct str text = native_take(n, &pattern);
	return literal(n, text.p ? text.p : "");
}

/* Behind a name: which of several it is. */
static const char *name_end(const struct native *n)
{
	struct buf pattern;
	buf_init(&pattern, LIMIT_RESPONSE);
	buf_addz(&pattern, ")(_?[0-9]+|_V[0-9]+");
	for (size_t i = 0; i < CREDENTIAL_NAME_SUFFIXES; i++)
		buf_fmt(&pattern, "|%s", credential_name_suffixes[i]);
	buf_addz(&pattern, ")?$");
	return native_take(n, &pattern).p;
}

static void write_credential_variables(const struct native *n)
{
	const char *end = name_end(n);
	struct str doubtful = doubtful_values(n);
	struct str userinfo = literal(n, USERINFO), parameter = literal(n, PARAMETER);
	struct str references = literal(n, "^" REFERENCES "$");
	struct str names = native_regex(n, &n->rule->lists[NAMES], ".", "(?s)^(", end);
	struct str allowed = native_regex(n, &n->rule->lists[ALLOWED_NAMES], ".", "(?s)^(", end);
	native_objects(n);
	native_pods(n);
	native_variable(n, "containers",
			"variables.pods.map(p, (has(p.containers) && type(p.containers) == list ? p.containers : []) + "
			"(has(p.initContainers) && type(p.initContainers) == list ? p.initContainers : []))");
	/* Variables with a value, one list a container. */
	native_variable(n, "values",
			"variables.containers.map(l, l.map(c, (has(c.env) && type(c.env) == list ? c.env : [])"
			".filter(e, has(e.name) && has(e.value) && type(e.value) == string && e.value.trim() != \"\")"
			".map(e, {\"container\": string(c.name), \"name\": string(e.name), \"value\": e.value.trim()})))");
	native_variable(n, "changed",
			"variables.values[0].map(l, l.filter(e, size(variables.values) == 1 || !variables.values[1].exists(m, "
			"m.exists(o, o.container == e.container && o.name == e.name && o.value == e.value))))");
	native_variable(n, "urls",
			"variables.changed.map(l, l.filter(e, e.value.contains(\"://\") && (e.value.matches(%.*s) || "
			"e.value.matches(%.*s)))).filter(l, size(l) > 0)",
			STR_ARG(userinfo), STR_ARG(parameter));
	native_variable(n, "named",
			"variables.changed.map(l, l.filter(e, [e.name.upperAscii().replace(\"-\", \"_\").replace(\".\", \"_\")"
			".replace(\":\", \"_\").replace(\"__\", \"_\")]"
			".exists(u, u.matches(%.*s) && !u.matches(%.*s) && !u.endsWith(\"_COOKIE\")) && !e.value.matches(%.*s) && "
			"!e.value.matches(%.*s)))"
			".filter(l, size(l) > 0)",
			STR_ARG(names), STR_ARG(allowed), STR_ARG(references), STR_ARG(doubtful));
}

static void write_credential_validations(const struct native *n)
{
	struct arena *a = n->arena;
	struct str prefix = n->config->annotation_prefix;
	native_validation(n, STR("size(variables.urls) == 0"),
			  arena_fmt(a, "env: found a URL with a password; expected no password in a manifest; keep the URL in a "
				       "Secret, "
				       "which an ExternalSecret writes, and bind it with the annotation %.*s/bindings, or write "
				       "$(VAR) for the password",
				    STR_ARG(prefix)),
			  arena_fmt(a,
				    "\"container \" + variables.urls[0][0].container + \", env: found a URL with a password in \" + "
				    "variables.urls[0][0].name + \"; expected no password in a manifest; keep the URL in a Secret, "
				    "which "
				    "an ExternalSecret writes, and bind it with the annotation %.*s/bindings, or write $(VAR) for the "
				    "password\"",
				    STR_ARG(prefix)));
	native_validation(n, STR("size(variables.named) == 0"),
			  arena_fmt(a, "env: found a literal value for a credential; expected a reference to a Secret; keep the "
				       "value "
				       "in a Secret, which an ExternalSecret writes, and bind it with the annotation %.*s/bindings, or "
				       "use valueFrom.secretKeyRef",
				    STR_ARG(prefix)),
			  arena_fmt(a,
				    "\"container \" + variables.named[0][0].container + \", env: found a literal value for \" + "
				    "variables.named[0][0].name + \", by its name a credential; expected a reference to a Secret; keep "
				    "the value in a Secret, which an ExternalSecret writes, and bind it with the annotation "
				    "%.*s/bindings, or use valueFrom.secretKeyRef\"",
				    STR_ARG(prefix)));
}

const struct native_rule native_literal_credentials = {
	.id = RULE_LITERAL_CREDENTIALS,
	.workloads = true,
	.write_variables = write_credential_variables,
	.write_validations = write_credential_validations,
	.note = "only env, by names and URLs; tokens, keys, connection strings, command and args are connhook's",
};
