/* What the files of the YAML reader share. */
#ifndef CODEC_YAML_PARTS_H
#define CODEC_YAML_PARTS_H

#include "codec/yaml.h"

/* The key of a merge entry, told from a quoted "<<" by its address. */
extern const char yaml_merge_key[];

/* Memory for yaml_mapping_finish, used again for each mapping. Start with {0}; free(list) at the end. */
struct yaml_candidates {
	struct yaml_candidate *list;
	size_t count, capacity;
};

/*
 * Checks the keys of a mapping whose entries are complete, and replaces merge entries by what they bring: copies in
 * the arena. ERR_INVALID with the place: a key twice, or a merge key with something else than mappings. ERR_NOMEM.
 * With `lenient`, the last of equal keys is kept, and where they stand is added there.
 */
int yaml_mapping_finish(struct arena *arena, struct yaml_candidates *c, struct yaml_node *mapping,
			struct yaml_lenient *lenient, struct error *err);

/* error_set with "LINE:COLUMN: " in front. */
int yaml_error_at(struct error *err, size_t line, size_t column, int code, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

#endif
