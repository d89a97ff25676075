/* The tables of no-in-cluster-database: those that are searched by halves are in order, and every row is found. */
#include "codec/json.h"
#include "policy/facts/database_client.h"
#include "policy/facts/database_image.h"

#include "unit.h"

#include <stdio.h>

static const struct database_table *const table = &database_table;

static void assert_order(struct str before, struct str row)
{
	ck_assert_msg(str_cmp(before, row) < 0, "\"%.*s\" stands before \"%.*s\"", STR_ARG(before), STR_ARG(row));
}

static void assert_lower(struct str row)
{
	for (size_t i = 0; i < row.n; i++)
		ck_assert_msg(row.p[i] < 'A' || row.p[i] > 'Z', "\"%.*s\" has capitals, which no image has", STR_ARG(row));
}

static void assert_names(const struct names *list)
{
	ck_assert_uint_gt(list->count, 0);
	for (size_t i = 1; i < list->count; i++)
		assert_order(list->items[i - 1], list->items[i]);
}

/* Strictly: a row that stands twice is not in order. Programs, unlike images, may have capitals. */
START_TEST(order)
{
	for (size_t i = 0; i < table->product_count; i++) {
		assert_lower(table->products[i].name);
		if (i > 0)
			assert_order(table->products[i - 1].name, table->products[i].name);
	}
	for (size_t i = 0; i < table->word_count; i++) {
		assert_lower(table->words[i].text);
		if (i > 0)
			assert_order(table->words[i - 1].text, table->words[i].text);
	}
	for (size_t i = 0; i < table->repository_count; i++) {
		struct str text = table->repositories[i].text;
		size_t slashes = 0;
		for (size_t k = 0; k < text.n; k++)
			slashes += text.p[k] == '/';
		ck_assert_uint_lt(slashes, DATABASE_PARTS);
		ck_assert(!str_is_glob(text));
		assert_lower(text);
		if (i > 0)
			assert_order(table->repositories[i - 1].text, text);
	}
	const struct names *lists[] = {&table->tools, &table->neutral, &table->numbered, &database_client_programs,
				       &database_harmless_programs};
	for (size_t k = 0; k < sizeof lists / sizeof lists[0]; k++) {
		assert_names(lists[k]);
		for (size_t i = 0; k < 3 && i < lists[k]->count; i++)
			assert_lower(lists[k]->items[i]);
	}
}
END_TEST

START_TEST(products)
{
	size_t included = 0;
	for (size_t i = 0; i < table->product_count; i++) {
		const struct database_product *product = &table->products[i];
		ck_assert(database_products.valid(product->name));
		ck_assert(product->source != NULL && product->source[0] != '\0');
		if (!product->included)
			continue;
		ck_assert_uint_lt(included, DATABASE_PRODUCTS);
		ck_assert(str_eq(database_products_included[included++], product->name));
	}
	ck_assert_uint_eq(included, DATABASE_PRODUCTS);
	ck_assert(!database_products.valid(STR("")) && !database_products.valid(STR("aaa")) &&
		  !database_products.valid(STR("zzz")));
}
END_TEST

static bool is_server(const char *reference)
{
	struct str all[64];
	struct names wanted = {.items = all, .count = table->product_count}, none = {0};
	struct database_lists lists = {&wanted, &none, &none};
	struct image image;
	ck_assert_uint_le(table->product_count, sizeof all / sizeof all[0]);
	for (size_t i = 0; i < table->product_count; i++)
		all[i] = table->products[i].name;
	ck_assert_msg(image_parse(str_of(reference), &image), "%s", reference);
	return database_image_is_server(&lists, &image);
}

static bool is_word(struct str text)
{
	for (size_t i = 0; i < table->word_count; i++)
		if (str_eq(table->words[i].text, text))
			return true;
	return false;
}

/* Each row by what it makes of an image's name. */
START_TEST(images)
{
	char name[128];
	for (size_t i = 0; i < table->word_count; i++) {
		ck_assert_msg(database_products.valid(table->words[i].product), "%.*s", STR_ARG(table->words[i].product));
		(void)snprintf(name, sizeof name, "acme/%.*s", STR_ARG(table->words[i].text));
		ck_assert_msg(is_server(name), "%s", name);
	}
	for (size_t i = 0; i < table->tools.count; i++) {
		ck_assert(!is_word(table->tools.items[i]));
		(void)snprintf(name, sizeof name, "acme/postgres-%.*s", STR_ARG(table->tools.items[i]));
		ck_assert_msg(!is_server(name), "%s", name);
	}
	for (size_t i = 0; i < table->neutral.count; i++) {
		ck_assert(!is_word(table->neutral.items[i]));
		(void)snprintf(name, sizeof name, "acme/postgres-%.*s", STR_ARG(table->neutral.items[i]));
		ck_assert_msg(is_server(name), "%s", name);
	}
	for (size_t i = 0; i < table->numbered.count; i++) {
		(void)snprintf(name, sizeof name, "acme/postgres-%.*s9", STR_ARG(table->numbered.items[i]));
		ck_assert_msg(is_server(name), "%s", name);
	}
	for (size_t i = 0; i < table->repository_count; i++) {
		(void)snprintf(name, sizeof name, "mirror/%.*s", STR_ARG(table->repositories[i].text));
		ck_assert_msg(is_server(name), "%s", name);
	}
	ck_assert(!is_server("acme/postgres-shop") && !is_server("acme/aaa") && !is_server("acme/zzz"));
}
END_TEST

static bool is_client(struct str program)
{
	char text[128];
	struct arena arena = {0};
	struct json *container = NULL;
	struct names none = {0};
	struct error err = {.text = ""};
	(void)snprintf(text, sizeof text, "{\"command\":[\"%.*s\"]}", STR_ARG(program));
	ck_assert_msg(json_parse(str_of(text), &container, &err) == 0, "%s", err.text);
	bool client = database_runs_client(&arena, &none, container);
	json_free(container);
	arena_free(&arena);
	return client;
}

START_TEST(programs)
{
	const struct names *lists[] = {&database_client_programs, &database_harmless_programs};
	for (size_t k = 0; k < sizeof lists / sizeof lists[0]; k++)
		for (size_t i = 0; i < lists[k]->count; i++)
			ck_assert_msg(is_client(lists[k]->items[i]), "%.*s", STR_ARG(lists[k]->items[i]));
	ck_assert(!is_client(STR("postgres")) && !is_client(STR("!")) && !is_client(STR("zzz")));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("database");
	TCase *cases = tcase_create("database");
	tcase_add_test(cases, order);
	tcase_add_test(cases, products);
	tcase_add_test(cases, images);
	tcase_add_test(cases, programs);
	suite_add_tcase(suite, cases);
	return unit_run(suite);
}
