#!/usr/bin/python3
"""/metrics: the format, that it counts what was sent, what documentation says of it, and that nobody makes it grow."""
import itertools
import json
import os
import re
import shutil
import tempfile
import unittest

import harness
from harness import BODY, Server, exchange, review
from harness.authority import Authority

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
JSON_TYPE = {'Content-Type': 'application/json'}
SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')


def parse(text):
    """Samples as {(name, labels): value} and types as {name: type}; raises on anything that is not the format."""
    samples, types, helps = {}, {}, set()
    assert text.endswith('\n')
    for line in text[:-1].split('\n'):
        if line.startswith('# HELP '):
            name = line.split(' ')[2]
            assert name not in helps, 'two HELP lines: ' + name
            assert len(line.split(' ', 3)[3]) > 10, line
            helps.add(name)
        elif line.startswith('# TYPE '):
            _, _, name, kind = line.split(' ')
            assert name in helps and name not in types, line
            assert kind in ('counter', 'gauge', 'histogram'), line
            types[name] = kind
        else:
            match = SAMPLE.fullmatch(line)
            assert match, 'no sample: %r' % line
            name, labels, value = match.groups()
            pairs = LABEL.findall(labels or '')
            assert LABEL.sub('', labels or '') == '', line
            key = (name, tuple(sorted(pairs)))
            assert key not in samples, 'twice: ' + line
            base = re.sub(r'_(bucket|sum|count)$', '', name) if name not in types else name
            assert base in types, 'no TYPE: ' + line
            samples[key] = float(value)
    return samples, types


