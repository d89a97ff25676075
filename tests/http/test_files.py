#!/usr/bin/python3
"""What stands where a configuration, certificate, key or client CA should: it keeps nobody, and nobody reads it."""
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import unittest

import harness
from harness import WAIT, Server

CONFIGURATION = '''apiVersion: connhook.zerotouch.io/v1alpha1
kind: InjectorConfig
bindings:
- {name: db, secretName: "{app}-db"}
'''
SECRET = 'hunter2-of-the-platform'


def fifo(path):
    os.mkfifo(path)


def directory(path):
    os.mkdir(path)


def endless(path):
    os.symlink('/dev/zero', path)


def terminal(path):
    os.symlink('/dev/tty', path)


def listening(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)


def long(path):
    """A regular file without an end that anybody sees: 1 TiB, of which nothing is on disk."""
    with open(path, 'wb') as f:
        f.truncate(1 << 40)


def vanished(path):
    os.symlink(path + '.gone', path)


def itself(path):
    os.symlink(os.path.basename(path), path)


KINDS = [
    (fifo, r'it is a FIFO, not a regular file'), (directory, r'it is a directory, not a regular file'),
    (endless, r'it is a device, not a regular file'), (terminal, r'cannot (open|read) '),
    (listening, r'it is not a regular file'), (long, r'is larger than 1048576 bytes'),
    (vanished, r'cannot open .*: No such file'), (itself, r'cannot open .*: Too many levels of symbolic links'),
]
FILES = [('config.yaml', 'configuration'), ('tls.crt', 'certificate'), ('tls.key', 'certificate'),
         ('client.crt', 'client-ca')]


class Files(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='connhook-files-')
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        subprocess.run([harness.BINARY, 'certs', 'init', '--out', self.folder + '/pki', '--dns', 'localhost'],
                       check=True, stdout=subprocess.DEVNULL)
        for name in ('tls.crt', 'tls.key', 'ca.crt'):
            shutil.copy(os.path.join(self.folder, 'pki', name), self.path(name))
        shutil.copy(self.path('ca.crt'), self.path('client.crt'))
        with open(self.path('config.yaml'), 'w', encoding='ascii') as f:
            f.write(CONFIGURATION)
        self.options = ['--config', self.path('config.yaml'), '--client-ca', self.path('client.crt')]
        self.pair = [self.path('tls.crt'), self.path('tls.key'), self.path('ca.crt')]

    def path(self, name):
        return os.path.join(self.folder, name)

    def replaced(self, name, make):
        """Puts something else in the place of a file; returns what undoes it."""
        os.rename(self.path(name), self.path(name) + '.kept')
        make(self.path(name))

        def undo():
            if os.path.isdir(self.path(name)) and not os.path.islink(self.path(name)):
                os.rmdir(self.path(name))
            os.replace(self.path(name) + '.kept', self.path(name))
        return undo

    def until(self, good):
        for _ in range(WAIT * 50):
            if good():
                return
            threading.Event().wait(0.02)
        self.fail('it did not come about')

    def test_reloading(self):
        """The last good one serves on, log and /readyz say why, and the next good one is taken."""
        with Server(*self.options, pair=self.pair) as server:
            for name, what in FILES:
                for make, sentence in KINDS:
                    with self.subTest(file=name, kind=make.__name__):
                        start = len(server.lines)
                        undo = self.replaced(name, make)
                        server.wait_log('level=error msg=reload what=%s error=.*%s' % (what, sentence), start)
                        self.until(lambda: what + '-reload' in server.get('/readyz?verbose')[2].decode())
                        status, _, text = server.get('/readyz?verbose')
                        self.assertEqual(status, 200)
                        self.assertIn(name, text.decode())
                        self.assertRegex(text.decode(), sentence)
                        undo()
                        self.until(lambda: 'reload' not in server.get('/readyz?verbose')[2].decode())

    def test_the_end(self):
        """SIGTERM ends it while one stands there; the harness sees to that."""
        for name, _ in FILES:
            with self.subTest(file=name), Server(*self.options, pair=self.pair) as server:
                undo = self.replaced(name, fifo)
                server.wait_log('level=error msg=reload')
                server.stop()
                undo()

    def test_the_start(self):
        command = [harness.BINARY, 'serve', '--tls-cert', self.pair[0], '--tls-key', self.pair[1], *self.options,
                   '--listen', '127.0.0.1:0', '--admin-listen', '127.0.0.1:0']
        for name, _ in FILES:
            for make, sentence in KINDS:
                with self.subTest(file=name, kind=make.__name__):
                    undo = self.replaced(name, make)
                    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                          timeout=WAIT, check=False)
                    undo()
                    self.assertEqual(done.returncode, 2)
                    self.assertRegex(done.stderr.splitlines()[-1], r'^connhook: .*' + sentence)

    def test_a_directory_of_certificates(self):
        """--self-signed reads files too."""
        for name in ('ca.crt', 'ca.key', 'tls.crt', 'tls.key'):
            with self.subTest(file=name):
                undo = self.replaced('pki/' + name, fifo)
                done = subprocess.run([harness.BINARY, 'serve', '--self-signed', self.path('pki')], timeout=WAIT,
                                      stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
                undo()
                self.assertEqual(done.returncode, 2)
                self.assertRegex(done.stderr, 'it is a FIFO, not a regular file')

    def test_nothing_of_a_file_is_shown(self):
        """What is wrong is quoted in the log, for who runs it, and not on a port without authentication."""
        bad = [(CONFIGURATION + SECRET + ': 1\n', r'config\.yaml:5:1: it is wrong there; the log says what'),
               (CONFIGURATION + 'rules: {%s: {mode: off}}\n' % SECRET, r'config\.yaml:5:9: '),
               (CONFIGURATION + 'annotationPrefix: "%s!"\n' % SECRET, r'config\.yaml:5:19: '),
               (CONFIGURATION + '"%s": [\n' % SECRET, r'config\.yaml:\d+:\d+: '),
               (CONFIGURATION + 'x: *%s\n' % SECRET, r'config\.yaml:5:\d+: ')]
        with Server(*self.options, pair=self.pair) as server:
            for text, place in bad:
                with self.subTest(text=text):
                    start = len(server.lines)
                    with open(self.path('config.yaml'), 'w', encoding='ascii') as f:
                        f.write(text)
                    server.wait_log('level=error msg=reload what=configuration', start)
                    self.until(lambda: re.search(place, server.get('/readyz?verbose')[2].decode()))
                    self.assertNotIn(SECRET, server.get('/readyz?verbose')[2].decode())
            self.assertIn(SECRET, server.log())
            start = len(server.lines)
            with open(self.path('tls.key'), 'w', encoding='ascii') as f:
                f.write('-----BEGIN %s PRIVATE KEY-----\nAAAA\n-----END %s PRIVATE KEY-----\n' % (SECRET, SECRET))
            server.wait_log('level=error msg=reload what=certificate', start)
            self.until(lambda: 'certificate-reload' in server.get('/readyz?verbose')[2].decode())
            self.assertNotIn(SECRET, server.get('/readyz?verbose')[2].decode())


if __name__ == '__main__':
    harness.main()
