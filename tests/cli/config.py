#!/usr/bin/python3
"""
connhook config: what the reader refuses, where, and in which words; what it takes; the shipped configurations.

    tests/cli/config.py PATH_TO_CONNHOOK
"""
import os
import sys
import textwrap

import yaml

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from support import command  # noqa: E402

HEAD = 'apiVersion: connhook.zerotouch.io/v1alpha1\nkind: InjectorConfig\n'
DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'data', 'config-refused.txt')
MARK = '»'  # stands where the error is, and is taken out

# Whole files, and words of the error.
REFUSED_FILES = [
    (MARK, ['found 0 YAML documents; expected one']),
    (MARK + '# only a comment\n', ['found 0 YAML documents; expected one']),
    (MARK + HEAD + '---\n' + HEAD, ['found 2 YAML documents; expected one']),
    (MARK + '[]\n', ['the configuration is a list; expected a mapping']),
    (MARK + 'kind: InjectorConfig\n', ['the configuration has no apiVersion; add it']),
    (MARK + 'apiVersion: connhook.zerotouch.io/v1alpha1\n', ['the configuration has no kind; add it']),
    ('apiVersion: »v1\nkind: InjectorConfig\n', ['apiVersion is "v1"; expected "connhook.zerotouch.io/v1alpha1"']),
    ('apiVersion: connhook.zerotouch.io/v1alpha1\nkind: »ConfigMap\n', [
        'kind is "ConfigMap"; expected "InjectorConfig"']),
    ('apiVersion: »1\nkind: InjectorConfig\n', ['apiVersion is an integer; expected a string']),
]

TAKEN = [
    'bindings: []',
    'bindings: [{name: db, secretName: "{namespace}.{app}.{instance}"}]',
    'bindings: [{name: db, claim: "{app}", keys: [a.b, "9", A_B-c], prefix: "{instance}_", optional: yes}]',
    'bindings: [{name: a, env: [{name: A, value: ""}]}, {name: b, secretName: c, env: [{name: A, key: .k}]}]',
    'defaults: []\nimagePullSecrets: []\nexcludeContainers: []\nexempt: {}\nrules: {}\nmigration: {}',
    'bindings: [{name: db, secretName: a}]\ndefaults: [{bindings: "db, db=other", matchLabels: {a/b: "true"}}]',
    'migration: {resources: {requests: {cpu: 0.5, memory: 134217728}, limits: {cpu: "2", example.com/gpu: 1}}}',
    'rules: {claim-secret-name: {mode: off}, env-collision: {mode: "off"}, no-in-cluster-database: {mode: warn}}',
    'rules:\n  no-in-cluster-database:\n    kinds: {replace: []}\n    images: {extend: [acme-db]}\n'
    '    allowedImages: {replace: []}\n    exempt: {namespaces: ["infra-*"], users: [admin]}',
    'excludeContainers: &x [a]\nexempt: {namespaces: *x}',
]


def refused_texts():
    """(text behind HEAD, words of the error) of each case in the data file."""
    with open(DATA, encoding='utf-8') as f:
        blocks = [[line for line in block.split('\n') if not line.startswith('# ')] for block in f.read().split('\n\n')]
    for lines in filter(any, blocks):
        words = [line[3:].strip() for line in lines if line.startswith('=>')]
        yield '\n'.join(line for line in lines if line and not line.startswith('=>')), words


