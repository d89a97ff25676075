#!/usr/bin/python3
"""Certificates that have ended, have not begun, or are about to end."""
import os
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

import harness
from harness import Server
from harness.authority import DAY, Authority

WARNING = r'level=warn msg=certificate file=%s text="'


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='connhook-validity-')
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def make(self, start, end, ca_end=3650 * DAY):
        """tls.crt, tls.key, ca.crt: what a server shows that is not self-signed."""
        ca = Authority(self.folder, 'ca', start=-3 * DAY, end=ca_end)
        ca.issue('tls', 'connhook', ['DNS:localhost'], usage='serverAuth', start=start, end=end)
        return [self.path(name) for name in ('tls.crt', 'tls.key', 'ca.crt')]

    def verbose(self, server):
        """Status and lines of /readyz?verbose."""
        status, _, body = server.get('/readyz?verbose')
        return status, body.decode().splitlines()

    def warnings(self, server):
        """What the log has said about certificates."""
        return re.findall(r'msg=certificate file=\S*/(\S+) text="(\w+)', server.log())


class Unready(Case):
    def assertUnready(self, pair, line, warning):
        with Server(pair=pair) as server:
            server.wait_log(WARNING % pair[0] + warning)
            status, lines = self.verbose(server)
            self.assertEqual(status, 503)
            self.assertRegex(lines[1], line)
            self.assertEqual(lines[-1], 'readyz check failed')
            self.assertEqual(server.get('/readyz')[0], 503)
            self.assertEqual(server.get('/healthz')[0], 200)

    def test_expired(self):
        self.assertUnready(self.make(-2 * DAY, -DAY), r'^\[-\]certificate failed \(expired \d{4}-[^ ]+Z\)$', 'expired ')

    def test_not_yet_valid(self):
        self.assertUnready(self.make(DAY, 2 * DAY), r'^\[-\]certificate failed \(is not valid before \d{4}-[^ ]+Z: is '
                           r'the clock right\?\)$', 'is not valid before ')

    def test_it_becomes_ready(self):
        pair = self.make(-2 * DAY, -DAY)
        with Server(pair=pair) as server:
            self.assertEqual(server.get('/readyz')[0], 503)
            self.make(-DAY, 100 * DAY)
            server.send(signal.SIGHUP)
            server.wait_log('msg=reload what=certificate file=')
            self.assertEqual(self.verbose(server)[0], 200)
            self.assertEqual(self.warnings(server), [('tls.crt', 'expired')])


class Ending(Case):
    def configure(self, path, name):
        with open(path, 'w', encoding='ascii') as f:
            f.write('apiVersion: connhook.zerotouch.io/v1alpha1\nkind: InjectorConfig\nbindings:\n'
                    '- {name: %s, secretName: x}\n' % name)

    def test_it_is_said_at_the_start_at_a_reload_and_when_asked(self):
        with tempfile.TemporaryDirectory() as directory:
            pki = os.path.join(directory, 'pki')
            subprocess.run([harness.BINARY, 'certs', 'init', '--out', pki, '--days', '10'], check=True,
                           stdout=subprocess.DEVNULL)
            config = self.path('config.yaml')
            self.configure(config, 'one')
            with Server('--config', config, directory=directory) as server:
                line = r' ok \(expires \d{4}-[^ ]+Z, in (9|10) days: renew it\)$'
                status, lines = self.verbose(server)
                self.assertEqual(status, 200)
                self.assertRegex(lines[1], r'^\[\+\]certificate' + line)
                self.assertEqual(self.warnings(server), [('tls.crt', 'expires')])
                # A look at the files that finds the same certificate says nothing: the second line is from SIGHUP.
                self.configure(config, 'two')
                server.wait_log('msg=reload what=configuration')
                start = len(server.lines)
                server.send(signal.SIGHUP)
                server.wait_log(WARNING % (pki + '/tls.crt'), start)
                self.assertEqual(self.warnings(server), [('tls.crt', 'expires')] * 2)
                subprocess.run([harness.BINARY, 'certs', 'renew', '--out', pki, '--days', '20'], check=True,
                               stdout=subprocess.DEVNULL)
                server.wait_log('text="expires .*in (19|20) days')
                self.assertEqual(self.warnings(server), [('tls.crt', 'expires')] * 3)
                server.renew()
                self.assertNotIn('renew it', '\n'.join(self.verbose(server)[1]))
            self.assertEqual(len(self.warnings(server)), 3)

    def test_the_ca_of_a_self_signed_one(self):
        pki = self.path('pki')
        os.mkdir(pki)
        ca = Authority(pki, 'ca', end=5 * DAY + 60)
        ca.issue('tls', 'connhook', ['DNS:localhost'], usage='serverAuth', end=5 * DAY)
        with Server(directory=self.folder) as server:
            server.wait_log(WARNING % (pki + '/ca.crt') + 'expires .*in 5 days: renew it')
            status, lines = self.verbose(server)
            self.assertEqual(status, 200)
            self.assertRegex(lines[2], r'^\[\+\]ca ok \(expires .*, in 5 days: renew it\)$')

    def test_a_ca_that_is_not_known_has_no_line(self):
        with Server(pair=self.make(-DAY, 100 * DAY, ca_end=101 * DAY)) as server:
            self.assertEqual([line.split(' ')[0] for line in self.verbose(server)[1]],
                             ['[+]configuration', '[+]certificate', '[+]workers', '[+]shutdown', 'readyz'])
            self.assertEqual(self.warnings(server), [])

    def test_the_client_ca(self):
        """It is told, but of several CAs another one may be the API server's."""
        for end, line in ((5 * DAY + 60, 'expires .*, in 5 days: renew it'), (-DAY, 'expired '),
                          (100 * DAY, 'expires ')):
            with self.subTest(line):
                clients = Authority(self.folder, 'clients', start=-2 * DAY, end=end)
                with Server('--client-ca', clients.certificate) as server:
                    status, lines = self.verbose(server)
                    self.assertEqual(status, 200)
                    self.assertRegex(lines[3], r'^\[\+\]client-ca ok \(' + line)
                    self.assertEqual(len(self.warnings(server)), end < 30 * DAY)


if __name__ == '__main__':
    harness.main()
