#!/usr/bin/python3
"""
Fuzz targets: seeds from the golden cases, then libFuzzer for a time, or one replay without it.

    tests/fuzz/fuzz.py --build build --replay               # every seed through every target, plain compiler
    tests/fuzz/fuzz.py --build build/fuzz --seconds 60      # each target that long; prints executions
"""
import argparse
import glob
import hashlib
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path.insert(0, TESTS)
import golden  # noqa: E402
from support import core  # noqa: E402

TARGETS = ('decide', 'json', 'yaml', 'patch', 'config', 'image', 'cert')
CERTIFICATES = ('tls.crt', 'tls.key', 'ca.crt')
IMAGES = ('postgres', 'postgres:16', 'my.registry:5000/team/postgres@sha256:' + 64 * 'a', 'ghcr.io/a/b:v1',
          '[::1]:5000/a', 'localhost/a', '100m', '1.5Gi', '1e3', 'a-b.c', 'index.docker.io/library/redis')
PATCHES = (('{"a":[1,2]}', '[{"op":"add","path":"/a/-","value":3},{"op":"test","path":"/a/2","value":3}]'),
           ('{"a":{"b/c":1}}', '[{"op":"move","from":"/a/b~1c","path":"/d"},{"op":"remove","path":"/a"}]'),
           ('[1]', '[{"op":"copy","from":"/0","path":"/0"},{"op":"replace","path":"","value":{}}]'))


def write(folder, data):
    os.makedirs(folder, exist_ok=True)
    with open('%s/%s' % (folder, hashlib.sha256(data).hexdigest()[:24]), 'wb') as f:
        f.write(data)


def seed(build, corpus):
    """Seeds for every target, from the golden cases and a few by hand."""
    ask = golden.Case.ask

    def record(case, phase, config, body):
        kind = bytes([(phase == 'validate') | (config == 'in-cluster') << 1])
        write(corpus + '/decide', kind + body)
        write(corpus + '/json', body)
        return ask(case, phase, config, body)

    golden.Case.ask = record
    with tempfile.TemporaryDirectory() as scratch, core.Core(build) as pipe:
        for folder in golden.folders(''):
            golden.run_folder(folder, pipe, scratch, False)
        subprocess.run([build + '/connhook', 'certs', 'init', '--out', scratch + '/certs'], check=True,
                       stdout=subprocess.DEVNULL)
        for name in CERTIFICATES:
            write(corpus + '/cert', golden.read('%s/certs/%s' % (scratch, name)))
    for path in glob.glob(TESTS + '/cases/**/*.yaml', recursive=True):
        text = golden.read(path)
        if len(text) < 20000:
            write(corpus + '/yaml', text)
    for path in (glob.glob(TESTS + '/cases/**/config*.yaml', recursive=True) +
                 glob.glob(TESTS + '/../src/policy/load/profiles/*')):
        write(corpus + '/config', golden.read(path))
    for text in IMAGES:
        write(corpus + '/image', text.encode())
    for document, patch in PATCHES:
        write(corpus + '/patch', (document + '\0' + patch).encode())


def fuzz(build, target, corpus, seconds):
    """(executions, failed)"""
    found = '%s/found-%s-' % (build, target)
    command = [build + '/tests/fuzz/fuzz_' + target, '-max_total_time=%d' % seconds, '-max_len=65536', '-timeout=20',
               '-rss_limit_mb=2048', '-print_final_stats=1', '-artifact_prefix=' + found, corpus + '/' + target]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = done.stdout.decode('utf-8', 'replace')
    executions = re.search(r'number_of_executed_units:\s*(\d+)', output)
    if done.returncode != 0:
        print(output[-4000:])
    return int(executions.group(1)) if executions else 0, done.returncode != 0


def replay(build, target, corpus):
    done = subprocess.run([build + '/tests/fuzz/replay_' + target, corpus + '/' + target], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = done.stdout.decode('utf-8', 'replace')
    if done.returncode != 0:
        print(output[-4000:])
    executions = re.search(r'(\d+) inputs replayed', output)
    return int(executions.group(1)) if executions else 0, done.returncode != 0


def main():
    options = argparse.ArgumentParser(description='Runs the fuzz targets.')
    options.add_argument('--build', default='build', help='the build directory')
    options.add_argument('--replay', action='store_true', help='only run the seeds, without libFuzzer')
    options.add_argument('--seconds', type=int, default=30, help='for each target')
    options.add_argument('--corpus', help='a folder to keep and grow; default: one that is thrown away')
    options = options.parse_args()
    total, failures = 0, 0
    with tempfile.TemporaryDirectory() as scratch:
        corpus = options.corpus or scratch
        seed(options.build, corpus)
        for target in TARGETS:
            if options.replay:
                executions, failed = replay(options.build, target, corpus)
            else:
                executions, failed = fuzz(options.build, target, corpus, options.seconds)
            print('fuzz %-8s %10d executions%s' % (target, executions, '  FAILED' if failed else ''), flush=True)
            total += executions
            failures += failed
    print('%d executions in all' % total)
    print('%d passed, %d failed' % (len(TARGETS) - failures, failures))
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
