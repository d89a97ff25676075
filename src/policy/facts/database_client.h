/* Does a container of a database's image only talk to a database? By what it runs: command and args. */
#ifndef POLICY_FACTS_DATABASE_CLIENT_H
#define POLICY_FACTS_DATABASE_CLIENT_H

#include "base/arena.h"
#include "codec/json.h"
#include "policy/config/config.h"

/* Programs that talk to a database and serve none, sorted; and programs of systems that serve nothing. */
extern const struct names database_client_programs, database_harmless_programs;

/*
 * True when all that the container runs is known to serve nothing; `clients` are programs beside the known ones. What
 * cannot be read for sure is a server, and so is an image that runs what it was made for. Memory that is out is false.
 */
bool database_runs_client(struct arena *arena, const struct names *clients, const struct json *container);

#endif
