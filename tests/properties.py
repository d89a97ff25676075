#!/usr/bin/python3
"""
Properties of decide() over generated configurations and workloads.

    tests/properties.py --build build [--seed N] [--count N] [--jobs N]

Every seed is a configuration and a workload; a failure prints the seed, the property, and the smallest configuration
and object it could find that still fail. `--seed N --count 1` runs that seed again.
"""
import argparse
import fnmatch
import json
import multiprocessing
import os
import random
import re
import sys
import tempfile

from support import core, exact, generate, kube

GENERATED = 96     # configurations, beside the shipped ones
SHRINK_TRIES = 400
PROFILES = ('managed', 'in-cluster')


class Broken(AssertionError):
    """A property that does not hold: `name` for shrinking, and what was seen."""

    def __init__(self, name, seen=''):
        super().__init__(name)
        self.name, self.seen = name, seen


class World:
    """What a property needs: the core, a configuration (`cfg` is its content) and other ones to change to."""

    def __init__(self, pipe, configs, index):
        self.pipe, self.configs, self.index = pipe, configs, index
        self.config, self.cfg = configs[index]

    def ask(self, phase, operation, obj, old=None, config=None):
        review = kube.review(operation, obj, old)
        return self.pipe.ask(phase, config or self.config, exact.dumps(review), review['request'])

    def mutate(self, operation, obj, old=None, config=None):
        """The object after mutation, and the answer."""
        a = self.ask('mutate', operation, obj, old, config)
        if not a.allowed:
            raise Broken('a workload made to be allowed is denied', a.response)
        return core.apply(a.patch, obj), a


def need(condition, name, seen=''):
    if not condition:
        raise Broken(name, seen() if callable(seen) else seen)


def diff(a, b, path=''):
    """The first places where two values differ, for people."""
    if isinstance(a, dict) and isinstance(b, dict):
        out = []
        for k in list(a) + [k for k in b if k not in a]:
            if k not in a or k not in b:
                out.append('%s/%s: %s -> %s' % (path, k, show(a.get(k, '(absent)')), show(b.get(k, '(absent)'))))
            else:
                out += diff(a[k], b[k], path + '/' + k)
        return out
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return [line for i, (x, y) in enumerate(zip(a, b)) for line in diff(x, y, '%s/%d' % (path, i))]
    return [] if a == b and type(a) is type(b) else ['%s: %s -> %s' % (path, show(a), show(b))]


def show(value):
    return value if isinstance(value, str) and value.startswith('(') else exact.dumps(value).decode()


# ---- what the specification says should be injected, worked out once more ----

def wanted_bindings(w, obj):
    """[(binding, instance or None)]"""
    text = generate.wished(obj, generate.BINDINGS)
    if text is None:
        labels = obj['metadata'].get('labels') or {}
        for d in w.cfg.get('defaults', []):
            spaces = d.get('namespaces')
            if (not spaces or any(fnmatch.fnmatchcase(obj['metadata']['namespace'], g) for g in spaces)) \
                    and all(labels.get(k) == v for k, v in d.get('matchLabels', {}).items()):
                text = d['bindings']
                break
    out = []
    for part in (text or '').split(',') if text else []:
        name, _, instance = part.partition('=')
        out.append((next(b for b in w.cfg['bindings'] if b['name'] == name.strip()), instance.strip() or None))
    return out


def entries(w, obj):
    """(envFrom, env, Secrets) that the bindings give, before the user's own are looked at."""
    meta = obj['metadata']
    app = generate.wished(obj, generate.APP) or (meta.get('labels') or {}).get('app.kubernetes.io/name') \
        or meta.get('name') or meta['generateName'].rstrip('-')
    sources, env, secrets = [], [], []
    for b, instance in wanted_bindings(w, obj):
        def fill(text):
            return text.replace('{app}', app).replace('{namespace}', meta['namespace'])
        secret = instance or fill(b.get('secretName') or b.get('claim') or '')
        if 'claim' in b:
            secret += '-conn'
        secrets.append(secret)
        optional = {'optional': True} if b.get('optional') else {}
        for e in b.get('env', []):
            env.append({'name': e['name'], 'value': fill(e['value'])} if 'value' in e else
                       {'name': e['name'],
                        'valueFrom': {'secretKeyRef': {'name': secret, 'key': e['key'], **optional}}})
        if secret and not any('key' in e for e in b.get('env', [])):
            s = {'secretRef': {'name': secret, 'optional': bool(b.get('optional'))}}
            if b.get('prefix'):
                s = {'prefix': b['prefix'], **s}
            sources.append(s)
    return sources, env, secrets


