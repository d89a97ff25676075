/*
 * Entries of the lists that connhook shares with others: envFrom and env of a container, imagePullSecrets of a Pod.
 * What makes two entries one, when two are the same, and which form an injected one has.
 */
#ifndef POLICY_PLAN_ENTRY_H
#define POLICY_PLAN_ENTRY_H

#include "base/arena.h"
#include "codec/json.h"

enum entry_kind { ENTRY_ENV_FROM, ENTRY_ENV, ENTRY_PULL_SECRET, ENTRY_KINDS };

/* The field that holds a list of the kind: "envFrom", ... */
extern const char *const entry_list[ENTRY_KINDS];

/* What makes an entry the one it is among its neighbours: env: the variable; envFrom: prefix and Secret; the Secret. */
struct entry_key {
	struct str name, prefix;
};

/* False for an entry that connhook can have nothing to do with: without a name, or an envFrom of a ConfigMap. */
bool entry_key(enum entry_kind kind, const struct json *entry, struct entry_key *out);

/* Order of keys, for sorting and searching. */
int entry_key_cmp(const struct entry_key *a, const struct entry_key *b);

/*
 * Has it the form that a binding gives? envFrom: a secretRef with `optional` said outright, which nobody writes by
 * hand; env: a literal or a secretKeyRef, and nothing else; a pull secret: a name alone.
 */
bool entry_has_form(enum entry_kind kind, const struct json *entry);

/*
 * The same, once the API server has stored both? It leaves out what is empty, and writes defaults (apiVersion of a
 * fieldRef) where nothing stood. Linear: by entry_hash, whose collisions somebody could make, but only to connhook's
 * mistaking his own entries for one another.
 */
bool entry_same(const struct json *a, const struct json *b);

/* Equal for values that are the same; members of an object count in any order. */
unsigned long long entry_hash(const struct json *v);

#endif
