#!/usr/bin/python3
"""
connhook review over whole repositories: lines, globs, notes across manifests, speed.

    tests/cli/review_together.py PATH_TO_CONNHOOK
"""
import json
import os
import re
import resource
import sys
import xml.etree.ElementTree as xml

import yaml

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from support import command  # noqa: E402

# Behind "#!" stands the rule or note that is about this line.
LINES = """\
# A comment, and nothing else

---
apiVersion: apps/v1
kind: Deployment
metadata:
  labels: {app.kubernetes.io/name: web}
  name: web
  namespace: shop
  annotations:
    inject.zerotouch.io/migrate: ./migrate
    inject.zerotouch.io/migrate-position: first
    inject.zerotouch.io/bindings: db,cache #! missing-claim
spec:
  template:
    spec:
      initContainers:
      - name: wait
        image: busybox
        env:
        - name: PLAIN
          value: x
        - name: DB_PASSWORD
          value: hunter2 #! literal-credentials
      containers:
      - image: ghcr.io/shop/web:1
        name: web
        env:
        - {name: API_TOKEN, value: s3cr3t} #! literal-credentials
      - name: db
        image: "postgres:16" #! no-in-cluster-database
---
apiVersion: v1
kind: List
items:
- apiVersion: database.bizmatters.io/v1alpha1
  kind: PostgresInstance #! no-in-cluster-database
  metadata:
    name: web-db
    namespace: shop
  spec:
    writeConnectionSecretToRef: {name: other} #! claim-secret-name
- kind: ExternalSecret
  apiVersion: external-secrets.io/v1
  metadata: {name: web-db, namespace: shop}
  spec:
    data:
    - secretKey: a
      remoteRef: {key: /zerotouch/dev/web/a}
    - secretKey: b
      remoteRef:
        key: /zerotouch/_ENV_/web/b #! external-secret-path
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: typo
  annotations: {inject.zerotouch.io/bindigs: db} #! annotations
spec: {template: {spec: {containers: [{name: a, image: b}]}}}
"""

# What stands on the same lines in JSON.
JSON_WORDS = {'missing-claim': 'bindings"', 'literal-credentials': '"value"', 'claim-secret-name': '"name": "other"',
              'no-in-cluster-database': 'ostgres', 'external-secret-path': '_ENV_', 'annotations': 'bindigs'}