def unique(items, key):
    seen = {}
    for item in items:
        seen.setdefault(key(item), item)
    return list(seen.values())


def source_key(s):
    return (s.get('prefix') or '', s['secretRef']['name']) if 'secretRef' in s else id(s)


def selected(w, obj):
    patterns = generate.wished(obj, generate.CONTAINERS)
    names = [c['name'] for c in kube.template(obj)['spec']['containers']]
    if patterns is None:
        return generate.app_containers(obj, w.cfg)
    return [n for n in names if any(fnmatch.fnmatchcase(n, p.strip()) for p in patterns.split(','))]


def is_off(w, obj):
    """Does the workload ask for nothing?"""
    return generate.wished(obj, generate.INJECT) == 'false' or \
        not wanted_bindings(w, obj) and not generate.wished(obj, generate.MIGRATE)


# ---- properties ----

def check_content(w, obj, result):
    """Everything in the result is the user's, where they put it, or what the specification says is injected."""
    spec, done = kube.template(obj)['spec'], kube.template(result)['spec']
    sources, env, given_secrets = entries(w, obj)
    names = [] if is_off(w, obj) else selected(w, obj)
    back = exact.copy(result)
    secrets = []
    for before, now, rest in zip(spec['containers'], done['containers'], kube.template(back)['spec']['containers']):
        for field, given, key in (('env', env, lambda e: e['name']), ('envFrom', sources, source_key)):
            mine, have = before.get(field) or [], now.get(field) or []
            taken = {key(e) for e in mine}
            new = [e for e in unique(given, key) if key(e) not in taken] if before['name'] in names else []
            given_keys = {key(e) for e in new}
            need([e for e in have if key(e) not in given_keys] == mine,
                 'user entries keep value and order', lambda: diff(mine, have))
            need(sorted(map(show, (e for e in have if key(e) in given_keys))) == sorted(map(show, new)),
                 'injected entries are what the bindings give', lambda: 'wanted %s, got %s' % (show(new), show(have)))
            check_order(field, have, new)
            if new:
                restore(rest, before, field)
            secrets += [secret_of(e) for e in new]
    check_init_containers(w, obj, spec, done, names, sources + env)
    restore(kube.template(back)['spec'], spec, 'initContainers')
    own = spec.get('imagePullSecrets') or []
    have = done.get('imagePullSecrets') or []
    added = [s for s in have if s not in own]
    need([s for s in have if s in own] == own, 'the user\'s pull secrets keep their order')
    need({s['name'] for s in added} <= {s['name'] for s in w.cfg.get('imagePullSecrets', [])}, 'pull secrets', added)
    restore(kube.template(back)['spec'], spec, 'imagePullSecrets')
    annotations = back['metadata'].get('annotations') or {}
    check_reloader(w, obj, annotations, given_secrets, secrets)
    for key in (kube.STATUS, kube.RELOADER):
        if key not in (obj['metadata'].get('annotations') or {}):
            annotations.pop(key, None)
    if not annotations:
        restore(back['metadata'], obj['metadata'], 'annotations')
    drop_record(back, obj)
    need(back == obj, 'nothing else is touched', lambda: '\n'.join(diff(obj, back)))


