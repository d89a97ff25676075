#!/usr/bin/python3
"""
Whose an entry is, over generated sequences of writes by an owner, controllers and other webhooks.

    tests/sequences.py --build build [--seed N] [--count N] [--jobs N]

Each sequence is lived twice: in a cluster with connhook and in one without it, with the same writes. After every write
the workload of the first is that of the second, and in addition what the annotations ask for: so nothing that the owner
declared or somebody else added is lost, all that is asked for is there, and nothing else has changed. Where an entry
that is no longer asked for stays (ownership is in doubt), a warning must have named it.

A failure prints the seed, the property, and the smallest sequence it could find. `--seed N --count 1` runs it again.
"""
import argparse
import fnmatch
import multiprocessing
import os
import random
import sys
import tempfile
import traceback

import properties
from properties import Broken, diff, need, show, unique
from support import cluster, core, exact, generate, kube

SHRINK_TRIES = 300
WAYS = ('apply', 'server-side', 'replace', 'edit', 'merge-patch', 'helm3')
FAULTS = (KeyError, IndexError, TypeError, AttributeError, StopIteration, ValueError)  # of what is no workload
MODEL_FAILS = 'the model fails'
EVIDENCE = ('apply', 'server-side', 'replace')  # the ways in which a request tells what the owner declares
MANAGERS = {'apply': 'kubectl-client-side-apply', 'server-side': 'argocd-controller', 'replace': 'kubectl-replace',
            'edit': 'kubectl-edit', 'merge-patch': 'kubectl-patch', 'helm3': 'helm'}


class Refused(Exception):
    """connhook denies the write."""


class Life:
    """One workload in two clusters."""

    def __init__(self, world, case):
        self.w, self.case = world, case
        self.way = case['way']
        self.manifest = exact.copy(case['object'])
        self.custom = self.manifest['kind'] == 'Rollout'
        self.with_it, self.without = Cluster(self, True), Cluster(self, False)
        self.revisions, self.kept_manifest, self.doubts, self.by_hand = [], None, '', set()
        self.clock, self.was_undone = 0, False

    def clusters(self):
        return self.with_it, self.without


class Cluster:
    def __init__(self, life, injects):
        self.life, self.injects = life, injects
        self.live, self.managers = None, {}

    def sent_by_owner(self, old_manifest, new):
        """(the object in the request, its owners) when the owner writes the manifest `new`."""
        life, way, live = self.life, self.life.way, self.live
        if way == 'server-side':
            obj, managers = cluster.server_side(live or {}, new, self.managers, MANAGERS[way], life.custom,
                                                life.clock)
            if kube.LAST_APPLIED in (obj['metadata'].get('annotations') or {}):
                kube.declare(obj, new)  # kubectl keeps the annotation up to date that it once wrote
            return obj, managers
        if live is None or way == 'replace':
            obj = exact.copy(new)
        elif way == 'apply':
            last = (live['metadata'].get('annotations') or {}).get(kube.LAST_APPLIED)
            obj = kube.apply(exact.loads(last.encode()) if last else {}, new, live)
        elif way == 'helm3':
            obj = kube.apply(old_manifest, new, live)
        else:
            obj = kube.merge_patch(live, cluster.difference(old_manifest, new))
        if way == 'apply':
            kube.declare(obj, new)
        return self.updated(MANAGERS[way], obj)

    def updated(self, manager, obj):
        return obj, cluster.updated(self.managers, manager, self.live or {}, obj, self.life.custom,
                                    self.life.clock)

    def admitted(self, obj, managers):
        """The object as it is stored, after all webhooks."""
        obj = exact.copy(obj)
        obj['metadata'].pop('managedFields', None)
        if managers:
            obj['metadata']['managedFields'] = cluster.managed_fields(managers)
        return admit(self.life, kube.stored(obj), self.live, self.injects)


def admit(life, obj, old, injects):
    """
    The mutating webhooks in their order; those that ask for it once more when somebody has changed the object since.
    """
    case = life.case
    chain = [h for h in case['before']] + (['connhook'] if injects else []) + [h for h in case['after']]
    seen = {}
    for again in (False, True):
        for hook in chain:
            if again and (hook not in case['reinvoked'] or seen[hook] == obj):
                continue
            obj = kube.stored(inject(life, obj, old) if hook == 'connhook' else cluster.call_webhook(hook, obj))
            seen[hook] = obj
    return obj


