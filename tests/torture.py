#!/usr/bin/python3
"""
Memory that runs out: each allocation of each part of connhook that needs no server fails in turn, and the answer is
the right one or the complete error. tests/support/torture.c runs them; this says on what.

    tests/torture.py --build build                  # every allocation
    tests/torture.py --build build --step 500       # a sample
    tests/torture.py --build build -k 'mutate malformed'
"""
import argparse
import base64
import concurrent.futures
import glob
import os
import subprocess
import sys
import tempfile
import time

import golden
from cli import config as config_cases
from support import core, exact

HERE = os.path.dirname(os.path.abspath(__file__))
JOBS = 2
YAML_MAX = 20000      # bytes; longer files are more of the same
CUTS = 4              # places where each YAML file is cut off, for one that ends too early
PATCHES = (           # what the golden cases do not hold: (document, patch)
    ('{"a":[1,2]}', '[{"op":"add","path":"/a/-","value":3},{"op":"test","path":"/a/2","value":3}]'),
    ('{"a":{"b/c":1}}', '[{"op":"move","from":"/a/b~1c","path":"/d"},{"op":"remove","path":"/a"}]'),
    ('[1,{"x":[]}]', '[{"op":"copy","from":"/1","path":"/0"},{"op":"replace","path":"","value":{"y":null}}]'),
    ('{"a":1,"b":{"c":[2]}}', '[{"op":"remove","path":"/a"},{"op":"replace","path":"/b/c/0","value":9},'
     '{"op":"add","path":"/d","value":[]},{"op":"test","path":"/b","value":{"c":[8]}}]'),
    ('{"a":1}', '[{"op":"add","path":"/b","value":2},{"op":"remove","path":"/no/where"}]'),
    ('{"a":1}', '[{"op":"add","path":"/b","value":2},{"op":"push","path":"/a"}]'),
    ('{"a":1}', '{}'),
)