def check_order(field, have, new):
    """Injected entries stand first, but behind those that they refer to."""
    place = {}
    for i, e in enumerate(have):
        place[e.get('name', i) if field == 'env' else i] = i
    for i, e in enumerate(have):
        if e not in new:
            continue
        names = re.findall(r'\$\(([^)]*)\)', str(e.get('value') or ''))
        named = [place[n] for n in names if n in place and n != e['name']]
        need(all(p < i for p in named), 'an entry stands behind those it refers to', have)
        need(named or all(x in new for x in have[:i]), 'injected entries stand in front', have)


def secret_of(entry):
    """The Secret that an entry of env or envFrom reads, or None."""
    ref = entry.get('secretRef') or (entry.get('valueFrom') or {}).get('secretKeyRef')
    return ref and ref['name']


def check_reloader(w, obj, annotations, given, injected):
    """Reloader's annotation names what was injected, unless the user has one of Reloader's."""
    users = [k for meta in (obj['metadata'], kube.template(obj).get('metadata') or {})
             for k in meta.get('annotations') or {} if '.stakater.com/' in k]
    names = ','.join(unique((s for s in given if s and s in injected), str))
    wanted = (obj['metadata'].get('annotations') or {}).get(kube.RELOADER) \
        if users or not w.cfg.get('reloader') or obj['kind'] in ('Job', 'CronJob') else names or None
    need(annotations.get(kube.RELOADER) == wanted, 'Reloader\'s annotation',
         lambda: 'wanted %s, got %s' % (wanted, annotations.get(kube.RELOADER)))


def drop_record(now, before):
    """Takes connhook's record off the template, and what had to be there for it."""
    t, old = kube.template(now), kube.template(before)
    (t.get('metadata') or {}).get('annotations', {}).pop(kube.RECORD, None)
    if not (t.get('metadata') or {}).get('annotations'):
        if 'metadata' in t:
            restore(t['metadata'], old.get('metadata') or {}, 'annotations')
        if not t.get('metadata'):
            restore(t, old, 'metadata')


def plain_template(obj):
    """The pod template; lists that are empty or null count as absent, as the API server has it."""
    t = exact.copy(kube.template(obj))
    spec = t['spec']
    parts = [(spec, ('initContainers', 'imagePullSecrets'))] + [(c, ('env', 'envFrom')) for c in spec['containers']]
    for part, fields in parts:
        for field in fields:
            if not part.get(field):
                part.pop(field, None)
    if t.get('metadata') is not None and not t['metadata'].get('annotations'):
        t['metadata'].pop('annotations', None)
    if not t.get('metadata'):
        t.pop('metadata', None)
    return t


def restore(now, before, field):
    now.pop(field, None)
    if field in before:
        now[field] = exact.copy(before[field])


def check_init_containers(w, obj, spec, done, names, given):
    name = w.cfg['migration']['containerName']
    own, have = spec.get('initContainers') or [], done.get('initContainers') or []
    migrations = [c for c in have if c['name'] == name]
    need([c for c in have if c['name'] != name] == own, 'the user\'s init containers are untouched',
         lambda: diff(own, have))
    wanted = generate.wished(obj, generate.MIGRATE) is not None and not is_off(w, obj) and bool(names)
    need(len(migrations) == wanted, 'one migration container where one is asked for', have)
    if not wanted:
        return
    m = migrations[0]
    first = generate.wished(obj, generate.MIGRATE_POSITION) == 'first'
    sidecars = [i for i, c in enumerate(own) if c.get('restartPolicy') == 'Always']
    need(have.index(m) == ((sidecars[-1] + 1 if sidecars else 0) if first else len(own)),
         'the migration stands where it was asked to', have)
    source = generate.wished(obj, generate.MIGRATE_FROM) or names[0]
    model = next(c for c in done['containers'] if c['name'] == source)
    need(m['image'] == (generate.wished(obj, generate.MIGRATE_IMAGE) or model['image']), 'the migration\'s image', m)
    for field in ('imagePullPolicy', 'env', 'envFrom', 'volumeMounts', 'workingDir', 'securityContext'):
        need((m.get(field) or None) == (model.get(field) or None), 'the migration has its model\'s ' + field,
             lambda: '%s, model %s' % (show(m.get(field)), show(model.get(field))))
    text = generate.wished(obj, generate.MIGRATE)
    command = json.loads(text) if text.startswith('[') else \
        w.cfg['migration'].get('shell', ['/bin/sh', '-c']) + [text]
    got = (m.get('command') or []) + (m.get('args') or [])
    need(got == command or got == command[:-1] + [command[-1].strip()], 'the migration\'s command', got)


