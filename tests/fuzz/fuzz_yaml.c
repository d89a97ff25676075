/* YAML: what is read becomes JSON, is written as YAML, and read again as the same. */
#include "fuzz.h"

#include "base/limits.h"
#include "codec/json.h"
#include "codec/yaml.h"
#include "codec/yaml_write.h"

/* Enough for any input of the fuzzer; aliases may grow past it, which is a limit and no fault. */
#define TEXT_MAX (1 * MIB)

static void round_trip(const struct json *value)
{
	struct arena arena = {0};
	const struct yaml_node **documents;
	size_t count = 0;
	struct buf text, json;
	struct json *again = NULL;
	buf_init(&text, TEXT_MAX * 8);
	buf_init(&json, TEXT_MAX * 8);
	yaml_write(&text, value);
	must(text.error == 0 && yaml_parse(&arena, buf_str(&text), &documents, &count, NULL) == 0,
	     "written YAML can be read");
	must(count == (json_kind(value) == JSON_NULL ? 0U : 1U), "it is one document");
	if (count == 1) {
		yaml_to_json(&json, documents[0]);
		must(json.error == 0 && json_parse(buf_str(&json), &again, NULL) == 0, "it becomes JSON again");
		must(json_equal(value, again), "it is the same value");
	}
	json_free(again);
	buf_free(&json);
	buf_free(&text);
	arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena = {0};
	const struct yaml_node **documents;
	size_t count;
	struct error err;
	if (yaml_parse(&arena, fuzz_text(data, size), &documents, &count, &err) == 0) {
		for (size_t i = 0; i < count; i++) {
			struct buf text;
			struct json *value = NULL;
			buf_init(&text, TEXT_MAX);
			yaml_to_json(&text, documents[i]);
			if (text.error == 0 && json_parse(buf_str(&text), &value, &err) == 0)
				round_trip(value);
			json_free(value);
			buf_free(&text);
		}
	}
	arena_free(&arena);
	return 0;
}