APP = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, annotations: {inject.zerotouch.io/bindings: "%s"%s}}
spec: {template: {spec: {containers: [{name: web, image: "ghcr.io/shop/web:1"}]}}}
"""
ONE = """\
apiVersion: %s
kind: %s
metadata: {name: %s, namespace: %s, annotations: {%s}}
spec: %s
"""
CONFIGMAP = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n'


def app(bindings, more=''):
    return APP % (bindings, ', ' + more if more else '')


def secret(name, spec='{}', namespace='shop', annotations=''):
    return ONE % ('external-secrets.io/v1', 'ExternalSecret', name, namespace, annotations, spec)


def claim(name, namespace='shop', annotations=''):
    return ONE % ('cache.bizmatters.io/v1alpha1', 'DragonflyInstance', name, namespace, annotations, '{}')


def wave(n):
    return 'argocd.argoproj.io/sync-wave: "%s"' % n


def hook(name):
    return 'argocd.argoproj.io/hook: %s' % name


BIND = 'inject.zerotouch.io/bindings: db'
COMPOSED = '{resources: [{base: {apiVersion: apps/v1, kind: Deployment, metadata: {annotations: {%s}}, spec: %s}}]}'
TEMPLATE = '{template: {metadata: {annotations: {%s}}, spec: {containers: [{name: a, image: b}]}}}'


def pod(annotations, more='namespace: shop'):
    return ('apiVersion: v1\nkind: Pod\nmetadata: {name: once, annotations: {%s}, %s}\n'
            'spec: {containers: [{name: a, image: b}]}\n' % (annotations, more))


def misplaced(behind, text):
    """A Deployment without a wish, with a text at the place: of metadata behind, else before."""
    whole = APP.replace(', annotations: {inject.zerotouch.io/bindings: "%s"%s}', '')
    return whole.replace(behind, behind + ', ' + text if behind.startswith('name') else text + behind, 1)


# Manifests, and the notes on them: (index of the manifest, id, words).
NOTES = [
    ([app('db,cache'), secret('web-db'), claim('web-cache')], []),
    ([app('nats')], []),
    ([app('db'), secret('x', '{target: {name: web-db}}')], []),
    ([app('db=other'), secret('other')], []),
    ([app('db'), 'apiVersion: v1\nkind: Secret\nmetadata: {name: web-db, namespace: shop}\n'], []),
    ([app('db'), ONE % ('bitnami.com/v1', 'SealedSecret', 'web-db', 'shop', '', '{}')], []),
    ([app('db'), 'apiVersion: external-secrets.io/v1\nkind: ClusterExternalSecret\nmetadata: {name: all}\n'
                 'spec: {externalSecretName: web-db}\n'], []),
    ([app('db'), 'apiVersion: external-secrets.io/v1\nkind: ClusterExternalSecret\nmetadata: {name: all}\n'
                 'spec: {externalSecretSpec: {target: {name: web-db}}}\n'], []),
    ([app('db=identity-cache-conn'), claim('identity-cache')], []),
    ([app('db')], [(0, 'missing-secret', 'binding db reads Secret "web-db", which nothing in the given files makes')]),
    ([app('db'), secret('web-db', namespace='other')], [(0, 'missing-secret', '"web-db"')]),
    ([app('db'), secret('web-db', '{target: {name: x}}')], [(0, 'missing-secret', '"web-db"')]),
    ([app('cache')], [(0, 'missing-claim', 'claim "web-cache", which is in none of the given files; add it')]),
    ([app('cache'), claim('identity-cache'), claim('far', namespace='other')], [
        (0, 'missing-claim', 'bind another one as cache=CLAIM; the claims of its namespace here: identity-cache')]),
    ([app('db,jwt,cache')], [(0, 'missing-secret', 'binding db'), (0, 'missing-secret', 'binding jwt'),
                             (0, 'missing-claim', 'binding cache')]),
    ([app('typo')], []),
    ([app('db', 'inject.zerotouch.io/inject: "false"')], []),

    ([secret('a'), secret('b')], []),
    ([secret('a'), secret('b', '{target: {name: a}}')], [
        (1, 'duplicate-target', 'found Secret "a", which ExternalSecret "a" (all.yaml:1) writes as well')]),
    ([secret('a', '{target: {name: t}}'), secret('b', '{target: {name: t}}'), secret('c', '{target: {name: t}}')], [
        (1, 'duplicate-target', '"a" (all.yaml:1)'), (2, 'duplicate-target', '"a" (all.yaml:1)')]),
    ([secret('a'), secret('b', '{target: {name: a}}', namespace='other')], []),
    ([secret('a'), secret('b', '{target: {name: a, creationPolicy: Merge}}')], []),
    ([secret('a'), secret('a')], []),
    ([secret('a'), 'apiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: shop}\n'], [
        (1, 'duplicate-target', 'ExternalSecret "a"')]),

    ([app('db', wave(2)), secret('web-db', annotations=wave(0))], []),
    ([app('db', wave(2)), secret('web-db')], []),
    ([app('db', wave(1)), secret('web-db')], []),
    ([app('db'), secret('web-db')], []),
    ([app('db', hook('PreSync')), secret('web-db')], []),  # the rule sync-wave says it
    ([app('db', hook('PreSync') + ', ' + wave(2)), secret('web-db', annotations=hook('PreSync') + ', ' + wave(1))], []),
    ([app('db', hook('PreSync') + ', ' + wave(1)), secret('web-db', annotations=hook('PreSync') + ', ' + wave(0))], []),
    ([app('db', hook('PostSync')), secret('web-db')], []),
    ([app('db', hook('SyncFail')), secret('web-db')], []),
    ([app('db'), secret('web-db', annotations=wave(0))], [
        (0, 'wave-order', 'found wave 0, which is not later than wave 0 of ExternalSecret "web-db"')]),
    ([app('db,cache'), secret('web-db', annotations=wave(-1)), claim('web-cache', annotations=wave(0))], [
        (0, 'wave-order', 'wave 0 of DragonflyInstance "web-cache"')]),

    ([pod(BIND)], [(0, 'unread-annotation', 'injected into kind Pod, although this annotation asks for it')]),
    ([pod('inject.zerotouch.io/migrate: m')], [(0, 'unread-annotation', 'name the Secrets in the manifest')]),
    ([pod('inject.zerotouch.io/bindngs: db')], [(0, 'unread-annotation', 'kind Pod')]),
    ([pod(BIND + ', inject.zerotouch.io/injected: "{}"')], []),  # a copy of a Pod that was injected
    ([pod('inject.zerotouch.io/inject: "false"')], []),
    ([pod(BIND, 'ownerReferences: [{controller: true}]')], []),
    ([ONE % ('serving.knative.dev/v1', 'Service', 'web', 'shop', '', TEMPLATE % BIND)], [
        (0, 'unread-annotation', 'injected into kind Service')]),
    # A warning says it.
    ([ONE % ('keda.sh/v1alpha1', 'ScaledJob', 'web', 'shop', '', '{jobTargetRef: %s}' % TEMPLATE % BIND)], []),
    ([ONE % ('apiextensions.crossplane.io/v1', 'Composition', 'web', 'shop', '', COMPOSED % (BIND, TEMPLATE % BIND))],
     []),
    ([claim('web-cache', annotations=BIND)], [(0, 'unread-annotation', 'write it on one of these')]),
    ([app('db'), secret('web-db', annotations=BIND)], []),  # kustomize's commonAnnotations
    ([app('cache'), claim('web-cache', annotations=BIND)], [(1, 'unread-annotation', 'kind DragonflyInstance')]),
    ([app('db'), secret('web-db'), pod(BIND)], [(2, 'unread-annotation', 'kind Pod')]),
    ([pod('inject.zerotuch.io/bindings: db')], [(0, 'unread-annotation', 'kind Pod')]),
    ([misplaced('name: web', 'labels: {%s}' % BIND)], [(0, 'unread-annotation', 'this is a label; write inject')]),
    ([misplaced('template: {', 'metadata: {labels: {%s}}, ' % BIND)], [(0, 'unread-annotation', 'this is a label')]),
    ([misplaced('name: web', BIND)], [(0, 'unread-annotation', 'not this place; write inject')]),
    ([misplaced('name: web', 'annotation: {%s}' % BIND)], [(0, 'unread-annotation', 'not this place')]),
    ([misplaced('template: {', 'annotations: {%s}, ' % BIND)], [(0, 'unread-annotation', 'not this place')]),
    ([misplaced('containers: [', 'metadata: {annotations: {%s}}, ' % BIND)], [
        (0, 'unread-annotation', 'not this place')]),
    ([misplaced('template: {', 'replicas: {"inject.zerotouch.io/nothing": db}, ')], []),
    ([misplaced('name: web', 'labels: {inject.zerotouch.io/inject: "true"}')], []),  # a default may look for it
    ([app('db').replace('shop,', 'shop, labels: {%s},' % BIND), secret('web-db')], []),  # it is read beside that
    ([misplaced('template:', 'volumeClaimTemplates: [{apiVersion: v1, kind: PersistentVolumeClaim, metadata: '
                             '{annotations: {%s}}}], ' % BIND)], []),
    ([app('db').replace('template:', 'tempalte:')], [(0, 'no-template', 'did you mean "template"?')]),
    ([ONE % ('apps/v1', 'Deployment', 'web', 'shop', '', '{templates: {}}')], [(0, 'no-template', 'no spec.template')]),
    ([app('db').replace('spec: {template', 'spc: {template')], [(0, 'no-template', 'did you mean "spec"?')]),
    ([ONE % ('batch/v1', 'CronJob', 'web', 'shop', '', '{jobTemplat: {spec: %s}}' % TEMPLATE % '')], [
        (0, 'no-template', 'did you mean "jobTemplate"?')]),
    ([ONE % ('apps/v1', 'Deployment', 'web', 'shop', BIND, '{replicas: 1}')], [
        (0, 'no-template', 'add it, or remove')]),
    ([ONE % ('apps/v1', 'Deployment', 'web', 'shop', '', '{replicas: 1}')], []),  # what kustomize patches with
    ([ONE % ('argoproj.io/v1alpha1', 'Rollout', 'web', 'shop', BIND, '{workloadRef: {kind: Deployment}}')], []),
]


class TogetherTest(command.CommandTest):
    def json(self, *arguments, code=0, **more):
        return json.loads(self.says('review', '-o', 'json', *arguments, code=code, **more))

    # ---- lines ----

    def marked(self, text):
        """{line: rule} of the marks in the text."""
        return {n: line.split('#! ')[1] for n, line in enumerate(text.splitlines(), 1) if '#! ' in line}

    def lines(self, results):
        """{line: rule} of the violations, and of the notes on the bindings."""
        return {v['line']: v.get('rule', v.get('note')) for r in results for v in r['violations'] + r['notes']}

    def test_lines_are_those_of_the_file(self):
        self.write('lines.yaml', LINES)
        results = self.json('lines.yaml', code=1)
        self.assertEqual(self.lines(results), self.marked(LINES))
        self.assertEqual([r['line'] for r in results], [4, 36, 43, 54])
        summary = self.says('review', 'lines.yaml', code=1)
        said = re.findall(r'(?m)^ +lines\.yaml:(\d+): .* \[([a-z-]+)\]$', summary)
        self.assertEqual({int(n): rule for n, rule in said}, self.marked(LINES))

    def test_lines_on_standard_error(self):
        self.write('lines.yaml', LINES)
        done = self.run_raw('review', '-o', 'yaml', 'lines.yaml')
        said = re.findall(r'(?m)^connhook: denied: lines\.yaml:(\d+): .* \[([a-z-]+)\]$', done.stderr.decode())
        self.assertEqual({int(n): rule for n, rule in said},
                         {n: rule for n, rule in self.marked(LINES).items() if rule != 'missing-claim'})

    def test_lines_of_other_line_ends(self):
        self.assertEqual(self.lines(self.json('-', code=1, text=LINES.replace('\n', '\r\n'))), self.marked(LINES))
        self.assertEqual(self.lines(self.json('-', code=1, text='\ufeff' + LINES)), self.marked(LINES))

    def test_lines_of_json(self):
        objects = [yaml.safe_load(part) for part in LINES.split('---\n')[1:]]
        for indent in (2, '\t'):
            text = json.dumps({'apiVersion': 'v1', 'kind': 'List', 'items': objects}, indent=indent)
            lines = text.splitlines()
            found = self.lines(self.json('-', code=1, text=text))
            self.assertEqual(sorted(found.values()), sorted(self.marked(LINES).values()))
            for n, rule in found.items():
                self.assertIn(JSON_WORDS[rule], lines[n - 1])
        # What YAML cannot read has no places: all of it begins where the object does.
        text = json.dumps(objects[0]).replace('"x"', '"\\ud83d\\ude00"')
        self.assertEqual(set(self.lines(self.json('-', code=1, text='\n' + text))), {2})

    def test_lines_of_aliases_and_long_lists(self):
        env = '\n'.join('        - {name: V%d, value: x}' % i for i in range(500))
        text = APP.replace('%s"%s', 'nats"').replace(
            'spec: {template: {spec: {containers: [{name: web, image: "ghcr.io/shop/web:1"}]}}}\n', """\