def single(w, obj):
    """One creation, and what follows from it: of the object as it is, and as an API server would have sent it."""
    for made, keep in ((obj, exact.copy), (kube.stored(obj), kube.stored)):
        result, _ = w.mutate('CREATE', made)
        check_content(w, made, result)
        live = keep(result)
        for again, operation, old in ((result, 'CREATE', None), (live, 'CREATE', None), (live, 'UPDATE', live)):
            b = w.ask('mutate', operation, again, old)
            need(b.allowed and not b.patch, 'mutate(mutate(x)) = mutate(x)', b.patch or b.response)
        v = w.ask('validate', 'CREATE', live)
        need(not any('[%s]' % rule in show(v.response) for rule in ('injection-complete', 'annotations')),
             'validating the mutated object finds it complete', v.response)
        if obj['kind'] != 'Job':
            opt_out(w, made, live)
    label(w, live)
    if obj['kind'] != 'Job':
        image(w, made, live)


def opt_out(w, obj, live):
    """inject: "false", or the loss of all annotations, gives the template back exactly."""
    out = generate.annotated(live, generate.INJECT, 'false')
    back, _ = w.mutate('UPDATE', out, live)
    plain = generate.annotated(obj, generate.INJECT, 'false')
    need(plain_template(back) == plain_template(plain), 'opt-out gives back the pod template',
         lambda: '\n'.join(diff(plain_template(plain), plain_template(back))))
    need(annotations(back) == annotations(plain), 'opt-out gives back the annotations',
         lambda: '\n'.join(diff(annotations(plain), annotations(back))))
    if not w.cfg.get('defaults'):
        bare, gone = without_annotations(obj), without_annotations(live)
        back, _ = w.mutate('UPDATE', gone, live)
        need(plain_template(back) == plain_template(bare), 'losing all annotations gives back the pod template',
             lambda: '\n'.join(diff(plain_template(bare), plain_template(back))))


def annotations(obj):
    return {k: v for k, v in (obj['metadata'].get('annotations') or {}).items() if k != kube.STATUS}


def without_annotations(obj):
    """All of the client's wishes gone. The record stays on the template: the client did not write it."""
    obj = exact.copy(obj)
    obj['metadata'].pop('annotations', None)
    meta = kube.template(obj).get('metadata') or {}
    for key in [k for k in meta.get('annotations') or {} if k.startswith(kube.PREFIX) and k != kube.RECORD]:
        del meta['annotations'][key]
    return obj


def label(w, live):
    """A label or a new replica count gets no patch, under whichever configuration."""
    changed = generate.edit('nothing', 0, w.cfg, live, live)
    changed['spec']['replicas'] = exact.Number('7')
    for config, _ in (w.configs[w.index], w.configs[(w.index + 1) % len(w.configs)]):
        a = w.ask('mutate', 'UPDATE', changed, live, config)
        need(a.allowed and not a.patch, 'a label starts no rollout', a.patch or a.response)


def image(w, obj, live):
    """A new image in the container that the migration is modelled on reaches the migration in the same pass."""
    names = [] if is_off(w, obj) else selected(w, obj)
    if not names or generate.wished(obj, generate.MIGRATE) is None:
        return
    source = generate.wished(obj, generate.MIGRATE_FROM) or names[0]
    changed = exact.copy(live)
    next(c for c in kube.template(changed)['spec']['containers'] if c['name'] == source)['image'] = 'x.io/new:9'
    result, _ = w.mutate('UPDATE', changed, live)
    m = next(c for c in kube.template(result)['spec']['initContainers']
             if c['name'] == w.cfg['migration']['containerName'])
    need(m['image'] == (generate.wished(obj, generate.MIGRATE_IMAGE) or 'x.io/new:9'),
         'a new image reaches the migration', m)


