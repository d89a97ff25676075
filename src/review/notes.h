/* What only all manifests together can tell: notes, which are never denials. */
#ifndef REVIEW_NOTES_H
#define REVIEW_NOTES_H

#include "review/run.h"

/*
 * Adds notes to the results:
 * - missing-claim, missing-secret: a workload is bound to what none of the manifests gives;
 * - duplicate-target: two of them write one Secret;
 * - wave-order: Argo CD may start a workload before what it is bound to is there;
 * - unread-annotation: connhook is asked for something where it injects nothing;
 * - no-template: a workload that asks for something has no pod template.
 * ERR_NOMEM.
 */
int review_add_notes(struct arena *arena, const struct review_settings *settings, struct review_result *results,
		     size_t count, struct error *err);

#endif
