#include "policy/facts/database_client.h"

#include "base/limits.h"
#include "policy/facts/shell.h"

#include <stdlib.h>

/* What is being judged, and how deep a script stands in scripts. */
struct judge {
	struct arena *arena;
	const struct names *clients;
	int depth;
};

static bool runs_client(struct judge *j, const struct shell_word *words, size_t count);

static bool is_sorted_member(const struct names *list, struct str word)
{
	return bsearch(&word, list->items, list->count, sizeof word, str_order) != NULL;
}

static bool is_one_of(struct str word, const char *const *words)
{
	for (; *words != NULL; words++)
		if (str_eqz(word, *words))
			return true;
	return false;
}

static struct str base_name(struct str path)
{
	size_t slash = str_rfind(path, '/');
	return slash < path.n ? str_from(path, slash + 1) : path;
}

/* ---- programs of one's own ---- */

/* Words in names of scripts and programs that do a piece of work and end. */
static const struct str work_words[] = {
	STR_INIT("analyze"), STR_INIT("anonymize"), STR_INIT("archive"), STR_INIT("backup"), STR_INIT("backuper"),
	STR_INIT("backups"), STR_INIT("bak"), STR_INIT("bkp"), STR_INIT("check"), STR_INIT("checks"), STR_INIT("clean"),
	STR_INIT("cleaner"), STR_INIT("cleanup"), STR_INIT("client"), STR_INIT("compact"), STR_INIT("copy"),
	STR_INIT("download"), STR_INIT("drop"), STR_INIT("dump"), STR_INIT("dumpall"), STR_INIT("dumps"), STR_INIT("etl"),
	STR_INIT("export"), STR_INIT("exporter"), STR_INIT("health"), STR_INIT("healthcheck"), STR_INIT("healthy"),
	STR_INIT("import"), STR_INIT("importer"), STR_INIT("liveness"), STR_INIT("maintenance"), STR_INIT("migrate"),
	STR_INIT("migrates"), STR_INIT("migration"), STR_INIT("migrations"), STR_INIT("migrator"), STR_INIT("ping"),
	STR_INIT("probe"), STR_INIT("probes"), STR_INIT("prune"), STR_INIT("purge"), STR_INIT("query"),
	STR_INIT("readiness"), STR_INIT("ready"), STR_INIT("reindex"), STR_INIT("replicate"), STR_INIT("report"),
	STR_INIT("reports"), STR_INIT("restore"), STR_INIT("restores"), STR_INIT("rotate"), STR_INIT("seed"),
	STR_INIT("seeding"), STR_INIT("seeds"), STR_INIT("smoke"), STR_INIT("snapshot"), STR_INIT("sync"),
	STR_INIT("test"), STR_INIT("tests"), STR_INIT("truncate"), STR_INIT("upload"), STR_INIT("vacuum"),
	STR_INIT("validate"), STR_INIT("validation"), STR_INIT("verify"), STR_INIT("wait"), STR_INIT("waitfor"),
};

/* /scripts/nightly-backup.sh, db:migrate, manage.py's migrate */
static bool is_named_after_work(struct str path)
{
	static const struct names list = NAMES_OF(work_words);
	struct str name = base_name(path);
	for (size_t start = 0, i = 0; i <= name.n; i++) {
		char c = i < name.n ? name.p[i] : '.';
		if (c != '-' && c != '_' && c != '.' && c != ':')
			continue;
		if (is_sorted_member(&list, (struct str){name.p + start, i - start}))
			return true;
		start = i + 1;
	}
	return false;
}

static bool has_work(const struct shell_word *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (words[i].whole && is_named_after_work(words[i].text))
			return true;
	return false;
}

/* ---- shells ---- */

static bool see_command(void *context, const struct shell_word *words, size_t count)
{
	return runs_client(context, words, count);
}

static bool script_runs_client(struct judge *j, struct str script)
{
	struct shell_visitor visitor = {see_command, j};
	if (j->depth == LIMIT_SHELL_DEPTH)
		return false;
	j->depth++;
	bool client = shell_commands(j->arena, script, &visitor);
	j->depth--;
	return client;
}

