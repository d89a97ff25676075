/*
 * external-secret-path: the External Secrets Operator reads the whole store for everybody (external-secrets.io/latest/
 * api/spec). What keeps one service from another's secrets is the path, /zerotouch/<env>/<service>/<key>, and the name
 * of the object that asks: <service>, or <service>- and more.
 */
#include "policy/rules/rule.h"

#include "base/limits.h"
#include "base/text.h"
#include "kube/name.h"

/* The lists of its configuration. */
enum { SERVICE_PATHS, SHARED_PATHS, PLATFORM_PATHS };

#define GROUP "external-secrets.io"
#define PLACEHOLDER "_ENV_"
#define SERVICE "{service}"

/* Segments between slashes: text, globs, {service}, and at the end ** for one segment or more. */
static const struct str service_paths[] = {STR_INIT("/zerotouch/*/" SERVICE "/**")};

/* The pull credentials are the platform's, and in every namespace. */
static const struct str shared_paths[] = {
	STR_INIT("/zerotouch/*/shared/**"), STR_INIT("/zerotouch/*/common/**"), STR_INIT("/zerotouch/*/platform/ghcr/**"),
};

static const struct str platform_paths[] = {
	STR_INIT("/zerotouch/*/platform/**"), STR_INIT("/zerotouch/*/argocd/**"), STR_INIT("/zerotouch/*/crossplane/**"),
};

/* The kinds, and where each keeps what its controller works from. */
struct source_kind {
	const char *kind;
	const char *spec; /* in `spec`; NULL: `spec` itself */
	const char *name; /* in `spec`: of the object that is made from it; default: its own */
	bool push;        /* it writes to the store */
};

static const struct source_kind source_kinds[] = {
	{"ExternalSecret", NULL, NULL, false},
	{"ClusterExternalSecret", "externalSecretSpec", "externalSecretName", false},
	{"PushSecret", NULL, NULL, true},
	{"ClusterPushSecret", "pushSecretSpec", "pushSecretName", true},
};

/* One object that is looked at. */
struct source {
	const struct rule_context *context;
	const struct source_kind *kind;
	const struct json *spec;
	struct str field; /* path of `spec` */
	struct str name;  /* says whose it is */
	struct str expected, expected_find; /* paths, as a sentence has them */
	struct violations *found;
};

/* ---- paths ---- */

/* What the store takes as a name: segments of letters, digits, - _ and dots (AWS Systems Manager, PutParameter). */
static bool is_path(struct str path)
{
	struct str segment;
	if (path.n == 0 || path.p[0] != '/')
		return false;
	path = str_from(path, 1);
	while (str_split(&path, '/', &segment))
		if (!name_is_secret_key(segment))
			return false;
	return true;
}

/*
 * Does the path fit the pattern? With `find`, all below the path does: the last segment of the pattern may be left
 * out when it is a star. *service becomes the segment at {service}.
 */
static bool path_fits(struct str pattern, struct str path, bool find, struct str *service)
{
	struct str glob, segment;
	while (str_split(&pattern, '/', &glob)) {
		bool last = pattern.p == NULL;
		if (last && str_eqz(glob, "**"))
			return find || path.p != NULL;
		if (!str_split(&path, '/', &segment))
			return find && last && str_eqz(glob, "*");
		if (str_eqz(glob, SERVICE))
			*service = segment;
		else if (!str_glob(glob, segment))
			return false;
	}
	return path.p == NULL;
}

static bool path_fits_any(const struct names *patterns, struct str path, bool find)
{
	struct str ignored;
	for (size_t i = 0; i < patterns->count; i++)
		if (path_fits(patterns->items[i], path, find, &ignored))
			return true;
	return false;
}

static bool is_own_service(struct str name, struct str service)
{
	return str_starts(name, service) && (name.n == service.n || name.p[service.n] == '-');
}

/* Whose path is it? 1: the service of that name's; 0: of *service, another; -1: of none. */
static int path_owner(const struct names *patterns, struct str path, bool find, struct str name, struct str *service)
{
	int owner = -1;
	for (size_t i = 0; i < patterns->count; i++) {
		struct str segment = {NULL, 0};
		if (!path_fits(patterns->items[i], path, find, &segment))
			continue;
		if (is_own_service(name, segment))
			return 1;
		*service = segment;
		owner = 0;
	}
	return owner;
}

