#!/usr/bin/python3
"""
Golden cases: every folder under tests/cases that holds a request is run and compared. tests/README.md has the format.

    tests/golden.py --build build [-k WORDS] [--update]
"""
import argparse
import difflib
import hashlib
import os
import sys
import tempfile

import jsonpatch
import yaml

from support import core, exact, kube

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'cases')
PHASES = ('mutate', 'validate')
PROFILES = ('managed', 'in-cluster')
HEADER = '# Written by `make golden`; read it, do not edit it.\n'
KEYS = {'about', 'config', 'object', 'old', 'after', 'edit', 'apply', 'replace', 'undo', 'operation', 'user', 'groups',
        'namespace', 'name', 'subresource', 'dryRun', 'phases', 'envelope', 'body', 'check', 'before'}
HOSTILE = 'hostile'   # the folder of bad input, and how many requests of it must differ
HOSTILE_LEAST = 900


class Bad(Exception):
    """A case that is written wrongly."""


def read(path):
    with open(path, 'rb') as f:
        return f.read()


def change(obj, how):
    """A mapping is a merge patch (RFC 7386), a list a JSON Patch."""
    if isinstance(how, list):
        return jsonpatch.JsonPatch(how).apply(obj)
    return kube.merge_patch(obj, how)


def content_bytes(what):
    """The bytes of a `body` or `check`: text, or a list of parts; tests/README.md says what a part may be."""
    if isinstance(what, str):
        return what.encode()
    if isinstance(what, list):
        return b''.join(map(content_bytes, what))
    if set(what) == {'bytes'}:
        return what['bytes'].encode('latin-1')
    if not {'repeat', 'times'} <= set(what) <= {'repeat', 'times', 'between'}:
        raise Bad('a part of a text has the keys %s; expected bytes, or repeat, times and between' % sorted(what))
    return what.get('between', '').join(what['repeat'].replace('%d', str(i))
                                        for i in range(int(what['times'].text))).encode()


