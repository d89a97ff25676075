/*
 * literal-credentials: no password, token or key stands in a manifest, where Git and everybody who may read the
 * workload keep it. No sentence here repeats a value.
 */
#include "policy/rules/rule.h"

#include "base/limits.h"
#include "policy/facts/credential.h"

#include <stdlib.h>

/* The lists of its configuration. */
enum { NAMES, ALLOWED_NAMES };

/* Variables that hold credentials. A name is compared in upper case, with one _ for each run of - _ : and dots. */
static const struct str names[] = {
	STR_INIT("*PASSWORD"), STR_INIT("*PASSWD"), STR_INIT("*PASSPHRASE"), STR_INIT("*PASSCODE"), STR_INIT("*PASS"),
	STR_INIT("*_PWD"), STR_INIT("*DBPWD"), STR_INIT("*_PW"), STR_INIT("PW"), STR_INIT("*PASSWORD_HASH"),
	STR_INIT("SECRET"), STR_INIT("*_SECRET"), STR_INIT("*SECRET_KEY"), STR_INIT("*SECRETKEY"),
	STR_INIT("*SECRET_KEY_BASE"), STR_INIT("*SECRET_ACCESS_KEY"), STR_INIT("*SECRETACCESSKEY"),
	STR_INIT("*CLIENTSECRET"), STR_INIT("*APPSECRET"), STR_INIT("TOKEN"), STR_INIT("*_TOKEN"),
	STR_INIT("*ACCESSTOKEN"), STR_INIT("*AUTHTOKEN"), STR_INIT("*APITOKEN"), STR_INIT("*BOTTOKEN"),
	STR_INIT("*REFRESHTOKEN"), STR_INIT("*API_KEY"), STR_INIT("*APIKEY"), STR_INIT("*PRIVATE_KEY"),
	STR_INIT("*PRIVATEKEY"), STR_INIT("ACCESS_KEY"), STR_INIT("*_ACCESS_KEY"), STR_INIT("*ACCESSKEY"),
	STR_INIT("*ACCESS_KEY_SECRET"), STR_INIT("*ENCRYPTION_KEY"), STR_INIT("*ENCRYPTIONKEY"),
	STR_INIT("*SIGNING_KEY"), STR_INIT("*SIGNINGKEY"), STR_INIT("*FERNET_KEY"), STR_INIT("*MASTER_KEY"),
	STR_INIT("*APP_KEY"), STR_INIT("*LICENSE_KEY"), STR_INIT("*ACCOUNT_KEY"), STR_INIT("*AUTH_KEY"),
	STR_INIT("*AUTHKEY"), STR_INIT("*HMAC_KEY"), STR_INIT("*SHARED_KEY"), STR_INIT("*SESSION_KEY"),
	STR_INIT("*COOKIE_KEY"), STR_INIT("*JWT_KEY"), STR_INIT("*CIPHER_KEY"), STR_INIT("*AES_KEY"),
	STR_INIT("*SERVICE_ROLE_KEY"), STR_INIT("*STORAGE_KEY"), STR_INIT("*ADMIN_KEY"), STR_INIT("*UNSEAL_KEY"),
	STR_INIT("*VAULT_KEY"), STR_INIT("*SAS_KEY"), STR_INIT("*INTEGRATION_KEY"), STR_INIT("*DEPLOY_KEY"),
	STR_INIT("*SSH_KEY"), STR_INIT("*_SALT"), STR_INIT("*PEPPER"), STR_INIT("*BASIC_AUTH"), STR_INIT("*HTPASSWD"),
	STR_INIT("*USERPWD"), STR_INIT("*_PAT"), STR_INIT("*_PAT_TOKEN"),
	STR_INIT("*_COOKIE"), STR_INIT("*ROOT_TOKEN_ID"), STR_INIT("*APPLICATION_KEY"), STR_INIT("*CLI_AUTH"),
	STR_INIT("NEO4J_AUTH"), STR_INIT("*PASSWORDS"), STR_INIT("*API_KEYS"), STR_INIT("APP_KEYS"),
	STR_INIT("*VAULT_SECRET_ID"), STR_INIT("*ROLE_SECRET_ID"), STR_INIT("*MNEMONIC"), STR_INIT("*SEED_PHRASE"),
	STR_INIT("*NKEY_SEED"), STR_INIT("*_BEARER"), STR_INIT("*COSMOS_KEY"), STR_INIT("*COSMOSDB_KEY"),
	STR_INIT("*SERVER_KEY"), STR_INIT("*SDK_KEY"), STR_INIT("*AGENT_KEY"), STR_INIT("PSK"), STR_INIT("*_PSK"),
	STR_INIT("*AUTH_USER_INFO"), STR_INIT("*INGESTION_KEY"), STR_INIT("*INGEST_KEY"), STR_INIT("*WRITE_KEY"),
	STR_INIT("*ENCRYPT_KEY"), STR_INIT("*DECRYPT_KEY"), STR_INIT("*DECRYPTION_KEY"), STR_INIT("*RECOVERY_KEY"),
	STR_INIT("*APISECRET"), STR_INIT("*AUTHSECRET"), STR_INIT("*REPLICA_SET_KEY"), STR_INIT("*SALT_KEY"),
	STR_INIT("*_AGE_KEY"), STR_INIT("*SUBSCRIPTION_KEY"), STR_INIT("*FUNCTION_KEY"), STR_INIT("*INFURA_KEY"),
	STR_INIT("*ALCHEMY_KEY"), STR_INIT("*HONEYCOMB_TEAM"), STR_INIT("NPM_AUTH"), STR_INIT("*CONFIG_AUTH"),
	STR_INIT("PWD_DB"), STR_INIT("PWD_ADMIN"), STR_INIT("PWD_ROOT"), STR_INIT("PWD_USER"),
};

