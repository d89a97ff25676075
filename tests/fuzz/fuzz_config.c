/* The configuration: good, or one sentence with its place. */
#include "fuzz.h"

#include "policy/load/load.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *config = NULL;
	struct error err = {.text = ""};
	int rc = config_load(fuzz_text(data, size), "fuzz", &config, &err);
	if (rc == 0) {
		must(config != NULL && config->fingerprint.n == 16, "a good configuration has a fingerprint");
		config_free(config);
		return 0;
	}
	must(config == NULL && strncmp(err.text, "fuzz:", 5) == 0, "an error names its file");
	must(strchr(err.text, '\n') == NULL, "an error is one line");
	return 0;
}
