#!/usr/bin/python3
"""
connhook webhook-config --native: its CEL, judged by another implementation, says what connhook says.

    tests/cli/native.py PATH_TO_CONNHOOK

@bufbuild/cel evaluates the expressions, with RE2, over the golden cases of tests/cases/rules and over generated
requests; @marcbachmann/cel-js checks their types, as strictly as Kubernetes. Both come from npm, once, into
~/.cache/connhook-tests. Without node and npm these tests are skipped.
"""
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import unittest

import yaml

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import golden  # noqa: E402
from support import command, core, exact, kube  # noqa: E402

PACKAGES = ('@bufbuild/cel@0.6.1', '@bufbuild/re2@0.6.1', '@bufbuild/protobuf@2.12.1', '@marcbachmann/cel-js@8.0.0')
CACHE = os.path.join(os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache'), 'connhook-tests', 'cel-1')
LOADER = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)

RULES = ('claim-secret-name', 'no-in-cluster-database', 'external-secret-path', 'literal-credentials',
         'reserved-secret', 'conn-collision', 'sync-wave')
NOT_EXPRESSED = ('injection-complete', 'env-collision')
# Rules of which CEL says a part: what it denies, connhook denies. docs/native.md says which part.
PARTLY = {'no-in-cluster-database', 'literal-credentials'}
FORBIDDEN = ('no-in-cluster-database', 'reserved-secret')
POLICY = 'ValidatingAdmissionPolicy'

CONFIG = 'apiVersion: connhook.zerotouch.io/v1alpha1\nkind: InjectorConfig\n'

# Everything that adds to an expression, and what must be escaped in it.
MORE = CONFIG + """\
bindings: [{name: db, secretName: db}]
defaults: [{namespaces: ["tenant-*", "x?y"], matchLabels: {a/b: "c"}, bindings: db}, {bindings: db}]
exempt: {namespaces: ["*-system"], users: ['q"uote*x', 'back\\slash*x']}
rules:
  no-in-cluster-database: {mode: enforce, kinds: {extend: [{group: "*.db.example", kind: "*"}]},
                           products: {replace: []},
                           exempt: {namespaces: ["*"], users: [a], labels: {"a/b": "c*", d: "e"}}}
  external-secret-path: {servicePaths: {extend: ["/a.b/{service}/*"]}, sharedPaths: {replace: []}}
  reserved-secret: {mode: enforce, names: {extend: ["?-x"]}}
"""

# What generated texts are made of.
VALUE_PIECES = ['$(A)', '$(', '$', ')', '(', ':', '@', '/', '?', '&', ';', 'password=', 'PWD=', 'pw', '=', ' ', '"',
                "'", '://', '#', '\n', 'true', '{']
IMAGE_HEADS = ['', 'a.example/', 'localhost/', 'h:5000/', '[::1]:1/', 'a_b.c/', 'mssql/', 'docker.io/library/', '/',
               'A/']
IMAGE_PIECES = ['postgres', 'postgres', 'mysql', 'server', 'mongodb', 'mssql', '-', '__', '.', '/', ':', 'exporter',
                'A']
IMAGE_TAILS = ['', ':1', ':postgres', ':1.2-x', '@sha256:' + 'a' * 64, ':1@sha256:' + 'F' * 32, '@sha256:a', ':', '/',
               ' ']
PATH_HEADS = ['', '/zerotouch', '/zerotouch/dev', '/zerotouch/dev/shop', '/zerotouch/dev/shop/a', '/zerotouch/x/shared']
PATH_PIECES = ['/', '/', '/shop', '/shop-db', '/shared', '/platform', '/ghcr', '/key', '.', '..', '_ENV_', 'x', ' ',
               '/zerotouch', '/dev', '/argocd']

# {case/request: rule}: where CEL says something else than connhook, on purpose. docs/native.md gives the reasons.
DIFFERENT = {
    # A glob for a group: no API server can be told to call for it.
    'claim-secret-name/own-kinds': 'claim-secret-name',
    # A part of another type: the schema of its kind refuses that before any policy is asked.
    'claim-secret-name/publish-no-object': 'claim-secret-name',
    'claim-secret-name/reference-no-object': 'claim-secret-name',
    'external-secret-path/data-no-list': 'external-secret-path',
    'external-secret-path/key-no-string': 'external-secret-path',
    'external-secret-path/spec-no-object': 'external-secret-path',
    # The API server knows no field sops, and judges what the file is decrypted to.
    'reserved-secret/encrypted-with-sops': 'reserved-secret',
    'ratchet-paths/another-scalar': 'external-secret-path',
    # The same fault once more at the same place: connhook counts, CEL asks whether it was there.
    'ratchet-paths/once-more': 'external-secret-path',
}

