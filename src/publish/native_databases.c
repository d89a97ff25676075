/* The native policy of no-in-cluster-database. */
#include "publish/native_parts.h"

#include "base/limits.h"
#include "policy/facts/database_image.h"
#include "publish/cel.h"

/* The lists of its configuration. */
enum { PRODUCTS, IMAGES, ALLOWED_IMAGES };

/* As rule_no_in_cluster_database.c has it. */
#define PLATFORM_GROUP "platform.bizmatters.io"

/* The grammar of kube/image.c: registry, path, tag, digest. */
#define LABEL "[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?"
#define REGISTRY "(" LABEL "([.]" LABEL ")*(:[0-9]+)?|[[][A-Fa-f0-9:]+[]](:[0-9]+)?)"
#define PART "[a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*"
#define PLAIN_PART "[a-z0-9]+((_|__|-+)[a-z0-9]+)*"
#define TAG "[A-Za-z0-9_][-A-Za-z0-9_.]{0,127}"
#define DIGEST "sha(256:[a-f0-9]{64}|384:[a-f0-9]{96}|512:[a-f0-9]{128})"
#define REFERENCE "\"^((" REGISTRY "|" PLAIN_PART ")/(" PART "/)*)?" PART "(:" TAG ")?(@" DIGEST ")?$\""

/* Between the words of a name. */
#define PARTED "[-_.]+"

/* What starts a server whatever stands behind it, but for the question after its version. */
#define SERVERS "[\"postgres\", \"mysqld\", \"mariadbd\", \"mongod\", \"mongos\", \"sqlservr\"]"

#define INSTEAD \
	"databases are managed outside the cluster; take the URL from an ExternalSecret \\\"<service>-db\\\" and %.*s\""

/* ---- images ---- */

static bool is_wanted(const struct native *n, struct str product)
{
	return names_match(&n->rule->lists[PRODUCTS], product);
}

static const struct names none;

/* The texts of the rows whose product is a database here, behind those of `before`. */
static struct names wanted(const struct native *n, struct names before, const struct database_name *rows, size_t count)
{
	struct str *items = arena_array(n->arena, before.count + count, sizeof *items);
	struct names list = {.items = items};
	for (size_t i = 0; i < before.count && items != NULL; i++)
		items[list.count++] = before.items[i];
	for (size_t i = 0; i < count && items != NULL; i++)
		if (is_wanted(n, rows[i].product))
			items[list.count++] = rows[i].text;
	return list;
}

static void add_alternatives(struct buf *pattern, const struct names *words)
{
	for (size_t i = 0; i < words->count; i++) {
		buf_addz(pattern, i > 0 ? "|" : "");
		cel_pattern(pattern, words->items[i], "[^/]");
	}
}

/* What a word that says nothing looks like, and parts of a path that are made of such words alone. */
static void add_neutral(struct buf *pattern)
{
	buf_addz(pattern, "(");
	add_alternatives(pattern, &database_table.neutral);
	buf_addz(pattern, "|[0-9]+[a-z]{0,3}|(");
	add_alternatives(pattern, &database_table.numbered);
	buf_addz(pattern, ")[0-9]+)");
}

static void add_neutral_parts(struct buf *pattern)
{
	buf_addz(pattern, "(/");
	add_neutral(pattern);
	buf_addz(pattern, "(" PARTED);
	add_neutral(pattern);
	buf_addz(pattern, ")*)*$");
}

static struct str literal(const struct native *n, struct buf *pattern)
{
	struct buf text;
	buf_init(&text, LIMIT_RESPONSE);
	cel_string(&text, native_take(n, pattern));
	return native_take(n, &text);
}

/* Does the last part that says something end in a product's word? */
static struct str named_after_product(const struct native *n)
{
	struct names words = wanted(n, none, database_table.words, database_table.word_count);
	struct buf pattern;
	buf_init(&pattern, LIMIT_RESPONSE);
	if (words.count == 0) {
		buf_addz(&pattern, "^$");
		return literal(n, &pattern);
	}
	buf_addz(&pattern, "(^|/)([^/]*[-_.])?(");
	add_alternatives(&pattern, &words);
	buf_addz(&pattern, ")[0-9]*(" PARTED);
	add_neutral(&pattern);
	buf_addz(&pattern, ")*");
	add_neutral_parts(&pattern);
	return literal(n, &pattern);
}

