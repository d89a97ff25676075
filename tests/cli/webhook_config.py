#!/usr/bin/python3
"""
connhook webhook-config: what the API server would be told, read by another YAML library.

    tests/cli/webhook_config.py PATH_TO_CONNHOOK
"""
import base64
import os
import sys

import yaml

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from support import command  # noqa: E402

SERVICE = ('--service', 'connhook/connhook')

WORKLOADS = {('apps', 'v1'): {'deployments', 'statefulsets', 'daemonsets', 'replicasets'},
             ('batch', 'v1'): {'jobs', 'cronjobs'}, ('batch', 'v1beta1'): {'cronjobs'},
             ('argoproj.io', 'v1alpha1'): {'rollouts'}}
# What is judged as well, and never injected.
JUDGED = {**WORKLOADS, ('keda.sh', 'v1alpha1'): {'scaledjobs'}}

CONFIG = """\
apiVersion: connhook.zerotouch.io/v1alpha1
kind: InjectorConfig
"""

# Arguments behind a complete command, and words of the refusal.
REFUSED = [
    (['--service', 'connhook'], '--service is "connhook"; expected NAMESPACE/NAME'),
    (['--service', '/connhook'], '--service is'),
    (['--service', 'connhook/'], '--service is'),
    (['--service', 'a/b/c'], '--service is'),
    (['--service', 'Team/connhook'], '--service is'),
    (['--service', 'a/1st'], '--service is'),
    (['--service', 'a/b:'], '--service is'),
    (['--service', 'a/b:0'], '--service is'),
    (['--service', 'a/b:65536'], '--service is'),
    (['--service', 'a/b:-1'], '--service is'),
    (['--service', 'a/b:+1'], '--service is'),
    (['--service', 'a/b:https'], '--service is'),
    (['--service', 'a/b:99999999999999999999'], '--service is'),
    (['--url', 'http://connhook.example'], '--url is "http://connhook.example"; expected https://HOST'),
    (['--url', 'connhook.example'], '--url is'),
    (['--url', 'https://'], '--url is'),
    (['--url', 'https:///mutate'], '--url is'),
    (['--url', 'https://:8443'], '--url is'),
    (['--url', 'https://user@host'], '--url is'),
    (['--url', 'https://host/?a'], '--url is'),
    (['--url', 'https://host/#a'], '--url is'),
    (['--url', 'https://ho st'], '--url is'),
    (['--url', 'https://host\n'], '--url is'),
    (['--url', 'https://connhook.example'], 'either --service NAMESPACE/NAME or --url BASE'),
    (['--cert-manager', 'connhook'], '--cert-manager is "connhook"; expected NAMESPACE/CERTIFICATE'),
    (['--cert-manager', 'connhook/'], '--cert-manager is'),
    (['--cert-manager', '/serving'], '--cert-manager is'),
    (['--cert-manager', 'connhook/Serving'], '--cert-manager is'),
    (['--cert-manager', 'connhook/serving'], 'either --ca-file FILE or --cert-manager NAMESPACE/CERTIFICATE'),
    (['--kubernetes-version', '2.30'], '--kubernetes-version is "2.30"; expected a version such as 1.30'),
    (['--kubernetes-version', '1'], '--kubernetes-version is'),
    (['--kubernetes-version', '1.'], '--kubernetes-version is'),
    (['--kubernetes-version', '1.x'], '--kubernetes-version is'),
    (['--kubernetes-version', '1.30x'], '--kubernetes-version is'),
    (['--kubernetes-version', '1.-3'], '--kubernetes-version is'),
    (['--kubernetes-version', '1.1000'], '--kubernetes-version is'),
    (['--ca-file', 'none.crt'], 'cannot read none.crt: No such file or directory'),
    (['--ca-file', 'certs'], 'cannot read certs: Is a directory'),
    (['--ca-file', 'certs/ca.key'], 'certs/ca.key holds no certificate in PEM form'),
    (['--ca-file', 'both.pem'], 'both.pem holds a private key, which must not be published'),
    (['--ca-file', 'empty.crt'], 'empty.crt holds no certificate'),
    (['--config', 'none.yaml'], 'cannot read none.yaml'),
    (['--config', 'bad.yaml'], 'bad.yaml:1:1: unknown key "bindngs"'),
    (['extra'], 'takes no argument "extra"'),
]


