/*
 * Container image references, as container runtimes read them: the grammar of github.com/distribution/reference, its
 * ParseNormalizedNamed.
 */
#ifndef KUBE_IMAGE_H
#define KUBE_IMAGE_H

#include "base/str.h"

/* Parts of a reference; views of the text given, or of constants for what Docker Hub leaves out. */
struct image {
	struct str registry;   /* host and port: "docker.io" when the reference names none, or its former name */
	struct str repository; /* path: "bitnami/postgresql"; for docker.io without a path the bare "postgres" */
	bool library;          /* an official image: the path is "library/" and `repository` */
	struct str name;       /* the last part of the repository: "postgresql" */
	struct str tag;        /* absent without one */
	struct str tagged;     /* repository and tag, as they stand in the reference */
	struct str digest;     /* "sha256:...", absent without one */
};

/* Takes `reference` apart. False when it is not a valid reference; *out is then untouched. */
bool image_parse(struct str reference, struct image *out);

#endif
