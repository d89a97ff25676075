#!/usr/bin/python3
"""A certificate is used only if clients can agree on TLS with it; else the old one stays, and that is loud."""
import os
import shutil
import subprocess
import tempfile
import threading
import unittest

import harness
from harness import WAIT, Server
from harness.authority import DAY, Authority

NAMES = ['DNS:localhost', 'DNS:connhook.connhook.svc', 'IP:127.0.0.1']


class Certificates(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='connhook-certificate-')
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.ca = Authority(self.folder, 'ca')
        self.issue('good')
        self.pair = [os.path.join(self.folder, name) for name in ('tls.crt', 'tls.key', 'ca.crt')]
        self.use('good')

    def issue(self, name, alternative=None, usage='serverAuth', **times):
        self.ca.issue(name, 'connhook', NAMES if alternative is None else alternative, usage=usage, **times)

    def use(self, name):
        """As the kubelet would, both at once: connhook reads them when nothing has happened for a moment."""
        for kind in ('.key', '.crt'):
            shutil.copy(os.path.join(self.folder, name + kind), os.path.join(self.folder, 'new'))
            os.replace(os.path.join(self.folder, 'new'), os.path.join(self.folder, 'tls' + kind))

    def make(self):
        """What no server can use: name -> the sentence."""
        self.issue('client', usage='clientAuth')
        self.issue('encipher', usage='serverAuth\nkeyUsage = critical,keyEncipherment')
        return {
            'ca': 'the first certificate is that of a CA',
            'client': 'the first certificate is not for servers',
            'encipher': 'the first certificate may not be used for signatures',
        }

    def serial(self, server):
        with server.tls() as s:
            return s.getpeercert()['serialNumber']

    def until(self, good):
        for _ in range(WAIT * 50):
            if good():
                return
            threading.Event().wait(0.02)
        self.fail('it did not come about')

    def test_a_new_one_that_does_not_serve(self):
        bad = self.make()
        self.issue('expired', start=-2 * DAY, end=-DAY)
        self.issue('early', start=DAY, end=2 * DAY)
        self.issue('fewer', NAMES[:1])
        self.issue('other', ['DNS:other.example'])
        bad.update(expired='expired at', early='is not valid before', fewer='is not good for .*connhook.connhook.svc',
                   other='is not good for .*localhost')
        self.issue('next', ['DNS:more.example', 'DNS:LOCALHOST', 'DNS:*.connhook.svc', 'IP:127.0.0.1'])
        with Server(pair=self.pair) as server:
            before = self.serial(server)
            for name, sentence in bad.items():
                with self.subTest(certificate=name):
                    start = len(server.lines)
                    self.use(name)
                    server.wait_log('level=error msg=reload what=certificate error=.*' + sentence, start)
                    self.until(lambda: 'certificate-reload' in server.get('/readyz?verbose')[2].decode())
                    server.wait_metric('connhook_config_last_reload_successful', 0)
                    self.assertEqual(server.get('/readyz')[0], 200)
                    self.assertEqual(self.serial(server), before)
                    self.use('good')
                    server.wait_metric('connhook_config_last_reload_successful', 1)
            start = len(server.lines)
            self.use('next')
            server.wait_log('msg=reload what=certificate file=', start)
            self.assertNotEqual(self.serial(server), before)

    def test_the_start(self):
        for name, sentence in self.make().items():
            with self.subTest(certificate=name):
                self.use(name)
                done = self.start()
                self.assertEqual(done.returncode, 2)
                self.assertRegex(done.stderr.splitlines()[-1], '^connhook: .*' + sentence)

    def start(self, *options):
        return subprocess.run([harness.BINARY, 'serve', '--tls-cert', self.pair[0], '--tls-key', self.pair[1],
                               '--listen', '127.0.0.1:0', '--admin-listen', '127.0.0.1:0', *options],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=WAIT, check=False)

    def test_priorities_that_the_key_does_not_fit(self):
        """A handshake with itself finds what no look at the certificate would."""
        subprocess.run([harness.BINARY, 'certs', 'init', '--out', self.folder + '/p256'], check=True,
                       stdout=subprocess.DEVNULL)
        self.pair[:2] = [self.folder + '/p256/tls.crt', self.folder + '/p256/tls.key']
        done = self.start('--tls-priorities', 'NORMAL:-VERS-ALL:+VERS-TLS1.3:-SIGN-ALL:+SIGN-RSA-PSS-RSAE-SHA256')
        self.assertEqual(done.returncode, 2)
        self.assertIn('no TLS handshake is possible', done.stderr)


if __name__ == '__main__':
    harness.main()