spec:
  template:
    spec:
      containers:
      - name: web
        image: a
        env: &env
%s
        - {name: A_TOKEN, value: s3cr3t} #! literal-credentials
        - {name: B_TOKEN, value: s3cr3t} #! literal-credentials
      - name: other
        image: a
        env: *env
""" % env)
        results = self.json('-', code=1, text=text)
        lines = [v['line'] for v in results[0]['violations']]
        first = min(self.marked(text))
        self.assertEqual(lines, [first, first + 1, first, first + 1])

    # ---- globs ----

    def test_globs(self):
        for name in ('a/x.yaml', 'a/y.yml', 'a/b/x.yaml', 'a/b/c/x.yaml', 'a/.h/x.yaml', 'z[1].yaml', '.x.yaml'):
            self.write(name, CONFIGMAP % 'c')
        self.write('a/README.md', 'no: [manifest')
        os.symlink('..', self.path('a/b/up'))
        for pattern, expected in [
                ('a/*.yaml', ['a/x.yaml']),
                ('a/*.y*ml', ['a/x.yaml', 'a/y.yml']),
                ('a/[xy].y?ml', ['a/x.yaml']),
                ('*/b/*.yaml', ['a/b/x.yaml']),
                ('a/**/x.yaml', ['a/b/c/x.yaml', 'a/b/x.yaml', 'a/x.yaml']),
                ('**/x.yaml', ['a/b/c/x.yaml', 'a/b/x.yaml', 'a/x.yaml']),
                ('**/**/c/*.yaml', ['a/b/c/x.yaml']),
                ('a/b/**', ['a/b/c/x.yaml', 'a/b/x.yaml']),
                ('a/*/c', ['a/b/c/x.yaml']),
                ('a//b/*.yaml', ['a/b/x.yaml']),
                ('./a/b/*.yaml', ['./a/b/x.yaml']),
                ('z[1].yaml', ['z[1].yaml']),
                (self.folder + '/a/b/*.yaml', [self.folder + '/a/b/x.yaml'])]:
            with self.subTest(pattern):
                if pattern == 'a/b/**':
                    os.remove(self.path('a/b/up'))
                self.assertEqual([r['source'] for r in self.json(pattern)], expected)
        for pattern, words in (('a/*.json', 'no file matches a/*.json\n'),
                               ('none/**/*.yaml', 'no file matches none/**/*.yaml\n'),
                               ('a/R*', 'a/README.md:2:1: malformed')):
            said = self.says('review', pattern, 'a/x.yaml', code=2)
            self.assertIn('unreadable  ' + words, said)
            self.assertIn('ConfigMap default/c', said)

    # ---- input that is not what it seems ----

    def test_no_object_at_all_is_a_mistake(self):
        self.write('empty.yaml', '# nothing\n---\n')
        self.write('dir/values.yaml', 'replicas: 1\n')
        self.write('list.yaml', 'apiVersion: v1\nkind: List\nitems: []\n')
        for argument in ('empty.yaml', 'dir', 'list.yaml', '-'):
            words = 'there is no Kubernetes object in %s; ' % argument
            self.assertIn('unreadable  ' + words, self.says('review', argument, text='', code=2))
            report = {}
            for form in ('json', 'junit', 'sarif'):
                done = self.run_raw('review', '-o', form, argument, text='')
                self.assertEqual(done.returncode, 2)
                self.assertTrue(done.stderr.decode().startswith('connhook: ' + words))
                report[form] = done.stdout
            ((finding,),) = [r['violations'] for r in json.loads(report['json'])]
            self.assertEqual(finding['rule'], 'unreadable')
            (error,) = xml.fromstring(report['junit']).iter('error')
            (result,) = json.loads(report['sarif'])['runs'][0]['results']
            for message in (finding['message'], error.get('message'), result['message']['text']):
                self.assertTrue(message.startswith(words), message)
            for form in ('yaml', 'patch', 'diff'):
                self.assertTrue(self.refuses('review', '-o', form, argument, text='').startswith(words))
        self.assertIn('in dir, ...;', self.says('review', 'dir', 'empty.yaml', code=2))

    def test_names_that_are_numbers(self):
        for text, words in [
                ('metadata:\n  name: 5\n', 'x.yaml:4: metadata.name is a number; expected a string: put it in quotes'),
                ('metadata: {name: a, namespace: yes}\n', 'x.yaml:3: metadata.namespace is a boolean'),
                ('metadata: {generateName: [a]}\n', 'x.yaml:3: metadata.generateName is an array')]:
            self.write('x.yaml', 'apiVersion: v1\nkind: Pod\n' + text)
            self.assertIn('unreadable  ' + words, self.says('review', 'x.yaml', code=2))

    def test_a_template_of_helm(self):
        self.write('chart/templates/app.yaml', 'apiVersion: v1\nkind: Pod\nmetadata: {{ .Values.meta | toYaml }}\n')
        self.write('chart/ok.yaml', CONFIGMAP % 'c')
        said = self.says('review', 'chart')
        self.assertIn('\n1 passed over: no manifests\n', said)
        said = self.says('review', 'chart/templates/app.yaml', 'chart/ok.yaml', code=2)
        self.assertIn('unreadable  chart/templates/app.yaml:3:', said)
        self.assertIn('rendered first: helm template CHART | connhook review -', said)
        self.assertIn('ConfigMap default/c', said)

    def test_output_of_helm_and_kustomize(self):
        rendered = ('---\n# Source: shop/templates/sa.yaml\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a}\n'
                    '---\n# Source: shop/templates/empty.yaml\n---\n# Source: shop/templates/app.yaml\n' + app('nats') +
                    '\n')
        self.assertEqual([(r['kind'], r['line']) for r in self.json('-', text=rendered)],
                         [('ServiceAccount', 3), ('Deployment', 10)])

    def test_objects_without_a_namespace(self):
        text = '---\n'.join('apiVersion: %s\nkind: %s\nmetadata: {name: x}\n' % pair for pair in [
            ('v1', 'Namespace'), ('rbac.authorization.k8s.io/v1', 'ClusterRole'),
            ('external-secrets.io/v1', 'ClusterSecretStore'), ('v1', 'ConfigMap'),
            ('rbac.authorization.k8s.io/v1', 'Role'), ('postgresql.example/v1', 'Cluster')])
        self.assertEqual([r['namespace'] for r in self.json('-n', 'shop', '-', text=text)], [''] * 3 + ['shop'] * 3)

    def test_text_is_made_safe(self):
        text = ('apiVersion: v1\nkind: "Po\\ed"\nmetadata: {name: "a\\nb\\u009b31m", namespace: "\\e[31m"}\n---\n' +
                APP.replace('%s"%s', '\\n::error::gotcha\\e[0m\\u007f"'))
        for form, code in (('summary', 1), ('github', 1), ('junit', 1), ('diff', 1), ('patch', 1)):
            done = self.run_raw('review', '-o', form, '-', text=text)
            self.assertEqual(done.returncode, code)
            for stream in (done.stdout.decode(), done.stderr.decode()):
                self.assertNotRegex(stream, '[\x00-\x09\x0b-\x1f\x7f-\x9f]')
                self.assertNotIn('\n::error::gotcha', stream)

    # ---- notes ----

    def test_notes(self):
        for manifests, expected in NOTES:
            self.write('all.yaml', '---\n'.join(manifests))
            with self.subTest(manifests):
                results = json.loads(self.run_raw('review', '-o', 'json', 'all.yaml').stdout)
                notes = [(i, n['note'], n['message']) for i, r in enumerate(results) for n in r['notes']]
                self.assertEqual([n[:2] for n in notes], [e[:2] for e in expected], notes)
                for (_, _, message), (_, _, words) in zip(notes, expected):
                    self.assertIn(words, message)

    def test_notes_deny_nothing(self):
        self.write('app.yaml', app('db'))
        said = self.says('review', 'app.yaml')
        self.assertRegex(said, r'\n +app.yaml:3: note: metadata.annotations\[inject.zerotouch.io/bindings\]: binding '
                               r'db [^\n]* \[missing-secret\]\n'
                               r'1 object: 1 patched, 0 denied, 0 with warnings, 1 with notes\n\Z')
        self.assertEqual(self.run_raw('review', '-o', 'yaml', 'app.yaml').stderr, b'')
        self.write('db.yaml', secret('web-db'))
        self.assertNotIn('note', self.says('review', 'app.yaml', 'db.yaml'))

    def test_an_optional_secret_may_be_missing(self):
        self.write('c.yaml', 'apiVersion: connhook.zerotouch.io/v1alpha1\nkind: InjectorConfig\n'
                             'bindings: [{name: db, secretName: "{app}-db", optional: true}]\n')
        self.assertEqual(self.json('-c', 'c.yaml', '-', text=app('db'))[0]['notes'], [])

    def test_bindings_of_the_configuration_have_no_line_of_their_own(self):
        self.write('c.yaml', 'apiVersion: connhook.zerotouch.io/v1alpha1\nkind: InjectorConfig\n'
                             'bindings: [{name: db, secretName: "{app}-db"}]\ndefaults: [{bindings: db}]\n')
        plain = app('').replace(', annotations: {inject.zerotouch.io/bindings: ""}', '')
        ((note,),) = [r['notes'] for r in self.json('-c', 'c.yaml', '-', text='\n' + plain)]
        self.assertEqual((note['note'], note['field'], note['line']), ('missing-secret', '', 2))

    # ---- time ----

    def seconds(self, name):
        """Processor time of one review."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.run_raw('review', '-o', 'json', name)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def linear(self, write, small, factor):
        """Time grows with the size, not with its square, of what `write` gives for a size."""
        self.write('small.yaml', write(small))
        self.write('large.yaml', write(small * factor))
        self.assertLess(self.seconds('large.yaml'), 3 * factor * max(self.seconds('small.yaml'), 0.02))

    def test_many_manifests(self):
        def services(count):
            parts = [app('db,cache').replace('web', 'web%d' % i) + '---\n' + secret('web%d-db' % i) + '---\n' +
                     claim('web%d-cache' % i) for i in range(count)]
            return '---\n'.join(parts)
        self.linear(services, 100, 10)

    def test_many_notes(self):
        self.linear(lambda count: '---\n'.join([app('db,cache').replace('web', 'web%d' % i) for i in range(count)] +
                                               [claim('c%d' % i) for i in range(count)]), 150, 8)

    def test_one_secret_in_many_namespaces(self):
        self.linear(lambda count: '---\n'.join(app('db=one').replace('shop', 'n%d' % i) + '---\n' +
                                               secret('one', namespace='n%d' % i) for i in range(count)), 150, 8)

    def test_many_findings_in_one_object(self):
        def deployment(count):
            env = ''.join('        - {name: T%d_TOKEN, value: s3cr3t}\n' % i for i in range(count))
            return app('db,cache').split('spec:')[0] + (
                'spec:\n  template:\n    spec:\n      containers:\n      - name: web\n        image: a\n'
                '        env:\n' + env)
        self.linear(deployment, 1000, 8)


if __name__ == '__main__':
    command.main()
