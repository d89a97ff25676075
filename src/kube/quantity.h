/* Resource quantities (kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity). */
#ifndef KUBE_QUANTITY_H
#define KUBE_QUANTITY_H

#include "base/str.h"

/* Is it a quantity: "100m", "1.5", "128Mi", "1e3"? */
bool quantity_is_valid(struct str s);

/* The same amount, however written ("1000m" and "1")? The API server writes them its own way. False unless both
 * are valid quantities. */
bool quantity_equal(struct str a, struct str b);

/* Is `a` more than `b`? Both are valid quantities; amounts that differ in the 16th digit only may count as equal. */
bool quantity_exceeds(struct str a, struct str b);

#endif