# Sent to standard input: {"policies": [...], "requests": [{"request": {...}, "policies": [number, ...]}, ...]}.
# Printed: for each request, for each of its policies: null when it does not apply or finds nothing, else
# {"message": ...}, or {"error": ...}. The matching of kinds and operations has been done.
EVALUATOR = r'''
import { celEnv, parse, plan, isCelError } from "@bufbuild/cel";
import { strings } from "@bufbuild/cel/ext";
import { readFileSync } from "node:fs";

const env = celEnv({ funcs: strings });
const plans = new Map();

// Integers are int, as in Kubernetes; the other numbers double.
function value(v) {
    if (Array.isArray(v)) return v.map(value);
    if (v !== null && typeof v === "object") return new Map(Object.entries(v).map(([k, x]) => [k, value(x)]));
    return Number.isInteger(v) ? BigInt(v) : v;
}

function evaluate(expression, bindings) {
    if (!plans.has(expression)) plans.set(expression, plan(env, parse(expression)));
    const result = plans.get(expression)(bindings);
    if (isCelError(result)) throw new Error(expression + ": " + result.message);
    return result;
}

// Variables are evaluated when they are first used, as the API server does it.
class Lazy extends Map {
    constructor(policy, bindings) {
        super();
        this.bindings = bindings;
        this.expressions = new Map(policy.spec.variables.map(v => [v.name, v.expression]));
    }
    has(name) { return this.expressions.has(name); }
    get(name) {
        if (!super.has(name)) super.set(name, evaluate(this.expressions.get(name), this.bindings));
        return super.get(name);
    }
}

function judge(policy, request) {
    const bindings = { object: value(request.object), oldObject: value(request.oldObject), request: value(request) };
    for (const c of policy.spec.matchConditions)
        if (evaluate(c.expression, bindings) !== true) return null;
    bindings.variables = new Map();
    for (const v of policy.spec.variables) bindings.variables.set(v.name, undefined);
    bindings.variables = new Lazy(policy, bindings);
    for (const v of policy.spec.validations) {
        const holds = evaluate(v.expression, bindings);
        if (holds === true) continue;
        if (holds !== false) throw new Error(v.expression + " is no bool");
        let text = null;
        try { text = v.messageExpression ? evaluate(v.messageExpression, bindings) : null; } catch (e) { text = null; }
        return { message: text ?? v.message, fallback: text === null && "messageExpression" in v };
    }
    return null;
}

const input = JSON.parse(readFileSync(0, "utf8"));
const output = input.requests.map(r => r.policies.map(number => {
    try { return judge(input.policies[number], r.request); } catch (e) { return { error: String(e.message ?? e) }; }
}));
process.stdout.write(JSON.stringify(output));
'''

# Sent to standard input: a list of policies. Printed: a list of sentences about what is wrong with their types.
CHECKER = r'''
import { Environment } from "@marcbachmann/cel-js";
import { readFileSync } from "node:fs";

const faults = [];
for (const policy of JSON.parse(readFileSync(0, "utf8"))) {
    const env = new Environment({ unlistedVariablesAreDyn: false, homogeneousAggregateLiterals: true })
        .registerVariable("object", "dyn").registerVariable("oldObject", "dyn").registerVariable("request", "dyn")
        .registerFunction("string.replace(string, string): string", (text, from, to) => text.replaceAll(from, to));
    const check = (name, expression, wanted) => {
        const result = env.check(expression.replace(/\bvariables\.(\w+)/g, "variables_$1"));
        const where = policy.metadata.name + " " + name + ": ";
        if (!result.valid) faults.push(where + String(result.error?.message ?? result.error));
        else if (wanted && String(result.type) !== wanted && String(result.type) !== "dyn")
            faults.push(where + result.type + ", expected " + wanted);
        return result.valid ? String(result.type) : "dyn";
    };
    for (const c of policy.spec.matchConditions) check(c.name, c.expression, "bool");
    for (const v of policy.spec.variables) {
        const type = check(v.name, v.expression, null);
        env.registerVariable("variables_" + v.name, type);
    }
    policy.spec.validations.forEach((v, i) => {
        check("validation " + i, v.expression, "bool");
        if (v.messageExpression) check("message " + i, v.messageExpression, "string");
    });
}
process.stdout.write(JSON.stringify(faults));
'''


