/* Addresses to listen on. */
#include "server/listen.h"

#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *text;
	int family;
	unsigned port;
	const char *host;
} good[] = {
	{"0.0.0.0:8443", AF_INET, 8443, "0.0.0.0"},
	{"127.0.0.1:0", AF_INET, 0, "127.0.0.1"},
	{":65535", AF_INET, 65535, "0.0.0.0"},
	{"1.2.3.4:00080", AF_INET, 80, "1.2.3.4"},
	{"[::]:8443", AF_INET6, 8443, "::"},
	{"[2001:db8::1]:1", AF_INET6, 1, "2001:db8::1"},
	{"[::ffff:1.2.3.4]:1", AF_INET6, 1, "::ffff:1.2.3.4"},
};

static const char *const bad[] = {
	"", ":", "8443", "0.0.0.0", "0.0.0.0:", "0.0.0.0:65536", "0.0.0.0:-1", "0.0.0.0:+1", "0.0.0.0: 1", "0.0.0.0:1 ",
	"0.0.0.0:0x1", "0.0.0.0:100000", "localhost:1", "1.2.3:1", "1.2.3.4.5:1", "256.0.0.1:1", "::1:8443", "[::1]",
	"[::1:1", "::1]:1", "[]:1", "[127.0.0.1]:1", "[::1]x:1", "x[::1]:1", "[[::1]]:1", "http://0.0.0.0:1",
	"1111111111111111111111111111111111111111111111111111111111111111111111111111111111111111:1",
};

START_TEST(parses)
{
	struct listen_address address;
	struct error err;
	char host[INET6_ADDRSTRLEN];
	ck_assert_int_eq(listen_parse(str_of(good[_i].text), &address, &err), 0);
	ck_assert_int_eq(address.storage.ss_family, good[_i].family);
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	memcpy(&v4, &address.storage, sizeof v4);
	memcpy(&v6, &address.storage, sizeof v6);
	bool is_v6 = good[_i].family == AF_INET6;
	ck_assert_uint_eq(address.length, is_v6 ? sizeof v6 : sizeof v4);
	ck_assert_uint_eq(ntohs(is_v6 ? v6.sin6_port : v4.sin_port), good[_i].port);
	const void *at = is_v6 ? (const void *)&v6.sin6_addr : (const void *)&v4.sin_addr;
	ck_assert_str_eq(inet_ntop(good[_i].family, at, host, sizeof host), good[_i].host);
}
END_TEST

START_TEST(refuses)
{
	struct listen_address address = {.length = 77};
	struct error err = {0};
	ck_assert_int_eq(listen_parse(str_of(bad[_i]), &address, &err), ERR_INVALID);
	ck_assert_uint_eq(address.length, 77);
	ck_assert_ptr_nonnull(strstr(err.text, "; write"));
}
END_TEST

static struct listen_address address_of(const char *text)
{
	struct listen_address address;
	ck_assert_int_eq(listen_parse(str_of(text), &address, NULL), 0);
	return address;
}

START_TEST(opens_and_names)
{
	struct listen_address any = address_of("127.0.0.1:0");
	struct error err = {0};
	char name[LISTEN_NAME_MAX];
	int fd = -1, second = -1;
	ck_assert_int_eq(listen_open(&any, &fd, &err), 0);
	listen_name(fd, name);
	ck_assert_int_eq(strncmp(name, "127.0.0.1:", 10), 0);
	ck_assert_str_ne(name, "127.0.0.1:0");

	struct listen_address taken = address_of(name);
	ck_assert_int_eq(listen_open(&taken, &second, &err), ERR_IO);
	ck_assert_int_eq(second, -1);
	ck_assert_ptr_nonnull(strstr(err.text, name));
	ck_assert_ptr_nonnull(strstr(err.text, "in use; choose another port"));

	/* Closed means closed for copies as well, and whoever waits there learns it. */
	int copy = dup(fd);
	ck_assert_int_ge(copy, 0);
	listen_close(&fd);
	ck_assert_int_eq(fd, -1);
	struct pollfd waiting = {.fd = copy, .events = POLLIN};
	ck_assert_int_eq(poll(&waiting, 1, 0), 1);
	ck_assert_int_eq(listen_open(&taken, &second, &err), 0);
	listen_close(&second);
	listen_close(&second);
	close(copy);
}
END_TEST

START_TEST(connections_send_without_delay)
{
	struct listen_address any = address_of("127.0.0.1:0");
	struct error err = {0};
	struct sockaddr_storage bound = {0};
	socklen_t length = sizeof bound, size = sizeof(int);
	int fd = -1, without_delay = 0, client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(listen_open(&any, &fd, &err), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&bound, &length), 0);
	ck_assert_int_eq(connect(client, (struct sockaddr *)&bound, length), 0);
	int accepted = accept(fd, NULL, NULL);
	ck_assert_int_ge(accepted, 0);
	ck_assert_int_eq(getsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &without_delay, &size), 0);
	ck_assert_int_ne(without_delay, 0);
	close(accepted);
	close(client);
	listen_close(&fd);
}
END_TEST

START_TEST(addresses_of_others)
{
	struct listen_address foreign = address_of("192.0.2.1:0");
	struct error err = {0};
	int fd = -1;
	ck_assert_int_eq(listen_open(&foreign, &fd, &err), ERR_IO);
	ck_assert_ptr_nonnull(strstr(err.text, "192.0.2.1:0"));
	ck_assert_ptr_nonnull(strstr(err.text, "choose an address of this machine"));
	listen_name(-1, (char[LISTEN_NAME_MAX]){0});
}
END_TEST

START_TEST(names_both_ends)
{
	struct listen_address address = address_of("127.0.0.1:0");
	struct error err = {0};
	struct sockaddr_storage bound = {0};
	socklen_t length = sizeof bound;
	char own[LISTEN_NAME_MAX], peer[LISTEN_NAME_MAX];
	int fd = -1, client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(listen_open(&address, &fd, &err), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&bound, &length), 0);
	ck_assert_int_eq(connect(client, (struct sockaddr *)&bound, length), 0);
	listen_name(fd, own);
	listen_peer_name(client, peer);
	ck_assert_str_eq(peer, own);
	listen_peer_name(fd, peer);
	ck_assert_str_eq(peer, "unknown");
	close(client);
	listen_close(&fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("listen");
	TCase *cases = tcase_create("listen");
	tcase_add_loop_test(cases, parses, 0, sizeof good / sizeof *good);
	tcase_add_loop_test(cases, refuses, 0, sizeof bad / sizeof *bad);
	tcase_add_test(cases, opens_and_names);
	tcase_add_test(cases, connections_send_without_delay);
	tcase_add_test(cases, addresses_of_others);
	tcase_add_test(cases, names_both_ends);
	suite_add_tcase(suite, cases);
	return unit_run(suite);
}
