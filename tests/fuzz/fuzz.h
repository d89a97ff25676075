/* What the fuzz targets share. Each is one file; under libFuzzer it is fed mutations, under gcc its corpus. */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include "base/str.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An invariant: a failure ends the process, so that the fuzzer keeps the input. */
static inline void must(bool holds, const char *what)
{
	if (holds)
		return;
	(void)fprintf(stderr, "invariant broken: %s\n", what);
	abort();
}

static inline struct str fuzz_text(const uint8_t *data, size_t size)
{
	return (struct str){(const char *)data, size};
}

#endif
