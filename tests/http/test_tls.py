#!/usr/bin/python3
"""TLS as the options shape it: priorities."""
import ssl
import subprocess
import unittest

import harness
from harness import BODY, WAIT, Server, head, read_response


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


if __name__ == '__main__':
    harness.main()
