#!/usr/bin/python3
"""At the limit of open files: who is connected is served, who is not waits, and nothing spins."""
import contextlib
import os
import resource
import signal
import tempfile
import time
import unittest

import harness
from harness import BODY, Server, exchange, head, read_response

JSON = {'Content-Type': 'application/json'}
THREADS = 2
WAITING = 5      # connections that cannot be accepted
SECONDS = 1.0    # that the processor's time is measured over
TRIES = 10000    # to see what happens at any moment
BUSY = 0.1       # of them; a thread that spins takes most of its time, or its part of a loaded machine


def processor_seconds(pid):
    with open('/proc/%d/stat' % pid, encoding='ascii') as f:
        fields = f.read().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


class Limit(unittest.TestCase):
    @contextlib.contextmanager
    def exhausted(self, server):
        """Within the block, the server can open no file more."""
        before = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
        count = len(os.listdir('/proc/%d/fd' % server.pid))
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (count, before[1]))
        try:
            yield
        finally:
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, before)

    def assertIdle(self, server):
        began, before = time.monotonic(), processor_seconds(server.pid)
        time.sleep(SECONDS)
        used, passed = processor_seconds(server.pid) - before, time.monotonic() - began
        self.assertLess(used, BUSY * passed)

    def assertQuiet(self, server):
        """A line a thread, and some for a try that was good in between; not one for each try."""
        lines = [line for line in server.log().split('\n') if 'level=info' not in line and 'not confined' not in line]
        self.assertGreater(len(lines), 0)
        self.assertLessEqual(len(lines), 3 * (THREADS + 1), server.log())
        for line in lines:
            self.assertIn('msg="cannot accept connections" error="Too many open files"', line)

    def check(self, kept):
        """`kept` connections stay open all the time: whether a thread has one must make no difference."""
        with Server('--threads', str(THREADS)) as server, contextlib.ExitStack() as stack:
            clients = [stack.enter_context(contextlib.closing(server.client())) for _ in range(kept)]
            for client in clients:
                self.assertEqual(exchange(client, 'POST', '/mutate', BODY, JSON)[0], 200)
            probe = stack.enter_context(server.admin())
            probe.sendall(b'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
            self.assertEqual(read_response(probe)[0], 200)
            context = server.context()
            with self.exhausted(server):
                waiting = [stack.enter_context(server.connect()) for _ in range(WAITING)]
                server.wait_log('cannot accept connections')
                self.assertIdle(server)
                for client in clients:
                    self.assertEqual(exchange(client, 'POST', '/mutate', BODY, JSON)[0], 200)
                probe.sendall(b'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n')
                status, _, text = read_response(probe)
                self.assertEqual(status, 200)
                self.assertIn(b'\nconnhook_connections %d\n' % kept, text)
                self.assertQuiet(server)
            for raw in waiting:
                with context.wrap_socket(raw, server_hostname='localhost') as s:
                    s.sendall(head('/mutate', len(BODY)) + BODY)
                    self.assertEqual(read_response(s)[0], 200)
            self.assertEqual(server.post()[0], 200)

    def test_without_connections(self):
        self.check(0)

    def test_with_connections(self):
        self.check(6)

    def test_the_admin_port(self):
        with Server('--threads', str(THREADS)) as server, contextlib.ExitStack() as stack:
            with self.exhausted(server):
                waiting = stack.enter_context(server.admin())
                server.wait_log('cannot accept connections')
                self.assertIdle(server)
            waiting.sendall(b'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
            self.assertEqual(read_response(waiting)[0], 200)

    def test_a_connection_that_ends_makes_room(self):
        with Server('--threads', str(THREADS)) as server:
            client = server.client()
            self.assertEqual(exchange(client, 'POST', '/mutate', BODY, JSON)[0], 200)
            with self.exhausted(server):
                with server.connect() as raw:
                    server.wait_log('cannot accept connections')
                    client.close()
                    with server.context().wrap_socket(raw, server_hostname='localhost') as s:
                        s.sendall(head('/mutate', len(BODY)) + BODY)
                        self.assertEqual(read_response(s)[0], 200)

    def test_reading_anew(self):
        """Files cannot be opened: that is a bad reload, and the next one is good."""
        with tempfile.NamedTemporaryFile('w', suffix='.yaml') as config:
            config.write('apiVersion: connhook.zerotouch.io/v1alpha1\nkind: InjectorConfig\n')
            config.flush()
            with Server('--config', config.name) as server, server.admin() as probe:
                def wait_ready(lines):
                    """Asks until so many lines name the reason; it is ready all the time."""
                    count = -1
                    for _ in range(TRIES):
                        probe.sendall(b'GET /readyz?verbose HTTP/1.1\r\nHost: x\r\n\r\n')
                        status, _, text = read_response(probe)
                        self.assertEqual(status, 200)
                        count = text.count(b'Too many open files')
                        if count == lines:
                            break
                    self.assertEqual(count, lines)

                wait_ready(0)
                with self.exhausted(server):
                    server.send(signal.SIGHUP)
                    server.wait_log('level=error msg=reload what=configuration error=.*Too many open files')
                    server.wait_log('level=error msg=reload what=certificate error=.*Too many open files')
                    wait_ready(2)
                server.send(signal.SIGHUP)
                wait_ready(0)


class Start(unittest.TestCase):
    def test_with_few(self):
        """Connections come one after the other."""
        with Server('--threads', str(THREADS), wrap=('prlimit', '--nofile=24:24')) as server:
            for _ in range(20):
                self.assertEqual(server.post()[0], 200)
            self.assertEqual(server.get('/healthz')[0], 200)

    def test_with_too_few(self):
        for count in range(4, 12):
            with self.subTest(count), self.assertRaises(AssertionError) as failed:
                Server('--threads', str(THREADS), wrap=('prlimit', '--nofile=%d' % count))
            self.assertRegex(str(failed.exception), r'(?s)Too many open files.*\nconnhook: .*|\nconnhook: .*Too many')


if __name__ == '__main__':
    harness.main()
