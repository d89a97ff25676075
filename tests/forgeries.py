#!/usr/bin/python3
"""
What a tenant gains by a record that he writes himself: nothing.

    tests/forgeries.py --build build [--seed N] [--count N]

A tenant writes a workload several times: records of every kind, annotations good and bad, owners that he makes up, what
he says that he applied. The configuration changes now and then. Before connhook, a webhook of the platform puts its own
entries into each request, those that are missing. Whatever the record claims: they are all there afterwards.

A failure prints the seed and the life. `--seed N --count 1` lives it again.
"""
import argparse
import json
import os
import random
import sys
import tempfile

from support import core, exact

A = 'inject.zerotouch.io/'
RECORD = A + 'injected'
APPLIED = 'kubectl.kubernetes.io/last-applied-configuration'
STEPS = 6

# The platform's. No binding could have given any of it.
LISTS = {
    'env': [{'name': 'HTTPS_PROXY', 'value': 'http://egress'}, {'name': 'EMPTY'},
            {'name': 'TOKEN', 'valueFrom': {'secretKeyRef': {'name': 'mesh', 'key': 'token'}}},
            {'name': 'IP', 'valueFrom': {'fieldRef': {'fieldPath': 'status.podIP'}}}],
    'envFrom': [{'secretRef': {'name': 'mesh', 'optional': True}}, {'configMapRef': {'name': 'policy'}},
                {'secretRef': {'name': 'plain'}}, {'prefix': 'M_', 'secretRef': {'name': 'more', 'optional': True}}],
}
INIT = [{'name': 'vault', 'image': 'acme/shop:1', 'command': ['vault']}, {'name': 'proxy-init', 'image': 'proxy:1'}]
PULL = [{'name': 'mirror'}]
OWNERS = [{'apiVersion': 'v1', 'kind': 'ConfigMap', 'name': 'x', 'uid': '1'},
          {'apiVersion': 'apps/v1', 'kind': 'Deployment', 'name': 'x', 'uid': '1', 'controller': True}]


def some(r, items, least=0):
    return r.sample(items, r.randint(least, len(items)))


def record(r):
    """One that claims the platform's entries, and others."""
    out = {'app': r.choice(['shop', 'web', ''])}
    more = [{'name': 'NATS_URL', 'value': 'x'}, {'name': 'MINE', 'value': 'm'}]
    out['containers'] = [{'names': some(r, ['app', 'side', 'vault', 'run-migrations', 'gone'], 1),
                          'env': some(r, LISTS['env'] + more), 'envFrom': some(r, LISTS['envFrom'])}
                         for _ in range(r.randint(0, 3))]
    if r.random() < .7:
        out['imagePullSecrets'] = some(r, ['mirror', 'ghcr-pull-secret', 'x'])
    if r.random() < .7:
        out['migration'] = dict(r.choice(INIT + [{'name': 'run-migrations', 'image': 'acme/shop:1'}]))
        out['migration'].update({'from': 'app', 'command': out['migration'].get('command', [])})
    if r.random() < .3:
        out['reloader'] = r.choice(['shop-db', 'mine'])
    return json.dumps(out, separators=(',', ':'), sort_keys=True)


def workload(r):
    containers = [{'name': name, 'image': 'acme/shop:1'} for name in ('app', 'side')]
    return {'apiVersion': 'apps/v1', 'kind': r.choice(['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet']),
            'metadata': {'name': 'shop', 'namespace': 'team-a', 'annotations': {}},
            'spec': {'selector': {'matchLabels': {'a': 'b'}},
                     'template': {'metadata': {'labels': {'a': 'b'}, 'annotations': {}},
                                  'spec': {'containers': containers}}}}


def applied(r):
    pod = {'containers': [{'name': 'app', 'env': some(r, LISTS['env']), 'envFrom': some(r, LISTS['envFrom'])}],
           'initContainers': some(r, INIT)}
    notes = {RECORD: 'x'} if r.random() < .5 else {}
    return r.choice(['x', '{}', json.dumps({'metadata': {}, 'spec': {'template': {'metadata': {'annotations': notes},
                                                                                  'spec': pod}}})])


def choose(where, key, value):
    """Sets the key, or removes it."""
    if value is None:
        where.pop(key, None)
    else:
        where[key] = value


