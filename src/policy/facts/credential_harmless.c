/* Values that are no credentials, though their names are those of one. */
#include "policy/facts/credential.h"

#include "policy/facts/credential_text.h"

#include <string.h>

const char *const credential_harmless_words[CREDENTIAL_HARMLESS_WORDS] = {
	"true", "false", "yes", "no", "on", "off", "0", "1", "enabled", "disabled",
	"enable", "disable", "required", "optional", "none", "null", "nil", "empty", "dummy", "placeholder",
	"public", "example", "sample", "fake", "mock", "changeme", "change-me", "change_me", "replaceme", "replace-me",
	"replace_me", "todo", "tbd", "redacted", "masked", "unset", "undefined", "unused", "n/a", "na",
	"not-needed", "notneeded", "not-used", "not-set", "xxx", "default", "auto", "always", "never", "anonymous",
	"ignore", "ignored", "any", "all", "manual",
};

const char *const credential_name_suffixes[CREDENTIAL_NAME_SUFFIXES] = {
	"_PROD", "_PRODUCTION", "_DEV", "_DEVELOPMENT", "_TEST", "_TESTING", "_STAGING", "_STAGE",
	"_QA", "_UAT", "_LOCAL", "_LIVE", "_SANDBOX", "_OLD", "_NEW", "_PREVIOUS",
	"_PREV", "_CURRENT", "_NEXT", "_PRIMARY", "_SECONDARY", "_DEFAULT", "_BACKUP", "_VALUE",
	"_BASE64", "_B64", "_RAW", "_PLAIN", "_PLAINTEXT",
};

/* References to stores, as the tools write them that replace them. */
static const char *const references[] = {
	"vault:", "ref+", "op://", "secret://", "secrets://", "secretref:", "secretsmanager:", "awssm", "aws-sm",
	"ssm:", "ssm/", "arn:", "gcpsm", "gcp-sm", "gcpsecret", "sm://", "bao:", "gcp:", "aws:", "azure:", "awsps", "azkv",
	"akv", "azurekv", "keyvault", "@microsoft.keyvault", "aws-ssm", "bws:", "doppler:", "infisical:", "akeyless:",
	"conjur:", "keyring:", "env:", "file:", "k8s:", "kubernetes:", "secret:", "sops:",
	"{{", "${{", "!vault", "enc[", "enc:", "ejson:", "berglas:", "projects/", "passwordstore:", "pass:", "exec:",
	"cmd:",
	"avp.", "avp:", "valuefrom:", "sealed:", "kms:", "{cipher}", "vault://", "age:",
};

/* Keys that are published on purpose. */
static const char *const published[] = {"pk_", "pk-", "phc_", "pub-", "pub_", "ssh-rsa ", "ssh-ed25519 ", "ecdsa-sha2-",
					"-----begin public key", "-----begin certificate", "-----begin rsa public"};

/* Beginnings of what a reader shall put something else in the place of. */
static const char *const placeholders[] = {"<", "xxxx", "***", "[", "..."};

/* Words that such a text begins with, alone; and verbs, with the words behind them. */
static const char *const placeholder_words[] = {"your", "todo", "tbd", "placeholder", "redacted", "masked", "dummy",
						"fake", "example", "sample", "mock", "changeme", "changethis",
						"replaceme", "replacethis", "setme", "fillme", "updateme"};
static const char *const placeholder_verbs[] = {"change", "replace", "insert", "put", "fill", "enter", "add", "paste",
						"set", "use", "provide", "specify", "update", "generate", "not"};
static const char *const placeholder_objects[] = {"me", "this", "the", "your", "in", "with", "here", "my", "a", "an",
						  "real", "some", "before", "by", "at", "on", "own", "needed", "used"};

static bool ends(struct str text, const char *word)
{
	return str_ends(text, str_of(word));
}

static bool begins_with_any(struct str text, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (begins(text, words[i]))
			return true;
	return false;
}

static bool is_one_of(struct str word, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (is_word(word, words[i]))
			return true;
	return false;
}

/* The letters and digits at the start of *text, which moves behind them and one byte more. */
static struct str next_word(struct str *text)
{
	size_t n = 0;
	while (n < text->n && (is_letter(text->p[n]) || is_digit(text->p[n])))
		n++;
	struct str word = {text->p, n};
	*text = str_from(*text, n + 1);
	return word;
}

/* xxxxx, ghp_xxxxxxxxxx */
static bool has_crosses(struct str value)
{
	size_t crosses = 0;
	for (size_t i = 0; i < value.n && crosses < 5; i++)
		crosses = lower(value.p[i]) == 'x' || value.p[i] == '*' ? crosses + 1 : 0;
	return crosses >= 5;
}

