#!/usr/bin/python3
"""
connhook review: manifests in, what the cluster would say out. Patches are applied by python3-jsonpatch, diffs by git
and patch, YAML is read by another library.

    tests/cli/review.py PATH_TO_CONNHOOK
"""
import json
import os
import pty
import re
import resource
import shutil
import subprocess
import sys

import jsonpatch
import yaml

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from support import command, exact  # noqa: E402

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'data')
SERVICES = {'identity-service.yaml': 'managed', 'agent-executor.yaml': 'in-cluster'}

EXEMPT = """\
apiVersion: connhook.zerotouch.io/v1alpha1
kind: InjectorConfig
exempt: {namespaces: ["*"]}
"""

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
  annotations: {inject.zerotouch.io/bindings: "%s"}
spec:
  template:
    spec:
      containers:
      - {name: web, image: "ghcr.io/shop/web:1"}
"""

POSTGRES = """\
apiVersion: database.bizmatters.io/v1alpha1
kind: PostgresInstance
metadata: {name: web-db, namespace: shop}
spec: {size: small}
"""

CONFIGMAP = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n'

# A plain or quoted scalar, and what Kubernetes makes of it.
SCALARS = [
    ('yes', True), ('On', True), ('y', True), ('NO', False), ('off', False), ('n', False), ('true', True),
    ('"yes"', 'yes'), ("'off'", 'off'), ('"true"', 'true'), ('"~"', '~'), ('""', ''), ('~', None), ('null', None),
    ('1', 1), ('"1"', '1'), ('0x1F', 31), ('0b101', 5), ('0o17', 15), ('017', 15), ('1_000', 1000),
    ('"1_000"', '1_000'), ('1.50', 1.5), ('"1.50"', '1.50'), ('"1e3"', '1e3'), ('.5', 0.5), ('-0', 0),
    ('9223372036854775807', 9223372036854775807), ('18446744073709551615', 18446744073709551615),
    ('2026-01-02', '2026-01-02'), ('12:30:45', '12:30:45'), ('"0x1F"', '0x1F'), ('1.2.3', '1.2.3'), ('a:b', 'a:b'),
    ('"a\\tb\\u0001"', 'a\tb\x01'), ('"  padded  "', '  padded  '), ('"# no comment"', '# no comment'), ('"-"', '-'),
    ('"\\u2028"', '\u2028'), ('"{app}"', '{app}'), ('"*x"', '*x'), ('"&x"', '&x'), ('"!x"', '!x'), ('">"', '>'),
    ('"two\\nlines\\n"', 'two\nlines\n'), ('"trailing \\n"', 'trailing \n'), ('"\\n"', '\n'),
    ('[]', []), ('{}', {}), ('[1, [a, {b: []}]]', [1, ['a', {'b': []}]]),
]

# A file's content, and the sentence that refuses it.
UNREADABLE = [
    ('x.yaml', 'apiVersion: v1\nkind: Pod\nkind: Pod\n',
     'x.yaml:3:1: key "kind" stands in this mapping twice, first at line 2'),
    ('x.yaml', CONFIGMAP % 'a' + 'data: {a: 1, "a": 2}\n', 'x.yaml:4:14: key "a" stands in this mapping twice'),
    ('x.json', '{"apiVersion":"v1","kind":"Pod","kind":"Pod"}', 'x.json:1:33: key "kind" stands in this mapping twice'),
    ('x.yaml', CONFIGMAP % 'a' + '---\n- a\n', 'x.yaml:5: found an array; expected a Kubernetes object'),
    ('x.json', '[]', 'x.json:1: found an array; expected a Kubernetes object'),
    ('x.yaml', 'just text\n', 'x.yaml:1: found a string; expected a Kubernetes object'),
    ('x.yaml', 'kind: Pod\n', 'x.yaml:1: the document has no apiVersion; expected a Kubernetes object'),
    ('x.yaml', '\n\napiVersion: v1\n', 'x.yaml:3: the document has no kind; expected a Kubernetes object'),
    ('x.yaml', 'apiVersion: v1\nkind: 5\n', 'x.yaml:1: the document has no kind'),
    ('x.yaml', CONFIGMAP % 'a' + 'data: [\n', 'x.yaml:5:1: malformed YAML'),
    ('x.yaml', CONFIGMAP % 'a' + '\tdata: {}\n', 'x.yaml:4:1: malformed YAML: a tab; indent with spaces'),
    ('x.yaml', b'apiVersion: v1\nkind: "\xff"\n', 'x.yaml:2:8: YAML cannot hold "\\xff"'),
    ('x.yaml', b'apiVersion: v1\nkind: \x00\n', 'x.yaml:2:7: YAML cannot hold "\\u0000"'),
    ('x.yaml', CONFIGMAP % 'a' + 'data: {a: .nan}\n', 'x.yaml:4:11: .nan is a number that JSON does not have'),
    ('x.yaml', CONFIGMAP % 'a' + 'data: {? [a] : b}\n', 'x.yaml:4:10: the key is a list; expected a string'),
    ('x.yaml', CONFIGMAP % 'a' + 'data: *b\n', 'x.yaml:4:7: alias *b has no anchor &b before it'),
    ('x.yaml', CONFIGMAP % 'a' + 'data: ' + '[' * 300 + ']' * 300, 'x.yaml:4:262: nested deeper than 256 levels'),
]


def read(name):
    with open(os.path.join(DATA, name), encoding='utf-8') as f:
        return f.read()


def documents(text):
    """The documents of a YAML stream, numbers as they were written."""
    return [exact.yaml_load(part) for part in re.split(r'(?m)^---\n', text) if part.strip()]


def admitted(source, results):
    """Objects of the source, patched by an independent library as `results` (of -o json) say; not the denied ones."""
    return [jsonpatch.JsonPatch(r['patch']).apply(o) for o, r in zip(source, results) if r['allowed']]


class ReviewTest(command.CommandTest):
    def json(self, *arguments, code=0, **more):
        return exact.loads(self.says('review', '-o', 'json', *arguments, code=code, **more).encode())

    def services(self):
        """(manifest, arguments that name it and its configuration) of both example services."""
        for name, profile in SERVICES.items():
            shutil.copy(os.path.join(DATA, name), self.folder)
            self.write(profile + '.yaml', self.says('config', 'show', '--profile', profile))
            yield name, ('--config', profile + '.yaml', name)

    # ---- the formats, on the example services ----

    def test_json(self):
        for name, arguments in self.services():
            source, results = documents(read(name)), self.json(*arguments)
            self.assertEqual([(r['kind'], r['namespace'], r['name']) for r in results],
                             [(o['kind'], o['metadata']['namespace'], o['metadata']['name']) for o in source])
            for r in results:
                self.assertEqual((r['source'], r['allowed'], r['violations'], r['warnings']), (name, True, [], []))
                self.assertEqual(bool(r['patch']), r['kind'] == 'Deployment')

    def test_yaml_is_the_patched_object(self):
        for name, arguments in self.services():
            printed = documents(self.says('review', '-o', 'yaml', *arguments))
            self.assertEqual(printed, admitted(documents(read(name)), self.json(*arguments)))

    def test_yaml_is_what_one_would_write(self):
        for name, arguments in self.services():
            printed = self.says('review', '-o', 'yaml', *arguments)
            printed = re.sub(r'"config":"[0-9a-f]{16}"', '"config":"FINGERPRINT"', printed)
            self.assertEqual(printed, read(name.replace('.yaml', '.admitted.yaml')))

    def test_yaml_again_is_admitted_unchanged(self):
        for _, arguments in self.services():
            printed = self.says('review', '-o', 'yaml', *arguments)
            again = (*arguments[:2], '-')
            self.assertEqual(self.says('review', '-o', 'yaml', *again, text=printed), printed)
            self.assertEqual(self.says('review', '-o', 'patch', *again, text=printed), '')
            self.assertEqual(self.says('review', '-o', 'diff', *again, text=printed), '')
            self.assertTrue(all(r['allowed'] and not r['patch'] for r in self.json(*again, text=printed)))

    def test_patch(self):
        for name, arguments in self.services():
            lines = self.says('review', '-o', 'patch', *arguments).splitlines()
            results = self.json(*arguments)
            self.assertEqual([exact.loads(line.encode()) for line in lines],
                             [r['patch'] for r in results if r['patch']])
            (deployment,) = [o for o in documents(read(name)) if o['kind'] == 'Deployment']
            patched = jsonpatch.JsonPatch(exact.loads(lines[0].encode())).apply(deployment)
            self.assertIn(patched, documents(self.says('review', '-o', 'yaml', *arguments)))

    def test_diff(self):
        self.write('exempt.yaml', EXEMPT)
        for name, arguments in self.services():
            diff = self.says('review', '-o', 'diff', *arguments)
            self.assertRegex(diff, r'\A--- %s Deployment [a-z-]+/[a-z-]+\n\+\+\+ admitted Deployment ' % name)
            done = self.run_raw('review', '-o', 'yaml', '--config', 'exempt.yaml', name)
            before = done.stdout.decode().split('---\n')
            after = self.says('review', '-o', 'yaml', *arguments).split('---\n')
            (place,) = [i for i, text in enumerate(before) if 'kind: Deployment' in text]
            self.assertEqual(before[:place] + before[place + 1:], after[:place] + after[place + 1:])
            hunks = diff.split('\n', 2)[2]
            self.write('deployment.yaml', before[place])
            self.write('one.diff', '--- a/deployment.yaml\n+++ b/deployment.yaml\n' + hunks)
            for program in (['patch', '-s', '-i', 'one.diff', 'deployment.yaml', '-o', 'patched.yaml'],
                            ['git', 'apply', 'one.diff']):
                subprocess.run(program, cwd=self.folder, check=True)
            for result in ('patched.yaml', 'deployment.yaml'):
                with open(self.path(result), encoding='utf-8') as f:
                    self.assertEqual(f.read(), after[place])

    def test_summary(self):
        for name, arguments in self.services():
            said = self.says('review', *arguments)
            self.assertEqual(said, self.says('review', '--output', 'summary', *arguments))
            self.assertIn('patched', said)
            for o in documents(read(name)):
                self.assertIn('%s %s/%s' % (o['kind'], o['metadata']['namespace'], o['metadata']['name']), said)
            count = len(documents(read(name)))
            self.assertRegex(said, r'\n%d objects: 1 patched, 0 denied, 0 with warnings\n\Z' % count)

    # ---- denials ----

    def test_denials(self):
        self.write('all.yaml', '---\n'.join([CONFIGMAP % 'a', POSTGRES, DEPLOYMENT % 'bd', CONFIGMAP % 'z']))
        summary = self.says('review', 'all.yaml', code=1)
        self.assertIn('denied', summary)
        self.assertIn('[no-in-cluster-database]', summary)
        self.assertRegex(summary, r'\n4 objects: 0 patched, 2 denied, 0 with warnings\n\Z')
        results = self.json('all.yaml', code=1)
        self.assertEqual([r['allowed'] for r in results], [True, False, False, True])
        (database,), (typo,) = results[1]['violations'], results[2]['violations']
        self.assertEqual((database['rule'], database['mode'], database['field']),
                         ('no-in-cluster-database', 'enforce', 'kind'))
        self.assertEqual((typo['rule'], typo['field']),
                         ('annotations', 'metadata.annotations[inject.zerotouch.io/bindings]'))
        self.assertEqual(results[2]['patch'], [])

    def test_denials_do_not_reach_kubectl(self):
        self.write('all.yaml', '---\n'.join([DEPLOYMENT % 'db', POSTGRES, CONFIGMAP % 'z']))
        for form in ('yaml', 'patch', 'diff'):
            done = self.run_raw('review', '-o', form, 'all.yaml')
            self.assertEqual(done.returncode, 1)
            self.assertNotIn(b'PostgresInstance', done.stdout)
            self.assertIn(b'web-db', done.stdout)
            self.assertRegex(done.stderr.decode(), r'\Aconnhook: denied: [^\n]*PostgresInstance[^\n]*\n\Z')
        printed = self.run_raw('review', '-o', 'yaml', 'all.yaml').stdout.decode()
        self.assertEqual([o['kind'] for o in documents(printed)], ['Deployment', 'ConfigMap'])

    def test_what_the_first_call_denies_is_not_missed_in_the_second(self):
        self.write('c.yaml', '''\
apiVersion: connhook.zerotouch.io/v1alpha1
kind: InjectorConfig
bindings:
- {name: a, secretName: a, keys: [KEY]}
- {name: b, secretName: b, keys: [KEY]}
rules: {env-collision: {mode: enforce}, no-in-cluster-database: {mode: enforce}}
''')
        text = (DEPLOYMENT % 'a,b').replace('ghcr.io/shop/web', 'postgres')
        (result,) = self.json('-c', 'c.yaml', '-', text=text, code=1)
        self.assertEqual([v['rule'] for v in result['violations']], ['env-collision', 'no-in-cluster-database'])
        (result,) = self.json('-', text=DEPLOYMENT % 'dbx', code=1)
        self.assertEqual([v['rule'] for v in result['violations']], ['annotations'])

    def test_warnings_are_no_denials(self):
        self.write('warn.yaml', self.says('config', 'show').replace('no-in-cluster-database: {mode: enforce}',
                                                                    'no-in-cluster-database: {mode: warn}'))
        self.write('db.yaml', POSTGRES)
        (result,) = self.json('-c', 'warn.yaml', 'db.yaml')
        self.assertEqual([v['mode'] for v in result['violations']], ['warn'])
        self.assertIn('found kind PostgresInstance', result['warnings'][0])
        self.assertRegex(self.says('review', '-c', 'warn.yaml', 'db.yaml'), r'warning: (?s:.*)1 with warnings\n\Z')

    # ---- where manifests come from ----

    def test_standard_input(self):
        self.write('a.yaml', DEPLOYMENT % 'db')
        for text in (DEPLOYMENT % 'db', '---\n' + DEPLOYMENT % 'db' + '...\n---\n# nothing\n---\n',
                     '\ufeff' + DEPLOYMENT % 'db', '# a\n---\n# b\n\ufeff' + DEPLOYMENT % 'db',
                     (DEPLOYMENT % 'db').replace('\n', '\r\n')):
            (result,) = self.json('-', text=text)
            self.assertEqual((result['source'], result['patch']), ('<stdin>', self.json('a.yaml')[0]['patch']))

    def test_directories(self):
        for name in ('b.yaml', 'a.yml', 'c/d.json', 'c/a.yaml'):
            self.write('dir/' + name, '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}')
        self.write('dir/.git/config.yaml', 'not: [a manifest')
        self.write('dir/.hidden.yaml', 'not: [a manifest')
        self.write('dir/README.md', '# not: [a manifest')
        self.write('dir/chart/values.yaml', 'replicas: 2\nlist: [a]\n')
        self.write('dir/chart/other-values.yaml', 'kind: DaemonSet\nreplicas: 2\n')
        self.write('dir/connhook.yaml', self.says('config', 'show'))
        self.write('dir/kustomization.yaml', 'apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n')
        self.write('dir/old/kustomization.yaml', 'resources: [a.yaml]\n')
        self.assertEqual([r['source'] for r in self.json('dir')],
                         ['dir/a.yml', 'dir/b.yaml', 'dir/c/a.yaml', 'dir/c/d.json'])
        self.assertEqual([r['source'] for r in self.json('dir/c/d.json', 'dir/c')],
                         ['dir/c/d.json', 'dir/c/a.yaml', 'dir/c/d.json'])
        self.write('dir/c/z.yaml', 'kind: @a\n')
        said = self.says('review', 'dir', code=2)
        self.assertIn('unreadable  dir/c/z.yaml:1:7: malformed YAML', said)
        self.assertRegex(said, r'\n4 objects: 0 patched, 0 denied, 0 with warnings, 1 unreadable')

    def test_a_directory_in_itself(self):
        self.write('dir/a.yaml', CONFIGMAP % 'a')
        os.symlink('.', self.path('dir/again'))
        self.assertEqual([r['source'] for r in self.json('dir')], ['dir/a.yaml'])
        deep = 'deep/' + 'd/' * 33
        self.write(deep + 'b.yaml', CONFIGMAP % 'b')
        said = self.says('review', 'dir', 'deep', code=2)
        self.assertRegex(said, r'unreadable  deep(/d){33} is nested more than 32 directories deep')
        self.assertIn('ConfigMap default/a', said)

    def test_lists(self):
        inner = [yaml.safe_load(text) for text in (DEPLOYMENT % 'db', CONFIGMAP % 'a', CONFIGMAP % 'b')]
        deep = {'apiVersion': 'v1', 'kind': 'List', 'items': inner[1:]}
        for kind in ('List', 'DeploymentList'):
            outer = {'apiVersion': 'v1', 'kind': kind, 'metadata': {}, 'items': [inner[0], deep]}
            for text in (json.dumps(outer), json.dumps(outer, indent='\t'), yaml.safe_dump(outer)):
                results = self.json(self.write('list.yaml', text))
                self.assertEqual([(r['kind'], r['name']) for r in results],
                                 [('Deployment', 'web'), ('ConfigMap', 'a'), ('ConfigMap', 'b')])
                printed = documents(self.says('review', '-o', 'yaml', 'list.yaml'))
                self.assertEqual(printed, admitted(documents(DEPLOYMENT % 'db' + '---\n' + CONFIGMAP % 'a' + '---\n' +
                                                             CONFIGMAP % 'b'), results))

    def test_a_manifest_ends_no_line_and_commands_no_terminal(self):
        self.write('a\nb.yaml', 'apiVersion: v1\nkind: "Config\\eMap"\nmetadata: {name: "x\\n\\u202e\\x9b", namespace: '
                   '"\\a"}\n---\n' + DEPLOYMENT % '\\x85\\u2028')
        for form in ('summary', 'github', 'junit'):
            said = self.says('review', '-o', form, 'a\nb.yaml', code=1)
            self.assertNotRegex(said, '[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]')
            self.assertIn('Config\\u001bMap \\u0007/x\\n\\u202e\\u009b' if form != 'github' else 'a', said)
            self.assertIn('\\u0085\\u2028', said)

    def test_a_long_key_is_not_said_again_at_each_level(self):
        obj = yaml.safe_load(DEPLOYMENT % 'db')
        found = {'inject.zerotouch.io/migrate': 'x'}
        for _ in range(100):
            found = {'a': found}
        obj['k' * 100000] = found
        self.write('x.json', json.dumps(obj))
        self.assertIn('k' * 253 + '.a.a.', self.says('review', 'x.json'))
        self.assertNotIn('k' * 254, self.says('review', 'x.json'))

    def test_json_input(self):
        obj = yaml.safe_load(DEPLOYMENT % 'db')
        obj['metadata']['annotations']['emoji'] = '\U0001F600'
        for n, text in enumerate((json.dumps(obj), json.dumps(obj, indent='\t'), json.dumps(obj, ensure_ascii=False))):
            self.write('%d.json' % n, text)
        results = self.json('0.json', '1.json', '2.json')
        self.assertEqual(len({str(r['patch']) for r in results}), 1)
        printed = documents(self.says('review', '-o', 'yaml', '0.json', '1.json', '2.json'))
        self.assertEqual(printed[0]['metadata']['annotations']['emoji'], '\U0001F600')
        self.assertEqual(printed, [printed[0]] * 3)

    def test_other_kinds_pass_in_order(self):
        source = []
        for i in range(30):
            source.append({'apiVersion': 'example.org/v%d' % i, 'kind': 'Thing%d' % i,
                           'metadata': {'name': 'n%d' % i, 'namespace': 'shop', 'labels': {'z': '1', 'a': 'yes'}},
                           'spec': {'b': 1, 'a': [None, {}, [], '', 'null', 2.5], 'text': 'one\ntwo\n'}, 'extra': i})
        printed = self.says('review', '-o', 'yaml', '-', text=yaml.safe_dump_all(source, sort_keys=False))
        self.assertEqual(list(yaml.safe_load_all(printed)), source)
        self.assertEqual([list(o) for o in yaml.safe_load_all(printed)], [list(o) for o in source])

    # ---- YAML as Kubernetes reads it ----

    def test_scalars(self):
        text = CONFIGMAP % 'a' + 'values:\n' + ''.join('- %s\n' % scalar for scalar, _ in SCALARS)
        printed = self.says('review', '-o', 'yaml', '-', text=text)
        values = yaml.safe_load(printed)['values']
        for (scalar, expected), value in zip(SCALARS, values):
            self.assertEqual((value, type(value)), (expected, type(expected)), scalar)
        self.assertEqual(self.says('review', '-o', 'yaml', '-', text=printed), printed)

    def test_numbers_keep_their_digits(self):
        numbers = ['9007199254740993', '-9223372036854775808', '18446744073709551615', '123456789012345678901234567890',
                   '1.50', '100.0', '0.1000000000000000055511151231257827']
        for text in (CONFIGMAP % 'a' + 'values: [%s]\n' % ', '.join(numbers),
                     '{"apiVersion": "v1", "kind": "ConfigMap", "values": [%s]}' % ', '.join(numbers)):
            printed = self.says('review', '-o', 'yaml', '-', text=text)
            self.assertEqual([n.text for n in exact.yaml_load(printed)['values']], numbers)

    def test_anchors_and_merge_keys(self):
        text = DEPLOYMENT % 'db' + 'one: &x {a: 1, b: [2]}\ntwo: {<<: *x, a: 3}\nthree: [*x, *x]\n'
        (printed,) = documents(self.says('review', '-o', 'yaml', '-', text=text))
        plain = yaml.safe_load(exact.dumps({k: printed[k] for k in ('one', 'two', 'three')}))
        one = {'a': 1, 'b': [2]}
        self.assertEqual(plain, {'one': one, 'two': {'a': 3, 'b': [2]}, 'three': [one, one]})

    def test_aliases_cannot_explode(self):
        lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]']
        lines += ['a%d: &a%d [%s]' % (i, i, ', '.join(['*a%d' % (i - 1)] * 10)) for i in range(1, 30)]

        def little_memory():
            resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
        said = self.says('review', '-', text=CONFIGMAP % 'a' + '\n'.join(lines), code=2, preexec_fn=little_memory)
        self.assertRegex(said, r'unreadable  <stdin>:\d+:\d+: aliases stand for more than 200000 nodes in all')

    # ---- what is refused ----

    def test_unreadable_input(self):
        for name, content, words in UNREADABLE:
            with self.subTest(words):
                self.write('good.yaml', CONFIGMAP % 'good')
                said = self.says('review', self.write(name, content), 'good.yaml', code=2)
                self.assertIn('unreadable  ' + words, said)
                self.assertIn('ConfigMap default/good', said)

    def test_files_that_are_not_there(self):
        self.write('a.yaml', CONFIGMAP % 'a')
        said = self.says('review', 'a.yaml', 'none.yaml', code=2)
        self.assertIn('cannot read none.yaml: No such file or directory', said)
        self.assertIn('ConfigMap default/a', said)
        os.symlink('nowhere', self.path('dangling.yaml'))
        self.assertIn('cannot read ./dangling.yaml: No such file', self.says('review', '.', code=2))
        self.write('bad.yaml', 'apiVersion: connhook.zerotouch.io/v1alpha1\nkind: InjectorConfig\nbindngs: []\n')
        self.assertIn('bad.yaml:3:1: unknown key "bindngs"', self.refuses('review', '-c', 'bad.yaml', 'a.yaml'))

    # ---- options ----

    def test_namespace_and_user(self):
        self.write('a.yaml', (DEPLOYMENT % 'db').replace('  namespace: shop\n', ''))
        self.assertEqual(self.json('a.yaml')[0]['namespace'], 'default')
        self.assertEqual(self.json('-n', 'team-b', 'a.yaml')[0]['namespace'], 'team-b')
        (printed,) = documents(self.says('review', '-o', 'yaml', '-n', 'team-b', 'a.yaml'))
        self.assertNotIn('namespace', printed['metadata'])
        self.assertEqual(self.json('--namespace', 'kube-system', 'a.yaml')[0]['patch'], [])
        self.assertIn('exempt-namespace', self.says('review', '--namespace', 'kube-system', 'a.yaml'))
        self.assertEqual(self.json('--user', 'system:serviceaccount:kube-system:gc', 'a.yaml')[0]['patch'], [])
        self.write('db.yaml', POSTGRES)
        self.says('review', '--user', 'system:serviceaccount:crossplane-system:x', 'db.yaml')
        self.says('review', '-n', 'kube-system', 'db.yaml', code=1)

    def test_generated_names(self):
        text = (DEPLOYMENT % 'db').replace('name: web\n  n', 'generateName: web-\n  n')
        (result,) = self.json('-', text=text)
        self.assertEqual(result['name'], 'web-')
        self.assertIn('web-db', str(result['patch']))

    # ---- the terminal ----

    def on_terminal(self, *arguments, env=None):
        """What a command prints when standard output is a terminal."""
        master, slave = pty.openpty()
        process = subprocess.Popen([command.connhook, 'review', *arguments], cwd=self.folder, stdout=slave,
                                   stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   env=dict(os.environ, **(env or {})))
        os.close(slave)
        text = b''
        while True:
            try:
                chunk = os.read(master, 65536)
            except OSError:  # the other side is closed
                break
            if not chunk:
                break
            text += chunk
        os.close(master)
        process.wait(timeout=command.SECONDS)
        return text.decode().replace('\r\n', '\n')

    def test_colour_only_on_a_terminal(self):
        self.write('all.yaml', DEPLOYMENT % 'db' + '---\n' + POSTGRES)
        for form, colours in (('summary', True), ('diff', True), ('yaml', False), ('json', False), ('patch', False)):
            plain = self.run_raw('review', '-o', form, 'all.yaml').stdout.decode()
            shown = self.on_terminal('-o', form, 'all.yaml')
            self.assertNotIn('\x1b', plain)
            self.assertEqual('\x1b[3' in shown, colours, form)
            self.assertEqual(re.sub(r'\x1b\[[0-9;]*m', '', shown), plain)
            self.assertEqual(self.on_terminal('-o', form, 'all.yaml', env={'NO_COLOR': '1'}), plain)


if __name__ == '__main__':
    command.main()
