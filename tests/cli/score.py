#!/usr/bin/python3
"""
connhook config test: the built-in configuration on lists of real inputs, tests/data, and what the command says.

    tests/cli/score.py PATH_TO_CONNHOOK

At most 3 in 100 of each list may be missed, or wrongly refused. A ~ in env.tsv keeps its samples from looking like
tokens to those who search for them; it is taken out.
"""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from support import command  # noqa: E402

DATA = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'data')
SUMMARY = re.compile(r': (\d+) rows; (\d+) to be denied, (\d+) missed; (\d+) to be allowed, (\d+) wrongly refused; ')


class ScoreTest(command.CommandTest):
    def score(self, name, text):
        """Exit status and standard output of `config test` on a list."""
        done = self.run_raw('config', 'test', self.write(name, text))
        return done.returncode, done.stdout.decode()

    def test_lists(self):
        for name in sorted(os.listdir(DATA)):
            with self.subTest(name), open(os.path.join(DATA, name), encoding='utf-8') as f:
                _, said = self.score(name, f.read().replace('~', ''))
                _, deny, missed, allow, refused = map(int, SUMMARY.search(said).groups())
                self.assertGreater(deny, 15)
                self.assertGreater(allow, 15)
                self.assertLessEqual(missed * 100, 3 * deny, said)
                self.assertLessEqual(refused * 100, 3 * allow, said)

    def test_what_it_says(self):
        text = 'verdict\timage\nserver\tnginx\nother\tpostgres\neither\tmongo\nserver\tmysql\n'
        self.assertEqual(self.score('a.tsv', text), (1, (
            'a.tsv:2: missed: "nginx" is server\na.tsv:3: wrongly refused: "postgres" is other\n'
            'a.tsv: 4 rows; 2 to be denied, 1 missed; 1 to be allowed, 1 wrongly refused; 1 not judged\n')))

    def test_no_value_is_shown(self):
        _, said = self.score('a.tsv', 'verdict\tname\tvalue\nharmless\tA_TOKEN\thunter2\n')
        self.assertIn('"A_TOKEN"', said)
        self.assertNotIn('hunter2', said)

    def test_what_is_wrong(self):
        for text, sentence in [
                ('', 'found an empty list'), ('image\n', 'found a first line that names other columns'),
                ('verdict\timage\nmaybe\ta\n', ':2: found "maybe"'),
                ('verdict\timage\nserver\n', ':2: found another number of columns'),
                ('verdict\tcontainer\nserver\t{\n', ':2: ')]:
            with self.subTest(text):
                self.assertIn(sentence, self.refuses('config', 'test', self.write('a.tsv', text)))
        self.assertIn('config test takes FILE.tsv', self.refuses('config', 'test'))


if __name__ == '__main__':
    command.main()
