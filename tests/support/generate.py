"""Configurations, workloads and edits made from a seed: the same seed, the same bytes."""
import fnmatch
import random

from support import exact, kube

N = exact.Number
BINDINGS = kube.PREFIX + 'bindings'
INJECT, APP, CONTAINERS = kube.PREFIX + 'inject', kube.PREFIX + 'app', kube.PREFIX + 'containers'
MIGRATE = kube.PREFIX + 'migrate'
MIGRATE_IMAGE, MIGRATE_FROM, MIGRATE_POSITION = MIGRATE + '-image', MIGRATE + '-from', MIGRATE + '-position'

IMAGES = ['ghcr.io/acme/shop:1.0', 'ghcr.io/acme/shop:2.0', 'registry.example.com:5000/team/shop:1',
          'registry.example.com/worker@sha256:' + 'a' * 64, 'nginx', 'acme/tool:latest', 'quay.io/acme/tool:v1.2-rc.1']
ENV_NAMES = ['MODE', 'LOG_LEVEL', 'A', 'B', 'C', 'POD_IP', 'GREETING', 'lower', 'DOTS.ARE.ALLOWED']
COLLIDING = ['POSTGRES_HOST', 'POSTGRES_PASSWORD', 'NATS_URL', 'DATABASE_URL', 'HOST', 'QUEUE_URL']
VALUES = ['', 'prod', 'yes', '1', '$(A)/x', 'grüße ☃ 日本', 'two\nlines', '"quoted" \\ back', '\u2028', 'x' * 300]
ODD = [N('9007199254740993'), N('1.50'), N('1e400'), N('-0.0'), N('18446744073709551616'), N('1E-2'), None, True, '',
       [], {}, [[], {}, None], {'': {'a/b~c': N('1.0')}}, '\x00\x1f']
OWN_NAMES = ['shop', 'worker', 'exporter', 'cron', 'a-b-c', 'x1']


# ---- configurations ----

def config(rng):
    """A configuration as a dict."""
    bindings = []
    for name in rng.sample(['db', 'cache', 'jwt', 'llm-keys', 'nats', 'queue', 'ca', 'flags'], rng.randint(2, 8)):
        bindings.append(_binding(rng, name))
    out = {'apiVersion': 'connhook.zerotouch.io/v1alpha1', 'kind': 'InjectorConfig', 'bindings': bindings,
           'rules': {'env-collision': {'mode': rng.choice(['off', 'warn'])}}, 'reloader': rng.random() < 0.7}
    migration = {'containerName': rng.choice(['run-migrations', 'migrate'])}
    if rng.random() < 0.5:
        migration['shell'] = rng.choice([['/bin/sh', '-c'], ['/bin/bash', '-euo', 'pipefail', '-c']])
    if rng.random() < 0.7:
        migration['resources'] = rng.choice([
            {'requests': {'cpu': '100m', 'memory': '128Mi'}}, {'limits': {'cpu': '1000m', 'memory': '1024Mi'}},
            {'limits': {'cpu': '1'}, 'requests': {'cpu': '0.5'}}, {'limits': {'memory': '1.5Gi'}}])
    out['migration'] = migration
    if rng.random() < 0.7:
        out['imagePullSecrets'] = rng.choice([
            [{'name': 'ghcr-pull-secret', 'registries': ['ghcr.io']}],
            [{'name': 'a', 'registries': ['*.io', 'docker.io']},
             {'name': 'b', 'registries': ['registry.example.com:*']}]])
    out['excludeContainers'] = rng.choice([[], ['istio-proxy'], ['istio-*', 'linkerd-proxy']])
    if rng.random() < 0.2:
        plain = [b['name'] for b in bindings if '{instance}' not in str(b)]
        if plain:
            out['defaults'] = [{'matchLabels': {'zerotouch.io/inject': 'true'}, 'bindings': rng.choice(plain)}]
    return out