def inject(life, obj, old):
    w, operation = life.w, 'UPDATE' if old else 'CREATE'
    a = w.ask('mutate', operation, obj, old)
    if not a.allowed:
        raise Refused(show(a.response['status']['message']))
    life.doubts += '\n'.join(t for t in a.warnings if ' stays' in t or ' keeps ' in t)
    result = core.apply(a.patch, obj)
    again = w.ask('mutate', operation, result, old)
    need(again.allowed and not again.patch, 'mutate(mutate(x)) = mutate(x)', lambda: again.patch or again.response)
    return result


# ---- what may be refused ----

def invalid(obj):
    """Would the API server refuse the workload?"""
    spec = kube.template(obj)['spec']
    for c in (spec.get('initContainers') or []) + spec['containers']:
        for e in c.get('env') or []:
            if (e.get('value') or '') != '' and e.get('valueFrom') or len(e.get('valueFrom') or {}) > 1:
                return 'env %s has two values' % show(e)
        for s in c.get('envFrom') or []:
            if 'secretRef' in s and 'configMapRef' in s:
                return 'envFrom %s has two sources' % show(s)
        if not c.get('image'):
            return 'container %s has no image' % c['name']
    return None


def may_be_refused(w, obj):
    """Does the object ask for what connhook cannot give: containers it has not, a name that is taken?"""
    names = [c['name'] for c in kube.template(obj)['spec']['containers']]
    if generate.wished(obj, generate.INJECT) == 'false':
        return False
    patterns = [p.strip() for p in (generate.wished(obj, generate.CONTAINERS) or '').split(',') if p.strip()]
    if any(not any(fnmatch.fnmatchcase(n, p) for n in names) for p in patterns):
        return True
    source = generate.wished(obj, generate.MIGRATE_FROM)
    if source and source not in names or not generate.app_containers(obj, w.cfg):
        return True
    inits = [c['name'] for c in kube.template(obj)['spec'].get('initContainers') or []]
    return bool(generate.wished(obj, generate.MIGRATE)) and w.cfg['migration']['containerName'] in names + inits


# ---- the property ----

def compare(life):
    """With connhook there is what there is without it, and what the annotations ask for."""
    w, a, b = life.w, exact.copy(life.with_it.live), exact.copy(life.without.live)
    spec, plain = kube.template(a)['spec'], kube.template(b)['spec']
    bad = invalid(a)
    need(not bad, 'the API server accepts the result', bad)
    off = properties.is_off(w, b)
    sources, env, given = ([], [], []) if off else properties.entries(w, b)
    names = [] if off else properties.selected(w, b)
    need([c['name'] for c in spec['containers']] == [c['name'] for c in plain['containers']],
         'the containers are the owner\'s', lambda: diff(spec['containers'], plain['containers']))
    injected = []
    for have, own in zip(spec['containers'], plain['containers']):
        chosen = own['name'] in names
        injected += compare_list(life, have, own, 'env', env if chosen else [], lambda e: e['name'])
        injected += compare_list(life, have, own, 'envFrom', sources if chosen else [], properties.source_key)
        have, own = ({k: v for k, v in c.items() if k not in ('env', 'envFrom')} for c in (have, own))
        need(have == own, 'nothing else of a container is touched', lambda: '\n'.join(diff(own, have)))
    compare_init(life, a, b, names, off)
    compare_pull_secrets(life, spec, plain, off)
    compare_annotations(life, a, b, given, [properties.secret_of(e) for e in injected])
    for obj in (a, b):
        obj['metadata'].pop('managedFields', None)
        kube.template(obj)['spec'] = {k: v for k, v in kube.template(obj)['spec'].items()
                                      if k not in ('containers', 'initContainers', 'imagePullSecrets')}
    need(a == b, 'nothing else is touched', lambda: '\n'.join(diff(b, a)))


