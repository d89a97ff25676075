#!/usr/bin/python3
"""Start, log and end: wrong options, what the log says and does not say, signals with requests under way."""
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import unittest

import harness
from harness import BODY, WAIT, Server, head, read_response, review


def run(*arguments):
    """`connhook serve` that must not get as far as serving."""
    return subprocess.run([harness.BINARY, 'serve', *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=WAIT)


class WrongUse(unittest.TestCase):
    def assertUsage(self, words, *arguments):
        done = run(*arguments)
        self.assertEqual(done.returncode, 2, done)
        self.assertEqual(done.stdout, '')
        self.assertRegex(done.stderr, r'\Aconnhook: [^\n]+\n\Z')
        self.assertIn(words, done.stderr)

    def test_help(self):
        done = run('--help')
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        for option in ('--config', '--tls-cert', '--tls-key', '--self-signed', '--client-ca',
                       '--client-name', '--tls-priorities', '--listen', '--admin-listen', '--threads',
                       '--request-timeout', '--drain-delay', '--log-format', '--log-level', '--help'):
            self.assertIn(option, done.stdout)
        self.assertLessEqual(max(map(len, done.stdout.split('\n'))), 100)

    def test_options(self):
        for words, arguments in (
                ('a certificate is missing', ()),
                ('--tls-key', ('--tls-cert', 'x')),
                ('--tls-cert', ('--tls-key', 'x')),
                ('leave out', ('--self-signed', 'x', '--tls-cert', 'y')),
                ('needs a value', ('--listen',)),
                ('--bogus', ('--bogus',)),
                ('extra', ('--self-signed', 'x', 'extra')),
                ('--threads', ('--threads', '0')),
                ('--threads', ('--threads', '17')),
                ('--threads', ('--threads', '2x')),
                ('--threads', ('--threads', '-1')),
                ('--request-timeout', ('--request-timeout', '61')),
                ('--request-timeout', ('--request-timeout', '')),
                ('from 0 to 300', ('--drain-delay', '301')),
                ('text or json', ('--log-format', 'xml')),
                ('debug, info', ('--log-level', 'loud')),
                ('ADDR:PORT', ('--listen', '8443')),
                ('ADDR:PORT', ('--listen', '0.0.0.0:')),
                ('ADDR:PORT', ('--listen', '0.0.0.0:65536')),
                ('ADDR:PORT', ('--listen', '0.0.0.0:-1')),
                ('IP address', ('--listen', 'localhost:8443')),
                ('IP address', ('--admin-listen', '::1:8080')),
                ('IP address', ('--admin-listen', '[::1:8080')),
                ('IP address', ('--admin-listen', '1.2.3.4.5:8080'))):
            with self.subTest(arguments):
                self.assertUsage(words, *arguments)

    def test_files(self):
        with tempfile.TemporaryDirectory() as directory:
            bad = os.path.join(directory, 'bad')
            with open(bad, 'w', encoding='ascii') as f:
                f.write('kind: nonsense\n')
            missing = os.path.join(directory, 'missing')
            pki = os.path.join(directory, 'pki')
            self.assertUsage(missing, '--tls-cert', missing, '--tls-key', missing)
            self.assertUsage(bad, '--tls-cert', bad, '--tls-key', bad)
            self.assertUsage(missing, '--self-signed', pki, '--config', missing)
            self.assertUsage(bad, '--self-signed', pki, '--config', bad)
            self.assertUsage('missing/pki', '--self-signed', os.path.join(missing, 'pki'))

    def test_a_port_in_use(self):
        with socket.create_server(('127.0.0.1', 0)) as taken, tempfile.TemporaryDirectory() as directory:
            address = '127.0.0.1:%d' % taken.getsockname()[1]
            for option, other in (('--listen', '--admin-listen'), ('--admin-listen', '--listen')):
                done = run('--self-signed', directory, option, address, other, '127.0.0.1:0')
                self.assertEqual(done.returncode, 2)
                last = done.stderr.split('\n')[-2]
                self.assertRegex(last, r'^connhook: .*%s.*in use' % re.escape(address))


class Starts(unittest.TestCase):
    def test_certificates_are_made_once(self):
        with tempfile.TemporaryDirectory() as directory:
            cas = []
            for _ in range(2):
                with Server('--self-signed', directory) as server:
                    server.ca = os.path.join(directory, 'ca.crt')
                    self.assertEqual(server.post()[0], 200)
                    with open(server.ca, encoding='ascii') as f:
                        cas.append(f.read())
            self.assertEqual(cas[0], cas[1])
            # The same pair, by its files.
            process = subprocess.Popen(
                [harness.BINARY, 'serve', '--tls-cert', directory + '/tls.crt', '--tls-key', directory + '/tls.key',
                 '--listen', '127.0.0.1:0', '--admin-listen', '127.0.0.1:0'], stderr=subprocess.PIPE, text=True)
            line = next(line for line in process.stderr if 'msg=listening' in line)
            port = int(re.search(r'tls=127\.0\.0\.1:(\d+)', line).group(1))
            context = ssl.create_default_context(cafile=directory + '/ca.crt')
            with socket.create_connection(('127.0.0.1', port), WAIT) as raw:
                with context.wrap_socket(raw, server_hostname='localhost') as s:
                    s.sendall(head('/mutate', len(BODY)) + BODY)
                    self.assertEqual(read_response(s)[0], 200)
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(WAIT), 0)
            process.stderr.close()

    def test_ipv6_takes_ipv4_as_well(self):
        if not os.path.exists('/proc/net/if_inet6'):
            self.skipTest('this kernel has no IPv6')
        with tempfile.TemporaryDirectory() as directory:
            process = subprocess.Popen([harness.BINARY, 'serve', '--self-signed', directory, '--listen', '127.0.0.1:0',
                                        '--admin-listen', '[::]:0', '--drain-delay', '0'],
                                       stderr=subprocess.PIPE, text=True)
            line = next(line for line in process.stderr if 'msg=listening' in line)
            port = int(re.search(r'admin=\[::\]:(\d+)', line).group(1))
            for host in ('127.0.0.1', '::1'):
                with socket.create_connection((host, port), WAIT) as s:
                    s.sendall(b'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
                    self.assertEqual(read_response(s)[0], 200)
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(WAIT), 0)
            process.stderr.close()


