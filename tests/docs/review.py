#!/usr/bin/python3
"""
docs/review.md and docs/ci.md against connhook: every example is run, every format, option and note is named, and what
a tenant pastes into a pipeline does what the page says.

    tests/docs/review.py PATH_TO_CONNHOOK
"""
import json
import os
import re
import subprocess
import sys

import yaml

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from support import command  # noqa: E402

DOCS = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'docs')
IMAGE = 'registry.example/connhook:0.1.0'

# Stand in for programs of a pipeline.
DOCKER = """\
#!/bin/sh
while [ "$1" != %s ]; do shift; done
shift
exec connhook "$@"
""" % IMAGE
KUSTOMIZE = """\
#!/bin/sh
cat "$2"/*.yaml
"""


def page(name):
    with open(os.path.join(DOCS, name), encoding='utf-8') as f:
        return f.read()


def blocks(text, language):
    return re.findall(r'(?ms)^```%s\n(.*?)^```$' % language, text)


def examples(text):
    """[(command, what it prints)] of each console block."""
    for block in blocks(text, 'console'):
        yield [part.split('\n', 1) for part in re.split(r'(?m)^\$ ', block)[1:]]


def bare(text):
    """The text without white space: examples are broken into lines."""
    return re.sub(r'\s+', '', text)


def pattern(expected):
    """What the output matches: "..." stands for anything."""
    return '(?s:.*)'.join(re.escape(part) for part in bare(expected).split('...'))


class DocsTest(command.CommandTest):
    def setUp(self):
        super().setUp()
        os.makedirs(self.path('bin'))
        os.symlink(command.connhook, self.path('bin/connhook'))
        for name, text in (('docker', DOCKER), ('kustomize', KUSTOMIZE)):
            os.chmod(self.path(self.write('bin/' + name, text)), 0o755)
        self.files = re.findall(r'(?ms)^`([^`\n]+)`\n\n```yaml\n(.*?)^```$', page('review.md'))
        for name, text in self.files:
            self.write(name, text)
        self.write('connhook.yaml', self.says('config', 'show'))

    def shell(self, line, **env):
        return subprocess.run(['/bin/sh', '-c', line], cwd=self.folder, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=command.SECONDS,
                              check=False,
                              env=dict(os.environ, PATH=self.path('bin') + ':' + os.environ['PATH'], **env))

    def test_examples_print_what_the_page_says(self):
        self.assertEqual(len(self.files), 2)
        ran = 0
        for block in examples(page('review.md')):
            status = 0
            for line, expected in block:
                if line == 'echo $?':
                    self.assertEqual(int(expected), status)
                    continue
                done = self.shell(line)
                status = done.returncode
                self.assertRegex(bare(done.stdout), r'\A%s\Z' % pattern(expected), line)
                ran += 1
        self.assertGreaterEqual(ran, 8)

    def test_every_format_and_option_is_named(self):
        text = page('review.md')
        help_text = self.says('review', '--help')
        formats = re.findall(r'(?m)^(?:  -o, --output| {13}) +([a-z]+) ', help_text)
        self.assertIn('sarif', formats)
        self.assertIn('| `-o`, `--output FORMAT` | %s |' % ', '.join('`%s`' % f for f in formats), text)
        for f in formats:
            self.assertRegex(text, r'(?m)^## .*\b%s\b' % f)
        for option in re.findall(r'--[a-z]+', help_text):
            self.assertTrue(option in text or option == '--help', option)

    def test_every_note_is_named(self):
        (run,) = json.loads(self.says('review', '-o', 'sarif', self.write('a.yaml', self.files[0][1])))['runs']
        ids = [rule['id'] for rule in run['tool']['driver']['rules']]
        notes = ids[ids.index('unreadable') + 1:]
        section = page('review.md').split('\n## Notes\n')[1].split('\n## ')[0]
        self.assertEqual(re.findall(r'(?m)^\| `([a-z-]+)`', section), notes)

    # ---- pipelines ----

    def scripts(self, language='yaml'):
        """The steps of each pipeline of the page, and the jobs themselves."""
        for block in blocks(page('ci.md'), language):
            document = yaml.safe_load(block)
            for job in (document.get('jobs') or document).values():
                if isinstance(job, dict):
                    yield job, job.get('script') or [step['run'] for step in job['steps'] if 'run' in step]

    def run_job(self, lines, **env):
        """The status of the job, and what it printed."""
        done = self.shell('set -e\n' + '\n'.join(lines), **env)
        return done.returncode, done.stdout

    def test_pipelines_fail_for_a_denial_only(self):
        seen = 0
        for job, lines in self.scripts():
            self.assertIn(IMAGE, str(job))
            for name, text in self.files:
                self.write('rendered/prod/' + os.path.basename(name), text)
            code, said = self.run_job(lines, ENVIRONMENT='prod')
            self.assertEqual(code, 1, said)
            seen += 1
            for folder in ('k8s', 'rendered/prod'):
                os.rename(self.path(folder + '/database.yaml'), self.path('database.away'))
            code, said = self.run_job(lines, ENVIRONMENT='prod')
            self.assertEqual(code, 0, said)
            os.rename(self.path('database.away'), self.path('k8s/database.yaml'))
            self.write('connhook.yaml', 'kind: [')
            self.assertEqual(self.run_job(lines, ENVIRONMENT='prod')[0], 2)
            self.write('connhook.yaml', self.says('config', 'show'))
        self.assertEqual(seen, 4)

    def test_reports_land_where_the_pipeline_looks(self):
        looked = []
        for job, lines in self.scripts():
            self.run_job(lines, ENVIRONMENT='prod')
            names = [job.get('artifacts', {}).get('reports', {}).get('junit')]
            names += [step['with']['sarif_file'] for step in job.get('steps', []) if 'with' in step]
            for name in filter(None, names):
                with open(self.path(name), encoding='utf-8') as f:
                    self.assertIn('no-in-cluster-database', f.read())
                looked.append(name)
        self.assertEqual(looked, ['connhook.sarif', 'connhook.xml'])

    def test_annotations_reach_github(self):
        _, lines = next(self.scripts())
        self.assertRegex(self.run_job(lines)[1], r'(?m)^::error file=k8s/database\.yaml,line=2,')

    def test_shell_examples(self):
        first, pipe, hook = blocks(page('ci.md'), 'sh')
        self.assertEqual(self.shell(first).returncode, 1)
        self.assertEqual(self.shell(hook).returncode, 1)
        self.write('overlays/prod/all.yaml', self.files[1][1])
        self.assertEqual(self.shell(pipe).returncode, 1)
        self.write('overlays/prod/all.yaml', self.files[0][1])
        self.assertEqual(self.shell(pipe).returncode, 0)
        self.write('overlays/prod/all.yaml', '')
        done = self.shell(pipe)
        self.assertEqual(done.returncode, 2)
        self.assertIn('there is no Kubernetes object in -', done.stdout)


if __name__ == '__main__':
    command.main()
