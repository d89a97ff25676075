/* Native policies of the rules about what workloads run: database servers, literal credentials. */
#include "policy/native_parts.h"

#include "base/limits.h"
#include "policy/cel.h"

/* ---- no-in-cluster-database ---- */

/* The lists of its configuration. */
enum { IMAGES, ALLOWED_IMAGES };

/* As rule_no_in_cluster_database.c has it. */
#define PLATFORM_GROUP "platform.bizmatters.io"

/* The grammar of kube/image.c: registry, path, tag, digest. */
#define LABEL "[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?"
#define REGISTRY "(" LABEL "([.]" LABEL ")+(:[0-9]+)?|" LABEL ":[0-9]+|localhost|\\\\[[^\\\\]/]+\\\\](:[0-9]+)?)"
#define PART "[a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*"
#define PLAIN_PART "[a-z0-9]+((_|__|-+)[a-z0-9]+)*"
#define TAG "[A-Za-z0-9_][-A-Za-z0-9_.]{0,127}"
#define DIGEST "[-A-Za-z0-9+._]+:[A-Fa-f0-9]{32,}"
#define REFERENCE "\"^((" REGISTRY "|" PLAIN_PART ")/(" PART "/)*)?" PART "(:" TAG ")?(@" DIGEST ")?$\""

#define INSTEAD                                                                                                     \
	"databases are managed outside the cluster; take the URL from an ExternalSecret \\\"<service>-db\\\" and bind it " \
	"with the annotation "

static struct str clients(const struct native *n)
{
	struct buf list;
	buf_init(&list, LIMIT_RESPONSE);
	for (size_t i = 0; i < rule_database_clients.count; i++) {
		buf_addz(&list, i > 0 ? ", " : "[");
		cel_string(&list, rule_database_clients.items[i]);
	}
	buf_addc(&list, ']');
	return native_take(n, &list);
}

static void write_database_variables(const struct native *n)
{
	struct str kinds = native_kinds(n, n->rule->kinds, n->rule->kind_count), workloads = native_workload_kinds(n);
	struct str images = native_regex(n, &n->rule->lists[IMAGES], "[^/]", "(^|/)(", ")$");
	struct str allowed = native_regex(n, &n->rule->lists[ALLOWED_IMAGES], "[^/]", "(^|/)(", ")$");
	struct str client_programs = clients(n);
	native_objects(n);
	native_variable(n, "database", "%.*s", STR_ARG(kinds));
	native_variable(n, "workload", "%.*s", STR_ARG(workloads));
	native_pods(n);
	native_variable(n, "names",
			"variables.specs.map(s, request.kind.group == \"" PLATFORM_GROUP "\" && "
			"request.kind.kind == \"WebService\" && has(s.databaseName) && s.databaseName != null && s.databaseName "
			"!= \"\")");
	/* Of init containers, only sidecars serve. */
	native_variable(n, "running",
			"variables.pods.map(p, (has(p.containers) && type(p.containers) == list ? "
			"p.containers.map(c, {\"list\": dyn(\"containers\"), \"c\": dyn(c)}) : []) + "
			"(has(p.initContainers) && type(p.initContainers) == list ? p.initContainers.filter(c, "
			"has(c.restartPolicy) && c.restartPolicy == \"Always\")"
			".map(c, {\"list\": dyn(\"initContainers\"), \"c\": dyn(c)}) : []))");
	/* Containers with a good reference, but those that run a client program; the repository without its registry. */
	native_variable(n, "images",
			"variables.running.map(l, l.filter(r, has(r.c.image) && type(r.c.image) == string && "
			"r.c.image.trim().matches(" REFERENCE ") && "
			"!(has(r.c.command) && type(r.c.command) == list && size(r.c.command) > 0 && "
			"type(r.c.command[0]) == string && "
			"r.c.command[0].substring(r.c.command[0].lastIndexOf(\"/\") + 1) in %.*s)).map(r, {"
			"\"list\": string(r.list), \"container\": string(r.c.name), \"image\": r.c.image.trim(), \"repository\": "
			"[r.c.image.trim().matches(\"^([^/]*[.:][^/]*|localhost)/\") ? "
			"r.c.image.trim().substring(r.c.image.trim().indexOf(\"/\") + 1) : r.c.image.trim()]"
			".map(r, r.split(\"@\")[0].split(\":\")[0])[0]}))", STR_ARG(client_programs));
	native_variable(n, "servers",
			"variables.images.map(l, l.filter(i, i.repository.matches(%.*s) && !i.repository.matches(%.*s)))",
			STR_ARG(images), STR_ARG(allowed));
	native_variable(n, "fresh",
			"!variables.workload ? [] : variables.servers[0].filter(s, size(variables.servers) == 1 || "
			"!variables.servers[1].exists(t, t.list == s.list && t.container == s.container && t.image == s.image))");
}

