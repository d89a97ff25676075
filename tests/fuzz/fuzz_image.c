/* Image references, names and quantities: parts lie inside the text, and equality is reflexive. */
#include "fuzz.h"

#include "kube/image.h"
#include "kube/name.h"
#include "kube/quantity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = fuzz_text(data, size);
	struct image image;
	if (image_parse(text, &image)) {
		must(image.repository.n > 0 && image.name.n > 0 && image.registry.n > 0, "a reference has all its parts");
		must(str_ends(image.repository, image.name), "the name ends the repository");
	}
	if (quantity_is_valid(text))
		must(quantity_equal(text, text), "a quantity equals itself");
	if (name_is_dns1035(text))
		must(name_is_label(text) && name_is_subdomain(text), "a DNS-1035 label is a label and a subdomain");
	return 0;
}