class Log(unittest.TestCase):
    def test_text(self):
        with Server() as server:
            server.post('/mutate', json.dumps(review(uid='u-log')).encode())
            line = server.wait_log('uid=u-log')
            self.assertRegex(line, r'^time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z level=info msg=admission ')
            for field in ('webhook=mutate', 'operation=CREATE', 'group=apps', 'kind=Deployment', 'namespace=tenant-a',
                          'name=identity-service', 'user=tenant', 'decision=patched', 'bindings=db', 'dry_run=false'):
                self.assertIn(' %s ' % field, line)
            self.assertRegex(line, r' duration=\d+\.\d{6}$')

    def test_json(self):
        with Server('--log-format', 'json') as server:
            server.post('/validate', json.dumps(review(harness.DATABASE, uid='u-json')).encode())
            entry = json.loads(server.wait_log('u-json'))
            self.assertEqual((entry['level'], entry['msg'], entry['webhook'], entry['decision'], entry['kind']),
                             ('info', 'admission', 'validate', 'denied', 'PostgresInstance'))
            self.assertEqual(entry['rules'], 'no-in-cluster-database')
            self.assertIs(entry['dry_run'], False)
            self.assertIsInstance(entry['duration'], float)
        for line in server.log().split('\n'):
            json.loads(line)

    def test_nothing_done_is_for_debug(self):
        deleted = review(uid='u-skip', operation='DELETE', oldObject=harness.DEPLOYMENT, object=None)
        skipped = json.dumps(deleted).encode()
        for level, shown in (('info', False), ('debug', True)):
            with Server('--log-level', level) as server:
                server.post(body=skipped)
                server.post(body=json.dumps(review(uid='u-after')).encode())
                server.wait_log('uid=u-after')
            self.assertEqual('u-skip' in server.log(), shown)
            self.assertEqual('decision=skipped reason=' in server.log(), shown)

    def test_what_users_write_cannot_break_a_line(self):
        evil = 'x"\n{"level":"error"} \\ \u00fc\x01 ' + 'y' * 5000
        obj = json.loads(json.dumps(harness.DEPLOYMENT))
        obj['metadata']['name'] = evil
        body = json.dumps(review(obj, uid=evil, userInfo={'username': evil})).encode()
        for form in ('text', 'json'):
            with Server('--log-format', form) as server:
                server.post(body=body)
                server.post(body=json.dumps(review(uid='u-after')).encode())
                server.wait_log('u-after')
            lines = [line for line in server.log().split('\n') if 'yyyy' in line]
            for line in lines:
                self.assertLess(len(line), 4096)
                self.assertRegex(line, r'^time=' if form == 'text' else r'^\{"time"')
                if form == 'json':
                    self.assertTrue(json.loads(line)['uid'].startswith('x"\n{"level":"error"} \\ \u00fc\x01 y'))
            self.assertNotRegex(server.log(), r'(?m)^\{"level"')

    def test_no_content(self):
        obj = json.loads(json.dumps(harness.DEPLOYMENT))
        obj['spec']['template']['spec']['containers'][0]['env'] = [{'name': 'DB_PASSWORD', 'value': 'hunter2'}]
        with Server('--log-level', 'debug') as server:
            for path in ('/mutate', '/validate'):
                server.post(path, json.dumps(review(obj, uid='u-secret')).encode())
            server.post('/mutate', b'{"hunter2": ')
            server.wait_log('request refused')
            server.wait_log('webhook=validate uid=u-secret')
        self.assertNotIn('hunter2', server.log())
        self.assertNotIn('DB_PASSWORD', server.log())

    def test_a_flood_of_bad_requests_is_held_back(self):
        with Server('--threads', '1') as server:
            client = server.client()
            for _ in range(300):
                harness.exchange(client, 'POST', '/mutate', b'{', {'Content-Type': 'application/json'})
            client.close()
        refused = [line for line in server.log().split('\n') if 'request refused' in line]
        self.assertGreater(len(refused), 0)
        self.assertLess(len(refused), 100)


