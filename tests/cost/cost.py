#!/usr/bin/python3
"""
No answer costs more than its size: for all that a tenant can multiply, twice as much of it takes about twice the steps.

    tests/cost/cost.py [--full] [-k WORD] [--table]

Steps are counted, not timed (cost.c): the figures are the same on every machine and at every run. A dimension is one
function in the table below, from a number to an object: what a new rule or annotation reads, gets its own. --full
doubles up to the largest body that the server takes.
"""
import argparse
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PROGRAM = os.path.join(ROOT, 'build/cost/tests/cost/cost')

FACTOR = 2.3            # steps of a body twice as large; n log n gives 2.2 and less
STEPS_A_BYTE = 900      # the most that any dimension may take, at any size
LARGEST = 7 << 20       # base/limits.h: LIMIT_BODY
MEMORY = 1 << 30        # so that the limit of memory ends none of them before it has shown its steps
A = 'inject.zerotouch.io/'
WISH = {A + 'bindings': 'db,cache=orders,jwt,nats', A + 'migrate': 'npm run migrate'}
IMAGE = 'ghcr.io/acme/shop:1'
BAD = '/zerotouch/dev/billing/key'

DIMENSIONS = {}


def dimension(f):
    DIMENSIONS[f.__name__.replace('_', ' ')] = f
    return f


def workload(annotations=None, container=None, pod=None, meta=None, template=None, kind='Deployment', api='apps/v1'):
    pod = pod or {}
    pod.setdefault('containers', [{'name': 'shop', 'image': IMAGE, **(container or {})}])
    return {'apiVersion': api, 'kind': kind,
            'metadata': {'name': 'shop', 'namespace': 'tenant-a',
                         'annotations': WISH if annotations is None else annotations, **(meta or {})},
            'spec': {'template': {'metadata': template or {}, 'spec': pod}}}


def external_secret(spec, kind='ExternalSecret'):
    return {'apiVersion': 'external-secrets.io/v1', 'kind': kind,
            'metadata': {'name': 'shop-db', 'namespace': 'tenant-a'}, 'spec': spec}


# ---- containers ----

@dimension
def containers(n):
    return workload(pod={'containers': [{'name': 'c%d' % i, 'image': IMAGE} for i in range(n)]})


@dimension
def containers_of_one_name(n):
    return workload(pod={'containers': [{'name': 'c', 'image': IMAGE}] * n})


@dimension
def init_containers(n):
    return workload(pod={'initContainers': [{'name': 'c%d' % i, 'image': IMAGE} for i in range(n)]})


@dimension
def init_containers_named_as_the_migration(n):
    return workload(pod={'initContainers': [{'name': 'run-migrations', 'image': IMAGE}] * n})


@dimension
def container_name_length(n):
    return workload(pod={'containers': [{'name': 'a' * n, 'image': IMAGE}]})


@dimension
def database_images(n):
    return workload(pod={'containers': [{'name': 'c%d' % i, 'image': 'postgres:%d' % i} for i in range(n)]})


