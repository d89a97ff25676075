#!/usr/bin/python3
"""Every status code, for every way to earn it; and after each one the server goes on."""
import contextlib
import json
import unittest

import harness
from harness import BODY, BODY_LIMIT, head, read_response, review, together


class Reviews(harness.TestCase):
    def test_a_review_is_answered_with_its_uid(self):
        body = json.dumps(review(uid='abc-Ü-"x"')).encode()
        response = self.assertReviewed(self.server.post(body=body), 'abc-Ü-"x"')
        self.assertTrue(response['allowed'])
        self.assertEqual(response['patchType'], 'JSONPatch')

    def test_the_timeout_of_the_api_server_is_no_other_path(self):
        for path in ('/mutate?timeout=5s', '/validate?timeout=10s', '/validate?', '/mutate?a=b&c', '/mutate?%ff'):
            with self.subTest(path):
                self.assertReviewed(self.server.post(path))

    def test_a_denial_is_a_200(self):
        response = self.assertReviewed(self.server.post('/validate', json.dumps(review(harness.DATABASE)).encode()))
        self.assertFalse(response['allowed'])
        self.assertIn(response['status']['code'], (403, 422))

    def test_a_review_of_3_mib(self):
        body = harness.review_of_size(3 * 1024 * 1024)
        self.assertTrue(self.assertReviewed(self.server.post(body=body))['allowed'])

    def test_media_types(self):
        for kind in ('application/json; charset=utf-8', 'Application/JSON', 'application/json ;x=y',
                     'application/json;'):
            with self.subTest(kind):
                self.assertReviewed(self.server.request('POST', '/mutate', BODY, {'Content-Type': kind}))

    def test_chunked(self):
        for size in (1, 7, 1000, 100000):
            with self.subTest(size):
                parts = (BODY[i:i + size] for i in range(0, len(BODY), size))
                self.assertReviewed(self.server.request('POST', '/mutate', parts, {'Content-Type': 'application/json'},
                                                        encode_chunked=True))

    def test_expect_100_continue(self):
        with self.server.tls() as s:
            s.sendall(head('/mutate', len(BODY), 'Expect: 100-continue'))
            interim = b''
            while not interim.endswith(b'\r\n\r\n'):
                interim += s.recv(1)
            self.assertEqual(interim, b'HTTP/1.1 100 Continue\r\n\r\n')
            s.sendall(BODY)
            self.assertReviewed(read_response(s))


