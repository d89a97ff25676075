#!/usr/bin/python3
"""TLS: priorities, and sessions that are resumed."""
import os
import shutil
import ssl
import subprocess
import tempfile
import time
import unittest

import harness
from harness import BODY, WAIT, Server, gnutls, head, read_response
from harness.authority import Authority, join
from harness.wire import Wire

VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


class Handshake(harness.TestCase):
    # The random number of a ServerHello that is a HelloRetryRequest (RFC 8446, 4.1.3).
    RETRY = bytes.fromhex('cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c')

    def test_one_round_trip(self):
        """A client that begins with X25519, as Go and OpenSSL do, is not asked to begin anew."""
        wire = Wire(self.server, self.server.context())
        wire.sock.sendall(wire.hello())
        answer = wire.sock.recv(65536)
        wire.sock.close()
        self.assertEqual(answer[:3], b'\x16\x03\x03')
        self.assertNotIn(self.RETRY, answer)


class Records(harness.TestCase):
    """libmicrohttpd takes a record without data for the end of what there is to read."""
    REQUEST = head('/mutate', len(BODY)) + BODY

    def test_a_request_together_with_records_of_no_data(self):
        for name, version, before in (
                ('nothing', 'TLS1.2', lambda session: None), ('nothing', 'TLS1.3', lambda session: None),
                ('new keys', 'TLS1.3', gnutls.Session.update_keys),
                ('an empty record', 'TLS1.3', gnutls.Session.send_nothing)):
            with self.subTest(before=name, version=version), gnutls.Session(self.server, version) as session:
                for _ in range(2):
                    with session.at_once():
                        before(session)
                        session.send(self.REQUEST)
                    self.assertTrue(session.receive().startswith(b'HTTP/1.1 200 '))
                    session.receive()


class Priorities(unittest.TestCase):
    def assertRefused(self, words, priorities):
        done = subprocess.run([harness.BINARY, 'serve', '--tls-priorities', priorities], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=WAIT)
        self.assertEqual((done.returncode, done.stdout), (2, ''), done)
        self.assertRegex(done.stderr, r'\Aconnhook: --tls-priorities: [^\n]+\n\Z')
        self.assertIn(words, done.stderr)

    def test_a_fault_is_shown_with_its_place(self):
        for words, priorities in (
                ('"+FOO", at character 8 ', 'NORMAL:+FOO'),
                ('"%BAD", at character 31 ', 'NORMAL:-VERS-ALL:+VERS-TLS1.2:%BAD:+FOO'),
                ('"+VERS-TLS1.9", at character 8 ', 'NORMAL:+VERS-TLS1.9:+VERS-TLS1.3'),
                ('"NORMALLY", at character 1 ', 'NORMALLY'),
                ('"", at character 1 ', ''),
                ('"", at character 8 ', 'NORMAL:'),
                ('"", at character 8 ', 'NORMAL::+VERS-TLS1.3'),
                ('"%s"..., at character 1 ' % ('X' * 64), 'X' * 5000)):
            with self.subTest(priorities):
                self.assertRefused(words, priorities)

    def test_nothing_below_tls_1_2(self):
        for words, priorities in (
                ('enables TLS1.1,', 'NORMAL'),
                ('enables TLS1.0,', 'NORMAL:-VERS-TLS1.1'),
                ('enables TLS1.0,', 'NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.0'),
                ('enables TLS1.1,', 'LEGACY')):
            with self.subTest(priorities):
                self.assertRefused(words, priorities)

    def test_what_could_never_be_agreed_on(self):
        for priorities in ('NONE', 'NONE:+VERS-TLS1.3', 'NORMAL:-VERS-ALL', 'NORMAL:-VERS-ALL:+VERS-DTLS1.2',
                           'NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL', 'NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL',
                           'NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL'):
            with self.subTest(priorities):
                self.assertRefused('leaves nothing to agree on', priorities)

    def test_what_does_not_encrypt(self):
        self.assertRefused('enables NULL', 'NORMAL:-VERS-ALL:+VERS-TLS1.2:+NULL')

    def agreed(self, server, version):
        """Version and cipher of a session in which a request was answered; None when there was none."""
        try:
            with server.tls(server.context(version, version)) as s:
                s.sendall(head('/mutate', len(BODY)) + BODY)
                self.assertEqual(read_response(s)[0], 200)
                return s.version(), s.cipher()[0]
        except (ssl.SSLError, ConnectionError):
            return None

    def test_they_are_used(self):
        old, new = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
        with Server('--tls-priorities', 'NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+CHACHA20-POLY1305') as server:
            for _ in range(3):
                self.assertEqual(self.agreed(server, new), ('TLSv1.3', 'TLS_CHACHA20_POLY1305_SHA256'))
            self.assertIsNone(self.agreed(server, old))
        with Server('--tls-priorities', 'NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-256-GCM') as server:
            self.assertEqual(self.agreed(server, old), ('TLSv1.2', 'ECDHE-ECDSA-AES256-GCM-SHA384'))
            self.assertIsNone(self.agreed(server, new))


