/* Kubernetes' own small languages: names, image references, quantities. */
#include "kube/image.h"
#include "kube/name.h"
#include "kube/quantity.h"

#include "unit.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define HEX32 "0123456789abcdef0123456789abcdef"
#define HEX64 HEX32 HEX32
#define SHA "sha256:" HEX32 HEX32
#define A63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A64 A63 "a"
#define A253 A63 "." A63 "." A63 "." "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

START_TEST(lengths_of_the_samples)
{
	ck_assert_uint_eq(sizeof A63 - 1, NAME_LABEL_MAX);
	ck_assert_uint_eq(sizeof A253 - 1, NAME_SUBDOMAIN_MAX);
}
END_TEST

START_TEST(names_as_kubernetes_takes_them)
{
	static const struct {
		const char *name;
		bool label, dns1035, subdomain;
	} cases[] = {
		{"a", true, true, true},
		{"web-1", true, true, true},
		{"1web", true, false, true},
		{"123", true, false, true},
		{"a--b", true, true, true},
		{"", false, false, false},
		{"-a", false, false, false},
		{"a-", false, false, false},
		{"A", false, false, false},
		{"a_b", false, false, false},
		{"a b", false, false, false},
		{"a/b", false, false, false},
		{"\xC3\xA9", false, false, false},
		{"a.b", false, false, true},
		{"a..b", false, false, false},
		{".a", false, false, false},
		{"a.", false, false, false},
		{"a.-b", false, false, false},
		{A63, true, true, true},
		{A64, false, false, true},
		{A253, false, false, true},
		{A253 "a", false, false, false},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct str name = str_of(cases[i].name);
		ck_assert_msg(name_is_label(name) == cases[i].label, "label: %s", cases[i].name);
		ck_assert_msg(name_is_dns1035(name) == cases[i].dns1035, "DNS-1035: %s", cases[i].name);
		ck_assert_msg(name_is_subdomain(name) == cases[i].subdomain, "subdomain: %s", cases[i].name);
	}
	ck_assert(!name_is_label(STR("a\0b")));
	ck_assert(!name_is_subdomain((struct str){NULL, 0}));
}
END_TEST

START_TEST(names_of_variables_and_keys)
{
	static const struct {
		const char *name;
		bool env, key;
	} cases[] = {
		{"DATABASE_URL", true, true},
		{"lower.case-too", true, true},
		{"1st", true, true},
		{"with space", true, false},
		{"a/b", true, false},
		{"a=b", false, false},
		{"", false, false},
		{"\t", false, false},
		{"\x7F", false, false},
		{"\xC3\xA9", false, false},
		{".", true, false},
		{"..", true, false},
		{"...", true, true},
		{".env", true, true},
		{A253, true, true},
		{A253 "a", true, false},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		ck_assert_msg(name_is_env(str_of(cases[i].name)) == cases[i].env, "variable: %s", cases[i].name);
		ck_assert_msg(name_is_secret_key(str_of(cases[i].name)) == cases[i].key, "key: %s", cases[i].name);
	}
	ck_assert(str_eqz(name_key_prefix(STR("example.com/key")), "example.com"));
	ck_assert(str_eqz(name_key_prefix(STR("/key")), ""));
	ck_assert_ptr_null(name_key_prefix(STR("key")).p);
}
END_TEST