/*
 * Not credentials, whatever list a configuration adds: published to browsers, words of language models, other words;
 * the hash of a Secret that Reloader writes into a template to restart it.
 */
static const struct str allowed_names[] = {
	STR_INIT("NEXT_PUBLIC_*"), STR_INIT("NUXT_PUBLIC_*"), STR_INIT("EXPO_PUBLIC_*"), STR_INIT("REACT_APP_*"),
	STR_INIT("VITE_*"), STR_INIT("VUE_APP_*"), STR_INIT("GATSBY_*"), STR_INIT("PUBLIC_*"),
	STR_INIT("*_PUBLISHABLE_*"), STR_INIT("*BYPASS"), STR_INIT("*COMPASS"), STR_INIT("*SURPASS"),
	STR_INIT("*TRESPASS"), STR_INIT("*ENCOMPASS"), STR_INIT("*_PASS_THROUGH"),
	STR_INIT("ETCD_INITIAL_CLUSTER_TOKEN"), STR_INIT("*EOS_TOKEN"), STR_INIT("*BOS_TOKEN"), STR_INIT("*PAD_TOKEN"),
	STR_INIT("*UNK_TOKEN"), STR_INIT("*MASK_TOKEN"), STR_INIT("*SEP_TOKEN"), STR_INIT("*CLS_TOKEN"),
	STR_INIT("*STOP_TOKEN"), STR_INIT("*SEARCH_API_KEY"), STR_INIT("*PUBLIC_API_KEY"), STR_INIT("*RENDER_PASS"),
	STR_INIT("STAKATER_*_SECRET"),
};

/* The name as the globs have it; absent when memory is out. */
static struct str plain_name(struct arena *arena, struct str name)
{
	char *text = arena_alloc(arena, name.n + 1);
	size_t n = 0;
	for (size_t i = 0; i < name.n && text != NULL; i++) {
		char c = name.p[i];
		bool part = c == '-' || c == '.' || c == ':' || c == '_';
		if (part && n > 0 && text[n - 1] == '_')
			continue;
		text[n++] = part ? '_' : c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
	}
	return (struct str){text, n};
}

/* What stands behind a name and says which of several it is: credential_name_suffixes, _2, V2. */
static struct str without_suffix(struct str name)
{
	size_t n = name.n;
	while (n > 0 && name.p[n - 1] >= '0' && name.p[n - 1] <= '9')
		n--;
	if (n < name.n) {
		n -= n > 1 && name.p[n - 1] == 'V' && name.p[n - 2] == '_';
		n -= n > 0 && name.p[n - 1] == '_';
		return (struct str){name.p, n};
	}
	for (size_t i = 0; i < CREDENTIAL_NAME_SUFFIXES; i++) {
		struct str suffix = str_of(credential_name_suffixes[i]);
		if (str_ends(name, suffix))
			return (struct str){name.p, name.n - suffix.n};
	}
	return name;
}

enum fault { FAULT_NONE, FAULT_NAME, FAULT_URL, FAULT_VALUE };