def write(r, obj):
    """What the tenant changes: one to three things."""
    metadata, template = obj['metadata'], obj['spec']['template']
    notes = metadata.setdefault('annotations', {})
    inner = template.setdefault('metadata', {}).setdefault('annotations', {})
    for what in r.choices(['record', 'bindings', 'migrate', 'inject', 'owner', 'image', 'applied', 'app'],
                          [6, 4, 2, 2, 3, 1, 1, 1], k=r.randint(1, 3)):
        if what == 'record':
            choose(inner, RECORD, r.choice([None, record(r), record(r), record(r)]))
        elif what == 'bindings':
            choose(notes, A + 'bindings', r.choice([None, 'db', 'nats', 'db,nats', 'jwt', 'bad']))
        elif what == 'migrate':
            choose(notes, A + 'migrate', r.choice([None, 'm']))
        elif what == 'inject':
            choose(notes, A + 'inject', r.choice([None, 'true', 'false']))
        elif what == 'owner':
            choose(metadata, 'ownerReferences', r.choice([None] + [[o] for o in OWNERS]))
        elif what == 'image':
            template['spec']['containers'][0]['image'] = r.choice(['acme/shop:1', 'acme/shop:2', 'proxy:1'])
        elif what == 'applied':
            choose(notes, APPLIED, applied(r))
        else:
            choose(metadata.setdefault('labels', {}), 'app.kubernetes.io/name', r.choice([None, 'web', 'shop']))


def complete(obj):
    """Adds what is missing of the platform's; returns the same object."""
    pod = obj['spec']['template']['spec']
    lists = [(container, key, items) for container in pod['containers'] for key, items in LISTS.items()]
    for parent, key, items in lists + [(pod, 'initContainers', INIT), (pod, 'imagePullSecrets', PULL)]:
        there = parent.setdefault(key, [])
        there += [exact.copy(item) for item in items if item not in there]
    return obj


def review(obj, old):
    kind = {'group': 'apps', 'version': 'v1', 'kind': obj['kind']}
    return json.dumps({'apiVersion': 'admission.k8s.io/v1', 'kind': 'AdmissionReview', 'request': {
        'uid': 'u', 'kind': kind, 'name': 'shop', 'namespace': 'team-a', 'operation': 'UPDATE' if old else 'CREATE',
        'userInfo': {'username': 'tenant'}, 'object': obj, 'oldObject': old}}).encode()


def live(pipe, configs, seed):
    """None, or what went wrong."""
    r = random.Random(seed)
    stored, obj, config, told = None, workload(r), configs[0], []
    for _ in range(STEPS):
        obj = exact.copy(stored) if stored else obj
        write(r, obj)
        config = r.choice(configs) if r.random() < .15 else config
        complete(obj)
        answer = pipe.ask('mutate', config, review(obj, stored))
        told.append('%s\n%s\n%s' % (os.path.basename(config), json.dumps(obj), answer.body.decode()))
        if not answer.allowed:
            continue
        result = core.apply(answer.patch, obj)
        if complete(exact.copy(result)) != result:
            return 'seed %d: something of the platform is gone\n%s' % (seed, '\n'.join(told))
        if pipe.ask('validate', config, review(result, stored)).allowed:
            stored = result
    return None


def make_configs(root, scratch):
    """The managed one, and those in which something that was injected has another name, or is gone."""
    with open(root + '/src/policy/load/profiles/managed.yaml') as f:
        text = f.read()
    renamed = text.replace('run-migrations', 'migrate').replace('ghcr-pull-secret', 'ghcr')
    gone = text.replace('NATS_URL', 'NATS_SERVERS')
    for name, other in (('renamed', renamed), ('gone', gone)):
        if other == text:
            sys.exit('the profile has changed: nothing was replaced for %s' % name)
        with open('%s/%s.yaml' % (scratch, name), 'w') as f:
            f.write(other)
    return ['managed', scratch + '/renamed.yaml', scratch + '/gone.yaml']


def main():
    options = argparse.ArgumentParser(description='What a tenant gains by a record that he writes himself.')
    options.add_argument('--build', default='build')
    options.add_argument('--seed', type=int, default=1, help='the first seed')
    options.add_argument('--count', type=int, default=1000, help='how many seeds')
    options = options.parse_args()
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    with tempfile.TemporaryDirectory() as scratch, core.Core(options.build) as pipe:
        configs = make_configs(root, scratch)
        lives = [live(pipe, configs, seed) for seed in range(options.seed, options.seed + options.count)]
    wrong = [text for text in lives if text]
    for text in wrong[:3]:
        print(text + '\n')
    print('%d passed, %d failed' % (options.count - len(wrong), len(wrong)))
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