def walk(w, case):
    """
    A series of edits, each sent in one of the ways clients have; the object always ends as if it had been made anew
    from what the user has written.
    """
    user, steps = case['object'], case['steps']
    live = kube.stored(w.mutate('CREATE', kube.stored(user))[0])
    for number, (name, seed, way) in enumerate(steps):
        if name == 'config':
            other = World(w.pipe, w.configs, seed % len(w.configs))
            if not knows(other.cfg, w.cfg):
                continue
            w = other
            new = rewish(w, user)
        else:
            new = generate.edit(name, seed, w.cfg, user, user)
        if way == 'replace':
            sent = new
        elif way == 'apply' or name == 'config':
            sent = kube.apply(user, new, live)
            kube.declare(sent, new)
        else:
            sent = generate.edit(name, seed, w.cfg, live, user)
        user = new
        live = kube.stored(w.mutate('UPDATE', kube.stored(sent), live)[0])
        fresh = kube.stored(w.mutate('CREATE', kube.stored(user))[0])
        a, b = (without_status(x) for x in (fresh, live))
        need(a == b, 'the result does not depend on the way there',
             lambda: 'step %d of %s (fresh -> live):\n%s' % (number + 1, steps, '\n'.join(diff(a, b))))


def knows(new, old):
    """Does a configuration know all that the other one may have injected? What it does not know would stay."""
    def literals(cfg):
        return {e['name'] for b in cfg['bindings'] for e in b.get('env', [])}

    def secrets(cfg):
        return {s['name'] for s in cfg.get('imagePullSecrets', [])}
    return literals(old) <= literals(new) and secrets(old) <= secrets(new) \
        and new['migration']['containerName'] == old['migration']['containerName']


def rewish(w, user):
    """The user's manifest with bindings that the new configuration has; the template changes, as in a restart."""
    user = exact.copy(user)
    rng = random.Random(w.index)
    generate.annotate(user, generate.BINDINGS, generate.bindings_text(rng, w.cfg))
    for key in (generate.CONTAINERS, generate.MIGRATE_FROM):
        generate.annotate(user, key, None)
    t = kube.template(user)
    t.setdefault('metadata', {}).setdefault('annotations', {})['restarted'] = str(w.index)
    return user


def without_status(obj):
    obj = exact.copy(obj)
    found = obj['metadata'].get('annotations') or {}
    found.pop(kube.STATUS, None)
    found.pop(kube.LAST_APPLIED, None)
    if not found:
        obj['metadata'].pop('annotations', None)
    # Where the template stays as it is, the record does: what it says beside its entries is then that of before.
    written = (kube.template(obj).get('metadata') or {}).get('annotations') or {}
    if kube.RECORD in written:
        written[kube.RECORD] = {k: v for k, v in exact.loads(written[kube.RECORD].encode()).items()
                                if k in ('containers', 'imagePullSecrets')}
    elif not written and 'metadata' in kube.template(obj):
        (kube.template(obj)['metadata'] or {}).pop('annotations', None)
        if not kube.template(obj)['metadata']:
            del kube.template(obj)['metadata']
    return obj


PROPERTIES = {'single': lambda w, case: single(w, case['object']), 'walk': walk}


# ---- running and shrinking ----

def make_case(seed, configs):
    """The case of a seed: which property, which configuration, the object, the steps."""
    rng = random.Random(seed)
    index = rng.randrange(2) if rng.random() < 0.5 else rng.randrange(len(configs))
    name = 'walk' if seed % 3 == 0 else 'single'
    case = {'config': index, 'object': generate.workload(rng, configs[index][1], name == 'walk'), 'steps': []}
    if name == 'walk':
        for _ in range(rng.randint(2, 6)):
            edit = rng.choice(sorted(generate.EDITS)) if rng.random() < 0.95 else 'config'
            case['steps'].append((edit, rng.randrange(1 << 30), rng.choice(['apply', 'replace', 'direct'])))
    return name, case