def _binding(rng, name):
    b = {'name': name}
    sort = rng.randrange(6)
    if sort < 3:
        b['secretName'] = rng.choice(['{app}-' + name, '{namespace}-' + name, 'fixed-' + name])
    elif sort < 5:
        b['claim'] = '{app}-' + name
    keys = rng.sample(['endpoint', 'port', 'password', 'DATABASE_URL', 'token'], rng.randint(0, 3))
    if sort == 5:
        names = rng.sample([name.upper().replace('-', '_') + '_URL', 'NATS_URL', 'HOST'], rng.randint(1, 2))
        b['env'] = [{'name': n, 'value': rng.choice(['nats://nats.nats.svc:4222', '{app}.{namespace}.svc', 'x'])}
                    for n in names]
        return b
    if keys and rng.random() < 0.6:
        b['keys'] = keys
    if rng.random() < 0.3:
        b['optional'] = True
    if keys and rng.random() < 0.4:
        stem = name.upper().replace('-', '_')
        b['env'] = [{'name': '%s_%s' % (stem, k.upper()), 'key': k} for k in keys]
        if rng.random() < 0.3:
            b['env'].append({'name': stem + '_WHERE', 'value': '$(%s_%s)/{app}' % (stem, keys[0].upper())})
    elif rng.random() < 0.3:
        b['prefix'] = name.upper().replace('-', '_') + '_'
    return b


# ---- workloads ----

def workload(rng, cfg, walk=False):
    """
    A workload that the configuration (a dict) can inject without a denial. With `walk`, nothing in it that kubectl
    apply cannot keep apart from what connhook injects: no names twice in a list, no entry like an injected one.
    """
    kind = rng.choices(kube.WORKLOADS, (30, 10, 8, 6, 8, 10, 14))[0]
    if walk and kind == 'Job':
        kind = 'Deployment'
    version = {'Job': 'batch/v1', 'CronJob': 'batch/v1', 'Rollout': 'argoproj.io/v1alpha1'}.get(kind, 'apps/v1')
    meta = {'name': rng.choice(['shop', 'identity', 'agent-1']), 'namespace': rng.choice(['tenant-a', 'tenant-b'])}
    if rng.random() < 0.6:
        meta['labels'] = {'app.kubernetes.io/name': rng.choice(['shop', 'store'])}
        if rng.random() < 0.3:
            meta['labels']['zerotouch.io/inject'] = 'true'
    if rng.random() < 0.2:
        meta['managedFields'] = [{'manager': 'kubectl', 'fieldsV1': {'f:spec': {'f:replicas': {}}}}]
    template = _template(rng, cfg, walk)
    spec = {'replicas': N(rng.randint(0, 5)), 'selector': {'matchLabels': {'app': 'x'}}, 'template': template}
    if kind == 'CronJob':
        spec = {'schedule': '* * * * *', 'jobTemplate': {'spec': {'template': template}}}
    obj = {'apiVersion': version, 'kind': kind, 'metadata': meta, 'spec': spec}
    _wish(rng, cfg, obj, template)
    if rng.random() < 0.3:
        obj['spec']['futureField'] = rng.choice(ODD)
    if rng.random() < 0.2:
        obj['status'] = {'observedGeneration': N('3'), 'odd': rng.choice(ODD)}
    return obj


def _template(rng, cfg, walk):
    spec = {}
    names = rng.sample(OWN_NAMES, rng.randint(1, 4))
    spec['containers'] = [_container(rng, n, walk) for n in names]
    if rng.random() < 0.25:
        spec['containers'].insert(rng.randint(0, len(names)),
                                  _container(rng, rng.choice(['istio-proxy', 'linkerd-proxy']), walk))
    roll = rng.random()
    if roll < 0.35:
        names = rng.sample(['warm-up', 'wait', 'tail'], rng.randint(1, 3))
        spec['initContainers'] = [_container(rng, n, walk) for n in names]
        if rng.random() < 0.5:
            spec['initContainers'][-1]['restartPolicy'] = 'Always'
    elif roll < 0.45 and not walk:
        spec['initContainers'] = rng.choice([None, []])
    roll = rng.random()
    if roll < 0.2:
        spec['imagePullSecrets'] = [{'name': n} for n in rng.sample(['mine', 'other'], rng.randint(1, 2))]
    elif roll < 0.3 and not walk:
        spec['imagePullSecrets'] = rng.choice(
            [None, [], [{'name': 'ghcr-pull-secret'}], [{'name': 'b'}, {'name': 'mine'}]])
    if rng.random() < 0.4:
        spec['volumes'] = [{'name': 'scratch', 'emptyDir': {}}]
    if rng.random() < 0.3:
        spec['securityContext'] = {'runAsUser': N('1000'), 'fsGroup': N('1000')}
    if rng.random() < 0.2:
        spec['futureField'] = rng.choice(ODD)
    template = {'spec': spec}
    if rng.random() < 0.8:
        template['metadata'] = {'labels': {'app': 'x'}}
        if rng.random() < 0.3:
            template['metadata']['annotations'] = {'example.com/note': rng.choice(VALUES)}
    return template


