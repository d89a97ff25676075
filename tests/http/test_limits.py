#!/usr/bin/python3
"""
Too late, and too busy: an answer that names the limit comes before the API server gives up, and readiness says when
no thread is left to give one.

    tests/http/test_limits.py PATH_TO_CONNHOOK
"""
import ctypes
import glob
import json
import os
import time
import unittest

import harness
from harness import BODY, DEPLOYMENT, Server, head, read_response, review

# /usr/include/linux/ptrace.h
PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17
WALL = 0x40000000   # __WALL of waitpid(2)


class Deadline(harness.TestCase):
    def late(self, path):
        """A request whose end comes later than its answer was wanted."""
        with self.server.tls() as s:
            s.sendall(head(path + '?timeout=200ms', len(BODY)) + BODY[:-1])
            time.sleep(0.3)
            s.sendall(BODY[-1:])
            status, _, body = read_response(s)
        self.assertEqual(status, 200, body)
        return json.loads(body)['response']

    def test_validate_denies(self):
        answer = self.late('/validate')
        self.assertFalse(answer['allowed'])
        self.assertEqual((answer['status']['code'], answer['uid']), (503, 'u-1'))
        self.assertIn('could not decide within the time that the API server waits', answer['status']['message'])

    def test_mutate_allows_and_warns(self):
        answer = self.late('/mutate')
        self.assertTrue(answer['allowed'])
        self.assertNotIn('patch', answer)
        self.assertIn('could not decide within the time that the API server waits', answer['warnings'][0])

    def test_it_is_counted(self):
        before = self.server.metric('connhook_limit_reached_total{limit="time"}')
        self.late('/mutate')
        self.late('/validate')
        self.assertEqual(self.server.metric('connhook_limit_reached_total{limit="time"}'), before + 2)

    def test_in_time_nothing_is_said(self):
        self.assertNotIn('warnings', self.assertReviewed(self.server.post('/mutate?timeout=10s')))


class Thread:
    """One thread of a process, stopped while the others run."""
    def __init__(self, tid):
        self.tid = tid
        self.libc = ctypes.CDLL(None, use_errno=True)

    def ptrace(self, request):
        if self.libc.ptrace(ctypes.c_long(request), ctypes.c_long(self.tid), None, None) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    def stop(self):
        self.ptrace(PTRACE_SEIZE)
        self.ptrace(PTRACE_INTERRUPT)
        for _ in range(harness.WAIT * 100):
            if os.waitpid(self.tid, WALL | os.WNOHANG)[0] == self.tid:
                return
            time.sleep(0.01)
        raise AssertionError('thread %d does not stop' % self.tid)

    def go_on(self):
        self.ptrace(PTRACE_DETACH)


def large():
    """A body that takes a while."""
    obj = json.loads(json.dumps(DEPLOYMENT))
    obj['spec']['template']['spec']['containers'] = [{'name': 'c%d' % i, 'image': 'x'} for i in range(30000)]
    return json.dumps(review(obj)).encode()


class Busy(unittest.TestCase):
    def cpu(self, tid):
        """Clock ticks of a thread (proc(5))."""
        with open('/proc/%d/task/%d/stat' % (self.server.process.pid, tid), encoding='utf-8') as f:
            return sum(int(x) for x in f.read().rpartition(')')[2].split()[11:13])

    def worker(self, body):
        """The thread that answers requests: the one that has worked most."""
        self.server.post('/mutate?timeout=30s', body=body)
        tasks = glob.glob('/proc/%d/task/*' % self.server.process.pid)
        return Thread(max((int(os.path.basename(task)) for task in tasks), key=self.cpu))

    def stopped_at_work(self, worker, connection, body):
        for _ in range(50):
            connection.sendall(head('/mutate?timeout=30s', len(body)) + body)
            worker.stop()
            if self.server.metric('connhook_workers_busy') == 1:
                return
            worker.go_on()
            read_response(connection)
        self.fail('the thread was never seen at work')

    def wait_ready(self, status):
        for _ in range(harness.WAIT * 20):
            if self.server.get('/readyz')[0] == status:
                return
            time.sleep(0.05)
        self.fail('/readyz is not %d' % status)

    def test_readiness(self):
        body = large()
        with Server('--threads', '1', '--request-timeout', '60') as self.server, self.server.tls() as connection:
            worker = self.worker(body)
            self.assertEqual(self.server.get('/readyz')[0], 200)
            self.stopped_at_work(worker, connection, body)
            try:
                self.wait_ready(503)
                answer = self.server.get('/readyz?verbose')[2].decode()
                self.assertIn('[-]workers failed (all threads have been at work on requests for too long)', answer)
                self.assertEqual(self.server.get('/healthz')[0], 200)
            finally:
                worker.go_on()
            self.assertEqual(read_response(connection)[0], 200)
            self.wait_ready(200)


if __name__ == '__main__':
    harness.main()
