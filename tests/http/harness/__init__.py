"""A real server on free ports, and clients that may behave badly. For the tests of this folder."""
import concurrent.futures
import copy
import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import unittest

WAIT = 20          # seconds for anything that must happen
BODY_LIMIT = 7 * 1024 * 1024
BINARY = None

DEPLOYMENT = {
    'apiVersion': 'apps/v1', 'kind': 'Deployment',
    'metadata': {'name': 'identity-service', 'namespace': 'tenant-a',
                 'annotations': {'inject.zerotouch.io/bindings': 'db'}},
    'spec': {'selector': {'matchLabels': {'app': 'identity'}},
             'template': {'metadata': {'labels': {'app': 'identity'}},
                          'spec': {'containers': [{'name': 'app', 'image': 'ghcr.io/x/identity:1'}]}}},
}
DATABASE = {
    'apiVersion': 'database.bizmatters.io/v1alpha1', 'kind': 'PostgresInstance',
    'metadata': {'name': 'identity-db', 'namespace': 'tenant-a'}, 'spec': {},
}


def review(obj=None, uid='u-1', operation='CREATE', **changes):
    """An AdmissionReview as the API server sends it."""
    obj = copy.deepcopy(DEPLOYMENT if obj is None else obj)
    group, _, version = obj['apiVersion'].rpartition('/')
    resource = obj['kind'].lower() + 's'
    request = {
        'uid': uid, 'operation': operation,
        'kind': {'group': group, 'version': version, 'kind': obj['kind']},
        'resource': {'group': group, 'version': version, 'resource': resource},
        'requestKind': {'group': group, 'version': version, 'kind': obj['kind']},
        'requestResource': {'group': group, 'version': version, 'resource': resource},
        'name': obj['metadata']['name'], 'namespace': obj['metadata']['namespace'],
        'userInfo': {'username': 'tenant', 'groups': ['system:authenticated']},
        'object': obj, 'oldObject': None, 'dryRun': False, 'options': None,
    }
    request.update(changes)
    return {'kind': 'AdmissionReview', 'apiVersion': 'admission.k8s.io/v1', 'request': request}


def review_of_size(size):
    """The bytes of a review that has exactly `size` bytes, in an annotation that nobody reads."""
    obj = copy.deepcopy(DEPLOYMENT)
    obj['metadata']['annotations']['example.com/filling'] = ''
    empty = len(json.dumps(review(obj)))
    obj['metadata']['annotations']['example.com/filling'] = 'x' * (size - empty)
    body = json.dumps(review(obj)).encode()
    assert len(body) == size
    return body


BODY = json.dumps(review()).encode()