class Metrics(unittest.TestCase):
    def read(self):
        status, headers, body = self.server.get('/metrics')
        self.assertEqual((status, headers['Content-Type']), (200, 'text/plain; version=0.0.4; charset=utf-8'))
        samples, self.types = parse(body.decode())
        return samples

    def value(self, samples, name, **labels):
        return samples.get((name, tuple(sorted(labels.items()))), 0)

    def test_all(self):
        with Server('--threads', '2') as self.server:
            self.check_fresh(self.read())
            self.send()
            samples = self.read()
            self.check_requests(samples)
            self.check_duration(samples)
            self.check_policy(samples)
            self.check_http(samples)
            self.check_process(samples)

    def check_fresh(self, samples):
        self.assertEqual(self.value(samples, 'connhook_admission_duration_seconds_count'), 0)
        self.assertEqual(self.value(samples, 'connhook_http_responses_total', code='200'), 0)
        self.assertEqual(self.value(samples, 'connhook_connections'), 0)
        self.assertEqual(self.value(samples, 'connhook_config_last_reload_successful'), 1)
        version = json.loads(self.server.get('/version')[2])
        self.assertEqual(self.value(samples, 'connhook_build_info', version=version['version'],
                                    configuration=version['configuration']), 1)

    def send(self):
        """Known numbers of everything, on one connection that stays open."""
        self.client = client = self.server.client()
        other = json.loads(json.dumps(harness.DATABASE))
        other.update(kind='TenantChosenKind', apiVersion='tenant.example/v1')
        deleted = review(operation='DELETE', object=None, oldObject=harness.DEPLOYMENT)
        for count, path, sent in ((7, '/mutate', review()), (2, '/mutate', review(dryRun=True)),
                                  (3, '/validate', review(harness.DATABASE)), (4, '/mutate', deleted),
                                  (5, '/validate', review(other)), (6, '/mutate', '{')):
            for _ in range(count):
                exchange(client, 'POST', path, json.dumps(sent).encode(), JSON_TYPE)
        exchange(client, 'POST', '/nothing', BODY, JSON_TYPE)
        exchange(client, 'GET', '/mutate')
        exchange(client, 'POST', '/mutate', BODY, {'Content-Type': 'text/plain'})

    def check_requests(self, samples):
        def requests(webhook, operation, kind, decision, dry_run='false'):
            return self.value(samples, 'connhook_admission_requests_total', webhook=webhook, operation=operation,
                              kind=kind, decision=decision, dry_run=dry_run)

        self.assertEqual(self.types['connhook_admission_requests_total'], 'counter')
        self.assertEqual(requests('mutate', 'CREATE', 'Deployment', 'patched'), 7)
        self.assertEqual(requests('mutate', 'CREATE', 'Deployment', 'patched', 'true'), 2)
        self.assertEqual(requests('validate', 'CREATE', 'PostgresInstance', 'denied'), 3)
        self.assertEqual(requests('mutate', 'DELETE', 'Deployment', 'skipped'), 4)
        self.assertEqual(requests('mutate', 'other', 'other', 'error'), 6)
        counts = {labels: v for (name, labels), v in samples.items() if name == 'connhook_admission_requests_total'}
        self.assertEqual(sum(v for labels, v in counts.items() if dict(labels)['kind'] == 'other' and
                             dict(labels)['webhook'] == 'validate'), 5)
        self.assertNotIn('TenantChosenKind', repr(samples))
        self.assertEqual(sum(counts.values()), 27)

    def check_duration(self, samples):
        name = 'connhook_admission_duration_seconds'
        self.assertEqual(self.types[name], 'histogram')
        buckets = [(dict(labels)['le'], v) for (key, labels), v in samples.items() if key == name + '_bucket']
        self.assertEqual(buckets[0][0], '5e-05')
        self.assertEqual(buckets[-1], ('+Inf', 27))
        bounds = [float(bound) for bound, _ in buckets]
        self.assertEqual(bounds, sorted(bounds))
        counts = [count for _, count in buckets]
        self.assertEqual(counts, sorted(counts))
        self.assertEqual(self.value(samples, name + '_count'), 27)
        self.assertGreater(self.value(samples, name + '_sum'), 0)
        self.assertLess(self.value(samples, name + '_sum'), 27)

    def check_policy(self, samples):
        self.assertEqual(self.value(samples, 'connhook_injected_total', binding='db'), 9)
        self.assertEqual(self.value(samples, 'connhook_injected_total', binding='cache'), 0)
        self.assertIn(('connhook_injected_total', (('binding', 'cache'),)), samples)
        self.assertEqual(self.value(samples, 'connhook_rule_violations_total', rule='no-in-cluster-database',
                                    mode='enforce'), 3)
        skipped = [v for (name, _), v in samples.items() if name == 'connhook_skipped_total']
        self.assertIn(4, skipped)

    def check_http(self, samples):
        for code, count in ((200, 21), (400, 6), (404, 1), (405, 1), (415, 1), (413, 0), (500, 0)):
            self.assertEqual(self.value(samples, 'connhook_http_responses_total', code=str(code)), count, code)
        self.assertEqual(self.value(samples, 'connhook_connections'), 1)
        self.client.close()
        self.server.wait_metric('connhook_connections', 0)

    def check_process(self, samples):
        self.assertEqual(self.types['process_cpu_seconds_total'], 'counter')
        self.assertGreater(self.value(samples, 'process_cpu_seconds_total'), 0)
        self.assertGreater(self.value(samples, 'process_resident_memory_bytes'), 1 << 20)
        self.assertGreater(self.value(samples, 'process_virtual_memory_bytes'),
                           self.value(samples, 'process_resident_memory_bytes'))
        self.assertGreater(self.value(samples, 'process_max_fds'), self.value(samples, 'process_open_fds'))
        self.assertGreater(self.value(samples, 'process_open_fds'), 5)
        started = self.value(samples, 'process_start_time_seconds')
        self.assertEqual(self.value(samples, 'connhook_config_last_reload_success_timestamp_seconds'), started)
        self.assertGreater(self.value(samples, 'connhook_tls_certificate_not_after_timestamp_seconds'), started + 86400)


class Documented(unittest.TestCase):
    """The table in docs/server.md: every name and every label that is exported, and no other."""

    def table(self):
        with open(os.path.join(ROOT, 'docs', 'server.md'), encoding='utf-8') as f:
            rows = re.findall(r'^\| `((?:connhook|process)_\w+)(?:\{([\w,]+)\})?` \|', f.read(), re.M)
        self.assertEqual(len(rows), len({name for name, _ in rows}), 'a metric stands twice')
        return {name: set(labels.split(',')) - {''} for name, labels in rows}

    def test_table(self):
        found = {}
        folder = tempfile.mkdtemp(prefix='connhook-clients-')
        self.addCleanup(shutil.rmtree, folder)
        clients = Authority(folder, 'clients')
        with Server('--client-ca', clients.certificate, shows=clients.issue('apiserver')) as server:
            for path, obj in (('/mutate', None), ('/validate', harness.DATABASE), ('/mutate', harness.DATABASE)):
                server.post(path, json.dumps(review(obj)).encode())
            samples, types = parse(server.get('/metrics')[2].decode())
        for name, labels in samples:
            base = re.sub(r'_(bucket|sum|count)$', '', name) if name not in types else name
            found.setdefault(base, set()).update(key for key, _ in labels if key != 'le')
        self.assertEqual(found, self.table())
        self.assertEqual(set(types), set(found), 'a HELP without a sample')