def compare_list(life, have, own, field, given, key):
    """What is injected into the list, which is compared with the list as it is without connhook."""
    here, mine = have.get(field) or [], own.get(field) or []
    taken = {key(e) for e in mine}
    new = [kube_form(e) for e in unique(given, key) if key(e) not in taken]
    keys = {key(e) for e in new}
    rest = [e for e in here if key(e) not in keys]
    where = '%s of container %s' % (field, have['name'])
    # Where a merge puts an entry beside that of another webhook follows from what else stands there.
    kept, others = ([e for e in entries if e != cluster.REGION] for entries in (rest, mine))
    need([e for e in kept if e in others] == others and (cluster.REGION in rest) == (cluster.REGION in mine),
         'entries of the owner and of others stay as they are',
         lambda: '%s: without connhook %s, with it %s' % (where, show(mine), show(here)))
    for e in rest:
        if e not in mine and not declares(life, have['name'], field, key(e), key):
            name = e['name'] if field == 'env' else properties.secret_of(e)
            need(name and name in life.doubts, 'what is not asked for leaves, or is named in a warning',
                 lambda: '%s holds %s; warnings: %s' % (where, show(e), life.doubts))
    need(sorted(show(kube_form(e)) for e in here if key(e) in keys) == sorted(map(show, new)),
         'what is asked for is there, once', lambda: '%s: wanted %s, got %s' % (where, show(new), show(here)))
    if field == 'envFrom':
        need(all(key(e) in keys for e in here[:len(new)]), 'injected sources stand first', lambda: where + show(here))
    return new


def declares(life, name, field, wanted, key):
    """
    Does the owner's manifest hold the entry, which an undo has brought back as one that connhook injected? It is then
    the owner's, who will say so again.
    """
    own = next((c for c in kube.template(life.manifest)['spec']['containers'] if c['name'] == name), {})
    return life.was_undone and wanted in [key(e) for e in own.get(field) or []]


def kube_form(entry):
    """As the API server stores it: without an empty value."""
    return {k: v for k, v in entry.items() if k != 'value' or v != ''}


def plain_image(text):
    return text[len(cluster.MIRROR):] if text.startswith(cluster.MIRROR) else text


def compare_init(life, a, b, names, off):
    w = life.w
    name = w.cfg['migration']['containerName']
    here = kube.template(a)['spec'].get('initContainers') or []
    mine = kube.template(b)['spec'].get('initContainers') or []
    need([c for c in here if c['name'] != name] == [c for c in mine if c['name'] != name],
         'the init containers are the owner\'s', lambda: '\n'.join(diff(mine, here)))
    have, own = ([c for c in cs if c['name'] == name] for cs in (here, mine))
    if own:
        have, own = ([declared_part(life, c) for c in cs] for cs in (have, own))
        need(have == own or name in life.doubts, 'the owner\'s own container of the migration\'s name stays as it is',
             lambda: '\n'.join(diff(own, have)))
        return
    wanted = generate.wished(b, generate.MIGRATE) is not None and not off and bool(names)
    if not wanted:
        declared = [c['name'] for c in kube.template(life.manifest)['spec'].get('initContainers') or []]
        need(not have or name in life.doubts or life.was_undone and name in declared,
             'a migration that is not asked for leaves, or is named in a warning', have)
        return
    need(len(have) == 1, 'one migration container where one is asked for', here)
    compare_migration(life, a, b, have[0], names)


def declared_part(life, container):
    """
    The owner's own container, but for what was set while connhook's stood there, and for the resources that an undo has
    brought back, which are the undo's.
    """
    env = [e for e in container.get('env') or [] if e['name'] not in life.by_hand]
    return {**{k: v for k, v in container.items() if not (k == 'resources' and life.was_undone)}, 'env': env}