/* What is wrong, and in what words: "a GitHub token"; or by which name, where that stands within the value. */
struct verdict {
	enum fault fault;
	const char *what;
	struct str within;
};

/* Is the value a credential because of its name? */
static bool is_named(const struct rule_context *context, struct str name, struct str value)
{
	const struct names *lists = context->rule->lists;
	struct str plain = plain_name(context->arena, name), stem = without_suffix(plain);
	if (names_match(&lists[ALLOWED_NAMES], plain) || names_match(&lists[ALLOWED_NAMES], stem))
		return false;
	if (names_match(&lists[NAMES], plain))
		return !credential_is_harmless(plain, value);
	if (names_match(&lists[NAMES], stem))
		return !credential_is_harmless(stem, value);
	return credential_is_login(stem, value);
}

/* ---- names within texts ---- */

#define ARGUMENT_NAME_MAX 64 /* longer ones are no names of credentials */

/* --password, and -Dpassword as Java has its properties: without what marks them. */
static struct str without_dashes(struct str name)
{
	bool property = str_starts(name, STR("-D"));
	while (name.n > 0 && name.p[0] == '-')
		name = str_from(name, 1);
	return property ? str_from(name, 1) : name;
}

/* --password=hunter2, PGPASSWORD=hunter2: the name that comes by a credential in a word; absent when there is none. */
static struct str named_in_word(const struct rule_context *context, struct str word)
{
	size_t equals = str_find(word, '=');
	struct str name = without_dashes((struct str){word.p, equals}), value = str_from(word, equals + 1);
	if (equals == word.n || name.n == 0 || name.n > ARGUMENT_NAME_MAX || value.n == 0 || value.p[0] == '$' ||
	    value.p[0] == '`' || !is_named(context, name, value))
		return (struct str){NULL, 0};
	return name;
}

/*
 * The same of a whole text, whose words are parted as shells part them; quotes around values do not count. `options`:
 * only of words that begin with a dash, and of what stands behind such a word (--set auth.password=hunter2).
 */
static struct str named_in_text(const struct rule_context *context, struct str text, bool options)
{
	bool option = false; /* the word before */
	for (size_t start = 0, i = 0; i <= text.n; i++) {
		if (i < text.n && str_find(STR(" \t\r\n;&|()'\""), text.p[i]) == sizeof " \t\r\n;&|()'\"" - 1)
			continue;
		bool looked_at = start < i && (!options || option || text.p[start] == '-');
		option = start < i && text.p[start] == '-';
		bool value_is_quoted = i > start && i < text.n && text.p[i - 1] == '=' && text.p[i] != ' ';
		if (value_is_quoted) {
			struct str rest = str_from(text, i + 1);
			size_t close = str_find(rest, text.p[i]);
			struct str name = {text.p + start, i - 1 - start}, value = {rest.p, close};
			bool counts = looked_at && close < rest.n && value.n > 0 && value.p[0] != '$';
			name = without_dashes(name);
			if (counts && name.n <= ARGUMENT_NAME_MAX && name.n > 0 && is_named(context, name, value))
				return name;
			i += close < rest.n ? close + 1 : 0;
		} else if (looked_at) {
			struct str name = named_in_word(context, (struct str){text.p + start, i - start});
			if (name.p != NULL)
				return name;
		}
		start = i + 1;
	}
	return (struct str){NULL, 0};
}

/* The bytes of a JSON string up to its quote; `text` begins behind the first one. */
static struct str json_text(struct str text)
{
	size_t n = 0;
	while (n < text.n && text.p[n] != '"')
		n += text.p[n] == '\\' && n + 1 < text.n ? 2 : 1;
	return (struct str){text.p, n < text.n ? n : text.n};
}

/* {"db": {"password": "hunter2"}}: the name of a member that is a credential; absent when there is none. */
static struct str named_in_json(const struct rule_context *context, struct str text)
{
	if (text.n == 0 || (text.p[0] != '{' && text.p[0] != '['))
		return (struct str){NULL, 0};
	for (size_t open = str_find(text, '"'); open < text.n; open = str_find(text, '"')) {
		struct str name = json_text(str_from(text, open + 1));
		text = str_trim(str_from(text, open + name.n + 2));
		if (text.n == 0 || text.p[0] != ':')
			continue;
		text = str_trim(str_from(text, 1));
		if (text.n == 0 || text.p[0] != '"')
			continue;
		struct str value = json_text(str_from(text, 1));
		if (name.n > 0 && name.n <= ARGUMENT_NAME_MAX && is_named(context, name, value))
			return name;
		text = str_from(text, value.n + 2);
	}
	return (struct str){NULL, 0};
}

