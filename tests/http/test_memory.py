#!/usr/bin/python3
"""
A server whose memory runs out: it lives, no answer is half, and nothing is lost. SEED in the environment chooses where.
"""
import collections
import http.client
import json
import mmap
import os
import shutil
import ssl
import struct
import subprocess
import tempfile
import threading
import time
import unittest

import harness
from harness import BODY, DATABASE, Server, exchange, review, review_of_size

FIELDS = ('rate', 'seed', 'asked', 'failed', 'live')  # of struct control in failing_malloc.c
RATES = (1000, 100, 20, 1)  # one in so many allocations fails
SEED = int(os.environ.get('SEED', '1'))
CLIENTS = 4
ROUNDS = 12       # of each client, at each rate: a connection with a few requests
SEEDS = 1000      # in one run of the test
SINGLE = 150      # requests of one client, at each rate
RELOADS = 20
LOOKS = 5
KINDS = ('right', 'out of memory', 'closed')

QUESTIONS = [(path, body) for path in ('/mutate', '/validate')
             for body in (BODY, json.dumps(review(DATABASE)).encode(), review_of_size(200000), b'{')]


class Control:
    """What failing_malloc.c shares with the test."""

    def __init__(self, folder):
        self.path = os.path.join(folder, 'control')
        with open(self.path, 'wb+') as f:
            f.write(bytes(8 * len(FIELDS)))
            f.flush()
            self.memory = mmap.mmap(f.fileno(), 0)

    def get(self, field):
        return struct.unpack_from('<q', self.memory, 8 * FIELDS.index(field))[0]

    def set(self, field, value):
        struct.pack_into('<q', self.memory, 8 * FIELDS.index(field), value)


def wait_until(look):
    """What `look` gives once that is something; at the latest after WAIT seconds."""
    deadline = time.monotonic() + harness.WAIT
    found = look()
    while not found and time.monotonic() < deadline:
        time.sleep(0.01)
        found = look()
    return found


class Memory(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix='connhook-memory-')
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        library = os.path.join(cls.folder, 'failing_malloc.so')
        subprocess.run(['gcc', '-shared', '-fPIC', '-O1', '-o', library,
                        os.path.join(os.path.dirname(harness.__file__), 'failing_malloc.c')], check=True)
        cls.control = Control(cls.folder)
        cls.wrap = ('env', 'LD_PRELOAD=' + library, 'FAILING=' + cls.control.path)
        if subprocess.run([*cls.wrap, harness.BINARY, 'version'], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, check=False).returncode != 0:
            raise unittest.SkipTest('a sanitizer has an allocator of its own')

    def setUp(self):
        self.control.set('live', 0)
        self.server = Server('--threads', '2', '--log-level', 'info', wrap=self.wrap)
        self.addCleanup(self.server.stop)
        self.addCleanup(self.fail_one_in, 0)
        self.quiet = self.files()
        self.expected = {q: self.server.post(*q)[::2] for q in QUESTIONS}
        self.seen = collections.Counter()

    def fail_one_in(self, rate, seed=0):
        self.control.set('seed', SEED * SEEDS + seed)
        self.control.set('asked', 0)
        self.control.set('rate', rate)

    def files(self):
        return len(os.listdir('/proc/%d/fd' % self.server.pid))

    def at_rest(self):
        """All connections are gone."""
        self.server.wait_metric('connhook_connections', 0)
        self.assertTrue(wait_until(lambda: self.files() == self.quiet), 'files stay open')

    def blocks(self):
        """Blocks in use at rest: the least of several looks, as those of the last connection may just be going."""
        counts = []
        for _ in range(LOOKS):
            self.at_rest()
            counts.append(self.control.get('live'))
        return min(counts)

    def assertBlocks(self, most):
        self.at_rest()
        wait_until(lambda: self.control.get('live') <= most)
        self.assertLessEqual(self.control.get('live'), most)

    def judge(self, question, status, body):
        if (status, body) == self.expected[question]:
            self.seen['right'] += 1
            return
        self.assertEqual(status, 500, body)
        said = json.loads(body)
        self.assertEqual((said['kind'], said['status'], said['code']), ('Status', 'Failure', 500))
        self.assertIn('out of memory', said['message'])
        self.seen['out of memory'] += 1

    def ask(self, client, question):
        """False when the connection is gone, in which case no answer came, or not all of its announced length."""
        try:
            status, _, body = exchange(client, 'POST', question[0], question[1], {'Content-Type': 'application/json'})
        except (http.client.HTTPException, OSError):
            self.seen['closed'] += 1
            client.close()
            return False
        self.judge(question, status, body)
        return True

    def serves(self):
        for question, answer in self.expected.items():
            self.assertEqual(self.server.post(*question)[::2], answer)

    def test_one_client_at_a_time(self):
        """Memory fails from the moment when the connection stands: not a single block is lost."""
        client = self.server.client()
        self.assertTrue(self.ask(client, QUESTIONS[0]))
        client.close()
        before = self.blocks()
        for rate in RATES:
            self.control.set('failed', 0)
            for i in range(SINGLE):
                client.connect()
                self.fail_one_in(rate, i)
                self.ask(client, QUESTIONS[i % len(QUESTIONS)])
                self.control.set('rate', 0)
                client.close()
            self.assertGreater(self.control.get('failed'), 0)
            with self.subTest(rate=rate):
                self.assertBlocks(before)
        self.assertGreater(min(self.seen[kind] for kind in KINDS), 0, self.seen)
        self.serves()

    def test_load(self):
        """All connections of all clients, with their handshakes, in which GnuTLS loses a block now and then."""
        context, faults = self.server.context(), []

        def client(number):
            for i in range(ROUNDS):
                connection = http.client.HTTPSConnection('localhost', self.server.port, timeout=harness.WAIT,
                                                         context=context)
                try:
                    if all(self.ask(connection, q) for q in QUESTIONS[(number + i) % 4::2]):
                        connection.close()
                except AssertionError as fault:
                    faults.append(fault)

        def load():
            threads = [threading.Thread(target=client, args=(n,)) for n in range(CLIENTS)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        load()
        self.assertEqual((set(self.seen), faults), ({'right'}, []))
        before = self.blocks()
        self.control.set('failed', 0)
        for rate in RATES:
            self.fail_one_in(rate)
            load()
            self.fail_one_in(0)
        self.assertEqual(faults, [])
        self.assertBlocks(before + self.control.get('failed') // 10)
        self.assertGreater(min(self.seen[kind] for kind in KINDS), 0, self.seen)
        self.serves()

    def test_reload_and_admin(self):
        for rate in RATES:
            for i in range(RELOADS):
                self.fail_one_in(rate, i)
                self.server.send(harness.signal.SIGHUP)
                for path in ('/readyz?verbose', '/metrics', '/version', '/healthz'):
                    try:
                        status, _, _ = self.server.get(path)
                        self.assertIn(status, (200, 500, 503))
                    except (http.client.HTTPException, OSError):
                        pass
                self.control.set('rate', 0)
            self.serves()
        self.server.send(harness.signal.SIGHUP)
        self.server.wait_metric('connhook_config_last_reload_successful', 1)
        self.assertEqual(self.server.get('/readyz')[0], 200)


if __name__ == '__main__':
    harness.main()
