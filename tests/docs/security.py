#!/usr/bin/python3
"""
docs/security.md: its table of limits is src/base/limits.h, and what it names as proof exists.

    tests/docs/security.py PATH_TO_CONNHOOK
"""
import os
import re
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FACTORS = {'': 1, 'KiB': 1 << 10, 'MiB': 1 << 20, 's': 1, 'days': 1}

# How the program is made inside, not what anybody meets.
INSIDE = re.compile(r'KIB|MIB|ARENA_\w+|BUDGET_\w+|\w+_MILLISECONDS|'
                    r'LIMIT_(SUGGEST_LENGTH|WARNINGS_TAIL|RESERVED_FILES|EQUAL_MEMBERS)')


def text(name):
    with open(os.path.join(ROOT, name), encoding='utf-8') as f:
        return f.read()


def in_header():
    """name -> number, of every limit."""
    found = re.findall(r'^#define (\w+) \(?(\d+)(?:UL)?(?: \* ([KM])IB)?\)?', text('src/base/limits.h'), re.M)
    return {name: int(n) * FACTORS[unit + 'iB' if unit else ''] for name, n, unit in found
            if not INSIDE.fullmatch(name)}


def in_table():
    found = re.findall(r'^\| ([\d,]+)(?: (\w+))? \| `(\w+)` \|', text('docs/security.md'), re.M)
    return {name: int(n.replace(',', '')) * FACTORS[unit] for n, unit, name in found}


class Security(unittest.TestCase):
    maxDiff = None

    def test_limits(self):
        self.assertGreater(len(in_header()), 40)
        self.assertEqual(in_table(), in_header())

    def test_proofs_exist(self):
        rows = re.findall(r'^\| [^|]+ \| (`[^|]+) \|$', text('docs/security.md'), re.M)
        proofs = [p for row in rows for p in re.findall(r'`([^`]+)`', row) if not p.startswith('--')]
        self.assertGreater(len(proofs), 20)
        targets = re.findall(r'^([a-z0-9-]+):', text('Makefile'), re.M)
        for proof in proofs:
            if proof.startswith('make '):
                self.assertIn(proof[len('make '):], targets)
            else:
                self.assertTrue(os.path.exists(os.path.join(ROOT, proof)), proof)


if __name__ == '__main__':
    del sys.argv[1:2]
    result = unittest.main(exit=False).result
    failed = len(result.failures) + len(result.errors)
    print('%d passed, %d failed' % (max(result.testsRun - failed, 0), failed), flush=True)
    sys.exit(0 if result.wasSuccessful() else 1)
