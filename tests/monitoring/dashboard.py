#!/usr/bin/python3
"""The Grafana dashboard: every expression is PromQL, and names metrics and labels that connhook exports.

    tests/monitoring/dashboard.py PATH_TO_CONNHOOK [TEST]...
"""
import json
import re
import sys
import unittest

from monitored import TARGET_LABELS, Exported, main, read
from monitored.promql import Expression
from alerts import rules_of

PROMTOOL = TOOLS = None     # set by main

FILE = ('charts', 'connhook', 'dashboards', 'connhook.json')
COLUMNS = 24
CONFIG_MAP_MAX = 1 << 20
SOURCE = {'type': 'prometheus', 'uid': '${datasource}'}
# What Grafana fills in, and something that it could be.
VARIABLES = {'$__rate_interval': '5m', '$namespace': 'connhook', '$job': 'connhook'}
# What whoever is on call looks for: words of a panel's title, and a metric in it.
WANTED = {
    'by decision': 'connhook_admission_requests_total', 'quantiles': 'connhook_admission_duration_seconds_bucket',
    'Denials by rule': 'connhook_rule_violations_total', 'Injected by binding': 'connhook_injected_total',
    'Skipped by reason': 'connhook_skipped_total', 'HTTP errors by code': 'connhook_http_responses_total',
    'Connections': 'connhook_connections', 'Memory': 'process_resident_memory_bytes',
    'Configuration and certificate': 'connhook_config_last_reload_successful',
    'days left': 'connhook_tls_certificate_not_after_timestamp_seconds',
    'Processor': 'process_cpu_seconds_total', 'File descriptors': 'process_open_fds',
}


def once(pairs):
    """An object of JSON in which no key stands twice."""
    keys = [key for key, _ in pairs]
    if len(keys) != len(set(keys)):
        raise ValueError('keys that stand twice: %s' % keys)
    return dict(pairs)


def plain(text):
    for name, value in VARIABLES.items():
        text = text.replace(name, value)
    return text


