#!/usr/bin/python3
"""Configuration and certificate replaced while serving, and the drain after SIGTERM."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest

import harness
from harness import BODY, WAIT, Server, exchange

JSON = {'Content-Type': 'application/json'}


def configuration(url):
    return ('apiVersion: connhook.zerotouch.io/v1alpha1\nkind: InjectorConfig\nbindings:\n'
            '- name: db\n  env: [{name: URL, value: %s}]\n' % url)


def write(path, text):
    with open(path, 'w', encoding='utf-8') as f:
        f.write(text)


def fingerprint(path):
    done = subprocess.run([harness.BINARY, 'config', 'check', path], capture_output=True, text=True, check=True)
    return done.stdout.split()[-1]


class Case(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix='connhook-reload-')
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.config = os.path.join(self.directory, 'config.yaml')
        write(self.config, configuration('one'))

    def assertUses(self, server, path):
        server.wait_log('msg=reload what=configuration fingerprint=' + fingerprint(path))
        self.assertEqual(json.loads(server.get('/version')[2])['configuration'], fingerprint(path))


class Configuration(Case):
    def test_written_in_place(self):
        with Server('--config', self.config) as server:
            write(self.config, configuration('two'))
            self.assertUses(server, self.config)

    def test_renamed_over(self):
        with Server('--config', self.config) as server:
            write(self.config + '.new', configuration('two'))
            os.rename(self.config + '.new', self.config)
            self.assertUses(server, self.config)

    def test_kubelet_swap(self):
        """As the kubelet mounts a ConfigMap: config.yaml -> ..data/config.yaml, ..data -> a folder, swapped."""
        os.unlink(self.config)
        for name, url in (('..1', 'one'), ('..2', 'two')):
            os.mkdir(os.path.join(self.directory, name))
            write(os.path.join(self.directory, name, 'config.yaml'), configuration(url))
        data = os.path.join(self.directory, '..data')
        os.symlink('..1', data)
        os.symlink('..data/config.yaml', self.config)
        with Server('--config', self.config) as server:
            os.symlink('..2', data + '_tmp')
            os.rename(data + '_tmp', data)
            self.assertUses(server, self.config)

    def test_hangup(self):
        with Server('--config', self.config) as server:
            write(self.config, configuration('two'))
            server.send(signal.SIGHUP)
            self.assertUses(server, self.config)
            server.send(signal.SIGHUP)
            self.assertEqual(server.get('/healthz')[0], 200)

    def test_a_bad_one_keeps_the_last_good_one(self):
        with Server('--config', self.config) as server:
            before = fingerprint(self.config)
            self.assertEqual(server.metric('connhook_config_last_reload_successful'), 1)
            write(self.config, 'kind: nonsense\n')
            server.wait_log('level=error msg=reload what=configuration error=.*config.yaml:1:')
            server.wait_metric('connhook_config_last_reload_successful', 0)
            status, _, text = server.get('/readyz?verbose')
            self.assertEqual(status, 200)
            self.assertRegex(text.decode(),
                             r'\[\+\]configuration-reload ok \(the last good one is in use; .*config.yaml:1:')
            self.assertEqual(json.loads(server.get('/version')[2])['configuration'], before)
            write(self.config, configuration('two'))
            self.assertUses(server, self.config)
            server.wait_metric('connhook_config_last_reload_successful', 1)
            self.assertNotIn('reload', server.get('/readyz?verbose')[2].decode())

    def test_under_load(self):
        """Every answer is whole while the configuration changes all the time."""
        with Server('--config', self.config) as server:
            stop = threading.Event()

            def change():
                number = 0
                while not stop.is_set():
                    number += 1
                    write(self.config + '.new', configuration('n%d' % number))
                    os.rename(self.config + '.new', self.config)
                    stop.wait(0.02)

            def ask():
                client = server.client()
                for _ in range(400):
                    status, _, body = exchange(client, 'POST', '/mutate', BODY, JSON)
                    self.assertEqual((status, json.loads(body)['response']['allowed']), (200, True))
                client.close()

            changer = threading.Thread(target=change)
            changer.start()
            try:
                harness.together(ask, ask, ask)
            finally:
                stop.set()
                changer.join()
            self.assertIn('what=configuration fingerprint', server.log())


class Certificate(Case):
    def serial(self, server):
        with server.tls() as s:
            return s.getpeercert()['serialNumber']

    def test_new_handshakes_get_the_new_one(self):
        with Server() as server:
            before = self.serial(server)
            kept = server.client()
            self.assertEqual(exchange(kept, 'POST', '/mutate', BODY, JSON)[0], 200)
            server.renew()
            self.assertNotEqual(self.serial(server), before)
            self.assertEqual(exchange(kept, 'POST', '/mutate', BODY, JSON)[0], 200)
            self.assertEqual(kept.sock.getpeercert()['serialNumber'], before)
            kept.close()

    def test_a_bad_pair_keeps_the_old_one(self):
        with Server() as server:
            before = self.serial(server)
            path = os.path.join(server.directory, 'pki', 'tls.crt')
            with open(path, encoding='ascii') as f:
                good = f.read()
            write(path, 'no certificate\n')
            server.wait_log('level=error msg=reload what=certificate error=')
            self.assertEqual(self.serial(server), before)
            self.assertIn('certificate-reload ok (the last good one', server.get('/readyz?verbose')[2].decode())
            write(path, good)
            for _ in range(WAIT * 50):
                if 'reload' not in server.get('/readyz?verbose')[2].decode():
                    break
                time.sleep(0.02)
            self.assertNotIn('reload', server.get('/readyz?verbose')[2].decode())


class Drain(unittest.TestCase):
    def test_serves_on_and_says_that_it_ends(self):
        with Server('--drain-delay', '2') as server:
            began = time.monotonic()
            server.send()
            server.wait_log('shutting down')
            while server.get('/readyz')[0] != 503:
                pass
            answer = server.post()
            self.assertEqual((answer[0], answer[1]['Connection']), (200, 'close'))
            self.assertEqual(server.get('/healthz')[0], 200)
            self.assertEqual(server.process.wait(WAIT), 0)
            self.assertGreater(time.monotonic() - began, 1.9)

    def test_a_second_signal_hastens(self):
        with Server('--drain-delay', '60') as server:
            server.send()
            server.wait_log('shutting down')
            began = time.monotonic()
            server.send()
            self.assertEqual(server.process.wait(WAIT), 0)
            self.assertLess(time.monotonic() - began, 10)


if __name__ == '__main__':
    harness.main()