/* OTEL_EXPORTER_OTLP_HEADERS=api-key=0123,x-tenant=shop */
static bool is_headers(struct str name)
{
	return str_ends(name, STR("HEADERS")) || str_ends(name, STR("headers"));
}

static struct verdict judge(const struct rule_context *context, struct str name, struct str value)
{
	struct verdict verdict = {FAULT_NONE, NULL, {NULL, 0}};
	if (value.n == 0)
		return verdict;
	if (credential_in_url(value, false)) {
		verdict.fault = FAULT_URL;
	} else if ((verdict.what = credential_in(value, false)) != NULL) {
		verdict.fault = FAULT_VALUE;
	} else if (is_named(context, name, value)) {
		verdict.fault = FAULT_NAME;
	} else if ((verdict.within = named_in_text(context, value, !is_headers(name))).p != NULL ||
		   (verdict.within = named_in_json(context, value)).p != NULL) {
		verdict.fault = FAULT_NAME;
	}
	return verdict;
}

/* A reference as shells write it is none. */
static const char *hint(struct str value)
{
	while (value.n > 0 && !str_starts(value, STR("${")))
		value = str_from(value, 1);
	return value.n > 0 ? " (Kubernetes replaces $(VAR), not ${VAR})" : "";
}

static void report(const struct rule_context *context, struct verdict verdict, struct str field, struct str identity,
		   struct str name, struct str value, struct violations *found)
{
	struct str shown = str_utf8_cut(name, LIMIT_QUOTE), prefix = context->config->annotation_prefix;
	if (verdict.within.p != NULL)
		shown = arena_fmt(context->arena, "%.*s in %.*s", STR_ARG(str_utf8_cut(verdict.within, LIMIT_QUOTE)),
				  STR_ARG(shown));
	if (verdict.fault == FAULT_URL)
		violation_add(found, field, identity,
			      "found a URL with a password in %.*s; expected no password in a manifest%s; keep the URL in a "
			      "Secret, which an ExternalSecret writes, and bind it with the annotation %.*s/bindings, or write "
			      "$(VAR) for the password",
			      STR_ARG(shown), hint(value), STR_ARG(prefix));
	else if (verdict.fault == FAULT_VALUE)
		violation_add(found, field, identity,
			      "found %s in %.*s; expected no credential in a manifest; keep it in a Secret, which an "
			      "ExternalSecret writes, and bind it with the annotation %.*s/bindings",
			      verdict.what, STR_ARG(shown), STR_ARG(prefix));
	else
		violation_add(found, field, identity,
			      "found a literal value for %.*s, by its name a credential; expected a reference to a Secret%s; keep "
			      "the value in a Secret, which an ExternalSecret writes, and bind it with the annotation "
			      "%.*s/bindings, or use valueFrom.secretKeyRef",
			      STR_ARG(shown), hint(value), STR_ARG(prefix));
}

/* ---- command and args ---- */

/* --password, behind which the value is the next argument. */
static bool names_next(const struct rule_context *context, struct str word, struct str next)
{
	return word.n > 2 && word.n <= ARGUMENT_NAME_MAX && word.p[0] == '-' && word.p[1] == '-' && next.n > 0 &&
	       next.p[0] != '-' && next.p[0] != '$' && str_find(word, '=') == word.n &&
	       is_named(context, str_from(word, 2), next);
}

/* The elements of `command` or `args`: one fault each at most. */
static void check_words(const struct rule_context *context, const struct json *container, const char *list,
			size_t index, const char *key, struct violations *found)
{
	size_t at = 0;
	for (const struct json *e = json_first(json_getz(container, key)); e != NULL; e = json_next(e), at++) {
		struct str text = json_string(e), name = STR(""), next = json_string(json_next(e));
		struct verdict verdict = {FAULT_NONE, credential_in(text, true), {NULL, 0}};
		if (credential_in_url(text, true))
			verdict.fault = FAULT_URL;
		else if (verdict.what != NULL)
			verdict.fault = FAULT_VALUE;
		else if ((name = named_in_text(context, text, false)).p != NULL ||
			 (names_next(context, text, next) && (name = str_from(text, 2)).p != NULL))
			verdict.fault = FAULT_NAME;
		if (verdict.fault == FAULT_NONE)
			continue;
		report(context, verdict,
		       arena_fmt(context->arena, "%s.spec.%s[%zu].%s[%zu]", context->workload->kind->template_field, list,
				 index, key, at),
		       arena_fmt(context->arena, "%s:%.*s:%s:%.*s", list, STR_ARG(container_name(container)), key,
				 STR_ARG(text)),
		       verdict.fault == FAULT_NAME ? name : str_of(key), STR(""), found);
	}
}

