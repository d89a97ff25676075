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
    'bindings: [{name: db, secretName: a}]\ndefaults: [{bindings: db, namespaces: ["*"]}, {bindings: db}]',
    'defaults: []\nexempt: {namespaces: ["kube-*", "?"], users: ["Ä b"], groups: ["system:*"]}',
    'imagePullSecrets: [{name: a.b, registries: ["localhost:5000", "*.azurecr.io", "[::1]:5000", GHCR.io]}]',
    'migration: {resources: {requests: {memory: 1Gi, hugepages-2Mi: 4Mi}, limits: {memory: 1024Mi, cpu: 0}}}',
    'rules:\n  sync-wave: {kinds: {extend: [{group: "*.example.com", kind: "*Bucket2?"}]}, wave: -3,\n'
    '    exempt: {labels: {example.com/team: "*", b: ""}}}\n'
    '  external-secret-path: {sharedPaths: {extend: ["/a/.b/c_D-*/?"]}}\n'
    '  no-in-cluster-database: {images: {replace: ["a/*-b_c.d/**"]}}',
    'excludeContainers: &x [a]\nexempt: {namespaces: *x}',
]


class ConfigTest(command.CommandTest):
    def test_what_is_wrong_is_said_with_its_place(self):
        """One of each kind of reader; tests/cases/hostile/config-* has them all."""
        for text, sentence in [
                ('reloader: 5\n', 'c.yaml:3:11: reloader is an integer; expected true or false'),
                ('a: "\n', 'c.yaml:4:1: malformed YAML at the end: found unexpected end of stream, while scanning a '
                 'quoted scalar that begins on line 3'),
                ('# \x00\n', 'c.yaml:3:3: YAML cannot hold "\\u0000" (control characters are not allowed); save the '
                 'file as UTF-8 without control characters'),
                ('#' * (1 << 20), 'c.yaml is larger than 1048576 bytes; split it')]:
            with self.subTest(text[:20]):
                self.assertEqual(self.refuses('config', 'check', self.write('c.yaml', HEAD + text)), sentence)

    def test_a_file_name_ends_no_line(self):
        self.assertEqual(self.refuses('config', 'check', self.write('a\nb\x1b[2J.yaml', HEAD + 'x: 1\n'))[:30],
                         'a\\nb\\u001b[2J.yaml:3:1: unknown'[:30])

    def test_what_is_taken(self):
        for text in TAKEN:
            with self.subTest(text):
                said = self.says('config', 'check', self.write('c.yaml', HEAD + text + '\n'))
                self.assertRegex(said, r'\Ac.yaml: good; \d+ bindings?, annotation prefix inject.zerotouch.io, '
                                       r'fingerprint [0-9a-f]{16}\n\Z')

    def test_a_prefix_that_only_ends_like_a_reserved_one(self):
        said = self.says('config', 'check', self.write('c.yaml', HEAD + 'annotationPrefix: mykubernetes.io\n'))
        self.assertIn('annotation prefix mykubernetes.io', said)

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
            with open(os.path.join(root, 'src/policy/load/profiles', profile + '.yaml'), encoding='utf-8') as f:
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