/* The words behind a shell: -c and a script, a file, or nothing (then somebody types). */
static bool shell_runs_client(struct judge *j, const struct shell_word *words, size_t count)
{
	bool script = false;
	size_t i = 0;
	for (; i < count && words[i].whole && words[i].text.n > 1; i++) {
		struct str option = words[i].text;
		if (option.p[0] != '-' && option.p[0] != '+')
			break;
		if (option.p[1] == '-')
			continue;
		script = script || str_find(option, 'c') < option.n;
		i += option.p[option.n - 1] == 'o'; /* -o pipefail */
	}
	if (i >= count)
		return !script && j->depth == 0; /* within a script, it reads what comes through a pipe */
	if (!words[i].whole)
		return false;
	return script ? script_runs_client(j, words[i].text) : is_named_after_work(words[i].text);
}

/* ---- programs that run another ---- */

/* A program that runs the rest of its words: options that take a value, and how many words stand before the rest. */
struct wrapper {
	const char *name, *valued;
	size_t operands;
};

static const struct wrapper wrappers[] = {
	{"env", "uC", 0}, {"timeout", "ks", 1}, {"nice", "n", 0}, {"ionice", "cnp", 0}, {"nohup", "", 0},
	{"exec", "a", 0}, {"command", "", 0}, {"builtin", "", 0}, {"time", "fo", 0}, {"stdbuf", "ioe", 0},
	{"tini", "peg", 0}, {"dumb-init", "r", 0}, {"catatonit", "", 0}, {"gosu", "", 1}, {"su-exec", "", 1},
	{"setpriv", "", 0}, {"sudo", "ugCh", 0}, {"chroot", "", 1}, {"xargs", "InPLdsEa", 0}, {"setsid", "", 0},
	{"flock", "wE", 1}, {"watch", "n", 0}, {"chronic", "", 0}, {"busybox", "", 0}, {"toybox", "", 0},
	{"docker-entrypoint.sh", "", 0}, {"entrypoint.sh", "", 0}, {"caffeinate", "", 0}, {"numactl", "", 0},
	{"tini-static", "peg", 0}, {"with-contenv", "", 0}, {"poetry", "", 1}, {"pipenv", "", 1}, {"uv", "", 1},
	{"npx", "p", 0}, {"bunx", "", 0},
};

static bool is_assignment(struct str word)
{
	size_t equals = str_find(word, '=');
	if (equals == 0 || equals == word.n)
		return false;
	for (size_t i = 0; i < equals; i++)
		if (!((word.p[i] >= 'A' && word.p[i] <= 'Z') || (word.p[i] >= 'a' && word.p[i] <= 'z') ||
		      word.p[i] == '_' || (i > 0 && word.p[i] >= '0' && word.p[i] <= '9')))
			return false;
	return true;
}

/* The number of the first word that the wrapper runs; `count` when there is none. */
static size_t behind_wrapper(const struct wrapper *w, const struct shell_word *words, size_t count)
{
	size_t i = 1, operands = w->operands;
	for (; i < count; i++) {
		struct str word = words[i].text;
		if (word.n > 1 && word.p[0] == '-' && operands == w->operands) {
			if (str_eqz(word, "--")) {
				i++;
				break;
			}
			i += word.n == 2 && str_find(str_of(w->valued), word.p[1]) < str_of(w->valued).n;
		} else if (operands > 0) {
			operands--;
		} else if (!is_assignment(word)) {
			break;
		}
	}
	return i < count ? i : count;
}

/* ---- programs with commands of their own ---- */

/* A program whose first word says what it does: those that serve, or else those that do not. */
static const struct {
	const char *name, *serves[8], *works[12];
} commanded[] = {
	{"cockroach", {"start", "start-single-node", "demo", "mt", "shell"}, {NULL}},
	{"clickhouse", {"server", "keeper", "su", "start", "restart", "install", "stop"}, {NULL}},
	{"surreal", {"start"}, {NULL}},
	{"dgraph", {"alpha", "zero"}, {NULL}},
	{"dolt", {"sql-server"}, {NULL}},
	{"tt", {"start", "run", "restart"}, {NULL}},
	{"rethinkdb", {NULL}, {"dump", "restore", "export", "import", "index-rebuild", "repl"}},
	{"pg_ctl", {NULL}, {"status", "promote", "reload", "stop"}},
	{"cqlsh.sh", {NULL}, {NULL}},
	{"influxd", {NULL}, {"inspect", "version", "recovery", "upgrade"}},
	{"neo4j", {NULL}, {"status", "version", "stop"}},
	{"mongod", {NULL}, {"--version"}},
	{"postgres", {NULL}, {"--version", "-V"}},
	{"mysqld", {NULL}, {"--version", "-V"}},
	{"scylla", {NULL}, {"sstable", "types", "--version"}},
	{"edgedb-server", {NULL}, {"--version"}},
};

