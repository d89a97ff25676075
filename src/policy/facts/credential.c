#include "policy/facts/credential.h"

#include "policy/facts/credential_text.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

bool credential_is_literal(struct str text)
{
	while (text.n > 0) {
		size_t close = str_find(text, ')');
		if (!str_starts(text, STR("$(")) || close == text.n || close == 2)
			return true;
		text = str_from(text, close + 1);
	}
	return false;
}

/* Is it a password that stands there, and no reference? */
static bool is_password(struct str text, bool script)
{
	if (script && text.n > 0 && (text.p[0] == '$' || text.p[0] == '{' || text.p[0] == '<' || text.p[0] == '%'))
		return false;
	return text.n > 0 && credential_is_literal(text);
}

/* The bytes before the first that is one of `ends`. */
static struct str until(struct str text, const char *ends)
{
	struct str stops = str_of(ends);
	size_t n = 0;
	while (n < text.n && str_find(stops, text.p[n]) == stops.n)
		n++;
	return (struct str){text.p, n};
}

/* ---- URLs and connection strings ---- */

#define URL_ENDS "/?# \t\r\n\"'"

/* Behind "://" of a URL, up to the next one: the password in its userinfo (RFC 3986, 3.2.1). */
static bool userinfo_has_password(struct str rest, bool script)
{
	struct str authority = until(rest, URL_ENDS);
	size_t at = str_rfind(authority, '@'), colon = str_find(authority, ':');
	if (at < authority.n)
		return colon < at && is_password((struct str){rest.p + colon + 1, at - colon - 1}, script);
	if (colon == authority.n)
		return false;
	/* No @ yet. A port ends the authority; what is none may be a password that holds what a URL would escape. */
	struct str password = until(str_from(rest, colon + 1), "\r\n\"'");
	size_t digits = 0;
	while (digits < password.n && is_digit(password.p[digits]))
		digits++;
	struct str behind_ports = STR(URL_ENDS ",;)");
	bool port = digits == password.n || str_find(behind_ports, password.p[digits]) < behind_ports.n;
	bool reference = password.n > 0 && (password.p[0] == '$' || password.p[0] == ' ' || password.p[0] == '/');
	size_t end = str_rfind(password, '@');
	return !port && !reference && end < password.n && is_password((struct str){password.p, end}, script);
}

/* Parameters that carry a password, in JDBC's dialects among others. */
static const char *const parameters[] = {"password", "passwd", "pwd", "passphrase", "sslpassword", "accountkey",
					 "sharedaccesskey", "sharedaccesssignature", "clientsecret", "client_secret",
					 "_authtoken", "_auth", "_password", "proxypassword"};
#define URL_PARAMETERS 5 /* the first of them, which URLs have */

static bool is_parameter(struct str key, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (is_word(key, parameters[i]))
			return true;
	return false;
}

/* ... or in a parameter, which begins with ? & or ; */
static bool parameter_has_password(struct str rest, bool script)
{
	for (size_t i = 0; i < rest.n; i++) {
		if (rest.p[i] != '?' && rest.p[i] != '&' && rest.p[i] != ';')
			continue;
		struct str pair = until(str_from(rest, i + 1), "?&;# \t\r\n\"'");
		size_t equals = str_find(pair, '=');
		if (is_parameter((struct str){pair.p, equals}, URL_PARAMETERS) &&
		    is_password(str_from(pair, equals + 1), script))
			return true;
	}
	return false;
}

bool credential_in_url(struct str text, bool script)
{
	bool url = false;
	for (size_t i = 1; i + 3 <= text.n; i++) {
		struct str rest = str_from(text, i);
		if (!str_starts(rest, STR("://")))
			continue;
		rest = str_from(rest, 3);
		struct str own = rest;
		for (size_t k = 0; k + 3 <= rest.n; k++) /* each byte belongs to one URL */
			if (rest.p[k] == ':' && rest.p[k + 1] == '/' && rest.p[k + 2] == '/') {
				own.n = k;
				break;
			}
		if (userinfo_has_password(own, script) || (!url && parameter_has_password(rest, script)))
			return true;
		url = true; /* the parameters up to the end have been seen */
		i += own.n;
	}
	return false;
}

