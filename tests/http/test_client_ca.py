#!/usr/bin/python3
"""--client-ca and --client-name: which clients are let in, and what the others hear."""
import contextlib
import os
import re
import shutil
import signal
import ssl
import subprocess
import tempfile
import time
import unittest

import harness
from harness import BODY, WAIT, Server, head, read_response
from harness.authority import DAY, Authority, join

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix='connhook-clients-')
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.ca = Authority(cls.folder, 'ca')
        cls.good = cls.ca.issue('apiserver')

    def ask(self, server, client=None, version=None, body=BODY):
        """What one connection with a request comes to: 'ok', or what the client was told."""
        try:
            with server.tls(server.context(version, version, client=client)) as s:
                s.sendall(head('/mutate', len(body)) + body)
                answer = read_response(s)
                return 'ok' if answer is not None and answer[0] == 200 else 'no answer'
        except ssl.SSLError as error:
            return error.reason
        except OSError as error:
            return repr(error)

    def serial(self, server):
        with server.tls(server.context(client=self.good)) as s:
            return s.getpeercert()['serialNumber']

    def refusal(self, server, client, version):
        """What the client was told, and the line about it in the log: when the valve has held it back, of the next try.
        Others are served meanwhile."""
        deadline = time.monotonic() + WAIT
        while time.monotonic() < deadline:
            before = len(server.lines)
            told = self.ask(server, client, version)
            self.assertEqual(self.ask(server, self.good), 'ok')
            server.wait_log('msg=admission', before)
            line = next((line for line in server.lines[before:] if 'client refused' in line), None)
            if line is not None:
                return told, line
        raise AssertionError('no refusal in the log:\n' + server.log())

    def assertRefused(self, server, client, alert, words):
        """With both versions, with that alert, and a log line that holds the words."""
        for version in VERSIONS:
            told, line = self.refusal(server, client, version)
            self.assertRegex(told, alert)
            self.assertRegex(line, r'level=warn msg="client refused" client=127\.0\.0\.1:\d+ reason=".*%s' % words)


