#!/usr/bin/python3
"""The chart's alerts: they fire when they must and only then, and docs/alerts.md explains each.

    tests/monitoring/alerts.py PATH_TO_CONNHOOK [TEST]...

alerts/NAME.yaml has the cases of an alert, in the form of promtool's own unit tests (promtool test rules):
`input_series`, and what is expected in `alert_rule_test`. What is the same for every case is filled in: rule_files,
evaluation_interval, interval, the alert's name, its own labels, its summary and its runbook_url. Write 0+0x20 for
twenty zeros more: 0x20 is read as hexadecimal.
"""
import glob
import os
import re
import sys
import unittest

import yaml

from monitored import ROOT, TARGET_LABELS, Exported, anchor, chart, main, read
from monitored.promql import Expression

PROMTOOL = TOOLS = None     # set by main

CASES = os.path.join(ROOT, 'tests', 'monitoring', 'alerts')
SEVERITIES = {'warning', 'critical'}
PARTS = ('**Means:**', '**Look', '**Do')


def rules_of(values=None, tools=None, **more):
    """The alerts that the chart renders, by name."""
    rendered = (tools or TOOLS).template({'prometheusRule': {'enabled': True, **(values or {})}, **more})
    alerts = [rule for group in rendered.one('PrometheusRule')['spec']['groups'] for rule in group['rules']]
    return {alert['alert']: alert for alert in alerts}


def load_cases(name):
    with open(os.path.join(CASES, name + '.yaml'), encoding='utf-8') as f:
        return yaml.load(f, Loader=chart.Strict)


