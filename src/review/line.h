/* Where in its file a field of a manifest stands. */
#ifndef REVIEW_LINE_H
#define REVIEW_LINE_H

#include "review/manifests.h"

#define LINE_LISTS 8 /* lists within lists whose last element is remembered */

/* One place: in the object that a path is about, in the manifest, and in its text. */
struct line_place {
	const struct json *object, *source;
	const struct yaml_node *node;
};

/*
 * Start with the first two members. The object is the manifest's own, or what has become of it, where indexes may have
 * moved. Fields that are asked for in their order are found in time linear in the object.
 */
struct line_finder {
	const struct manifest *manifest;
	const struct json *object;
	struct line_memo {
		const struct json *list;
		size_t index;
		struct line_place place;
	} memos[LINE_LISTS];
};

/*
 * The line of a field path as Kubernetes writes it (spec.containers[0].env[1].name, metadata.annotations[a/b]). A field
 * that is not in the manifest has the line of what it would stand in; the manifest's line when places are unknown.
 */
size_t line_find(struct line_finder *finder, struct str field);

/* The same field's value as it was read; NULL when it is not in the manifest, or its place is unknown. */
const struct yaml_node *line_node(struct line_finder *finder, struct str field);

#endif
