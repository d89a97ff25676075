/* Reading a configuration from its YAML (SPEC section 3). */
#ifndef POLICY_LOAD_LOAD_H
#define POLICY_LOAD_LOAD_H

#include "policy/config/config.h"

/*
 * Reads a configuration. `source` is the file's name for errors. On success *out is a snapshot for config_free.
 * ERR_INVALID: the sentence begins with source:line:column. ERR_LIMIT, ERR_NOMEM. *out is untouched on failure.
 */
int config_load(struct str text, const char *source, struct config **out, struct error *err);

/* The text of a shipped configuration, "managed" or "in-cluster"; absent for any other name. */
struct str config_profile(struct str name);

#endif
