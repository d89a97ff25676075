/* JSON: what is read is written, read again, and equal. */
#include "fuzz.h"

#include "base/limits.h"
#include "codec/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json *first = NULL, *second = NULL;
	struct error err;
	struct buf text;
	if (json_parse(fuzz_text(data, size), &first, &err) != 0)
		return 0;
	buf_init(&text, LIMIT_RESPONSE);
	json_write(&text, first);
	must(json_parse(buf_str(&text), &second, &err) == 0, "what was written can be read");
	must(json_equal(first, second), "it is the same value");
	buf_free(&text);
	json_free(first);
	json_free(second);
	return 0;
}