START_TEST(image_references)
{
	static const struct {
		const char *reference, *registry, *repository, *name, *tag, *digest;
		bool library;
	} cases[] = {
		{"postgres", "docker.io", "postgres", "postgres", "", "", true},
		{"postgres:16", "docker.io", "postgres", "postgres", "16", "", true},
		{"postgres@" SHA, "docker.io", "postgres", "postgres", "", SHA, true},
		{"postgres:16@" SHA, "docker.io", "postgres", "postgres", "16", SHA, true},
		{"library/postgres", "docker.io", "postgres", "postgres", "", "", true},
		{"docker.io/postgres", "docker.io", "postgres", "postgres", "", "", true},
		{"docker.io/library/postgres:16", "docker.io", "postgres", "postgres", "16", "", true},
		{"index.docker.io/library/postgres", "docker.io", "postgres", "postgres", "", "", true},
		{"bitnami/postgresql:16.2.0", "docker.io", "bitnami/postgresql", "postgresql", "16.2.0", "", false},
		{"ghcr.io/library/postgres", "ghcr.io", "library/postgres", "postgres", "", "", false},
		{"ghcr.io/bizmatters/identity-service:v1.0.0", "ghcr.io", "bizmatters/identity-service", "identity-service",
		 "v1.0.0", "", false},
		{"my.registry:5000/team/postgres@" SHA, "my.registry:5000", "team/postgres", "postgres", "", SHA, false},
		{"my.registry:5000/postgres:16", "my.registry:5000", "postgres", "postgres", "16", "", false},
		{"localhost/app", "localhost", "app", "app", "", "", false},
		{"localhost:5000/app:latest", "localhost:5000", "app", "app", "latest", "", false},
		{"registry:5000/app", "registry:5000", "app", "app", "", "", false},
		{"[::1]:5000/app", "[::1]:5000", "app", "app", "", "", false},
		{"[fe80::1]/app", "[fe80::1]", "app", "app", "", "", false},
		{"ghcr.io", "docker.io", "ghcr.io", "ghcr.io", "", "", true}, /* a host only stands before a slash */
		{"team/app", "docker.io", "team/app", "app", "", "", false},
		{"a/b/c/d:t", "docker.io", "a/b/c/d", "d", "t", "", false},
		{"foo__bar/a--b/c.d:_x", "docker.io", "foo__bar/a--b/c.d", "c.d", "_x", "", false},
		{"app:5000", "docker.io", "app", "app", "5000", "", true},
		{"Registry.Example/app", "Registry.Example", "app", "app", "", "", false},
		{"app:" A63 A64 "a", "docker.io", "app", "app", A63 A64 "a", "", true},
		{"app@sha512:" HEX64 HEX64, "docker.io", "app", "app", "", "sha512:" HEX64 HEX64, true},
		{"app@sha384:" HEX64 HEX32, "docker.io", "app", "app", "", "sha384:" HEX64 HEX32, true},
		/* a path has no upper-case letter: what has one is a host */
		{"Harbor/postgres:16", "Harbor", "postgres", "postgres", "16", "", false},
		{"LOCALHOST/app", "LOCALHOST", "app", "app", "", "", false},
		{"A/library/app", "A", "library/app", "app", "", "", false},
		{"[2001:DB8::1]:5000/a/b", "[2001:DB8::1]:5000", "a/b", "b", "", "", false},
		{HEX32 HEX32 ":1", "docker.io", HEX32 HEX32, HEX32 HEX32, "1", "", true},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct image image;
		ck_assert_msg(image_parse(str_of(cases[i].reference), &image), "%s", cases[i].reference);
		ck_assert_msg(str_eqz(image.registry, cases[i].registry) && str_eqz(image.repository, cases[i].repository) &&
				      str_eqz(image.name, cases[i].name) && str_eqz(image.tag, cases[i].tag) &&
				      str_eqz(image.digest, cases[i].digest) && image.library == cases[i].library,
			      "%s gives %.*s | %.*s | %.*s | %.*s | %.*s | %d", cases[i].reference, STR_ARG(image.registry),
			      STR_ARG(image.repository), STR_ARG(image.name), STR_ARG(image.tag), STR_ARG(image.digest),
			      image.library);
		ck_assert((image.tag.p != NULL) == (*cases[i].tag != '\0'));
		ck_assert((image.digest.p != NULL) == (*cases[i].digest != '\0'));
	}
}
END_TEST

