/* Which strings Kubernetes accepts as names (kubernetes.io/docs/concepts/overview/working-with-objects/names). */
#ifndef KUBE_NAME_H
#define KUBE_NAME_H

#include "base/str.h"

#define NAME_LABEL_MAX 63      /* DNS-1123 and DNS-1035 labels */
#define NAME_SUBDOMAIN_MAX 253 /* Secrets and most other objects */

/* RFC 1123 label: lower-case letters, digits and -, beginning and ending with a letter or digit. */
bool name_is_label(struct str s);

/* RFC 1035 label: as above, beginning with a letter. Names of Services. */
bool name_is_dns1035(struct str s);

/* RFC 1123 subdomain: labels joined by dots. Names of Secrets. */
bool name_is_subdomain(struct str s);

/* A name that an environment variable may have: printable ASCII but "=", not empty; as newer API servers check. */
bool name_is_env(struct str s);

/* What a key of a Secret looks like: letters, digits, - _ and dots, at most 253. */
bool name_is_secret_key(struct str s);

/* The key of a label or annotation: a name of at most 63 letters, digits, - _ and dots, perhaps behind a DNS
 * subdomain and a slash. And the value of a label: empty, or such a name. */
bool name_is_label_key(struct str s);
bool name_is_label_value(struct str s);

/* A form that names have: whether a string has it, and what a sentence says it is. */
struct name_form {
	bool (*valid)(struct str s);
	const char *expected;
};

/* Globs over labels (containers, namespaces) and over subdomains (Secrets, API groups). */
extern const struct name_form name_label_globs, name_subdomain_globs;

/* Is every character a lower-case letter, a digit, * or ? or one of `others`? Not so for the empty string. */
bool name_is_glob_of(struct str s, const char *others);

/* An annotation key without its name, a DNS subdomain: "example.com" of "example.com/key"; absent without slash. */
struct str name_key_prefix(struct str key);

#endif
