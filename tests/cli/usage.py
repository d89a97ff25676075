#!/usr/bin/python3
"""
What all commands have in common: help, unknown words, closed streams, the plugin's name.

    tests/cli/usage.py PATH_TO_CONNHOOK
"""
import json
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from support import command  # noqa: E402

COMMANDS = ['serve', 'review', 'explain', 'config', 'certs', 'webhook-config', 'completion', 'man', 'help', 'version']
WITH_HELP = [[c] for c in COMMANDS if c != 'help'] + [['config', 'check'], ['config', 'show'], ['config', 'test'],
                                                           ['certs', 'init'], ['certs', 'show'], ['certs', 'renew']]

# Arguments, and words of the sentence that refuses them.
REFUSED = [
    (['bogus'], ['unknown command "bogus"', *COMMANDS]),
    (['--bogus'], ['unknown command "--bogus"']),
    (['Review'], ['unknown command "Review"']),
    ([''], ['unknown command ""']),
    (['two\nlines'], ['unknown command "two\\nlines"']),
    (['\x1b[31mred\x7f'], ['unknown command "\\u001b[31mred\\u007f"']),
    (['version', 'now'], ['version takes no argument "now"']),
    (['version', '--bogus'], ['version: unknown option --bogus']),
    (['version', '-o', 'xml'], ['"xml"', 'text or json']),
    (['help', 'bogus'], ['no command "bogus"']),
    (['help', 'certs', 'bogus'], ['no command "bogus"']),
    (['man', 'bogus'], ['no command "bogus"']),
    (['completion'], ['bash, zsh or fish']),
    (['completion', 'tcsh'], ['bash, zsh or fish']),
    (['serve', '--bogus'], ['serve: unknown option --bogus', 'connhook serve --help']),
    (['serve', '--tls-cert'], ['--tls-cert needs a value', 'connhook serve --help']),
    (['serve', 'now'], ['now', 'connhook serve --help']),
    (['serve'], ['--tls-cert FILE', '--tls-key FILE', '--self-signed DIR']),
    (['review'], ['FILE', 'DIR', 'standard input', 'connhook review --help']),
    (['review', '--bogus', 'x.yaml'], ['review: unknown option --bogus', 'connhook review --help']),
    (['review', '-Z', 'x.yaml'], ['review: unknown option -Z']),
    (['review', '-o'], ['-o needs a value', 'connhook review --help']),
    (['review', '--config'], ['--config needs a value']),
    (['review', '-o', 'xml', 'x.yaml'], ['"xml"', 'summary', 'yaml', 'json', 'patch', 'diff']),
    (['review', '-c', 'none.yaml', 'x.yaml'], ['cannot read none.yaml: No such file or directory']),
    (['config'], ['check, show or test', 'connhook config --help']),
    (['config', 'bogus'], ['unknown command "bogus"', 'check, show or test']),
    (['config', 'check'], ['one FILE', 'connhook config --help']),
    (['config', 'check', 'a', 'b'], ['one FILE']),
    (['config', 'check', 'none.yaml'], ['cannot read none.yaml: No such file or directory']),
    (['config', 'show', 'managed'], ['no argument "managed"', 'connhook config --help']),
    (['config', 'show', '--profile', 'cloud'], ['"cloud"', 'managed or in-cluster']),
    (['config', 'show', '--profile'], ['--profile needs a value']),
    (['config', 'show', '--bogus'], ['unknown option --bogus']),
    (['certs'], ['init, show or renew', 'connhook certs --help']),
    (['certs', 'bogus'], ['bogus', 'init, show or renew']),
    (['certs', 'init'], ['--out DIR is missing', 'connhook certs init --help']),
    (['certs', 'init', '--bogus'], ['--bogus', 'connhook certs init --help']),
    (['certs', 'show'], ['which file', 'connhook certs show --help']),
    (['webhook-config'], ['--service NAMESPACE/NAME', '--url BASE', 'connhook webhook-config --help']),
    (['webhook-config', '--bogus'], ['unknown option --bogus', 'connhook webhook-config --help']),
]

CONFIGMAP = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n'