@dimension
def image_length(n):
    return workload(container={'image': 'a/' * (n // 2) + 'postgres'})


@dimension
def image_length_of_one_part(n):
    return workload(container={'image': 'a' * n})


@dimension
def image_of_separators(n):
    return workload(container={'image': 'a' + '-' * n + 'a'})


@dimension
def image_tag_length(n):
    return workload(container={'image': 'postgres:' + 'a' * n})


@dimension
def command_elements(n):
    return workload(container={'image': 'postgres', 'command': ['a'] * n})


@dimension
def command_length(n):
    return workload(container={'image': 'postgres', 'command': ['/' * n]})


@dimension
def container_globs(n):
    pod = {'containers': [{'name': 'a' * 60 + '%d' % i, 'image': IMAGE} for i in range(n)]}
    return workload({**WISH, A + 'containers': ','.join('*' + 'a' * 30 + '?%db' % i for i in range(8))}, pod=pod)


@dimension
def container_glob_over_a_long_name(n):
    return workload({**WISH, A + 'containers': '*' + 'a' * 30 + '?' + 'a' * 30 + 'b'},
                    pod={'containers': [{'name': 'a' * n, 'image': IMAGE}]})


@dimension
def container_glob_length(n):
    return workload({**WISH, A + 'containers': '*' + 'a' * (n // 3) + 'b'},
                    pod={'containers': [{'name': 'a' * (n - n // 3), 'image': IMAGE}]})


@dimension
def container_glob_of_stars(n):
    return workload({**WISH, A + 'containers': '*a' * (n // 4) + 'b'},
                    pod={'containers': [{'name': 'a' * (n // 2), 'image': IMAGE}]})


@dimension
def container_names_listed(n):
    return workload({**WISH, A + 'containers': ','.join('c%d' % i for i in range(n))})


# ---- env ----

@dimension
def env(n):
    return workload(container={'env': [{'name': 'V%d' % i, 'value': str(i)} for i in range(n)]})


@dimension
def env_of_one_name(n):
    return workload(container={'env': [{'name': 'a'}] * n})


@dimension
def env_that_collides(n):
    return workload(container={'env': [{'name': 'DATABASE_URL', 'value': 'x%d' % i} for i in range(n)]})


@dimension
def env_in_many_containers(n):
    return workload(pod={'containers': [{'name': 'c%d' % i, 'image': IMAGE, 'env': [
        {'name': 'DATABASE_URL', 'value': 'x'}] * 4} for i in range(n)]})


@dimension
def env_credentials(n):
    return workload(container={'env': [{'name': 'P%d_PASSWORD' % i, 'value': 'x%d' % i} for i in range(n)]})


@dimension
def env_name_length(n):
    return workload(container={'env': [{'name': 'a' * n, 'value': 'b'}]})


@dimension
def env_value_of_urls(n):
    return workload(container={'env': [{'name': 'A', 'value': 'a://b:$(c)@d?x=y;' * (n // 17)}]})


@dimension
def env_value_of_schemes(n):
    return workload(container={'env': [{'name': 'A', 'value': 'a://' * (n // 4)}]})


@dimension
def env_value_of_parameters(n):
    return workload(container={'env': [{'name': 'A', 'value': 'a://b' + '?password=$(A)' * (n // 14)}]})


@dimension
def env_value_of_at_signs(n):
    return workload(container={'env': [{'name': 'A', 'value': 'a://' + ':@' * (n // 2)}]})


@dimension
def env_value_of_references(n):
    return workload(container={'env': [{'name': 'A_PASSWORD', 'value': '$(A)' * (n // 4)}]})


@dimension
def env_value_of_open_references(n):
    return workload(container={'env': [{'name': 'A_PASSWORD', 'value': '$(' * (n // 2)}]})


@dimension
def env_value_of_dollars(n):
    return workload(container={'env': [{'name': 'A_PASSWORD', 'value': '$' * n}]})


@dimension
def env_from(n):
    return workload(container={'envFrom': [{'secretRef': {'name': 's%d' % i}} for i in range(n)]})


@dimension
def env_from_of_one_secret(n):
    return workload(container={'envFrom': [{'secretRef': {'name': 'shop-db'}}] * n})


@dimension
def env_from_of_connections(n):
    return workload(container={'envFrom': [{'secretRef': {'name': 's%d-conn' % i}} for i in range(n)]})


@dimension
def env_from_of_nothing(n):
    return workload(container={'envFrom': [{}] * n})


@dimension
def volume_mounts(n):
    return workload(container={'volumeMounts': [{'name': 'v', 'mountPath': '/%d' % i} for i in range(n)]})


@dimension
def volumes(n):
    return workload(pod={'volumes': [{'name': 'v%d' % i, 'emptyDir': {}} for i in range(n)]})


@dimension
def pull_secrets(n):
    return workload(pod={'imagePullSecrets': [{'name': 's%d' % i} for i in range(n)]})


# ---- metadata ----

@dimension
def annotations(n):
    return workload({**WISH, **{'example.com/k%d' % i: 'v' for i in range(n)}})


@dimension
def annotations_of_reloader(n):
    return workload({**WISH, **{'reloader.stakater.com/k%d' % i: 'v' for i in range(n)}})


@dimension
def annotations_of_the_template(n):
    return workload(template={'annotations': {'reloader.stakater.com/k%d' % i: 'v' for i in range(n)}})


@dimension
def annotations_unknown(n):
    return workload({A + 'k%d' % i: 'v' for i in range(n)})


@dimension
def annotation_length(n):
    return workload({**WISH, 'example.com/large': 'x"\n' * (n // 5)})


@dimension
def annotation_key_length(n):
    return workload({**WISH, A + 'x' * n: 'v'})


@dimension
def binding_list(n):
    return workload({A + 'bindings': ','.join('b%d' % i for i in range(n))})


@dimension
def binding_list_of_one_name(n):
    return workload({A + 'bindings': ','.join(['db'] * n)})


@dimension
def binding_list_of_commas(n):
    return workload({A + 'bindings': ',' * n})


@dimension
def binding_list_of_instances(n):
    return workload({A + 'bindings': ','.join('db=i%d' % i for i in range(n))})


@dimension
def binding_length(n):
    return workload({A + 'bindings': 'db=' + 'a.' * (n // 2) + 'a'})


@dimension
def migration_command(n):
    return workload({**WISH, A + 'migrate': json.dumps(['a'] * n)})


@dimension
def migration_command_nested(n):
    return workload({**WISH, A + 'migrate': '[' * n})


@dimension
def labels(n):
    return workload(meta={'labels': {'k%d' % i: 'v' for i in range(n)}})


@dimension
def owner_references(n):
    return workload(meta={'ownerReferences': [
        {'apiVersion': 'apps/v1', 'kind': 'Deployment', 'name': 'x', 'controller': True}] * n})


@dimension
def owner_references_of_a_replica_set(n):
    return workload(kind='ReplicaSet', meta={'ownerReferences': [
        {'apiVersion': 'apps/v1', 'kind': 'Deployments', 'name': 'x', 'controller': True}] * n})


@dimension
def managed_fields(n):
    return workload(meta={'managedFields': [{'manager': 'm%d' % i, 'operation': 'Apply', 'fieldsType': 'FieldsV1',
                                             'fieldsV1': {'f:spec': {'f:template': {'f:spec': {'f:containers': {
                                                 'k:{"name":"shop"}': {'f:envFrom': {}}}}}}}} for i in range(n)]})


@dimension
def managed_fields_of_one_manager(n):
    env_fields = {'k:{"name":"V%d"}' % i: {} for i in range(n)}
    fields = {'f:spec': {'f:template': {'f:spec': {'f:containers': {'k:{"name":"shop"}': {'f:env': env_fields}}}}}}
    return workload(meta={'managedFields': [{'manager': 'm', 'operation': 'Apply', 'fieldsType': 'FieldsV1',
                                             'fieldsV1': fields}]},
                    container={'env': [{'name': 'V%d' % i} for i in range(n)]})


@dimension
def last_applied(n):
    applied = workload(container={'env': [{'name': 'V%d' % i} for i in range(n)]})
    return workload({**WISH, 'kubectl.kubernetes.io/last-applied-configuration': json.dumps(applied)},
                    container={'env': [{'name': 'V%d' % i} for i in range(n)]})


LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration'


@dimension
def last_applied_init_containers_of_one_name(n):
    pod = {'containers': [{'name': 'shop', 'image': IMAGE}],
           'initContainers': [{'name': 'run-migrations', 'image': 'a:%d' % i} for i in range(n)]}
    theirs = {**pod, 'initContainers': [{'name': 'run-migrations', 'image': IMAGE}] * n}
    return workload({**WISH, LAST_APPLIED: json.dumps(workload(pod=pod))}, pod=theirs)


@dimension
def managed_fields_of_one_container(n):
    key = 'k:' + json.dumps({'name': 'c'})
    fields = {'f:spec': {'f:template': {'f:spec': {'f:containers': {key: {'f:env': {'k:{"name":"V"}': {}}}}}}}}
    return workload(meta={'managedFields': [{'operation': 'Apply', 'manager': 'm%d' % i, 'fieldsV1': fields}
                                            for i in range(n)]},
                    pod={'containers': [{'name': 'c', 'image': IMAGE}] * n})


@dimension
def record_of_one_group_for_many_containers(n):
    group = {'names': ['c%d' % i for i in range(n)],
             'envFrom': [{'secretRef': {'name': 's%d-conn' % i, 'optional': False}} for i in range(n)]}
    text = json.dumps({'app': 'c0', 'containers': [group]})
    return workload(pod={'containers': [{'name': 'c%d' % i, 'image': IMAGE} for i in range(n)]},
                    template={'annotations': {A + 'injected': text}})


@dimension
def record_of_one_group_and_equal_names(n):
    group = {'names': ['c'] * n,
             'envFrom': [{'secretRef': {'name': 's%d-conn' % i, 'optional': False}} for i in range(n)]}
    text = json.dumps({'app': 'c', 'containers': [group]})
    return workload(pod={'containers': [{'name': 'c', 'image': IMAGE, 'envFrom': group['envFrom']}] +
                         [{'name': 'c', 'image': IMAGE}] * n}, template={'annotations': {A + 'injected': text}})


@dimension
def annotations_of_a_near_prefix(n):
    return workload({**WISH, **{'inject.zeroto.ab%d/bindings' % i: 'db' for i in range(n)}})


@dimension
def reference_chains(n):
    pod = {'containers': [{'name': 'shop', 'image': IMAGE, 'env': [
        {'name': 'V%d' % i, 'value': '$(V%d)' % (i + 1)} for i in range(n)]}]}
    pod['initContainers'] = [{'name': 'i', 'image': IMAGE, 'env': pod['containers'][0]['env']}]
    return workload(pod=pod)


@dimension
def metadata_members_before_the_annotations(n):
    w = workload(pod={'containers': [{'name': 'c%d' % i, 'image': IMAGE} for i in range(n)]})
    w['metadata'] = {**{'k%d' % i: 1 for i in range(n)}, **w['metadata']}
    w['spec']['template']['metadata'] = {'annotations': {}, **{'k%d' % i: 1 for i in range(n)}}
    w['spec']['template']['spec'] = {**{'k%d' % i: 1 for i in range(n)}, **w['spec']['template']['spec']}
    return w


@dimension
def recorded_containers_of_one_name_that_were_applied(n):
    pod = {'containers': [{'name': 'c', 'image': IMAGE, 'env': [{'name': 'V', 'value': 'x'}]}] * n}
    text = json.dumps({'app': 'c', 'containers': [{'names': ['c'], 'env': [], 'envFrom': []}]})
    return workload({**WISH, LAST_APPLIED: json.dumps(workload(pod=pod))}, pod={'containers': list(pod['containers'])},
                    template={'annotations': {A + 'injected': text}})


@dimension
def recorded_containers_beside_applied_env(n):
    applied = workload(pod={'containers': [{'name': 'c', 'env': [{'name': 'V%d' % i} for i in range(n)]}]})
    text = json.dumps({'app': 'c', 'containers': [{'names': ['c'], 'env': [], 'envFrom': []}]})
    return workload({**WISH, LAST_APPLIED: json.dumps(applied)},
                    pod={'containers': [{'name': 'c', 'image': IMAGE}] * n},
                    template={'annotations': {A + 'injected': text}})


@dimension
def wishes_where_nobody_reads(n):
    """All of them stand in their place, too, behind many other annotations: the search goes on."""
    return workload({**{'k%d' % i: '' for i in range(n)}, **WISH}, pod={'x': [{A + 'bindings': ''}] * n})


# ---- records of what was injected, forged ----

def record_of(containers_):
    return json.dumps({'v': 1, 'config': '0', 'bindings': ['db'], 'injected': containers_}, separators=(',', ':'))


@dimension
def records(n):
    text = record_of([{'containers': ['c%d' % i], 'envFrom': [{'secretRef': {'name': 'x'}}]} for i in range(n)])
    return workload({**WISH, A + 'status': text}, template={'annotations': {A + 'injected': text}})


@dimension
def records_of_equal_entries(n):
    text = record_of([{'containers': ['shop'], 'envFrom': [{}] * n}])
    return workload({**WISH, A + 'status': text}, {'envFrom': [{}] * n},
                    template={'annotations': {A + 'injected': text}})


@dimension
def records_beside_env(n):
    text = record_of([{'containers': ['shop'], 'env': [{'name': 'Z%d' % i} for i in range(n)]}])
    return workload({**WISH, A + 'status': text}, {'env': [{'name': 'a'}] * n},
                    template={'annotations': {A + 'injected': text}})


@dimension
def record_as_it_is_written(n):
    text = json.dumps({'c%d' % i: {'envFrom': ['shop-db'], 'env': ['NATS_URL']} for i in range(n)})
    return workload(pod={'containers': [{'name': 'c%d' % i, 'image': IMAGE} for i in range(n)]},
                    template={'annotations': {A + 'injected': text}})


# ---- other kinds ----

@dimension
def external_secret_data(n):
    return external_secret({'data': [{'secretKey': 'k%d' % i, 'remoteRef': {'key': BAD}} for i in range(n)]})


@dimension
def external_secret_data_of_one_key(n):
    return external_secret({'data': [{'secretKey': 'k', 'remoteRef': {'key': BAD}}] * n})


@dimension
def external_secret_good_data(n):
    return external_secret({'data': [{'secretKey': 'k%d' % i, 'remoteRef': {'key': '/zerotouch/dev/shop/k'}}
                                     for i in range(n)]})


@dimension
def external_secret_scalars(n):
    return external_secret({'data': [0] * n})


@dimension
def external_secret_find(n):
    return external_secret({'dataFrom': [{'find': {}}] * n})


@dimension
def external_secret_path_length(n):
    return external_secret({'data': [{'secretKey': 'k', 'remoteRef': {'key': '/a' * (n // 2)}}]})


@dimension
def external_secret_path_of_placeholders(n):
    return external_secret({'data': [{'secretKey': 'k', 'remoteRef': {'key': '/_ENV' * (n // 5)}}]})


@dimension
def push_secret_data(n):
    return external_secret({'data': [{'match': {'secretKey': 'k', 'remoteRef': {'remoteKey': BAD}}}] * n}, 'PushSecret')


@dimension
def push_secret_data_to(n):
    return external_secret({'dataTo': [{'a': i} for i in range(n)]}, 'PushSecret')


@dimension
def claim_members(n):
    return {'apiVersion': 'cache.bizmatters.io/v1alpha1', 'kind': 'DragonflyInstance',
            'metadata': {'name': 'shop', 'namespace': 'tenant-a'},
            'spec': {'connectionSecretName': 'x', **{'k%d' % i: i for i in range(n)}}}


@dimension
def claim_name_length(n):
    return {'apiVersion': 'cache.bizmatters.io/v1alpha1', 'kind': 'DragonflyInstance',
            'metadata': {'name': 'a' * n, 'namespace': 'tenant-a'}, 'spec': {'connectionSecretName': 'x'}}


@dimension
def declared_values_of_one_name(n):
    """What its owner declares of a recorded variable, in many ways, is looked up for each that stands there."""
    nats = {'name': 'NATS_URL', 'value': 'nats://nats.nats.svc:4222'}
    env = [{'name': 'NATS_URL', 'value': '%d' % i} for i in range(n // 2)] + [nats]
    applied = {'apiVersion': 'apps/v1', 'kind': 'Deployment', 'metadata': {'name': 'shop'},
               'spec': {'template': {'spec': {'containers': [{'name': 'shop', 'image': IMAGE, 'env': env}]}}}}
    record = json.dumps({'app': 'shop', 'containers': [{'env': [nats], 'names': ['shop']}]})
    return workload({**WISH, 'kubectl.kubernetes.io/last-applied-configuration': json.dumps(applied)},
                    container={'env': [nats] * (n // 2)}, template={'annotations': {A + 'injected': record}})


# ---- JSON ----

@dimension
def elements(n):
    return workload(pod={'x': [0] * n})


@dimension
def members(n):
    return workload(pod={'k%06d' % i: i for i in range(n)})


@dimension
def members_of_many_objects(n):
    return workload(pod={'x': [{'k%d' % i: i for i in range(64)}] * (n // 64)})


@dimension
def members_of_large_objects(n):
    return workload(pod={'x': [{'k%d' % i: i for i in range(1024)}] * (n // 1024 + 1)})


@dimension
def nesting(n):
    return workload(pod={'x': [json.loads('[' * 200 + ']' * 200)] * (n // 200)})


@dimension
def escapes(n):
    return workload(container={'x': '"' * n})


# ---- measuring ----

def review(obj, old=None):
    group, _, version = obj['apiVersion'].rpartition('/')
    return json.dumps({
        'apiVersion': 'admission.k8s.io/v1', 'kind': 'AdmissionReview', 'request': {
            'uid': 'u', 'kind': {'group': group, 'version': version, 'kind': obj['kind']},
            'resource': {'group': group, 'version': version, 'resource': obj['kind'].lower() + 's'},
            'operation': 'UPDATE' if old else 'CREATE', 'name': 'shop', 'namespace': 'tenant-a',
            'userInfo': {'username': 'jane', 'groups': ['system:authenticated']}, 'object': obj, 'oldObject': old,
        }}, separators=(',', ':'), ensure_ascii=False).encode()


def turned(value):
    """The same value, every object's members in the opposite order."""
    if isinstance(value, dict):
        return {k: turned(v) for k, v in reversed(value.items())}
    return [turned(v) for v in value] if isinstance(value, list) else value


def created(make, n):
    return review(make(n))


def changed(make, n):
    """An update of an object that had all of it, under other labels."""
    old = make(n)
    return review({**old, 'metadata': {**old['metadata'], 'labels': {'new': 'label'}}}, turned(old))


def added(make, n):
    """An update that brings all of it."""
    return review(make(n), make(1))


def deleted(make, n):
    """A finalizer leaves."""
    old = make(n)
    return review({**old, 'metadata': {**old['metadata'], 'deletionTimestamp': '2026-11-22T01:00:00Z'}}, turned(old))


WAYS = (created, changed, added, deleted)
PHASES = ('mutate', 'validate', 'unread')  # the last is `review`'s, which knows no update


class Counter:
    def __enter__(self):
        self.process = subprocess.Popen([PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()

    def ask(self, phase, body, memory=MEMORY):
        """(status, steps, work, memory, limit, outcome)"""
        self.process.stdin.write(b'%s %d %d\n' % (phase.encode(), memory, len(body)) + body)
        self.process.stdin.flush()
        line = self.process.stdout.readline().split()
        if len(line) != 6:
            sys.exit('cost: the program ended')
        return [int(x) for x in line[:4]] + [word.decode() for word in line[4:]]


def number_for(way, make, size):
    """How many elements give a body of about that size."""
    few, many = len(way(make, 400)), len(way(make, 2400))
    return max(400, int((size - few) * 2000 / max(1, many - few)) + 400)


def measure(counter, name, way, sizes, table):
    """What is wrong with one dimension, asked for in one way: a list of sentences. `table`: each figure is printed."""
    wrong = []
    make = DIMENSIONS[name]
    n = number_for(way, make, sizes[0])
    before = {}
    for size in sizes:
        body = way(make, n)
        if len(body) > LARGEST:
            break
        for phase in PHASES[:3 if way is created else 2]:
            status, steps, work, memory, over, outcome = counter.ask(phase, body)
            # An object that is too large to be injected into takes another way, which is compared with itself alone.
            if phase != 'validate':
                same = before.get('outcome') == outcome if phase == 'mutate' else phase in before
            factor = steps * before[phase][1] / (before[phase][0] * len(body)) * 2 if same else 0
            line = ('%-40s %-8s %-8s %8d bytes %12d steps %5.2f times %6.1f a byte %9d units %9d KiB'
                    ' %s %s') % (name, way.__name__, phase, len(body), steps, factor, steps / len(body), work,
                                 memory >> 10, over, outcome)
            if table:
                print(line, flush=True)
            if factor > FACTOR or steps > STEPS_A_BYTE * len(body) or status != 200:
                wrong.append(line)
            before[phase] = steps, len(body)
            if phase == 'mutate':
                before['outcome'] = outcome
        n *= 2
    return wrong


def main():
    options = argparse.ArgumentParser(description='Steps of a decision against what a tenant multiplies.')
    options.add_argument('--full', action='store_true', help='up to the largest body')
    options.add_argument('--table', action='store_true', help='print every figure')
    options.add_argument('-k', default='', metavar='WORD', help='only dimensions whose name holds this')
    options = options.parse_args()
    sizes = [LARGEST >> i for i in range(5, -1, -1)] if options.full else [100 << 10, 200 << 10]
    passed, wrong = 0, []
    with Counter() as counter:
        for name in DIMENSIONS:
            for way in WAYS:
                if options.k in name:
                    found = measure(counter, name, way, sizes, options.table)
                    passed += not found
                    wrong += [found] if found else []
    for found in wrong:
        print('costs more than its size:\n  ' + '\n  '.join(found))
    print('%d passed, %d failed' % (passed, len(wrong)))
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