static bool has_placeholder(struct str path)
{
	for (; path.n > 0; path = str_from(path, 1))
		if (str_starts(path, STR(PLACEHOLDER)))
			return true;
	return false;
}

/* The first service pattern as a sentence has it: /zerotouch/<env>/<service>/<key>, or without <key>. */
static struct str expected_path(const struct rule_context *context, bool find)
{
	const struct names *patterns = &context->rule->lists[SERVICE_PATHS];
	struct str pattern = patterns->count > 0 ? patterns->items[0] : STR(""), glob;
	struct buf text;
	buf_init(&text, LIMIT_CONFIG);
	while (str_split(&pattern, '/', &glob)) {
		bool last = pattern.p == NULL, star = str_eqz(glob, "*") || str_eqz(glob, "**");
		if (last && star && find)
			break;
		buf_addz(&text, text.n > 0 || glob.n > 0 ? "/" : "");
		if (star)
			buf_addz(&text, last ? "<key>" : "<env>");
		else if (str_eqz(glob, SERVICE))
			buf_addz(&text, "<service>");
		else
			buf_add(&text, glob);
	}
	return buf_move(&text, context->arena);
}

/* ---- violations ---- */

/* Reports a path that the source may not use. `entry` is the name that the element has beside its index. */
static void check_path(const struct source *s, struct str path, struct str entry, struct str field, bool find)
{
	const struct names *lists = s->context->rule->lists;
	struct quote shown = text_quote_name(path), name = text_quote_name(s->name);
	struct str expected = find ? s->expected_find : s->expected;
	struct str identity = arena_fmt(s->context->arena, "%.*s:%.*s:%.*s", STR_ARG(rule_place(s->context, field)),
					STR_ARG(entry), STR_ARG(path));
	const char *verb = s->kind->push ? "write" : "read";
	if (find && path.n > 1 && path.p[path.n - 1] == '/')
		path.n--;
	if (has_placeholder(path)) {
		violation_add(s->found, field, identity,
			      "found %s, in which the placeholder " PLACEHOLDER " still stands; expected the name of an "
			      "environment; an overlay is missing: build the environment's (kustomize build overlays/<env>), not "
			      "the base",
			      shown.text);
		return;
	}
	if (!is_path(path)) {
		violation_add(s->found, field, identity,
			      "found %s; expected \"%.*s\", of letters, digits, - _ and dots; write the whole path, "
			      "beginning with a slash",
			      shown.text, STR_ARG(expected));
		return;
	}
	bool shared = path_fits_any(&lists[SHARED_PATHS], path, find);
	if (shared && s->kind->push)
		violation_add(s->found, field, identity,
			      "found %s, a shared path, which all may read and none may write; expected \"%.*s\" of the "
			      "service's own; write there, or ask the platform team to share the value",
			      shown.text, STR_ARG(expected));
	if (shared)
		return;
	if (path_fits_any(&lists[PLATFORM_PATHS], path, find)) {
		violation_add(s->found, field, identity,
			      "found %s, a path of the platform; expected \"%.*s\" of the service's own; ask the platform "
			      "team for the value, or for a shared path",
			      shown.text, STR_ARG(expected));
		return;
	}
	struct str service = {NULL, 0};
	int owner = path_owner(&lists[SERVICE_PATHS], path, find, s->name, &service);
	if (owner == 0)
		violation_add(s->found, field, identity,
			      "found %s, a path of service \"%.*s\"; expected \"%.*s\", where %s is <service> or "
			      "begins with <service>-; %s a path of its own service, or, if that is \"%.*s\", name the %.*s "
			      "\"%.*s-...\"",
			      shown.text, STR_ARG(service), STR_ARG(expected), name.text, verb, STR_ARG(service),
			      STR_ARG(s->context->request->kind), STR_ARG(service));
	else if (owner < 0)
		violation_add(s->found, field, identity,
			      "found %s, a path of no service; expected \"%.*s\", where %s is <service> or begins with "
			      "<service>-; %s such a path%s",
			      shown.text, STR_ARG(expected), name.text, verb, s->kind->push ? "" : ", or a shared one");
}

