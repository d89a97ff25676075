#!/usr/bin/python3
"""Slow clients: a request has its time from its first byte to its last, an idle connection has much more."""
import contextlib
import json
import socket
import ssl
import time
import unittest

import harness
from harness.wire import Wire
from harness import BODY, BODY_LIMIT, WAIT, head, read_all, read_response, review, together

DEADLINE = 1        # --request-timeout
LATE = 3            # it must have ended by then: the deadline, and what a busy machine needs
PACE = 0.2          # between two bytes of a client that trickles
FULL = head('/mutate', len(BODY)) + BODY


class Slow(harness.TestCase):
    options = ('--request-timeout', str(DEADLINE), '--threads', '2')

    def assertEndsWith408(self, s, began):
        answer = read_response(s)
        self.assertFailure(answer, 408, 'Timeout', 'in time')
        self.assertEqual(answer[1]['Connection'], 'close')
        self.assertGreaterEqual(time.monotonic() - began, DEADLINE * 0.9)
        self.assertLess(time.monotonic() - began, LATE)
        self.assertEqual(s.recv(1), b'')

    def stall(self, data, connect=None):
        """Sends that, and nothing more."""
        with (connect or self.server.tls)() as s:
            began = time.monotonic()
            s.sendall(data)
            self.assertEndsWith408(s, began)

    def trickle(self, data, connect=None, before=b''):
        """Sends one byte after the other, until there is an answer."""
        with (connect or self.server.tls)() as s:
            s.sendall(before)
            began = time.monotonic()
            s.settimeout(PACE)
            first = b''
            for byte in data:
                try:
                    s.sendall(bytes([byte]))
                    first = s.recv(1)
                    break
                except TimeoutError:
                    self.assertLess(time.monotonic() - began, LATE, 'the bytes extended the deadline')
            s.settimeout(WAIT)
            rest = read_all(s)
        self.assertIn(b'HTTP/1.1 408 Request Timeout\r\n', first + rest)
        self.assertGreaterEqual(time.monotonic() - began, DEADLINE * 0.9)

    def second(self, data):
        """A good request, and then that."""
        with self.server.tls() as s:
            s.sendall(FULL)
            self.assertReviewed(read_response(s))
            began = time.monotonic()
            s.sendall(data)
            self.assertEndsWith408(s, began)

    def handshake(self, data):
        """Sends that instead of a handshake."""
        with self.server.connect() as s:
            began = time.monotonic()
            s.sendall(data)
            self.assertEqual(read_all(s), b'')
            self.assertGreaterEqual(time.monotonic() - began, DEADLINE * 0.9)
            self.assertLess(time.monotonic() - began, LATE)

    def test_stalled_handshakes_take_no_cpu(self):
        wire = Wire(self.server, self.server.context())
        hello = wire.hello()
        wire.sock.close()
        self.server.wait_metric('connhook_connections', 0)
        began = time.monotonic()
        with contextlib.ExitStack() as stack:
            sockets = [stack.enter_context(self.server.connect()) for _ in range(4)]
            for s in sockets:
                s.sendall(hello)
            for s in sockets:
                s.recv(1)  # the server has done its part, which takes CPU
            stalled, before = time.monotonic(), self.server.metric('process_cpu_seconds_total')
            for s in sockets:
                read_all(s)
        ended = time.monotonic()
        self.assertGreaterEqual(ended - began, DEADLINE * 0.9)
        self.assertLess(ended - began, LATE)
        self.assertLess(self.server.metric('process_cpu_seconds_total') - before, (ended - stalled) / 2)

    def test_a_line_that_is_larger_than_the_buffer_takes_no_cpu(self):
        """Of a head that is too large libmicrohttpd says so; for a line between chunks it would wait, and spin."""
        with self.server.tls() as s:
            before = self.server.metric('process_cpu_seconds_total')
            began = time.monotonic()
            s.sendall(head('/mutate', None, 'Transfer-Encoding: chunked') + b'5;' + b'x' * 50000)
            self.assertEndsWith408(s, began)
            took = time.monotonic() - began
        self.assertLess(self.server.metric('process_cpu_seconds_total') - before, took / 4)

    def after_continue(self):
        with self.server.tls() as s:
            began = time.monotonic()
            s.sendall(head('/mutate', len(BODY), 'Expect: 100-continue'))
            interim = b''
            while not interim.endswith(b'\r\n\r\n'):
                interim += s.recv(1)
            self.assertEndsWith408(s, began)

    def test_stalls(self):
        tls_1_2 = self.server.context(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)
        together(lambda: self.stall(b'P'),
                 lambda: self.stall(b'POST /mutate HTTP/1.1\r\n'),
                 lambda: self.stall(FULL[:70]),
                 lambda: self.stall(head('/mutate', len(BODY))),
                 lambda: self.stall(FULL[:-10]),
                 lambda: self.stall(head('/mutate', None, 'Transfer-Encoding: chunked') + b'5\r\n{'),
                 lambda: self.stall(b'P', lambda: self.server.tls(tls_1_2)),
                 lambda: self.stall(b'P', lambda: self.server.resumed(ssl.TLSVersion.TLSv1_2)),
                 lambda: self.stall(b'P', lambda: self.server.resumed(ssl.TLSVersion.TLSv1_3)),
                 lambda: self.stall(b'GET /healthz HTTP/1.1\r\n', self.server.admin),
                 lambda: self.stall(b'G', self.server.admin),
                 lambda: self.second(b'P'),
                 lambda: self.second(FULL[:-1]),
                 lambda: self.handshake(b''),
                 lambda: self.handshake(b'\x16\x03\x01\x02\x00\x01\x00\x01'),
                 self.after_continue)

    def test_trickles(self):
        together(lambda: self.trickle(FULL),
                 lambda: self.trickle(BODY, before=head('/mutate', len(BODY))),
                 lambda: self.trickle(b'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n', self.server.admin))

    def test_a_client_that_does_not_take_its_answer(self):
        """The uid comes back, and is larger than what fits between the two."""
        before = self.server.metric('connhook_http_responses_total{code="200"}')
        with socket.socket() as raw:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            raw.settimeout(WAIT)
            raw.connect(('127.0.0.1', self.server.port))
            with self.server.context().wrap_socket(raw, server_hostname='localhost') as s:
                body = json.dumps(review(uid='x' * (BODY_LIMIT - 10000))).encode()
                s.sendall(head('/mutate', len(body)) + body)
                self.server.wait_metric('connhook_http_responses_total{code="200"}', before + 1)
                began = time.monotonic()
                self.server.wait_metric('connhook_connections', 0)
                self.assertGreaterEqual(time.monotonic() - began, DEADLINE * 0.5)
                self.assertLess(time.monotonic() - began, LATE)

    def test_a_client_that_stays_is_cut_off(self):
        """It reads its answer and does not go: the connection ends all the same."""
        before = self.server.metric('connhook_http_responses_total{code="408"}')
        with self.server.tls() as s:
            s.sendall(b'P')
            self.assertEqual(read_response(s)[0], 408)
            self.server.wait_metric('connhook_connections', 0)
        self.assertEqual(self.server.metric('connhook_http_responses_total{code="408"}'), before + 1)