class WebhookConfigTest(command.CommandTest):
    def setUp(self):
        super().setUp()
        self.says('certs', 'init', '--out', 'certs')
        with open(self.path('certs/ca.crt'), 'rb') as f:
            self.ca = f.read()

    def printed(self, *arguments, config=None, stderr=''):
        """The webhooks of the two objects that are printed: mutating, validating."""
        if config is not None:
            arguments += ('--config', self.write('config.yaml', config))
        if '--cert-manager' not in arguments:
            arguments += ('--ca-file', 'certs/ca.crt')
        objects = list(yaml.safe_load_all(self.says('webhook-config', *arguments, stderr=stderr)))
        self.assertEqual([o['kind'] for o in objects],
                         ['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration'])
        for o in objects:
            self.assertEqual(o['apiVersion'], 'admissionregistration.k8s.io/v1')
            self.assertEqual(len(o['webhooks']), 1)
        self.objects = objects
        return tuple(o['webhooks'][0] for o in objects)

    def conditions(self, webhook):
        return {c['name']: c['expression'] for c in webhook.get('matchConditions', [])}

    def workloads(self, webhook):
        found = {}
        for rule in webhook['rules']:
            for group in rule['apiGroups']:
                for version in rule['apiVersions']:
                    if rule['resources'] != ['*']:
                        found.setdefault((group, version), set()).update(rule['resources'])
        return found

    def groups(self, webhook):
        """Groups of which the API server calls for every object."""
        return [g for rule in webhook['rules'] for g in rule['apiGroups'] if rule['resources'] == ['*']]

    # ---- the two objects ----

    def test_what_does_not_depend_on_anything(self):
        mutating, validating = self.printed(*SERVICE)
        for webhook, path in ((mutating, 'mutate'), (validating, 'validate')):
            self.assertEqual(webhook['name'], path + '.connhook.zerotouch.io')
            self.assertEqual(webhook['admissionReviewVersions'], ['v1'])
            self.assertEqual(webhook['sideEffects'], 'None')
            self.assertEqual(webhook['matchPolicy'], 'Equivalent')
            self.assertEqual(webhook['timeoutSeconds'], 5)
            for rule in webhook['rules']:
                workload = (rule['apiGroups'][0], rule['apiVersions'][0]) in JUDGED
                self.assertIn(rule['scope'], ['Namespaced'] if workload else ['Namespaced', '*'])
                self.assertEqual(set(rule['operations']), {'CREATE', 'UPDATE'})
        self.assertEqual((mutating['failurePolicy'], validating['failurePolicy']), ('Ignore', 'Fail'))
        self.assertEqual(mutating['reinvocationPolicy'], 'IfNeeded')
        self.assertNotIn('reinvocationPolicy', validating)
        self.assertEqual(self.workloads(mutating), WORKLOADS)
        self.assertEqual(self.groups(mutating), [])
        self.assertEqual({k: self.workloads(validating)[k] for k in JUDGED}, JUDGED)

    def test_a_service(self):
        for given, port in (('team/hook', 443), ('team/hook:8443', 8443), ('team/hook:65535', 65535)):
            for webhook, path in zip(self.printed('--service', given), ('/mutate', '/validate')):
                self.assertEqual(webhook['clientConfig']['service'],
                                 {'namespace': 'team', 'name': 'hook', 'path': path, 'port': port})
                self.assertNotIn('url', webhook['clientConfig'])

    def test_a_url(self):
        for given in ('https://hook.example:8443', 'https://hook.example:8443/', 'https://[fd00::1]/base//'):
            for webhook, path in zip(self.printed('--url', given), ('/mutate', '/validate')):
                self.assertEqual(webhook['clientConfig']['url'], given.rstrip('/') + path)
                self.assertNotIn('service', webhook['clientConfig'])

    def test_the_authority(self):
        for webhook in self.printed(*SERVICE):
            self.assertEqual(base64.b64decode(webhook['clientConfig']['caBundle'], validate=True), self.ca)
        self.assertTrue(all('annotations' not in o['metadata'] for o in self.objects))

    def test_the_authority_from_cert_manager(self):
        for webhook in self.printed(*SERVICE, '--cert-manager', 'connhook/serving.cert'):
            self.assertNotIn('caBundle', webhook['clientConfig'])
        for o in self.objects:
            self.assertEqual(o['metadata']['annotations'], {'cert-manager.io/inject-ca-from': 'connhook/serving.cert'})

    # ---- which requests ----

    def test_excluded_namespaces(self):
        def excluded(webhook):
            (expression,) = webhook['namespaceSelector']['matchExpressions']
            self.assertEqual((expression['key'], expression['operator']), ('kubernetes.io/metadata.name', 'NotIn'))
            self.assertEqual(len(set(expression['values'])), len(expression['values']))
            return set(expression['values'])
        exempt = CONFIG + 'exempt: {namespaces: [argocd, hook, "infra-*", kube-system]}\n'
        for webhook in self.printed('--service', 'hook/hook', config=exempt):
            self.assertEqual(excluded(webhook), {'kube-system', 'hook', 'argocd'})
        for webhook in self.printed('--url', 'https://hook.example', config=CONFIG):
            self.assertEqual(excluded(webhook), {'kube-system'})

    def test_match_conditions_are_for_newer_servers(self):
        for version in (None, '1.29', 'v1.27.3', '1.0'):
            more = () if version is None else ('--kubernetes-version', version)
            for webhook in self.printed(*SERVICE, *more):
                self.assertNotIn('matchConditions', webhook)
        for version in ('1.30', 'v1.31.2+k3s1', '1.99'):
            for webhook in self.printed(*SERVICE, '--kubernetes-version', version):
                self.assertIn('not-deleting', self.conditions(webhook))

    def test_match_conditions_follow_the_configuration(self):
        new = (*SERVICE, '--kubernetes-version', '1.30')
        mutating, validating = self.printed(*new, config=CONFIG)
        self.assertEqual(set(self.conditions(mutating)), {'not-deleting', 'not-owned', 'not-controller', 'annotated'})
        self.assertEqual(set(self.conditions(validating)), {'not-deleting', 'not-controller'})
        self.assertIn('k.startsWith("inject.zerotouch.io/")', self.conditions(mutating)['annotated'])
        mutating, _ = self.printed(*new, config=CONFIG + 'annotationPrefix: tie.example\n')
        self.assertIn('k.startsWith("tie.example/")', self.conditions(mutating)['annotated'])
        mutating, _ = self.printed(*new, config=CONFIG + (
            'bindings: [{name: db, secretName: db}]\ndefaults: [{bindings: db}]\n'))
        self.assertNotIn('annotated', self.conditions(mutating))
        for webhook in self.printed(*new, config=CONFIG + (
                'exempt: {namespaces: [a, "b-*", "*-c", "d?e"], users: ["system:node:*", "d.?e", \'q"uote\']}\n')):
            conditions = self.conditions(webhook)
            self.assertEqual(conditions['not-exempt-namespace'],
                             '!has(request.namespace) || !(request.namespace == "a" || '
                             'request.namespace.startsWith("b-") || '
                             'request.namespace.matches("^.*-c$") || request.namespace.matches("^d.e$"))')
            self.assertEqual(conditions['not-exempt-user'],
                             '!(request.userInfo.username.startsWith("system:node:") || '
                             'request.userInfo.username.matches("^d[.].e$") || '
                             'request.userInfo.username == "q\\"uote")')

    # ---- the rules follow the configuration ----

    def test_groups_of_the_shipped_configurations(self):
        managed = self.groups(self.printed(*SERVICE)[1])
        text = self.says('config', 'show', '--profile', 'in-cluster')
        in_cluster = self.groups(self.printed(*SERVICE, config=text)[1])
        self.assertEqual(len(managed), len(set(managed)))
        for group in ('database.bizmatters.io', 'cache.bizmatters.io', 'platform.bizmatters.io', 'postgresql.cnpg.io',
                      'kubedb.com', 'pingcap.com'):
            self.assertIn(group, managed)
        self.assertIn('database.bizmatters.io', in_cluster)
        self.assertIn('platform.bizmatters.io', in_cluster)  # conn-collision reads its claims
        self.assertNotIn('postgresql.cnpg.io', in_cluster)

    def test_a_rule_that_is_off_registers_nothing(self):
        self.write('unknown.yaml', CONFIG + 'rules: {unknown: {}}\n')
        ids = self.refuses('config', 'check', 'unknown.yaml').split('allowed: ')[1].split('; did')[0].split(', ')
        self.assertIn('no-in-cluster-database', ids)
        off = CONFIG + 'rules:\n' + ''.join('  %s: {mode: "off"}\n' % i for i in ids)
        mutating, validating = self.printed(*SERVICE, config=off)
        self.assertEqual(self.groups(validating), [])
        self.assertEqual(self.workloads(validating), JUDGED)
        self.assertEqual(self.workloads(mutating), WORKLOADS)

    def test_kinds_that_are_added_or_replaced(self):
        def groups(how):
            text = CONFIG + 'rules:\n  no-in-cluster-database:\n    kinds: {%s}\n' % how
            return self.groups(self.printed(*SERVICE, config=text)[1])
        added = groups('extend: [{group: db.example, kind: "*"}, {group: db.example, kind: Other}]')
        self.assertEqual(added.count('db.example'), 1)
        self.assertIn('postgresql.cnpg.io', added)
        replaced = groups('replace: [{group: db.example, kind: "*"}]')
        self.assertIn('db.example', replaced)
        self.assertNotIn('postgresql.cnpg.io', replaced)
        text = CONFIG + ('rules:\n  no-in-cluster-database:\n    mode: "off"\n'
                         '    kinds: {extend: [{group: db.example, kind: "*"}]}\n')
        self.assertNotIn('db.example', self.groups(self.printed(*SERVICE, config=text)[1]))

    def test_a_group_that_cannot_be_registered_is_said(self):
        text = CONFIG + 'rules: {no-in-cluster-database: {kinds: {extend: [{group: "*.db.example", kind: "*"}]}}}\n'
        _, validating = self.printed(*SERVICE, config=text, stderr=(
            'connhook: warning: the API server cannot be told to call for groups like "*.db.example"; '
            'name the groups in the configuration\n'))
        self.assertNotIn('*.db.example', self.groups(validating))

    def test_what_is_wrong_is_said_in_one_line(self):
        self.write('empty.crt', '')
        self.write('bad.yaml', 'bindngs: []\n')
        with open(self.path('certs/ca.key'), 'rb') as f:
            self.write('both.pem', self.ca + f.read())
        for arguments, words in REFUSED:
            options = {'--service': 'a/b', '--ca-file': 'certs/ca.crt'}
            if arguments[0] in options:
                del options[arguments[0]]
            with self.subTest(' '.join(arguments)):
                complete = [word for pair in options.items() for word in pair]
                self.assertIn(words, self.refuses('webhook-config', *complete, *arguments))
        self.assertIn('either --ca-file FILE or', self.refuses('webhook-config', *SERVICE))
        self.assertIn('either --service NAMESPACE/NAME or', self.refuses('webhook-config', '--ca-file', 'certs/ca.crt'))


if __name__ == '__main__':
    command.main()
