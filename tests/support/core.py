"""decide() behind a pipe, and what must be true of every answer it gives."""
import base64
import os
import re
import subprocess
import sys

import jsonpatch

from support import exact

LIMIT_WARNING = 256
LIMIT_WARNINGS = 4096
LIMIT_MESSAGE = 10240  # 8 KiB, and what it takes to end a sentence


class Wrong(AssertionError):
    """An answer that no request may get."""


class Answer:
    """One answer of decide(). `patch` is the decoded list, or None."""

    def __init__(self, status, body, skipped, bindings, fingerprint):
        self.status, self.body, self.skipped, self.fingerprint = status, body, skipped, fingerprint
        self.bindings = bindings
        self.patch = None
        self.response = None
        self.json = exact.loads(body) if status != 0 else None

    @property
    def allowed(self):
        return self.response is not None and self.response['allowed']

    @property
    def warnings(self):
        return (self.response or {}).get('warnings', [])

    @property
    def causes(self):
        return (self.response or {}).get('status', {}).get('details', {}).get('causes', [])


class Core:
    """
    A decide_pipe process; `wrap` is a command that starts it. Use with `with`; leaving it checks that it ended cleanly
    (leaks included).
    """

    def __init__(self, build, wrap=()):
        self.command = [*wrap, build + '/tests/support/decide_pipe']
        if not os.path.exists(self.command[-1]):
            sys.exit('%s is missing; make check-tools builds it' % self.command[-1])
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=1 << 16)

    def __enter__(self):
        return self

    def __exit__(self, kind, _value, _traceback):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        if kind is not None:
            self.process.kill()
        code = self.process.wait()
        self.process.stdout.close()
        if kind is None and code != 0:
            raise Wrong('decide_pipe ended with status %d' % code)

    def exchange(self, phase, config, body):
        """(the header's words, the answer's bytes)"""
        try:
            self.process.stdin.write(b'%s %s %d\n' % (phase.encode(), config.encode(), len(body)) + body)
            self.process.stdin.flush()
            header = self.process.stdout.readline().split()
        except BrokenPipeError:
            header = []
        if len(header) != 5:
            code = self.process.wait()
            self.start()
            raise Wrong('decide_pipe died (status %d) on: %s %s %.2000s' % (
                code, phase, config, body.decode('utf-8', 'replace')))
        return header, self.process.stdout.read(int(header[1]))

    def raw(self, phase, config, body):
        """Asks; returns an Answer whose content has not been looked at."""
        (status, _, skipped, bindings, fingerprint), answer = self.exchange(phase, config, body)
        return Answer(int(status), answer, None if skipped == b'-' else skipped.decode(),
                      [] if bindings == b'-' else bindings.decode().split(','), fingerprint.decode())

    def check(self, path):
        """What is wrong with a configuration, without the file's name; "good" when nothing is."""
        a = self.raw('validate', path, b'')
        sentence = a.body.decode() if a.status == 0 else path + ':good'
        if not sentence.startswith(path + ':'):
            raise Wrong('the sentence does not begin with the file: %s' % sentence)
        return one_line(sentence[len(path) + 1:].lstrip())

    def ask(self, phase, config, body, request=None):
        """Asks and checks all that holds for any answer; `request` is the body's, where the caller has it."""
        a = self.raw(phase, config, body)
        if a.status == 0:
            raise Wrong('configuration %s: %s' % (config, a.body.decode()))
        check(phase, body, request, a)
        return a


# What no sentence may hold: it would end a line of the log, move a terminal's cursor, or not be seen at all.
UNSEEN = re.compile('[\x00-\x1f\x7f-\xa0\xad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]')


def one_line(text):
    """The text, which a person must be able to read."""
    if UNSEEN.search(text):
        raise Wrong('a sentence holds what nobody sees: %r' % text)
    return text


