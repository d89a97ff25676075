#!/usr/bin/python3
"""
connhook explain: what a workload asks for, what it gets, and whose each entry is.

    tests/cli/explain.py PATH_TO_CONNHOOK
"""
import json
import os
import sys

import yaml

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from support import command  # noqa: E402

APP = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
  annotations: {inject.zerotouch.io/bindings: "%s"%s}
spec: {template: {spec: {containers: [{name: web, image: a%s}]}}}
"""


class ExplainTest(command.CommandTest):
    def explain(self, text, code=0):
        return self.says('explain', '-', text=text, code=code)

    def test_what_it_asks_for_and_gets(self):
        said = self.explain(APP % ('db,nats', '', ''))
        self.assertTrue(said.startswith('Deployment shop/web (<stdin>:1)\n'), said)
        for words in ('asks     db, nats: metadata.annotations[inject.zerotouch.io/bindings], <stdin>:6\n',
                      'gets     envFrom Secret web-db in web: connhook\'s, by its record, of binding db\n',
                      'gets     env NATS_URL in web: connhook\'s, by its record, of binding nats\n'):
            self.assertIn('  ' + words, said)
        said = self.explain(APP % ('db', ', inject.zerotouch.io/migrate: ./up, inject.zerotouch.io/app: other', ''))
        self.assertIn('  as       other, as its annotation says\n', said)
        self.assertIn('init container run-migrations: connhook', said)

    def test_why_there_is_nothing(self):
        for text, words in (
                (APP % ('dbb', '', ''), 'denied   metadata.annotations'),
                (APP % ('db', ', inject.zerotouch.io/inject: "false"', ''),
                 'asks     for nothing: its annotation inject'),
                (APP.replace('bindings: "%s"%s', 'nothing/x: a') % '', 'asks     '),
                ((APP % ('db', '', '')).replace('shop', 'kube-system'), 'skipped  exempt-namespace: nothing'),
                ((APP % ('db', '', '')).replace('annotations', 'labels'), 'asks     for nothing: it has no annotation'),
                ((APP % ('db', '', '')).replace('template', 'tempalte'), 'skipped  no-template')):
            with self.subTest(words):
                self.assertIn('\n  ' + words, self.explain(text))

    def test_whose_an_entry_is(self):
        own = ', env: [{name: NATS_URL, value: mine}]'
        self.assertIn('has      env NATS_URL in web: its owner\'s, as it stands', self.explain(APP % ('nats', '', own)))
        live = yaml.safe_load(APP % ('nats', '', own))
        live['metadata']['annotations']['kubectl.kubernetes.io/last-applied-configuration'] = json.dumps(live)
        self.assertIn('its owner\'s, by last-applied', self.explain(json.dumps(live)))
        admitted = self.says('review', '-o', 'yaml', '-', text=APP % ('nats', '', ''))
        self.assertIn('connhook\'s, by its record, of binding nats', self.explain(admitted))

    def test_what_it_does_not_take(self):
        self.assertIn('there is no workload in a.yaml', self.refuses(
            'explain', self.write('a.yaml', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n')))
        self.assertIn('malformed YAML', self.refuses('explain', '-', text='a: [\n'))
        self.assertIn('needs one FILE', self.refuses('explain'))
        self.assertIn('cannot read none.yaml', self.refuses('explain', 'none.yaml'))


if __name__ == '__main__':
    command.main()