class Dashboard(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dashboard = json.loads(read(*FILE), object_pairs_hook=once)
        cls.panels = [panel for panel in cls.dashboard['panels'] if panel['type'] != 'row']
        cls.exported = Exported()

    def targets(self):
        """(panel, target) of all that asks Prometheus something."""
        return [(panel, target) for panel in self.panels for target in panel['targets']]

    def expressions(self):
        expressions = [(panel['title'], target['expr']) for panel, target in self.targets()]
        return expressions + [(a['name'], a['expr']) for a in self.dashboard['annotations']['list']]

    def test_promtool_reads_every_expression(self):
        self.assertEqual(PROMTOOL.parse_faults([plain(expr) for _, expr in self.expressions()]), '')

    def test_promtool_would_say_something(self):
        self.assertIn('parse error', PROMTOOL.parse_faults(['up', 'sum by (a (up)']))

    def test_every_variable_is_known(self):
        own = {'$' + v['name'] for v in self.dashboard['templating']['list']} - {'$datasource'}
        self.assertEqual(own | {'$__rate_interval'}, set(VARIABLES))
        for title, expr in self.expressions():
            self.assertLessEqual(set(re.findall(r'\$\w+', expr)), set(VARIABLES), title)
        for variable in self.dashboard['templating']['list'][1:]:
            metric, label = re.fullmatch(r'label_values\(([^{]+?)(?:\{.*\})?, (\w+)\)',
                                         variable['query']['query']).groups()
            self.assertIn(metric, self.exported.names())
            self.assertEqual(label, variable['name'])

    def test_names_what_is_exported(self):
        for title, expr in self.expressions():
            expression = Expression(expr)
            labels = set(TARGET_LABELS)
            self.assertTrue(expression.selectors, title)
            for selector in expression.selectors:
                self.assertEqual(self.exported.faults(selector), [], title)
                self.assertEqual([m.text for m in selector.matchers][:2],
                                 ['namespace="$namespace"', 'job="$job"'], title)
                labels |= self.exported.labels(selector.name)
            self.assertLessEqual(expression.grouped, labels, title)

    def test_legends_have_their_labels(self):
        for panel, target in self.targets():
            expression = Expression(target['expr'])
            used = set(re.findall(r'\{\{(\w+)\}\}', target.get('legendFormat', '')))
            sums = re.search(r'\b(sum|min|max|avg)\b', target['expr'])
            has = expression.grouped if sums else {label for s in expression.selectors
                                                   for label in self.exported.labels(s.name)} | TARGET_LABELS
            self.assertLessEqual(used, has, panel['title'])
            if sums and panel['type'] == 'timeseries':
                self.assertEqual(used, expression.grouped - {'le'}, panel['title'])

    def test_everything_is_shown_or_alerted_on(self):
        used = {selector.name for _, expr in self.expressions() for selector in Expression(expr).selectors}
        for rule in rules_of(tools=TOOLS).values():
            used |= {selector.name for selector in Expression(rule['expr']).selectors}
        families = {re.sub(r'_(bucket|sum|count)$', '', name) if name not in self.exported.types else name
                    for name in used}
        self.assertEqual(self.exported.names() - families, {'process_virtual_memory_bytes'})

    def test_what_is_looked_for(self):
        for words, metric in WANTED.items():
            shown = [s.name for panel, target in self.targets() if words in panel['title']
                     for s in Expression(target['expr']).selectors]
            self.assertIn(metric, shown, words)
        self.assertIn('heatmap', {panel['type'] for panel in self.panels})

    def test_panels(self):
        ids = [panel['id'] for panel in self.dashboard['panels']]
        titles = [(panel['title'], panel['type']) for panel in self.panels]
        self.assertEqual(len(set(ids)), len(ids))
        self.assertEqual(len(set(titles)), len(titles))
        for panel in self.panels:
            with self.subTest(panel['title']):
                self.assertRegex(panel['description'], r'\.$')
                self.assertEqual(panel['datasource'], SOURCE)
                self.assertTrue(panel['targets'])
                self.assertEqual([t['refId'] for t in panel['targets']], list('ABCDEFGH'[:len(panel['targets'])]))
                for target in panel['targets']:
                    self.assertEqual(target['datasource'], SOURCE)
                if panel['type'] in ('stat', 'timeseries'):
                    self.assertIn('unit', panel['fieldConfig']['defaults'])

    def test_layout(self):
        taken = {}
        for panel in self.dashboard['panels']:
            at = panel['gridPos']
            self.assertLessEqual(at['x'] + at['w'], COLUMNS)
            for x in range(at['x'], at['x'] + at['w']):
                for y in range(at['y'], at['y'] + at['h']):
                    self.assertIsNone(taken.get((x, y)), '%s lies over %s' % (panel['title'], taken.get((x, y))))
                    taken[x, y] = panel['title']
        bottom = max(y for _, y in taken) + 1
        self.assertEqual(len(taken), bottom * COLUMNS, 'there is a gap')


class InTheChart(unittest.TestCase):
    def dashboards(self, values):
        return [c for c in TOOLS.template(values).all('ConfigMap') if 'config.yaml' not in c['data']]

    def test_off_unless_asked_for(self):
        self.assertEqual(self.dashboards({}), [])

    def test_config_map(self):
        config_map, = self.dashboards({'grafanaDashboard': {'enabled': True, 'labels': {'team': 'x'},
                                                            'annotations': {'grafana_folder': 'Platform'}}})
        metadata = config_map['metadata']
        self.assertEqual((metadata['name'], metadata['namespace']), ('connhook-dashboard', 'connhook'))
        self.assertEqual((metadata['labels']['grafana_dashboard'], metadata['labels']['team']), ('1', 'x'))
        self.assertEqual(metadata['annotations'], {'grafana_folder': 'Platform'})
        (name, text), = config_map['data'].items()
        self.assertEqual(name, 'connhook.json')
        self.assertEqual(json.loads(text), json.loads(read(*FILE)))
        self.assertLess(len(text), CONFIG_MAP_MAX)


if __name__ == '__main__':
    main(sys.modules[__name__])