class Case:
    """A folder: its requests in the order they are written, and what became of each."""

    def __init__(self, folder, pipe, scratch):
        self.folder, self.pipe, self.scratch = folder, pipe, scratch
        self.id = os.path.relpath(folder, ROOT)
        self.reviews = {p: folder + '/%s.json' % p for p in PHASES if os.path.exists(folder + '/%s.json' % p)}
        doc = exact.yaml_load(read(folder + '/case.yaml')) if os.path.exists(folder + '/case.yaml') else {}
        self.common = dict(doc or {})
        self.requests = self.common.pop('requests', None) or {'request': {}}
        for name, r in [('case.yaml', self.common)] + list(self.requests.items()):
            if set(r or {}) - KEYS:
                raise Bad('%s: unknown keys %s; known: %s' % (name, sorted(set(r) - KEYS), sorted(KEYS)))
        self.states = {}
        self.answers, self.results = {}, {}
        self.fingerprints = []
        self.broken = {}
        self.inputs = {}

    def path(self, name):
        return os.path.normpath(os.path.join(self.folder, name))

    def content(self, what):
        """An object: written in place, or the name of a file beside case.yaml."""
        return exact.yaml_load(read(self.path(what))) if isinstance(what, str) else what

    def config(self, what):
        """A configuration for decide_pipe: a profile, a file, or a change to one of these written in place."""
        if isinstance(what, dict):
            how = dict(what)
            base = how.pop('like', 'managed')
            source = '%s/../src/policy/load/profiles/%s.yaml' % (os.path.dirname(ROOT), base) if base in PROFILES \
                else self.path(base)
            return self.file(exact.dumps(change(exact.yaml_load(read(source)), how)))
        return what if what in PROFILES else self.path(what)

    def file(self, data):
        """A file that holds the bytes."""
        name = os.path.join(self.scratch, hashlib.sha1(data).hexdigest() + '.yaml')
        with open(name, 'wb') as f:
            f.write(data)
        return name

    def run(self):
        for name, own in self.requests.items():
            try:
                self.run_request(name, {**self.common, **(own or {})})
            except (core.Wrong, Bad) as e:
                self.broken[name] = str(e)
            except (KeyError, OSError, TypeError, ValueError, jsonpatch.JsonPatchException) as e:
                self.broken[name] = 'the case is written wrongly: %s: %s' % (type(e).__name__, e)
            if name in self.broken:
                self.answers.pop(name, None)
                self.results.pop(name, None)

    def run_request(self, name, r):
        if 'check' in r:
            data = content_bytes([r.get('before', ''), r['check']])
            self.inputs[name] = b'check ' + data
            self.answers[name] = {'check': self.pipe.check(self.file(data))}
            return
        config = self.config(r.get('config', 'managed'))
        self.answers[name] = out = {}
        if 'body' in r or self.reviews:
            for phase in r.get('phases', PHASES if 'body' in r else list(self.reviews)):
                body = content_bytes(r['body']) if 'body' in r else read(self.reviews[phase])
                self.inputs[name] = body
                a, result = self.ask(phase, config, body)
                out[phase] = 'as mutate' if phase == 'validate' and view(a) == out.get('mutate') else view(a)
                if phase == 'mutate' and a.response:
                    self.keep(name, result, result, a)
            return
        operation, manifest, obj, old = self.build(r)
        self.inputs[name] = config.encode() + self.review(r, operation, obj, old)
        phases = r.get('phases', PHASES)
        result, a = obj, None
        if 'mutate' in phases:
            a, result = self.ask('mutate', config, self.review(r, operation, obj, old))
            result = result if a.response else obj
            out['mutate'] = view(a)
            if obj is not None and a.allowed and operation in ('CREATE', 'UPDATE'):
                self.again(r, config, operation, result, old)
        self.keep(name, manifest, result, a)
        if 'validate' in phases:
            late = kube.stored(result) if a is not None and a.patch else result
            v, _ = self.ask('validate', config, self.review(r, operation, late, old))
            out['validate'] = 'as mutate' if view(v) == out.get('mutate') else view(v)

    def keep(self, name, manifest, result, a):
        """What is in the cluster afterwards, for `after:`; a denied request leaves what was there."""
        if a is not None and a.patch:
            self.results[name] = shown(result)
        if (a is None or a.allowed) and isinstance(result, dict):
            self.states[name] = (manifest, kube.stored(result))

    def build(self, r):
        """(operation, the user's manifest, object, oldObject)"""
        if 'after' in r:
            if r['after'] not in self.states:
                raise Bad('after: %s: no such request before, or it was denied' % r['after'])
            manifest, old = self.states[r['after']]
            obj = exact.copy(old)
            if 'apply' in r:
                new = change(manifest, r['apply'])
                obj, manifest = kube.apply(manifest, new, old), new
                kube.declare(obj, new)
            elif 'replace' in r:
                obj = manifest = change(manifest, r['replace'])
            elif 'undo' in r:
                obj = kube.undo(old, self.states[r['undo']][1])
            if 'edit' in r:
                obj = change(obj, r['edit'])
            operation = r.get('operation', 'UPDATE')
        else:
            obj = manifest = change(self.content(r.get('object', 'object.yaml')), r.get('edit', {}))
            old = self.content(r['old']) if 'old' in r else None
            operation = r.get('operation', 'UPDATE' if 'old' in r else 'CREATE')
        if operation == 'DELETE':
            return operation, manifest, None, old or obj
        return operation, manifest, obj, old

    def review(self, r, operation, obj, old):
        options = {k: r[k] for k in ('user', 'groups', 'namespace', 'name', 'subresource') if k in r}
        return exact.dumps(change(kube.review(operation, obj, old, dry_run=r.get('dryRun', False), **options),
                                  r.get('envelope', {})))

    def ask(self, phase, config, body):
        """The answer, and the object after it."""
        a = self.pipe.ask(phase, config, body)
        if a.fingerprint not in self.fingerprints:
            self.fingerprints.append(a.fingerprint)
        obj = exact.loads(body)['request'].get('object') if a.response else None
        return a, core.apply(a.patch, obj) if a.patch else obj

    def again(self, r, config, operation, result, old):
        """Mutating the result once more, as the API server does on reinvocation and on the next update."""
        for op, obj, before in ((operation, result, old), (operation, kube.stored(result), old),
                                ('UPDATE', result, result), ('UPDATE', kube.stored(result), result)):
            a, _ = self.ask('mutate', config, self.review(r, op, obj, before))
            if a.patch or not a.allowed:
                raise core.Wrong('mutating the result again (%s) gives %s' % (op, a.patch or a.response))


def view(a):
    """
    An answer as it stands in expected.yaml: what a person needs to judge it, each thing once. core.check has seen to
    what is left out.
    """
    if a.status != 200:
        return {'http': a.status, 'message': a.json['message']}
    v = {'allowed': a.allowed}
    if a.skipped:
        v['skipped'] = a.skipped
    if not a.allowed:
        status = a.response['status']
        v['status'] = '%s %s' % (status['code'], status['reason'])
        v['message'] = status['message']
        v['causes'] = [c['field'] if '%s: %s' % (c['field'], c['message']) in v['message'] else c for c in a.causes]
    if a.warnings:
        v['warnings'] = a.warnings
    audit = {k: x for k, x in a.response['auditAnnotations'].items() if k not in ('config', 'skipped')}
    if audit:
        v['audit'] = audit
    if a.bindings != [name.partition('=')[0].strip() for name in audit.get('injected', '').partition(';')[0].split(',')
                      if name]:
        v['metrics'] = a.bindings
    if a.patch:
        v['patch'] = [{**op, 'value': exact.loads(op['value'].encode())}
                      if op['path'].endswith(('~1status', '~1injected')) and 'value' in op else op for op in a.patch]
    return v