class Server:
    """
    `connhook serve` with free ports, and `--self-signed` unless `pair` names certificate, key and CA; `wrap` is a
    command that starts it; `shows` is the certificate, with its key, that clients show. Ends, and is looked at, when
    the with block does.
    """

    shows = None

    def __init__(self, *options, directory=None, pair=None, wrap=(), shows=None):
        self.directory = directory or tempfile.mkdtemp(prefix='connhook-http-')
        pki = os.path.join(self.directory, 'pki')
        identity = ['--tls-cert', pair[0], '--tls-key', pair[1]] if pair else ['--self-signed', pki]
        self.shows = shows
        self.lines = []
        self.changed = threading.Condition()
        self.process = subprocess.Popen(
            [*wrap, BINARY, 'serve', *identity, '--listen', '127.0.0.1:0', '--admin-listen', '127.0.0.1:0',
             '--drain-delay', '0', *options],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors='replace')
        self.pid = self.process.pid  # of connhook; the process may be `wrap`
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        try:
            line = self.wait_log(r'msg"?[=:]"?listening')
            self.port, self.admin_port = (int(p) for p in re.findall(r'127\.0\.0\.1:(\d+)', line))
        except BaseException:
            self.process.kill()
            self._clean()
            raise
        self.ca = pair[2] if pair else os.path.join(pki, 'ca.crt')

    def keeps(self, line):
        """Is the line of the log of any interest?"""
        return True

    def _read(self):
        for line in filter(self.keeps, self.process.stderr):
            with self.changed:
                self.lines.append(line.rstrip('\n'))
                self.changed.notify_all()
        with self.changed:
            self.lines.append(None)
            self.changed.notify_all()

    def wait_log(self, pattern, start=0):
        """The first line of the log, from line number `start` on, that holds the pattern."""
        def find():
            return next((line for line in self.lines[start:] if line is not None and re.search(pattern, line)), None)
        with self.changed:
            self.changed.wait_for(lambda: find() is not None or None in self.lines, WAIT)
            found = find()
        if found is None:
            raise AssertionError('no line with %r in the log:\n%s' % (pattern, self.log()))
        return found

    def log(self):
        return '\n'.join(line for line in self.lines if line is not None)

    def renew(self):
        """Renews the certificate of a self-signed server, and waits until it is in use."""
        start = len(self.lines)
        subprocess.run([BINARY, 'certs', 'renew', '--out', os.path.join(self.directory, 'pki')], check=True,
                       stdout=subprocess.DEVNULL)
        self.wait_log('msg=reload what=certificate file=', start)

    def send(self, number=signal.SIGTERM):
        os.kill(self.pid, number)

    def _clean(self):
        self.process.wait()
        self.reader.join()
        self.process.stderr.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def stop(self, number=signal.SIGTERM):
        """Ends it; it must end by itself, with 0, and no sanitizer may have said anything."""
        if self.process.poll() is None:
            self.send(number)
        try:
            code = self.process.wait(WAIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = 'killed: it did not end'
        self._clean()
        strange = [line for line in self.lines if line is not None and not re.match(r'(time=|\{"time":)', line)]
        if code != 0 or strange:
            raise AssertionError('exit %s; not log lines: %s\n%s' % (code, strange, self.log()))

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.stop()

    # ---- clients ----

    def context(self, minimum=None, maximum=None, alpn=None, client=None):
        """`client`: a file with the certificate, and its key, that the client shows."""
        context = ssl.create_default_context(cafile=self.ca)
        if client or self.shows:
            context.load_cert_chain(client or self.shows)
        if minimum is not None:
            context.set_ciphers('DEFAULT:@SECLEVEL=0')
            context.minimum_version = minimum
        if maximum is not None:
            context.maximum_version = maximum
        if alpn is not None:
            context.set_alpn_protocols(alpn)
        return context

    def connect(self):
        """A plain TCP connection to the TLS port."""
        return socket.create_connection(('127.0.0.1', self.port), WAIT)

    def tls(self, context=None, session=None):
        raw = self.connect()
        try:
            return (context or self.context()).wrap_socket(raw, server_hostname='localhost', session=session)
        except BaseException:
            raw.close()
            raise

    def resumed(self, version):
        """A TLS connection of that version whose session is resumed."""
        context = self.context(version, version)
        with self.tls(context) as s:
            s.sendall(head('/mutate', len(BODY)) + BODY)
            read_response(s)
            session = s.session
        s = self.tls(context, session)
        assert s.session_reused
        return s

    def admin(self):
        return socket.create_connection(('127.0.0.1', self.admin_port), WAIT)

    def client(self):
        return http.client.HTTPSConnection('localhost', self.port, timeout=WAIT, context=self.context())

    def request(self, method, path, body=None, headers=None, **options):
        """One request on its own connection: status, headers, body."""
        client = self.client()
        try:
            return exchange(client, method, path, body, headers, **options)
        finally:
            client.close()

    def post(self, path='/mutate', body=BODY, **headers):
        return self.request('POST', path, body, {'Content-Type': 'application/json', **headers})

    def get(self, path, method='GET', body=None):
        client = http.client.HTTPConnection('127.0.0.1', self.admin_port, timeout=WAIT)
        try:
            return exchange(client, method, path, body, None)
        finally:
            client.close()

    def metric(self, name):
        """The value of one series; 0 when it is not there."""
        _, _, text = self.get('/metrics')
        for line in text.decode().split('\n'):
            if line.startswith(name + ' '):
                return float(line.split(' ')[-1])
        return 0.0

    def wait_metric(self, name, value):
        """Asks until the series has the value."""
        deadline = threading.Event()
        for _ in range(WAIT * 50):
            if self.metric(name) == value:
                return
            deadline.wait(0.02)
        raise AssertionError('%s is %s, not %s' % (name, self.metric(name), value))


def exchange(client, method, path, body=None, headers=None, **options):
    client.request(method, path, body, headers or {}, **options)
    response = client.getresponse()
    return response.status, response.headers, response.read()


def head(path='/mutate', length=None, *lines, method='POST'):
    """The head of a request."""
    rows = ['%s %s HTTP/1.1' % (method, path), 'Host: localhost', 'Content-Type: application/json']
    if length is not None:
        rows.append('Content-Length: %d' % length)
    return '\r\n'.join([*rows, *lines, '', '']).encode()


def read_response(sock):
    """One response off a socket: status, headers, body. None at the end of the stream."""
    response = http.client.HTTPResponse(sock)
    try:
        response.begin()
    except (http.client.RemoteDisconnected, ConnectionResetError):
        return None
    return response.status, response.headers, response.read()


def read_all(sock):
    """What comes until the other side closes."""
    parts = []
    try:
        while True:
            part = sock.recv(65536)
            if not part:
                break
            parts.append(part)
    except (ConnectionResetError, ssl.SSLEOFError):
        pass
    return b''.join(parts)


def together(*calls):
    """Runs all at the same time; the first failure is the caller's."""
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        for future in [pool.submit(call) for call in calls]:
            future.result()


class TestCase(unittest.TestCase):
    """One server for all tests of a class; `options` are its own."""
    options = ()

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.options)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def assertFailure(self, answer, status, reason=None, words=''):
        """A Kubernetes Status with that code, and a message that holds the words."""
        code, headers, body = answer
        self.assertEqual(code, status, body)
        self.assertEqual(headers['Content-Type'], 'application/json')
        failure = json.loads(body)
        self.assertEqual((failure['kind'], failure['apiVersion'], failure['status'], failure['code']),
                         ('Status', 'v1', 'Failure', status))
        self.assertEqual(failure['metadata'], {})
        if reason is not None:
            self.assertEqual(failure['reason'], reason)
        self.assertIn(words, failure['message'])
        self.assertGreater(len(failure['message']), 20)

    def assertReviewed(self, answer, uid='u-1'):
        """An AdmissionReview; returns its response."""
        code, headers, body = answer
        self.assertEqual(code, 200, body)
        self.assertEqual(headers['Content-Type'], 'application/json')
        answered = json.loads(body)
        self.assertEqual((answered['kind'], answered['apiVersion']), ('AdmissionReview', 'admission.k8s.io/v1'))
        self.assertEqual(answered['response']['uid'], uid)
        return answered['response']

    def assertServes(self):
        self.assertReviewed(self.server.post())


def main():
    global BINARY
    if len(sys.argv) < 2 or not os.access(sys.argv[1], os.X_OK):
        sys.exit('usage: %s PATH_TO_CONNHOOK [TEST]...' % sys.argv[0])
    BINARY = os.path.abspath(sys.argv.pop(1))
    result = unittest.main(exit=False).result
    failed = len(result.failures) + len(result.errors)
    print('%d passed, %d failed' % (max(result.testsRun - failed, 0), failed), flush=True)
    sys.exit(0 if result.wasSuccessful() else 1)
