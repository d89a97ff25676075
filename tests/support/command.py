"""Runs connhook as a person does, and judges what all its commands have in common."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

SECONDS = 120  # for one command; a sanitizer makes it several times slower

connhook = ''  # the program under test


class CommandTest(unittest.TestCase):
    """Each test has a folder of its own, in which commands run."""
    maxDiff = None

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='connhook-')
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, content):
        """Writes a file, text or bytes, and the folders above it; gives its name."""
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), 'wb') as f:
            f.write(content if isinstance(content, bytes) else content.encode())
        return name

    def run_raw(self, *arguments, text=None, env=None, program=None, **more):
        """The finished process; `text` (str or bytes) goes to standard input."""
        text = text.encode() if isinstance(text, str) else text
        return subprocess.run([program or connhook, *arguments], cwd=self.folder, input=text,
                              stdin=subprocess.DEVNULL if text is None else None,
                              stdout=more.pop('stdout', subprocess.PIPE), stderr=subprocess.PIPE, check=False,
                              env=dict(os.environ, **(env or {})), timeout=SECONDS, **more)

    def says(self, *arguments, code=0, stderr='', **more):
        """Standard output, as text, of a command that ends with `code` and says `stderr`."""
        done = self.run_raw(*arguments, **more)
        self.assertEqual((done.returncode, done.stderr.decode()), (code, stderr), done.stdout.decode())
        return done.stdout.decode()

    def refuses(self, *arguments, **more):
        """The sentence of a command that ends with 2: one line on standard error, nothing else."""
        done = self.run_raw(*arguments, **more)
        self.assertEqual((done.returncode, done.stdout), (2, b''), done.stderr.decode('utf-8', 'replace'))
        line = done.stderr.decode()
        self.assertRegex(line, r'\Aconnhook: [^\n]*([^\n.]| \.)\n\Z')
        return line[len('connhook: '):-1]


def main():
    """Runs the tests of the calling file: FILE PATH_TO_CONNHOOK [TEST...]."""
    global connhook
    if len(sys.argv) < 2:
        sys.exit('usage: %s PATH_TO_CONNHOOK [TEST...]' % os.path.basename(sys.argv[0]))
    connhook = os.path.abspath(sys.argv.pop(1))
    result = unittest.main('__main__', exit=False).result
    failed = len(result.failures) + len(result.errors)
    print('%d passed, %d failed' % (result.testsRun - failed, failed))
    sys.exit(1 if failed or not result.testsRun else 0)
