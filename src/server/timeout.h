/* How long whoever asks waits for the answer: `?timeout=` of a request, as the API server writes it. */
#ifndef SERVER_TIMEOUT_H
#define SERVER_TIMEOUT_H

#include "base/str.h"

#include <stdint.h>

/*
 * A duration as Go writes it ("5s", "1m30s", "1.5s", "250ms"), in milliseconds, but no more than ANSWER_SECONDS_MAX;
 * ANSWER_SECONDS for what is none, is absent or is not above zero.
 */
int64_t timeout_parse(struct str text);

/* Of so many milliseconds, those in which to decide: the rest is for the way there and back. */
int64_t timeout_to_decide(int64_t milliseconds);

#endif