class Alerts(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.rules = rules_of()
        cls.spec = TOOLS.template({'prometheusRule': {'enabled': True}}).one('PrometheusRule')['spec']
        PROMTOOL.write('rules.yaml', yaml.safe_dump(cls.spec))

    def test_promtool_reads_them(self):
        status, said = PROMTOOL.run('check', 'rules', '--lint=all', '--lint-fatal', 'rules.yaml')
        self.assertEqual(status, 0, said)
        self.assertIn('SUCCESS: %d rules found' % len(self.rules), said)

    def test_off_unless_asked_for(self):
        self.assertEqual(TOOLS.template({}).all('PrometheusRule'), [])

    def test_names_what_is_exported(self):
        exported = Exported()
        for name, rule in self.rules.items():
            expression = Expression(rule['expr'])
            labels = set(TARGET_LABELS)
            self.assertTrue(expression.selectors, name)
            for selector in expression.selectors:
                self.assertEqual(exported.faults(selector), [], name)
                self.assertLessEqual({'job', 'namespace'}, {m.label for m in selector.matchers},
                                     '%s: %s of other installations' % (name, selector.name))
                labels |= exported.labels(selector.name)
            self.assertLessEqual(expression.grouped, labels, name)

    def test_each_says_what_to_do(self):
        for name, rule in self.rules.items():
            with self.subTest(name):
                self.assertIn(rule['labels']['severity'], SEVERITIES)
                self.assertEqual(set(rule['annotations']), {'summary', 'description', 'runbook_url'})
                self.assertNotIn('{{', rule['annotations']['summary'])
                self.assertRegex(rule['annotations']['description'], r'\{\{ \$value ')
                self.assertRegex(rule['annotations']['description'], r'Type: kubectl [^\n]+$')
                self.assertEqual(rule['annotations']['runbook_url'], 'docs/alerts.md#' + anchor(name))

    def test_each_has_a_section(self):
        sections = dict(re.findall(r'^## (\w+)\n(.*?)(?=^## |\Z)', read('docs', 'alerts.md'), re.M | re.S))
        self.assertEqual(list(sections), list(self.rules))
        for name, text in sections.items():
            for part in PARTS:
                self.assertIn('\n' + part, text, name)

    def test_thresholds(self):
        values = {'certificateWarningDays': 21, 'certificateCriticalDays': 7, 'errorRatio': 0.01, 'errorMinimum': 99,
                  'latencySeconds': 0.25, 'denialMinimum': 77, 'denialFactor': 11}
        self.assertEqual(set(values), set(yaml.safe_load(read('charts', 'connhook', 'values.yaml'))
                                          ['prometheusRule']['thresholds']))
        before = {name: rule['expr'] for name, rule in self.rules.items()}
        for key, value in values.items():
            changed = {name for name, rule in rules_of({'thresholds': {key: value}}).items()
                       if rule['expr'] != before[name] and re.search(r'[<>]=? %s\b' % value, rule['expr'])}
            self.assertTrue(changed, key)

    def test_values(self):
        rules = rules_of({'alertLabels': {'team': 'platform'}, 'runbookUrl': 'https://wiki.example/alerts',
                          'series': 'job=~"hooks/.*",cluster="eu"'},
                         webhooks={'validating': {'failurePolicy': 'Ignore', 'timeoutSeconds': 3}})
        for name, rule in rules.items():
            self.assertEqual(rule['labels']['team'], 'platform')
            self.assertEqual(rule['annotations']['runbook_url'], 'https://wiki.example/alerts#' + anchor(name))
            for selector in Expression(rule['expr']).selectors:
                self.assertEqual([m.text for m in selector.matchers][:2], ['job=~"hooks/.*"', 'cluster="eu"'])
            if name != 'ConnhookDenials':
                self.assertNotIn('denied', rule['annotations']['description'])
        self.assertIn('after 3 s', rules['ConnhookSlow']['annotations']['description'])
        self.assertEqual(PROMTOOL.parse_faults([rule['expr'] for rule in rules.values()]), '')
        labels = TOOLS.template({'prometheusRule': {'enabled': True, 'labels': {'release': 'prometheus'}}}) \
            .one('PrometheusRule')['metadata']['labels']
        self.assertEqual((labels['release'], labels['app.kubernetes.io/name']), ('prometheus', 'connhook'))

    def test_another_release(self):
        rendered = TOOLS.template({'prometheusRule': {'enabled': True}, 'serviceMonitor': {'enabled': True}},
                                  release='guard', namespace='platform')
        service, monitor = rendered.one('Service')['metadata'], rendered.one('ServiceMonitor')['metadata']
        for rule in rendered.one('PrometheusRule')['spec']['groups'][0]['rules']:
            for selector in Expression(rule['expr']).selectors:
                self.assertEqual([m.text for m in selector.matchers][:2],
                                 ['job="%s"' % service['name'], 'namespace="%s"' % monitor['namespace']])
            if 'Type: kubectl get --raw' not in rule['annotations']['description']:
                self.assertIn('kubectl -n platform ', rule['annotations']['description'])


class Firing(unittest.TestCase):
    """promtool runs the cases."""
    maxDiff = None

    def filled(self, name, rule, cases):
        """A file for promtool, of the cases of one alert."""
        tests = []
        for case in cases:
            expected = []
            for check in case['alert_rule_test']:
                alerts = [{'exp_labels': {**rule['labels'], **alert.get('exp_labels', {})},
                           'exp_annotations': {**rule['annotations'], **alert['exp_annotations']}}
                          for alert in check.get('exp_alerts', [])]
                expected.append({'eval_time': check['eval_time'], 'alertname': name, 'exp_alerts': alerts})
            tests.append({'name': case['name'], 'interval': case.get('interval', '1m'),
                          'input_series': case['input_series'], 'alert_rule_test': expected})
        return yaml.safe_dump({'rule_files': ['rules.yaml'], 'evaluation_interval': '1m', 'tests': tests})

    def test_each_alert_has_cases(self):
        files = [os.path.basename(path)[:-len('.yaml')] for path in glob.glob(os.path.join(CASES, '*.yaml'))]
        self.assertEqual(sorted(files), sorted(rules_of()))

    def test_cases(self):
        spec = TOOLS.template({'prometheusRule': {'enabled': True}}).one('PrometheusRule')['spec']
        PROMTOOL.write('rules.yaml', yaml.safe_dump(spec))
        for name, rule in rules_of().items():
            with self.subTest(name):
                cases = load_cases(name)
                checks = [check for case in cases for check in case['alert_rule_test']]
                self.assertTrue(any(check.get('exp_alerts') for check in checks), 'no case in which it fires')
                self.assertTrue(any(not check.get('exp_alerts') for check in checks), 'no case in which it does not')
                self.assertEqual(len({case['name'] for case in cases}), len(cases), 'a name stands twice')
                PROMTOOL.write('cases.yaml', self.filled(name, rule, cases))
                status, said = PROMTOOL.run('test', 'rules', 'cases.yaml')
                self.assertEqual(status, 0, said)


if __name__ == '__main__':
    main(sys.modules[__name__])
