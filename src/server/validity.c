#include "server/validity.h"

#include "base/limits.h"

#include <stdio.h>

#define DAY_SECONDS 86400
#define TIME_MAX 24 /* "2027-03-01T09:30:00Z" */

enum validity_state validity_at(const struct validity *v, time_t now)
{
	if (v->not_after == 0)
		return VALIDITY_GOOD;
	if (now < v->not_before)
		return VALIDITY_EARLY;
	if (now > v->not_after)
		return VALIDITY_ENDED;
	return v->not_after - now < (time_t)EXPIRY_WARNING_DAYS * DAY_SECONDS ? VALIDITY_ENDING : VALIDITY_GOOD;
}

static void write_time(time_t t, char out[TIME_MAX])
{
	struct tm utc;
	if (gmtime_r(&t, &utc) == NULL || strftime(out, TIME_MAX, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
		out[0] = '\0';
}

void validity_text(const struct validity *v, time_t now, char out[VALIDITY_TEXT_MAX])
{
	char at[TIME_MAX];
	enum validity_state state = validity_at(v, now);
	long days = (long)((v->not_after - now) / DAY_SECONDS);
	write_time(state == VALIDITY_EARLY ? v->not_before : v->not_after, at);
	int n;
	if (state == VALIDITY_EARLY)
		n = snprintf(out, VALIDITY_TEXT_MAX, "is not valid before %s: is the clock right?", at);
	else if (state == VALIDITY_ENDED)
		n = snprintf(out, VALIDITY_TEXT_MAX, "expired %s", at);
	else if (state == VALIDITY_GOOD)
		n = snprintf(out, VALIDITY_TEXT_MAX, "expires %s", at);
	else if (days == 0)
		n = snprintf(out, VALIDITY_TEXT_MAX, "expires %s, within a day: renew it", at);
	else
		n = snprintf(out, VALIDITY_TEXT_MAX, "expires %s, in %ld day%s: renew it", at, days, days == 1 ? "" : "s");
	if (n < 0)
		out[0] = '\0';
}

bool validity_tell(struct validity_told *told, const struct validity *v, time_t now)
{
	enum validity_state state = validity_at(v, now);
	bool due = state != VALIDITY_GOOD && (state != told->state || now - told->when >= DAY_SECONDS);
	if (due || state == VALIDITY_GOOD)
		*told = (struct validity_told){state, now};
	return due;
}