def check(phase, body, request, a):
    if a.status != 200:
        if a.json.get('kind') != 'Status' or a.json.get('status') != 'Failure' or not a.json.get('message') \
                or a.json.get('code') != exact.Number(a.status):
            raise Wrong('HTTP %d needs a Status with its code and a message: %s' % (a.status, a.body))
        one_line(a.json['message'])
        return
    request = request or exact.loads(body)['request']
    if a.json.get('apiVersion') != 'admission.k8s.io/v1' or a.json.get('kind') != 'AdmissionReview':
        raise Wrong('not an AdmissionReview: %s' % a.body)
    a.response = r = a.json['response']
    if r.get('uid') != request['uid']:
        raise Wrong('uid %r is not echoed: %s' % (request['uid'], a.body))
    if not isinstance(r.get('allowed'), bool):
        raise Wrong('allowed is not a boolean: %s' % a.body)
    unknown = set(r) - {'uid', 'allowed', 'status', 'patch', 'patchType', 'warnings', 'auditAnnotations'}
    if unknown:
        raise Wrong('unknown fields in the response: %s' % unknown)
    if ('patch' in r) != ('patchType' in r) or r.get('patchType', 'JSONPatch') != 'JSONPatch':
        raise Wrong('patchType must stand beside patch: %s' % a.body)
    if 'patch' in r:
        if phase == 'validate' or not r['allowed']:
            raise Wrong('a patch where there must be none: %s' % a.body)
        a.patch = exact.loads(base64.b64decode(r['patch'], validate=True))
        if not isinstance(a.patch, list) or not a.patch:
            raise Wrong('a patch is a list that is not empty: %s' % a.patch)
        for op in a.patch:
            if op['path'].endswith(('~1status', '~1injected')) and 'value' in op \
                    and exact.dumps(exact.loads(op['value'].encode())) != op['value'].encode():
                raise Wrong('an annotation of connhook\'s is not compact JSON: %s' % op)
    if not r['allowed']:
        status = r.get('status', {})
        if (str(status.get('code')), status.get('reason')) not in (('422', 'Invalid'), ('403', 'Forbidden')) \
                or not status.get('message') or status.get('status') != 'Failure' or not a.causes:
            raise Wrong('a denial is 422 Invalid or 403 Forbidden, with a message and causes: %s' % a.body)
        details, kind = status['details'], request['kind']
        if (details.get('kind'), details.get('group', '')) != (kind['kind'], kind.get('group', '')):
            raise Wrong('the details name another kind: %s' % a.body)
        if len(status['message']) > LIMIT_MESSAGE:
            raise Wrong('a message of %d characters' % len(status['message']))
        for text in [status['message']] + [c[k] for c in a.causes for k in ('field', 'message')]:
            one_line(text)
    elif 'status' in r:
        raise Wrong('a status where nothing is denied: %s' % a.body)
    warnings = r.get('warnings', [])
    sizes = [len(w.encode('utf-8')) for w in warnings]
    if any(n > LIMIT_WARNING or n == 0 for n in sizes) or sum(sizes) > LIMIT_WARNINGS:
        raise Wrong('warnings of %s bytes' % sizes)
    if len(set(warnings)) != len(warnings):
        raise Wrong('the same warning twice: %s' % warnings)
    audit = r.get('auditAnnotations', {})
    if audit.get('config') != a.fingerprint or audit.get('skipped') != a.skipped:
        raise Wrong('the audit annotations lack the fingerprint or the reason for skipping: %s' % a.body)
    for text in list(audit.values()) + warnings:
        one_line(text)
    for k, v in audit.items():
        if not isinstance(v, str) or not re.fullmatch(r'[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?', k):
            raise Wrong('audit annotation %r: %r' % (k, v))


# What connhook may touch (SPEC section 4, point 4): fields of its own and single entries of the user's lists.
# Of an env entry, only what kubectl has merged into it from connhook's own.
_TEMPLATE = r'/spec(/jobTemplate/spec)?/template/spec/'
_ALLOWED = re.compile(
    r'/metadata/annotations(/[^/]+)?$'
    r'|/spec(/jobTemplate/spec)?/template/metadata(/annotations(/[^/]+~1injected)?)?$'
    '|' + _TEMPLATE + r'(containers|initContainers)/\d+/(env|envFrom)(/(\d+|-))?$'
    '|' + _TEMPLATE + r'containers/\d+/env/\d+/(value|valueFrom|valueFrom/secretKeyRef)$'
    '|' + _TEMPLATE + r'(initContainers|imagePullSecrets)(/(\d+|-))?$'
    '|' + _TEMPLATE + r'initContainers/\d+/[A-Za-z]+(/.*)?$')


def apply(patch, obj):
    """The object after the patch, by python3-jsonpatch, one operation at a time, each held to _ALLOWED."""
    obj = exact.copy(obj)
    for op in patch or []:
        path = op['path']
        if op['op'] not in ('add', 'replace', 'remove', 'move') or not _ALLOWED.match(path) \
                or op['op'] == 'move' and op['from'].rpartition('/')[0] != path.rpartition('/')[0]:
            raise Wrong('the patch must not touch this: %s' % op)
        if op['op'] == 'replace' and op['value'] and isinstance(lookup(obj, path), (list, dict)) \
                and lookup(obj, path) and not re.search(r'/initContainers/\d+', path):
            raise Wrong('the patch replaces a whole list or object: %s' % op)
        obj = jsonpatch.JsonPatch([exact.copy(op)]).apply(obj, in_place=True)
    return obj


def lookup(obj, path):
    for part in path.split('/')[1:]:
        part = part.replace('~1', '/').replace('~0', '~')
        obj = obj[int(part)] if isinstance(obj, list) else obj[part]
    return obj
