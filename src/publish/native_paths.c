/* Native policy of external-secret-path. */
#include "publish/native_parts.h"

#include "base/limits.h"
#include "publish/cel.h"

/* The lists of its configuration. */
enum { SERVICE_PATHS, SHARED_PATHS, PLATFORM_PATHS };

#define SERVICE "{service}"

/* Is x.key there, and text? */
#define TEXT(x, key) "has(" x "." key ") && type(" x "." key ") == string"
#define MAP(x, key) "has(" x "." key ") && type(" x "." key ") == map"
#define LIST(x, key) "dyn(has(" x "." key ") && type(" x "." key ") == list ? " x "." key " : [])"

/* A pattern of paths as a regular expression; *segment becomes the place of {service} among the segments. */
static void add_pattern(struct buf *out, struct str pattern, bool find, size_t *segment)
{
	struct str glob;
	for (size_t i = 0; str_split(&pattern, '/', &glob); i++) {
		bool last = pattern.p == NULL;
		if (i == 0)
			continue; /* before the first slash */
		if (last && str_eqz(glob, "**")) {
			buf_addz(out, find ? "(/.+)?" : "/.+");
		} else if (last && find && str_eqz(glob, "*")) {
			buf_addz(out, "(/[^/]*)?");
		} else if (str_eqz(glob, SERVICE)) {
			*segment = i;
			buf_addz(out, "/[^/]+");
		} else {
			buf_addc(out, '/');
			cel_pattern(out, glob, "[^/]");
		}
	}
}

static struct str pattern_literal(const struct native *n, struct buf *pattern)
{
	struct buf out;
	buf_init(&out, LIMIT_RESPONSE);
	cel_string(&out, native_take(n, pattern));
	return native_take(n, &out);
}

/* Does the path p fit any of the list? find takes one slash more at its end. */
static struct str fits(const struct native *n, size_t list, bool find)
{
	const struct names *patterns = &n->rule->lists[list];
	struct buf text;
	size_t ignored;
	buf_init(&text, LIMIT_RESPONSE);
	buf_addz(&text, "^(");
	for (size_t i = 0; i < patterns->count; i++) {
		buf_addz(&text, i > 0 ? "|" : "");
		add_pattern(&text, patterns->items[i], find, &ignored);
	}
	buf_addz(&text, find ? ")/?$" : ")$");
	struct str literal = pattern_literal(n, &text);
	return arena_fmt(n->arena, "p.matches(%.*s)", STR_ARG(literal));
}

/* In brackets: is p a path of the service whose the name k.name is? */
static struct str owned(const struct native *n, bool find)
{
	const struct names *patterns = &n->rule->lists[SERVICE_PATHS];
	struct buf text;
	buf_init(&text, LIMIT_RESPONSE);
	buf_addc(&text, '(');
	for (size_t i = 0; i < patterns->count; i++) {
		struct buf pattern;
		size_t segment = 0;
		buf_init(&pattern, LIMIT_RESPONSE);
		buf_addc(&pattern, '^');
		add_pattern(&pattern, patterns->items[i], find, &segment);
		buf_addz(&pattern, find ? "/?$" : "$");
		struct str literal = pattern_literal(n, &pattern);
		buf_fmt(&text, "%s(p.matches(%.*s) && (k.name + \"-\").startsWith(p.split(\"/\")[%zu] + \"-\"))",
			i > 0 ? " || " : "", STR_ARG(literal), segment);
	}
	buf_addz(&text, patterns->count > 0 ? ")" : "false)");
	return native_take(n, &text);
}

/* May the path p of the object k be used? */
static struct str good(const struct native *n, bool find)
{
	struct str shared = fits(n, SHARED_PATHS, find), platform = fits(n, PLATFORM_PATHS, find), own = owned(n, find);
	return arena_fmt(n->arena,
			 "!p.contains(\"_ENV_\") && p.matches(\"^(/[-A-Za-z0-9_.]+)+%s$\") && !p.matches(\"/[.]{1,2}(/|$)\") && "
			 "(%.*s ? !variables.push : !%.*s && %.*s)",
			 find ? "/?" : "", STR_ARG(shared), STR_ARG(platform), STR_ARG(own));
}

/* The key of the Secret that an entry of data is for: what it is known by. */
#define KEY(entry) "(" TEXT(entry, "secretKey") " ? string(" entry ".secretKey) : \"\")"