class End(unittest.TestCase):
    def test_signals(self):
        for number, name in ((signal.SIGTERM, 'SIGTERM'), (signal.SIGINT, 'SIGINT')):
            with self.subTest(name):
                server = Server()
                began = time.monotonic()
                server.stop(number)
                self.assertLess(time.monotonic() - began, 3)
                self.assertIn('msg="shutting down" signal=' + name, server.log())

    def test_idle_connections_do_not_hold_it(self):
        with Server() as server:
            client = server.client()
            harness.exchange(client, 'POST', '/mutate', BODY, {'Content-Type': 'application/json'})
            began = time.monotonic()
            server.send()
            self.assertEqual(client.sock.recv(1), b'')
            server.process.wait(WAIT)
            self.assertLess(time.monotonic() - began, 3)
            client.close()

    def test_a_request_under_way_is_answered(self):
        with Server() as server:
            with server.tls() as s, server.admin() as probe:
                s.sendall(head('/mutate', len(BODY)) + BODY[:50])
                probe.sendall(b'GET /hea')
                server.wait_metric('connhook_connections', 1)
                server.send()
                server.wait_log('shutting down')
                while server.get('/readyz?verbose')[0] != 503:
                    pass
                self.assertIn('[-]shutdown failed', server.get('/readyz')[2].decode())
                self.assertEqual(server.get('/healthz')[0], 200)
                for _ in range(WAIT * 50):
                    try:
                        server.connect().close()
                    except ConnectionRefusedError:
                        break
                else:
                    self.fail('it still accepts connections')
                self.assertIsNone(server.process.poll())
                s.sendall(BODY[50:])
                status, headers, body = read_response(s)
                self.assertEqual((status, headers['Connection']), (200, 'close'))
                self.assertTrue(json.loads(body)['response']['allowed'])
                self.assertEqual(s.recv(1), b'')
                # The admin listener is the last to go, and lets its own requests finish.
                probe.sendall(b'lthz HTTP/1.1\r\nHost: x\r\n\r\n')
                self.assertEqual(read_response(probe)[0], 200)

    def test_a_new_connection_gets_its_first_request_through(self):
        with Server() as server:
            with server.tls() as s:
                server.send()
                server.wait_log('shutting down')
                s.sendall(head('/mutate', len(BODY)) + BODY)
                self.assertEqual(read_response(s)[0], 200)

    def test_a_request_that_does_not_come_to_its_end(self):
        with Server('--request-timeout', '60') as server:
            with server.tls() as s:
                s.sendall(head('/mutate', len(BODY)) + BODY[:50])
                server.wait_metric('connhook_connections', 1)
                server.send()
                began = time.monotonic()
                status, headers, body = read_response(s)
                self.assertLess(time.monotonic() - began, 8)
                self.assertEqual((status, headers['Connection'], headers['Retry-After']), (503, 'close', '1'))
                self.assertEqual(json.loads(body)['reason'], 'ServiceUnavailable')


if __name__ == '__main__':
    harness.main()