static struct str behind_blanks(struct str text)
{
	while (text.n > 0 && text.p[0] == ' ')
		text = str_from(text, 1);
	return text;
}

/* What stands in front of a pair. */
#define PAIR_STARTS "; \t\n,?&\"':{[("

/* secret; "secret"; 'secret'; and with quotes that are escaped in turn */
static struct str pair_value(struct str text)
{
	size_t skip = text.n > 1 && text.p[0] == '\\' && (text.p[1] == '"' || text.p[1] == '\'') ? 1 : 0;
	if (text.n > skip && (text.p[skip] == '"' || text.p[skip] == '\''))
		return until(str_from(text, skip + 1), text.p[skip] == '"' ? "\"\\\r\n" : "'\\\r\n");
	return until(text, "; \t\r\n,&\"'");
}

/* host=db password=secret; Server=db;Password=secret; PlainLoginModule required password="secret"; */
static bool pair_has_password(struct str text, bool script)
{
	size_t start = 0;
	struct str spaced = {NULL, 0}; /* the key before blanks */
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		struct str key = {text.p + start, i - start};
		if (str_find(STR(PAIR_STARTS), c) < sizeof PAIR_STARTS - 1) {
			spaced = key.n > 0 || c != ' ' ? key : spaced;
			start = i + 1;
			continue;
		}
		if (c != '=' || !is_parameter(key.n > 0 ? key : spaced, COUNT(parameters)))
			continue;
		struct str rest = str_from(text, i + 1);
		struct str value = pair_value(key.n > 0 ? rest : behind_blanks(rest));
		if (is_password(value, script) && !credential_is_harmless(STR("PASSWORD"), value))
			return true;
		i = (size_t)(value.p - text.p) + value.n - 1; /* each byte belongs to one value */
	}
	return false;
}

/* jdbc:oracle:thin:scott/tiger@host, and user:password@tcp(host:3306)/db */
static bool driver_has_password(struct str text, bool script)
{
	struct str lead = text;
	size_t at = str_find(text, '@'), thin = 0;
	if (at == text.n)
		return false;
	lead.n = at;
	while (thin < lead.n && !begins(str_from(lead, thin), "oracle:thin:"))
		thin++;
	if (thin < lead.n) {
		struct str user = str_from(lead, thin + sizeof "oracle:thin:" - 1);
		size_t slash = str_find(user, '/');
		return slash < user.n && is_password(str_from(user, slash + 1), script);
	}
	struct str behind = str_from(text, at + 1);
	size_t colon = str_find(lead, ':');
	return (str_starts(behind, STR("tcp(")) || str_starts(behind, STR("unix("))) && colon < lead.n &&
	       is_password(str_from(lead, colon + 1), script);
}

/* ---- keys, tokens, headers ---- */

/* PEM (RFC 7468), plain, and in base64 as Kubernetes and CI systems pass it. */
static bool has_private_key(struct str text)
{
	static const char *const starts[] = {"LS0tLS1CRUdJTiBQUklWQVRFIEtF", "LS0tLS1CRUdJTiBSU0EgUFJJVkFU",
					     "LS0tLS1CRUdJTiBFQyBQUklWQVRF", "LS0tLS1CRUdJTiBPUEVOU1NIIFBS",
					     "LS0tLS1CRUdJTiBFTkNSWVBURUQg", "LS0tLS1CRUdJTiBEU0EgUFJJVkFU"};
	for (size_t i = 0; i < text.n; i++) {
		struct str rest = str_from(text, i);
		if (rest.p[0] == '-' && str_starts(rest, STR("-----BEGIN "))) {
			struct str label = until(str_from(rest, sizeof "-----BEGIN " - 1), "-\r\n");
			for (size_t k = 0; k < label.n; k++)
				if (str_starts(str_from(label, k), STR("PRIVATE KEY")))
					return true;
		}
		for (size_t k = 0; rest.p[0] == 'L' && k < COUNT(starts); k++)
			if (str_starts(rest, str_of(starts[k])))
				return true;
	}
	return false;
}