/* A part of the object that must be of its kind; `field` is the path of `parent`. */
static const struct json *part(const struct source *s, const struct json *parent, const char *key,
			       enum json_kind wanted, struct str *field)
{
	*field = arena_fmt(s->context->arena, "%.*s.%s", STR_ARG(*field), key);
	return rule_part(s->context, parent, key, wanted, *field, s->found);
}

/* The text at `key` of `parent`, if there is one. */
static void check_key(const struct source *s, const struct json *parent, const char *key, struct str entry,
		      struct str field)
{
	const struct json *path = part(s, parent, key, JSON_STRING, &field);
	if (path != NULL)
		check_path(s, json_string(path), entry, field, false);
}

static void check_find(const struct source *s, const struct json *parent, struct str field)
{
	const struct json *find = part(s, parent, "find", JSON_OBJECT, &field);
	if (find == NULL)
		return;
	const struct json *path = part(s, find, "path", JSON_STRING, &field);
	if (path != NULL && !json_is_empty(path))
		check_path(s, json_string(path), STR(""), field, true);
	else if (json_is_empty(json_getz(find, "path")))
		violation_add(s->found, field, rule_identity(s->context, rule_place(s->context, field), find),
			      "found none, so that find reads the secrets of all services; expected \"%.*s\", where %s is "
			      "<service> or begins with <service>-; add it",
			      STR_ARG(s->expected_find), text_quote_name(s->name).text);
}

/* One element of dataFrom. */
static void check_from(const struct source *s, const struct json *element, struct str field)
{
	struct str extract_field = field;
	check_key(s, element, "key", STR(""), field); /* v1alpha1 */
	check_key(s, part(s, element, "extract", JSON_OBJECT, &extract_field), "key", STR(""), extract_field);
	check_find(s, element, field);
}

/* One element of data. */
static void check_data(const struct source *s, const struct json *element, struct str field)
{
	const struct json *at = element;
	if (s->kind->push)
		at = part(s, at, "match", JSON_OBJECT, &field);
	struct str entry = json_string(json_getz(at, "secretKey"));
	at = part(s, at, "remoteRef", JSON_OBJECT, &field);
	check_key(s, at, s->kind->push ? "remoteKey" : "key", entry, field);
}

static void check_to(const struct source *s, const struct json *element, struct str field)
{
	violation_add(s->found, field, rule_identity(s->context, rule_place(s->context, field), element),
		      "found dataTo, which makes its paths from the keys of the Secret; expected paths that can be read "
		      "here; list them: data[].match.remoteRef.remoteKey: \"%.*s\"",
		      STR_ARG(s->expected));
}

/* Each element of the list, which is an object. */
static void check_list(const struct source *s, const char *key,
		       void (*check)(const struct source *s, const struct json *element, struct str field))
{
	struct str field = s->field;
	size_t index = 0;
	for (const struct json *e = json_first(part(s, s->spec, key, JSON_ARRAY, &field)); e != NULL; e = json_next(e)) {
		struct str at = arena_fmt(s->context->arena, "%.*s[%zu]", STR_ARG(field), index++);
		if (rule_element(s->context, e, at, s->found) != NULL)
			check(s, e, at);
	}
}

/* The Secret that an ExternalSecret writes is not one of Crossplane's. */
static void check_target(const struct source *s)
{
	struct arena *arena = s->context->arena;
	struct str target = json_string(json_path(s->spec, "target", "name", NULL));
	bool named = target.n > 0;
	if (!named)
		target = s->context->name.n > 0 ? s->name : STR("");
	if (!str_ends(target, STR(CONNECTION_SUFFIX)))
		return;
	struct str shorter = {target.p, target.n - (sizeof CONNECTION_SUFFIX - 1)};
	struct str field = arena_fmt(arena, "%.*s.target.name", STR_ARG(s->field));
	violation_add(s->found, field, arena_fmt(arena, "target:%.*s", STR_ARG(target)),
		      "found %s%s; expected a Secret whose name does not end in " CONNECTION_SUFFIX
		      ", because Crossplane writes those; name it %s",
		      text_quote_name(target).text, named ? "" : ", the name of the ExternalSecret itself",
		      text_quote_name(shorter).text);
}

