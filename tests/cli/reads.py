#!/usr/bin/python3
"""
What connhook review reads, against what kubectl's own libraries read: never another value; what only one of the two
refuses stands in DIFFERENCES.

    tests/cli/reads.py PATH_TO_CONNHOOK

tests/reads/reads.go is built once, where there is a Go that can. Without one this says so, and compares what is written
down here alone. COUNT=100000 in the environment: as many generated texts.
"""
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
MODULE = os.path.join(os.path.dirname(HERE), 'reads')
COUNT = int(os.environ.get('COUNT') or 3000)
GO_SECONDS = 600

HEAD = b'apiVersion: v1\nkind: ConfigMap\n'
JSON = b'{"apiVersion":"v1","kind":"ConfigMap"%s}'

# What one refuses and the other reads: whose refusal it is, words of it, and why it is right here. docs/review.md has
# these rows for its readers.
OURS, KUBECTL = 'connhook', 'kubectl'
DIFFERENCES = [
    (OURS, r'stands in this mapping twice', 'told, and judged by the last one, which kubectl takes without a word'),
    (OURS, r'has no apiVersion', 'the API server refuses it'),
    (OURS, r'metadata\.\w+ is ', 'the API server refuses it'),
    (OURS, r'YAML cannot hold|UTF-8', 'kubectl puts U+FFFD in the place of bytes that are no UTF-8'),
    (OURS, r'aliases stand for more than|nested deeper than|more than \d+ (nodes|characters)', 'limits'),
    (OURS, r'did not find expected <document start>', 'something behind a value, such as --- glued to it'),
    (OURS, r'a number that JSON does not have|the key is null', 'kubectl drops it, behind a key that stands twice'),
    (OURS, r'malformed YAML at ",.*a tag that begins', 'a comma in a tag'),
    (OURS, r'a colon where no key can end, while scanning a plain scalar', 'a colon that ends a word: {a: b:}'),
    (OURS, r'found null; expected a Kubernetes object', 'an item of a list: kubectl sends an object of nothing'),
    (OURS, r'a colon where no key can end; put', 'something behind a value, which kubectl passes over'),
    (OURS, r'a comma directly behind a tag', 'for kubectl it is a part of the tag'),
    (KUBECTL, r'unknown escape character', r'"\/" is JSON'),
    (KUBECTL, r'invalid Unicode character escape code', 'a pair of \\u is JSON'),
    (KUBECTL, r'control characters are not allowed', 'in a comment'),
    (KUBECTL, r'did not find expected <document start>', 'a directive, such as %YAML 1.1'),
    (KUBECTL, r'invalid character .* (looking for|after|in) ', 'malformed, in a stream of JSON: read as YAML'),
]


def frames(texts):
    return b''.join(b'%d\n' % len(t) + t for t in texts)


def ask(program, texts):
    done = subprocess.run([program], input=frames(texts), stdout=subprocess.PIPE, check=False)
    lines = done.stdout.decode().split('\n')[:-1]
    if done.returncode != 0 or len(lines) != len(texts):
        sys.exit('%s ended with %d after %d of %d texts' % (program, done.returncode, len(lines), len(texts)))
    return [json.loads(line) for line in lines]