/* Prefixes that their makers publish so that tokens are found, longest first, and how many bytes follow at least. */
static const struct {
	struct str prefix;
	size_t least;
	const char *what;
} tokens[] = {
	{STR_INIT("AGE-SECRET-KEY-1"), 30, "an age key"},
	{STR_INIT("github_pat_"), 20, "a GitHub token"},
	{STR_INIT("pscale_tkn_"), 16, "a PlanetScale token"},
	{STR_INIT("sk-svcacct-"), 16, "an OpenAI key"},
	{STR_INIT("pscale_pw_"), 16, "a PlanetScale password"},
	{STR_INIT("GR1348941"), 16, "a GitLab token"},
	{STR_INIT("sb_secret_"), 10, "a Supabase key"},
	{STR_INIT("dckr_oat_"), 16, "a Docker token"},
	{STR_INIT("dckr_pat_"), 16, "a Docker token"},
	{STR_INIT("rubygems_"), 20, "a RubyGems key"},
	{STR_INIT("lin_api_"), 20, "a Linear key"},
	{STR_INIT("pypi-AgE"), 16, "a PyPI token"},
	{STR_INIT("rk_live_"), 10, "a Stripe key"},
	{STR_INIT("rk_test_"), 10, "a Stripe key"},
	{STR_INIT("sk-proj-"), 16, "an OpenAI key"},
	{STR_INIT("sk_live_"), 10, "a Stripe key"},
	{STR_INIT("sk_test_"), 10, "a Stripe key"},
	{STR_INIT("ATATT3x"), 20, "an Atlassian token"},
	{STR_INIT("ATCTT3x"), 20, "an Atlassian token"},
	{STR_INIT("GOCSPX-"), 16, "a Google client secret"},
	{STR_INIT("co_api_"), 16, "a Cohere key"},
	{STR_INIT("doo_v1_"), 30, "a DigitalOcean token"},
	{STR_INIT("dop_v1_"), 30, "a DigitalOcean token"},
	{STR_INIT("glsoat-"), 16, "a GitLab token"},
	{STR_INIT("ops_eyJ"), 20, "a 1Password token"},
	{STR_INIT("secret_"), 36, "a Notion token"},
	{STR_INIT("sk-ant-"), 16, "an Anthropic key"},
	{STR_INIT("sntrys_"), 20, "a Sentry token"},
	{STR_INIT("sntryu_"), 20, "a Sentry token"},
	{STR_INIT("sq0csp-"), 20, "a Square secret"},
	{STR_INIT("CFPAT-"), 20, "a Contentful token"},
	{STR_INIT("dp.pt."), 16, "a Doppler token"},
	{STR_INIT("dp.st."), 16, "a Doppler token"},
	{STR_INIT("glcbt-"), 16, "a GitLab token"},
	{STR_INIT("gloas-"), 16, "a GitLab token"},
	{STR_INIT("glpat-"), 16, "a GitLab token"},
	{STR_INIT("glptt-"), 16, "a GitLab token"},
	{STR_INIT("nvapi-"), 20, "an NVIDIA key"},
	{STR_INIT("shpat_"), 20, "a Shopify token"},
	{STR_INIT("shpca_"), 20, "a Shopify token"},
	{STR_INIT("shppa_"), 20, "a Shopify token"},
	{STR_INIT("shpss_"), 20, "a Shopify secret"},
	{STR_INIT("sk-lf-"), 16, "a Langfuse key"},
	{STR_INIT("sk-or-"), 16, "an OpenRouter key"},
	{STR_INIT("tskey-"), 16, "a Tailscale key"},
	{STR_INIT("whsec_"), 16, "a webhook secret"},
	{STR_INIT("NRAK-"), 20, "a New Relic key"},
	{STR_INIT("PMAK-"), 20, "a Postman key"},
	{STR_INIT("figd_"), 20, "a Figma token"},
	{STR_INIT("gldt-"), 16, "a GitLab token"},
	{STR_INIT("glft-"), 16, "a GitLab token"},
	{STR_INIT("glrt-"), 16, "a GitLab token"},
	{STR_INIT("glsa_"), 20, "a Grafana token"},
	{STR_INIT("lsv2_"), 20, "a LangSmith key"},
	{STR_INIT("napi_"), 20, "a Neon key"},
	{STR_INIT("pplx-"), 20, "a Perplexity key"},
	{STR_INIT("sqa_"), 30, "a SonarQube token"},
	{STR_INIT("sqp_"), 30, "a SonarQube token"},
	{STR_INIT("squ_"), 30, "a SonarQube token"},
	{STR_INIT("tvly-"), 16, "a Tavily key"},
	{STR_INIT("xapp-"), 10, "a Slack token"},
	{STR_INIT("xoxa-"), 10, "a Slack token"},
	{STR_INIT("xoxb-"), 10, "a Slack token"},
	{STR_INIT("xoxe-"), 10, "a Slack token"},
	{STR_INIT("xoxe."), 10, "a Slack token"},
	{STR_INIT("xoxp-"), 10, "a Slack token"},
	{STR_INIT("xoxr-"), 10, "a Slack token"},
	{STR_INIT("xoxs-"), 10, "a Slack token"},
	{STR_INIT("ya29."), 16, "a Google token"},
	{STR_INIT("AIza"), 30, "a Google key"},
	{STR_INIT("dapi"), 32, "a Databricks token"},
	{STR_INIT("gho_"), 20, "a GitHub token"},
	{STR_INIT("ghp_"), 20, "a GitHub token"},
	{STR_INIT("ghr_"), 20, "a GitHub token"},
	{STR_INIT("ghs_"), 20, "a GitHub token"},
	{STR_INIT("ghu_"), 20, "a GitHub token"},
	{STR_INIT("glc_"), 20, "a Grafana token"},
	{STR_INIT("gsk_"), 20, "a Groq key"},
	{STR_INIT("hvb."), 16, "a Vault token"},
	{STR_INIT("hvr."), 16, "a Vault token"},
	{STR_INIT("hvs."), 16, "a Vault token"},
	{STR_INIT("key-"), 32, "a Mailgun key"},
	{STR_INIT("npm_"), 30, "an npm token"},
	{STR_INIT("ntn_"), 20, "a Notion token"},
	{STR_INIT("phx_"), 20, "a PostHog key"},
	{STR_INIT("sbp_"), 20, "a Supabase token"},
	{STR_INIT("xai-"), 20, "an xAI key"},
	{STR_INIT("SG."), 30, "a SendGrid key"},
	{STR_INIT("hf_"), 20, "a Hugging Face token"},
	{STR_INIT("oy2"), 40, "a NuGet key"},
	{STR_INIT("r8_"), 20, "a Replicate token"},
	{STR_INIT("re_"), 24, "a Resend key"},
	{STR_INIT("sk-"), 20, "an OpenAI key"},
};

