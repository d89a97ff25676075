#!/usr/bin/python3
"""Connections: reuse, TLS versions, clients that go away, many at once."""
import contextlib
import json
import resource
import socket
import ssl
import struct
import threading
import unittest
import warnings

import harness
from harness.wire import Wire
from harness import BODY, WAIT, exchange, head, read_all, read_response, review

JSON_TYPE = {'Content-Type': 'application/json'}
GONE = 8  # seconds: less than a request's deadline; a client that has ended its side is not waited for


def reset(sock):
    """Closes with a RST, as a process that is killed does."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    sock.close()


def half_close(sock):
    """Sends the end of the stream, and waits for the server's."""
    sock.shutdown(socket.SHUT_WR)
    read_all(sock)
    sock.close()


class Reuse(harness.TestCase):
    def test_hundreds_of_requests_on_one_connection(self):
        client = self.server.client()
        client.connect()
        port = client.sock.getsockname()[1]
        for i in range(500):
            uid = 'u-%d' % i
            answer = exchange(client, 'POST', '/mutate?timeout=5s', json.dumps(review(uid=uid)).encode(), JSON_TYPE)
            self.assertReviewed(answer, uid)
            self.assertNotEqual(answer[1]['Connection'], 'close')
        self.assertEqual(client.sock.getsockname()[1], port)
        client.close()

    def test_large_and_small_in_turns(self):
        client = self.server.client()
        large = harness.review_of_size(2 * 1024 * 1024)
        for _ in range(3):
            self.assertReviewed(exchange(client, 'POST', '/mutate', large, JSON_TYPE))
            self.assertReviewed(exchange(client, 'POST', '/validate', BODY, JSON_TYPE))
        client.close()

    def test_pipelined(self):
        with self.server.tls() as s:
            uids = ['p-%d' % i for i in range(20)]
            bodies = [json.dumps(review(uid=uid)).encode() for uid in uids]
            s.sendall(b''.join(head('/mutate', len(body)) + body for body in bodies))
            # All answers come in one stream: http.client reads one response off a file that is its own.
            stream = s.makefile('rb')
            for uid in uids:
                self.assertEqual(stream.readline(), b'HTTP/1.1 200 OK\r\n')
                length = None
                for line in iter(stream.readline, b'\r\n'):
                    name, _, value = line.partition(b':')
                    length = int(value) if name.lower() == b'content-length' else length
                self.assertEqual(json.loads(stream.read(length))['response']['uid'], uid)
            stream.close()

    def test_connection_close_is_obeyed(self):
        with self.server.tls() as s:
            s.sendall(head('/mutate', len(BODY), 'Connection: close') + BODY)
            self.assertReviewed(read_response(s))
            self.assertEqual(s.recv(1), b'')

    def test_http_1_0(self):
        with self.server.tls() as s:
            s.sendall(head('/mutate', len(BODY)).replace(b'HTTP/1.1', b'HTTP/1.0') + BODY)
            self.assertReviewed(read_response(s))
            self.assertEqual(s.recv(1), b'')

    def test_admin_connections_are_reused(self):
        with self.server.admin() as s:
            for _ in range(100):
                s.sendall(b'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
                self.assertEqual(read_response(s)[::2], (200, b'ok'))


class Tls(harness.TestCase):
    options = ('--request-timeout', '1')

    def test_versions(self):
        for version, name in ((ssl.TLSVersion.TLSv1_2, 'TLSv1.2'), (ssl.TLSVersion.TLSv1_3, 'TLSv1.3')):
            with self.subTest(name), self.server.tls(self.server.context(version, version)) as s:
                self.assertEqual(s.version(), name)
                for _ in range(3):
                    s.sendall(head('/mutate', len(BODY)) + BODY)
                    self.assertReviewed(read_response(s))

    def test_old_versions_are_refused(self):
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', DeprecationWarning)
            for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
                with self.subTest(version), self.assertRaises(ssl.SSLError) as caught:
                    self.server.tls(self.server.context(version, version))
                # It is the server that ends the handshake.
                self.assertRegex(str(caught.exception).upper(), 'EOF|PROTOCOL_VERSION')
        self.assertServes()

    def test_weak_ciphers_are_refused(self):
        context = self.server.context(maximum=ssl.TLSVersion.TLSv1_2)
        context.set_ciphers('ECDHE-ECDSA-AES128-SHA:AES128-SHA:AES128-GCM-SHA256:@SECLEVEL=0')
        with self.assertRaises(ssl.SSLError):
            self.server.tls(context)
        self.assertServes()

    def test_alpn(self):
        for offer, chosen in ((['http/1.1'], 'http/1.1'), (['h2', 'http/1.1'], 'http/1.1'), (['h2'], None),
                              (None, None)):
            with self.subTest(offer), self.server.tls(self.server.context(alpn=offer)) as s:
                self.assertEqual(s.selected_alpn_protocol(), chosen)
                s.sendall(head('/mutate', len(BODY)) + BODY)
                self.assertReviewed(read_response(s))

    def test_a_client_that_does_not_trust_the_certificate(self):
        for _ in range(3):
            with self.assertRaises(ssl.SSLCertVerificationError):
                self.server.tls(ssl.create_default_context())
        # With TLS 1.3 this client says why in a way that GnuTLS cannot read; with 1.2 it can, and the log says it.
        context = ssl.create_default_context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with self.assertRaises(ssl.SSLCertVerificationError):
            self.server.tls(context)
        self.assertIn('tls_alert="CA is unknown"', self.server.wait_log('tls_alert='))
        self.assertServes()

    def test_garbage_instead_of_tls(self):
        for data in (b'POST /mutate HTTP/1.1\r\n\r\n', b'\0' * 1000, b'\x16\x03\x01\xff\xff' + b'A' * 70000,
                     bytes(range(255, -1, -1)) * 20, b'\x80\x2e\x01\x03\x01', b'\x16\x03\x01\x00\x04\x01\x00\x00\x00'):
            with self.subTest(data[:8]), self.server.connect() as s:
                try:
                    s.sendall(data)
                except ConnectionError:
                    pass
                read_all(s)
        self.assertServes()

    def test_plain_http_on_the_admin_port_only(self):
        with self.server.admin() as s, self.assertRaises((ssl.SSLError, ConnectionError)):
            ssl.create_default_context(cafile=self.server.ca).wrap_socket(s, server_hostname='localhost')
        self.assertEqual(self.server.get('/healthz')[0], 200)


class GoneClients(harness.TestCase):
    def abort(self, data, how):
        s = self.server.tls()
        s.sendall(data)
        how(s)

    def test_in_the_middle_of_a_request(self):
        def close(sock):
            sock.close()

        for data in (b'', b'P', b'POST /mutate HTT', head('/mutate', 1000)[:60], head('/mutate', len(BODY)),
                     head('/mutate', len(BODY)) + BODY[:100], head('/mutate', len(BODY)) + BODY,
                     head('/mutate', None, 'Transfer-Encoding: chunked') + b'ff\r\nxyz'):
            for how in (reset, close, half_close):
                self.abort(data, how)
        self.server.wait_metric('connhook_connections', 0)
        self.assertServes()

    def test_the_end_in_the_packet_of_the_last_bytes(self):
        """libmicrohttpd is told of both at once, reads once, and is not told again."""
        def send_last(sock, data):
            sock.send(data, socket.MSG_MORE)
            sock.shutdown(socket.SHUT_WR)

        ended = []
        for count in (1, 100, 500):
            wire = Wire(self.server, self.server.context())
            wire.sock.sendall(wire.hello())
            finished = wire.finish()
            send_last(wire.sock, finished + wire.seal(head('/mutate', len(BODY)) + BODY)[:count])
            ended.append(wire.sock)
        for data in (b'G', b'GET /healthz HTTP/1.1\r\nHost'):
            s = self.server.admin()
            send_last(s, data)
            ended.append(s)
        for s in ended:
            s.settimeout(GONE)
            self.assertNotIn(b'HTTP/1.1 200 ', read_all(s))
            s.close()
        self.server.wait_metric('connhook_connections', 0)
        self.assertServes()

    def test_before_and_in_the_handshake(self):
        for data in (b'', b'\x16', b'\x16\x03\x01\x02\x00\x01'):
            for how in (reset, half_close):
                s = self.server.connect()
                s.sendall(data)
                how(s)
        self.server.wait_metric('connhook_connections', 0)
        self.assertServes()


class Many(harness.TestCase):
    options = ('--threads', '2')

    def test_200_at_once(self):
        failures = []
        context = self.server.context()
        together = threading.Barrier(200)

        def run(number):
            try:
                with self.server.tls(context) as s:
                    together.wait(WAIT)
                    for i in range(5):
                        uid = 'm-%d-%d' % (number, i)
                        body = json.dumps(review(uid=uid)).encode()
                        s.sendall(head('/mutate', len(body)) + body)
                        answer = read_response(s)
                        if answer[0] != 200 or json.loads(answer[2])['response']['uid'] != uid:
                            failures.append((uid, answer))
            except Exception as error:  # a thread's failure has to reach the test
                failures.append((number, repr(error)))

        threads = [threading.Thread(target=run, args=(i,)) for i in range(200)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.server.wait_metric('connhook_connections', 0)
        self.assertEqual(self.server.metric('connhook_http_responses_total{code="200"}'), 1000)

    def test_health_is_answered_beside_large_requests(self):
        large = harness.review_of_size(6 * 1024 * 1024)
        answers = []

        def run():
            answers.append(self.server.post(body=large)[0])

        threads = [threading.Thread(target=run) for _ in range(4)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            self.assertEqual(self.server.get('/healthz')[0], 200)
        self.assertEqual(answers, [200] * 4)


class Crowded(harness.TestCase):
    """As many connections as the server takes: the one that has been quiet for longest makes room."""
    options = ('--threads', '1')
    LIMIT, ADMIN_LIMIT = 1024, 128

    @classmethod
    def setUpClass(cls):
        cls.files = resource.getrlimit(resource.RLIMIT_NOFILE)
        if cls.files[1] < 2 * cls.LIMIT:
            raise unittest.SkipTest('this needs a limit of %d open files' % (2 * cls.LIMIT))
        resource.setrlimit(resource.RLIMIT_NOFILE, (cls.files[1], cls.files[1]))
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        resource.setrlimit(resource.RLIMIT_NOFILE, cls.files)

    def test_clients_that_never_begin(self):
        with contextlib.ExitStack() as stack:
            kept = stack.enter_context(contextlib.closing(self.server.client()))
            self.assertReviewed(exchange(kept, 'POST', '/mutate', BODY, JSON_TYPE))
            quiet = [stack.enter_context(self.server.connect()) for _ in range(self.LIMIT - 1)]
            self.server.wait_metric('connhook_connections', self.LIMIT)
            self.assertReviewed(exchange(kept, 'POST', '/mutate', BODY, JSON_TYPE))
            self.assertServes()
            self.assertEqual(quiet[0].recv(1), b'')
            self.assertIn('the longest quiet one is closed', self.server.wait_log('limit of connections'))
            # The one in use was never the quietest.
            self.assertReviewed(exchange(kept, 'POST', '/mutate', BODY, JSON_TYPE))
            quiet[-1].setblocking(False)
            with self.assertRaises(BlockingIOError):
                quiet[-1].recv(1)
        self.server.wait_metric('connhook_connections', 0)

    def test_idle_clients(self):
        context = self.server.context()
        with contextlib.ExitStack() as stack:
            idle = [stack.enter_context(self.server.tls(context)) for _ in range(self.LIMIT)]
            for _ in range(3):
                self.assertServes()
            # The first one had its turn and is gone; a used one is no worse than a new one.
            self.assertEqual(idle[0].recv(1), b'')
            idle[-1].sendall(head('/mutate', len(BODY)) + BODY)
            self.assertReviewed(read_response(idle[-1]))
        self.server.wait_metric('connhook_connections', 0)

    def test_admin(self):
        """A liveness probe that finds no room ends the process."""
        with contextlib.ExitStack() as stack:
            for _ in range(2 * self.ADMIN_LIMIT):
                stack.enter_context(self.server.admin())
            self.assertEqual(self.server.get('/healthz')[0], 200)


if __name__ == '__main__':
    harness.main()
