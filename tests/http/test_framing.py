#!/usr/bin/python3
"""
Where a request ends: everything that two systems could read differently is refused and the connection closed, so that
no bytes of one request become another one (RFC 9112, 11.2).
"""
import json
import unittest

import harness
from harness import BODY, head, read_all, read_response, review

SMUGGLED = json.dumps(review(uid='smuggled')).encode()
HIDDEN = head('/mutate', len(SMUGGLED)) + SMUGGLED


def request(*lines, body=b'', version='HTTP/1.1', end='\r\n'):
    rows = ['POST /mutate ' + version, 'Host: localhost', 'Content-Type: application/json', *lines]
    return (end.join(rows) + end + end).encode() + body


class Refused(harness.TestCase):
    def refuse(self, data, ours=True):
        """A 400 and the end; nothing behind it is looked at."""
        with self.server.tls() as s:
            s.sendall(data + HIDDEN)
            answer = read_all(s)
        self.assertTrue(answer.startswith(b'HTTP/1.1 400 '), answer[:200])
        self.assertNotIn(b'smuggled', answer)
        if ours:
            self.assertEqual(answer.count(b'HTTP/1.1 '), 1, answer)
            self.assertIn(b'"the end of the request is not clear: ', answer)
            self.assertIn(b'\r\nConnection: close\r\n', answer)

    def test_both_lengths(self):
        chunked = b'%x\r\n%s\r\n0\r\n\r\n' % (len(BODY), BODY)
        self.refuse(request('Content-Length: %d' % len(BODY), 'Transfer-Encoding: chunked', body=chunked))
        self.refuse(request('Transfer-Encoding: chunked', 'Content-Length: 4', body=chunked))

    def test_two_lengths(self):
        self.refuse(request('Content-Length: 5', 'Content-Length: %d' % len(BODY), body=BODY))
        self.refuse(request('Content-Length: %d' % len(BODY), 'content-length: %d' % len(BODY), body=BODY))

    def test_lengths_that_are_no_numbers(self):
        for value in ('+5', '-5', '0x5', '5,5', '5 5', '5\t5', '', ' ', '5;', '٥', '1e3'):
            with self.subTest(value):
                self.refuse(request('Content-Length: ' + value, body=BODY), ours=False)
        # libmicrohttpd itself answers what is too long for 64 bits.
        with self.server.tls() as s:
            s.sendall(request('Content-Length: ' + '9' * 40) + HIDDEN)
            answer = read_all(s)
        self.assertTrue(answer.startswith(b'HTTP/1.1 413 '), answer)
        self.assertNotIn(b'smuggled', answer)

    def test_transfer_encodings(self):
        for value in ('gzip', 'identity', 'gzip, chunked', 'chunked, chunked', 'chunked, identity', 'xchunked',
                      'chunked;a=b', '"chunked"', '', '\x0bchunked'):
            with self.subTest(value):
                self.refuse(request('Transfer-Encoding: ' + value, body=b'0\r\n\r\n'))
        self.refuse(request('Transfer-Encoding: chunked', 'Transfer-Encoding: identity', body=b'0\r\n\r\n'))
        self.refuse(request('Transfer-Encoding: chunked', body=b'0\r\n\r\n', version='HTTP/1.0'))

    def test_folded_framing(self):
        for line in ('Transfer-Encoding:\r\n chunked', 'Transfer-Encoding: chun\r\n\tked',
                     'transfer-encoding:\r\n  chunked'):
            with self.subTest(line):
                self.refuse(request('Content-Length: 5', line, body=b'0\r\n\r\n'))
        self.refuse(request('Content-Length: 1\r\n 0', body=BODY))

    def test_names_that_are_not_plain(self):
        for line in ('Content-Length : 5', 'Content-Length\t: 5', 'Transfer-Encoding : chunked', 'Content Length: 5',
                     'Content-Length\x0b: 5', 'Content-Length\x00: 5', 'Tr\xe4nsfer-Encoding: chunked', '(x): y'):
            with self.subTest(line):
                self.refuse(request('Content-Length: 0', line), ours=False)

    def test_values_with_control_characters(self):
        for line in ('Content-Length: 5\r', 'X: a\rb', 'X: a\x01', 'X: \x7f', 'Transfer-Encoding: chunked\r\rX: y'):
            with self.subTest(line):
                self.refuse(request('Content-Length: 0', line), ours=False)

    def test_chunks(self):
        for chunk in (b'g\r\n', b'-1\r\n', b'+5\r\nhello\r\n0\r\n\r\n', b'0x5\r\nhello\r\n0\r\n\r\n', b'\r\n\r\n',
                      b'5 \r\nhello\r\n0\r\n\r\n', b'5\r\nhelloXX\r\n', b';a\r\n',
                      b'5\0\r\nhello\r\n0\r\n\r\n'):
            with self.subTest(chunk):
                self.refuse(request('Transfer-Encoding: chunked', body=chunk), ours=False)
        with self.server.tls() as s:
            s.sendall(request('Transfer-Encoding: chunked', body=b'f' * 17 + b'\r\n') + HIDDEN)
            self.assertTrue(read_all(s).startswith(b'HTTP/1.1 413 '))

    def test_request_lines(self):
        for line in (b'POST /mutate', b'POST  HTTP/1.1', b'POST /mutate x HTTP/1.1', b'\x00\x01\x02', b'HTTP/1.1',
                     b'POST /mutate HTTP/2.0', b'POST /mutate HTTP/1.1 x', b'POST\t/mutate\tHTTP/1.1'):
            with self.subTest(line), self.server.tls() as s:
                s.sendall(line + b'\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n' + HIDDEN)
                answer = read_all(s)
                self.assertNotIn(b'smuggled', answer)
                self.assertRegex(answer[:13], rb'^$|^HTTP/1\.[01] (400|505) ')
        self.assertServes()

    def test_no_host(self):
        with self.server.tls() as s:
            s.sendall(b'POST /mutate HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n' + HIDDEN)
            answer = read_all(s)
        self.assertTrue(answer.startswith(b'HTTP/1.1 400 '))
        self.assertNotIn(b'smuggled', answer)

    def test_a_body_without_a_length_is_no_next_request(self):
        with self.server.tls() as s:
            s.sendall(request(body=HIDDEN))
            answer = read_all(s)
        self.assertTrue(answer.startswith(b'HTTP/1.1 411 '), answer)
        self.assertEqual(answer.count(b'HTTP/1.1 '), 1)

    def test_admin(self):
        with self.server.admin() as s:
            s.sendall(b'GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n'
                      b'0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
            answer = read_all(s)
        self.assertTrue(answer.startswith(b'HTTP/1.1 400 '))
        self.assertEqual(answer.count(b'HTTP/1.1 '), 1)


class Taken(harness.TestCase):
    """What libmicrohttpd reads leniently, and reads as one request: pinned here, so that a change shows."""

    def assertOneRequest(self, data):
        """It is answered once, and the next request on the connection is the one that we send next."""
        with self.server.tls() as s:
            s.sendall(data)
            self.assertReviewed(read_response(s))
            s.sendall(HIDDEN)
            self.assertReviewed(read_response(s), 'smuggled')

    def test_bare_line_feeds(self):
        self.assertOneRequest(request('Content-Length: %d' % len(BODY), body=BODY, end='\n'))
        self.assertOneRequest(request('Transfer-Encoding: chunked', body=b'%x\n%s\n0\n\n' % (len(BODY), BODY)))

    def test_a_nul_ends_a_value(self):
        self.assertOneRequest(request('X: a\0b', 'Content-Length: %d\0, 5' % len(BODY), body=BODY))

    def test_folded_headers_of_no_importance(self):
        self.assertOneRequest(request('X: a\r\n b', 'Content-Length: %d' % len(BODY), body=BODY))

    def test_empty_lines_before_a_request(self):
        self.assertOneRequest(b'\r\n\r\n' + request('Content-Length: %d' % len(BODY), body=BODY))

    def test_chunk_extensions_and_trailers(self):
        self.assertOneRequest(request('Transfer-Encoding: chunked',
                                      body=b'%x;a=b\r\n%s\r\n0;c\r\nX-Trailer: y\r\n\r\n' % (len(BODY), BODY)))
        self.assertOneRequest(request('Transfer-Encoding: CHUNKED',
                                      body=b'%X\r\n%s\r\n000\r\n\r\n' % (len(BODY), BODY)))

    def test_other_forms_of_a_target_are_other_paths(self):
        for target in ('https://localhost/mutate', '//localhost/mutate', 'localhost:443', '*', 'mutate'):
            with self.subTest(target), self.server.tls() as s:
                s.sendall(head(target, len(BODY)) + BODY)
                self.assertFailure(read_response(s), 404, 'NotFound')
                s.sendall(HIDDEN)
                self.assertReviewed(read_response(s), 'smuggled')

    def test_a_line_without_a_name_ends_the_head(self):
        with self.server.tls() as s:
            s.sendall(request('Content-Length: %d' % len(BODY), ': x', body=BODY))
            self.assertFailure(read_response(s), 400, 'BadRequest')
        self.assertServes()

    def test_trailers_do_not_count_as_headers(self):
        self.assertOneRequest(request('Transfer-Encoding: chunked',
                                      body=b'%x\r\n%s\r\n0\r\nContent-Length: 5\r\n\r\n' % (len(BODY), BODY)))


if __name__ == '__main__':
    harness.main()