static bool is_token_byte(char c)
{
	return is_letter(c) || is_digit(c) || c == '_' || c == '-' || c == '.';
}

/* ghp_xxxxxxxxxxxxxxxx, sk-your-key-here: nobody's token. */
static bool is_sample(struct str token)
{
	size_t same = 0;
	for (size_t i = 0; i < token.n; i++) {
		same = i > 0 && token.p[i] == token.p[i - 1] ? same + 1 : 0;
		if (same >= 5 || begins(str_from(token, i), "your") || begins(str_from(token, i), "example") ||
		    begins(str_from(token, i), "placeholder"))
			return true;
	}
	return false;
}

/* eyJ... . eyJ... . ... : a JSON Web Token (RFC 7519). */
static bool is_jwt(struct str token)
{
	size_t dot = str_find(token, '.');
	struct str rest = str_from(token, dot + 1);
	size_t second = str_find(rest, '.');
	return str_starts(token, STR("eyJ")) && dot > 10 && str_starts(rest, STR("eyJ")) && second > 10 &&
	       rest.n > second + 10;
}

static const char *token_in(struct str text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (!is_token_byte(text.p[i]))
			continue;
		struct str token = {text.p + i, 0};
		while (i < text.n && is_token_byte(text.p[i]))
			token.n++, i++;
		if (is_jwt(token))
			return "a JSON Web Token";
		for (size_t k = 0; k < COUNT(tokens); k++)
			if (str_starts(token, tokens[k].prefix)) {
				if (token.n >= tokens[k].prefix.n + tokens[k].least && !is_sample(token))
					return tokens[k].what;
				break;
			}
	}
	return NULL;
}