START_TEST(no_image_references)
{
	static const char *const cases[] = {
		"", " ", "postgres ", " postgres", "Postgres", "library/Postgres", "app:", "app:-x", "app:a/b",
		("app:" A64 A64 "a"),
		"app@", "app@sha256", "app@sha256:", "app@sha256:abc", ("app@:" HEX32), ("app@sha256:" HEX32 "g"),
		("app@sha256:" HEX32), ("app@sha256:" HEX64 "a"), ("app@algo+x.y-z_0:" HEX32), ("app@md5:" HEX32),
		("app@sha256:" HEX32 "ABCDEFABCDEFABCDEFABCDEFABCDEFAB"), (HEX64), "Harbor_1/postgres", "a/B", "A/B",
		"[fe80::1%eth0]/app", "[x]/app",
		("app@" SHA "@" SHA),
		"/app", "app/", "a//b", "-app", "app-", "a___b", "a._b", "a..b", "a.-b", "_a", "ghcr.io/", "ghcr.io:",
		"my.registry:/app", "my.registry:x/app", "-host.io/app", "host..io/app", "[::1/app", "[]/app", "[::1]5000/app",
		"http://ghcr.io/app", "app:1:2", "$(IMAGE)", "{{ .Values.image }}", "\xC3\xA9",
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct image image = {.library = true, .name = STR_INIT("untouched")};
		ck_assert_msg(!image_parse(str_of(cases[i]), &image), "\"%s\"", cases[i]);
		ck_assert(image.library && str_eqz(image.name, "untouched"));
	}
	ck_assert(!image_parse(STR("app\0"), &(struct image){0}));
	ck_assert(!image_parse((struct str){NULL, 0}, &(struct image){0}));
}
END_TEST

START_TEST(quantities)
{
	static const char *const good[] = {
		"0", "1", "100m", "1.5", "1.", ".5", "+1", "-1", "128Mi", "1Ki", "2Ei", "1k", "1M", "1E", "1n", "3u", "1e3",
		"1E3", "1e-3", "1E+3", "0.1Gi", "999999999999999999", "0000000000000000000001",
	};
	static const char *const bad[] = {
		"", "m", "Mi", ".", "+", "-", "1 ", " 1", "1 Mi", "1mi", "1KI", "1K", "1KB", "1MB", "1ki", "1.2.3", "--1", "1e",
		"1e+", "1e1.5", "1eMi", "0x10", "1,5", "inf", "NaN", "1mm", "1_000", "\xC3\xA9",
	};
	for (size_t i = 0; i < COUNT(good); i++)
		ck_assert_msg(quantity_is_valid(str_of(good[i])), "\"%s\"", good[i]);
	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_msg(!quantity_is_valid(str_of(bad[i])), "\"%s\"", bad[i]);
	ck_assert(!quantity_is_valid((struct str){NULL, 0}));
}
END_TEST

START_TEST(equal_quantities)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} cases[] = {
		{"1", "1", true},
		{"1000m", "1", true},
		{"0.5", "500m", true},
		{"1Gi", "1024Mi", true},
		{"1Gi", "1073741824", true},
		{"1G", "1Gi", false},
		{"1k", "1000", true},
		{"1E", "1e18", true},
		{"1E", "1000P", true},
		{"0", "0Mi", true},
		{"0", "-0", true},
		{"1", "-1", false},
		{"+1", "1", true},
		{"1.5Gi", "1536Mi", true},
		{"0.1", "100m", true},
		{"0.1Gi", "102.4Mi", true},
		{"100m", "101m", false},
		{"1000000n", "1m", true},
		{"1u", "1000n", true},
		{"1e3", "1k", true},
		{"1e-3", "1m", true},
		{"000128Mi", "128Mi", true},
		{"1.50", "1.5", true},
		{"1", "one", false},
		{"one", "one", false},
		{"", "", false},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct str a = str_of(cases[i].a), b = str_of(cases[i].b);
		ck_assert_msg(quantity_equal(a, b) == cases[i].equal, "%s and %s", cases[i].a, cases[i].b);
		ck_assert_msg(quantity_equal(b, a) == cases[i].equal, "%s and %s", cases[i].b, cases[i].a);
	}
}
END_TEST