/* Has it the word of a tool? */
static struct str named_after_tool(const struct native *n)
{
	struct buf pattern;
	buf_init(&pattern, LIMIT_RESPONSE);
	buf_addz(&pattern, "(^|[-_./])(");
	add_alternatives(&pattern, &database_table.tools);
	buf_addz(&pattern, ")([-_.][^/]*)?");
	add_neutral_parts(&pattern);
	return literal(n, &pattern);
}

/* Globs about the last parts of a path. */
static struct str tail(const struct native *n, struct names globs)
{
	return globs.count > 0 ? native_regex(n, &globs, "[^/]", "(^|/)(", ")$") : STR("\"^$\"");
}

static void write_image_variables(const struct native *n)
{
	const struct database_table *t = &database_table;
	struct str products = named_after_product(n), tools = named_after_tool(n);
	struct str own = tail(n, n->rule->lists[IMAGES]), allowed = tail(n, n->rule->lists[ALLOWED_IMAGES]);
	struct names repositories = wanted(n, none, t->repositories, t->repository_count);
	struct str others = tail(n, t->others), images = tail(n, wanted(n, repositories, t->images, t->image_count));
	struct str tagged = tail(n, wanted(n, none, t->tagged_images, t->tagged_image_count));
	/* Containers with a good reference that run what the image is made for, or a server by its name. */
	native_variable(n, "serving",
			"variables.running.map(l, l.filter(r, has(r.c.image) && type(r.c.image) == string && "
			"r.c.image.trim().matches(" REFERENCE ") && !r.c.image.trim().matches(\"^[a-f0-9]{64}$\") && "
			"[(has(r.c.command) && type(r.c.command) == list ? r.c.command : []) + "
			"(has(r.c.args) && type(r.c.args) == list ? r.c.args : [])].exists(w, "
			"size(w) == 0 || type(w[0]) != string ? true : "
			"w[0].startsWith(\"-\") ? !(has(r.c.command) && type(r.c.command) == list && size(r.c.command) > 0) : "
			"w[0].substring(w[0].lastIndexOf(\"/\") + 1) in " SERVERS " && "
			"!(\"--version\" in w) && !(\"-V\" in w)))"
			".map(r, {\"list\": string(r.list), \"container\": string(r.c.name), \"image\": r.c.image.trim()}))");
	/* Their repositories, with and without the tag. */
	native_variable(n, "images",
			"variables.serving.map(l, l.map(c, {\"list\": c.list, \"container\": c.container, \"image\": c.image, "
			"\"tagged\": (c.image.matches(\"^([^/]*[A-Z.:][^/]*|localhost)/\") ? "
			"c.image.substring(c.image.indexOf(\"/\") + 1) : c.image).split(\"@\")[0]})"
			".map(c, {\"list\": c.list, \"container\": c.container, \"image\": c.image, "
			"\"tagged\": c.tagged, \"repository\": c.tagged.split(\":\")[0]}))");
	native_variable(n, "servers",
			"variables.images.map(l, l.filter(i, !i.repository.matches(%.*s) && (i.repository.matches(%.*s) || "
			"i.tagged.matches(%.*s) || (!i.repository.matches(%.*s) && !i.repository.matches(%.*s) && "
			"(i.repository.matches(%.*s) || i.repository.matches(%.*s))))))",
			STR_ARG(allowed), STR_ARG(own), STR_ARG(tagged), STR_ARG(others), STR_ARG(tools), STR_ARG(products),
			STR_ARG(images));
}

