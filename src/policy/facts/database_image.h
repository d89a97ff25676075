/* Is an image a database's server? By the words of its name, and a table of products: database_table.c. */
#ifndef POLICY_FACTS_DATABASE_IMAGE_H
#define POLICY_FACTS_DATABASE_IMAGE_H

#include "kube/image.h"
#include "kube/name.h"
#include "policy/config/config.h"

/* One product, or a family of them. */
struct database_product {
	struct str name;
	bool included;      /* it is a database when the configuration says nothing */
	const char *source; /* where its images are published, or listed */
};

/* A word of images' names, or a glob over their last parts, and the product that it stands for. */
struct database_name {
	struct str text, product;
};

struct database_table {
	const struct database_product *products; /* in the order of str_cmp, as all but the globs are */
	size_t product_count;
	const struct database_name *words;
	size_t word_count;
	const struct database_name *repositories; /* the last parts of a repository */
	size_t repository_count;
	const struct database_name *images; /* globs over them */
	size_t image_count;
	const struct database_name *tagged_images; /* the same with the tag */
	size_t tagged_image_count;
	struct names others;   /* globs over the last parts of what is no server */
	struct names tools;    /* words of what only talks to a database */
	struct names neutral;  /* words that say nothing */
	struct names numbered; /* the same with digits behind */
};

extern const struct database_table database_table;

/* Products of the table, and those of them that are databases when the configuration says nothing. */
extern const struct name_form database_products;
#define DATABASE_PRODUCTS 33
extern const struct str database_products_included[DATABASE_PRODUCTS];

/* The most parts that a row of `repositories` has. */
#define DATABASE_PARTS 2

/* What the configuration makes of the table. */
struct database_lists {
	const struct names *products; /* names of products */
	const struct names *images;   /* globs of its own, over the last parts of a repository */
	const struct names *allowed;  /* the same of what is no server; wins over all else */
};

/*
 * The last name in an image's path that says what it is ends in a product, but for words that say nothing, and has no
 * word of a tool: "mirror/postgresql-16-c9s", "mysql/community-server", "acme/shop-postgres"; and not
 * "postgres-exporter", "mcp-mongodb", "postgres-meta".
 */
bool database_image_is_server(const struct database_lists *lists, const struct image *image);

/* Does a glob match the end of `path`? One without a slash is about its last part, one with slashes about as many. */
bool database_glob_matches(struct str glob, struct str path);

#endif