class Bounded(unittest.TestCase):
    """Whatever tenants, and clients that are no API server, put into a request: no series is added."""

    def reviews(self, salt):
        """Hostile reviews; those of another salt differ in every value that a client chooses, but not in their kind."""
        kinds = ['Deployment', 'PostgresInstance', 'Secret', 'Kind%s', 'kind"%s\n', 'k' * 300 + '%s']
        operations = ['CREATE', 'UPDATE', 'DELETE', 'CONNECT', 'OP%s', 'create']
        words = ['n-%s', '\u00fc%s\u0000', 'x{%s="1"} 7\n# EOF', '%s' * 200]
        bindings = ['db', 'b%s', 'db,b%s', 'db=i-%s', '', ',%s,']
        phases = itertools.cycle(['/mutate', '/validate', '/mutate?timeout=%ss', '/validate?a%s=b'])
        product = itertools.product(kinds, operations, words, bindings)
        for number, (kind, operation, word, binding) in enumerate(product):
            def salted(text, number=number):
                return text.replace('%s', '%s%d' % (salt, number))
            obj = json.loads(json.dumps(harness.DEPLOYMENT))
            obj['metadata'].update(name=salted(word), namespace=salted(word), annotations={
                'inject.zerotouch.io/bindings': salted(binding), 'inject.zerotouch.io/' + salted('a%s'): salted(word)})
            obj['kind'] = salted(kind)
            group = salted('g%s.example') if number % 3 else 'apps'
            sent = review(obj, uid=salted('u%s'), operation=salted(operation), dryRun=number % 2 == 0,
                          kind={'group': group, 'version': salted('v%s'), 'kind': salted(kind)},
                          subResource=salted('s%s') if number % 7 == 0 else '', namespace=salted(word),
                          userInfo={'username': salted(word), 'groups': [salted(word)]},
                          oldObject=obj if operation != 'CREATE' else None)
            yield 'POST', salted(next(phases)), json.dumps(sent).encode()

    def others(self, salt):
        """Requests that are no reviews."""
        for number in range(100):
            word = '%s%d' % (salt, number)
            yield 'POST', '/' + word, BODY
            yield 'POST', '/mutate/' + word, BODY
            yield 'M' + word.upper(), '/mutate', b''
            yield 'POST', '/mutate', ('{"kind": "%s"}' % word).encode()
            yield 'POST', '/validate', json.dumps({'apiVersion': word, 'kind': word, 'request': {}}).encode()

    def series(self, server):
        status, _, body = server.get('/metrics')
        self.assertEqual(status, 200)
        return set(parse(body.decode())[0]), len(body)

    def send(self, server, salt):
        client, sent = server.client(), 0
        for method, path, body in itertools.chain(self.reviews(salt), self.others(salt)):
            status, headers, _ = exchange(client, method, path, body, JSON_TYPE)
            self.assertIn(status, (200, 400, 404, 405))
            sent += 1
        client.close()
        return sent

    def test_hostile_requests(self):
        limit = re.search(r'^#define LIMIT_METRICS \((\d+) \* MIB\)', self.read('src/base/limits.h'), re.M)
        most = re.search(r'at most ([\d,]+) series', self.read('docs/server.md'))
        with Server('--threads', '1') as server:
            sent = self.send(server, 'a')
            first, _ = self.series(server)
            sent += self.send(server, 'b')
            second, size = self.series(server)
            self.assertGreater(sent, 2 * 1000)
            self.assertEqual(sorted(second - first), [])
            self.assertLessEqual(len(second), int(most.group(1).replace(',', '')))
            self.assertLess(size, int(limit.group(1)) << 20)
            for word in ('EOF', 'OP', 'Kind', 'kkk', 'example', 'tenant'):
                self.assertNotIn(word, repr(sorted(second)))
            print('%d hostile requests: %d series, %d bytes' % (sent, len(second), size))

    def read(self, path):
        with open(os.path.join(ROOT, path), encoding='utf-8') as f:
            return f.read()


if __name__ == '__main__':
    harness.main()