def attempt(pipe, configs, name, case):
    """None, or the Broken that the case ends in."""
    try:
        PROPERTIES[name](World(pipe, configs, case['config']), case)
    except Broken as e:
        return e
    except core.Wrong as e:
        return Broken('an answer that no request may get', str(e))
    return None


def smaller(value):
    """Values one step smaller, larger steps first."""
    if isinstance(value, dict):
        for key in value:
            yield {k: v for k, v in value.items() if k != key}
        for key, v in value.items():
            for less in smaller(v):
                yield {**value, key: less}
    elif isinstance(value, list):
        for i in range(len(value)):
            yield value[:i] + value[i + 1:]
        for i, v in enumerate(value):
            for less in smaller(v):
                yield value[:i] + [less] + value[i + 1:]


def smaller_cases(case):
    for i in range(len(case['steps'])):
        yield {**case, 'steps': case['steps'][:i] + case['steps'][i + 1:]}
    for obj in smaller(case['object']):
        yield {**case, 'object': obj}


def shrink(pipe, configs, name, case, broken):
    tries = 0
    progress = True
    while progress and tries < SHRINK_TRIES:
        progress = False
        for less in smaller_cases(case):
            tries += 1
            if tries >= SHRINK_TRIES:
                break
            try:
                found = attempt(pipe, configs, name, less)
            except (KeyError, IndexError, TypeError, AttributeError, StopIteration, ValueError):
                continue  # too small to be a workload
            if found and found.name == broken.name:
                case, broken, progress = less, found, True
                break
    return case, broken


def run(build, configs, seeds):
    """(cases, [seeds and text of each property that broke]); only the first case of each is made small and shown."""
    shown, broken_seeds = {}, {}
    with core.Core(build) as pipe:
        for seed in seeds:
            name, case = make_case(seed, configs)
            broken = attempt(pipe, configs, name, case)
            if broken is None:
                continue
            key = name + ': ' + broken.name
            if key not in shown:
                case, broken = shrink(pipe, configs, name, case, broken)
                shown[key] = 'seed %d, %s, configuration %s\n%s\nobject: %s\nsteps: %s' % (
                    seed, key, configs[case['config']][0], broken.seen, show(case['object']), case['steps'])
            broken_seeds.setdefault(key, []).append(seed)
    return len(seeds), [(broken_seeds[key], text) for key, text in shown.items()]


def make_configs(root, scratch):
    """[(name for decide_pipe, content)]: the shipped ones, then generated ones, always the same."""
    configs = []
    for name in PROFILES:
        with open('%s/src/policy/load/profiles/%s.yaml' % (root, name), 'rb') as f:
            configs.append((name, exact.yaml_load(f.read())))
    for i in range(GENERATED):
        content = generate.config(random.Random(i))
        path = '%s/generated-%d.yaml' % (scratch, i)
        with open(path, 'wb') as f:
            f.write(exact.dumps(content))
        configs.append((path, content))
    return configs


def main():
    options = argparse.ArgumentParser(description='Properties of decide() over generated workloads.')
    options.add_argument('--build', default='build')
    options.add_argument('--seed', type=int, default=1, help='the first seed')
    options.add_argument('--count', type=int, default=3000, help='how many seeds')
    options.add_argument('--jobs', type=int, default=2)
    options = options.parse_args()
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    passed, broken, failures = 0, 0, []
    seeds = range(options.seed, options.seed + options.count)
    jobs = max(1, min(options.jobs, len(seeds)))
    with tempfile.TemporaryDirectory() as scratch, multiprocessing.Pool(jobs) as pool:
        configs = make_configs(root, scratch)
        for done, found in pool.starmap(run, [(options.build, configs, seeds[i::jobs]) for i in range(jobs)]):
            passed += done - sum(len(which) for which, _ in found)
            broken += sum(len(which) for which, _ in found)
            failures += ['%s\nthe same property broke at %d seeds: %s' % (text, len(which), which[:10])
                         for which, text in found]
    for text in failures:
        print(text + '\n')
    print('%d passed, %d failed' % (passed, broken))
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
