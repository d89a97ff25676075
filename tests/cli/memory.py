#!/usr/bin/python3
"""
Memory that runs out: one allocation fails, at many places in turn, and the answer is the right one or none, never one
that looks complete and lacks something. STEP=1 in the environment tries every allocation.

    tests/cli/memory.py PATH_TO_CONNHOOK
"""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from support import command  # noqa: E402

PLACES = 250  # that are tried for one command, unless STEP says otherwise

PRELOAD = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'data', 'failing_malloc.c')
OUT_OF_MEMORY = re.compile(r'connhook: [^\n]*(out of memory|Cannot allocate memory)[^\n]*\n')

MANIFESTS = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
  annotations:
    argocd.argoproj.io/hook: PreSync
    inject.zerotouch.io/bindings: db,cache,nats
    inject.zerotouch.io/migrate: '["npm", "run", "migrate"]'
    inject.zerotouch.io/migrate-position: first
spec:
  template:
    spec:
      initContainers:
      - {name: wait, image: busybox, env: [{name: DB_PASSWORD, value: hunter2}]}
      containers:
      - {name: web, image: "ghcr.io/shop/web:1", env: &env [{name: NATS_URL, value: mine}]}
      - {name: two, image: "ghcr.io/shop/web:1", env: *env}
---
apiVersion: v1
kind: List
items:
- apiVersion: external-secrets.io/v1
  kind: ExternalSecret
  metadata: {name: web-db, namespace: shop}
  spec: {data: [{remoteRef: {key: /zerotouch/dev/web/db}}]}
- apiVersion: external-secrets.io/v1
  kind: ExternalSecret
  metadata: {name: web-two, namespace: shop}
  spec: {target: {name: web-db}, data: [{remoteRef: {key: /zerotouch/_ENV_/web/db}}]}
- {apiVersion: apps/v1, kind: StatefulSet, metadata: {name: x, annotations: {inject.zerotouch.io/bindings: dbx}}}
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: good, namespace: shop, annotations: {inject.zerotouch.io/bindings: "db=web-db,cache=other"}}
  spec: {template: {spec: {containers: [{name: web, image: "ghcr.io/shop/web:1"}]}}}
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: lost, labels: {inject.zerotouch.io/bindings: db}}
  spec: {tempalte: {}}
"""


class MemoryTest(command.CommandTest):
    def setUp(self):
        super().setUp()
        subprocess.run(['gcc', '-shared', '-fPIC', '-O1', '-o', 'preload.so', PRELOAD], cwd=self.folder, check=True)
        self.write('dir/all.yaml', MANIFESTS)
        if self.run_raw('version', env=self.failing(0)).returncode != 0:
            self.skipTest('a sanitizer has an allocator of its own')

    def failing(self, place):
        return {'LD_PRELOAD': self.path('preload.so'), 'FAIL_AT': str(place), 'COUNT': self.path('count')}

    def torture(self, *arguments, code=0):
        whole = self.run_raw(*arguments, env=self.failing(0))
        self.assertEqual(whole.returncode, code, whole.stderr)
        with open(self.path('count'), encoding='ascii') as f:
            count = int(f.read())
        self.assertGreater(count, 10)
        refused, wrong = 0, []
        step = int(os.environ.get('STEP') or max(1, count // PLACES | 1))
        for place in range(1, count + 1, step):
            done = self.run_raw(*arguments, env=self.failing(place))
            if (done.returncode, done.stdout, done.stderr) == (whole.returncode, whole.stdout, whole.stderr):
                continue
            refused += 1
            *before, last = done.stderr.splitlines(keepends=True) or [b'']
            if done.returncode != 2 or done.stdout or not OUT_OF_MEMORY.fullmatch(last.decode('utf-8', 'replace')) \
                    or not whole.stderr.startswith(b''.join(before)):
                wrong.append((place, done.returncode, done.stdout[:60], last[-300:]))
        self.assertEqual(wrong, [])
        self.assertGreater(refused, 0)

    def test_review(self):
        for form in ('json', 'yaml', 'diff', 'name', 'github', 'gitlab', 'junit', 'sarif'):
            with self.subTest(form):
                self.torture('review', '-o', form, 'dir/**/*.yaml', code=1)

    def test_explain(self):
        self.torture('explain', 'dir/all.yaml')

    def test_config(self):
        self.write('c.yaml', self.says('config', 'show', '--profile', 'in-cluster'))
        self.torture('config', 'check', 'c.yaml')

    def test_webhook_config(self):
        self.torture('webhook-config', '--cert-manager', 'a/b', '--service', 'a/b', '--kubernetes-version', '1.30')


if __name__ == '__main__':
    command.main()