class ConfigTest(command.CommandTest):
    def refused(self, marked, words):
        before, text = marked.split(MARK)[0], marked.replace(MARK, '')
        line, column = before.count('\n') + 1, len(before) - before.rfind('\n')
        sentence = self.refuses('config', 'check', self.write('c.yaml', text))
        self.assertTrue(sentence.startswith('c.yaml:%d:%d: ' % (line, column)), '%s\n%s' % (sentence, marked))
        for word in words:
            self.assertIn(word, sentence)

    def test_what_is_wrong_is_said_with_its_place(self):
        cases = list(refused_texts())
        self.assertGreaterEqual(len(cases), 100)
        for text, words in cases:
            with self.subTest(text):
                self.assertTrue(words)
                self.refused(HEAD + text + '\n', words)

    def test_whole_files(self):
        for text, words in REFUSED_FILES:
            with self.subTest(text):
                self.refused(text, words)

    def test_places_count_characters_and_lines_of_every_kind(self):
        self.refused(HEAD + 'excludeContainers: ["äöü€😀", »5]\n', ['an integer'])
        self.refused((HEAD + '# é\nreloader: »5\n').replace('\n', '\r\n'), ['an integer'])
        self.write('bom.yaml', b'\xef\xbb\xbf' + (HEAD + 'reloader: 5\n').encode())
        self.assertIn('bom.yaml:3:11: reloader is an integer', self.refuses('config', 'check', 'bom.yaml'))

    def test_bytes_that_are_no_text(self):
        for name, content, words in [
                ('nul.yaml', HEAD.encode() + b'# \x00\n', 'nul.yaml:3:3: YAML cannot hold this byte'),
                ('latin1.yaml', HEAD.encode() + b'# \xe9\n', 'latin1.yaml:3:3: YAML cannot hold this byte'),
                ('utf16.yaml', HEAD.encode('utf-16'), 'utf16.yaml:1:1: this is UTF-16; save it as UTF-8'),
                ('large.yaml', b'#' * ((1 << 20) + 1), 'large.yaml is larger than 1048576 bytes; split it')]:
            with self.subTest(name):
                self.assertIn(words, self.refuses('config', 'check', self.write(name, content)))

    def test_a_bomb_of_aliases_is_refused(self):
        lines = ['a: &a0 [x, x, x, x, x, x, x, x, x, x]']
        lines += ['b%d: &a%d [%s]' % (i, i, ', '.join(['*a%d' % (i - 1)] * 10)) for i in range(1, 12)]
        self.assertRegex(self.refuses('config', 'check', self.write('bomb.yaml', HEAD + '\n'.join(lines))),
                         r'\Abomb.yaml:\d+:\d+: the document has more than 4000000 nodes, aliases expanded\Z')

    def test_what_is_taken(self):
        for text in TAKEN:
            with self.subTest(text):
                said = self.says('config', 'check', self.write('c.yaml', HEAD + text + '\n'))
                self.assertRegex(said, r'\Ac.yaml: good; \d+ bindings?, annotation prefix inject.zerotouch.io, '
                                       r'fingerprint [0-9a-f]{16}\n\Z')

    def test_standard_input(self):
        self.assertRegex(self.says('config', 'check', '-', text=HEAD), r'good; 0 bindings')
        self.assertIn('3:1: unknown key "x"', self.refuses('config', 'check', '-', text=HEAD + 'x: 1\n'))

    def test_the_fingerprint_is_that_of_the_content(self):
        def fingerprint(text):
            return self.says('config', 'check', self.write('c.yaml', text)).rsplit(' ', 1)[1]
        one = fingerprint(HEAD + 'bindings:\n- name: db\n  secretName: "{app}-db"\n')
        self.assertEqual(one, fingerprint('# again\n' + HEAD + "bindings: [{name: 'db', secretName: '{app}-db'}]\n"))
        self.assertNotEqual(one, fingerprint(HEAD + 'bindings: [{name: db, secretName: "{app}-database"}]\n'))

    def test_the_shipped_configurations_are_good(self):
        self.assertEqual(self.says('config', 'show'), self.says('config', 'show', '--profile', 'managed'))
        root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        for profile in ('managed', 'in-cluster'):
            text = self.says('config', 'show', '--profile', profile)
            with open(os.path.join(root, 'src/policy/profiles', profile + '.yaml'), encoding='utf-8') as f:
                self.assertEqual(text, f.read())
            self.assertIn('good; %d bindings' % len(yaml.safe_load(text)['bindings']),
                          self.says('config', 'check', self.write(profile + '.yaml', text)))

    def test_the_documented_configuration_is_good(self):
        """The example that shows every key."""
        text = textwrap.dedent('''\
            annotationPrefix: inject.zerotouch.io
            bindings:
            - {name: db, secretName: "{app}-db", keys: [DATABASE_URL]}
            - {name: cache, claim: "{app}-cache", keys: [endpoint, port, password], prefix: CACHE_}
            - {name: jwt, secretName: "{app}-jwt"}
            - {name: llm-keys, secretName: "{app}-llm-keys", optional: true}
            - {name: nats, env: [{name: NATS_URL, value: "nats://nats.nats.svc:4222"}]}
            defaults:
            - {namespaces: ["tenant-*"], matchLabels: {zerotouch.io/inject: "true"}, bindings: "db,jwt"}
            migration:
              containerName: run-migrations
              shell: ["/bin/sh", "-c"]
              resources: {requests: {cpu: 100m, memory: 128Mi}}
            imagePullSecrets: [{name: ghcr-pull-secret, registries: ["ghcr.io"]}]
            reloader: true
            excludeContainers: [istio-proxy, linkerd-proxy]
            exempt:
              namespaces: [kube-system, crossplane-system, external-secrets, argocd, cnpg-system]
              users: ["system:serviceaccount:kube-system:*", "system:serviceaccount:crossplane-system:*"]
            rules:
              no-in-cluster-database: {mode: enforce}
            ''')
        self.assertIn('good; 5 bindings', self.says('config', 'check', self.write('c.yaml', HEAD + text)))


if __name__ == '__main__':
    command.main()
