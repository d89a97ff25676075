/*
 * no-in-cluster-database: databases are managed outside the cluster. A tenant asks for one by a claim, by an object of
 * a database operator, by a field or the image of a platform claim, or by running a server itself. Caches
 * are not databases.
 */
#include "policy/rules/rule.h"

#include "base/text.h"
#include "kube/image.h"
#include "kube/workload.h"
#include "policy/facts/database_client.h"
#include "policy/facts/database_image.h"
#include "policy/facts/database_kinds.h"

/* The lists of its configuration. */
enum { PRODUCTS, IMAGES, ALLOWED_IMAGES, CLIENTS };

/* The platform's own group: WebService asks by a field, and its claims run images. */
#define PLATFORM_GROUP "platform.bizmatters.io"
#define WEB_SERVICE "WebService"

#define INSTEAD \
	"databases are managed outside the cluster; take the URL from an ExternalSecret \"<service>-db\" and %.*s"

struct str rule_database_advice(struct arena *arena, const struct config *config)
{
	const struct binding *binding = config_binding(config, STR("db"));
	if (binding == NULL || binding->secret_name.p == NULL)
		return STR("read the Secret that it writes in envFrom");
	return arena_fmt(arena, "bind it with the annotation %.*s/bindings: db", STR_ARG(config->annotation_prefix));
}

static bool is_server(const struct rule_context *context, const struct image *image)
{
	const struct names *lists = context->rule->lists;
	struct database_lists database = {&lists[PRODUCTS], &lists[IMAGES], &lists[ALLOWED_IMAGES]};
	return database_image_is_server(&database, image);
}

/* A container, or the spec of a platform claim, which becomes one: its image, and what it runs. */
static void check_container(const struct rule_context *context, const struct json *c, struct str field,
			    struct str place, struct violations *found)
{
	struct str reference = str_trim(json_string(json_getz(c, "image")));
	struct image image;
	if (reference.n == 0) /* somebody fills it in later */
		return;
	bool good = image_parse(reference, &image);
	if (good &&
	    (!is_server(context, &image) || database_runs_client(context->arena, &context->rule->lists[CLIENTS], c)))
		return;
	struct str identity = arena_fmt(context->arena, "%.*s:image:%.*s", STR_ARG(place), STR_ARG(reference));
	if (good)
		violation_add(found, field, identity,
			      "found image %s, a database server; expected none: " INSTEAD, text_quote_name(reference).text,
			      STR_ARG(rule_database_advice(context->arena, context->config)));
	else
		violation_add(found, field, identity,
			      "found image %s, which no container runtime can read; expected "
			      "[registry[:port]/]name[:tag][@digest], where only the registry may have upper-case "
			      "letters; correct it, or leave it empty for whoever fills it in",
			      text_quote_name(reference).text);
}

static void check_containers(const struct rule_context *context, const struct json *list, const char *name,
			     bool sidecars_only, struct violations *found)
{
	size_t index = 0;
	for (const struct json *c = json_first(list); c != NULL; c = json_next(c), index++) {
		if (sidecars_only && !str_eqz(json_string(json_getz(c, "restartPolicy")), "Always"))
			continue;
		check_container(context, c,
				arena_fmt(context->arena, "%s.spec.%s[%zu].image", context->workload->kind->template_field,
					  name, index),
				arena_fmt(context->arena, "%s:%.*s", name, STR_ARG(container_name(c))), found);
	}
}

/* What a claim of the platform's asks for: a database by name, and the image that it runs. */
static void check_platform_claim(const struct rule_context *context, struct violations *found)
{
	const struct json *spec = json_getz(context->object, "spec"), *database = json_getz(spec, "databaseName");
	if (str_eqz(context->request->kind, WEB_SERVICE) && !json_is_empty(database))
		violation_add(found, STR("spec.databaseName"),
			      rule_identity(context, STR("spec.databaseName"), database),
			      "found %s, which asks for an in-cluster database; expected the field to be left out: " INSTEAD,
			      json_quote(database).text,
			      STR_ARG(rule_database_advice(context->arena, context->config)));
	check_container(context, spec, STR("spec.image"), STR("spec"), found);
}

static void check(const struct rule_context *context, struct violations *found)
{
	const struct review_request *request = context->request;
	if (rule_kind_matches(context->rule, request))
		violation_add(found, STR("kind"), STR("kind"),
			      "found kind %.*s of %.*s, an in-cluster database; expected none: " INSTEAD,
			      STR_ARG(str_utf8_cut(request->kind, LIMIT_QUOTE)),
			      STR_ARG(str_utf8_cut(request->group, LIMIT_QUOTE)),
			      STR_ARG(rule_database_advice(context->arena, context->config)));
	if (str_eqz(request->group, PLATFORM_GROUP))
		check_platform_claim(context, found);
	if (context->workload == NULL)
		return;
	check_containers(context, context->workload->containers, "containers", false, found);
	check_containers(context, context->workload->init_containers, "initContainers", true, found);
}

/* Repositories, without registry, tag and digest. */
static bool is_repository_glob(struct str s)
{
	return name_is_glob_of(s, "-_./") && s.p[0] != '/' && s.p[s.n - 1] != '/';
}

static const struct name_form repository_globs = {
	is_repository_glob, "a repository without registry and tag, or the last parts of one: acme-db, acme/db-*"};

static const struct rule_resource resources[] = {
	{PLATFORM_GROUP, WEB_SERVICE, "*", false}, {NULL, NULL, NULL, false},
};

const struct rule rule_no_in_cluster_database = {
	.id = "no-in-cluster-database",
	.mode = MODE_ENFORCE,
	.forbidden = true,
	.check = check,
	.resources = resources,
	.kinds = database_kinds,
	.kind_count = DATABASE_KINDS,
	.lists = {
		[PRODUCTS] = {.key = "products", .names = NAMES_OF(database_products_included), .form = &database_products},
		[IMAGES] = {.key = "images", .form = &repository_globs},
		[ALLOWED_IMAGES] = {.key = "allowedImages", .form = &repository_globs},
		[CLIENTS] = {.key = "clients"},
	},
};
