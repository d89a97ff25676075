/* The time in which a certificate is valid, and when somebody should hear that it ends. */
#ifndef SERVER_VALIDITY_H
#define SERVER_VALIDITY_H

#include <stdbool.h>
#include <time.h>

/* From the first second to the last; all zero: not known. */
struct validity {
	time_t not_before, not_after;
};

enum validity_state {
	VALIDITY_GOOD,   /* or not known */
	VALIDITY_ENDING, /* fewer than EXPIRY_WARNING_DAYS are left */
	VALIDITY_ENDED,
	VALIDITY_EARLY,  /* has not begun */
};

enum validity_state validity_at(const struct validity *v, time_t now);

/* "expires 2027-03-01T09:30:00Z", "expires ..., in 9 days: renew it", "expired ...", "is not valid before ...". */
#define VALIDITY_TEXT_MAX 96
void validity_text(const struct validity *v, time_t now, char out[VALIDITY_TEXT_MAX]);

/* What was last said about a certificate. Start with {0}. */
struct validity_told {
	enum validity_state state;
	time_t when;
};

/* Is it time to say something? When it is no longer good, when that gets worse, and then once a day. Notes a yes. */
bool validity_tell(struct validity_told *told, const struct validity *v, time_t now);

#endif