def shown(obj):
    """The object without what is long and never touched."""
    meta = {k: v for k, v in obj['metadata'].items() if k != 'managedFields'}
    if isinstance(meta.get('annotations'), dict):
        meta['annotations'] = {k: v for k, v in meta['annotations'].items() if k != kube.LAST_APPLIED}
    return {**obj, 'metadata': meta}


def hide(value, fingerprints):
    """A configuration's fingerprint becomes a word, so that a comment in a profile changes no expectation."""
    data = exact.dumps(value)
    for i, f in enumerate(fingerprints):
        data = data.replace(f.encode(), b'FINGERPRINT-%d' % (i + 1) if i else b'FINGERPRINT')
    return exact.loads(data)


def dump(content):
    """A generated file: one block for each request."""
    return HEADER + ''.join('\n' + exact.yaml_dump({k: v}) for k, v in content.items())


def load(path):
    return (exact.yaml_load(read(path)) or {}) if os.path.exists(path) else {}


def differences(kind, wanted, got):
    """For each request whose content differs: (request, text of the difference)."""
    for name in list(got) + [n for n in wanted if n not in got]:
        if name in wanted and name in got and wanted[name] == got[name]:
            continue
        old, new = (exact.yaml_dump(d[name]).splitlines() if name in d else [] for d in (wanted, got))
        lines = list(difflib.unified_diff(old, new, '%s expected' % kind, '%s now' % kind, lineterm='', n=3))
        yield name, '\n'.join(lines or ['%s: the request has no entry; run with --update and read it' % kind])


def run_folder(folder, pipe, scratch, update):
    """(the inputs of its requests, failures), each failure a text."""
    try:
        case = Case(folder, pipe, scratch)
    except (Bad, yaml.YAMLError) as e:
        return [b''], ['%s: %s' % (os.path.relpath(folder, ROOT), e)]
    case.run()
    got = {'expected': hide(case.answers, case.fingerprints), 'result': hide(case.results, case.fingerprints)}
    failures = {name: [text] for name, text in case.broken.items()}
    for kind, content in got.items():
        path = '%s/%s.yaml' % (folder, kind)
        if update:
            if content:
                with open(path, 'w', encoding='utf-8') as f:
                    f.write(dump(content))
            elif os.path.exists(path):
                os.remove(path)
        for name, text in differences(kind, load(path), content):
            if name in case.broken:
                continue
            failures.setdefault(name, []).append(text)
    inputs = [case.inputs.get(name, b'') for name in case.requests]
    return inputs, ['%s: %s\n%s' % (case.id, n, '\n'.join(t)) for n, t in failures.items()]


def folders(words):
    for folder, names, files in sorted(os.walk(ROOT)):
        names.sort()
        if {'case.yaml', 'object.yaml', 'mutate.json', 'validate.json'} & set(files):
            if all(w in os.path.relpath(folder, ROOT) for w in words.split()):
                yield folder


def main():
    options = argparse.ArgumentParser(description='Runs tests/cases.')
    options.add_argument('--build', default='build', help='the build directory')
    options.add_argument('--wrap', default='', metavar='COMMAND', help='what starts decide_pipe, such as valgrind')
    options.add_argument('-k', default='', metavar='WORDS', help='only folders whose path holds all of these words')
    options.add_argument('--update', action='store_true', help='write the expected files anew')
    options = options.parse_args()
    count, failed, hostile = 0, [], []
    with tempfile.TemporaryDirectory() as scratch, core.Core(options.build, options.wrap.split()) as pipe:
        for folder in folders(options.k):
            inputs, failures = run_folder(folder, pipe, scratch, options.update)
            count += len(inputs)
            failed += failures
            if os.path.relpath(folder, ROOT).split(os.sep)[0] == HOSTILE:
                hostile += map(hashlib.sha1, inputs)
    distinct = len({h.digest() for h in hostile})
    if not options.k and distinct < HOSTILE_LEAST:
        failed.append('%s: %d distinct requests; expected at least %d' % (HOSTILE, distinct, HOSTILE_LEAST))
    for text in failed:
        print(text + '\n')
    if hostile:
        print('%s: %d requests, %d of them distinct' % (HOSTILE, len(hostile), distinct))
    print('%d passed, %d failed' % (count - len(failed), len(failed)))
    return 1 if failed or count == 0 else 0


if __name__ == '__main__':
    sys.exit(main())