def compare_migration(life, a, b, m, names):
    hooks = life.case['before'] + life.case['after']
    source = generate.wished(b, generate.MIGRATE_FROM) or names[0]
    model = next(c for c in kube.template(a)['spec']['containers'] if c['name'] == source)
    need(plain_image(m['image']) == plain_image(generate.wished(b, generate.MIGRATE_IMAGE) or model['image']),
         'the migration\'s image', lambda: '%s, model %s' % (m['image'], model['image']))
    for field, key in (('env', 'name'), ('volumeMounts', 'mountPath')):
        given, got = model.get(field) or [], m.get(field) or []
        added = {cluster.REGION['name'], cluster.CERTIFICATES['mountPath']} & {e[key] for e in got} if hooks else set()
        need([e for e in given if e not in got and e[key] not in added] == [],
             'the migration has its model\'s ' + field,
             lambda: '%s, model %s' % (show(got), show(given)))
        extra = {e[key] for e in got} - {e[key] for e in given} - added - life.by_hand
        need(not extra, 'the migration has no more than its model', lambda: '%s in %s' % (extra, show(got)))
    for field in ('envFrom', 'workingDir', 'securityContext', 'imagePullPolicy'):
        mine, models = m.get(field) or None, model.get(field) or None
        if field == 'securityContext' and 'security' in hooks:
            mine, models = ({k: v for k, v in (x or {}).items() if k != 'allowPrivilegeEscalation'}
                            for x in (mine, models))
        if field == 'imagePullPolicy' and 'pull_policy' in hooks:
            continue
        need(mine == models, 'the migration has its model\'s ' + field,
             lambda: '%s, model %s' % (show(mine), show(models)))
    text = generate.wished(b, generate.MIGRATE)
    command = properties.json.loads(text) if text.startswith('[') else \
        life.w.cfg['migration'].get('shell', ['/bin/sh', '-c']) + [text.strip()]
    got = (m.get('command') or []) + (m.get('args') or [])
    need([x.strip() for x in got] == command, 'the migration\'s command', got)


def compare_pull_secrets(life, spec, plain, off):
    here, mine = spec.get('imagePullSecrets') or [], plain.get('imagePullSecrets') or []
    known = {s['name'] for s in life.w.cfg.get('imagePullSecrets', [])}
    need([s for s in here if s in mine] == mine, 'pull secrets of the owner stay', lambda: '%s: %s' % (mine, here))
    for s in here:
        if s not in mine:
            need(s['name'] in known and not off or s['name'] in life.doubts,
                 'a pull secret that is not asked for leaves, or is named in a warning', here)


def compare_annotations(life, a, b, given, injected):
    annotations, plain = a['metadata'].get('annotations') or {}, b['metadata'].get('annotations') or {}
    users = [k for k in list(plain) + list((kube.template(b).get('metadata') or {}).get('annotations') or {})
             if '.stakater.com/' in k and not k.endswith('last-reloaded-from')]
    if kube.RELOADER not in plain and not life.was_undone:
        names = ','.join(unique((s for s in given if s and s in injected), str))
        wanted = None if users or not life.w.cfg.get('reloader') or a['kind'] in ('Job', 'CronJob') else names or None
        need(annotations.get(kube.RELOADER) == wanted, 'Reloader\'s annotation',
             lambda: 'wanted %s, got %s' % (wanted, annotations.get(kube.RELOADER)))
    if kube.RELOADER not in plain:
        annotations.pop(kube.RELOADER, None)
    annotations.pop(kube.STATUS, None)
    if not annotations and 'annotations' in a['metadata']:
        properties.restore(a['metadata'], b['metadata'], 'annotations')
    properties.drop_record(a, b)
    for obj in (a, b):
        meta = kube.template(obj).get('metadata')
        if meta is not None and not meta.get('annotations'):
            meta.pop('annotations', None)
        if not meta:
            kube.template(obj).pop('metadata', None)
        if not obj['metadata'].get('annotations'):
            obj['metadata'].pop('annotations', None)


def settled(life):
    """
    The webhooks come to rest: two more writes of something else, and a third one changes nothing but that. Whatever
    another webhook does, it has then done to connhook's container as well.
    """
    c = life.with_it
    for number in range(3):
        obj = exact.copy(c.live)
        cluster.restart(obj, number)
        before, sent = c.live, kube.stored(obj)
        c.live = admit(life, sent, before, True)
    need(c.live == sent, 'the webhooks come to rest', lambda: '\n'.join(diff(sent, c.live)))
    for hook in life.case['before'] + life.case['after']:
        done = kube.stored(cluster.call_webhook(hook, c.live))
        need(done == c.live, 'what another webhook adds is kept', lambda: '\n'.join(diff(done, c.live)))