/* Authorization (RFC 9110, 11.6.2): "Basic dXNlcjpwYXNz", "Bearer abc123". */
static const char *header_in(struct str text, bool script)
{
	for (size_t i = 0; i < text.n; i++) {
		struct str rest = str_from(text, i);
		if (begins(rest, "authorization:") || begins(rest, "authorization="))
			rest = behind_blanks(str_from(rest, sizeof "authorization:" - 1));
		else if (i > 0)
			continue;
		bool basic = begins(rest, "basic "), bearer = begins(rest, "bearer ");
		if (!basic && !bearer)
			continue;
		struct str value = until(behind_blanks(str_from(rest, basic ? 6 : 7)), " \t\r\n\"'");
		bool telling = false;
		for (size_t k = 0; k < value.n; k++)
			telling = telling || is_digit(value.p[k]) || (is_letter(value.p[k]) && value.p[k] < 'a');
		if (value.n >= 6 && telling && is_password(value, script) && !is_sample(value) &&
		    !credential_is_harmless(STR("TOKEN"), value))
			return basic ? "a Basic header with a password" : "a Bearer header with a token";
	}
	return NULL;
}

/* Addresses that let everybody who has them write: behind the start, at least that many bytes more. */
static bool has_webhook(struct str text)
{
	static const struct str starts[] = {
		STR_INIT("hooks.slack.com/services/T"), STR_INIT("hooks.slack.com/workflows/T"),
		STR_INIT("hooks.slack.com/triggers/"),  STR_INIT("discord.com/api/webhooks/"),
		STR_INIT("discordapp.com/api/webhooks/"), STR_INIT("webhook.office.com/webhookb2/")};
	for (size_t i = 0; i < text.n; i++) {
		for (size_t k = 0; k < COUNT(starts); k++)
			if (str_starts(str_from(text, i), starts[k]) && text.n - i > starts[k].n + 15)
				return true;
		if (!str_starts(str_from(text, i), STR("/hooks/"))) /* Mattermost, with the 26 letters and digits of its ids */
			continue;
		struct str id = until(str_from(text, i + sizeof "/hooks/" - 1), "/?# \t\r\n\"'");
		size_t n = 0;
		while (n < id.n && (is_digit(id.p[n]) || (id.p[n] >= 'a' && id.p[n] <= 'z')))
			n++;
		if (n == 26 && id.n == 26)
			return true;
	}
	return false;
}

/* A token in the query of a URL; a placeholder of a template is none. */
static bool parameter_has_token(struct str text, bool script)
{
	static const char *const keys[] = {"token", "access_token", "auth_token", "api_key", "apikey", "sig"};
	bool url = false;
	for (size_t i = 0; i < text.n; i++) {
		url = url || str_starts(str_from(text, i), STR("://"));
		if (!url || (text.p[i] != '?' && text.p[i] != '&'))
			continue;
		struct str pair = until(str_from(text, i + 1), "?&;# \t\r\n\"'");
		size_t equals = str_find(pair, '=');
		struct str value = str_from(pair, equals + 1);
		for (size_t k = 0; k < COUNT(keys); k++)
			if (is_word((struct str){pair.p, equals}, keys[k]) && value.n >= 8 && value.p[0] != '{' &&
			    value.p[0] != ':' && value.p[0] != '%' && is_password(value, script) &&
			    !credential_is_harmless(STR("TOKEN"), value))
				return true;
	}
	return false;
}