/* your-token, CHANGE_ME, change this in production, my-key-here, yourpassword; not changeit, Change123, todolist. */
static bool is_placeholder(struct str value)
{
	struct str rest = value, first = next_word(&rest), second = next_word(&rest), last = second;
	if (has_crosses(value))
		return true;
	if (is_one_of(first, placeholder_words, sizeof placeholder_words / sizeof placeholder_words[0]))
		return true;
	if (is_one_of(first, placeholder_verbs, sizeof placeholder_verbs / sizeof placeholder_verbs[0]) &&
	    is_one_of(second, placeholder_objects, sizeof placeholder_objects / sizeof placeholder_objects[0]))
		return true;
	if (first.n == value.n)
		return begins(value, "your") && (ends(value, "key") || ends(value, "token") || ends(value, "secret") ||
						 ends(value, "password") || ends(value, "here"));
	bool your = is_word(second, "your");
	while (rest.n > 0) {
		last = next_word(&rest);
		your = your || is_word(last, "your");
	}
	return your || is_word(last, "here");
}

/* Bearer $(TOKEN): a scheme (RFC 9110, 11.6.2), and behind it only what Kubernetes replaces. */
static bool is_header_of_references(struct str value)
{
	static const char *const schemes[] = {"basic", "bearer", "token", "apikey", "api-key", "key", "jwt", "dpop"};
	struct str scheme = {value.p, str_find(value, ' ')};
	return is_one_of(scheme, schemes, sizeof schemes / sizeof schemes[0]) &&
	       !credential_is_literal(str_trim(str_from(value, scheme.n)));
}

/* ${vault.db}, #{key}#, %KEY%, __KEY__, @@KEY@@, %(KEY)s, $KEY: what something else puts a value in the place of. */
static bool is_template(struct str value)
{
	static const struct {
		const char *start, *end;
	} frames[] = {{"${", "}"},  {"#{", "}"},  {"#{", "}#"}, {"%{", "}"},
		      {"__", "__"}, {"@@", "@@"}, {"%(", ")s"}, {"$[", "]"}};
	for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++)
		if (value.n > strlen(frames[i].start) + strlen(frames[i].end) && begins(value, frames[i].start) &&
		    ends(value, frames[i].end))
			return true;
	bool percent = value.n > 2 && value.p[0] == '%' && value.p[value.n - 1] == '%';
	if (!percent && (value.n < 3 || value.p[0] != '$'))
		return false;
	for (size_t i = 1; i < value.n - percent; i++)
		if (value.p[i] != '_' && !(i > 1 && is_digit(value.p[i])) && !(value.p[i] >= 'A' && value.p[i] <= 'Z'))
			return false;
	return true;
}

/*
 * A reference to a store, by its start: ref+, op://; or a scheme that speaks of one: azure-keyvault:, vault.acme/; and
 * any address, whose password another function looks for.
 */
static bool is_reference(struct str value)
{
	while (value.n > 0 && value.p[0] == '>') /* as vault-env has it */
		value = str_from(value, 1);
	if (begins_with_any(value, references, sizeof references / sizeof references[0]))
		return true;
	size_t n = 0;
	while (n < value.n && (is_letter(value.p[n]) || is_digit(value.p[n]) || str_find(STR("-_.+"), value.p[n]) < 4))
		n++;
	if (n == 0 || n == value.n || str_find(STR(":/@#"), value.p[n]) == 4)
		return false;
	if (str_starts(str_from(value, n), STR("://")))
		return true;
	static const char *const stores[] = {"vault", "secretmanager", "secretsmanager", "secret-manager",
					     "secrets-manager"};
	for (size_t i = 0; i < n; i++)
		if (begins_with_any(str_from(value, i), stores, sizeof stores / sizeof stores[0]))
			return true;
	return false;
}

/* /etc/key, ./key, ../key, ~/key */
static bool is_path(struct str text)
{
	return text.p[0] == '/' || str_starts(text, STR("./")) || str_starts(text, STR("../")) ||
	       str_starts(text, STR("~/"));
}

/* 3600, 0.5, 15m, 1h30m, 30s: but a password may be a number. */
static bool is_amount(struct str text, bool number_alone)
{
	size_t digits = 0, letters = 0;
	for (size_t i = 0; i < text.n; i++) {
		if (is_digit(text.p[i]) || (text.p[i] == '.' && i > 0))
			digits++;
		else if (str_find(STR("smhdwMu"), text.p[i]) < 7 && i > 0)
			letters++;
		else
			return false;
	}
	return digits > 0 && digits <= 9 && (letters == 0 ? number_alone : letters <= 3);
}