static void write_variables(const struct native *n)
{
	struct str good_path = good(n, false), good_find = good(n, true);
	native_objects(n);
	native_variable(n, "push", "request.kind.kind in [\"PushSecret\", \"ClusterPushSecret\"]");
	native_member(n, "specs", "objects", "spec", "map");
	/* The name that says whose the object is: a generated one begins as generateName does. */
	native_variable(n, "name",
			"has(object.metadata.name) ? object.metadata.name : "
			"has(object.metadata.generateName) ? object.metadata.generateName : \"\"");
	native_variable(n, "sources",
			"variables.specs.map(s, "
			"request.kind.kind == \"ClusterExternalSecret\" ? {"
			"\"name\": dyn(" TEXT("s", "externalSecretName") " && s.externalSecretName != \"\" ? s.externalSecretName "
									 ": "
			"variables.name), "
			"\"spec\": dyn(" MAP("s", "externalSecretSpec") " ? s.externalSecretSpec : {})} : "
			"request.kind.kind == \"ClusterPushSecret\" ? {"
			"\"name\": dyn(" TEXT("s", "pushSecretName") " && s.pushSecretName != \"\" ? s.pushSecretName : "
			"variables.name), "
			"\"spec\": dyn(" MAP("s", "pushSecretSpec") " ? s.pushSecretSpec : {})} : "
			"{\"name\": dyn(variables.name), \"spec\": dyn(s)})");
	native_variable(n, "lists",
			"variables.sources.map(s, {\"name\": s.name, \"data\": " LIST("s.spec", "data") ", "
			"\"from\": " LIST("s.spec", "dataFrom") ", \"to\": " LIST("s.spec", "dataTo") "})");
	/* Paths of one value, and paths below which find reads all. */
	native_variable(n, "paths",
			"variables.lists.map(l, variables.push ? {\"name\": l.name, \"keys\": dyn("
			"l.data.filter(e, " MAP("e", "match") " && " MAP("e.match", "remoteRef") " && "
			TEXT("e.match.remoteRef", "remoteKey") ").map(e, {"
			"\"at\": \"data.\" + " KEY("e.match") ", "
			"\"path\": string(e.match.remoteRef.remoteKey)})), \"finds\": dyn([])} : "
			"{\"name\": l.name, \"keys\": dyn("
			"l.data.filter(e, " MAP("e", "remoteRef") " && " TEXT("e.remoteRef", "key") ").map(e, {"
			"\"at\": \"data.\" + " KEY("e") ", "
			"\"path\": string(e.remoteRef.key)}) + "
			"l.from.filter(e, " TEXT("e", "key") ").map(e, {\"at\": \"key\", \"path\": string(e.key)}) + "
			"l.from.filter(e, " MAP("e", "extract") " && " TEXT("e.extract", "key") ").map(e, {\"at\": \"extract\", "
			"\"path\": string(e.extract.key)})), "
			"\"finds\": dyn(l.from.filter(e, " MAP("e", "find") " && " TEXT("e.find", "path") " && e.find.path != \"\")"
			".map(e, {\"at\": \"find\", \"path\": string(e.find.path)}))})");
	native_variable(n, "bad",
			"variables.paths.map(k, k.keys.filter(e, [string(e.path)].exists(p, !(%.*s))) + "
			"k.finds.filter(e, [string(e.path)].exists(p, !(%.*s))))",
			STR_ARG(good_path), STR_ARG(good_find));
	native_variable(n, "fresh",
			"variables.bad[0].filter(e, size(variables.bad) == 1 || "
			"!variables.bad[1].exists(o, o.at == e.at && o.path == e.path)).map(e, string(e.path))");
	native_variable(n, "pathless",
			"variables.lists.map(l, variables.push ? [] : l.from.filter(e, " MAP("e", "find") " && "
			"!(" TEXT("e.find", "path") " && e.find.path != \"\")).map(e, e.find))");
	native_variable(n, "targets",
			"variables.sources.map(s, variables.push ? \"\" : "
			MAP("s.spec", "target") " && " TEXT("s.spec.target", "name") " && s.spec.target.name != \"\" ? "
			"s.spec.target.name : has(object.metadata.name) ? s.name : \"\")");
}