def _container(rng, name, walk):
    c = {'name': name, 'image': rng.choice(IMAGES)}
    if rng.random() < 0.6:
        c['env'] = [env_entry(rng, n) for n in rng.sample(ENV_NAMES, rng.randint(1, 4))]
        if rng.random() < 0.25:
            c['env'].insert(rng.randint(0, len(c['env'])), env_entry(rng, rng.choice(COLLIDING)))
        if rng.random() < 0.1 and not walk:
            c['env'].append(env_entry(rng, c['env'][0]['name']))
    elif rng.random() < 0.2 and not walk:
        c['env'] = rng.choice([None, []])
    if rng.random() < 0.4:
        c['envFrom'] = [source(rng) for _ in range(rng.randint(1, 3))]
        if rng.random() < 0.3 and not walk:
            c['envFrom'].insert(rng.randint(0, 2), rng.choice([
                {'secretRef': {'name': 'shop-db'}}, {'secretRef': {'name': 'shop-jwt', 'optional': True}},
                {'prefix': 'X_', 'secretRef': {'name': 'shop-db'}}, {'secretRef': {'name': 'fixed-db'}}]))
    elif rng.random() < 0.1 and not walk:
        c['envFrom'] = rng.choice([None, []])
    for key, chance, values in (
            ('command', 0.3, [['node', 'server.js']]), ('args', 0.2, [['--port', '1'], []]),
            ('workingDir', 0.3, ['/app', '/']), ('imagePullPolicy', 0.3, ['Always', 'Never']),
            ('ports', 0.3, [[{'containerPort': N('8080')}]]),
            ('resources', 0.3, [{'limits': {'cpu': '1'}}, {}]),
            ('securityContext', 0.4, [{'runAsNonRoot': True, 'capabilities': {'drop': ['ALL']}},
                                      {'runAsUser': N('0')}]),
            ('volumeMounts', 0.3, [[{'name': 'scratch', 'mountPath': '/tmp'}]]),
            ('livenessProbe', 0.2, [{'httpGet': {'path': '/', 'port': N('8080')}}]),
            ('futureField', 0.15, ODD)):
        if rng.random() < chance:
            c[key] = exact.copy(rng.choice(values))
    if walk:  # the API server's default for it depends on the image there was first
        c.setdefault('imagePullPolicy', 'IfNotPresent')
    return c


def env_entry(rng, name):
    if rng.random() < 0.7:
        return {'name': name, 'value': rng.choice(VALUES)}
    return {'name': name, 'valueFrom': exact.copy(rng.choice([
        {'fieldRef': {'fieldPath': 'status.podIP'}}, {'secretKeyRef': {'name': 'mine', 'key': 'k'}},
        {'configMapKeyRef': {'name': 'settings', 'key': 'k', 'optional': True}}]))}


def source(rng):
    s = {rng.choice(['configMapRef', 'secretRef']): {'name': rng.choice(['settings', 'extra', 'more', 'own'])}}
    return {'prefix': rng.choice(['X_', 'Y_']), **s} if rng.random() < 0.3 else s


# ---- what the workload asks for ----

def bindings_text(rng, cfg):
    parts = []
    for b in rng.sample(cfg['bindings'], rng.randint(1, min(4, len(cfg['bindings'])))):
        part = b['name']
        if ('secretName' in b or 'claim' in b) and rng.random() < 0.3:
            part += rng.choice(['=', ' = ']) + rng.choice(['orders', 'carts'])
        parts.append(part)
    return rng.choice([',', ', ']).join(parts)


def app_containers(obj, cfg):
    """Names of the containers that are injected by default."""
    excluded = cfg.get('excludeContainers', [])
    return [c['name'] for c in kube.template(obj)['spec']['containers']
            if not any(fnmatch.fnmatchcase(c['name'], g) for g in excluded)]


