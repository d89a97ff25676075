"""A server under load: the server and what it and /proc say of it, the load client, and the judge of both."""
import json
import os
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'http'))

import harness  # noqa: E402
import questions  # noqa: E402

KEPT = 100  # lines of a log, of which there may be millions
TICKS = os.sysconf('SC_CLK_TCK')


class Server(harness.Server):
    """`connhook serve`, of whose log only the beginning and what is no plain admission is kept."""

    def keeps(self, line):
        return len(self.lines) < KEPT or ' msg=admission ' not in line

    def proc(self, name):
        with open('/proc/%d/%s' % (self.process.pid, name), encoding='ascii') as f:
            return f.read()

    def rss(self):
        """KiB of memory in use."""
        return int(re.search(r'^VmRSS:\s+(\d+) kB$', self.proc('status'), re.M).group(1))

    def cpu(self):
        """Seconds of CPU so far."""
        fields = self.proc('stat').rpartition(')')[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def files(self):
        """Open file descriptors, as the server counts them: /proc shows them to root alone."""
        return int(self.metric('process_open_fds'))


class Load:
    """The load client (client.go) at work. Its reports are dicts."""

    def __init__(self, rig, servers, *options, questions=None, ready=False):
        command = [rig.build + '/tests/load/client', '-questions', questions or rig.questions, '-ca', servers[0].ca,
                   '-targets', ','.join('localhost:%d' % s.port for s in servers), *options]
        if ready:
            command += ['-ready', ','.join('http://127.0.0.1:%d/readyz' % s.admin_port for s in servers)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def next(self):
        """The next report."""
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError('the load client ended with status %s' % self.process.wait())
        return json.loads(line)

    def window(self, label):
        """What happened since the last report."""
        self.process.stdin.write(label + '\n')
        self.process.stdin.flush()
        return self.next()

    def end(self):
        """Ends it; what happened in all its time."""
        self.process.stdin.close()
        total = self.next()
        if self.process.wait() != 0:
            raise AssertionError('the load client ended with status %s' % self.process.returncode)
        return total

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Rig:
    """Counts what is judged, and holds what all parts share. Use with `with`."""

    def __init__(self, build, server=None):
        self.build = os.path.abspath(build)
        self.passed = self.failed = 0
        harness.BINARY = os.path.abspath(server or self.build + '/connhook')

    def __enter__(self):
        self.scratch = tempfile.TemporaryDirectory(prefix='connhook-load-')
        self.reviews = questions.reviews(self.build, self.scratch.name)
        self.questions = self.ask()
        return self

    def __exit__(self, kind, value, trace):
        self.scratch.cleanup()

    def ask(self, *configs, largest=None):
        """A file of questions whose answers are right under one of the configurations; default: the built-in one. Of
        reviews of more than `largest` bytes, none."""
        handle, path = tempfile.mkstemp(dir=self.scratch.name)
        os.close(handle)
        asked = [(phase, body) for phase, body in self.reviews if largest is None or len(body) <= largest]
        questions.write(self.build, asked, path, configs or ('managed',))
        return path

    def judge(self, what, good, found=''):
        """One line for what must be true."""
        self.passed += bool(good)
        self.failed += not good
        print('%-6s %s%s' % ('ok' if good else 'FAILED', what, ': %s' % found if found != '' else ''), flush=True)

    def judge_answers(self, report):
        """No answer is lost, wrong or later than the API server waits, and none needed a second try."""
        good = report['right'] == report['sent'] > 0 and not report['late'] and not report['retried']
        self.judge('every answer right and in time', good, '%(sent)d sent, %(right)d right, %(wrong)d wrong, '
                   '%(lost)d lost, %(late)d later than 5 s, %(retried)d sent twice' % report)
        for text, count in (report['failures'] or {}).items():
            print('       %d x %s' % (count, text))

    def end(self):
        print('%d passed, %d failed' % (self.passed, self.failed), flush=True)
        return 1 if self.failed or not self.passed else 0


def wait_until(is_so):
    """Asks until it is so; False when that takes too long."""
    deadline = time.monotonic() + harness.WAIT
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def machine():
    """The machine in a few words, for whoever compares figures."""
    model = 'unknown processor'
    with open('/proc/cpuinfo', encoding='utf-8') as f:
        found = re.search(r'^model name\s*:\s*(.*)$', f.read(), re.M)
    if found:
        model = found.group(1)
    return '%d CPUs (%s), load average %.1f at the start' % (len(os.sched_getaffinity(0)), model, os.getloadavg()[0])