static bool command_works(size_t index, const struct shell_word *words, size_t count)
{
	size_t i = 1;
	if (commanded[index].serves[0] == NULL)
		return count > 1 && words[1].whole && is_one_of(words[1].text, commanded[index].works);
	while (i < count && words[i].whole && words[i].text.n > 0 && words[i].text.p[0] == '-')
		i++;
	return i < count && words[i].whole && !is_one_of(words[i].text, commanded[index].serves);
}

/* The number of the word behind -exec, with which the command of find begins; `count` when find runs none. */
static size_t behind_find(const struct shell_word *words, size_t count)
{
	static const char *const actions[] = {"-exec", "-execdir", "-ok", "-okdir", NULL};
	for (size_t i = 1; i + 1 < count; i++)
		if (words[i].whole && is_one_of(words[i].text, actions))
			return i + 1;
	return count;
}

static const struct wrapper *find_wrapper(struct str program)
{
	for (size_t i = 0; i < sizeof wrappers / sizeof wrappers[0]; i++)
		if (str_eqz(program, wrappers[i].name))
			return &wrappers[i];
	return NULL;
}

/* su and runuser: the script behind -c. */
static bool su_runs_client(struct judge *j, const struct shell_word *words, size_t count)
{
	for (size_t i = 1; i + 1 < count; i++)
		if (words[i].whole && str_eqz(words[i].text, "-c"))
			return words[i + 1].whole && script_runs_client(j, words[i + 1].text);
	return false;
}

static const char *const shells[] = {"sh", "bash", "dash", "ash", "zsh", "ksh", "rbash", NULL};
static const char *const interpreters[] = {"python", "python3", "python2", "node", "ruby", "perl", "php", "java", "npm",
					   "yarn", "pnpm", "bun", "deno", "rake", "rails", "bundle", "mix", "artisan",
					   "dotnet", "go", "make", "mvn", "gradle", "manage.py", "manage", "django-admin",
					   "flask", "celery", "tsx", "ts-node", "poetry", "pipenv", NULL};

/* A program, and its words: is it known to serve nothing? */
static bool program_is_client(struct judge *j, struct str program, const struct shell_word *words, size_t count)
{
	if (is_one_of(program, shells))
		return shell_runs_client(j, words + 1, count - 1);
	for (size_t i = 0; i < sizeof commanded / sizeof commanded[0]; i++)
		if (str_eqz(program, commanded[i].name))
			return command_works(i, words, count);
	if (str_eqz(program, "trap"))
		return count < 2 || (words[1].whole && script_runs_client(j, words[1].text));
	if (str_eqz(program, "su") || str_eqz(program, "runuser"))
		return su_runs_client(j, words, count);
	if (str_eqz(program, ".") || str_eqz(program, "source"))
		return count > 1 && words[1].whole &&
		       (is_named_after_work(words[1].text) || str_ends(words[1].text, STR(".env")));
	if (is_sorted_member(&database_client_programs, program) ||
	    is_sorted_member(&database_harmless_programs, program) || names_match(j->clients, program))
		return true;
	if (is_one_of(program, interpreters))
		return has_work(words + 1, count - 1);
	return is_named_after_work(program);
}

/* What copies a program under another name, or says where it is. */
static const char *const renamers[] = {"cp", "ln", "mv", "install", "which", "whereis", "type", NULL};
static const char *const servers[] = {"postgres", "postmaster", "mysqld", "mysqld_safe", "mariadbd", "mongod", "mongos",
				      "cassandra", "scylla", "clickhouse", "clickhouse-server", "cockroach", "influxd",
				      "neo4j", "sqlservr", "arangod", "couchdb", "etcd", NULL};