class Torture:
    """A torture process."""

    def __init__(self, build, step):
        self.program = build + '/tests/support/torture'
        self.process = subprocess.Popen([self.program, str(step)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait()

    def ask(self, part, config, body):
        """(allocations, runs, errors, same, refused), and the faults as texts"""
        self.process.stdin.write(b'%s %s %d\n' % (part.encode(), config.encode(), len(body)) + body)
        self.process.stdin.flush()
        faults = []
        for line in self.process.stdout:
            word, _, rest = line.decode('utf-8', 'replace').rstrip('\n').partition(' ')
            if word == 'done':
                return [int(n) for n in rest.split()], faults
            faults.append(self.fault(*rest.split(' ', 3)))
        raise core.Wrong('torture ended with status %s on: %s %s %.2000r' % (self.process.wait(), part, config, body))

    def fault(self, mode, number, stack, what):
        """A fault with the names of the functions that the failed allocation was made for."""
        names = subprocess.run(['addr2line', '-s', '-f', '-e', self.program, *stack.split(',')],
                               stdout=subprocess.PIPE, check=True, text=True).stdout.split('\n')
        callers = ['%s %s' % pair for pair in zip(names[0::2], names[1::2]) if 'torture.c' not in pair[1]]
        return '%s %s: %s\n    %s' % (mode, number, what, '\n    '.join(callers))


def recorded(build, scratch):
    """
    (label, part, configuration, body) of every request and configuration of the golden cases, and the patches of the
    answers.
    """
    asked, ask, patches, checked, check = {}, golden.Case.ask, {}, {}, core.Core.check

    def record(case, phase, config, body):
        asked.setdefault((phase, config, body), '%s %s' % (phase, case.id))
        a, result = ask(case, phase, config, body)
        if a.patch:
            document = exact.dumps(exact.loads(body)['request']['object'])
            patch = base64.b64decode(a.response['patch'])
            patches.setdefault(document + b'\0' + patch, 'patch %s' % case.id)
        return a, result

    def record_check(pipe, path):
        text = golden.read(path)
        checked.setdefault(text, 'config %.60r' % text)
        return check(pipe, path)

    golden.Case.ask, core.Core.check = record, record_check
    with core.Core(build) as pipe:
        for folder in golden.folders(''):
            golden.run_folder(folder, pipe, scratch, False)
    golden.Case.ask, core.Core.check = ask, check
    for (phase, config, body), label in asked.items():
        yield label, phase, config, body
    for body, label in patches.items():
        yield label, 'patch', '-', body
    for body, label in checked.items():
        yield label, 'config', '-', body
    for config in dict.fromkeys(config for _, config, _ in asked):
        yield 'registration %s' % config, 'registration', config, b''
        if config not in golden.PROFILES:
            yield 'config %s' % config, 'config', '-', golden.read(config)


def configurations():
    """What the reader of configurations takes; the golden cases have what it refuses."""
    for path in glob.glob(HERE + '/../src/policy/load/profiles/*.yaml'):
        yield 'config %s' % os.path.basename(path), golden.read(path)
    for text in config_cases.TAKEN:
        yield 'config %.60r' % text, (config_cases.HEAD + text).encode()


def yaml_files():
    for path in sorted(glob.glob(HERE + '/cases/**/*.yaml', recursive=True)):
        text = golden.read(path)
        if len(text) > YAML_MAX or os.path.basename(path) == 'expected.yaml':
            continue
        label = 'yaml %s' % os.path.relpath(path, HERE)
        yield label, text
        for i in range(1, CUTS):
            yield '%s, cut' % label, text[:len(text) * i // CUTS]


def certificates(build, scratch):
    """(label, part, body): good files, and pairs that do not belong together."""
    folder = scratch + '/certs'
    for name in ('one', 'two'):
        os.makedirs(folder, exist_ok=True)
        subprocess.run([build + '/connhook', 'certs', 'init', '--out', '%s/%s' % (folder, name)], check=True,
                       stdout=subprocess.DEVNULL)
    one, two = ({n: golden.read('%s/%s/%s' % (folder, name, n)) for n in ('ca.crt', 'tls.crt', 'tls.key')}
                for name in ('one', 'two'))
    yield 'inspect all files', 'inspect', b'\0'.join([one['ca.crt'], one['tls.crt'] + one['ca.crt'], one['tls.key']])
    yield 'inspect two authorities', 'inspect', b'\0'.join([two['ca.crt'], one['tls.crt'], two['tls.key']])
    yield 'inspect a cut file', 'inspect', one['tls.crt'][:-100]
    yield 'pair good', 'pair', one['tls.crt'] + one['ca.crt'] + b'\0' + one['tls.key']
    yield 'pair of another', 'pair', one['tls.crt'] + b'\0' + two['tls.key']
    yield 'pair without a key', 'pair', one['tls.crt'] + b'\0' + one['tls.crt']


def inputs(build, scratch):
    """(label, part, configuration, body) of all."""
    yield from recorded(build, scratch)
    for label, text in configurations():
        yield label, 'config', '-', text
    for label, text in yaml_files():
        yield label, 'yaml', '-', text
    for document, patch in PATCHES:
        yield 'patch %s' % patch, 'patch', '-', (document + '\0' + patch).encode()
    yield 'base64', 'base64', '-', bytes(range(256)) * 3
    for label, part, body in certificates(build, scratch):
        yield label, part, '-', body


def run(build, step, work):
    """[(part, figures, failures)], each failure a text"""
    torture, results = Torture(build, step), []
    for label, part, config, body in work:
        figures, faults = torture.ask(part, config, body)
        results.append((part, figures, ['%s (%s), %s' % (label, config, f) for f in faults]))
    if torture.close() != 0:
        raise core.Wrong('torture did not end well')
    return results


def table(results):
    """A line for each part, and one for all."""
    sums = {}
    for part, figures, _ in results:
        for name in (part, 'all'):
            sums[name] = [a + b for a, b in zip(sums.get(name, [0] * 6), [1, *figures])]
    print('%-12s %7s %12s %9s %9s %9s %9s' % ('part', 'inputs', 'allocations', 'runs', 'errors', 'the same', 'refused'))
    for name in [n for n in sums if n != 'all'] + ['all']:
        print('%-12s %7d %12d %9d %9d %9d %9d' % (name, *sums[name]))


def main():
    options = argparse.ArgumentParser(description='Fails each allocation in turn.')
    options.add_argument('--build', default='build', help='the build directory')
    options.add_argument('--step', type=int, default=1, help='only every STEPth allocation')
    options.add_argument('-k', default='', metavar='WORDS', help='only inputs whose label holds all of these words')
    options = options.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch, concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        work = [w for w in inputs(options.build, scratch) if all(word in w[0] for word in options.k.split())]
        results = sum(pool.map(lambda i: run(options.build, options.step, work[i::JOBS]), range(JOBS)), [])
    table(results)
    failed = [faults for _, _, faults in results if faults]
    tried = sum(figures[1] > 0 for _, figures, _ in results)
    for faults in failed:
        print('\n'.join(faults))
    print('%.0f seconds' % (time.monotonic() - begun))
    print('%d passed, %d failed' % (tried - len(failed), len(failed)))
    return 1 if failed or not tried else 0


if __name__ == '__main__':
    sys.exit(main())