/* The name that says whose the object is. A generated one begins as generateName does. */
static struct str owner_name(const struct rule_context *context, const struct source_kind *kind)
{
	struct str name = {NULL, 0};
	if (kind->name != NULL)
		name = json_string(json_get(json_getz(context->object, "spec"), str_of(kind->name)));
	if (name.n == 0)
		name = context->name;
	if (name.n == 0)
		name = json_string(json_path(context->object, "metadata", "generateName", NULL));
	return str_utf8_cut(name, NAME_SUBDOMAIN_MAX);
}

static void check(const struct rule_context *context, struct violations *found)
{
	struct source s = {.context = context, .found = found};
	for (size_t i = 0; i < sizeof source_kinds / sizeof source_kinds[0]; i++)
		if (str_eqz(context->request->kind, source_kinds[i].kind))
			s.kind = &source_kinds[i];
	if (s.kind == NULL || !str_eqz(context->request->group, GROUP))
		return;
	s.name = owner_name(context, s.kind);
	if (s.name.n == 0)
		return;
	s.expected = expected_path(context, false);
	s.expected_find = expected_path(context, true);
	s.field = STR("spec");
	s.spec = rule_part(context, context->object, "spec", JSON_OBJECT, s.field, found);
	if (s.kind->spec != NULL)
		s.spec = part(&s, s.spec, s.kind->spec, JSON_OBJECT, &s.field);
	check_list(&s, "data", check_data);
	if (s.kind->push) {
		check_list(&s, "dataTo", check_to);
	} else {
		check_list(&s, "dataFrom", check_from);
		check_target(&s);
	}
}

/* ---- its configuration ---- */

/* Segments that a path can have, ** only at the end, {service} as often as wanted. */
static bool is_pattern(struct str pattern, size_t services)
{
	struct str segment;
	size_t count = 0;
	if (pattern.n < 2 || pattern.p[0] != '/')
		return false;
	pattern = str_from(pattern, 1);
	while (str_split(&pattern, '/', &segment)) {
		bool service = str_eqz(segment, SERVICE), deep = str_eqz(segment, "**");
		count += service;
		bool text = name_is_glob_of(segment, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_.") && !str_eqz(segment, ".") &&
			    !str_eqz(segment, "..");
		if ((!service && !text) || (deep && pattern.p != NULL))
			return false;
	}
	return count == services;
}

static bool is_service_pattern(struct str pattern)
{
	return is_pattern(pattern, 1);
}

static bool is_plain_pattern(struct str pattern)
{
	return is_pattern(pattern, 0);
}

static const struct name_form service_patterns = {
	is_service_pattern, "a path such as /zerotouch/*/" SERVICE "/**, with " SERVICE " as one whole segment"};
static const struct name_form plain_patterns = {
	is_plain_pattern, "a path such as /zerotouch/*/shared/**, with ** only at its end"};

static const struct rule_resource resources[] = {
	{GROUP, "ExternalSecret", "externalsecrets", false},
	{GROUP, "PushSecret", "pushsecrets", false},
	{GROUP, "ClusterExternalSecret", "clusterexternalsecrets", true},
	{GROUP, "ClusterPushSecret", "clusterpushsecrets", true},
	{NULL, NULL, NULL, false},
};

const struct rule rule_external_secret_path = {
	.id = "external-secret-path",
	.mode = MODE_ENFORCE,
	.check = check,
	.resources = resources,
	.lists = {
		[SERVICE_PATHS] = {"servicePaths", NAMES_OF(service_paths), &service_patterns},
		[SHARED_PATHS] = {"sharedPaths", NAMES_OF(shared_paths), &plain_patterns},
		[PLATFORM_PATHS] = {"platformPaths", NAMES_OF(platform_paths), &plain_patterns},
	},
};
