#!/usr/bin/python3
"""
The program as the compiler and the linker left it: what makes a fault in it hard to use is there. Read with readelf.

    tests/cli/hardening.py PATH_TO_CONNHOOK
"""
import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from support import command  # noqa: E402

LIBRARIES = {'libmicrohttpd', 'libgnutls', 'libcrypto', 'libcjson', 'libyaml-0', 'libc'}
LOADER = r'ld-linux-.*'  # some architectures take the stack's canary from it

# Fortified functions; the last one only with _FORTIFY_SOURCE=3, which also knows sizes that the program computes.
FORTIFIED = {'__snprintf_chk', '__vsnprintf_chk', '__fprintf_chk', '__memcpy_chk'}

# Instructions of which one begins each function that may be the target of an indirect call.
LANDINGS = {'X86-64': (b'\xf3\x0f\x1e\xfa',), 'AArch64': (b'\x5f\x24\x03\xd5', b'\x3f\x23\x03\xd5')}
BRANCHES = {'X86-64': '-fcf-protection=full', 'AArch64': '-mbranch-protection=standard'}

CODE_SECTIONS = {'.init', '.plt', '.plt.got', '.plt.sec', '.text', '.fini'}


def readelf(*options):
    return subprocess.run(['readelf', '-W', *options, command.connhook], check=True, capture_output=True, text=True,
                          env=dict(os.environ, LC_ALL='C')).stdout


class HardeningTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.layout = readelf('-h', '-l')
        cls.dynamic = readelf('-d')
        cls.symbols = [line.split() for line in readelf('-s').splitlines() if re.match(r' *\d+: ', line)]
        cls.imported = {s[7].partition('@')[0] for s in cls.symbols if len(s) > 7 and s[6] == 'UND'}
        cls.machine = re.search(r'Machine: .*?(X86-64|AArch64|$)', cls.layout).group(1)
        # Name, flags and section names of each segment.
        names = [line.split()[1:] for line in cls.layout.partition('Segment Sections...')[2].splitlines() if line]
        rows = re.findall(r'^  ([A-Z_]+) +0x([0-9a-f]+) 0x([0-9a-f]+) 0x\S+ 0x([0-9a-f]+) 0x\S+ ([RWE ]{3}) ',
                          cls.layout, re.M)
        cls.segments = [(name, int(offset, 16), int(address, 16), int(size, 16), flags, inside)
                        for (name, offset, address, size, flags), inside in zip(rows, names)]

    def needs_flags(self):
        """Sanitizers and coverage have flags of their own, and make asan leaves ours out."""
        for symbol in self.symbols:
            if len(symbol) > 7 and re.match(r'__(asan|ubsan|tsan|msan|gcov)_', symbol[7]):
                self.skipTest('a build for tests: it has %s' % symbol[7])

    def flags(self, name):
        found = [flags for kind, _, _, _, flags, _ in self.segments if kind == name]
        self.assertEqual(len(found), 1, name)
        return found[0]

    def test_position_independent(self):
        self.assertRegex(self.layout, r'Type: +DYN ')
        self.assertRegex(self.dynamic, r'\(FLAGS_1\).*\bPIE\b')

    def test_relocations_are_read_only_before_main(self):
        self.needs_flags()
        self.assertEqual(self.flags('GNU_RELRO'), 'R  ')
        self.assertRegex(self.dynamic, r'\(FLAGS\).*\bBIND_NOW\b')
        self.assertRegex(self.dynamic, r'\(FLAGS_1\).*\bNOW\b')

    def test_code_is_never_relocated(self):
        self.assertNotIn('TEXTREL', self.dynamic)

    def test_nothing_is_writable_and_executable(self):
        self.assertEqual(self.flags('GNU_STACK'), 'RW ')
        self.assertGreater(len(self.segments), 4)
        for segment in self.segments:
            self.assertFalse('W' in segment[4] and 'E' in segment[4], segment)

    def test_only_code_is_executable(self):
        executable = [inside for kind, _, _, _, flags, inside in self.segments if kind == 'LOAD' and 'E' in flags]
        self.assertEqual(len(executable), 1)
        self.assertIn('.text', executable[0])
        self.assertLessEqual(set(executable[0]), CODE_SECTIONS)

    def test_libraries(self):
        """Exactly those that are wanted, from the system's own directories."""
        self.assertNotRegex(self.dynamic, r'\((RPATH|RUNPATH)\)')
        self.needs_flags()
        needed = [name for name in re.findall(r'\(NEEDED\).*\[(.*)\.so[.\d]*\]', self.dynamic)
                  if not re.fullmatch(LOADER, name)]
        self.assertEqual(sorted(needed), sorted(LIBRARIES))

    def test_stack_protector_and_fortified_functions(self):
        self.needs_flags()
        self.assertIn('__stack_chk_fail', self.imported)
        self.assertEqual(FORTIFIED - self.imported, set())

    def test_functions_begin_with_a_landing(self):
        """Indirect branch tracking. The note that turns it on also needs a C library that was built with it."""
        self.needs_flags()
        if self.machine not in LANDINGS:
            self.skipTest('no such thing on this machine')
        with open(command.connhook, 'rb') as f:
            program = f.read()
        functions = [(s[7], int(s[1], 16)) for s in self.symbols
                     if s[3:5] == ['FUNC', 'GLOBAL'] and s[6] != 'UND' and not s[7].startswith('_')]
        self.assertGreater(len(functions), 100)
        for name, address in functions:
            offset = next(o + address - a for kind, o, a, size, flags, _ in self.segments
                          if kind == 'LOAD' and 'E' in flags and a <= address < a + size)
            self.assertIn(program[offset:offset + 4], LANDINGS[self.machine], name)

    def test_every_file_was_compiled_so(self):
        """What leaves no mark of its own in a program, from the flags that gcc writes beside the debug information."""
        self.needs_flags()
        compilers = re.findall(r'DW_AT_producer.*: (\S.*)$', readelf('--debug-dump=info', '--dwarf-depth=1'), re.M)
        if not any('GNU C' in c for c in compilers):
            self.skipTest('clang does not write its flags down')
        self.assertGreater(len(compilers), 80)
        for flags in set(compilers):
            for flag in ('-fPIE', '-fstack-protector-strong', '-fstack-clash-protection',
                         BRANCHES.get(self.machine, '')):
                self.assertIn(flag, flags)


if __name__ == '__main__':
    command.main()