/* Does the name speak of a Secret, and not of a secret? IMAGE_PULL_SECRET; CLUSTER_SECRET=shop-secret. */
static bool is_name_of_a_secret(struct str name, struct str value)
{
	static const char *const secrets[] = {"PULL_SECRET", "PULLSECRET", "EXISTING_SECRET", "EXISTINGSECRET",
					      "EXTERNAL_SECRET", "SEALED_SECRET",
					      "TLS_SECRET", "K8S_SECRET", "KUBERNETES_SECRET", "CLUSTER_SECRET", "CERT_SECRET",
					      "CREDENTIALS_SECRET", "CA_SECRET", "TARGET_SECRET", "SOURCE_SECRET",
					      "REGISTRY_SECRET", "STORAGE_SECRET", "CONFIG_SECRET", "DB_SECRET"};
	bool dash = false, speaks = false;
	for (size_t i = 0; i < value.n; i++) {
		char c = value.p[i];
		if (!(c >= 'a' && c <= 'z') && !is_digit(c) && c != '-' && c != '.' && c != '/')
			return false;
		dash = dash || c == '-';
	}
	if (str_ends(name, STR("PULL_SECRET")) || ends(value, "regcred"))
		return true;
	if (dash && str_ends(name, STR("_SECRET")) &&
	    (ends(value, "-credentials") || ends(value, "-creds") || ends(value, "-tls") || ends(value, "-cert")))
		return true;
	for (size_t i = 0; i < sizeof secrets / sizeof secrets[0] && !speaks; i++)
		speaks = str_ends(name, str_of(secrets[i]));
	return dash && speaks &&
	       (str_contains(name, STR("PULL")) || str_contains(name, STR("EXISTING")) ||
		str_contains(name, STR("EXTERNAL")) || str_contains(name, STR("SEALED")) ||
		str_contains(value, STR("secret")) || str_contains(value, STR("cred")) ||
		str_contains(value, STR("-tls")) || str_contains(value, STR("-cert")));
}

/* CSRF_COOKIE=XSRF-TOKEN: how a cookie is called. What Erlang's nodes prove to each other goes by the same name. */
static bool is_name_of_a_cookie(struct str name, struct str value)
{
	static const char *const erlang[] = {"ERLANG", "RELEASE", "NODE", "CLUSTER", "RABBIT", "MQ", "COUCH", "EJABBERD"};
	bool digit = false;
	if (!str_ends(name, STR("_COOKIE")))
		return false;
	for (size_t i = 0; i < sizeof erlang / sizeof erlang[0]; i++)
		if (str_contains(name, str_of(erlang[i])))
			return false;
	for (size_t i = 0; i < value.n; i++)
		digit = digit || is_digit(value.p[i]);
	return value.n < 16 || (!digit && value.n < 32);
}

bool credential_is_login(struct str name, struct str value)
{
	static const char *const names[] = {"CREDENTIALS", "CREDENTIAL", "CREDS", "_AUTH", "USERPASS", "LOGIN"};
	size_t colon = str_find(value, ':'), digits = 0;
	bool speaks = false;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		speaks = speaks || str_ends(name, str_of(names[i]));
	if (!speaks || colon == 0 || colon + 1 >= value.n)
		return false;
	struct str user = {value.p, colon}, password = str_from(value, colon + 1);
	for (size_t i = 0; i < value.n; i++)
		if (value.p[i] == ' ' || value.p[i] == '/' || (value.p[i] == ':' && i > colon))
			return false;
	for (size_t i = 0; i < password.n; i++)
		digits += is_digit(password.p[i]);
	/* host:8080 is none */
	return digits < password.n && !credential_is_harmless(name, value) && !credential_is_harmless(name, user) &&
	       !credential_is_harmless(name, password);
}

bool credential_is_harmless(struct str name, struct str value)
{
	bool password = str_contains(name, STR("PASS")) || str_contains(name, STR("PW"));
	if (value.n == 0 || !credential_is_literal(value))
		return true;
	for (size_t i = 0; i < CREDENTIAL_HARMLESS_WORDS; i++)
		if (is_word(value, credential_harmless_words[i]))
			return true;
	return is_path(value) || is_amount(value, !password) || is_name_of_a_secret(name, value) ||
	       is_name_of_a_cookie(name, value) || is_reference(value) || is_template(value) || is_placeholder(value) ||
	       is_header_of_references(value) ||
	       (!password && begins_with_any(value, published, sizeof published / sizeof published[0])) ||
	       begins_with_any(value, placeholders, sizeof placeholders / sizeof placeholders[0]) ||
	       (value.p[value.n - 1] == '>' && str_find(value, '<') < value.n);
}