static void write_database_variables(const struct native *n)
{
	struct str kinds = native_kinds(n, n->rule->kinds, n->rule->kind_count), workloads = native_workload_kinds(n);
	native_objects(n);
	native_variable(n, "database", "%.*s", STR_ARG(kinds));
	native_variable(n, "workload", "%.*s", STR_ARG(workloads));
	native_pods(n);
	native_variable(n, "names",
			"variables.specs.map(s, request.kind.group == \"" PLATFORM_GROUP "\" && "
			"request.kind.kind == \"WebService\" && has(s.databaseName) && s.databaseName != null && s.databaseName "
			"!= \"\")");
	native_variable(n, "platform", "request.kind.group == \"" PLATFORM_GROUP "\"");
	/* A platform claim becomes a container. Of init containers, only sidecars serve. */
	native_variable(n, "running",
			"variables.platform ? variables.specs.map(s, has(s.image) ? [{\"list\": dyn(\"spec\"), \"c\": dyn({"
			"\"name\": dyn(\"of \" + request.kind.kind), \"image\": dyn(s.image), "
			"\"command\": has(s.command) ? dyn(s.command) : dyn([]), "
			"\"args\": has(s.args) ? dyn(s.args) : dyn([])})}] : []) : "
			"variables.pods.map(p, (has(p.containers) && type(p.containers) == list ? "
			"p.containers.map(c, {\"list\": dyn(\"containers\"), \"c\": dyn(c)}) : []) + "
			"(has(p.initContainers) && type(p.initContainers) == list ? p.initContainers.filter(c, "
			"has(c.restartPolicy) && c.restartPolicy == \"Always\")"
			".map(c, {\"list\": dyn(\"initContainers\"), \"c\": dyn(c)}) : []))");
	write_image_variables(n);
	native_variable(n, "fresh",
			"!variables.workload && !variables.platform ? [] : variables.servers[0].filter(s, "
			"size(variables.servers) == 1 || "
			"!variables.servers[1].exists(t, t.list == s.list && t.container == s.container && t.image == s.image))");
}

static void write_database_validations(const struct native *n)
{
	struct arena *a = n->arena;
	struct str advice = rule_database_advice(a, n->config);
	/* A kind never changes. */
	native_validation(n, STR("request.operation == \"UPDATE\" || !variables.database"),
			  arena_fmt(a, "kind: found an in-cluster database; expected none: databases are managed outside the "
				       "cluster; "
				       "take the URL from an ExternalSecret \"<service>-db\" and %.*s",
				    STR_ARG(advice)),
			  arena_fmt(a,
				    "\"kind: found kind \" + request.kind.kind + \" of \" + request.kind.group + \", an in-cluster "
				    "database; expected none: " INSTEAD,
				    STR_ARG(advice)));
	native_validation(n, STR("!variables.names[0] || (size(variables.names) == 2 && variables.names[1])"),
			  arena_fmt(a, "spec.databaseName: found a name, which asks for an in-cluster database; expected the "
				       "field to "
				       "be left out: databases are managed outside the cluster; take the URL from an ExternalSecret "
				       "\"<service>-db\" and %.*s",
				    STR_ARG(advice)),
			  arena_fmt(a,
				    "\"spec.databaseName: found \\\"\" + string(variables.specs[0].databaseName) + \"\\\", which asks "
				    "for an in-cluster database; expected the field to be left out: " INSTEAD,
				    STR_ARG(advice)));
	native_validation(n, STR("size(variables.fresh) == 0"),
			  arena_fmt(a, "image: found the image of a database server; expected none: databases are managed outside "
				       "the "
				       "cluster; take the URL from an ExternalSecret \"<service>-db\" and %.*s",
				    STR_ARG(advice)),
			  arena_fmt(a,
				    "\"container \" + variables.fresh[0].container + \": found image \\\"\" + "
				    "variables.fresh[0].image + "
				    "\"\\\", a database server; expected none: " INSTEAD,
				    STR_ARG(advice)));
}

const struct native_rule native_no_in_cluster_database = {
	.id = RULE_NO_IN_CLUSTER_DATABASE,
	.workloads = true,
	.write_variables = write_database_variables,
	.write_validations = write_database_validations,
	.note = "what a container runs (command, args) is read by its first word alone; images that no runtime can read "
		"pass",
};
