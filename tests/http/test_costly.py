#!/usr/bin/python3
"""
All that costs most, sixteen at a time, within the memory that the chart gives, while others withhold the end of their
requests: each answer to a normal client arrives and is right.

    tests/http/test_costly.py PATH_TO_CONNHOOK
"""
import base64
import copy
import http.client
import json
import os
import queue
import re
import subprocess
import tempfile
import threading
import unittest

import harness
from harness import DATABASE, DEPLOYMENT, Server, exchange, head, review

A = 'inject.zerotouch.io/'
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
JSON = {'Content-Type': 'application/json'}
TOGETHER = 16
WITHHELD = 40
WITHHELD_BYTES = 6900000
ROUNDS = 1
PATIENCE = 120      # seconds: other programs run too, and this is no test of speed


def chart_limit():
    """resources.limits.memory of the chart, in bytes."""
    with open(os.path.join(ROOT, 'charts/connhook/values.yaml'), encoding='utf-8') as f:
        return int(re.search(r'limits:\n\s+memory: (\d+)Mi\n', f.read()).group(1)) << 20


def deployment(containers, annotations=None, **spec):
    obj = copy.deepcopy(DEPLOYMENT)
    obj['metadata']['annotations'] = annotations or {}
    obj['spec']['template']['spec'] = dict(spec, containers=containers)
    return obj


def record(entry):
    return json.dumps({'v': 1, 'injected': [entry]}, separators=(',', ':'))


def costly():
    """name -> path and body; each as large as it may be, or as the API server takes it."""
    n = 50000
    app = {'name': 'app', 'image': 'x'}
    external = {'apiVersion': 'external-secrets.io/v1', 'kind': 'ExternalSecret',
                'metadata': {'name': 'shop-db', 'namespace': 't'}, 'spec': {'data': [0] * 800000}}
    forged = record({'containers': ['app'], 'envFrom': [{}] * n})
    names = record({'containers': ['app'], 'env': [{'name': 'Z%d' % i} for i in range(1024)]})
    same = deployment([dict(app, envFrom=[{}] * n)], {A + 'bindings': 'db', A + 'status': forged})
    same['spec']['template']['metadata']['annotations'] = {A + 'injected': forged}
    residue = deployment([dict(app, env=[{'name': 'a'}] * 40000)], {A + 'bindings': 'db', A + 'status': names})
    residue['spec']['template']['metadata']['annotations'] = {A + 'injected': names}
    reloader = {'reloader.example.com/%d' % i: '' for i in range(10000)}
    violations = [{'name': 'c%d' % i, 'image': 'postgres:16', 'env': [{'name': 'DB_PASSWORD', 'value': 'x'}]}
                  for i in range(20000)]
    objects = {
        'glob': ('/mutate', review(deployment([dict(app, name='a' * 2 * n)],
                                              {A + 'bindings': 'db', A + 'containers': '*' + 'a' * n + 'b'}))),
        'forged record': ('/mutate', review(same)),
        'record and env': ('/validate', review(residue)),
        'scalars': ('/validate', review(external)),
        'annotations': ('/mutate', review(deployment([app], {A + 'bindings': 'db', **reloader}))),
        'violations': ('/validate', review(deployment(violations))),
        'old violations': ('/validate', review(deployment(violations), operation='UPDATE',
                                               oldObject=deployment(violations[::-1]))),
        'containers': ('/mutate', review(deployment([dict(app, name='c%d' % i) for i in range(60000)],
                                                    {A + 'bindings': 'db,jwt'}))),
    }
    raw = {path: json.dumps(body, separators=(',', ':')).encode() for path, body in {
        'zeros': review(deployment([app], **{'x': 'FILL'})), 'objects': review(deployment([app], **{'x': 'FILL'})),
        'deep': review(deployment([app], **{'x': 'FILL'}))}.items()}
    filled = {
        'zeros': ('/validate', raw['zeros'].replace(b'"FILL"', b'[' + b'0,' * 3399999 + b'0]')),
        'objects': ('/mutate', raw['objects'].replace(b'"FILL"', b'[' + b'{},' * 2000000 + b'{}]')),
        'deep': ('/mutate', raw['deep'].replace(b'"FILL"', b'[' + (b'[' * 200 + b']' * 200 + b',') * 10000 + b'0]')),
    }
    written = {name: (path, json.dumps(body, separators=(',', ':')).encode())
               for name, (path, body) in objects.items()}
    return {**written, **filled}