class Resumption(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='connhook-tls-')
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def ask(self, server, context, session=None, requests=1):
        """A connection with requests that are answered: (was it resumed?, the session to resume next)"""
        with server.tls(context, session) as s:
            for _ in range(requests):
                s.sendall(head('/mutate', len(BODY)) + BODY)
                self.assertEqual(read_response(s)[0], 200)
            return s.session_reused, s.session

    def assertResumes(self, server, context, session):
        resumed, session = self.ask(server, context, session)
        self.assertTrue(resumed)
        return session

    def assertBeginsAnew(self, server, context, session):
        resumed, session = self.ask(server, context, session)
        self.assertFalse(resumed)
        return session

    def test_with_both_versions_again_and_again(self):
        with Server() as server:
            for version in VERSIONS:
                context = server.context(version, version)
                session = self.assertBeginsAnew(server, context, None)
                for _ in range(5):
                    session = self.assertResumes(server, context, session)
                # One ticket, many connections.
                harness.together(*[lambda: self.assertResumes(server, context, session)] * 8)
                self.assertEqual(self.ask(server, context, session, requests=50)[0], True)
            server.wait_metric('connhook_connections', 0)

    def test_openssl(self):
        with Server() as server:
            # With TLS 1.3 this option reconnects before it has read its ticket.
            self.assertEqual(self.s_client(server, '-tls1_2', '-reconnect'), ['New'] + ['Reused'] * 5)
            for version in ('-tls1_2', '-tls1_3'):
                session = os.path.join(self.folder, 'session' + version)
                self.assertEqual(self.s_client(server, version, '-sess_out', session), ['New'])
                for _ in range(2):
                    self.assertEqual(self.s_client(server, version, '-sess_in', session), ['Reused'])

    def s_client(self, server, *options):
        """How each connection of `openssl s_client` began. It ends when its request has been answered."""
        request = head('/mutate', len(BODY), 'Connection: close') + BODY
        done = subprocess.run(['openssl', 's_client', '-connect', '127.0.0.1:%d' % server.port, '-servername',
                               'localhost', '-CAfile', server.ca, '-verify_return_error', '-ign_eof', *options],
                              input=request, capture_output=True, timeout=WAIT)
        self.assertEqual(done.returncode, 0, done)
        self.assertIn(b'HTTP/1.1 200 OK', done.stdout)
        return [line.split(b',')[0].decode() for line in done.stdout.split(b'\n')
                if line.startswith((b'New, TLS', b'Reused, TLS'))]

    def test_not_with_another_server(self):
        """A ticket of one instance is of no use, and no harm, with the next."""
        with Server() as one:
            # The same certificate: what differs is who made the ticket.
            pair = [os.path.join(one.directory, 'pki', name) for name in ('tls.crt', 'tls.key', 'ca.crt')]
            with Server(pair=pair) as other:
                for version in VERSIONS:
                    context = one.context(version, version)
                    session = self.assertBeginsAnew(one, context, None)
                    session = self.assertBeginsAnew(other, context, session)
                    self.assertResumes(other, context, session)

    def test_a_new_certificate_ends_them(self):
        with Server() as server:
            contexts = [server.context(version, version) for version in VERSIONS]
            sessions = [self.assertBeginsAnew(server, context, None) for context in contexts]
            server.renew()
            for context, session in zip(contexts, sessions):
                session = self.assertBeginsAnew(server, context, session)
                self.assertResumes(server, context, session)

    def test_a_new_client_ca_ends_them(self):
        ca, other = Authority(self.folder, 'ca'), Authority(self.folder, 'other')
        client = ca.issue('client')
        file = join(os.path.join(self.folder, 'clients.crt'), ca)
        with Server('--client-ca', file) as server:
            contexts = [server.context(version, version, client=client) for version in VERSIONS]
            sessions = [self.assertBeginsAnew(server, context, None) for context in contexts]
            sessions = [self.assertResumes(server, *each) for each in zip(contexts, sessions)]
            join(file, ca, other)
            server.wait_log('msg=reload what=client-ca file=')
            sessions = [self.assertBeginsAnew(server, *each) for each in zip(contexts, sessions)]
            before = len(server.lines)
            join(file, other)
            server.wait_log('msg=reload what=client-ca file=', before)
            for context, session in zip(contexts, sessions):
                with self.assertRaisesRegex(ssl.SSLError, 'UNKNOWN_CA'):
                    self.ask(server, context, session)

    def test_with_a_client_certificate(self):
        """It need not be shown again; who does not have it gets no ticket."""
        ca = Authority(self.folder, 'ca')
        client = ca.issue('client')
        with Server('--client-ca', ca.certificate, '--client-name', 'client') as server:
            for version in ('-tls1_2', '-tls1_3'):
                session = os.path.join(self.folder, 'session' + version)
                refused = subprocess.run(
                    ['openssl', 's_client', '-connect', '127.0.0.1:%d' % server.port, version, '-sess_out', session],
                    input=b'Q\n', capture_output=True, timeout=WAIT)
                self.assertNotIn(b'TLS session ticket:', refused.stdout)
                self.assertEqual(self.s_client(server, version, '-cert', client, '-key', client, '-sess_out', session),
                                 ['New'])
                self.assertEqual(self.s_client(server, version, '-sess_in', session), ['Reused'])

    def test_they_end_with_the_certificates(self):
        """A ticket outlives neither the certificate of the server nor that of the client."""
        seconds = 6
        ca = Authority(self.folder, 'ca')
        ca.issue('tls', 'localhost', ['DNS:localhost'], usage='serverAuth', end=seconds)
        client = ca.issue('client', end=seconds)
        pair = [os.path.join(self.folder, name) for name in ('tls.crt', 'tls.key', 'ca.crt')]
        ends = time.time() + seconds
        with Server(pair=pair) as plain, Server('--client-ca', ca.certificate) as strict:
            kept = []
            for version in VERSIONS:
                context = plain.context(version, version)
                kept.append((context, self.assertBeginsAnew(plain, context, None),
                             strict.context(version, version, client=client)))
                kept[-1] += (self.assertBeginsAnew(strict, kept[-1][2], None),)
                self.assertResumes(plain, *kept[-1][:2])
                self.assertResumes(strict, *kept[-1][2:])
            while time.time() <= ends + 1:
                time.sleep(0.2)
            for context, session, strict_context, strict_session in kept:
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                self.assertBeginsAnew(plain, context, session)
                with self.assertRaisesRegex(ssl.SSLError, 'CERTIFICATE_EXPIRED'):
                    self.ask(strict, strict_context, strict_session)


if __name__ == '__main__':
    harness.main()
