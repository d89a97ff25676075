/* Native policy of the rule about connection Secrets side by side. */
#include "publish/native_parts.h"

#include "base/limits.h"

/* The containers of a pod spec `p` under one key, as {at, sources}: where, and its connection Secrets. */
#define CONTAINERS(key) \
	"(has(p." key ") && type(p." key ") == list ? p." key ".map(c, {" \
	"\"at\": dyn(\"" key " \" + (has(c.name) ? string(c.name) : \"\")), " \
	"\"sources\": dyn(!has(c.envFrom) || type(c.envFrom) != list ? [] : c.envFrom.filter(e, has(e.secretRef) && " \
	"type(e.secretRef) == map && has(e.secretRef.name) && type(e.secretRef.name) == string && " \
	"e.secretRef.name.endsWith(\"" CONNECTION_SUFFIX "\")).map(e, {" \
	"\"prefix\": dyn(has(e.prefix) && type(e.prefix) == string ? e.prefix : \"\"), " \
	"\"name\": dyn(e.secretRef.name)}))}) : [])"

static void write_variables(const struct native *n)
{
	struct str kinds = native_kinds(n, n->rule->kinds, n->rule->kind_count);
	struct str workloads = native_workload_kinds(n);
	native_objects(n);
	native_pods(n);
	native_variable(n, "claim", "%.*s", STR_ARG(kinds));
	native_variable(n, "workload", "%.*s", STR_ARG(workloads));
	native_variable(n, "places",
			"variables.workload ? variables.pods.map(p, " CONTAINERS("containers") " + "
			CONTAINERS("initContainers") ") : variables.specs.map(s, [{\"at\": dyn(\"spec\"), \"sources\": "
			"dyn(!variables.claim ? [] : [\"secret1Name\", \"secret2Name\", \"secret3Name\", \"secret4Name\", "
			"\"secret5Name\"].filter(k, k in s && type(s[k]) == string && s[k].endsWith(\"" CONNECTION_SUFFIX
			"\")).map(k, {\"prefix\": dyn(\"\"), \"name\": dyn(s[k])}))}])");
	/* At each place, the Secrets that are not alone with their prefix. */
	native_variable(n, "clashes",
			"variables.places.map(o, o.map(c, {\"at\": c.at, \"sources\": dyn(c.sources.filter(a, "
			"c.sources.exists(b, a.prefix == b.prefix && a.name != b.name)))}))");
	native_variable(n, "fresh",
			"variables.clashes[0].map(c, {\"at\": c.at, \"sources\": dyn(c.sources.filter(a, "
			"size(variables.clashes) == 1 || !variables.clashes[1].exists(d, d.at == c.at && "
			"d.sources.exists(b, a.prefix == b.prefix && a.name == b.name))))})"
			".filter(c, size(c.sources) > 0)");
}

static void write_validations(const struct native *n)
{
	native_validation(n, STR("size(variables.fresh) == 0"),
			  STR("envFrom: found two connection Secrets with the same prefix, or with none; expected one of them "
			      "alone, because they hold the same keys and the last one wins; give one a prefix of its own"),
			  STR("variables.fresh[0].at + \": found Secret \\\"\" + variables.fresh[0].sources[0].name + \"\\\" "
			      "beside another with the same prefix, or with none; expected one of them alone, because they hold "
			      "the same keys and the last one wins; give this one a prefix of its own\""));
}

const struct native_rule native_conn_collision = {
	.id = RULE_CONN_COLLISION,
	.workloads = true,
	.write_variables = write_variables,
	.write_validations = write_validations,
};
