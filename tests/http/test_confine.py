#!/usr/bin/python3
"""A server that gave up what it does not need. All other tests of this folder run with one, too."""
import ctypes
import errno
import glob
import os
import re
import struct
import threading
import unittest

import harness
from harness import Server

PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, MODE_FILTER = 22, 38, 2
CALL_PRCTL = {'x86_64': 157, 'aarch64': 167}


def refuse_filters():
    """From now on the kernel knows no filters: for the calling thread, and for what it starts."""
    load, is_equal, answer = 0x20, 0x15, 0x06
    steps = [(load, 0, 0, 0), (is_equal, 0, 3, CALL_PRCTL[os.uname().machine]),  # the call
             (load, 0, 0, 16), (is_equal, 0, 1, PR_SET_SECCOMP),                 # its first argument
             (answer, 0, 0, 0x50000 | errno.EINVAL), (answer, 0, 0, 0x7fff0000)]
    code = ctypes.create_string_buffer(b''.join(struct.pack('HBBI', *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack('HP', len(steps), ctypes.addressof(code)))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 or prctl(PR_SET_SECCOMP, MODE_FILTER, program) != 0:
        raise OSError(ctypes.get_errno(), 'prctl')


def read(path):
    with open(path, encoding='ascii') as f:
        return f.read()


class Confined(harness.TestCase):
    options = ('--threads', '2')

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if 'this build is one for tests' in cls.server.log():
            cls.server.stop()
            raise unittest.SkipTest('a sanitizer needs what is given up')

    def test_log_says_so(self):
        self.assertIn(' confined=true ', self.server.wait_log('msg=listening'))
        self.assertNotIn('not confined', self.server.log())

    def test_every_thread(self):
        self.assertServes()
        tasks = glob.glob('/proc/%d/task/*/status' % self.server.process.pid)
        self.assertEqual(len(tasks), 1 + 2 + 1)  # the one that steers, two that answer, the admin listener's
        for task in tasks:
            status = dict(line.split(':\t', 1) for line in read(task).splitlines() if ':\t' in line)
            self.assertEqual((status['NoNewPrivs'], status['Seccomp']), ('1', '2'), status['Name'])

    def test_no_core_file(self):
        limits = read('/proc/%d/limits' % self.server.process.pid)
        self.assertTrue(re.search(r'^Max core file size +0 +0 ', limits, re.M), limits)


class Unconfined(harness.TestCase):
    """A kernel, or a container's runtime, that allows no filter is no reason not to serve."""

    @classmethod
    def setUpClass(cls):
        def start():
            refuse_filters()
            cls.server = Server()
        thread = threading.Thread(target=start)
        thread.start()
        thread.join()

    def test_serves_and_says_so(self):
        self.assertServes()
        self.assertIn(' confined=false ', self.server.wait_log('msg=listening'))
        self.assertRegex(self.server.wait_log('msg="not confined"'),
                         r'level=warn msg="not confined" error="[^"]*(filter for system calls|one for tests)')


if __name__ == '__main__':
    harness.main()