def kubectl_reader():
    """The program of tests/reads, made once; None, said why, where that cannot be."""
    if not shutil.which('go'):
        print('no Go here: the table alone is compared')
        return None
    recipe = b''
    for name in ('reads.go', 'go.mod', 'go.sum'):
        with open(os.path.join(MODULE, name), 'rb') as f:
            recipe += f.read()
    root = os.path.join(os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache'), 'connhook-reads')
    program = os.path.join(root, hashlib.sha256(recipe).hexdigest()[:12])
    if not os.path.exists(program):
        os.makedirs(root, exist_ok=True)
        made = '%s.%d' % (program, os.getpid())
        try:
            done = subprocess.run(['go', 'build', '-trimpath', '-o', made, '.'], cwd=MODULE, stdin=subprocess.DEVNULL,
                                  capture_output=True, check=False, timeout=GO_SECONDS,
                                  env=dict(os.environ, GOFLAGS='-mod=readonly -buildvcs=false'))
            said = done.stderr.decode(errors='replace').strip()
        except subprocess.TimeoutExpired:
            said = 'it took more than %d s' % GO_SECONDS
        if not os.path.exists(made):
            print('tests/reads cannot be built here: the table alone is compared: ' + said.splitlines()[-1])
            return None
        os.rename(made, program)
    return program


# ---- written texts ----

# What both read, each with the objects it is: they are compared without Go as well.
TABLE = [
    (HEAD, [{}]),
    (HEAD + b'---\n' + HEAD, [{}, {}]),
    (b'---# Source: a.yaml\n' + HEAD + b'---# Source: b.yaml\n' + HEAD, [{}, {}]),
    (b'---\n# only a comment\n---\n\n---\n' + HEAD + b'---\n', [{}]),
    (b'--- # a comment\n' + HEAD, [{}]),
    (HEAD + b'...\n---\n' + HEAD, [{}, {}]),
    (b'\xef\xbb\xbf' + HEAD + b'---\n\xef\xbb\xbf' + HEAD, [{}, {}]),
    (HEAD.replace(b'\n', b'\r\n') + b'a: |\r\n  x\r\n  y\r\n---\r\n' + HEAD, [{'a': 'x\ny\n'}, {}]),
    ((HEAD + 'a: \u00fc\U0001f600\n'.encode()).decode().encode('utf-16'), [{'a': '\u00fc\U0001f600'}]),
    (b'\xfe\xff' + HEAD.decode().encode('utf-16-be'), [{}]),
    (b'\xfe\xff' + (JSON % b'').decode().encode('utf-16-be') * 2, [{}, {}]),
    (b'\xff\xfe' + HEAD.decode().encode('utf-16-le') + b'a\0:\0 \0\x00\xd8\n\0', [{'a': '\ufffd'}]),
    (JSON % b'' + JSON % b',"a":1', [{}, {'a': 1}]),
    (b'\n' + JSON % b'' + b'\n\n\t' + JSON % b'' + b'\n', [{}, {}]),
    (JSON % b'' + b'\n---\n' + JSON % b'', [{}, {}]),
    (JSON % b',\n\t"a": "\\ud83d\\ude00\\/"', [{'a': '\U0001f600/'}]),
    (b'{"apiVersion":"v1","kind":"List","items":[%s,%s]}' % (JSON % b'', JSON % b''), [{}, {}]),
    (b'apiVersion: v1\nkind: List\nitems: []\n---\n' + HEAD, [{}]),
    (b'apiVersion: v1\nkind: ConfigMapList\nitems:\n- {a: 1}\n- {}\n', [{'a': 1}, {}]),
    (b'apiVersion: v1\nkind: ConfigMapList\nitems:\n', []),
    (b'apiVersion: example.io/v1\nkind: Basket\nitems:\n- {apiVersion: v1, kind: ConfigMap, a: 1}\n', [{'a': 1}]),
    (HEAD + b'a: !Ref x\nb: !Sub [1, 2]\nc: !GetAtt {d: 3}\n', [{'a': 'x', 'b': [1, 2], 'c': {'d': 3}}]),
    (HEAD + b'a: yes\nb: "yes"\nc: off\nd: n\n', [{'a': True, 'b': 'yes', 'c': False, 'd': False}]),
    (HEAD + b'a: 017\nb: 0o17\nc: 1_000\nd: 0x1F\ne: 1:30\nf: 0b11\n',
     [{'a': 15, 'b': 15, 'c': 1000, 'd': 31, 'e': '1:30', 'f': 3}]),
    (HEAD + b'a: 1e400\nb: 1e3\nc: .5\nd: 1.\ne: +1\nf: 2001-01-01\n',
     [{'a': '1e400', 'b': 1000, 'c': .5, 'd': 1, 'e': 1, 'f': '2001-01-01'}]),
    (HEAD + b'a: 9223372036854775807\nb: -9223372036854775808\n', [{'a': 2 ** 63 - 1, 'b': -2 ** 63}]),
    (HEAD + b'a: &a {b: 1, c: 2}\nd:\n  <<: *a\n  b: 3\n', [{'a': {'b': 1, 'c': 2}, 'd': {'b': 3, 'c': 2}}]),
    (HEAD + b'a: ~\nb:\nc: null\n', [{'a': None, 'b': None, 'c': None}]),
    (HEAD + b'1: a\ntrue: b\n1.50: c\n', [{'1': 'a', 'true': 'b', '1.5': 'c'}]),
    (HEAD + b'a: !!binary aGVsbG8=\nb: !!str 3\nc: !!int "3"\n', [{'a': 'hello', 'b': '3', 'c': 3}]),
    (HEAD + b'a: "x\\\n  y"\nb: >-\n  p\n  q\n\n  r\n', [{'a': 'xy', 'b': 'p q\nr'}]),
    (b'{apiVersion: v1, kind: ConfigMap, a: [1, 2,],}\n', [{'a': [1, 2]}]),
    (b'{"apiVersion":"v1","kind":"ConfigMap","a":01}', [{'a': 1}]),
    (HEAD + b'a: |\n  x', [{'a': 'x\n'}]),
    ((JSON % b'').replace(b'}', b'\t}') + b'---\n' + HEAD, [{}, {}]),
    (b'{"apiVersion":"v1","kind":"ConfigMap","a":"\t", }', [{'a': '\t'}]),
    (HEAD + b'a: [!x , 1]\n', [{'a': ['', 1]}]),
    (HEAD + b'a: 1\na: 2\n', [{'a': 2}]),
    (HEAD + b'a: {b: 1, c: 2, b: {d: 1}}\n', [{'a': {'c': 2, 'b': {'d': 1}}}]),
    (JSON % b',"a":1,"a":2', [{'a': 2}]),
    (b'', []),
    (b'# nothing\n---\n', []),
]

# What connhook refuses, by its line and words.
REFUSED = [
    (HEAD + b'--- foo\n' + HEAD, 3, 'found "foo" behind ---'),
    (HEAD + b'--- !x\n' + HEAD, 3, 'found "!x" behind ---'),
    (HEAD + b'...\n' + HEAD, 4, 'did not find expected <document start>'),
    (JSON % b'' + b' garbage', 1, 'found a string'),
    (HEAD + b'a: [!x, 1]\n', 3, 'a comma directly behind a tag'),
    (HEAD + b'a: {b: "\xc3\xa4", c: !, d: 1}\n', 3, 'a comma directly behind a tag'),
    (HEAD + b'a: 1\nb: 2\na: 2\n', 5, 'key "a" stands in this mapping twice, first at line 3'),
    (JSON % b',\n"a":1,\n"a":2', 3, 'key "a" stands in this mapping twice, first at line 2'),
    (b'apiVersion: v1\nkind: PodList\nitems: {a: 1}\n', 3, 'items is an object; expected a list'),
    (b'apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap}\n-\n', 5, 'found null'),
    (b'- {apiVersion: v1, kind: ConfigMap}\n', 1, 'found an array'),
    (HEAD + b'a: .inf\n', 3, 'a number that JSON does not have'),
    (HEAD + b'null: a\n', 3, 'the key is null'),
    (HEAD + b'? [a]\n: b\n', 3, 'the key is '),
    (HEAD + b'a: \xff\n', 3, 'save the file as UTF-8'),
    (HEAD + b'a:\n\t- b\n', 4, 'a tab'),
]

# More that is only compared.
COMPARED = [
    HEAD + b'---x\n' + HEAD, HEAD + b'a: "\\/"\n', HEAD + b'a: "\\ud83d\\ude00"\n', b'%YAML 1.1\n---\n' + HEAD,
    JSON % b'' + b' garbage', (JSON % b'') * 2 + b' garbage', JSON % b',', JSON % b',\n// c\n"a":1', JSON % b',"a":NaN',
    b'[%s]' % (JSON % b''), b'{apiVersion: v1, kind: ConfigMap}{b: 1}\n', HEAD + b'x: &a [*a]\n',
    HEAD + b'"<<": {a: 1}\n',
    HEAD + b'a: !!set {a, b}\nb: !!omap [a: b]\n', HEAD + b'd: 2001-12-14t21:59:43.10-05:00\n', HEAD + b'a: \x01\n',
    HEAD + b'a: 12345678901234567890123\nb: 1.50\n', b'kind: ConfigMap\n', b'apiVersion: v1\n', b'text\n',
    b'--- >\n a\n',
    HEAD + b'a: |\n  b\n---\n  c\n', HEAD + b'a: "b\n---\nc"\n', b'\xff\xfe', b'\xfe\xff\0', b'\xef\xbb\xbf', b'\0',
]


def full(objects):
    return [dict({'apiVersion': 'v1', 'kind': 'ConfigMap'}, **o) for o in objects]


# ---- generated texts ----

PLAIN = ['a', 'b', '1', '"c"', 'yes', 'no', '1.5', "'d'", 'e f', '0x1f', '017', 'null', '2001-01-01', '1e3', '!Ref g']
SCALARS = ['a', 'yes', 'No', 'on', '~', 'null', '""', "''", "'a b'", '"a\\nb"', '1', '-1', '+1', '01', '08', '0o7',
           '0x_f', '1_0', '1.5', '1e3', '1.e1', '.1', '-.5', '1e400', '0.0', '-0', '1:2', '1:30.5', '2001-01-01',
           '0b1', '=', '<<', 'a: b', 'a #b', 'a#b', '*', '&a', '!x', '!!str 1', '!!int 1', '!!float 1', '!!null ~',
           '!!bool yes', '@a', '%a', '-', '- a', '?', ':', '[', '{', ']', '#', '|', '>', 'true', 'TRUE', 'tRue',
           '1 2', '1,2', '"\\x41"', '"\\u00e4"', '"\\/"', '9223372036854775808', '18446744073709551616',
           '123456789012345678901', '0.1e-7', '1E+2', 'nan', '.NaN', '\u00e4', '\u2028', '\x85', 'a\tb', '\t', "it's",
           '"\\"', '1.', '.', '..', '...', '0x', '0b2', '12e03', '-1_2.5_0', '!Ref a', '!', 'y', 'n', '190:20:30',
           '685_230.15', '0.', '1e', '_', '1__2', '_1', '0_', '-0x1', '0o_7', '1e+', '_0.1']
KEYS = ['a', 'b', 'c', '1', 'yes', '"a"', "'b'", '1.0', 'a b', '<<', '? a', '0x1', 'null', '~', '1e3', '-0.0', '""',
        '.5']


class Texts:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def one_of(self, items):
        return items[self.random.randrange(len(items))]

    def key(self):
        return self.one_of(KEYS if self.random.randrange(20) == 0 else 'cdefghijkl')

    def flow(self, depth):
        kind = self.random.randrange(5)
        if depth == 0 or kind < 3:
            return self.one_of(SCALARS if self.random.randrange(6) == 0 else PLAIN)
        inner = [self.flow(depth - 1) for _ in range(self.random.randrange(4))]
        if kind == 3:
            return '[%s]' % ', '.join(inner)
        return '{%s}' % ', '.join('%s: %s' % (self.key(), v) for v in inner)

    def block(self, depth, indent):
        """Lines that follow a key or a dash."""
        space = ' ' * indent
        kind = self.random.randrange(8)
        if depth == 0 or kind < 3:
            return ' %s\n' % self.flow(1)
        if kind == 3:
            return ' %s%s\n%s' % (self.one_of('|>'), self.one_of(['', '-', '+', '2']), ''.join(
                '%s  %s\n' % (space, self.one_of(['x', 'x', '', ' y', 'a: b', '# no', '---'] * 3 + ['\tz']))
                for _ in range(self.random.randrange(1, 4))))
        if kind == 4:
            return '\n' + ''.join('%s-%s' % (space, self.block(depth - 1, indent + 2))
                                  for _ in range(self.random.randrange(1, 4)))
        anchor = self.one_of(['', '', '', ' &x', ' !t', ' !!map'])
        return anchor + '\n' + self.mapping(depth - 1, indent)

    def mapping(self, depth, indent):
        return ''.join('%s%s:%s' % (' ' * indent, self.key(), self.block(depth, indent + 2))
                       for _ in range(self.random.randrange(1, 4)))

    def document(self):
        kind = self.random.randrange(10)
        if kind == 0:
            return json.dumps({'apiVersion': 'v1', 'kind': 'ConfigMap', 'a': self.one_of(SCALARS)},
                              indent=self.one_of([None, 1]))
        body = self.mapping(3, 0)
        if kind == 1:
            return 'apiVersion: v1\nkind: %sList\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n%s' % (
                self.one_of(['', 'ConfigMap']), re.sub('(?m)^', '  ', body))
        return HEAD.decode() + body

    def text(self):
        separator = self.one_of(['---\n', '---\n', '--- \n', '---# x\n', '--- # y\n', '---\n---\n', '...\n---\n',
                                 '---\r\n'])
        text = separator.join(self.document() + self.one_of(['', '\n']) for _ in range(self.one_of([1, 1, 1, 2, 3])))
        if self.random.randrange(6) == 0:
            text = text.replace('\n', '\r\n')
        raw = text.encode(self.one_of(['utf-8'] * 8 + ['utf-16', 'utf-8-sig']))
        for _ in range(self.one_of([0, 0, 0, 1, 2])):  # a slip of the hand
            at = self.random.randrange(len(raw))
            raw = raw[:at] + self.one_of([b'', b' ', b'\n', b':', b'"', b'-', b'\t', b'#', b'{', b',']) + raw[at + 1:]
        return raw


# ---- comparing ----

def without_line(theirs):
    """kubectl takes "---# Source: a" for a key, where a file begins with it; the API server knows none such."""
    return [{k: v for k, v in o.items() if not k.startswith('---#')} for o in theirs]


def same(ours, theirs):
    """Equal as JSON, where a number past 64 bits is what Go makes of it: a double."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(same(ours[k], theirs[k]) for k in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(ours, bool) or isinstance(theirs, bool) or isinstance(ours, str) or ours is None:
        return type(ours) is type(theirs) and ours == theirs
    if isinstance(theirs, (int, float)) and not isinstance(theirs, bool):
        return ours == theirs or float(ours) == float(theirs)
    return False


def known(whose, sentence):
    return any(w == whose and re.search(words, sentence) for w, words, _ in DIFFERENCES)


def difference(ours, theirs):
    """What is wrong between the two answers; None."""
    mine, others = ours['objects'], without_line(theirs['objects'])
    faults = [f['message'] for f in ours['faults']]
    unknown = [f for f in faults if not known(OURS, f)]
    if theirs['error'] == '':
        if unknown:
            return 'only connhook refuses: %s' % unknown[0]
        if not faults or all(re.search('stands in this mapping twice', f) for f in faults):
            # 1 and 1.0 are two keys of a Go map, whose order is chance, and one key of JSON.
            chance = any(re.match(r'key "(-?[0-9.e+]+|true|false)" ', f) for f in faults)
            return None if chance or same(mine, others) else 'another value'
        # A refused object is missing, the others are the same in their order.
        rest = iter(others)
        return None if all(any(same(m, o) for o in rest) for m in mine) else 'another value'
    # kubectl stops at its first error: what it has read before must be what connhook has read there.
    if not faults and not known(KUBECTL, theirs['error']):
        return 'only kubectl refuses: ' + theirs['error']
    rest = iter(mine)
    missing = [o for o in others if not any(same(m, o) for m in rest)]
    return 'another value before the error' if len(missing) > len(faults) else None


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    reader = os.path.join(os.path.dirname(os.path.abspath(sys.argv[1])), 'tests/support/manifests_pipe')
    passed, failed = 0, []
    answers = ask(reader, [t for t, _ in TABLE] + [t for t, _, _ in REFUSED])
    for (text, objects), answer in zip(TABLE, answers):
        if same(answer['objects'], full(objects)):
            passed += 1
        else:
            failed.append((text, 'expected %s, read %s' % (full(objects), answer)))
    for (text, line, words), answer in zip(REFUSED, answers[len(TABLE):]):
        if any(f['line'] == line and words in f['message'] for f in answer['faults']):
            passed += 1
        else:
            failed.append((text, 'expected %d: %s, got %s' % (line, words, answer)))
    kubectl = kubectl_reader()
    if kubectl is not None:
        texts = [t for t, _ in TABLE] + [t for t, _, _ in REFUSED] + COMPARED
        texts += [Texts(seed).text() for seed in range(COUNT)]
        theirs, both = ask(kubectl, texts), 0
        for text, mine, other in zip(texts, ask(reader, texts), theirs):
            wrong = difference(mine, other)
            both += not mine['faults'] and not other['error']
            passed += wrong is None
            if wrong is not None:
                failed.append((text, '%s\n  connhook: %s\n  kubectl:  %s' % (wrong, mine, other)))
        print('%d texts compared, %d of them read by both' % (len(texts), both))
        for (text, objects), answer in zip(TABLE, theirs):
            if not same(full(objects), without_line(answer['objects'])):
                failed.append((text, 'kubectl reads it otherwise than the table says'))
    for text, why in failed[:20]:
        print('%r\n  %s' % (text, why))
    print('%d passed, %d failed' % (passed, len(failed)))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
