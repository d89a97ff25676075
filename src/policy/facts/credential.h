/* What a credential looks like, by its value and by the name it goes by. Nothing here repeats a value. */
#ifndef POLICY_FACTS_CREDENTIAL_H
#define POLICY_FACTS_CREDENTIAL_H

#include "base/str.h"

/*
 * What the text holds, whatever its name: "a private key", "a GitHub token"; NULL when nothing is known of it.
 * `script`: a shell reads it, so that what begins with $ is a reference. Linear in the text.
 */
const char *credential_in(struct str text, bool script);

/*
 * The password in a URL, in its userinfo or a parameter. A password may hold / ? # and blanks: many programs take all
 * up to the last @.
 */
bool credential_in_url(struct str text, bool script);

/* Is there more in the text than $(VAR) references, which Kubernetes replaces, and nothing escaped? */
bool credential_is_literal(struct str text);

/*
 * Is a value under a credential's name none after all? A switch, a path, a duration, a reference to a store, a
 * placeholder, a key that is made to be public; the name of a Secret, where `name` (in capitals) speaks of one.
 */
bool credential_is_harmless(struct str name, struct str value);

/* user:password under a name such as DB_CREDENTIALS, in capitals, where only a value of that form is one. */
bool credential_is_login(struct str name, struct str value);

/* What stands behind the name of a credential when there are several: _PROD, _OLD. */
#define CREDENTIAL_NAME_SUFFIXES 29
extern const char *const credential_name_suffixes[CREDENTIAL_NAME_SUFFIXES];

/* Words that say nothing of a credential, in lower case: for policies that ask the same in another language. */
#define CREDENTIAL_HARMLESS_WORDS 55
extern const char *const credential_harmless_words[CREDENTIAL_HARMLESS_WORDS];

#endif
