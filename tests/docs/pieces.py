#!/usr/bin/python3
"""
The ready pieces of docs/ci and .pre-commit-hooks.yaml: each is run, with what it runs in left out, over manifests that
are admitted and over some that are denied.

    tests/docs/pieces.py PATH_TO_CONNHOOK
"""
import json
import os
import shutil
import subprocess
import sys

import yaml

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from support import command  # noqa: E402

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..')
PIECES = os.path.join(ROOT, 'docs', 'ci')
IMAGE = 'registry.example/connhook:0.1.0'
DOCKER = '#!/bin/sh\nwhile [ "$1" != %s ]; do shift; done\nshift\nexec connhook "$@"\n' % IMAGE
GOOD = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, annotations: {inject.zerotouch.io/bindings: nats}}
spec: {template: {spec: {containers: [{name: web, image: a}]}}}
"""
BAD = 'apiVersion: database.bizmatters.io/v1alpha1\nkind: PostgresInstance\nmetadata: {name: web-db, namespace: shop}\n'
# What stands in a repository beside manifests.
MIXED = {
    'charts/shop/Chart.yaml': 'apiVersion: v2\nname: shop\nversion: 1.0.0\n',
    'charts/shop/values.yaml': 'image: {tag: "1"}\n',
    'charts/shop/templates/app.yaml': 'apiVersion: apps/v1\nkind: Deployment\nmetadata: {{ .Values.meta }}\n',
    'base/kustomization.yaml': 'apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n',
    'overlays/prod/patch.yaml': 'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\n'
                                'spec: {replicas: 3}\n',
    'web/tsconfig.json': '{\n  // strict\n  "compilerOptions": {"strict": true,},\n}\n',
    'web/package.json': '{"name": "web", "version": "1.0.0"}\n',
    'web/node_modules/x/bad.yaml': BAD,
    '.github/workflows/ci.yaml': 'on: push\njobs: {}\n',
    'mkdocs.yml': 'site_name: a\nmarkdown: !!python/name:materialx.emoji.twemoji\n',
    'infra/stack.yaml': 'AWSTemplateFormatVersion: "2010-09-09"\nResources: {B: {Name: !Ref N, V: !Sub "${A}"}}\n',
    'ansible/play.yml': '- hosts: all\n  tasks:\n  - name: "{{ item }}"\n',
    'ansible/jinja.yml': '{% if a %}\nkind: Pod\n{% endif %}\n',
    'compose.yaml': 'services: {db: {image: "postgres:16"}}\n',
    'connhook.yaml': 'apiVersion: connhook.zerotouch.io/v1alpha1\nkind: InjectorConfig\n',
    'empty.yaml': '',
}


def piece(name):
    with open(os.path.join(PIECES, name), encoding='utf-8') as f:
        return yaml.safe_load(f)


class PiecesTest(command.CommandTest):
    def setUp(self):
        super().setUp()
        os.makedirs(self.path('bin'))
        os.symlink(command.connhook, self.path('bin/connhook'))
        os.chmod(self.path(self.write('bin/docker', DOCKER)), 0o755)
        self.write('connhook.yaml', self.says('config', 'show'))

    def run_lines(self, lines, **more):
        return subprocess.run(['/bin/sh', '-ec', '\n'.join(lines)], cwd=self.folder, check=False, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=command.SECONDS,
                              env=dict(os.environ, PATH=self.path('bin') + ':' + os.environ['PATH']), **more)

    def judge(self, lines, path='k8s/all.yaml'):
        """Admitted manifests pass, a denied one fails, and what cannot be read does."""
        for text, code in ((GOOD, 0), (GOOD + '---\n' + BAD, 1), ('a: [\n', 2)):
            self.write(path, text)
            done = self.run_lines(lines)
            self.assertEqual(done.returncode, code, done.stdout + done.stderr)

    def test_github(self):
        steps = piece('github.yaml')['jobs']['review']['steps']
        self.judge([s['run'] for s in steps if 'run' in s])
        (upload,) = [s for s in steps if 'sarif' in s.get('uses', '')]
        self.assertEqual(upload['if'], 'always()')
        with open(self.path(upload['with']['sarif_file']), encoding='utf-8') as f:
            self.assertEqual(json.load(f)['runs'][0]['results'][0]['ruleId'], 'unreadable')

    def test_gitlab(self):
        job = piece('gitlab.yaml')['connhook']
        self.judge(job['script'])
        for name in job['artifacts']['reports'].values():
            with open(self.path(name), encoding='utf-8') as f:
                self.assertIn('unreadable', f.read())

    def test_tekton(self):
        spec = piece('tekton.yaml')['spec']
        (step,) = spec['steps']
        self.judge([' '.join(step['command']).replace('$(params.path)', spec['params'][0]['default'])])
        self.assertEqual(step['workingDir'], '$(workspaces.%s.path)' % spec['workspaces'][0]['name'])

    def test_argo_cd(self):
        job = piece('argocd-presync.yaml')
        self.assertEqual(job['metadata']['annotations']['argocd.argoproj.io/hook'], 'PreSync')
        (container,) = job['spec']['template']['spec']['containers']
        self.judge([' '.join(container['command']).replace('/manifests/', 'manifests/')], 'manifests/all.yaml')
        self.says('review', os.path.join(PIECES, 'argocd-presync.yaml'))

    def test_pre_commit(self):
        with open(os.path.join(ROOT, '.pre-commit-hooks.yaml'), encoding='utf-8') as f:
            (hook,) = yaml.safe_load(f)
        self.assertIs(hook['pass_filenames'], False)
        self.judge([' '.join([hook['entry'], *hook['args']])])

    def test_post_renderer(self):
        program = os.path.abspath(os.path.join(PIECES, 'post-renderer'))
        done = self.run_lines([program], input=GOOD)
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        self.assertIn('NATS_URL', done.stdout)
        self.assertEqual(self.run_lines([program], input=done.stdout).stdout, done.stdout)
        self.assertEqual(self.run_lines([program], input=GOOD + '---\n' + BAD).returncode, 1)
        self.assertEqual(self.run_lines(['CONNHOOK_CONFIG=none.yaml ' + program], input=GOOD).returncode, 2)
        if shutil.which('helm'):
            self.write('chart/Chart.yaml', MIXED['charts/shop/Chart.yaml'])
            self.write('chart/templates/app.yaml', GOOD)
            done = self.run_lines(['helm template x chart --post-renderer ' + program])
            self.assertIn('NATS_URL', done.stdout, done.stderr)

    def test_a_repository_of_everything(self):
        for name, text in MIXED.items():
            self.write('repo/' + name, text)
        self.write('repo/k8s/app.yaml', GOOD)
        said = self.says('review', 'repo')
        self.assertIn('2 objects: 1 patched, 0 denied, 0 with warnings\n', said)
        self.assertRegex(said, r'\n\d+ passed over: no manifests\n\Z')
        self.write('repo/k8s/db.yaml', BAD)
        self.assertIn('k8s/db.yaml:2: ', self.says('review', 'repo', code=1))


if __name__ == '__main__':
    command.main()