# ---- writes ----

def drop_wishes(obj):
    for meta in (obj['metadata'], kube.template(obj).get('metadata') or {}):
        for key in [k for k in meta.get('annotations') or {} if k.startswith(kube.PREFIX) and k != kube.RECORD]:
            del meta['annotations'][key]


def injected_of(life, name, field):
    """What of the list is connhook's, in a container of the cluster with it."""
    have, own = (next((x for x in kube.template(c.live)['spec']['containers'] if x['name'] == name), {})
                 for c in life.clusters())
    return [e for e in have.get(field) or [] if e not in (own.get(field) or [])]


def hand_over(rng, life, manifest):
    """The owner drops the annotations and writes by hand what they gave."""
    w, by_hand, proof = life.w, rng.random() < 0.5, life.way in EVIDENCE and not life.custom
    life.kept_manifest = exact.copy(life.manifest)
    drop_wishes(manifest)
    spec = kube.template(manifest)['spec']
    for c in spec['containers']:
        for field in ('envFrom', 'env') if proof else ('envFrom',):
            new = exact.copy(injected_of(life, c['name'], field))
            for e in new:
                if field == 'envFrom' and (by_hand or not proof) and 'secretRef' in e:
                    e['secretRef'].pop('optional', None)
            names = [e.get('name') for e in c.get('env') or []]
            new = [e for e in new if field == 'envFrom' or e['name'] not in names]
            if new:
                c[field] = new + list(c.get(field) or [])
    name = w.cfg['migration']['containerName']
    mine = [x for x in kube.template(life.with_it.live)['spec'].get('initContainers') or [] if x['name'] == name]
    if mine and proof and not life.case['before'] and name not in [
            x['name'] for x in spec.get('initContainers') or []]:
        dull = ('terminationMessagePath', 'terminationMessagePolicy', 'resources')
        spec['initContainers'] = list(spec.get('initContainers') or []) + [
            {k: exact.copy(v) for k, v in mine[0].items() if k not in dull}]


def own_migration(rng, life, manifest):
    """An init container of the migration's name, of the owner's own; the wish goes, or is forgotten."""
    name, spec = life.w.cfg['migration']['containerName'], kube.template(manifest)['spec']
    if life.way not in EVIDENCE or name in [c['name'] for c in spec.get('initContainers') or []]:
        return
    # What another webhook gives the model and the owner's container alike cannot be told from a copy; nor can single
    # variables, where server-side apply leaves them to nobody.
    if life.case['before'] or life.case['after'] or life.way == 'server-side':
        return
    if rng.random() < 0.7:
        for key in (generate.MIGRATE, generate.MIGRATE_IMAGE, generate.MIGRATE_FROM, generate.MIGRATE_POSITION):
            generate.annotate(manifest, key, None)
    c = {'name': name, 'image': rng.choice(generate.IMAGES), 'command': ['./mine'], 'imagePullPolicy': 'IfNotPresent'}
    if rng.random() < 0.5:
        c['env'] = [{'name': 'MODE', 'value': 'mine'}]
    spec['initContainers'] = list(spec.get('initContainers') or []) + [c]


def rename(rng, obj, user):
    """A container gets another name where it stands."""
    named = {n.strip() for k in (generate.CONTAINERS, generate.MIGRATE_FROM)
             for n in (generate.wished(user, k) or '').split(',')}
    taken = [c['name'] for c in kube.template(user)['spec']['containers']]
    free = [n for n in taken if n not in named and 'proxy' not in n]
    if free:
        which = rng.choice(free)
        next(c for c in kube.template(obj)['spec']['containers'] if c['name'] == which)['name'] = \
            next(n for n in ('one', 'two', 'three', 'four', 'five', 'six') if n not in taken)


OWNER = ['hand_over', 'hand_back', 'own_migration', 'drop', 'rename', 'reapply', 'switch'] * 2 + sorted(generate.EDITS)
OTHERS = sorted(cluster.CONTROLLERS) + ['undo', 'undo', 'scale']


