#!/usr/bin/python3
"""
All of connhook under valgrind's memcheck: unit tests, golden cases, a server, the commands. No error, no leak.

    tests/valgrind.py --build build/valgrind
    tests/valgrind.py --build build/valgrind -k server
"""
import argparse
import concurrent.futures
import glob
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

import golden
from cli import memory

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE + '/http')
import harness  # noqa: E402

PYTHON = '/usr/bin/python3'
WORKERS = 2
SLOWNESS = 100     # how many times longer Check lets a test run
FOUND = 99         # the exit status of a program in which something was found
WAIT = 300         # seconds for anything that must happen in the server
SHOWN = 4000       # how much of a log is shown
REQUESTS = 300     # to the server
CLIENTS = 3

MEMCHECK = ['valgrind', '--error-exitcode=%d' % FOUND, '--leak-check=full', '--show-leak-kinds=definite,possible',
            '--errors-for-leak-kinds=definite,possible', '--num-callers=30']

# A place in a program, as each fault has; a process that a test has killed has no summary.
FAULT = re.compile(r'^==\d+== +(at|by) 0x', re.M)

COMMANDS = (  # (exit status, arguments), one after the other in one folder
    (0, 'version'), (0, '--help'), (2, 'nonsense'),
    (0, 'certs init --out pki --dns a.example --ip ::1'), (2, 'certs init --out pki'),
    (0, 'certs show pki/ca.crt pki/tls.crt pki/tls.key'), (0, 'certs renew --out pki'),
    (1, 'certs show pki/tls.crt two/tls.key'),
    (0, 'config show'), (0, 'config show --profile in-cluster'), (0, 'config check good.yaml'),
    (2, 'config check bad.yaml'), (2, 'config check all.yaml'),
    (1, 'review all.yaml'), (1, 'review -o yaml all.yaml'), (1, 'review -o json all.yaml'),
    (1, 'review -o patch all.yaml'), (1, 'review -o diff all.yaml'), (1, 'review -o github all.yaml'),
    (1, 'review -o junit all.yaml'), (1, 'review -o sarif all.yaml'), (1, 'review --config good.yaml *.yaml'),
    (2, 'review missing.yaml'), (2, 'review pki/ca.crt'),
    (0, 'webhook-config --ca-file pki/ca.crt --service a/b'),
    (0, 'webhook-config --config good.yaml --ca-file pki/ca.crt --url https://localhost:8443'),
    (0, 'webhook-config --cert-manager a/b --service a/b --kubernetes-version 1.30'),
    (0, 'webhook-config --native'), (2, 'webhook-config --ca-file pki/tls.key --service a/b'),
    (2, 'serve --tls-cert pki/tls.crt --tls-key two/tls.key'),
)


class Wrong(Exception):
    """A program that did not do what it was to do."""