class Group:
    """A control group with the limit, where they may be made; else a limit of what the process may write to."""

    def __init__(self, limit):
        self.limit, self.path = limit, None
        self.wrap = ['prlimit', '--data=%d' % limit]
        try:
            self.path = tempfile.mkdtemp(prefix='connhook-', dir='/sys/fs/cgroup')
            with open(self.path + '/memory.max', 'r+', encoding='ascii') as f:  # is there where it is one
                f.write(str(limit))
            self.wrap = ['sh', '-c', 'echo $$ > %s/cgroup.procs && exec "$@"' % self.path, 'sh']
            subprocess.run([*self.wrap, 'true'], check=True, stderr=subprocess.DEVNULL)
        except (OSError, subprocess.CalledProcessError):
            self.close()
            self.wrap = ['prlimit', '--data=%d' % limit]

    def close(self):
        if self.path is not None:
            os.rmdir(self.path)
            self.path = None


def peak(server):
    with open('/proc/%d/status' % server.pid, encoding='ascii') as f:
        return int(re.search(r'^VmHWM:\s+(\d+) kB$', f.read(), re.M).group(1)) << 10


def sanitized():
    with open(harness.BINARY, 'rb') as f:
        return b'__asan_init' in (text := f.read()) or b'__tsan_init' in text


class Costly(unittest.TestCase):
    def withhold(self, server):
        """A request of which all but the end is sent; what happens to it is its own fault."""
        s = server.tls()
        self.held.append(s)
        try:
            s.sendall(head('/validate', 7000000) + b'{"a":"' + b'a' * WITHHELD_BYTES)
        except OSError:
            pass  # it had to give way

    def ask(self, server, questions):
        """A client that sends the costly ones; a denial, a warning and a 503 are answers."""
        while True:
            try:
                name, (path, body) = questions.get_nowait()
            except queue.Empty:
                return
            try:
                client = server.client()
                client.timeout = PATIENCE
                status, headers, answer = exchange(client, 'POST', path + '?timeout=30s', body, JSON)
                client.close()
            except (OSError, http.client.HTTPException):
                continue  # a 503 that ended the connection while the body was being sent
            self.assertIn(status, (200, 400, 503), (name, answer[:200]))
            if status == 503:
                self.assertEqual(headers['Retry-After'], '1')
            if status == 200:
                self.assertEqual(json.loads(answer)['response']['uid'], 'u-1')

    def normal(self, server, ended):
        """What a cluster asks all the time; returns how often it was answered."""
        count = 0
        client = server.client()
        client.timeout = PATIENCE
        while not ended.is_set() or count == 0:
            for path, obj, allowed in (('/mutate', DEPLOYMENT, True), ('/validate', DATABASE, False)):
                uid = 'normal-%d' % count
                status, _, answer = exchange(client, 'POST', path + '?timeout=30s',
                                             json.dumps(review(obj, uid)).encode(), JSON)
                self.assertEqual(status, 200, answer)
                response = json.loads(answer)['response']
                self.assertEqual((response['uid'], response['allowed']), (uid, allowed), answer)
                if allowed:
                    patch = json.loads(base64.b64decode(response['patch']))
                    self.assertIn('identity-service-db', json.dumps(patch))
                else:
                    self.assertIn('[no-in-cluster-database]', response['status']['message'])
                count += 1
        client.close()
        return count

    def test_all_at_once(self):
        self.held = []
        limit = chart_limit()
        group = Group(limit)
        self.addCleanup(group.close)
        questions = queue.Queue()
        for name, question in list(costly().items()) * ROUNDS:
            questions.put((name, question))
        ended = threading.Event()
        with Server('--threads', '2', '--request-timeout', '60', wrap=[] if sanitized() else group.wrap) as server:
            harness.together(*[lambda: self.withhold(server)] * WITHHELD)
            counts = []

            def costly_ones():
                try:
                    harness.together(*[lambda: self.ask(server, questions)] * TOGETHER)
                finally:
                    ended.set()

            harness.together(costly_ones, *[lambda: counts.append(self.normal(server, ended))] * 2)
            for s in self.held:
                s.close()
            server.wait_metric('connhook_body_bytes', 0)
            most = peak(server)
            self.assertEqual(server.get('/readyz')[0], 200)
        print('%d normal answers, peak %d MiB' % (sum(counts), most >> 20), flush=True)
        if not sanitized():
            self.assertLess(most, limit)


if __name__ == '__main__':
    harness.main()