def _wish(rng, cfg, obj, template):
    wishes = {}
    if rng.random() < 0.92:
        wishes[BINDINGS] = bindings_text(rng, cfg)
    names = app_containers(obj, cfg)
    if names and rng.random() < 0.25:
        wishes[CONTAINERS] = ','.join(rng.sample(names, rng.randint(1, len(names))))
    if rng.random() < 0.2:
        wishes[APP] = rng.choice(['store', 'front'])
    if rng.random() < 0.5:
        wishes.update(migration(rng, names, wishes.get(CONTAINERS)))
    for key, value in wishes.items():
        where = obj['metadata'] if rng.random() < 0.8 else template.setdefault('metadata', {})
        where.setdefault('annotations', {})[key] = value
    if rng.random() < 0.3:
        obj['metadata'].setdefault('annotations', {})['example.com/a~1b'] = 'x'
    if rng.random() < 0.15:
        obj['metadata'].setdefault('annotations', {})['reloader.stakater.com/auto'] = 'true'


def migration(rng, names, selected):
    out = {MIGRATE: rng.choice(['npm run migrate', '["./migrate","up"]', 'set -e\n./migrate\n',
                                '["/bin/sh", "-c", "a && b"]'])}
    if rng.random() < 0.3:
        out[MIGRATE_POSITION] = rng.choice(['first', 'last'])
    if rng.random() < 0.2:
        out[MIGRATE_IMAGE] = rng.choice(IMAGES)
    among = selected.split(',') if selected else names
    if among and rng.random() < 0.2:
        out[MIGRATE_FROM] = rng.choice(among)
    return out


# ---- edits: what a user changes, on the manifest or on the live object ----

def annotate(obj, key, value):
    """Sets or (None) removes one annotation, wherever it counts."""
    template = kube.template(obj)
    meta = template.get('metadata') or {}
    if key in (meta.get('annotations') or {}):
        del meta['annotations'][key]
    annotations = obj['metadata'].setdefault('annotations', {})
    if value is None:
        annotations.pop(key, None)
    else:
        annotations[key] = value


def wished(obj, key):
    template = kube.template(obj) or {}
    for meta in (template.get('metadata') or {}, obj.get('metadata') or {}):
        value = (meta.get('annotations') or {}).get(key)
        if value is not None:
            return value
    return None


def _pick(rng, obj, user):
    """A container of the user's: in `obj`, and in the user's manifest."""
    mine = rng.choice(kube.template(user)['spec']['containers'])
    return next(c for c in kube.template(obj)['spec']['containers'] if c['name'] == mine['name']), mine


def edit_bindings(rng, cfg, obj, user):
    annotate(obj, BINDINGS, bindings_text(rng, cfg) if rng.random() < 0.85 else None)


def edit_image(rng, cfg, obj, user):
    _pick(rng, obj, user)[0]['image'] = rng.choice(IMAGES)


def edit_env_add(rng, cfg, obj, user):
    c, mine = _pick(rng, obj, user)
    taken = {e['name'] for e in mine.get('env') or []}
    given = [e['name'] for b in cfg['bindings'] for e in b.get('env', [])]
    names = given if given and rng.random() < 0.4 else ENV_NAMES
    free = [n for n in names if n not in taken] or [n for n in ENV_NAMES if n not in taken]
    entry = env_entry(rng, rng.choice(free))
    c['env'] = list(c.get('env') or []) + [entry]


def edit_env_drop(rng, cfg, obj, user):
    c, mine = _pick(rng, obj, user)
    names = [e['name'] for e in mine.get('env') or []]
    if names:
        gone = rng.choice(names)
        c['env'] = [e for e in c['env'] if e['name'] != gone]
        if not c['env']:  # an empty list and none are one to the API server
            del c['env']


def edit_env_change(rng, cfg, obj, user):
    c, mine = _pick(rng, obj, user)
    names = [e['name'] for e in mine.get('env') or []]
    if names:
        which = rng.choice(names)
        new = env_entry(rng, which)
        c['env'] = [new if e['name'] == which else e for e in c['env']]


def edit_sources(rng, cfg, obj, user):
    c, mine = _pick(rng, obj, user)
    own = list(mine.get('envFrom') or [])
    if own and rng.random() < 0.5:
        gone = rng.choice(own)
        c['envFrom'] = [e for e in c['envFrom'] if e != gone]
        if not c['envFrom']:
            del c['envFrom']
    else:
        c['envFrom'] = list(c.get('envFrom') or []) + [source(rng)]


def edit_order(rng, cfg, obj, user):
    rng.shuffle(kube.template(obj)['spec']['containers'])


