/* What a priority string of GnuTLS has to be. */
#include "server/tls.h"

#include "base/text.h"

/* The part of a priority string that GnuTLS stumbled over; `at` is where it says that this was. */
static int refuse_priorities(const char *text, const char *at, struct error *err)
{
	struct str all = str_of(text), rest = str_from(all, at > text && at <= text + all.n ? (size_t)(at - text) : 0);
	struct str part = {rest.p, str_find(rest, ':')};
	return error_set(err, ERR_INVALID, "GnuTLS does not know %s, at character %zu of its priority string; expected "
		"parts such as NORMAL, -VERS-ALL, +VERS-TLS1.3 or %%SERVER_PRECEDENCE, with ':' between them",
		text_quote(part).text, all.n - rest.n + 1);
}

static int refuse_nothing(struct error *err)
{
	return error_set(err, ERR_INVALID, "the priority string leaves nothing to agree on: no version, or no cipher, key "
		"exchange or group for it");
}

/* The versions for streams, that is without those of DTLS, are new enough, and there is one. */
static int check_versions(gnutls_priority_t priorities, struct error *err)
{
	const unsigned int *list = NULL;
	int count = gnutls_priority_protocol_list(priorities, &list), good = 0;
	for (int i = 0; i < count; i++) {
		if (list[i] >= GNUTLS_DTLS_VERSION_MIN)
			continue;
		if (list[i] < GNUTLS_TLS1_2)
			return error_set(err, ERR_INVALID, "the priority string enables %s, and TLS 1.2 is the oldest version "
				"that is safe; put '-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2' at its end",
				gnutls_protocol_get_name((gnutls_protocol_t)list[i]));
		good++;
	}
	return good > 0 ? 0 : refuse_nothing(err);
}

/* There is a cipher suite, and all of them encrypt. */
static int check_suites(gnutls_priority_t priorities, struct error *err)
{
	unsigned int suite, good = 0;
	int code = 0;
	for (unsigned int i = 0; code != GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE; i++) {
		code = gnutls_priority_get_cipher_suite_index(priorities, i, &suite);
		gnutls_cipher_algorithm_t cipher;
		if (code < 0 || gnutls_cipher_suite_info(suite, NULL, NULL, &cipher, NULL, NULL) == NULL)
			continue;
		if (cipher == GNUTLS_CIPHER_NULL)
			return error_set(err, ERR_INVALID, "the priority string enables NULL, which does not encrypt; remove it");
		good++;
	}
	return good > 0 ? 0 : refuse_nothing(err);
}

int tls_priorities_check(const char *text, struct error *err)
{
	gnutls_priority_t priorities;
	const char *at = text;
	int code = gnutls_priority_init2(&priorities, text, &at, 0);
	if (code == GNUTLS_E_MEMORY_ERROR)
		return error_nomem(err);
	if (code == GNUTLS_E_NO_PRIORITIES_WERE_SET)
		return refuse_nothing(err);
	if (code < 0)
		return refuse_priorities(text, at, err);
	code = check_versions(priorities, err);
	if (code == 0)
		code = check_suites(priorities, err);
	gnutls_priority_deinit(priorities);
	return code;
}