def node(script, data):
    """What a script of node prints, as JSON; `data` goes to its standard input, as JSON."""
    folder = packages()
    with tempfile.NamedTemporaryFile('w', suffix='.mjs', dir=folder, encoding='utf-8') as f:
        f.write(script)
        f.flush()
        done = subprocess.run(['node', f.name], check=True, stdout=subprocess.PIPE, input=json.dumps(data).encode(),
                              timeout=command.SECONDS)
    return json.loads(done.stdout)


def packages():
    """The folder in which node finds the packages."""
    if not shutil.which('node') or not shutil.which('npm'):
        raise unittest.SkipTest('needs node and npm')
    if not os.path.exists(CACHE + '/complete'):
        os.makedirs(CACHE, exist_ok=True)
        subprocess.run(['npm', 'install', '--prefix', CACHE, '--no-audit', '--no-fund', '--no-save', '--silent',
                        '--ignore-scripts', *PACKAGES], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        with open(CACHE + '/complete', 'w', encoding='utf-8'):
            pass
    return CACHE


def rule_of(o):
    return o['metadata']['name'].removeprefix('connhook-')


def applies(policy, request):
    """Do the resource rules of the policy match the request, as the API server matches them?"""
    resource, scope = request['resource'], 'Namespaced' if request.get('namespace') else 'Cluster'
    constraints = policy['spec']['matchConstraints']
    (selector,) = constraints['namespaceSelector']['matchExpressions']
    if request.get('subResource') or request.get('namespace') in selector['values']:
        return False
    return any(resource['group'] in r['apiGroups'] and request['operation'] in r['operations'] and
               r['scope'] in ('*', scope) and
               (resource['version'] in r['apiVersions'] or '*' in r['apiVersions']) and
               (resource['resource'] in r['resources'] or '*' in r['resources'])
               for r in constraints['resourceRules'])


class NativeTest(command.CommandTest):
    def native(self, config=None, stderr=''):
        """{rule: (policy, binding)}, and the comment."""
        more = [] if config is None else ['--config', config]
        text = self.says('webhook-config', '--native', *more, stderr=stderr)
        found = {}
        for o in yaml.load_all(text, LOADER):
            self.assertEqual(o['apiVersion'], 'admissionregistration.k8s.io/v1')
            found.setdefault(rule_of(o), {})[o['kind']] = o
        for pair in found.values():
            self.assertEqual(list(pair), [POLICY, POLICY + 'Binding'])
        return found, text[:text.index('---')] if '---' in text else text

    # ---- the same verdicts ----

    def requests(self, pipe, scratch):
        """(case/request, configuration, the AdmissionReview) of all golden cases of rules, twice: as they stand, and
        with all the rules enforced."""
        root = os.path.join(golden.ROOT, 'rules')
        for folder in sorted(os.listdir(root)):
            case = golden.Case(os.path.join(root, folder), pipe, scratch)
            for name, own in case.requests.items():
                r = {**case.common, **(own or {})}
                if 'after' in r or 'body' in r:
                    continue
                operation, _, obj, old = case.build(r)
                review = exact.loads(case.review(r, operation, obj, old))
                if operation not in ('CREATE', 'UPDATE'):
                    continue
                config = case.config(r.get('config', 'managed'))
                for path in (self.readable(config), self.enforced(config)):
                    yield '%s/%s' % (folder, name), path, review

    def readable(self, config):
        if config in golden.PROFILES:
            return self.profile(config)
        return config

    def profile(self, name):
        path = self.path(name + '.yaml')
        if not os.path.exists(path):
            self.write(name + '.yaml', self.says('config', 'show', '--profile', name))
        return path

    def enforced(self, config):
        with open(self.readable(config), encoding='utf-8') as f:
            content = yaml.load(f, LOADER)
        for rule in RULES:
            content.setdefault('rules', {}).setdefault(rule, {})['mode'] = 'enforce'
        content['audit'] = False
        data = json.dumps(content)
        return self.path(self.write('enforced-%016x.yaml' % (hash(data) & (1 << 64) - 1), data))

    def compare(self, requests):
        """(what CEL says of each request, what it says otherwise than connhook); the former as
        [(name, {rule: message})], the latter as {name: rule}."""
        policies, asked, numbers = [], [], {}
        packages()
        scratch = tempfile.mkdtemp(dir=self.folder)
        with core.Core(os.path.dirname(command.connhook)) as pipe:
            for name, config, review in requests(pipe, scratch):
                if config not in numbers:
                    numbers[config] = {}
                    for rule, pair in self.native(config)[0].items():
                        numbers[config][rule] = len(policies)
                        policies.append(pair)
                answer = pipe.ask('validate', config, exact.dumps(review))
                denied = {c['message'].rpartition('[')[2].rstrip(']') for c in answer.causes} & set(RULES)
                request = json.loads(exact.dumps(review))['request']
                mine = [n for n in numbers[config].values() if applies(policies[n][POLICY], request)]
                asked.append((name, denied, request, mine))
        answers = node(EVALUATOR, {'policies': [p[POLICY] for p in policies],
                                   'requests': [{'request': r, 'policies': mine} for _, _, r, mine in asked]})
        said, different = [], {}
        for (name, denied, _, mine), results in zip(asked, answers):
            denies = {}
            for number, result in zip(mine, results):
                if result is None:
                    continue
                self.assertNotIn('error', result, name)
                self.assertFalse(result['fallback'], name)
                if policies[number][POLICY + 'Binding']['spec']['validationActions'] == ['Deny']:
                    denies[rule_of(policies[number][POLICY])] = result['message']
            said.append((name, denies))
            for rule in set(denies) ^ denied:
                if rule in denies or rule not in PARTLY:
                    different[name] = rule
        return said, different

    def test_golden_cases(self):
        said, different = self.compare(self.requests)
        self.assertEqual(different, DIFFERENT)
        counts = dict.fromkeys(RULES, 0)
        for name, denies in said:
            for rule, message in denies.items():
                counts[rule] += 1
                self.assertRegex(message, r'\A[^:\n]+: found [^\n]*; expected [^\n]*; [^\n]+\Z', name)
        for rule, count in counts.items():
            self.assertGreater(count, 5, rule)
        self.assertGreater(len(said), 600)

    def generated(self, _pipe, _scratch):
        """Requests whose texts are put together from the pieces that the rules look for."""
        rng = random.Random(30)
        config = self.enforced('managed')

        def text(pieces, most):
            return ''.join(rng.choice(pieces) for _ in range(rng.randint(1, most)))
        for i in range(1500):
            container = {'name': 'c', 'image': rng.choice(IMAGE_HEADS) + text(IMAGE_PIECES, 3) +
                         rng.choice(IMAGE_TAILS),
                         'env': [{'name': text(['DB', '_', 'PASSWORD', 'token', '-', '.', 'API_KEY'], 4),
                                  'value': text(VALUE_PIECES, 6)},
                                 {'name': 'URL', 'value': 'x://' + text(VALUE_PIECES, 9)}]}
            yield 'workload %d %s' % (i, json.dumps(container)), config, kube.review('CREATE', {
                'apiVersion': 'apps/v1', 'kind': 'Deployment', 'metadata': {'name': 'a', 'namespace': 'tenant-a'},
                'spec': {'template': {'spec': {'containers': [container]}}}})
        for i in range(1500):
            path = rng.choice(PATH_HEADS) + text(PATH_PIECES, 3)
            source = {'dataFrom': [{'find': {'path': path}}]} if i % 2 else {'data': [{'remoteRef': {'key': path}}]}
            yield 'path %d %s' % (i, json.dumps(source)), config, kube.review('CREATE', {
                'apiVersion': 'external-secrets.io/v1', 'kind': 'ExternalSecret', 'spec': source,
                'metadata': {'name': rng.choice(['shop', 'shop-db', 'shopping']), 'namespace': 'tenant-a'}})

    def test_generated_requests(self):
        said, different = self.compare(self.generated)
        self.assertEqual(different, {})
        for rule in ('no-in-cluster-database', 'literal-credentials', 'external-secret-path'):
            count = sum(rule in denies for _, denies in said)
            self.assertTrue(50 < count < 1450, '%s: %d' % (rule, count))

    def test_types(self):
        found, _ = self.native(self.enforced('managed'))
        more, _ = self.native(self.write('more.yaml', MORE))
        self.assertEqual(set(found), set(RULES))
        policies = [pair[POLICY] for pair in (*found.values(), *more.values())]
        self.assertEqual(node(CHECKER, policies), [])
        policies[0]['spec']['validations'][0]['expression'] = '[object.a, null, "x"] == 1'
        self.assertNotEqual(node(CHECKER, policies), [])

    # ---- the objects ----

    def test_what_does_not_depend_on_anything(self):
        for rule, pair in self.native(self.enforced('managed'))[0].items():
            spec, binding = pair[POLICY]['spec'], pair[POLICY + 'Binding']
            self.assertEqual(pair[POLICY]['metadata']['name'], binding['metadata']['name'])
            self.assertEqual(binding['spec']['policyName'], 'connhook-' + rule)
            self.assertEqual(spec['failurePolicy'], 'Fail')
            self.assertEqual(spec['matchConstraints']['matchPolicy'], 'Equivalent')
            names = [c['name'] for c in spec['matchConditions']]
            self.assertEqual(len(names), len(set(names)))
            self.assertIn('not-deleting', names)
            for r in spec['matchConstraints']['resourceRules']:
                self.assertEqual(r['operations'], ['CREATE', 'UPDATE'])
            for v in spec['validations']:
                self.assertEqual(v['reason'], 'Forbidden' if rule in FORBIDDEN else 'Invalid')
                self.assertRegex(v['message'], r'\A[^\n]+: found [^\n]+; expected [^\n]+\Z')

    def test_modes(self):
        def actions(text):
            found, _ = self.native(self.write('config.yaml', CONFIG + text))
            return {rule: pair[POLICY + 'Binding']['spec']['validationActions'] for rule, pair in found.items()}
        deny, warn = ['Deny'], ['Warn', 'Audit']
        default = actions('')
        self.assertEqual(default['claim-secret-name'], deny)
        self.assertEqual(default['sync-wave'], warn)
        self.assertNotIn('reserved-secret', default)
        self.assertFalse(set(NOT_EXPRESSED) & set(default))
        changed = actions('rules: {claim-secret-name: {mode: warn}, sync-wave: {mode: enforce}, '
                          'reserved-secret: {mode: enforce}, literal-credentials: {mode: "off"}}\n')
        self.assertEqual((changed['claim-secret-name'], changed['sync-wave'], changed['reserved-secret']),
                         (warn, deny, deny))
        self.assertNotIn('literal-credentials', changed)
        self.assertEqual(set(map(tuple, actions('audit: true\n').values())), {tuple(warn)})

    def test_the_comment(self):
        _, notes = self.native()
        self.assertTrue(all(line.startswith('# ') for line in notes.splitlines()), notes)
        for rule in ('annotations', 'injection', *NOT_EXPRESSED):
            self.assertIn('# - %s' % rule, notes)
        _, notes = self.native(self.write('more.yaml', MORE))
        self.assertIn('# - no-in-cluster-database: groups like "*.db.example"', notes)

    def test_nothing_is_left(self):
        off = ''.join('  %s: {mode: "off"}\n' % rule for rule in RULES)
        found, notes = self.native(self.write('off.yaml', CONFIG + 'rules:\n' + off))
        self.assertEqual(found, {})
        self.assertIn('# - injection', notes)

    def test_what_is_for_webhooks_is_refused(self):
        for option, given in (('service', 'a/b'), ('url', 'https://a'), ('ca-file', 'ca.crt'), ('cert-manager', 'a/b')):
            words = '--native takes no --%s: the API server judges native policies itself' % option
            self.assertIn(words, self.refuses('webhook-config', '--native', '--' + option, given))
            self.assertIn(words, self.refuses('webhook-config', '--' + option, given, '--native'))
        self.assertIn('native policies need Kubernetes 1.30',
                      self.refuses('webhook-config', '--native', '--kubernetes-version', '1.29'))
        self.says('webhook-config', '--native', '--kubernetes-version', '1.30')
        self.assertIn('none.yaml', self.refuses('webhook-config', '--native', '--config', 'none.yaml'))


if __name__ == '__main__':
    command.main()