class Admission(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = Server('--client-ca', cls.ca.certificate)
        cls.addClassCleanup(cls.server.stop)

    def assertLetIn(self, client):
        for version in VERSIONS:
            self.assertEqual(self.ask(self.server, client, version), 'ok')

    def test_a_good_one(self):
        self.assertLetIn(self.good)

    def test_one_for_any_purpose(self):
        self.assertLetIn(self.ca.issue('no-usage', usage=None))
        self.assertLetIn(self.ca.issue('both-usages', usage='serverAuth,clientAuth'))
        self.assertLetIn(self.ca.issue('any-usage', usage='anyExtendedKeyUsage'))

    def test_one_below_an_intermediate_ca(self):
        middle = Authority(self.folder, 'middle', self.ca)
        self.assertLetIn(middle.issue('below', chain=[middle]))
        self.assertRefused(self.server, middle.issue('below-alone'), 'UNKNOWN_CA', 'unknown CA: .*CN=below-alone')

    def test_none(self):
        self.assertRefused(self.server, None, 'CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE', 'it shows no certificate')

    def test_the_alert_reaches_who_is_sending(self):
        """Not a reset, or a broken pipe: a client that has sent its request at once hears why."""
        body = harness.review_of_size(2 * 1024 * 1024)
        for version, alert in zip(VERSIONS, ('SSLV3_ALERT_HANDSHAKE_FAILURE', 'TLSV13_ALERT_CERTIFICATE_REQUIRED')):
            for each in [BODY] * 20 + [body] * 5:
                self.assertEqual(self.ask(self.server, None, version, each), alert)
        self.server.wait_metric('connhook_connections', 0)
        self.assertNotIn('libmicrohttpd', self.server.log())

    def test_a_refused_client_that_stays_is_cut_off(self):
        for version in VERSIONS:
            with self.server.connect() as raw:
                context = self.server.context(version, version)
                # It reads its alert and sends no more, or sends without end.
                with contextlib.suppress(ssl.SSLError), \
                        context.wrap_socket(raw.dup(), server_hostname='localhost') as s:
                    s.recv(1)
                self.server.wait_metric('connhook_connections', 0)
            with self.server.connect() as raw, contextlib.suppress(ssl.SSLError, ConnectionError):
                with context.wrap_socket(raw.dup(), server_hostname='localhost') as s:
                    while True:
                        s.sendall(BODY)
            self.server.wait_metric('connhook_connections', 0)
        self.assertNotIn('libmicrohttpd', self.server.log())

    def test_refused_clients_that_stay_take_no_cpu(self):
        """The waiting itself is what is tested."""
        with contextlib.ExitStack() as stack:
            for _ in range(10):
                stack.enter_context(self.server.tls(self.server.context()))
            before = self.server.metric('process_cpu_seconds_total')
            self.assertGreater(self.server.metric('connhook_connections'), 0)
            time.sleep(1)
            # Turning round and round takes 1.
            self.assertLess(self.server.metric('process_cpu_seconds_total') - before, 0.5)
        self.server.wait_metric('connhook_connections', 0)

    def test_another_ca(self):
        other = Authority(self.folder, 'other')
        self.assertRefused(self.server, other.issue('stranger'), 'UNKNOWN_CA', 'unknown CA: .*CN=stranger')

    def test_a_ca_of_the_same_name(self):
        folder = os.path.join(self.folder, 'same')
        os.mkdir(folder)
        forged = Authority(folder, 'ca').issue('forged')
        self.assertRefused(self.server, forged, 'UNKNOWN_CA', 'unknown CA: .*CN=forged')

    def test_self_signed(self):
        alone = join_key(Authority(self.folder, 'alone'))
        self.assertRefused(self.server, alone, 'UNKNOWN_CA', 'unknown CA: .*CN=alone')

    def test_a_leaf_that_signs(self):
        """A client must not become a CA of its own."""
        leaf = Authority.__new__(Authority)
        leaf.folder, leaf.name = self.folder, 'apiserver'
        leaf.certificate, leaf.key = (os.path.join(self.folder, 'apiserver' + end) for end in ('.crt', '.key'))
        self.assertRefused(self.server, leaf.issue('below-leaf', chain=[leaf]), 'UNKNOWN_CA', 'unknown CA: ')

    def test_expired(self):
        client = self.ca.issue('late', start=-2 * DAY, end=-DAY)
        self.assertRefused(self.server, client, 'CERTIFICATE_EXPIRED', r'CN=late\\" expired \d{4}-')

    def test_not_yet_valid(self):
        client = self.ca.issue('early', start=DAY, end=2 * DAY)
        self.assertRefused(self.server, client, 'CERTIFICATE_EXPIRED', r'CN=early\\" is not valid before \d{4}-.*clock')

    def test_an_expired_ca(self):
        middle = Authority(self.folder, 'old-middle', self.ca, start=-2 * DAY, end=-DAY)
        client = middle.issue('below-old', chain=[middle])
        self.assertRefused(self.server, client, 'CERTIFICATE_EXPIRED', r'a CA of the certificate of \\"CN=below-old')

    def test_for_servers(self):
        client = self.ca.issue('server', usage='serverAuth')
        self.assertRefused(self.server, client, 'UNSUPPORTED_CERTIFICATE', 'wrong purpose: .*CN=server')

    def test_the_admin_port_asks_nobody(self):
        self.assertEqual(self.server.get('/healthz')[0], 200)
        self.assertEqual(self.server.get('/readyz')[0], 200)

    def test_many_requests_and_large_ones(self):
        client = harness.http.client.HTTPSConnection('localhost', self.server.port, timeout=WAIT,
                                                     context=self.server.context(client=self.good))
        for body in (BODY, harness.review_of_size(3 * 1024 * 1024)) * 20:
            self.assertEqual(harness.exchange(client, 'POST', '/mutate', body,
                                              {'Content-Type': 'application/json'})[0], 200)
        client.close()


def join_key(authority):
    """Certificate and key in one file."""
    path = os.path.join(authority.folder, authority.name + '.pem')
    with open(path, 'w', encoding='ascii') as out:
        for part in (authority.certificate, authority.key):
            with open(part, encoding='ascii') as f:
                out.write(f.read())
    return path


class Idle(Case):
    def test_a_client_that_shows_one_may_wait(self):
        """The deadline begins with a request's first byte; what the handshake takes is no part of it."""
        with Server('--client-ca', self.ca.certificate, '--request-timeout', '1') as server:
            clients = [server.tls(server.context(v, v, client=self.good)) for v in VERSIONS]
            ends = time.monotonic() + 2.5
            for s in clients:
                s.settimeout(max(ends - time.monotonic(), 0.01))
                with self.assertRaises(TimeoutError, msg='the server closed an idle connection'):
                    s.recv(1)
                s.settimeout(WAIT)
            for s in clients:
                s.sendall(head('/mutate', len(BODY)) + BODY)
                self.assertEqual(read_response(s)[0], 200)
                s.close()


class Flood(Case):
    def test_refusals_are_held_back_in_the_log(self):
        with Server('--client-ca', self.ca.certificate, '--threads', '1') as server:
            for _ in range(100):
                self.assertNotEqual(self.ask(server), 'ok')
            self.assertEqual(self.ask(server, self.good), 'ok')
            server.wait_metric('connhook_connections', 0)
        refused = [line for line in server.log().split('\n') if 'client refused' in line]
        self.assertGreater(len(refused), 0)
        self.assertLess(len(refused), 60)


class Names(Case):
    def test_names(self):
        names = ('kube-apiserver', 'api.example.com')
        with Server('--client-ca', self.ca.certificate, *(x for n in names for x in ('--client-name', n))) as server:
            self.good = self.ca.issue('by-name', 'kube-apiserver')
            for client in (self.good,
                           self.ca.issue('by-dns', 'x', ['DNS:a.example.com', 'IP:10.0.0.1', 'DNS:api.example.com']),
                           self.ca.issue('by-dns-alone', '', ['DNS:kube-apiserver'])):
                for version in VERSIONS:
                    self.assertEqual(self.ask(server, client, version), 'ok')
            for name, client in (
                    ('other', self.ca.issue('other')),
                    ('kube-apiserver2', self.ca.issue('longer', 'kube-apiserver2')),
                    ('kube-apiserve', self.ca.issue('shorter', 'kube-apiserve')),
                    ('Kube-Apiserver', self.ca.issue('case', 'Kube-Apiserver')),
                    (r'\*', self.ca.issue('star', '*')),
                    ('x', self.ca.issue('mail', 'x', ['email:kube-apiserver', 'URI:kube-apiserver'])),
                    ('', self.ca.issue('nameless', '')),
                    ('', self.ca.issue('long-dns', '', ['DNS:' + '.'.join(['a' * 60] * 5)])),
                    ('x', self.ca.issue('wild', 'x', ['DNS:*.example.com']))):
                self.assertRefused(server, client, 'ACCESS_DENIED', r'the name \\"%s\\" is not allowed; --client-name '
                                   r'allows \\"kube-apiserver\\" and others' % name)

    def test_an_allowed_name_of_another_ca(self):
        other = Authority(self.folder, 'other-names')
        with Server('--client-ca', self.ca.certificate, '--client-name', 'apiserver') as server:
            self.assertRefused(server, other.issue('imposter', 'apiserver'), 'UNKNOWN_CA', 'unknown CA: ')


class Reload(Case):
    """The file of CAs is replaced while serving."""

    def setUp(self):
        self.other = Authority(self.folder, 'other')
        self.other_client = self.other.issue('other-client')
        self.file = os.path.join(self.folder, 'clients.crt')
        shutil.copy(self.ca.certificate, self.file)

    def replace(self, *authorities):
        join(self.file + '.new', *authorities)
        os.rename(self.file + '.new', self.file)

    def test_renamed_over(self):
        with Server('--client-ca', self.file) as server:
            self.assertEqual(self.ask(server, self.good), 'ok')
            self.assertRegex(self.ask(server, self.other_client), 'UNKNOWN_CA')
            with server.tls(server.context(client=self.good)) as kept:
                self.replace(self.ca, self.other)
                server.wait_log('msg=reload what=client-ca file=')
                self.assertEqual((self.ask(server, self.good), self.ask(server, self.other_client)), ('ok', 'ok'))
                before = len(server.lines)
                self.replace(self.other)
                server.wait_log('msg=reload what=client-ca file=', before)
                self.assertEqual(self.ask(server, self.other_client), 'ok')
                self.assertRegex(self.ask(server, self.good), 'UNKNOWN_CA')
                # Who is in stays in.
                kept.sendall(head('/mutate', len(BODY)) + BODY)
                self.assertEqual(read_response(kept)[0], 200)

    def test_kubelet_swap_and_hangup(self):
        folder = os.path.join(self.folder, 'mount')
        for name, authority in (('..1', self.ca), ('..2', self.other)):
            os.makedirs(os.path.join(folder, name))
            shutil.copy(authority.certificate, os.path.join(folder, name, 'ca.crt'))
        data = os.path.join(folder, '..data')
        os.symlink('..1', data)
        os.symlink('..data/ca.crt', os.path.join(folder, 'ca.crt'))
        with Server('--client-ca', os.path.join(folder, 'ca.crt')) as server:
            self.assertEqual(self.ask(server, self.good), 'ok')
            os.symlink('..2', data + '_tmp')
            os.rename(data + '_tmp', data)
            server.wait_log('msg=reload what=client-ca file=')
            self.assertEqual(self.ask(server, self.other_client), 'ok')
            before = len(server.lines)
            shutil.copy(self.ca.certificate, os.path.join(folder, '..2', 'ca.crt'))
            server.send(signal.SIGHUP)
            server.wait_log('msg=reload what=client-ca file=', before)
            self.assertEqual(self.ask(server, self.good), 'ok')

    def test_metric_of_the_first_to_end(self):
        name = 'connhook_client_ca_not_after_timestamp_seconds'
        short = Authority(self.folder, 'short', end=DAY)
        with Server('--client-ca', self.file) as server:
            self.assertGreater(server.metric(name), time.time() + 3000 * DAY)
            self.replace(self.ca, short)
            server.wait_log('msg=reload what=client-ca file=')
            self.assertAlmostEqual(server.metric(name), time.time() + DAY, delta=WAIT)
        with Server() as server:
            self.assertNotIn(name, server.get('/metrics')[2].decode())

    def test_a_bad_one_keeps_the_last_good_one(self):
        with Server('--client-ca', self.file) as server:
            certificate = self.serial(server)
            for text, words in (('', 'is empty'), ('nonsense\n', 'no PEM block'), (None, 'is not that of a CA')):
                before = len(server.lines)
                if text is None:
                    shutil.copy(os.path.join(self.folder, 'apiserver.crt'), self.file)
                else:
                    with open(self.file, 'w', encoding='ascii') as f:
                        f.write(text)
                server.wait_log('level=error msg=reload what=client-ca error=.*clients.crt.*' + words, before)
                server.wait_metric('connhook_config_last_reload_successful', 0)
                status, _, body = server.get('/readyz?verbose')
                self.assertEqual(status, 200)
                self.assertRegex(body.decode(), r'\[\+\]client-ca-reload ok \(the last good one is in use; .*clients')
                self.assertEqual(self.ask(server, self.good), 'ok')
                self.assertRegex(self.ask(server), 'CERTIFICATE_REQUIRED')
            # The certificate is renewed all the same, and the clients' CA stays the good one.
            server.renew()
            self.assertNotEqual(self.serial(server), certificate)
            self.assertRegex(self.ask(server), 'CERTIFICATE_REQUIRED')
            self.replace(self.other)
            server.wait_log('msg=reload what=client-ca file=')
            server.wait_metric('connhook_config_last_reload_successful', 1)
            self.assertEqual(self.ask(server, self.other_client), 'ok')
            self.assertNotIn('reload', server.get('/readyz?verbose')[2].decode())


class Guide(Case):
    def test_the_commands_of_the_guide(self):
        with open(os.path.join(ROOT, 'docs', 'certificates.md'), encoding='utf-8') as f:
            commands, = re.findall(r'```sh\n(openssl req -x509.*?)```', f.read(), re.S)
        folder = os.path.join(self.folder, 'guide')
        os.mkdir(folder)
        subprocess.run(['sh', '-ec', commands], cwd=folder, check=True, stdin=subprocess.DEVNULL, capture_output=True)
        both = os.path.join(folder, 'client.pem')
        with open(both, 'w', encoding='ascii') as out:
            for name in ('client.crt', 'client.key'):
                with open(os.path.join(folder, name), encoding='ascii') as f:
                    out.write(f.read())
        with Server('--client-ca', os.path.join(folder, 'client-ca.crt'), '--client-name', 'kube-apiserver') as server:
            for version in VERSIONS:
                self.assertEqual(self.ask(server, both, version), 'ok')
                self.assertNotEqual(self.ask(server, self.good, version), 'ok')


class WrongUse(Case):
    def assertUsage(self, words, *options):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([harness.BINARY, 'serve', '--self-signed', os.path.join(folder, 'pki'), *options],
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=WAIT)
            self.assertEqual((done.returncode, done.stdout), (2, ''), done)
            self.assertRegex(done.stderr.split('\n')[-2], r'\Aconnhook: .*%s' % words)

    def test_options(self):
        self.assertUsage('--client-name needs --client-ca', '--client-name', 'x')
        self.assertUsage('"" is not a name', '--client-ca', 'x', '--client-name', '')
        self.assertUsage('is not a name of 1 to 253', '--client-ca', 'x', '--client-name', 'x' * 254)
        self.assertUsage('more than 64 names', '--client-ca', 'x', *['--client-name', 'x'] * 65)

    def test_files(self):
        self.assertUsage('cannot open .*missing', '--client-ca', os.path.join(self.folder, 'missing'))
        self.assertUsage(r'apiserver.crt: certificate 1 \(CN=apiserver\) is not that of a CA', '--client-ca',
                         os.path.join(self.folder, 'apiserver.crt'))
        mixed = os.path.join(self.folder, 'mixed.crt')
        with open(mixed, 'w', encoding='ascii') as out:
            for name in ('ca.crt', 'apiserver.crt'):
                with open(os.path.join(self.folder, name), encoding='ascii') as f:
                    out.write(f.read())
        self.assertUsage(r'certificate 2 \(CN=apiserver\) is not that of a CA', '--client-ca', mixed)
        self.assertUsage('ca.key holds a private key', '--client-ca', self.ca.key)
        self.assertUsage('ca.pem holds a private key', '--client-ca', join_key(self.ca))


if __name__ == '__main__':
    harness.main()