/* The first service pattern as a sentence has it: /zerotouch/<env>/<service>/<key>. */
static struct str expected_path(const struct native *n)
{
	const struct names *patterns = &n->rule->lists[SERVICE_PATHS];
	struct str pattern = patterns->count > 0 ? patterns->items[0] : STR(""), glob;
	struct buf text;
	buf_init(&text, LIMIT_MESSAGE);
	for (size_t i = 0; str_split(&pattern, '/', &glob); i++) {
		bool star = str_eqz(glob, "*") || str_eqz(glob, "**");
		buf_addz(&text, i > 0 ? "/" : "");
		if (star)
			buf_addz(&text, pattern.p == NULL ? "<key>" : "<env>");
		else if (str_eqz(glob, SERVICE))
			buf_addz(&text, "<service>");
		else
			buf_add(&text, glob);
	}
	return native_take(n, &text);
}

/* A sentence about the first new path for which `fault` holds; such paths are part of variables.fresh. */
static void write_path(const struct native *n, struct str fault, const char *found, struct str expected)
{
	native_validation(n, arena_fmt(n->arena, "!variables.fresh.exists(p, %.*s)", STR_ARG(fault)),
			  arena_fmt(n->arena, "spec: found a path %s; expected %.*s", found, STR_ARG(expected)),
			  arena_fmt(n->arena,
				    "\"spec: found \\\"\" + variables.fresh.filter(p, %.*s)[0] + \"\\\", a path %s; expected %.*s\"",
				    STR_ARG(fault), found, STR_ARG(expected)));
}

static void write_path_validations(const struct native *n)
{
	struct str own = expected_path(n), shared = fits(n, SHARED_PATHS, true), platform = fits(n, PLATFORM_PATHS, true);
	write_path(n, STR("p.contains(\"_ENV_\")"), "in which the placeholder _ENV_ still stands",
		   STR("the name of an environment; an overlay is missing: build the environment's (kustomize build "
		       "overlays/<env>), not the base"));
	write_path(n, STR("!p.startsWith(\"/\")"), "that does not begin with a slash",
		   arena_fmt(n->arena, "%.*s; write the whole path", STR_ARG(own)));
	write_path(n, arena_fmt(n->arena, "variables.push && %.*s", STR_ARG(shared)),
		   "that all may read and none may write",
		   arena_fmt(n->arena, "%.*s of the service's own; write there, or ask the platform team to share the value",
			     STR_ARG(own)));
	write_path(n, arena_fmt(n->arena, "!%.*s && %.*s", STR_ARG(shared), STR_ARG(platform)), "of the platform",
		   arena_fmt(n->arena, "%.*s of the service's own; ask the platform team for the value, or for a shared path",
			     STR_ARG(own)));
	write_path(n, STR("true"), "that is not the service's own",
		   arena_fmt(n->arena,
			     "%.*s, of letters, digits, - _ and dots, where the object's name is <service> or begins with "
			     "<service>-; "
			     "use such a path",
			     STR_ARG(own)));
}

static void write_validations(const struct native *n)
{
	struct str own = expected_path(n);
	write_path_validations(n);
	native_validation(n,
			  STR("variables.pathless[0].all(f, size(variables.pathless) == 2 && variables.pathless[1].exists(g, g == "
			      "f))"),
			  arena_fmt(n->arena,
				    "spec.dataFrom.find.path: found none, so that find reads the secrets of all services; expected the "
				    "beginning of %.*s, where the object's name is <service> or begins with <service>-; add it",
				    STR_ARG(own)),
			  STR(""));
	native_validation(n,
			  STR("!variables.push || variables.lists[0].to.all(t, size(variables.lists) == 2 && "
			      "variables.lists[1].to.exists(u, u == t))"),
			  arena_fmt(n->arena,
				    "spec.dataTo: found dataTo, which makes its paths from the keys of the Secret; expected paths "
				    "that can "
				    "be read here; list them: data[].match.remoteRef.remoteKey: %.*s",
				    STR_ARG(own)),
			  STR(""));
	native_validation(n,
			  STR("!variables.targets[0].endsWith(\"" CONNECTION_SUFFIX "\") || "
			      "(size(variables.targets) == 2 && variables.targets[1] == variables.targets[0])"),
			  STR("spec.target.name: found a name that ends in " CONNECTION_SUFFIX
			      "; expected one that does not, because Crossplane writes those; choose another name"),
			  STR("\"spec.target.name: found \\\"\" + variables.targets[0] + \"\\\"; expected a Secret whose name "
			      "does not "
			      "end in " CONNECTION_SUFFIX ", because Crossplane writes those; choose another name\""));
}

const struct native_rule native_external_secret_path = {
	.id = RULE_EXTERNAL_SECRET_PATH,
	.write_variables = write_variables,
	.write_validations = write_validations,
};