/* /usr/lib/postgresql/16/bin/postgres, postgres; not /backup/postgres, a directory of one's own. */
static bool names_server(const struct shell_word *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct str word = words[i].text, name = base_name(word);
		struct str folder = {word.p, word.n > name.n ? word.n - name.n - 1 : 0};
		if (words[i].whole && is_one_of(name, servers) && (folder.n == 0 || str_ends(folder, STR("bin"))))
			return true;
	}
	return false;
}

/* -S of env: one text that it splits into words of its own. */
static bool splits_text(const struct shell_word *words, size_t count)
{
	for (size_t i = 1; i < count && words[i].text.n > 1 && words[i].text.p[0] == '-'; i++)
		if (words[i].text.p[1] == 'S' || str_starts(words[i].text, STR("--split-string")) ||
		    (words[i].text.p[1] != '-' && str_find(words[i].text, 'S') < words[i].text.n))
			return true;
	return false;
}

/* One command: is it known to serve nothing? */
static bool runs_client(struct judge *j, const struct shell_word *words, size_t count)
{
	while (count > 0) {
		struct str program = base_name(words[0].text);
		const struct wrapper *wrapper = find_wrapper(program);
		size_t next;
		if (is_one_of(program, renamers) && names_server(words + 1, count - 1))
			return false;
		if (words[count - 1].whole && str_eqz(words[count - 1].text, "]]"))
			return true;
		if (is_assignment(words[0].text))
			next = 1;
		else if (!words[0].whole)
			return false;
		else if (str_eqz(program, "env") && splits_text(words, count))
			return false;
		else if (wrapper != NULL)
			next = behind_wrapper(wrapper, words, count);
		else if (str_eqz(program, "find"))
			next = behind_find(words, count);
		else
			return program_is_client(j, program, words, count);
		/* Alone, env and exec only show or change what is there; an entrypoint starts its server. */
		if (next == count && str_ends(program, STR("entrypoint.sh")))
			return false;
		words += next;
		count -= next;
	}
	return true;
}

/* ---- containers ---- */

static size_t add_words(const struct json *list, struct shell_word *words)
{
	size_t count = 0;
	for (const struct json *e = json_first(list); e != NULL; e = json_next(e))
		words[count++] = (struct shell_word){json_string(e), true};
	return count;
}

/* Is there a reference in the text, which Kubernetes replaces? */
static bool has_reference(struct str text)
{
	for (; text.n > 0; text = str_from(text, 1))
		if (str_starts(text, STR("$(")))
			return true;
	return false;
}

/* Images whose entrypoint is one of the programs above, so that their arguments begin with its command. */
static const struct {
	const char *image, *program;
} entrypoints[] = {{"cockroach", "cockroach"}, {"surrealdb", "surreal"}};

static struct str entrypoint_program(struct str image)
{
	for (size_t i = 0; i < sizeof entrypoints / sizeof entrypoints[0]; i++)
		if (str_contains(image, str_of(entrypoints[i].image)))
			return str_of(entrypoints[i].program);
	return (struct str){NULL, 0};
}

bool database_runs_client(struct arena *arena, const struct names *clients, const struct json *container)
{
	const struct json *command = json_getz(container, "command"), *args = json_getz(container, "args");
	struct judge judge = {arena, clients, 0};
	size_t count = json_count(command) + json_count(args);
	struct shell_word *words = arena_array(arena, count + 1, sizeof *words);
	if (count == 0 || words == NULL)
		return false;
	bool own = json_count(command) > 0;
	size_t used = add_words(command, words);
	used += add_words(args, words + used);
	/* Without a command the image's entrypoint runs its arguments, and takes what begins with - for its server's. */
	if (!own && (words[0].text.n == 0 || words[0].text.p[0] == '-'))
		return false;
	words[0].whole = !has_reference(words[0].text);
	struct str program = entrypoint_program(json_string(json_getz(container, "image")));
	if (own || program.p == NULL)
		return runs_client(&judge, words, used);
	for (size_t i = used; i > 0; i--)
		words[i] = words[i - 1];
	words[0] = (struct shell_word){program, true};
	return words[1].whole && runs_client(&judge, words, used + 1);
}