def changed_manifest(life, op, seed):
    """The owner's manifest after the step."""
    rng, manifest = random.Random(seed), exact.copy(life.manifest)
    if op == 'hand_over':
        hand_over(rng, life, manifest)
    elif op == 'hand_back':
        manifest, life.kept_manifest = life.kept_manifest or manifest, None
    elif op == 'own_migration':
        own_migration(rng, life, manifest)
    elif op == 'drop':
        drop_wishes(manifest)
    elif op == 'rename':
        rename(rng, manifest, life.manifest)
    elif op == 'switch' and life.way == 'apply':
        life.way = 'server-side'
        for c in life.clusters():  # kubectl turns its Update entry into an Apply entry
            c.managers.pop((MANAGERS['apply'], 'Update'), None)
            c.managers[MANAGERS['server-side'], 'Apply'] = (
                frozenset(cluster.fields(life.manifest, life.custom)), 0)
    elif op in generate.EDITS:
        manifest = generate.edit(op, seed, life.w.cfg, manifest, life.manifest)
    return manifest


def changed_live(life, op, seed):
    """The live objects after an edit of them: the same one in both clusters."""
    user, out = life.without.live, []
    for c in life.clusters():
        obj = exact.copy(c.live)
        if op == 'drop':
            drop_wishes(obj)
        elif op == 'rename':
            rename(random.Random(seed), obj, user)
        elif op in generate.EDITS:
            obj = generate.edit(op, seed, life.w.cfg, obj, user)
        out.append(c.updated(MANAGERS['edit'], obj))
    return out


def requests(life, op, seed):
    """[(object, owners)] that are sent, with and without connhook; None: nothing is."""
    number = seed % 1000
    if op in cluster.CONTROLLERS:
        if op == 'set_env':
            life.by_hand.add('SET_BY_HAND')
        out = []
        for c in life.clusters():
            obj = exact.copy(c.live)
            cluster.CONTROLLERS[op](obj, number)
            out.append(c.updated(op, obj))
        return out
    if op == 'undo':
        if life.manifest['kind'] not in ('Deployment', 'StatefulSet', 'DaemonSet', 'Rollout'):
            return None
        life.was_undone = True
        pair = life.revisions[seed % len(life.revisions)]
        return [c.updated('kubectl-rollout', cluster.undone(c.live, old)) for c, old in zip(life.clusters(), pair)]
    if life.way == 'edit' and life.with_it.live is not None:
        return changed_live(life, op, seed)
    old, life.manifest = life.manifest, changed_manifest(life, op, seed)
    return [c.sent_by_owner(old, life.manifest) for c in life.clusters()]


def step(life, op, seed):
    if op == 'scale':  # through /scale: no request for the workload
        for c in life.clusters():
            c.live['spec']['replicas'] = exact.Number(seed % 10)
        return
    life.clock += 1
    before = life.manifest, life.way, [c.managers for c in life.clusters()], life.kept_manifest
    sent = requests(life, op, seed)
    if sent is None:
        return
    (mine, managers), (plain, plain_managers) = sent
    try:
        if invalid(kube.stored(plain)):
            raise Refused('by the API server')
        without = life.without.admitted(plain, plain_managers)
        try:
            result = life.with_it.admitted(mine, managers)
        except Refused as e:
            need(may_be_refused(life.w, without), 'a good write is not denied', str(e))
            raise
        name = life.w.cfg['migration']['containerName']
        need(not (generate.wished(without, generate.MIGRATE) and name in [
            c['name'] for c in kube.template(without)['spec'].get('initContainers') or []]) or
             properties.is_off(life.w, without), 'an own container of the migration\'s name is refused', show(result))
        # A container that is no longer applied, and of which an undo has left a rest.
        if life.was_undone and 'has no image' in (invalid(result) or ''):
            raise Refused('by the API server')
        old = life.with_it.live
        v = life.w.ask('validate', 'UPDATE' if old else 'CREATE', result, old)
        need(not any(rule in show(v.response) for rule in ('[injection-complete]', '[annotations]', 'STAKATER')),
             'what was mutated is valid', v.response)
    except Refused:
        life.manifest, life.way, owners, life.kept_manifest = before
        for c, m in zip(life.clusters(), owners):
            c.managers = m
        return
    if op == 'label' and not life.case['before'] and not life.case['after']:
        kept = kube.stored(mine)['spec']
        need(result['spec'] == kept, 'a label starts no rollout', lambda: diff(kept, result['spec']))
    life.with_it.live, life.with_it.managers = result, managers
    life.without.live, life.without.managers = without, plain_managers
    life.revisions.append((exact.copy(result), exact.copy(without)))
    compare(life)


