/*
 * The pieces that the configuration's reader is made of. An error is one sentence that begins with
 * source:line:column. Only the config_*.c files use this.
 */
#ifndef POLICY_LOAD_READER_H
#define POLICY_LOAD_READER_H

#include "codec/yaml.h"
#include "kube/name.h"
#include "policy/config/config.h"

/* What is being read, and where to. */
struct loader {
	struct arena *arena;
	struct config *config;
	const char *source;
	struct error *err;
};

/* Sets the error for the place of `at`; returns ERR_INVALID. */
int reader_fail(struct loader *l, const struct yaml_node *at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* "WHAT is a list; expected EXPECTED". */
int reader_wrong_kind(struct loader *l, const struct yaml_node *v, const char *what, const char *expected);

/* `mapping` is a mapping, and each of its keys is in `allowed`, which ends in NULL. */
int reader_check_keys(struct loader *l, const struct yaml_node *mapping, const char *what, const char *const *allowed);
int reader_must_have(struct loader *l, const struct yaml_node *mapping, const char *key, const char *what);

/* The string under a key that must be there. */
int reader_required(struct loader *l, const struct yaml_node *mapping, const char *key, const char *what,
		    struct str *out);

size_t reader_count(const struct yaml_node *collection);

/* Values under a key. An absent key leaves *out as it is; NULL for an absent sequence. */
int reader_string(struct loader *l, const struct yaml_node *mapping, const char *key, struct str *out);
int reader_bool(struct loader *l, const struct yaml_node *mapping, const char *key, bool *out);
int reader_template(struct loader *l, const struct yaml_node *mapping, const char *key, struct str *out);
int reader_names(struct loader *l, const struct yaml_node *mapping, const char *key, const struct name_form *form,
		 struct names *out);
int reader_sequence(struct loader *l, const struct yaml_node *mapping, const char *key, const struct yaml_node **out);

/* A sequence of strings of that form; NULL for any. */
int reader_names_of(struct loader *l, const struct yaml_node *list, const char *what, const struct name_form *form,
		    struct names *out);

/* A mapping of labels to strings, as a JSON tree. `values` is their form. */
int reader_labels(struct loader *l, const struct yaml_node *labels, const char *what, const struct name_form *values,
		  const struct json **out);

/* The lists of `exempt` under `mapping`, into the configuration's. */
int reader_exempt(struct loader *l, const struct yaml_node *mapping, struct config *c);

/* The parts of the configuration that have files of their own. */
int config_read_bindings(struct loader *l, const struct yaml_node *root);
int config_read_defaults(struct loader *l, const struct yaml_node *root);
int config_read_rules(struct loader *l, const struct yaml_node *root);

#endif
