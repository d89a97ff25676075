#!/usr/bin/python3
"""
The reports of connhook review that other programs read: each holds what -o json says, in the form that its readers
take. SARIF is judged by the official schema, which npm has in a package, once, in ~/.cache/connhook-tests; without npm
that test is skipped.

    tests/cli/reports.py PATH_TO_CONNHOOK
"""
import json
import os
import re
import shutil
import subprocess
import sys
import unittest
import urllib.parse
import xml.etree.ElementTree as xml

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from cli.review_together import APP, CONFIGMAP, LINES, app, wave  # noqa: E402
from support import command  # noqa: E402

LEVELS = {'enforce': 'error', 'warn': 'warning'}
DOCS = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'docs')
SCHEMA_PACKAGE = '@microsoft/jest-sarif@1.0.0-beta.0'
SCHEMA_FILE = 'node_modules/@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json'
CACHE = os.path.join(os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache'), 'connhook-tests', 'sarif')
REPORTS = ('github', 'gitlab', 'junit', 'sarif')

# A typo of each kind, in words and quotes of each kind: "#= TEXT" is what the line is when the fix is made.
TYPOS = """\
apiVersion: cache.bizmatters.io/v1alpha1
kind: DragonflyInstance
metadata: {name: shop}
spec:
  connectionSecretName: "shop" #=  connectionSecretName: "shop-conn"
  writeConnectionSecretToRef: {name: 'shopp'} #=  writeConnectionSecretToRef: {name: 'shop-conn'}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  annotations:
    inject.zerotouch.io/bindngs: db #=    inject.zerotouch.io/bindings: db
spec: {template: {spec: {containers: [{name: web, image: a}]}}}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: two
  annotations:
    inject.zerotouch.io/bindings: "jwt, cahce=x" #=    inject.zerotouch.io/bindings: "jwt, cache=x"
spec: {tempalte: {spec: {containers: []}}} #=spec: {template: {spec: {containers: []}}}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: three
  annotations:
    inject.zerotouchio/bindings: db #=    inject.zerotouch.io/bindings: db
spec: {template: {spec: {containers: [{name: web, image: a}]}}}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: four
  annotations: {inject.zerotouch.io/bindings: "d\\x62b,jtw"}
spec: {template: {spec: {containers: [{name: web, image: a}]}}}
"""


def schema():
    """The official schema of SARIF 2.1.0."""
    if not shutil.which('npm'):
        raise unittest.SkipTest('needs npm')
    path = os.path.join(CACHE, SCHEMA_FILE)
    if not os.path.exists(path):
        os.makedirs(CACHE, exist_ok=True)
        subprocess.run(['npm', 'install', '--prefix', CACHE, '--no-audit', '--no-fund', '--no-save', '--silent',
                        '--ignore-scripts', '--legacy-peer-deps', SCHEMA_PACKAGE], check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    with open(path, encoding='utf-8') as f:
        return json.load(f)


class ReportsTest(command.CommandTest):
    def json(self, *arguments, code=0, **more):
        return json.loads(self.says('review', '-o', 'json', *arguments, code=code, **more))

    def sarif(self, *arguments, **more):
        """The one run of a report, whatever the exit status."""
        (run,) = json.loads(self.run_raw('review', '-o', 'sarif', *arguments, **more).stdout)['runs']
        return run

    def mixed(self):
        """Files with denials, warnings, advice and notes, and what -o json says of them."""
        self.write('c.yaml', self.says('config', 'show').replace('literal-credentials: {mode: enforce}',
                                                                 'literal-credentials: {mode: warn}'))
        self.write('a, b/50%: x.yaml', LINES)
        self.write('ok.yaml', app('nats', wave(2)).replace('image: "ghcr.io/shop/web:1"',
                                                           'image: a, env: [{name: NATS_URL, value: x}]'))
        arguments = ('-c', 'c.yaml', 'a, b', './ok.yaml')
        results = self.json(*arguments, code=1)
        self.assertEqual({v['mode'] for r in results for v in r['violations']}, {'enforce', 'warn'})
        return arguments, results

    def remarks(self, results):
        """(file, line, level, id, about) of all that a report should hold."""
        found = []
        for r in results:
            name = re.sub(r'\A\./', '', r['source'])
            title = '%s %s/%s' % (r['kind'], r['namespace'], r['name'])
            for v in r['violations']:
                about = '%s: %s%s' % (title, v['field'] + ': ' if v['field'] else '', v['message'])
                found.append((name, v['line'], LEVELS[v['mode']], v['rule'], about))
            for text in r['warnings']:
                if not text.startswith('['):  # of no rule: about the one container of ok.yaml
                    about = '%s: spec.template.spec.containers[0]: %s' % (title, text)
                    found.append((name, 4, 'warning', 'injection', about))
            for n in r['notes']:
                found.append((name, n['line'], 'note', n['note'], '%s: %s: %s' % (title, n['field'], n['message'])))
        return found

    def test_github(self):
        arguments, results = self.mixed()
        lines = self.says('review', '-o', 'github', *arguments, code=1).splitlines()
        self.assertRegex(lines.pop(), r'^\d+ objects: \d+ patched, \d+ denied')
        found = []
        for line in lines:
            level, name, number, title, text = re.fullmatch(
                r'::(error|warning|notice) file=([^,:]+),line=(\d+),title=([^,:]+)::(.*)', line).groups()
            name, title, text = [re.sub('%(25|0D|0A|3A|2C)', lambda m: chr(int(m.group(1), 16)), s)
                                 for s in (name, title, text)]
            found.append((name, int(number), level.replace('notice', 'note'), title, text))
        self.assertEqual(found, self.remarks(results))
        said = self.says('review', '-o', 'github', '-', text=APP % ('bd', ''), code=1)
        self.assertTrue(said.startswith('::error title=annotations::Deployment shop/web: '))

    def test_junit(self):
        arguments, results = self.mixed()
        root = xml.fromstring(self.says('review', '-o', 'junit', *arguments, code=1))
        denied = sum(not r['allowed'] for r in results)
        self.assertEqual((root.tag, root.get('tests'), root.get('failures')),
                         ('testsuites', str(len(results)), str(denied)))
        self.assertEqual([s.get('name') for s in root], ['a, b/50%: x.yaml', 'ok.yaml'])
        for suite in root:
            self.assertEqual(int(suite.get('tests')), len(suite))
            self.assertEqual(int(suite.get('failures')), len(suite.findall('testcase/failure')))
        cases = root.findall('testsuite/testcase')
        self.assertEqual(len(cases), len(results))
        for case, r in zip(cases, results):
            self.assertEqual(case.get('name'), '%s %s/%s' % (r['kind'], r['namespace'], r['name']))
            self.assertEqual((case.get('classname'), case.get('file'), case.get('line')),
                             (re.sub(r'\A\./', '', r['source']), case.get('classname'), str(r['line'])))
            errors = [v for v in r['violations'] if v['mode'] == 'enforce']
            self.assertEqual(len(case.findall('failure')), bool(errors))
            for failure in case.findall('failure'):
                self.assertEqual(failure.get('type'), errors[0]['rule'])
                self.assertIn(errors[0]['message'], failure.get('message'))
                self.assertEqual(len(failure.text.splitlines()), len(errors))
                for v in errors:
                    line = '%s:%d: %s: %s [%s]' % (r['source'], v['line'], v['field'], v['message'], v['rule'])
                    self.assertIn(line, failure.text)
            others = len(self.remarks([r])) - len(errors)
            self.assertEqual(len((case.findtext('system-out') or '').splitlines()), others)

    def test_junit_of_strange_text(self):
        text = CONFIGMAP % '"<a & \'b\'> \\ufffe\\uffff \\u0001]]>"'
        (case,) = xml.fromstring(self.says('review', '-o', 'junit', '-', text=text)).iter('testcase')
        self.assertEqual(case.get('name'), "ConfigMap default/<a & 'b'>  \\u0001]]>")
        self.assertEqual((case.get('classname'), case.get('file')), ('<stdin>', None))

    def test_sarif(self):
        arguments, results = self.mixed()
        report = json.loads(self.says('review', '-o', 'sarif', *arguments, code=1))
        self.assertEqual((report['version'], set(report)), ('2.1.0', {'$schema', 'version', 'runs'}))
        (run,) = report['runs']
        driver = run['tool']['driver']
        self.assertEqual((driver['name'], driver['version']), tuple(self.says('version').split()))
        ids = [rule['id'] for rule in driver['rules']]
        self.assertEqual(len(ids), len(set(ids)))
        found = []
        for result in run['results']:
            self.assertEqual(set(result) - {'fixes'}, {'ruleId', 'ruleIndex', 'level', 'message', 'locations',
                                                       'partialFingerprints'})
            self.assertEqual(ids[result['ruleIndex']], result['ruleId'])
            (location,) = result['locations']
            place = location['physicalLocation']
            uri = place['artifactLocation']['uri']
            self.assertRegex(uri, r'\A[A-Za-z0-9._~/%-]+\Z')
            found.append((urllib.parse.unquote(uri), place['region']['startLine'], result['level'], result['ruleId'],
                          result['message']['text']))
            (logical,) = location['logicalLocations']
            self.assertTrue(result['message']['text'].startswith(logical['fullyQualifiedName'] + ': '))
        self.assertEqual(found, self.remarks(results))

    def test_sarif_without_a_file_or_a_fault(self):
        (run,) = json.loads(self.says('review', '-o', 'sarif', '-', text=app('nats')))['runs']
        self.assertEqual(run['results'], [])
        (run,) = json.loads(self.says('review', '-o', 'sarif', '-', text=app('db')))['runs']
        (location,) = run['results'][0]['locations']  # code scanning asks for a place
        self.assertEqual(location['physicalLocation'],
                         {'artifactLocation': {'uri': 'stdin'}, 'region': {'startLine': 3}})

    def test_sarif_is_as_the_schema_says(self):
        try:
            import jsonschema  # pylint: disable=import-outside-toplevel
        except ImportError:
            self.skipTest('needs python3-jsonschema')
        judge = jsonschema.Draft7Validator(schema(), format_checker=jsonschema.FormatChecker())
        with self.assertRaises(jsonschema.ValidationError):
            judge.validate({'version': '2.1.0', 'runs': [{}]})
        arguments, _ = self.mixed()
        self.write('broken.yaml', 'kind: [\napiVersion: v1\n')
        self.write('typos.yaml', TYPOS)
        for files in ((*arguments, 'broken.yaml', 'typos.yaml'), ('--strict', 'typos.yaml'), ('ok.yaml',), ('none',)):
            judge.validate(json.loads(self.run_raw('review', '-o', 'sarif', *files).stdout))

    def test_sarif_tells_what_each_rule_is(self):
        rules = self.sarif('-', text=CONFIGMAP % 'a')['tool']['driver']['rules']
        with open(os.path.join(DOCS, 'rules.md'), encoding='utf-8') as f:
            documented = re.findall(r'(?m)^\| \[`([a-z-]+)`\]', f.read())
        self.assertEqual([r['id'] for r in rules][:len(documented)], documented)
        with open(os.path.join(DOCS, 'review.md'), encoding='utf-8') as f:
            notes = f.read().split('\n## Notes\n')[1].split('\n## ')[0]
        self.assertEqual([r['id'] for r in rules][len(documented):],
                         ['annotations', 'injection', 'unreadable'] + re.findall(r'(?m)^\| `([a-z-]+)` \|', notes))
        for rule in rules:
            for key in ('shortDescription', 'fullDescription', 'help'):
                self.assertRegex(rule[key]['text'], r'\A[A-Z]')
            page, _, anchor = rule['helpUri'].partition('/docs/')[2].partition('#')
            with open(os.path.join(DOCS, page), encoding='utf-8') as f:
                titles = re.findall(r'(?m)^#+ (.*)', f.read())
            if anchor:
                self.assertIn(anchor, [t.lower().replace(' ', '-') for t in titles])

    def test_sarif_of_a_pipe_and_of_what_cannot_be_read(self):
        run = self.sarif('--stdin-name', 'rendered/all.yaml', '-', 'none.yaml', text='a: [\n')
        places = [r['locations'][0]['physicalLocation'] for r in run['results']]
        self.assertEqual([p['artifactLocation']['uri'] for p in places], ['rendered/all.yaml', 'none.yaml'])
        self.assertEqual(places[0]['region'], {'startLine': 2, 'startColumn': 1})
        (invocation,) = run['invocations']
        self.assertFalse(invocation['executionSuccessful'])
        said = invocation['toolExecutionNotifications']
        self.assertEqual([n['message'] for n in said], [r['message'] for r in run['results']])
        self.assertEqual([n['locations'] for n in said], [r['locations'] for r in run['results']])

    def fingerprints(self, text):
        self.write('x.yaml', text)
        issues = json.loads(self.run_raw('review', '-o', 'gitlab', 'x.yaml').stdout)
        found = [r['partialFingerprints']['primaryLocationLineHash'] for r in self.sarif('x.yaml')['results']]
        self.assertEqual([i['fingerprint'] for i in issues], found)
        return found

    def test_fingerprints_survive_moved_lines(self):
        before = self.fingerprints(LINES)
        self.assertEqual(len(before), len(set(before)))
        self.assertEqual(self.fingerprints('# moved\n\n' + LINES), before)
        moved = LINES.replace('        - name: PLAIN\n          value: x\n', '').replace(
            '        - {name: API_TOKEN', '        - {name: OTHER, value: x}\n        - {name: API_TOKEN')
        self.assertEqual(self.fingerprints(moved), before)
        self.assertEqual(self.fingerprints(LINES + '---\n' + TYPOS)[:len(before)], before)
        changed = self.fingerprints(LINES.replace('API_TOKEN', 'OTHER_TOKEN'))
        self.assertEqual(len(set(before) - set(changed)), 1)
        twice = self.fingerprints(LINES + LINES)
        self.assertEqual(len(twice), len(set(twice)))
        self.assertEqual(twice[:4], before[:4])

    def test_fixes_put_it_right(self):
        wanted = {n: line.split('#=')[1] for n, line in enumerate(TYPOS.splitlines(), 1) if '#=' in line}
        text = re.sub(r' #=.*', '', TYPOS)
        self.write('x.yaml', text)
        lines, fixed = text.splitlines(), set()
        for result in self.sarif('x.yaml')['results']:
            for fix in result.get('fixes', []):
                ((change,),) = [c['replacements'] for c in fix['artifactChanges']]
                region, n = change['deletedRegion'], change['deletedRegion']['startLine']
                line = lines[n - 1]
                lines[n - 1] = (line[:region['startColumn'] - 1] + change['insertedContent']['text'] +
                                line[region['endColumn'] - 1:])
                fixed.add(n)
        self.assertEqual({n: lines[n - 1] for n in fixed}, wanted)
        self.write('x.yaml', '\n'.join(lines) + '\n')
        left = [v for r in self.json('x.yaml', code=1) for v in r['violations']]
        self.assertEqual({v['field'] for v in left}, {'metadata.annotations[inject.zerotouch.io/bindings]',
                                                      'spec.template.spec.containers'})

    def test_gitlab(self):
        arguments, results = self.mixed()
        issues = json.loads(self.says('review', '-o', 'gitlab', *arguments, code=1))
        severities = {'critical': 'error', 'minor': 'warning', 'info': 'note'}
        self.assertEqual([(i['location']['path'], i['location']['lines']['begin'], severities[i['severity']],
                           i['check_name'], i['description']) for i in issues], self.remarks(results))
        self.assertEqual(len({i['fingerprint'] for i in issues}), len(issues))

    def test_github_within_its_limits(self):
        for count in (9, 10, 11, 30):
            env = ', '.join('{name: A%d_TOKEN, value: s3cr3t}' % i for i in range(count))
            text = app('nats').replace('name: web, image', 'name: web, env: [%s], image' % env)
            lines = self.says('review', '-o', 'github', '-', text=text, code=1).splitlines()
            shown = [line for line in lines if line.startswith('::error ')]
            self.assertEqual(len(shown), min(count, 10))
            told = sum('_TOKEN' in line for line in lines)
            self.assertEqual(told, count)
            if count > 10:
                self.assertIn('::%d more errors: ' % (count - 9), shown[-1])
                self.assertTrue(lines[-2].startswith('error: <stdin>:'))

    def test_name(self):
        text = '---\n'.join([CONFIGMAP % 'a', app('nats'), app('typo')])
        done = self.run_raw('review', '-o', 'name', '-', text=text)
        self.assertEqual((done.returncode, done.stdout), (1, b'configmap/a\ndeployment.apps/web\n'))
        self.assertIn(b'denied: <stdin>:', done.stderr)

    def test_strict_reports_fail_as_the_run_does(self):
        for arguments, level in (((), 'note'), (('--strict',), 'warning')):
            code = len(arguments)
            root = xml.fromstring(self.says('review', '-o', 'junit', *arguments, '-', text=app('db'), code=code))
            self.assertEqual((root.get('failures'), len(list(root.iter('failure')))), (str(code), code))
            (result,) = self.sarif(*arguments, '-', text=app('db'))['results']
            self.assertEqual(result['level'], level)
            self.assertIn(' %s: ' % level, self.says('review', *arguments, '-', text=app('db'), code=code))

    def test_the_same_object_twice_in_junit(self):
        root = xml.fromstring(self.says('review', '-o', 'junit', '-', text=(CONFIGMAP % 'a' + '---\n') * 3))
        self.assertEqual([c.get('name') for c in root.iter('testcase')],
                         ['ConfigMap default/a', 'ConfigMap default/a (2)', 'ConfigMap default/a (3)'])

    def test_nothing_to_report_is_a_valid_report(self):
        said = {form: self.says('review', '-o', form, '-', text=CONFIGMAP % 'a') for form in REPORTS}
        self.assertEqual(json.loads(said['gitlab']), [])
        self.assertEqual(json.loads(said['sarif'])['runs'][0]['results'], [])
        self.assertEqual(xml.fromstring(said['junit']).get('tests'), '1')
        self.assertNotIn('::', said['github'])


if __name__ == '__main__':
    command.main()