def sequence(w, case):
    life = Life(w, case)
    step(life, 'create', 0)
    if life.with_it.live is None:
        return
    for op, seed in case['steps']:
        step(life, op, seed)
    if case['settle']:
        settled(life)


# ---- running and shrinking ----

def without_odd(value):
    """Without fields that the API server would drop."""
    if isinstance(value, dict):
        return {k: without_odd(v) for k, v in value.items() if k not in ('futureField', 'status', 'managedFields')}
    return [without_odd(v) for v in value] if isinstance(value, list) else value


def make_case(seed, configs):
    rng = random.Random('sequence %d' % seed)
    index = rng.randrange(2) if rng.random() < 0.6 else rng.randrange(len(configs))
    cfg = configs[index][1]
    hooks = [h for h in sorted(cluster.WEBHOOKS) if h != 'proxy' or any(
        fnmatch.fnmatchcase('istio-proxy', g) for g in cfg.get('excludeContainers', []))]
    chosen = rng.sample(hooks, rng.choice((0, 0, 1, 1, 2, 3)))
    cut = rng.randint(0, len(chosen))
    case = {'config': index, 'object': without_odd(generate.workload(rng, cfg, True)), 'way': rng.choice(WAYS),
            'before': chosen[:cut], 'after': chosen[cut:], 'settle': True, 'steps': [],
            'reinvoked': [h for h in chosen + ['connhook'] if rng.random() < 0.5]}
    for _ in range(rng.randint(1, 5)):
        op = rng.choice(OWNER if rng.random() < 0.65 else OTHERS)
        case['steps'].append((op, rng.randrange(1 << 30)))
    return case


def attempt(pipe, configs, case):
    """None, or the Broken that the case ends in."""
    try:
        sequence(properties.World(pipe, configs, case['config']), case)
    except Broken as e:
        return e
    except core.Wrong as e:
        return Broken('an answer that no request may get', str(e))
    except FAULTS as e:
        return Broken(MODEL_FAILS, ''.join(traceback.format_exception(e)[-4:]))
    return None


def smaller_cases(case):
    for i in range(len(case['steps'])):
        yield {**case, 'steps': case['steps'][:i] + case['steps'][i + 1:]}
    for key in ('before', 'after', 'reinvoked'):
        for i in range(len(case[key])):
            yield {**case, key: case[key][:i] + case[key][i + 1:]}
    if case['settle']:
        yield {**case, 'settle': False}
    for obj in properties.smaller(case['object']):
        yield {**case, 'object': obj}


def shrink(pipe, configs, case, broken):
    tries, progress = 0, True
    while progress and tries < SHRINK_TRIES:
        progress = False
        for less in smaller_cases(case):
            tries += 1
            if tries >= SHRINK_TRIES:
                break
            found = attempt(pipe, configs, less)
            if found and found.name == broken.name:
                case, broken, progress = less, found, True
                break
    return case, broken


def run(build, configs, seeds):
    shown, broken_seeds = {}, {}
    with core.Core(build) as pipe:
        for seed in seeds:
            case = make_case(seed, configs)
            broken = attempt(pipe, configs, case)
            if broken is None:
                continue
            if broken.name not in shown:
                if broken.name != MODEL_FAILS:
                    case, broken = shrink(pipe, configs, case, broken)
                shown[broken.name] = 'seed %d: %s\n%s\nconfiguration %s\nobject: %s\n%s' % (
                    seed, broken.name, broken.seen, configs[case['config']][0], show(case['object']),
                    {k: v for k, v in case.items() if k not in ('object', 'config')})
            broken_seeds.setdefault(broken.name, []).append(seed)
    return len(seeds), [(broken_seeds[name], text) for name, text in shown.items()]


def main():
    options = argparse.ArgumentParser(description='Whose an entry is, over generated sequences of writes.')
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
        configs = properties.make_configs(root, scratch)
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