def edit_container_add(rng, cfg, obj, user):
    spec = kube.template(obj)['spec']
    free = [n for n in OWN_NAMES if n not in {c['name'] for c in spec['containers']}]
    if not free:
        return
    new = _container(rng, rng.choice(free), True)
    spec['containers'].insert(rng.randint(0, len(spec['containers'])), new)


def edit_container_drop(rng, cfg, obj, user):
    containers = kube.template(obj)['spec']['containers']
    keep = {n.strip() for k in (CONTAINERS, MIGRATE_FROM) for n in (wished(user, k) or '').split(',')}
    loose = [c for c in containers if c['name'] not in keep]
    if len(containers) > 1 and loose and len(app_containers(user, cfg)) > 1:
        containers.remove(rng.choice(loose))


def edit_migration(rng, cfg, obj, user):
    for key in (MIGRATE, MIGRATE_IMAGE, MIGRATE_FROM, MIGRATE_POSITION):
        annotate(obj, key, None)
    if rng.random() < 0.7:
        for key, value in migration(rng, app_containers(user, cfg), wished(user, CONTAINERS)).items():
            annotate(obj, key, value)


def edit_position(rng, cfg, obj, user):
    if wished(user, MIGRATE):
        annotate(obj, MIGRATE_POSITION, rng.choice(['first', 'last', None]))


def edit_opt(rng, cfg, obj, user):
    annotate(obj, INJECT, rng.choice(['false', 'true', None]))


def edit_init(rng, cfg, obj, user):
    spec = kube.template(obj)['spec']
    own = [c['name'] for c in kube.template(user)['spec'].get('initContainers') or []]
    if own and rng.random() < 0.5:
        gone = rng.choice(own)
        spec['initContainers'] = [c for c in spec['initContainers'] if c['name'] != gone]
        if not spec['initContainers']:
            del spec['initContainers']
    else:
        free = [n for n in ('warm-up', 'wait', 'tail', 'seed') if n not in own]
        new = _container(rng, rng.choice(free), True) if free else None
        if new:
            spec['initContainers'] = list(spec.get('initContainers') or []) + [new]


def edit_selection(rng, cfg, obj, user):
    names = app_containers(user, cfg)
    if names and not wished(user, MIGRATE_FROM):
        chosen = ','.join(rng.sample(names, rng.randint(1, len(names))))
        annotate(obj, CONTAINERS, chosen if rng.random() < 0.7 else None)


def edit_app(rng, cfg, obj, user):
    annotate(obj, APP, rng.choice(['store', 'front', 'back', None]))


def edit_pull_secrets(rng, cfg, obj, user):
    spec = kube.template(obj)['spec']
    own = [s['name'] for s in kube.template(user)['spec'].get('imagePullSecrets') or []]
    if own and rng.random() < 0.5:
        gone = rng.choice(own)
        spec['imagePullSecrets'] = [s for s in spec['imagePullSecrets'] if s['name'] != gone]
        if not spec['imagePullSecrets']:
            del spec['imagePullSecrets']
    else:
        free = [n for n in ('mine', 'other', 'third') if n not in own]
        if free:
            spec['imagePullSecrets'] = list(spec.get('imagePullSecrets') or []) + [{'name': rng.choice(free)}]


def edit_container_field(rng, cfg, obj, user):
    c, _ = _pick(rng, obj, user)
    key, value = rng.choice([('workingDir', '/srv'), ('imagePullPolicy', 'Never'), ('command', ['./run']),
                             ('securityContext', {'runAsUser': N('7')}), ('volumeMounts', None), ('workingDir', None)])
    if value is None:
        c.pop(key, None)
    else:
        c[key] = value


def edit_nothing(rng, cfg, obj, user):
    obj['metadata'].setdefault('labels', {})['touched'] = rng.choice(['a', 'b'])


EDITS = {name[5:]: f for name, f in list(globals().items()) if name.startswith('edit_')}


def annotated(obj, key, value):
    """A copy with one annotation set."""
    obj = exact.copy(obj)
    annotate(obj, key, value)
    return obj


def edit(name, seed, cfg, obj, user):
    """
    The object after the edit; `user` is the manifest before it, from which names are chosen, so that the same edit
    can be made on the manifest and on the live object.
    """
    obj = exact.copy(obj)
    EDITS[name](random.Random(seed), cfg, obj, user)
    return obj
