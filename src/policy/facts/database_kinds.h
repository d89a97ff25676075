/* Which kinds of objects make a database's server in the cluster. */
#ifndef POLICY_FACTS_DATABASE_KINDS_H
#define POLICY_FACTS_DATABASE_KINDS_H

#include "policy/config/config.h"

#define DATABASE_KINDS 180

extern const struct group_kind database_kinds[DATABASE_KINDS];

#endif
