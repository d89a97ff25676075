"""What the tests of monitoring share: what a server exports after a load, the chart's rules, and promtool."""
import copy
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'http'))
import harness  # noqa: E402
from harness.authority import Authority  # noqa: E402
import test_metrics  # noqa: E402

# Labels that Prometheus gives to what it reads from the ServiceMonitor's targets.
TARGET_LABELS = {'job', 'namespace', 'pod', 'instance', 'service', 'endpoint', 'container'}


def _chart():
    """The harness of the chart's tests, whose package has the same name as that of the server's."""
    path = os.path.join(ROOT, 'tests', 'chart', 'harness', 'chart.py')
    spec = importlib.util.spec_from_file_location('chart_harness', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


chart = _chart()


def read(*parts):
    with open(os.path.join(ROOT, *parts), encoding='utf-8') as f:
        return f.read()


def load():
    """The text of /metrics of a server that has seen some of everything."""
    bad = copy.deepcopy(harness.DEPLOYMENT)
    bad['metadata']['annotations'] = {'inject.zerotouch.io/bindings': 'nonsense'}
    plain = copy.deepcopy(harness.DEPLOYMENT)
    plain['metadata'].update(name='plain', annotations={})
    late = copy.deepcopy(harness.DEPLOYMENT)
    late['metadata']['annotations']['argocd.argoproj.io/sync-wave'] = '0'
    cache = dict(harness.DATABASE, kind='DragonflyInstance')
    sent = [('/mutate', harness.review()), ('/mutate', harness.review(dryRun=True)), ('/mutate', harness.review(bad)),
            ('/mutate', harness.review(plain)), ('/validate', harness.review(plain)),
            ('/validate', harness.review(cache)), ('/validate', harness.review(harness.DATABASE)),
            ('/validate', harness.review(late)), ('/validate', harness.review(operation='DELETE')),
            ('/mutate', None), ('/nothing', harness.review())]
    with tempfile.TemporaryDirectory(prefix='connhook-clients-') as folder:
        clients = Authority(folder, 'clients')
        with harness.Server('--client-ca', clients.certificate, shows=clients.issue('apiserver')) as server:
            for path, body in sent:
                server.post(path, json.dumps(body).encode() if body else b'{')
            server.request('GET', '/mutate')
            return server.get('/metrics')[2].decode()


class Exported:
    """What a server exports, as other things that name metrics have to have it."""

    def __init__(self):
        self.text = load()
        samples, self.types = test_metrics.parse(self.text)
        self.series = {}
        for name, labels in samples:
            self.series.setdefault(name, []).append(dict(labels))

    def names(self):
        """Metrics, a histogram by the name of its family."""
        return set(self.types)

    def labels(self, name):
        return {label for series in self.series.get(name, []) for label in series}

    def faults(self, selector):
        """Sentences about a promql.Selector: a metric, a label or a value that no server exports."""
        if selector.name == 'up':
            own = {}
        elif selector.name in self.series:
            own = {m.label: m for m in selector.matchers if m.label not in TARGET_LABELS}
        else:
            return ['no metric %s is exported' % selector.name]
        known = self.labels(selector.name)
        faults = ['%s has no label %s' % (selector.name, label) for label in own if label not in known]
        if not faults and own and not any(all(m.matches(s.get(m.label, '')) for m in own.values())
                                          for s in self.series[selector.name]):
            faults.append('no series of %s matches %s' % (selector.name, [m.text for m in own.values()]))
        return faults


class Promtool:
    """promtool in a folder of its own."""

    def __init__(self):
        self.path = chart.binaries.find(('promtool',))['promtool']
        self.folder = tempfile.TemporaryDirectory(prefix='connhook-promtool-')

    def close(self):
        self.folder.cleanup()

    def write(self, name, text):
        with open(os.path.join(self.folder.name, name), 'w', encoding='utf-8') as f:
            f.write(text)

    def run(self, *arguments, text=None):
        """(exit status, everything that it says)."""
        done = subprocess.run([self.path, *arguments], cwd=self.folder.name, input=text, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        return done.returncode, done.stdout

    def parse_faults(self, expressions):
        """What promtool has against these expressions; none: ''."""
        rules = [{'record': 'check:expression:%d' % i, 'expr': e} for i, e in enumerate(expressions)]
        self.write('expressions.yaml', json.dumps({'groups': [{'name': 'check', 'rules': rules}]}))
        status, said = self.run('check', 'rules', '--lint=none', 'expressions.yaml')
        return '' if status == 0 and '%d rules found' % len(rules) in said else said


def anchor(heading):
    """What a heading is called in a link (GitHub)."""
    return re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-')


def main(module):
    """Runs a module's tests: FILE PATH_TO_CONNHOOK [TEST]... Sets PROMTOOL and TOOLS in it."""
    if len(sys.argv) < 2 or not os.access(sys.argv[1], os.X_OK):
        sys.exit('usage: %s PATH_TO_CONNHOOK [TEST]...' % sys.argv[0])
    harness.BINARY = os.path.abspath(sys.argv[1])
    try:
        module.PROMTOOL = Promtool()
    except chart.binaries.BuildError as error:
        sys.exit('monitoring: %s' % error)
    try:
        sys.exit(chart.main(module))
    finally:
        module.PROMTOOL.close()
