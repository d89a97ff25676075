#!/usr/bin/python3
"""
connhook review: what it takes, what it passes over, what it cannot read, and what a stranger's files cannot do.

    tests/cli/review_input.py PATH_TO_CONNHOOK
"""
import json
import os
import pty
import resource
import subprocess
import sys
import xml.etree.ElementTree as xml

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from support import command  # noqa: E402

CONFIGMAP = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n'
POSTGRES = 'apiVersion: database.bizmatters.io/v1alpha1\nkind: PostgresInstance\nmetadata: {name: web-db}\n'
CLAIM = ('apiVersion: cache.bizmatters.io/v1alpha1\nkind: DragonflyInstance\nmetadata: {generateName: shop-}\n'
         'spec: {writeConnectionSecretToRef: {name: billing-db}}\n')
BOUND = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, annotations: {inject.zerotouch.io/bindings: db}}
spec: {template: {spec: {containers: [{name: web, image: "ghcr.io/shop/web:1"}]}}}
"""
# What stands in a directory beside manifests.
NO_MANIFESTS = {
    'values.yaml': 'replicas: 2\nimage: {tag: "1"}\n',
    'kustomization.yaml': 'apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n',
    'helm.yaml': 'apiVersion: v1\nkind: ConfigMap\n{{- if .Values.on }}\nmetadata: {name: a}\n{{- end }}\n',
    'helm-that-is-yaml.yaml': CONFIGMAP % '"{{ .Release.Name }}"',
    'jinja.yml': '{% for n in names %}\nkind: Pod\n{% endfor %}\n',
    'tsconfig.json': '{\n  // a comment\n  "compilerOptions": {}\n}\n',
    'mkdocs.yml': 'site_name: a\nmarkdown: !!python/name:materialx.emoji\n',
    'formation.yaml': 'Resources: {Bucket: {Name: !Ref Name}}\n',
}


class InputTest(command.CommandTest):
    def review(self, *arguments, code=0, **more):
        """The list of -o json."""
        done = self.run_raw('review', '-o', 'json', *arguments, **more)
        self.assertEqual(done.returncode, code, done.stderr)
        return json.loads(done.stdout)

    def names(self, *arguments, **more):
        return [r['name'] for r in self.review(*arguments, **more)]

    # ---- what is passed over ----

    def test_a_directory_holds_more_than_manifests(self):
        self.write('d/ok.yaml', CONFIGMAP % 'ok')
        for name, text in NO_MANIFESTS.items():
            self.write('d/' + name, text)
        self.assertEqual(self.names('d'), ['ok'])
        self.assertIn('\n%d passed over: no manifests\n' % len(NO_MANIFESTS), self.says('review', 'd'))
        for name in set(NO_MANIFESTS) - {'kustomization.yaml', 'helm-that-is-yaml.yaml'}:
            with self.subTest(name):
                said = self.says('review', 'd/' + name, 'd/ok.yaml', code=2)
                self.assertIn('unreadable  d/%s:' % name, said)
                self.assertIn('ConfigMap default/ok', said)

    def test_hidden_and_excluded(self):
        for name in ('a.yaml', '.b.yaml', '.git/c.yaml', 'node_modules/d.yaml', 'x/node_modules/e.yaml', 'tests/f.yaml',
                     'x/tests/g.yaml', 'legacy/h.yaml', 'x/legacy/i.yaml'):
            self.write('d/' + name, CONFIGMAP % os.path.basename(name)[:-5].strip('.'))
        self.assertEqual(self.names('d'), ['a', 'h', 'f', 'i', 'g'])
        self.assertEqual(self.names('--exclude', 'tests', 'd'), ['a', 'h', 'i'])
        self.assertEqual(self.names('--exclude', 'tests/', '--exclude=legacy/*.yaml', 'd'), ['a', 'i'])
        self.write('d/.connhookignore', '# not ours\n\ntests\nlegacy/*.yaml\n')
        self.assertEqual(self.names('d'), ['a', 'i'])
        self.assertEqual(self.names('d', 'd/tests/f.yaml'), ['a', 'i', 'f'])

    # ---- what a stranger's files cannot do ----

    def test_links_that_leave_the_directory(self):
        self.write('secret.yaml', CONFIGMAP % 'outside')
        self.write('repo/ok.yaml', CONFIGMAP % 'ok')
        os.symlink('../secret.yaml', self.path('repo/k.yaml'))
        os.symlink('..', self.path('repo/up'))
        for argument in ('repo', 'repo/', 'repo/*'):
            with self.subTest(argument):
                done = self.run_raw('review', '-o', 'yaml', argument)
                self.assertEqual(done.returncode, 0)
                self.assertIn(b'name: ok', done.stdout)
                self.assertNotIn(b'outside', done.stdout)
                self.assertIn(b'2 links not followed', done.stderr)

    def test_names_of_files_command_no_terminal(self):
        self.write('d/a\x1b[31m.yaml', POSTGRES)
        with open(os.fsencode(self.path('d')) + b'/b\xff.yaml', 'w', encoding='utf-8') as f:
            f.write(POSTGRES + 'a: [\n')
        for form in ('summary', 'github', 'junit', 'sarif', 'json', 'yaml', 'diff', 'patch'):
            done = self.run_raw('review', '-o', form, 'd')
            self.assertEqual(done.returncode, 2)
            for stream in (done.stdout, done.stderr):
                self.assertNotRegex(stream.decode('utf-8'), '[\x00-\x09\x0b-\x1f\x7f-\x9f]')

    def test_aliases_have_one_budget(self):
        document = CONFIGMAP % 'a' + 'a: &a [%s]\n' % ','.join('x' * 9)
        for i in range(5):
            document += '%s: &%s [%s]\n' % ('bcdef'[i], 'bcdef'[i], ','.join(['*' + 'abcde'[i]] * 9))

        with open(command.connhook, 'rb') as f:
            sanitized = b'__asan_init' in f.read()

        def little_memory():
            if not sanitized:  # which maps as much as there is
                resource.setrlimit(resource.RLIMIT_AS, (200 << 20, 200 << 20))
        self.write('a.yaml', ('---\n' + document) * 8)
        self.write('ok.yaml', CONFIGMAP % 'ok')
        done = self.run_raw('review', 'a.yaml', 'ok.yaml', preexec_fn=little_memory)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b'aliases stand for more than', done.stdout)
        self.assertIn(b'ConfigMap default/ok', done.stdout)

    def test_many_documents_come_out_in_their_order(self):
        """More than one job of the queue, and more than one window of it, with faults among them."""
        pad = 'data: {a: "%s"}\n' % ('x' * 2000)
        wanted, text = [], ''
        for i in range(900):
            wanted.append('bad' if i % 100 == 50 else 'c%d' % i)
            text += '---\n' + ('a: [\n' if i % 100 == 50 else CONFIGMAP % wanted[-1] + pad)
        self.write('d/a.yaml', text)
        for i in range(30):
            self.write('d/b%02d.yaml' % i, CONFIGMAP % ('b%d' % i) + pad)
        self.write('d/c.yaml', CONFIGMAP % 'last')
        results = self.review('d/a.yaml', 'd/none.yaml', 'd/b*.yaml', 'd/c.yaml', code=2)
        self.assertEqual([r['name'] for r in results if r['allowed']],
                         [n for n in wanted if n != 'bad'] + ['b%d' % i for i in range(30)] + ['last'])
        self.assertEqual([r['source'] for r in results if not r['allowed']], ['d/a.yaml'] * 9 + ['d/none.yaml'])
        self.assertEqual([r['line'] for r in results[:3]], [2, 7, 12])
        lines = [r['line'] for r in results if not r['allowed']]
        self.assertEqual(lines[:9], sorted(lines[:9]))

    def test_a_generated_name_is_judged(self):
        self.says('review', '-', text=CLAIM, code=1)

    # ---- reports ----

    def test_every_report_tells_of_both(self):
        self.write('app.yaml', POSTGRES)
        self.write('broken.yaml', 'a: b: c\n')

        def report(form):
            done = self.run_raw('review', '-o', form, 'app.yaml', 'broken.yaml')
            self.assertEqual(done.returncode, 2)
            return done.stdout.decode()
        github = report('github')
        self.assertRegex(github, r'(?m)^::error file=app\.yaml,line=2,title=no-in-cluster-database::')
        self.assertRegex(github, r'(?m)^::error file=broken\.yaml,line=1,title=unreadable::malformed YAML')
        junit = xml.fromstring(report('junit'))
        self.assertEqual([(len(list(s.iter('failure'))), len(list(s.iter('error')))) for s in junit], [(1, 0), (0, 1)])
        (run,) = json.loads(report('sarif'))['runs']
        self.assertEqual([r['ruleId'] for r in run['results']], ['no-in-cluster-database', 'unreadable'])
        self.assertEqual(run['invocations'][0]['executionSuccessful'], False)
        self.assertEqual(len(run['invocations'][0]['toolExecutionNotifications']), 1)
        self.assertEqual([v['rule'] for r in json.loads(report('json')) for v in r['violations']],
                         ['no-in-cluster-database', 'unreadable'])

    def test_standard_input_has_a_place(self):
        for arguments, uri in (((), 'stdin'), (('--stdin-name', 'overlays/prod'), 'overlays/prod')):
            report = self.says('review', '-o', 'sarif', *arguments, '-', text=POSTGRES, code=1)
            (result,) = json.loads(report)['runs'][0]['results']
            self.assertEqual(result['locations'][0]['physicalLocation'],
                             {'artifactLocation': {'uri': uri}, 'region': {'startLine': 2}})

    # ---- as people type it ----

    def test_options(self):
        self.write('a.yaml', CONFIGMAP % 'a')
        self.write('b.yaml', CONFIGMAP % 'b')
        self.assertEqual(self.names('-f', 'a.yaml', '--filename=b.yaml'), ['a', 'b'])
        self.assertEqual(self.names('-R', '-fa.yaml', '-', 'b.yaml', text=CONFIGMAP % 'c'), ['a', 'c', 'b'])
        self.assertEqual(self.names('--', 'a.yaml'), ['a'])
        self.assertEqual(self.says('review', '-o=json', 'a.yaml'), self.says('review', '-o', 'json', 'a.yaml'))
        self.assertEqual(self.review('-n=shop', 'a.yaml')[0]['namespace'], 'shop')
        self.assertIn('is no name of a namespace', self.refuses('review', '-n', 'Shop/x', 'a.yaml'))

    def test_groups(self):
        self.write('c.yaml', self.says('config', 'show').replace('  users:', '  groups: [operators]\n  users:', 1))
        self.write('a.yaml', BOUND)
        skipped = 'skipped: exempt-group'
        self.assertNotIn(skipped, self.says('review', '-c', 'c.yaml', '--group', 'tenants', 'a.yaml'))
        self.assertIn(skipped, self.says('review', '-c', 'c.yaml', '--group=tenants', '--group', 'operators', 'a.yaml'))

    def test_a_terminal_is_told_what_is_awaited(self):
        main, terminal = pty.openpty()
        with subprocess.Popen([command.connhook, 'review', '-'], stdin=terminal, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as process:
            os.close(terminal)
            self.assertIn(b'end them with Ctrl-D', process.stderr.readline())
            os.write(main, (CONFIGMAP % 'a').encode() + b'\x04')
            self.assertIn(b'ConfigMap default/a', process.stdout.read())
        os.close(main)
        self.assertEqual(process.returncode, 0)

    def test_strict(self):
        self.write('a.yaml', BOUND)
        self.assertIn('[missing-secret]', self.says('review', 'a.yaml'))
        self.assertIn('[missing-secret]', self.says('review', '--strict', 'a.yaml', code=1))
        self.says('review', '--strict', '-', text=CONFIGMAP % 'a')


if __name__ == '__main__':
    command.main()