class Refusals(harness.TestCase):
    def test_400_malformed(self):
        good = BODY.decode()
        bodies = {
            'empty': '', 'space': '  ', 'no JSON': 'hello', 'cut': good[:-1], 'more behind': good + 'x',
            'two': good + good, 'array': '[]', 'null': 'null', 'no uid': json.dumps(review(uid='')),
            'no request': '{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}',
            'v1beta1': good.replace('admission.k8s.io/v1', 'admission.k8s.io/v1beta1'),
            'other kind': good.replace('AdmissionReview', 'Pod'), 'case': good.replace('"request"', '"Request"'),
            'duplicate key': good.replace('{"kind"', '{"kind":1,"kind"', 1),
            'NUL in a key': good.replace('"uid"', '"uid\\u0000"'), 'NUL bytes': b'\0' * 1000,
            'deep': '[' * 10000, 'deep object': '{"a":' * 5000, 'bad UTF-8': b'\xff\xfe' + BODY,
        }
        for name, body in bodies.items():
            with self.subTest(name):
                data = body if isinstance(body, bytes) else body.encode()
                self.assertFailure(self.server.post(body=data), 400, 'BadRequest')
                self.assertServes()

    def test_404_names_the_paths(self):
        for path in ('/', '/mutate/', '/MUTATE', '/mutatex', '//mutate', '/healthz', '/metrics', '/../mutate'):
            with self.subTest(path):
                answer = self.server.post(path)
                self.assertFailure(answer, 404, 'NotFound', '/mutate')
                self.assertFailure(answer, 404, 'NotFound', '/validate')

    def test_405_says_what_is_allowed(self):
        for method in ('GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'FOO'):
            with self.subTest(method):
                answer = self.server.request(method, '/mutate', BODY if method == 'PUT' else None)
                self.assertFailure(answer, 405, 'MethodNotAllowed', 'POST')
                self.assertEqual(answer[1]['Allow'], 'POST')
        status, headers, body = self.server.request('HEAD', '/validate')
        self.assertEqual((status, headers['Allow'], body), (405, 'POST', b''))

    def test_411_without_a_length(self):
        with self.server.tls() as s:
            s.sendall(head())
            answer = read_response(s)
            self.assertFailure(answer, 411, None, 'Content-Length')
            self.assertEqual(answer[1]['Connection'], 'close')
            self.assertIsNone(read_response(s))
        self.assertServes()

    def test_415(self):
        for kind in ('text/plain', 'application/jsonx', 'application/yaml', 'text/json; application/json', '', None):
            with self.subTest(kind):
                headers = {} if kind is None else {'Content-Type': kind}
                self.assertFailure(self.server.request('POST', '/mutate', BODY, headers), 415, 'UnsupportedMediaType',
                                   'application/json')

    def test_refusals_keep_the_connection(self):
        client = self.server.client()
        json_type = {'Content-Type': 'application/json'}
        for path, body, headers, status in (('/mutate', b'x' * 100000, {'Content-Type': 'text/plain'}, 415),
                                            ('/nothing', BODY, json_type, 404), ('/mutate', b'{', json_type, 400),
                                            ('/mutate', BODY, json_type, 200)):
            self.assertEqual(harness.exchange(client, 'POST', path, body, headers)[0], status)
            sock = client.sock
            self.assertIsNotNone(sock)
        client.close()

    def test_refused_before_100_continue(self):
        for path, length, lines, status in (('/mutate', BODY_LIMIT + 1, (), 413), ('/nothing', 100, (), 404),
                                            ('/mutate', 100, ('Content-Type: text/plain',), 415)):
            with self.subTest(status), self.server.tls() as s:
                s.sendall(head(path, length, 'Expect: 100-continue', *lines))
                answer = read_response(s)
                self.assertFailure(answer, status)
                self.assertEqual(answer[1]['Connection'], 'close')
                self.assertIsNone(read_response(s))
        self.assertServes()


class Limits(harness.TestCase):
    """Bodies at the limit of 7 MiB."""

    def test_at_the_limit(self):
        body = harness.review_of_size(BODY_LIMIT)
        self.assertTrue(self.assertReviewed(self.server.post(body=body))['allowed'])
        parts = (body[i:i + 65536] for i in range(0, len(body), 65536))
        chunked = self.server.request('POST', '/mutate', parts, {'Content-Type': 'application/json'},
                                      encode_chunked=True)
        self.assertTrue(self.assertReviewed(chunked)['allowed'])

    def test_one_byte_above(self):
        body = b' ' * (BODY_LIMIT + 1)
        self.assertFailure(self.server.post(body=body), 413, 'RequestEntityTooLarge', str(BODY_LIMIT))
        self.assertServes()

    def test_far_above_is_refused_without_the_body(self):
        for length in (BODY_LIMIT + 1, 10 ** 12, 2 ** 64 - 2):
            with self.subTest(length), self.server.tls() as s:
                s.sendall(head('/mutate', length))
                self.assertFailure(read_response(s), 413)
                self.assertIsNone(read_response(s))

    def test_a_client_that_sends_on_gets_the_answer(self):
        self.assertFailure(self.server.post(body=b' ' * (40 * 1024 * 1024)), 413)

    def test_chunked_above(self):
        for size in (BODY_LIMIT + 1, 3 * BODY_LIMIT):
            with self.subTest(size):
                parts = (b' ' * min(65536, size - i) for i in range(0, size, 65536))
                answer = self.server.request('POST', '/mutate', parts, {'Content-Type': 'application/json'},
                                             encode_chunked=True)
                self.assertFailure(answer, 413)
        self.assertServes()

    def test_a_refused_body_has_the_limit_as_well(self):
        parts = (b' ' * 65536 for _ in range(BODY_LIMIT // 65536 + 2))
        self.assertFailure(self.server.request('POST', '/nothing', parts, {}, encode_chunked=True), 413)

    def test_an_announced_length_takes_no_memory(self):
        """Fifty announcements of the limit: 350 MiB, if they were believed."""
        together(*[self.assertServes] * 4)
        before = self.server.metric('process_virtual_memory_bytes')
        with contextlib.ExitStack() as stack:
            for _ in range(50):
                s = stack.enter_context(self.server.tls())
                s.sendall(head('/mutate', BODY_LIMIT) + b'{')
            self.server.wait_metric('connhook_connections', 50)
            self.assertLess(self.server.metric('process_virtual_memory_bytes') - before, 200 * 1024 * 1024)
        self.server.wait_metric('connhook_connections', 0)

    def test_large_heads(self):
        for name, data, status in (('path', b'POST /' + b'x' * 100000, 414),
                                   ('header', head('/mutate', 1, 'X: ' + 'y' * 100000), 431)):
            with self.subTest(name), self.server.tls() as s:
                s.sendall(data)
                self.assertEqual(read_response(s)[0], status)
        self.assertServes()


class Admin(harness.TestCase):
    def test_healthz(self):
        status, headers, body = self.server.get('/healthz')
        self.assertEqual((status, body), (200, b'ok'))
        self.assertTrue(headers['Content-Type'].startswith('text/plain'))

    def test_readyz(self):
        self.assertEqual(self.server.get('/readyz')[::2], (200, b'ok'))
        self.assertEqual(self.server.get('/readyz?other=1')[::2], (200, b'ok'))
        for path in ('/readyz?verbose', '/readyz?verbose=1'):
            status, _, body = self.server.get(path)
            lines = body.decode().splitlines()
            self.assertEqual(status, 200)
            self.assertEqual(lines[0], '[+]configuration ok')
            self.assertRegex(lines[1], r'^\[\+\]certificate ok \(expires \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\)$')
            self.assertRegex(lines[2], r'^\[\+\]ca ok \(expires \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\)$')
            self.assertEqual(lines[3:], ['[+]workers ok', '[+]shutdown ok', 'readyz check passed'])

    def test_version(self):
        status, headers, body = self.server.get('/version')
        version = json.loads(body)
        self.assertEqual((status, headers['Content-Type']), (200, 'application/json'))
        self.assertRegex(version['version'], r'^\d+\.\d+\.\d+$')
        self.assertRegex(version['configuration'], r'^[0-9a-f]{16}$')
        self.assertEqual(sorted(version['libraries']), ['gnutls', 'libmicrohttpd'])

    def test_head_has_the_length_and_no_body(self):
        for path in ('/healthz', '/readyz', '/version'):
            with self.subTest(path):
                length = len(self.server.get(path)[2])
                status, headers, body = self.server.get(path, 'HEAD')
                self.assertEqual((status, int(headers['Content-Length']), body), (200, length, b''))

    def test_404(self):
        self.assertFailure(self.server.get('/'), 404, 'NotFound', '/healthz')
        self.assertFailure(self.server.get('/mutate', 'POST', BODY), 404, 'NotFound', '/mutate')

    def test_405(self):
        for method in ('POST', 'PUT', 'DELETE', 'OPTIONS'):
            answer = self.server.get('/healthz', method)
            self.assertFailure(answer, 405, 'MethodNotAllowed')
            self.assertEqual(answer[1]['Allow'], 'GET, HEAD')

    def test_413(self):
        self.assertFailure(self.server.get('/healthz', 'POST', b'x' * 20000), 413)
        self.assertEqual(self.server.get('/healthz', 'GET', b'x' * 10000)[0], 200)


if __name__ == '__main__':
    harness.main()