static void write_database_validations(const struct native *n)
{
	struct arena *a = n->arena;
	struct str prefix = n->config->annotation_prefix;
	/* A kind never changes. */
	native_validation(n, STR("request.operation == \"UPDATE\" || !variables.database"),
			  arena_fmt(a, "kind: found an in-cluster database; expected none: databases are managed outside the "
				       "cluster; "
				       "take the URL from an ExternalSecret \"<service>-db\" and bind it with the annotation "
				       "%.*s/bindings: db",
				    STR_ARG(prefix)),
			  arena_fmt(a,
				    "\"kind: found kind \" + request.kind.kind + \" of \" + request.kind.group + \", an in-cluster "
				    "database; expected none: " INSTEAD "%.*s/bindings: db\"",
				    STR_ARG(prefix)));
	native_validation(n, STR("!variables.names[0] || (size(variables.names) == 2 && variables.names[1])"),
			  arena_fmt(a, "spec.databaseName: found a name, which asks for an in-cluster database; expected the "
				       "field to "
				       "be left out: databases are managed outside the cluster; take the URL from an ExternalSecret "
				       "\"<service>-db\" and bind it with the annotation %.*s/bindings: db",
				    STR_ARG(prefix)),
			  arena_fmt(a,
				    "\"spec.databaseName: found \\\"\" + string(variables.specs[0].databaseName) + \"\\\", which asks "
				    "for an in-cluster database; expected the field to be left out: " INSTEAD "%.*s/bindings: db\"",
				    STR_ARG(prefix)));
	native_validation(n, STR("size(variables.fresh) == 0"),
			  arena_fmt(a, "image: found the image of a database server; expected none: databases are managed outside "
				       "the "
				       "cluster; take the URL from an ExternalSecret \"<service>-db\" and bind it with the annotation "
				       "%.*s/bindings: db",
				    STR_ARG(prefix)),
			  arena_fmt(a,
				    "\"container \" + variables.fresh[0].container + \": found image \\\"\" + "
				    "variables.fresh[0].image + "
				    "\"\\\", a database server; expected none: " INSTEAD "%.*s/bindings: db\"",
				    STR_ARG(prefix)));
}

const struct native_rule native_no_in_cluster_database = {
	.id = RULE_NO_IN_CLUSTER_DATABASE,
	.workloads = true,
	.write_variables = write_database_variables,
	.write_validations = write_database_validations,
};

/* ---- literal-credentials ---- */

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

static void write_credential_variables(const struct native *n)
{
	struct str userinfo = literal(n, USERINFO), parameter = literal(n, PARAMETER);
	struct str references = literal(n, "^" REFERENCES "$");
	struct str names = native_regex(n, &n->rule->lists[NAMES], ".", "(?s)^(", ")$");
	struct str allowed = native_regex(n, &n->rule->lists[ALLOWED_NAMES], ".", "(?s)^(", ")$");
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
			"variables.changed.map(l, l.filter(e, [e.name.upperAscii().replace(\"-\", \"_\").replace(\".\", \"_\")]"
			".exists(u, u.matches(%.*s) && !u.matches(%.*s)) && !e.value.matches(%.*s) && "
			"!(e.value.lowerAscii() in [\"true\", \"false\", \"yes\", \"no\", \"on\", \"off\", \"0\", \"1\"])))"
			".filter(l, size(l) > 0)",
			STR_ARG(names), STR_ARG(allowed), STR_ARG(references));
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
};
