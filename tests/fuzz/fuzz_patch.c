/* JSON Patch: a document, a NUL byte, a patch. A failure leaves the document as it was. */
#include "fuzz.h"

#include "codec/json_patch.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size > 0 ? memchr(data, 0, size) : NULL;
	struct json *document = NULL, *before = NULL, *patch = NULL;
	struct error err;
	if (nul == NULL)
		return 0;
	size_t n = (size_t)(nul - data);
	if (json_parse(fuzz_text(data, n), &document, &err) == 0 &&
	    json_parse(fuzz_text(nul + 1, size - n - 1), &patch, &err) == 0) {
		before = json_copy(document);
		must(before != NULL, "the copy is made");
		if (json_patch_apply(&document, patch, &err) != 0)
			must(json_equal(document, before), "a failed patch changes nothing");
	}
	json_free(document);
	json_free(before);
	json_free(patch);
	return 0;
}
