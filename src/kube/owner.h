/* Objects that a controller makes out of another one, and who these controllers are. */
#ifndef KUBE_OWNER_H
#define KUBE_OWNER_H

#include "codec/json.h"

/* A kind whose controller copies its pod template into objects of another kind. */
struct owner_kind {
	const char *group, *kind;             /* of what is made */
	const char *owner_group, *owner_kind; /* of what it is made from */
};

extern const struct owner_kind owner_kinds[];
extern const size_t owner_kind_count;

/*
 * Has the object, of that group and kind, a controller (an owner reference with `controller: true`) of a kind that
 * makes such objects? It is what the object says of itself: whoever writes it may say so.
 */
bool owner_controls(struct str group, struct str kind, const struct json *metadata);

/* Names of the users as which Kubernetes' own controllers make and change objects. */
extern const struct str owner_controllers[];
extern const size_t owner_controller_count;

bool owner_is_controller(struct str user);

#endif
