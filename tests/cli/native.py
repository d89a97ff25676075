#!/usr/bin/python3
"""
connhook webhook-config --native: its CEL, judged by another implementation, says what connhook says.

    tests/cli/native.py PATH_TO_CONNHOOK

@bufbuild/cel evaluates the expressions over the golden cases of tests/cases/rules. It comes from npm, once, into
~/.cache/connhook-tests. Without node and npm the comparison is skipped, and the rest is tested.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import yaml

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import golden  # noqa: E402
from support import command, core, exact  # noqa: E402

PACKAGES = ('@bufbuild/cel@0.6.1', '@bufbuild/re2@0.6.1', '@bufbuild/protobuf@2.12.1')
CACHE = os.path.join(os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache'), 'connhook-tests', 'cel-0.6.1')

RULES = ('claim-secret-name', 'no-in-cluster-database', 'external-secret-path', 'literal-credentials',
         'reserved-secret', 'sync-wave')
NOT_EXPRESSED = ('injection-complete', 'env-collision')

# {case/request: rule}: where CEL says something else than connhook, on purpose. docs/native.md gives the reasons.
DIFFERENT = {}

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


def evaluator():
    """The folder in which node finds the packages, and the evaluator beside them."""
    if not shutil.which('node') or not shutil.which('npm'):
        raise unittest.SkipTest('needs node and npm')
    if not os.path.exists(CACHE + '/complete'):
        os.makedirs(CACHE, exist_ok=True)
        subprocess.run(['npm', 'install', '--prefix', CACHE, '--no-audit', '--no-fund', '--no-save', '--silent',
                        *PACKAGES], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        with open(CACHE + '/complete', 'w', encoding='utf-8'):
            pass
    return CACHE


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
        for o in yaml.safe_load_all(text):
            self.assertEqual(o['apiVersion'], 'admissionregistration.k8s.io/v1')
            rule = o['metadata']['name'].removeprefix('connhook-')
            found.setdefault(rule, {})[o['kind']] = o
        for pair in found.values():
            self.assertEqual(list(pair), ['ValidatingAdmissionPolicy', 'ValidatingAdmissionPolicyBinding'])
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
            content = yaml.safe_load(f)
        for rule in RULES:
            content.setdefault('rules', {}).setdefault(rule, {})['mode'] = 'enforce'
        content['audit'] = False
        data = json.dumps(content)
        return self.path(self.write('enforced-%016x.yaml' % (hash(data) & (1 << 64) - 1), data))

    def test_verdicts(self):
        folder = evaluator()
        with open(folder + '/evaluate.mjs', 'w', encoding='utf-8') as f:
            f.write(EVALUATOR)
        policies, asked, numbers = [], [], {}
        scratch = tempfile.mkdtemp(dir=self.folder)
        with core.Core(os.path.dirname(command.connhook)) as pipe:
            for name, config, review in self.requests(pipe, scratch):
                if config not in numbers:
                    found, _ = self.native(config)
                    numbers[config] = {}
                    for rule, pair in found.items():
                        numbers[config][rule] = len(policies)
                        policies.append(pair)
                answer = pipe.ask('validate', config, exact.dumps(review))
                denied = {c['message'].rpartition('[')[2].rstrip(']') for c in answer.causes} & set(RULES)
                request = json.loads(exact.dumps(review))['request']
                mine = [n for n in numbers[config].values()
                        if applies(policies[n]['ValidatingAdmissionPolicy'], request)]
                asked.append((name, config, denied, request, mine))
        done = subprocess.run(['node', folder + '/evaluate.mjs'], check=True, stdout=subprocess.PIPE, input=json.dumps({
            'policies': [p['ValidatingAdmissionPolicy'] for p in policies],
            'requests': [{'request': request, 'policies': mine} for _, _, _, request, mine in asked]}).encode(),
            timeout=command.SECONDS)
        compared = dict.fromkeys(RULES, 0)
        different = {}
        for (name, _, denied, request, mine), answers in zip(asked, json.loads(done.stdout)):
            denies = set()
            for number, answer in zip(mine, answers):
                rule = policies[number]['ValidatingAdmissionPolicy']['metadata']['name'].removeprefix('connhook-')
                if answer is None:
                    continue
                self.assertNotIn('error', answer, name)
                self.assertNotIn('\n', answer['message'], name)
                if policies[number]['ValidatingAdmissionPolicyBinding']['spec']['validationActions'] == ['Deny']:
                    denies.add(rule)
                    compared[rule] += 1
                    self.assertRegex(answer['message'], r'^[^:]+: found .*; expected .*; ', name)
                if os.environ.get('SHOW'):
                    print(name, answer)
            for rule in denies ^ denied:
                different[name] = rule
        self.assertEqual(different, DIFFERENT)
        for rule, count in compared.items():
            self.assertGreater(count, 5, rule)
        self.assertGreater(len(asked), 600)


if __name__ == '__main__':
    command.main()
