#!/usr/bin/python3
"""
connhook certs, judged by the openssl command line.

    tests/cli/certs.py PATH_TO_CONNHOOK
"""
import os
import re
import shutil
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import threading
import unittest

CONNHOOK = ''

DEFAULT_DNS = ['localhost', 'connhook', 'connhook.connhook.svc', 'connhook.connhook.svc.cluster.local']
DEFAULT_IPS = ['127.0.0.1', '::1']
FILES = ['ca.crt', 'ca.key', 'tls.crt', 'tls.key']
TIMEOUT_SECONDS = 60

SECTIONS = """
[ca]
default_ca = this
[this]
database = index.txt
new_certs_dir = .
default_md = sha256
policy = any
rand_serial = yes
[any]
commonName = supplied
[v3_ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
subjectKeyIdentifier = hash
[leaf]
subjectAltName = DNS:leaf.example,email:a@leaf.example
[strange]
subjectAltName = @strange_names
[strange_names]
DNS.1 = "good.example"
DNS.2 = "bad name"
[client]
extendedKeyUsage = clientAuth
"""


class CertsTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='certs-')
        self.addCleanup(shutil.rmtree, self.folder)

    # ---- running programs, in the test's folder ----

    def connhook(self, *arguments, code=0, text=None):
        """Runs `connhook certs`; gives what it printed. A failure is one line on standard error."""
        done = subprocess.run([CONNHOOK, 'certs', *arguments], cwd=self.folder, capture_output=True, text=True,
                              input=text, timeout=TIMEOUT_SECONDS, check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        if code == 2:
            self.assertEqual(done.stdout, '')
            self.assertRegex(done.stderr, r'\Aconnhook: [^\n]+\n\Z')
            return done.stderr
        self.assertEqual(done.stderr, '')
        return done.stdout

    def openssl(self, *arguments, ok=True):
        done = subprocess.run(['openssl', *arguments], cwd=self.folder, capture_output=True, text=True,
                              timeout=TIMEOUT_SECONDS, check=False)
        if ok:
            self.assertEqual(done.returncode, 0, '%s\n%s%s' % (arguments, done.stdout, done.stderr))
        return done

    # ---- files ----

    def path(self, name):
        return os.path.join(self.folder, name)

    def read(self, name):
        with open(self.path(name), encoding='utf-8') as f:
            return f.read()

    def write(self, name, text):
        with open(self.path(name), 'w', encoding='utf-8') as f:
            f.write(text)
        return name

    def contents(self, folder):
        return {name: self.read(os.path.join(folder, name)) for name in sorted(os.listdir(self.path(folder)))}

    # ---- certificates that connhook did not make ----

    def key(self, name, *how):
        self.openssl('genpkey', *(how or ('-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256')), '-out', name)
        return name

    def sign(self, name, subject, issuer, section, start='20250101000000Z', end='20990101000000Z', key=()):
        """NAME.crt and NAME.key; `issuer` None: self-signed."""
        self.write('ca.cnf', SECTIONS)
        self.write('index.txt', '')
        self.write('index.txt.attr', 'unique_subject = no\n')
        self.key(name + '.key', *key)
        self.openssl('req', '-new', '-key', name + '.key', '-subj', '/CN=' + subject, '-out', name + '.csr')
        by = ['-selfsign', '-keyfile', name + '.key']
        if issuer:
            by = ['-cert', issuer + '.crt', '-keyfile', issuer + '.key']
        self.openssl('ca', '-config', 'ca.cnf', '-batch', '-notext', '-in', name + '.csr', '-out',
                     name + '.crt', '-startdate', start, '-enddate', end, '-extensions', section, *by)

    def three_levels(self, key=()):
        self.sign('root', 'Root', None, 'v3_ca', key=key)
        self.sign('middle', 'Middle', 'root', 'v3_ca', key=key)
        self.sign('leaf', 'Leaf', 'middle', 'leaf', key=key)

    # ---- openssl's judgement ----

    def sans(self, certificate):
        text = self.openssl('x509', '-in', certificate, '-noout', '-ext', 'subjectAltName').stdout
        return re.findall(r'(?:DNS|IP Address):([^,\s]+)', text)

    def public_key_of(self, certificate):
        return self.openssl('x509', '-in', certificate, '-noout', '-pubkey').stdout

    def check_good(self, folder, dns, ips):
        """All that a client that trusts ca.crt looks at."""
        ca, crt = folder + '/ca.crt', folder + '/tls.crt'
        self.openssl('verify', '-x509_strict', '-check_ss_sig', '-CAfile', ca, ca)
        verify = ('verify', '-x509_strict', '-CAfile', ca, '-purpose', 'sslserver')
        for name in dns:
            self.openssl(*verify, '-verify_hostname', name.replace('*', 'any'), crt)
        for address in ips:
            self.openssl(*verify, '-verify_ip', address, crt)
        self.assertNotEqual(self.openssl(*verify, '-verify_hostname', 'other.invalid', crt, ok=False).returncode, 0)
        self.assertNotEqual(self.openssl('verify', '-CAfile', ca, '-purpose', 'sslclient', crt, ok=False).returncode, 0)
        self.assertEqual(len(self.sans(crt)), len(dns) + len(ips))
        for name in ('ca', 'tls'):
            public = self.openssl('pkey', '-in', '%s/%s.key' % (folder, name), '-pubout').stdout
            self.assertEqual(public, self.public_key_of('%s/%s.crt' % (folder, name)))
            self.openssl('pkey', '-in', '%s/%s.key' % (folder, name), '-check', '-noout')
        self.assertEqual(sorted(os.listdir(self.path(folder))), FILES)


class Init(CertsTest):
    def test_default_names(self):
        said = self.connhook('init', '--out', 'certs')
        self.check_good('certs', DEFAULT_DNS, DEFAULT_IPS)
        for name in DEFAULT_DNS + DEFAULT_IPS + FILES:
            self.assertIn(name, said)
        self.assertIn('connhook serve --tls-cert certs/tls.crt --tls-key certs/tls.key', said)
        self.assertIn('365 days left', said)

    def test_given_names_only(self):
        self.connhook('init', '-o', 'certs/', '--dns', '*.apps.example', '--dns=a.example', '--ip', 'fd00::7')
        self.check_good('certs', ['*.apps.example', 'a.example'], ['fd00::7'])
        self.assertNotIn('localhost', self.sans('certs/tls.crt'))

    def test_what_is_in_the_certificates(self):
        self.connhook('init', '--out', 'certs', '--days', '90')
        self.openssl('x509', '-in', 'certs/tls.crt', '-noout', '-checkend', str(90 * 86400 - 600))
        self.assertEqual(self.openssl('x509', '-in', 'certs/tls.crt', '-noout', '-checkend', str(90 * 86400 + 600),
                                      ok=False).returncode, 1)
        ca = self.openssl('x509', '-in', 'certs/ca.crt', '-noout', '-text').stdout
        tls = self.openssl('x509', '-in', 'certs/tls.crt', '-noout', '-text').stdout
        self.assertRegex(ca, r'Basic Constraints: critical\s+CA:TRUE, pathlen:0')
        self.assertRegex(ca, r'Key Usage: critical\s+Certificate Sign, CRL Sign\n')
        self.assertRegex(ca, r'Subject: CN = connhook CA\n')
        self.assertRegex(tls, r'Basic Constraints: critical\s+CA:FALSE')
        self.assertRegex(tls, r'X509v3 Key Usage: critical\s+Digital Signature\n')
        self.assertRegex(tls, r'Extended Key Usage: \n\s+TLS Web Server Authentication\n')
        identifier = re.search(r'Subject Key Identifier: \n\s+(\S+)', ca).group(1)
        self.assertRegex(tls, r'Authority Key Identifier: \n\s+(keyid:)?' + identifier)
        for text in (ca, tls):
            self.assertIn('Version: 3', text)
            self.assertIn('NIST CURVE: P-256', text)
            self.assertIn('Signature Algorithm: ecdsa-with-SHA256', text)
        serials = [self.openssl('x509', '-in', 'certs/%s.crt' % name, '-noout', '-serial').stdout
                   for name in ('ca', 'tls')]
        for serial in serials:
            self.assertRegex(serial, r'\Aserial=[0-9A-F]{32}\n\Z')
        self.assertNotEqual(*serials)

    def test_modes(self):
        self.connhook('init', '--out', 'certs')
        for name in FILES:
            mode = stat.S_IMODE(os.lstat(self.path('certs/' + name)).st_mode)
            self.assertEqual(mode, 0o600 if name.endswith('.key') else 0o644, name)

    def test_never_overwrites(self):
        self.connhook('init', '--out', 'certs')
        before = self.contents('certs')
        said = self.connhook('init', '--out', 'certs', code=2)
        self.assertIn('certs/ca.key exists', said)
        self.assertIn('connhook certs renew --out certs', said)
        self.assertEqual(self.contents('certs'), before)
        os.mkdir(self.path('other'))
        self.write('other/tls.crt', 'mine')
        self.assertIn('other/tls.crt exists', self.connhook('init', '--out', 'other', code=2))
        self.assertEqual(self.contents('other'), {'tls.crt': 'mine'})

    def test_folder(self):
        self.assertIn('cannot create the directory a/b', self.connhook('init', '--out', 'a/b', code=2))
        self.write('file', '')
        self.assertIn('cannot open the directory file', self.connhook('init', '--out', 'file', code=2))
        os.mkdir(self.path('ready'))
        self.write('ready/README.md', 'stays')
        self.connhook('init', '--out', 'ready')
        self.assertEqual(self.read('ready/README.md'), 'stays')

    def test_a_tls_client_connects(self):
        """Python's ssl as the client and the server: the files are what TLS wants."""
        self.connhook('init', '--out', 'certs')
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(self.path('certs/tls.crt'), self.path('certs/tls.key'))
        client = ssl.create_default_context(cafile=self.path('certs/ca.crt'))
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.settimeout(TIMEOUT_SECONDS)

        def serve():
            with server.wrap_socket(theirs, server_side=True) as connection:
                connection.sendall(b'hello')

        thread = threading.Thread(target=serve)
        thread.start()
        with client.wrap_socket(ours, server_hostname='connhook.connhook.svc') as connection:
            self.assertEqual(connection.recv(5), b'hello')
        thread.join()


class Usage(CertsTest):
    def test_help(self):
        for arguments, words in [
                (['--help'], ['init', 'show', 'renew']), (['-h'], ['usage: connhook certs']),
                (['init', '--help'], ['--out', '--dns', '--ip', '--days', 'Nothing is ever overwritten', 'localhost']),
                (['init', '--out', 'x', '-h'], ['usage: connhook certs init']),
                (['renew', '--help'], ['usage: connhook certs renew', 'names of the old']),
                (['show', '--help'], ['usage: connhook certs show', 'Exit status'])]:
            said = self.connhook(*arguments)
            for word in words:
                self.assertIn(word, said)
            self.assertLessEqual(max(map(len, said.splitlines())), 100)
        self.assertEqual(os.listdir(self.folder), [])

    def test_wrong_usage(self):
        cases = [
            ([], 'expected init, show or renew'),
            (['make'], 'unknown command "make"'),
            (['init'], '--out DIR is missing'),
            (['renew'], '--out DIR is missing'),
            (['init', '--out', ''], '--out DIR is missing'),
            (['init', '--out'], 'option --out needs a value'),
            (['init', '-o'], 'option -o needs a value'),
            (['init', '--out', 'x', '--force'], 'certs init: unknown option --force'),
            (['init', '--out', 'x', '-f'], 'unknown option -f'),
            (['init', '--out', 'x', '--help=yes'], 'option --help=yes'),
            (['init', '--out', 'x', 'y'], 'unexpected argument y'),
            (['show'], 'which file?'),
            (['show', '--out', 'x'], 'certs show: unknown option --out'),
        ]
        for arguments, sentence in cases:
            with self.subTest(arguments):
                self.assertIn(sentence, self.connhook(*arguments, code=2))
        self.assertEqual(os.listdir(self.folder), [])

    def test_values(self):
        for option, bad, sentence in [
                ('--days', ['0', '-1', '+1', '3651', '1.5', '1d', '', ' 1', '0x10', '9' * 30], 'expected 1 to 3650'),
                ('--dns', ['', 'a_b', '-a', 'a..b', 'a.', '*', 'a.*', 'DNS:a', 'a,b', 'a' * 64], 'not a DNS name'),
                ('--dns', ['10.0.0.1', '::1'], 'give it as --ip'),
                ('--ip', ['', 'localhost', '10.0.0', '10.0.0.0/8', '[::1]'], 'not an IP address')]:
            for value in bad:
                with self.subTest('%s=%s' % (option, value)):
                    for command in ('init', 'renew'):
                        said = self.connhook(command, '--out', 'x', option + '=' + value, code=2)
                        self.assertIn(option + ': ', said)
                        self.assertIn(sentence, said)
        self.assertEqual(os.listdir(self.folder), [])

    def test_number_of_names(self):
        many = ['--dns=a%d.example' % i for i in range(100)]
        self.connhook('init', '--out', 'x', *many)
        self.assertEqual(len(self.sans('x/tls.crt')), 100)
        self.assertIn('at most 100', self.connhook('init', '--out', 'y', '--dns=one.more', *many, code=2))
        self.assertIn('101 names', self.connhook('init', '--out', 'y', '--ip=::1', *many, code=2))
        self.assertFalse(os.path.exists(self.path('y')))

    def test_output_that_cannot_be_written(self):
        with open('/dev/full', 'w', encoding='utf-8') as full:
            done = subprocess.run([CONNHOOK, 'certs', '--help'], stdout=full, stderr=subprocess.PIPE, text=True,
                                  timeout=TIMEOUT_SECONDS, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn('cannot write to standard output', done.stderr)


class Renew(CertsTest):
    def test_keeps_ca_and_names(self):
        self.connhook('init', '--out', 'certs', '--dns', 'a.example', '--ip', '10.0.0.1', '--days', '1')
        before = self.contents('certs')
        said = self.connhook('renew', '--out', 'certs')
        self.assertIn('a.example', said)
        self.assertIn('365 days left', said)
        after = self.contents('certs')
        self.assertEqual([name for name in FILES if before[name] != after[name]], ['tls.crt', 'tls.key'])
        self.check_good('certs', ['a.example'], ['10.0.0.1'])

    def test_other_names(self):
        self.connhook('init', '--out', 'certs')
        self.connhook('renew', '--out', 'certs', '--ip', '192.0.2.1')
        self.check_good('certs', [], ['192.0.2.1'])

    def test_a_ca_from_elsewhere(self):
        """An RSA root of someone's own works as well."""
        os.mkdir(self.path('certs'))
        self.sign('root', 'Root', None, 'v3_ca', key=('-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'))
        os.rename(self.path('root.crt'), self.path('certs/ca.crt'))
        os.rename(self.path('root.key'), self.path('certs/ca.key'))
        self.assertIn('give --dns or --ip', self.connhook('renew', '--out', 'certs', code=2))
        self.connhook('renew', '--out', 'certs', '--dns', 'a.example')
        self.check_good('certs', ['a.example'], [])

    def test_refusals(self):
        self.assertIn('cannot open the directory', self.connhook('renew', '--out', 'none', code=2))
        self.connhook('init', '--out', 'certs')
        self.connhook('init', '--out', 'other')
        shutil.copy(self.path('other/ca.key'), self.path('certs/ca.key'))
        before = self.contents('certs')
        self.assertIn('certs/ca.key is not the key of certs/ca.crt', self.connhook('renew', '--out', 'certs', code=2))
        self.assertEqual(self.contents('certs'), before)
        os.remove(self.path('certs/ca.key'))
        self.assertIn('certs/ca.key is missing', self.connhook('renew', '--out', 'certs', code=2))

    def test_bad_old_names_are_not_carried_on(self):
        self.connhook('init', '--out', 'certs')
        self.sign('strange', 'Strange', 'certs/ca', 'strange')
        os.rename(self.path('strange.crt'), self.path('certs/tls.crt'))
        self.assertIn('"bad?name" is not a DNS name', self.connhook('renew', '--out', 'certs', code=2))


class Show(CertsTest):
    def test_facts(self):
        self.connhook('init', '--out', 'certs', '--dns', 'a.example', '--ip', 'fd00::7')
        said = self.connhook('show', *('certs/' + name for name in FILES))
        for name in ('ca.crt', 'tls.crt'):
            ask = ('x509', '-in', 'certs/' + name, '-noout')
            fingerprint = self.openssl(*ask, '-fingerprint', '-sha256').stdout.strip().split('=')[1]
            serial = self.openssl(*ask, '-serial').stdout.strip().split('=')[1]
            end = self.openssl(*ask, '-enddate', '-dateopt', 'iso_8601').stdout.strip().split('=')[1].rstrip('Z')
            for fact in (fingerprint, serial, end + ' UTC'):
                self.assertIn(fact, said)
        for part in ('CA           CN=connhook CA', 'leaf         CN=connhook\n', 'DNS:a.example, IP:fd00::7',
                     '364 days left' if '364 days left' in said else '365 days left', 'ECDSA P-256, 256 bits',
                     'ok: certs/ca.key is the key of certs/ca.crt', 'ok: certs/tls.key is the key of certs/tls.crt',
                     'ok: certs/tls.crt is signed by certs/ca.crt'):
            self.assertIn(part, said)
        self.assertNotIn('WRONG', said)

    def test_never_prints_a_key(self):
        self.connhook('init', '--out', 'certs')
        said = self.connhook('show', 'certs/tls.key')
        self.assertIn('private key', said)
        for line in self.read('certs/tls.key').splitlines()[1:-1]:
            self.assertNotIn(line, said)

    def test_mismatches(self):
        self.connhook('init', '--out', 'one')
        self.connhook('init', '--out', 'two')
        said = self.connhook('show', 'one/tls.crt', 'two/tls.key', code=1)
        self.assertIn('WRONG: two/tls.key is not the key of any of these certificates', said)
        said = self.connhook('show', 'one/tls.crt', 'two/ca.crt', code=1)
        self.assertIn("WRONG: one/tls.crt is not signed by two/ca.crt: it has the issuer's name, but another key", said)
        self.connhook('show', 'one/tls.crt', 'two/tls.crt', 'two/ca.crt', 'one/ca.crt')

    def test_dates(self):
        self.sign('old', 'Old', None, 'leaf', end='20250201000000Z')
        self.sign('new', 'New', None, 'leaf', start='20980101000000Z')
        said = self.connhook('show', 'old.crt', code=1)
        self.assertRegex(said, r'expired \d+ days ago')
        self.assertIn('WRONG: old.crt expired at 2025-02-01 00:00:00 UTC', said)
        said = self.connhook('show', 'new.crt', code=1)
        self.assertIn('not valid yet', said)
        self.assertIn('WRONG: new.crt is not valid before 2098-01-01 00:00:00 UTC', said)

    def test_chains(self):
        self.three_levels()
        leaf, middle, root = (self.read(name + '.crt') for name in ('leaf', 'middle', 'root'))
        self.write('chain.crt', leaf + middle)
        said = self.connhook('show', 'chain.crt', 'leaf.key')
        self.assertIn('ok: leaf.key is the key of chain.crt, certificate 1', said)
        self.assertIn('ok: chain.crt, certificate 1 is signed by chain.crt, certificate 2', said)
        self.connhook('show', self.write('full.crt', leaf + middle + root), 'leaf.key')
        said = self.connhook('show', self.write('order.crt', leaf + root + middle), code=1)
        self.assertIn('WRONG: order.crt: certificate 2 (CN=Root) did not sign certificate 1 (CN=Leaf)', said)
        said = self.connhook('show', self.write('gap.crt', leaf + root), code=1)
        self.assertIn('WRONG: gap.crt, certificate 1 is not signed by gap.crt, certificate 2', said)
        said = self.connhook('show', 'chain.crt', 'root.crt', self.write('bundle.crt', root + middle))
        self.assertIn('ok: chain.crt, certificate 2 is signed by root.crt', said)
        self.assertIn('names        DNS:leaf.example, 1 of another kind', said)

    def test_a_leaf_signs_nothing(self):
        self.sign('root', 'Root', None, 'v3_ca')
        self.sign('leaf', 'Leaf', 'root', 'leaf')
        self.sign('below', 'Below', 'leaf', 'leaf')
        said = self.connhook('show', 'below.crt', 'leaf.crt', 'root.crt', code=1)
        self.assertIn('WRONG: below.crt is not signed by leaf.crt: it is no CA', said)

    def test_kinds_of_keys(self):
        for how, words in [
                (('-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'), 'RSA, 2048 bits'),
                (('-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-384'), 'ECDSA P-384, 384 bits'),
                (('-algorithm', 'ED25519'), 'ED25519')]:
            with self.subTest(words):
                if how[1] == 'ED25519':
                    self.key('own.key', *how)
                    self.openssl('req', '-x509', '-new', '-key', 'own.key', '-subj', '/CN=Own', '-out', 'own.crt')
                else:
                    self.sign('own', 'Own', None, 'leaf', key=how)
                said = self.connhook('show', 'own.crt', 'own.key')
                self.assertEqual(said.count(words), 2)
                self.assertIn('ok: own.key is the key of own.crt', said)

    def test_older_forms_of_keys(self):
        self.sign('ec', 'EC', None, 'leaf')
        self.sign('rsa', 'RSA', None, 'leaf', key=('-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'))
        for name in ('ec', 'rsa'):
            self.openssl('pkey', '-in', name + '.key', '-traditional', '-out', name + '.old')
            self.assertIn(name.upper() + ' PRIVATE KEY', self.read(name + '.old'))
            self.connhook('show', name + '.crt', name + '.old')
        parameters = self.openssl('ecparam', '-name', 'prime256v1').stdout
        self.connhook('show', 'ec.crt', self.write('with-parameters.key', parameters + self.read('ec.old')))

    def test_text_is_made_safe_for_a_terminal(self):
        self.sign('strange', 'a\x1b[31mred\u00fc', None, 'strange')
        said = self.connhook('show', 'strange.crt')
        self.assertTrue(said.isascii())
        self.assertNotIn('\x1b', said)
        self.assertIn('DNS:bad?name', said)

    def test_standard_input(self):
        self.connhook('init', '--out', 'certs')
        self.assertIn('CN=connhook CA', self.connhook('show', '/dev/stdin', text=self.read('certs/ca.crt')))

    def test_unreadable(self):
        self.connhook('init', '--out', 'certs')
        self.openssl('pkey', '-in', 'certs/tls.key', '-aes256', '-passout', 'pass:secret', '-out', 'encrypted.key')
        self.openssl('x509', '-in', 'certs/tls.crt', '-outform', 'DER', '-out', 'der.crt')
        self.openssl('req', '-new', '-key', 'certs/tls.key', '-subj', '/CN=x', '-out', 'x.csr')
        whole = self.read('certs/tls.crt')
        for name, sentence in [
                ('none.crt', 'cannot open none.crt: No such file'),
                ('certs', 'cannot read certs: Is a directory'),
                (self.write('empty.crt', ''), 'empty.crt is empty'),
                (self.write('junk.crt', 'junk'), 'no PEM block found'),
                (self.write('cut.crt', whole[:len(whole) // 2]), 'PEM block 1 is cut off or damaged'),
                (self.write('large.crt', whole + '\n' * (1 << 20)), 'larger than 1048576 bytes'),
                ('encrypted.key', "openssl pkey -in encrypted.key"),
                ('der.crt', 'openssl x509 -inform DER -in der.crt'),
                ('x.csr', 'neither a certificate nor a private key')]:
            with self.subTest(name):
                self.assertIn(sentence, self.connhook('show', 'certs/ca.crt', name, code=2))


if __name__ == '__main__':
    if len(sys.argv) < 2:
        sys.exit('usage: certs.py PATH_TO_CONNHOOK [TEST...]')
    CONNHOOK = os.path.abspath(sys.argv.pop(1))
    result = unittest.main(exit=False).result
    failed = len({getattr(test, 'test_case', test).id() for test, _ in result.failures + result.errors})
    print('%d passed, %d failed' % (result.testsRun - failed, failed))
    sys.exit(1 if failed or not result.testsRun else 0)
