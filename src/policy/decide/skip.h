/* Why a request is not looked at, or nothing is injected: a counted word for each reason. */
#ifndef POLICY_DECIDE_SKIP_H
#define POLICY_DECIDE_SKIP_H

#include "kube/review.h"
#include "policy/config/config.h"

/*
 * Why nobody has to judge it: for who asks, where and how, never for what the object says of itself; but an object that
 * is being deleted, and is otherwise what it was, is let go. NULL: it is judged. cel.c says the same to the API server.
 */
const char *skip_request(const struct config *config, const struct review_request *request);

/* Why nothing is injected into an object that is judged; NULL: something may be. */
const char *skip_injection(const struct review_request *request);

#endif
