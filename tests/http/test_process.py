#!/usr/bin/python3
"""What surrounds the process: PID 1 of a container, closed streams, a log that cannot be written."""
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import unittest

import harness
from harness import BODY, WAIT, Server, exchange, together

JSON = {'Content-Type': 'application/json'}
CONFIG = 'apiVersion: connhook.zerotouch.io/v1alpha1\nkind: InjectorConfig\n'
LINES_MAX = 2000   # more than fit into the log of any test
PIPE_BYTES = 8192  # two pages: room for two lines


def namespace(*kinds):
    """A command that runs what follows in namespaces of its own; a test that needs one it cannot have is skipped."""
    command = ['unshare', *kinds] if os.geteuid() == 0 else ['unshare', '--user', '--map-root-user', *kinds]
    done = subprocess.run([*command, 'true'], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise unittest.SkipTest('no namespaces without more rights: ' + done.stderr.strip())
    return command


def shell(line):
    """A command that runs `line`, in which "$@" is what follows."""
    return ['sh', '-c', line, 'sh']


def wait_for(condition, what):
    for _ in range(WAIT * 50):
        value = condition()
        if value:
            return value
        threading.Event().wait(0.02)
    raise AssertionError('it took too long: ' + what)


def children(pid):
    with open('/proc/%d/task/%d/children' % (pid, pid), encoding='ascii') as f:
        return [int(n) for n in f.read().split()]


class Unheard(Server):
    """A server whose log goes where the test says, so that its ports are chosen beforehand."""

    def __init__(self, *options, wrap=(), **streams):  # pylint: disable=super-init-not-called
        self.directory = tempfile.mkdtemp(prefix='connhook-http-')
        self.ca = os.path.join(self.directory, 'pki', 'ca.crt')
        held = [socket.socket() for _ in range(2)]
        for s in held:
            # Nobody else gets a port that is bound; connhook does, because both sides allow it.
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(('127.0.0.1', 0))
        self.port, self.admin_port = (s.getsockname()[1] for s in held)
        self.process = subprocess.Popen(
            [*wrap, harness.BINARY, 'serve', '--self-signed', os.path.dirname(self.ca), '--drain-delay', '0',
             '--listen', '127.0.0.1:%d' % self.port, '--admin-listen', '127.0.0.1:%d' % self.admin_port, *options],
            **streams)
        self.pid = self.process.pid
        try:
            wait_for(self._answers, 'an answer of /healthz')
        except BaseException:
            self.process.kill()
            self.process.wait()
            self._clean()
            raise
        finally:
            for s in held:
                s.close()

    def _answers(self):
        if self.process.poll() is not None:
            raise AssertionError('it ended with %d' % self.process.returncode)
        try:
            return self.get('/healthz')[0] == 200
        except OSError:
            return False

    def _clean(self):
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def stop(self, number=signal.SIGTERM):
        self.send(number)
        try:
            code = self.process.wait(WAIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            code = 'killed: it did not end'
        self._clean()
        if code != 0:
            raise AssertionError('exit %s' % code)

    def lost(self):
        return self.metric('connhook_log_lost_lines_total')


class First(Server):
    """A server that is process 1, as in a container: the kernel drops signals that nobody asked for."""

    def __init__(self, *options, before=''):
        wrap = namespace('--fork', '--pid', '--mount-proc')
        super().__init__(*options, wrap=[*wrap, *shell(before + 'exec "$@"')])
        self.pid = children(self.process.pid)[0]


class Process1(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix='connhook-process-')
        self.addCleanup(shutil.rmtree, self.directory)

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, text):
        with open(self.path(name), 'w', encoding='ascii') as f:
            f.write(text)

    def test_it_is_the_first(self):
        with First() as server:
            with open('/proc/%d/status' % server.pid, encoding='ascii') as f:
                numbers = next(line.split()[1:] for line in f if line.startswith('NSpid:'))
            self.assertEqual(numbers[-1], '1')
            self.assertEqual(server.post()[0], 200)

    def test_signals_that_end_it(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number):
                server = First()
                server.stop(number)  # and exit status 0
                self.assertIn('msg=stopped', server.log())

    def test_hangup(self):
        """The file is reached through a link, so that its directory is not watched: only the signal brings the news."""
        self.write('target.yaml', CONFIG)
        os.mkdir(self.path('watched'))
        os.symlink('../target.yaml', self.path('watched/config.yaml'))
        with First('--config', self.path('watched/config.yaml')) as server:
            self.write('target.yaml', CONFIG + 'reloader: true\n')
            server.send(signal.SIGHUP)
            server.wait_log('msg=reload what=configuration')

    def test_orphans_are_reaped(self):
        """Whose parent is gone becomes a child of process 1, which must not keep it as a zombie."""
        os.mkfifo(self.path('fifo'))
        with First(before='cat <%s >/dev/null & ' % self.path('fifo')) as server:
            orphan, = wait_for(lambda: children(server.pid), 'a child')
            with open(self.path('fifo'), 'wb'):
                pass  # its end of file ends cat
            wait_for(lambda: not os.path.exists('/proc/%d' % orphan), 'the end of the orphan')
            self.assertEqual(server.post()[0], 200)


class Streams(unittest.TestCase):
    """A stream that is closed at the start must not become a socket that gets the log's text."""

    def test_closed(self):
        for closed in ('0', '1', '2', '01', '02', '12', '012'):
            with self.subTest(closed):
                redirections = ' '.join(n + ('<&-' if n == '0' else '>&-') for n in closed)
                with Unheard('--log-level', 'debug', wrap=shell('exec "$@" ' + redirections), stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
                    for n in '012':
                        target = os.readlink('/proc/%d/fd/%s' % (server.pid, n))
                        if n in closed or n == '2':
                            self.assertEqual(target, '/dev/null')
                        else:
                            self.assertRegex(target, r'^pipe:')
                    self.assertEqual(server.post()[0], 200)
                    self.assertEqual(server.post(body=b'{')[0], 400)

    def test_nothing_to_put_in_their_place(self):
        """Without /dev/null it does not begin, rather than write into something else."""
        line = 'mount -t tmpfs none /dev && exec "$@" <&-'
        done = subprocess.run([*namespace('--mount'), *shell(line), harness.BINARY, 'version'], capture_output=True,
                              check=False)
        self.assertEqual((done.returncode, done.stdout), (2, b''))


class Log(unittest.TestCase):
    """The log is for people; requests do not wait for it."""

    def post(self, server, count):
        client = server.client()
        for _ in range(count):
            self.assertEqual(exchange(client, 'POST', '/mutate', BODY, JSON)[0], 200)
        client.close()

    def fill(self, server):
        """Sends requests until the log takes no more, and some more."""
        for _ in range(LINES_MAX // 10):
            before = server.lost()
            self.post(server, 10)
            if server.lost() == before + 10:
                break
        before = server.lost()
        together(*[lambda: self.post(server, 20)] * 4)
        self.assertEqual(server.lost(), before + 80)

    def test_a_full_device(self):
        with open('/dev/full', 'wb') as full, Unheard(stderr=full, stdin=subprocess.DEVNULL) as server:
            self.fill(server)

    def test_a_reader_that_has_stopped(self):
        for form in ('text', 'json'):
            with self.subTest(form):
                reader, writer = os.pipe()
                self.addCleanup(os.close, reader)
                os.set_blocking(reader, False)
                fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
                with Unheard('--log-format', form, '--threads', '2', stderr=writer, stdin=subprocess.DEVNULL) as server:
                    self.fill(server)
                    # Others have the same pipe, and may be made to wait.
                    self.assertEqual(fcntl.fcntl(writer, fcntl.F_GETFL) & os.O_NONBLOCK, 0)
                    os.close(writer)
                    lost = int(server.lost())
                    before = os.read(reader, 2 * PIPE_BYTES)
                    self.assertEqual(before[-1:], b'\n')
                    self.post(server, 1)
                    told, line = os.read(reader, PIPE_BYTES).decode().split('\n')[:-1]
                    self.assertIn('lines of the log were lost', told)
                    self.assertIn('lines=%d' % lost if form == 'text' else '"lines":%d' % lost, told)
                    self.assertIn('admission', line)
                    if form == 'json':
                        self.assertEqual(json.loads(told)['level'], 'error')
                    self.assertEqual(server.lost(), lost)
                    server.post()  # it ends with a full pipe, too

    def test_a_reader_that_is_gone(self):
        reader, writer = os.pipe()
        with Unheard(stderr=writer, stdin=subprocess.DEVNULL) as server:
            os.close(writer)
            os.close(reader)
            self.fill(server)

    def test_a_full_disk(self):
        with tempfile.TemporaryDirectory(prefix='connhook-disk-') as directory:
            line = 'mount -t tmpfs -o size=64k none %s && exec "$@" 2>>%s/log' % (directory, directory)
            with Unheard(wrap=[*namespace('--mount'), *shell(line)], stdin=subprocess.DEVNULL) as server:
                disk = '/proc/%d/root%s/' % (server.pid, directory)
                self.fill(server)
                lost = int(server.lost())
                with open(disk + 'log', encoding='ascii') as log:
                    self.assertGreater(len(log.read()), 32768)
                    os.truncate(disk + 'log', 0)
                    self.post(server, 1)
                    log.seek(0)
                    end, told, admission = log.read().split('\n')[:-1]
                self.assertEqual(end, '')  # of the line that was cut off
                self.assertRegex(told, r'level=error msg="lines of the log were lost" lines=%d$' % lost)
                self.assertIn('msg=admission', admission)
                self.assertEqual(server.lost(), lost)


if __name__ == '__main__':
    harness.main()
