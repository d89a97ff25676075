/* Certificates: PEM of anybody is inspected or refused with a sentence. */
#include "fuzz.h"

#include "pki/pki.h"

/* A moment when the corpus' certificates are valid: 2026-11-22. */
#define NOW 1795305600

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pki_source source = {.name = "fuzz", .pem = fuzz_text(data, size)};
	struct pki_report report = {0};
	struct error err = {.text = ""};
	if (pki_inspect(&source, 1, NOW, &report, &err) == 0) {
		must(report.file_count == 1, "a file is reported");
		pki_report_dispose(&report);
	} else {
		must(err.text[0] != '\0', "an error has a sentence");
	}
	(void)pki_pair_check(&source, &source, NOW, &err);
	return 0;
}