START_TEST(larger_quantities)
{
	static const struct {
		const char *a, *b;
	} cases[] = {
		{"2", "1"},         {"1", "0"},       {"1", "-1"},    {"-1", "-2"},     {"1001m", "1"},
		{"1Gi", "1G"},      {"256Mi", "0.1Gi"}, {"1E", "1P"}, {"1n", "0"},      {"2e3", "1k"},
		{"1e-2", "1m"},     {"129Mi", "134217728"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct str a = str_of(cases[i].a), b = str_of(cases[i].b);
		ck_assert_msg(quantity_exceeds(a, b), "%s over %s", cases[i].a, cases[i].b);
		ck_assert_msg(!quantity_exceeds(b, a), "%s over %s", cases[i].b, cases[i].a);
		ck_assert_msg(!quantity_exceeds(a, a), "%s over itself", cases[i].a);
	}
	ck_assert(!quantity_exceeds(STR("1.1"), STR("1100m")));
	ck_assert(!quantity_exceeds(STR("2"), STR("one")));
	ck_assert(!quantity_exceeds(STR("two"), STR("1")));
}
END_TEST

START_TEST(labels_and_globs)
{
	static const char *const keys[] = {"a", "app.kubernetes.io/name", "A_b.c-9", "x/Y"};
	static const char *const no_keys[] = {"", "/", "a/", "/a", "a/b/c", "-a", "a-", "a b", "A.io/b", "Ã©"};
	static const char *const values[] = {"", "a", "A_b.c-9", "9"};
	static const char *const no_values[] = {"-a", "a.", "_a", "a/b", "a b", "*"};
	for (size_t i = 0; i < COUNT(keys); i++)
		ck_assert_msg(name_is_label_key(str_of(keys[i])), "%s", keys[i]);
	for (size_t i = 0; i < COUNT(no_keys); i++)
		ck_assert_msg(!name_is_label_key(str_of(no_keys[i])), "%s", no_keys[i]);
	for (size_t i = 0; i < COUNT(values); i++)
		ck_assert_msg(name_is_label_value(str_of(values[i])), "%s", values[i]);
	for (size_t i = 0; i < COUNT(no_values); i++)
		ck_assert_msg(!name_is_label_value(str_of(no_values[i])), "%s", no_values[i]);
	char text[NAME_LABEL_MAX + 1];
	memset(text, 'a', sizeof text);
	ck_assert(name_is_label_value((struct str){text, NAME_LABEL_MAX}));
	ck_assert(!name_is_label_value((struct str){text, NAME_LABEL_MAX + 1}));
	ck_assert(name_label_globs.valid(STR("tenant-?*")) && !name_label_globs.valid(STR("a.b")));
	ck_assert(name_subdomain_globs.valid(STR("*.b-1")) && !name_subdomain_globs.valid(STR("a/b")));
	ck_assert(!name_label_globs.valid(STR("")) && !name_label_globs.valid(STR("A")));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("kube");
	TCase *tests = tcase_create("kube");
	tcase_add_test(tests, lengths_of_the_samples);
	tcase_add_test(tests, names_as_kubernetes_takes_them);
	tcase_add_test(tests, names_of_variables_and_keys);
	tcase_add_test(tests, image_references);
	tcase_add_test(tests, no_image_references);
	tcase_add_test(tests, quantities);
	tcase_add_test(tests, equal_quantities);
	tcase_add_test(tests, larger_quantities);
	tcase_add_test(tests, labels_and_globs);
	suite_add_tcase(suite, tests);
	return unit_run(suite);
}
