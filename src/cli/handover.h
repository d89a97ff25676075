/*
 * From one configuration to another without losing a call. Instances learn of a change at different times: the kubelet
 * brings a ConfigMap to each Pod within a minute and a half, and a new Pod begins with it. Until all know both, all use
 * the previous one; for as long, and longer, each accepts what either injects.
 */
#ifndef CLI_HANDOVER_H
#define CLI_HANDOVER_H

#include "base/buf.h"
#include "policy/config/config.h"
#include "server/log.h"

/* Where it stands. Begin with {0} but for `directory` and `log`; handover_dispose when done. */
struct handover {
	const char *directory; /* with previous.yaml and replaced, which need not be there; NULL: a change counts at once */
	struct log *log;       /* hears what is wrong with them */
	struct buf text;       /* the configuration that was read last, and was good */
	struct buf previous;   /* the one before it */
	int64_t replaced;      /* when that was replaced, in seconds since 1970; 0: there is none */
	int64_t noticed;       /* when the text was last found changed; 0: never */
};

/*
 * Reads the configuration `text` as config_load does, and joins it with the one before it where `now` asks for that:
 * *out is the one to use, out->other what is accepted as well. A previous one that cannot be used is logged and
 * forgotten. Errors as of config_load.
 */
int handover_config(struct handover *h, struct str text, const char *source, int64_t now, struct config **out,
		    struct error *err);

void handover_dispose(struct handover *h);

#endif