/* A variable, as text. */
struct variable {
	struct str name, value;
};

static struct variable variable_of(const struct json *entry)
{
	const struct json *v = json_getz(entry, "value");
	struct str name = json_string(json_getz(entry, "name"));
	struct str value = str_trim(json_kind(v) == JSON_NUMBER ? json_number(v) : json_string(v));
	return (struct variable){name.p ? name : STR(""), value.p ? value : STR("")};
}

static int by_variable(const void *a, const void *b)
{
	const struct variable *x = a, *y = b;
	int order = str_cmp(x->name, y->name);
	return order != 0 ? order : str_cmp(x->value, y->value);
}

/* Variables, sorted. */
struct variables {
	struct variable *items;
	size_t count;
};

/* Those of all containers. None when memory is out: then each copy is told as well. */
static struct variables variables_of(struct arena *arena, const struct json *containers)
{
	struct variables all = {NULL, 0};
	size_t capacity = 0;
	for (const struct json *c = json_first(containers); c != NULL; c = json_next(c))
		for (const struct json *e = json_first(json_getz(c, "env")); e != NULL; e = json_next(e)) {
			struct variable *items = arena_grow(arena, all.items, all.count, &capacity, sizeof *items);
			if (items == NULL)
				return (struct variables){NULL, 0};
			all.items = items;
			all.items[all.count++] = variable_of(e);
		}
	if (all.count > 1)
		qsort(all.items, all.count, sizeof *all.items, by_variable);
	return all;
}

static bool holds(const struct variables *variables, struct variable v)
{
	return variables->count > 0 &&
	       bsearch(&v, variables->items, variables->count, sizeof *variables->items, by_variable) != NULL;
}

/* All containers of the list. In the one named `copy` those of the `told` variables are left out. */
static void check_containers(const struct rule_context *context, const struct json *list, const char *key,
			     struct str copy, const struct variables *told, struct violations *found)
{
	size_t index = 0;
	for (const struct json *c = json_first(list); c != NULL; c = json_next(c), index++) {
		size_t at = 0;
		bool is_copy = copy.p != NULL && str_eq(container_name(c), copy);
		for (const struct json *e = json_first(json_getz(c, "env")); e != NULL; e = json_next(e), at++) {
			struct variable v = variable_of(e);
			struct str name = v.name, value = v.value;
			struct verdict verdict = {.fault = FAULT_NONE};
			if (!is_copy || !holds(told, v))
				verdict = judge(context, name, value);
			if (verdict.fault != FAULT_NONE)
				report(context, verdict,
				       arena_fmt(context->arena, "%s.spec.%s[%zu].env[%zu].value",
						 context->workload->kind->template_field, key, index, at),
				       arena_fmt(context->arena, "%s:%.*s:env:%.*s:%.*s", key, STR_ARG(container_name(c)),
						 STR_ARG(name), STR_ARG(value)),
				       name, value, found);
		}
		check_words(context, c, key, index, "command", found);
		check_words(context, c, key, index, "args", found);
	}
}

static void check(const struct rule_context *context, struct violations *found)
{
	const struct workload *w = context->workload;
	struct str copy = {NULL, 0};
	struct variables told = {NULL, 0};
	if (w == NULL)
		return;
	/* The migration has copies of its model's variables: the fault is in the model. All else in it counts. */
	if (context->plan != NULL && context->plan->migrates) {
		copy = context->config->migration_container;
		told = variables_of(context->arena, w->containers);
	}
	check_containers(context, w->containers, "containers", (struct str){NULL, 0}, &told, found);
	check_containers(context, w->init_containers, "initContainers", copy, &told, found);
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
		[NAMES] = {"names", NAMES_OF(names), &upper},
		[ALLOWED_NAMES] = {"allowedNames", NAMES_OF(allowed_names), &upper},
	},
};