class Part:
    """Something to run; memcheck's logs of it, one a process, are in a folder of its own."""

    def __init__(self, build, scratch, name):
        self.build, self.name = build, name
        self.folder = '%s/%s' % (scratch, name.replace('/', '-'))
        os.mkdir(self.folder)
        self.wrap = [*MEMCHECK, '--log-file=%s/log-%%p' % self.folder]
        self.program = build + '/connhook'

    def run(self):
        """(processes, allocations, seconds, what went wrong)"""
        begun, wrong = time.monotonic(), []
        try:
            getattr(self, self.name.partition('/')[0])()
        except (Wrong, AssertionError, OSError, http.client.HTTPException) as e:
            wrong.append('%s: %s' % (type(e).__name__, e))
        logs = [golden.read(path).decode('utf-8', 'replace') for path in glob.glob(self.folder + '/log-*')]
        sums = [re.search(r'total heap usage: ([\d,]+) allocs', log) for log in logs]
        wrong += [log[:SHOWN] for log in logs if FAULT.search(log)]
        allocations = sum(int(s.group(1).replace(',', '')) for s in sums if s)
        return len(logs), allocations, time.monotonic() - begun, wrong

    def command(self, command, status=0, **more):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              check=False, **more)
        if done.returncode != status:
            raise Wrong('%s: exit %d, not %d\n%s' % (' '.join(command[-4:]), done.returncode, status,
                                                    done.stdout.decode('utf-8', 'replace')[-SHOWN:]))

    def unit(self):
        """Check runs each test in a process of its own, which memcheck follows."""
        self.command([*self.wrap, self.build + '/tests/' + self.name],
                     env=dict(os.environ, CK_TIMEOUT_MULTIPLIER=str(SLOWNESS)))

    def golden(self):
        self.command([PYTHON, HERE + '/golden.py', '--build', self.build, '--wrap', ' '.join(self.wrap)])

    def commands(self):
        def write(name, text):
            with open('%s/%s' % (self.folder, name), 'w', encoding='utf-8') as f:
                f.write(text)
        with open(HERE + '/../src/policy/load/profiles/in-cluster.yaml', encoding='utf-8') as f:
            write('good.yaml', f.read())
        write('bad.yaml', 'apiVersion: connhook.zerotouch.io/v1alpha1\nkind: InjectorConfig\nbinding: []\n')
        write('all.yaml', memory.MANIFESTS)
        self.command([self.program, 'certs', 'init', '--out', 'two'], cwd=self.folder)
        for status, arguments in COMMANDS:
            self.command([*self.wrap, self.program, *arguments.split()], status, cwd=self.folder)

    def server(self):
        """Requests while configuration and certificate change, then the end with one under way."""
        config = self.folder + '/config.yaml'
        text = golden.read(HERE + '/../src/policy/load/profiles/managed.yaml')

        def write(content):
            with open(config + '.new', 'wb') as f:
                f.write(content)
            os.rename(config + '.new', config)

        write(text)
        questions = [(path, json.dumps(harness.review(obj)).encode()) for path in ('/mutate', '/validate')
                     for obj in (None, harness.DATABASE)] + [('/mutate', b'{'), ('/no', b'{}')]

        def ask():
            for i in range(REQUESTS // CLIENTS):
                path, body = questions[i % len(questions)]
                status = server.post(path, body)[0]
                if status not in (200, 400, 404):
                    raise Wrong('%s is answered with %d' % (path, status))

        def change():
            for content in (b'kind: nonsense\n', text + b'# again\n', text.replace(b'jwt', b'token')):
                write(content)
                server.send(signal.SIGHUP)
                self.command([self.program, 'certs', 'renew', '--out', os.path.dirname(server.ca)])
                for path in ('/metrics', '/readyz?verbose', '/version', '/healthz'):
                    server.get(path)

        with harness.Server('--config', config, '--threads', '2', '--request-timeout', '60', wrap=self.wrap) as server:
            harness.together(change, *[ask] * CLIENTS)
            with server.tls() as late:
                late.sendall(harness.head('/mutate', len(harness.BODY)) + harness.BODY[:100])
                server.wait_metric('connhook_connections', 1)
                server.send(signal.SIGTERM)
                late.sendall(harness.BODY[100:])
                if harness.read_response(late)[0] != 200:
                    raise Wrong('the last request is not answered')


def main():
    options = argparse.ArgumentParser(description='Runs everything under memcheck.')
    options.add_argument('--build', default='build/valgrind', help='the build directory')
    options.add_argument('-k', default='', metavar='WORD', help='only parts whose name holds this')
    options = options.parse_args()
    build = os.path.abspath(options.build)
    harness.BINARY = build + '/connhook'
    harness.WAIT = WAIT
    names = ['server', 'commands', 'golden'] + ['unit/' + os.path.basename(p)[:-2]
                                                for p in sorted(glob.glob(HERE + '/unit/test_*.c'))]
    names = [n for n in names if options.k in n]
    failed, sums = 0, [0, 0]
    with tempfile.TemporaryDirectory() as scratch, concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        parts = [Part(build, scratch, n) for n in names]
        for part, result in zip(parts, pool.map(Part.run, parts)):
            processes, allocations, seconds, wrong = result
            failed += bool(wrong)
            sums = [sums[0] + processes, sums[1] + allocations]
            print('%-6s %-28s %5d processes %10d allocations %7.1f s' % (
                'FAILED' if wrong else 'ok', part.name, processes, allocations, seconds), flush=True)
            for text in wrong:
                print(text + '\n', flush=True)
    print('%d processes, %d allocations' % tuple(sums))
    print('%d passed, %d failed' % (len(names) - failed, failed))
    return 1 if failed or not names else 0


if __name__ == '__main__':
    sys.exit(main())
