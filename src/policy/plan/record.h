/*
 * The record: what connhook injected into a pod template. It stands in an annotation of that same template, so that
 * whoever restores a template restores its record (kubectl rollout undo of a StatefulSet brings back nothing else).
 *
 *   {"app":"shop",
 *    "containers":[{"env":[...],"envFrom":[...],"names":["app"]}],
 *    "imagePullSecrets":["ghcr-pull-secret"],
 *    "migration":{"command":[...],"from":"app","image":"...","name":"run-migrations","wish":{"env":"x0123456789abcdef"}},
 *    "reloader":"shop-db"}
 *
 * Entries stand as Kubernetes writes them. Containers that got the same share one element. `wish` holds a hash of each
 * field of the migration's container as connhook wanted it: so that what another webhook made of it can be told from
 * what connhook wants anew. The text is a function of what was injected, and of nothing else.
 *
 * Anybody who may write the workload may write a record. So it is believed only where it names what a binding of the
 * configuration could have given, in the form that a binding gives it. All of it is believed where connhook itself has
 * written it: an earlier configuration gave what this one does not.
 */
#ifndef POLICY_PLAN_RECORD_H
#define POLICY_PLAN_RECORD_H

#include "policy/config/config.h"
#include "policy/plan/entry.h"
#include "policy/verdict/violation.h"

/* The name of the annotation behind the prefix. */
#define RECORD_NAME "injected"

struct record_entry {
	struct entry_key key;
	const struct json *value;
	size_t taken; /* the container, counted from 1, whose entry has been recognised last */
};

/* Entries sorted by key, no key twice. */
struct record_list {
	struct record_entry *items;
	size_t count;
};

/* What the containers of one element got. */
struct record_group {
	struct record_list env_from, env;
};

struct record_container {
	struct str name;
	struct record_group *group;
};

struct record_migration {
	struct str name, image;     /* the name is absent when there is none */
	struct str from;            /* the container that it is modelled on */
	const struct json *command; /* array */
	const struct json *wish;    /* object of hashes, or NULL */
	const struct json *value;   /* all of it */
};

struct record {
	bool present;
	struct str text; /* of the annotation */
	struct str app;  /* whose record it is: the service's name; absent */
	struct record_container *containers; /* sorted by name, no name twice */
	size_t container_count;
	struct record_list pull_secrets; /* values are strings */
	struct record_migration migration;
	struct str reloader;             /* value of the annotation that was written; absent */
	struct str disbelieved;          /* the first name that no binding could have given; absent for none */
};

/*
 * Reads the record of a pod template's metadata (NULL: none); no record gives an empty one. `written` is the record of
 * the old object, where connhook has written that; else NULL. False, and *out is empty, when what stands there is none
 * of connhook's. Memory is the arena.
 */
bool record_read(struct arena *arena, const struct config *config, const struct json *template_metadata,
		 const struct record *written, struct record *out);

/* What a container got; NULL for nothing. */
struct record_group *record_container(const struct record *record, struct str name);

/* The recorded entry of that key; NULL for none. */
struct record_entry *record_find(const struct record_list *list, const struct entry_key *key);

/* Was that value (NULL or an empty one: none) wanted in the field of the migration's container when it was recorded? */
bool record_wished(const struct record *record, const char *field, const struct json *value);

/* ---- writing ---- */

/* The part of one container in a new record: members of an object, as text. */
struct record_part {
	struct str members, name;
};

/* A new record. */
struct record_new {
	struct str app;
	struct record_part *parts; /* sorted by record_write */
	size_t part_count;
	const struct str *pull_secrets;
	size_t pull_secret_count;
	struct str migration; /* the object's text; absent for none */
	struct str reloader;  /* absent for none */
};

/* Members for struct record_part, in the arena; empty for no entries. A buffer's failure is left in *error. */
struct str record_members(struct arena *arena, const struct json *const *env, size_t env_count,
			  const struct json *const *env_from, size_t env_from_count, int *error);

/* The text of a record; absent when nothing was injected, or with *error set (ERR_LIMIT, ERR_NOMEM). */
struct str record_write(struct arena *arena, struct record_new *record, int *error);

#endif