class UsageTest(command.CommandTest):
    def test_help_goes_to_standard_output(self):
        for words in WITH_HELP:
            for option in ('--help', '-h'):
                with self.subTest(' '.join(words + [option])):
                    said = self.says(*words, option)
                    self.assertIn('connhook ' + words[0], said)
                    self.assertTrue(said.endswith('\n'))
                    self.assertLessEqual(max(map(len, said.splitlines())), 120)

    def test_the_first_help_names_every_command(self):
        for option in ('--help', '-h', 'help'):
            said = self.says(option)
            for name in COMMANDS:
                self.assertRegex(said, r'(?m)^connhook %s +\S' % name)

    def test_no_command_is_a_mistake(self):
        done = self.run_raw()
        self.assertEqual((done.returncode, done.stdout), (2, b''))
        self.assertEqual(done.stderr.decode(), self.says('--help'))

    def test_help_of_a_command(self):
        for words in WITH_HELP:
            self.assertEqual(self.says('help', *words), self.says(*words, '--help'))
        self.assertEqual(self.says('help'), self.says('--help'))

    def test_pages_of_the_manual(self):
        for words in [[], ['help']] + WITH_HELP:
            page = self.says('man', *words)
            title = '"CONNHOOK-%s"' % '-'.join(words).upper() if words else 'CONNHOOK'
            self.assertTrue(page.startswith('.TH %s 1 ' % title))
            for line in page.splitlines():
                self.assertRegex(line, r'\A(\.(TH|SH|TP|nf|fi|br)\b|[^.\'])|\A\Z')
            if shutil.which('groff'):
                done = subprocess.run(['groff', '-man', '-Tutf8', '-ww', '-z'], input=page.encode(),
                                      capture_output=True, check=False)
                self.assertEqual((done.returncode, done.stderr.decode()), (0, ''))

    # ---- completion ----

    def complete(self, *words):
        return [line.split('\t')[0] for line in self.says('__complete', *words).splitlines()]

    def test_words_are_completed(self):
        self.assertEqual(self.complete(''), COMMANDS)
        self.assertEqual(self.complete('re'), ['review'])
        self.assertEqual(self.complete('certs', ''), ['init', 'show', 'renew'])
        self.assertEqual(self.complete('help', ''), [])
        self.assertEqual(self.complete('completion', 'z'), ['zsh'])
        self.assertEqual(self.complete('review', ''), [])
        self.assertEqual(self.complete('review', '--st'), ['--stdin-name', '--strict'])
        self.assertIn('--help', self.complete('review', '-'))
        for words in (['-o', 'j'], ['--output', 'j'], ['--output', '=', 'j'], ['a.yaml', '-o', 'j']):
            self.assertEqual(self.complete('review', *words), ['json', 'junit'])
        self.assertIn('sarif', self.complete('review', '--output', '='))
        self.assertEqual(self.complete('config', 'show', '--profile', ''), ['managed', 'in-cluster'])
        self.assertEqual(self.complete('serve', '--log-level', 'e'), ['error'])
        self.assertEqual(self.complete('serve', '--config', ''), [])

    def test_every_option_of_the_help_is_completed(self):
        for words in WITH_HELP:
            said = set(re.findall(r'(?m)^  (?:-\w, |    )(--[\w-]+)', self.says(*words, '--help')))
            self.assertEqual(set(self.complete(*words, '--')), said)
            self.assertIn('--help', said)

    def test_shells(self):
        os.symlink(command.connhook, self.path('connhook'))
        env = {'PATH': self.folder + ':' + os.environ['PATH']}
        bash = ('source <(connhook completion bash); COMP_WORDS=(connhook review --output = j); COMP_CWORD=4; '
                '_connhook; echo "${COMPREPLY[@]}"; complete -p connhook')
        done = subprocess.run(['bash', '-c', bash], capture_output=True, check=True, env=dict(os.environ, **env))
        self.assertEqual(done.stdout.decode(), 'json junit\ncomplete -o default -F _connhook connhook\n')
        for shell in ('zsh', 'fish'):
            script = self.says('completion', shell)
            self.assertIn('connhook __complete', script)
            if shutil.which(shell):
                done = subprocess.run([shell, '-n'], input=script.encode(), capture_output=True, check=False)
                self.assertEqual((done.returncode, done.stderr.decode()), (0, ''))

    def test_version(self):
        self.assertRegex(self.says('version'), r'\Aconnhook \d+\.\d+\.\d+\n\Z')
        self.assertEqual(self.says('--version'), self.says('version'))
        told = json.loads(self.says('version', '-o', 'json'))
        self.assertEqual('connhook %(version)s\n' % told, self.says('version'))

    def test_what_is_wrong_is_said_in_one_line(self):
        for arguments, words in REFUSED:
            with self.subTest(' '.join(arguments)):
                sentence = self.refuses(*arguments)
                for word in words:
                    self.assertIn(word, sentence)

    def test_closed_streams_are_no_files(self):
        """A stream that is closed must not become the file that is opened next."""
        self.write('a.yaml', CONFIGMAP)
        for closed in ([0], [1], [2], [0, 1, 2]):
            with self.subTest(closed):
                def close(which=tuple(closed)):
                    for fd in which:
                        os.close(fd)
                done = self.run_raw('review', 'a.yaml', preexec_fn=close)
                self.assertEqual(done.returncode, 0)
                self.assertEqual(b'1 object' in done.stdout, 1 not in closed)
                with open(self.path('a.yaml'), encoding='utf-8') as f:
                    self.assertEqual(f.read(), CONFIGMAP)

    def test_output_that_cannot_be_written(self):
        self.write('a.yaml', CONFIGMAP)
        self.write('c.yaml', self.says('config', 'show'))
        for arguments in (['version'], ['--help'], ['review', 'a.yaml'], ['review', '--help'], ['config', 'show'],
                          ['config', 'check', 'c.yaml']):
            with self.subTest(' '.join(arguments)), open('/dev/full', 'wb') as full:
                done = self.run_raw(*arguments, stdout=full)
                self.assertEqual((done.returncode, done.stderr.decode()),
                                 (2, 'connhook: cannot write to standard output: No space left on device\n'))

    def test_the_plugin_of_kubectl(self):
        os.symlink(command.connhook, self.path('kubectl-connhook'))
        self.write('a.yaml', CONFIGMAP)
        plugin = {'program': self.path('kubectl-connhook')}
        self.assertEqual(self.says('version', **plugin), self.says('version'))
        self.assertEqual(self.says('review', 'a.yaml', **plugin), self.says('review', 'a.yaml'))
        self.assertIn('unknown command "bogus"', self.refuses('bogus', **plugin))


if __name__ == '__main__':
    command.main()