class Idle(harness.TestCase):
    """Idle connections outlive the deadline several times over; here the waiting itself is what is tested."""
    options = ('--request-timeout', str(DEADLINE), '--threads', '1')

    def test_idle_connections_stay(self):
        fresh = self.server.tls()
        used = self.server.tls()
        old = self.server.tls(self.server.context(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2))
        resumed = [self.server.resumed(v) for v in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)]
        plain = self.server.admin()
        used.sendall(FULL)
        self.assertReviewed(read_response(used))
        idle_until = time.monotonic() + 3 * DEADLINE
        for s in (fresh, used, old, *resumed, plain):
            s.settimeout(max(idle_until - time.monotonic(), 0.01))
            with self.assertRaises(TimeoutError, msg='the server closed an idle connection'):
                s.recv(1)
            s.settimeout(WAIT)
        for s in (fresh, used, old, *resumed):
            s.sendall(FULL)
            self.assertReviewed(read_response(s))
            s.close()
        plain.sendall(b'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
        self.assertEqual(read_response(plain)[0], 200)
        plain.close()

    def test_a_request_after_a_pause_is_no_slow_request(self):
        """The deadline begins with the first byte, not with the connection."""
        with self.server.tls() as s:
            for _ in range(2):
                s.settimeout(DEADLINE * 0.8)
                with self.assertRaises(TimeoutError):
                    s.recv(1)
                s.settimeout(WAIT)
                s.sendall(FULL[:100])
                s.settimeout(DEADLINE * 0.6)
                with self.assertRaises(TimeoutError, msg='the pause before the request counted'):
                    s.recv(1)
                s.settimeout(WAIT)
                s.sendall(FULL[100:])
                self.assertReviewed(read_response(s))


if __name__ == '__main__':
    harness.main()