/* shop:$apr1$..., shop:$2y$05$..., shop:{SHA}...: lines of htpasswd and shadow, perhaps with each $ doubled. */
static bool has_password_hash(struct str text)
{
	static const char *const kinds[] = {"$apr1$", "$2a$", "$2b$",  "$2y$",  "$1$",      "$5$",    "$6$",    "$y$",
					    "$argon2", "{sha}", "{ssha}", "$$apr1$$", "$$2a$$", "$$2y$$", "$$6$$"};
	for (size_t i = 1; i < text.n; i++)
		for (size_t k = 0; (text.p[i] == ':' || text.p[i] == '"') && k < COUNT(kinds); k++)
			if (begins(str_from(text, i + 1), kinds[k]) && text.n - i > 20)
				return true;
	return false;
}

/* -u user:password, --user user:password of curl and its like, by a URL; -u 1000:1000 is somebody's number. */
static bool has_user_option(struct str text, bool script)
{
	bool http = false;
	for (size_t i = 0; i < text.n && !http; i++)
		http = begins(str_from(text, i), "curl ") || begins(str_from(text, i), "http://") ||
		       begins(str_from(text, i), "https://");
	for (size_t i = 0; http && i < text.n; i++) {
		struct str rest = str_from(text, i);
		bool small = str_starts(rest, STR("-u ")), large = str_starts(rest, STR("--user "));
		if ((!small && !large) || (i > 0 && text.p[i - 1] != ' '))
			continue;
		struct str pair = pair_value(str_from(rest, small ? 3 : 7));
		size_t colon = str_find(pair, ':');
		if (colon > 0 && colon < pair.n && is_password(str_from(pair, colon + 1), script) &&
		    !credential_is_harmless(STR("TOKEN"), str_from(pair, colon + 1)))
			return true;
	}
	return false;
}

/* 123456789:AA and 33 bytes: the token of a Telegram bot. */
static bool has_bot_token(struct str text)
{
	size_t digits = 0;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == ':' && digits >= 8 && digits <= 10 && str_starts(str_from(text, i + 1), STR("AA"))) {
			size_t n = 0;
			struct str token = str_from(text, i + 1);
			while (n < token.n && is_token_byte(token.p[n]))
				n++;
			if (n >= 33 && n <= 40)
				return true;
		}
		digits = is_digit(text.p[i]) ? digits + 1 : 0;
	}
	return false;
}

/* "auths": {"ghcr.io": {"auth": "dXNlcjpwYXNz"}}: what docker login writes. */
static bool has_registry_login(struct str text)
{
	bool auths = false;
	for (size_t i = 0; i < text.n; i++) {
		struct str rest = str_from(text, i);
		auths = auths || str_starts(rest, STR("\"auths\""));
		if (!auths || !str_starts(rest, STR("\"auth\"")))
			continue;
		rest = behind_blanks(str_from(rest, sizeof "\"auth\"" - 1));
		if (rest.n == 0 || rest.p[0] != ':')
			continue;
		struct str value = pair_value(behind_blanks(str_from(rest, 1)));
		if (value.n > 0 && !credential_is_harmless(STR("TOKEN"), value))
			return true;
	}
	return false;
}

const char *credential_in(struct str text, bool script)
{
	if (has_webhook(text))
		return "the address of a webhook, which is its password";
	if (has_private_key(text))
		return "a private key";
	const char *what = token_in(text);
	if (what == NULL && has_bot_token(text))
		what = "a Telegram token";
	if (what == NULL && has_registry_login(text))
		what = "a login to a registry";
	if (what == NULL && has_password_hash(text))
		what = "the hash of a password";
	if (what == NULL && has_user_option(text, script))
		what = "a user with a password";
	if (what == NULL && parameter_has_token(text, script))
		what = "a URL with a token";
	if (what == NULL)
		what = header_in(text, script);
	if (what == NULL && (pair_has_password(text, script) || driver_has_password(text, script)))
		what = "a connection string with a password";
	return what;
}
