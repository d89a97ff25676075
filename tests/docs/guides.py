#!/usr/bin/python3
"""
The examples of README.md, docs/annotations.md and docs/configuration.md, as they stand.

    tests/docs/guides.py PATH_TO_CONNHOOK
"""
import json
import os
import re
import subprocess
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = None


def text(name):
    with open(os.path.join(ROOT, name), encoding='utf-8') as f:
        return f.read()


def blocks(name, first):
    """The YAML blocks that begin with that line."""
    found = [b for b in re.findall(r'```yaml\n(.*?)```', text(name), re.S) if b.startswith(first)]
    if not found:
        raise AssertionError('%s has no YAML block that begins with %s' % (name, first))
    return found


def run(*arguments, given):
    return subprocess.run([BINARY, *arguments], input=given, capture_output=True, text=True, timeout=20)


class Guides(unittest.TestCase):
    def test_configuration_is_good(self):
        for block in blocks('docs/configuration.md', 'apiVersion: connhook'):
            done = run('config', 'check', '-', given=block)
            self.assertEqual((done.returncode, done.stderr), (0, ''))

    def test_every_key_is_explained(self):
        table = text('docs/configuration.md')
        for key in ('annotationPrefix', 'bindings[].name', 'bindings[].secretName', 'bindings[].claim',
                    'bindings[].keys', 'bindings[].prefix',
                    'bindings[].optional', 'bindings[].env', 'defaults', 'migration',
                    'imagePullSecrets', 'reloader', 'excludeContainers', 'exempt', 'audit', 'rules'):
            self.assertIn('| `%s` |' % key, table)

    def test_annotated_workload_is_injected(self):
        for block in blocks('docs/annotations.md', 'apiVersion: apps/v1'):
            done = run('review', '-o', 'json', '-', given=block)
            self.assertEqual(done.returncode, 0, done.stderr)
            review, = json.loads(done.stdout)
            self.assertTrue(review['patch'])
            self.assertEqual((review['violations'], review['warnings']), ([], []))

    def test_every_annotation_is_explained(self):
        listed = re.findall(r'^\| `inject\.zerotouch\.io/([a-z-]+)` \|', text('docs/annotations.md'), re.M)
        object_ = {'apiVersion': 'apps/v1', 'kind': 'Deployment',
                   'metadata': {'name': 'x', 'annotations': {'inject.zerotouch.io/bogus': ''}}}
        done = run('review', '-o', 'json', '-', given=json.dumps(object_))
        message = json.loads(done.stdout)[0]['violations'][0]['message']
        known = re.search(r'expected one of: ([a-z, -]+)', message).group(1).split(', ')
        self.assertEqual(sorted(known + ['injected', 'status']), sorted(listed))

    def test_commands_of_the_readme_exist(self):
        commands = set(re.findall(r'build/connhook ([a-z-]+)', text('README.md')))
        self.assertGreaterEqual(commands, {'review', 'certs', 'serve', 'webhook-config'})
        for command in commands:
            self.assertEqual(run(command, '--help', given='').returncode, 0, command)

    def test_links_lead_somewhere(self):
        pages = [os.path.relpath(os.path.join(folder, name), ROOT)
                 for folder, _, names in os.walk(os.path.join(ROOT, 'docs')) for name in names if name.endswith('.md')]
        for name in ['README.md'] + pages:
            for link in re.findall(r'\]\(([^)#:]+)(?:#[^)]*)?\)', text(name)):
                path = os.path.join(ROOT, os.path.dirname(name), link)
                self.assertTrue(os.path.exists(path), '%s: %s' % (name, link))


if __name__ == '__main__':
    BINARY = os.path.abspath(sys.argv.pop(1))
    result = unittest.main(exit=False).result
    failed = len(result.failures) + len(result.errors)
    print('%d passed, %d failed' % (max(result.testsRun - failed, 0), failed), flush=True)
    sys.exit(0 if result.wasSuccessful() else 1)
