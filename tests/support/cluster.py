"""
Those who write a workload beside connhook, and what the API server makes of it: whose field is whose (managedFields, as
a kube-apiserver 1.37 has it: before admission, so that what a webhook adds is nobody's), other webhooks, controllers.
"""
import json

from support import exact, kube

MIRROR = 'mirror.example.com/'
REGION = {'name': 'PLATFORM_REGION', 'value': 'eu'}
CERTIFICATES = {'name': 'platform-ca', 'mountPath': '/etc/platform-ca'}
MESH = {'name': 'mesh-proxy', 'image': 'mesh.example.com/proxy:1', 'restartPolicy': 'Always',
        'imagePullPolicy': 'IfNotPresent'}

# ---- fields, as server-side apply tells them apart ----

# Maps that are one value (structType atomic); lists without a key in kube.MERGE_KEYS are so, too.
ATOMIC = ('f:selector', 'f:secretKeyRef', 'f:configMapKeyRef', 'f:fieldRef', 'f:resourceFieldRef')
# Nobody's: what the server sets.
UNOWNED = (('f:apiVersion',), ('f:kind',), ('f:metadata', 'f:name'), ('f:metadata', 'f:namespace'),
           ('f:metadata', 'f:managedFields'), ('f:status',))


def fields(obj, whole_lists=False):
    """{path: value} of all that can have an owner; an element of a list with keys has a path of its own."""
    out = {}
    _fields(obj, (), whole_lists, out)
    return out


def _fields(value, path, whole_lists, out):
    if path[:2] in UNOWNED or path in UNOWNED:
        return
    key = path[-1][2:] if path else ''
    if isinstance(value, dict) and value and not (path and path[-1] in ATOMIC):
        for k, v in value.items():
            _fields(v, path + ('f:' + k,), whole_lists, out)
    elif isinstance(value, list) and value and key in kube.MERGE_KEYS and not whole_lists:
        for e in value:
            item = path + (_element(kube.MERGE_KEYS[key], e),)
            out[item] = None
            _fields(e, item, whole_lists, out)
    else:
        out[path] = value


def _element(key, entry):
    shown = {key: entry[key]}
    if key == 'containerPort':
        shown['protocol'] = entry.get('protocol', 'TCP')
    return 'k:' + exact.dumps(shown).decode()


def fields_v1(paths):
    """The tree of metadata.managedFields[].fieldsV1."""
    root = {}
    for path in sorted(paths):
        node = root
        for part in path:
            node = node.setdefault(part, {})
        if path[-1].startswith('k:'):
            node['.'] = {}
    return root


def managed_fields(managers):
    """metadata.managedFields of the owners: {(manager, operation): (paths, time)}"""
    return [{'manager': name, 'operation': operation, 'apiVersion': 'apps/v1', 'time': str(time),
             'fieldsType': 'FieldsV1', 'fieldsV1': fields_v1(paths)}
            for (name, operation), (paths, time) in sorted(managers.items()) if paths]


def updated(managers, manager, before, after, whole_lists, time):
    """The owners after an Update: what changed is the manager's, and what is gone is nobody's."""
    old, new = fields(before, whole_lists), fields(after, whole_lists)
    changed = {p for p, v in new.items() if p not in old or old[p] != v}
    gone = {p for p in old if p not in new}
    out = {who: (paths - changed - gone, then) for who, (paths, then) in managers.items()}
    if changed:
        out[manager, 'Update'] = (out.get((manager, 'Update'), (frozenset(), 0))[0] | changed, time)
    return out


def server_side(live, config, managers, manager, whole_lists, time):
    """(the object, its owners) after a forced server-side apply of `config`."""
    who = (manager, 'Apply')
    new, now = fields(config, whole_lists), fields(live, whole_lists)
    lost = {p for p, v in new.items() if p in now and now[p] != v}
    out = {w: (paths - lost, then) for w, (paths, then) in managers.items()}
    out[who] = (frozenset(new), time)
    kept = frozenset().union(*(paths for paths, _ in out.values()))
    obj = kube._apply_map({}, config, exact.copy(live), whole_lists)
    for path in sorted(managers.get(who, ((), 0))[0], key=len):
        is_key = len(path) > 1 and path[-2].startswith('k:') and '"%s":' % path[-1][2:] in path[-2]
        if not is_key and not any(p[:len(path)] == path for p in kept):
            _remove(obj, path)
    return obj, out


def _remove(obj, path):
    for part in path[:-1]:
        obj = _step(obj, part)
        if obj is None:
            return
    last = path[-1]
    if last.startswith('f:') and isinstance(obj, dict):
        obj.pop(last[2:], None)
    elif isinstance(obj, list):
        found = _step(obj, last)
        if found is not None:
            obj.remove(found)


def _step(obj, part):
    if part.startswith('f:'):
        return obj.get(part[2:]) if isinstance(obj, dict) else None
    wanted = exact.loads(part[2:].encode())
    wanted.pop('protocol', None)
    return next((e for e in obj if all(e.get(k) == v for k, v in wanted.items())), None)


def difference(old, new):
    """The JSON merge patch from one object to another: lists are replaced whole."""
    out = {k: None for k in old if k not in new}
    for k, v in new.items():
        if isinstance(v, dict) and isinstance(old.get(k), dict):
            inner = difference(old[k], v)
            if inner:
                out[k] = inner
        elif k not in old or old[k] != v:
            out[k] = exact.copy(v)
    return out


# ---- other webhooks: each changes the pod spec in place, and nothing when it has done so before ----

def _all(spec):
    return (spec.get('initContainers') or []) + spec['containers']


def limits(spec):
    for c in _all(spec):
        c['resources'] = {**(c.get('resources') or {})}
        c['resources']['limits'] = {'memory': '512Mi', **(c['resources'].get('limits') or {})}


def env(spec):
    for c in _all(spec):
        if REGION['name'] not in [e['name'] for e in c.get('env') or []]:
            c['env'] = list(c.get('env') or []) + [dict(REGION)]


def env_first(spec):
    for c in _all(spec):
        if REGION['name'] not in [e['name'] for e in c.get('env') or []]:
            c['env'] = [dict(REGION)] + list(c.get('env') or [])


def mirror(spec):
    for c in _all(spec):
        if not c.get('image', MIRROR).startswith(MIRROR):
            c['image'] = MIRROR + c['image']


def pull_policy(spec):
    for c in _all(spec):
        c['imagePullPolicy'] = 'Always'


def mounts(spec):
    for c in _all(spec):
        if CERTIFICATES['mountPath'] not in [m['mountPath'] for m in c.get('volumeMounts') or []]:
            c['volumeMounts'] = list(c.get('volumeMounts') or []) + [dict(CERTIFICATES)]
    if CERTIFICATES['name'] not in [v['name'] for v in spec.get('volumes') or []]:
        spec['volumes'] = list(spec.get('volumes') or []) + [{'name': CERTIFICATES['name'], 'emptyDir': {}}]


def security(spec):
    for c in _all(spec):
        c['securityContext'] = {**(c.get('securityContext') or {}), 'allowPrivilegeEscalation': False}


def sidecar(spec):
    if MESH['name'] not in [c['name'] for c in spec.get('initContainers') or []]:
        spec['initContainers'] = [dict(MESH)] + list(spec.get('initContainers') or [])


def proxy(spec):
    if 'istio-proxy' not in [c['name'] for c in _all(spec)]:
        spec['containers'].append({**MESH, 'name': 'istio-proxy'})
        del spec['containers'][-1]['restartPolicy']


WEBHOOKS = {f.__name__: f for f in (limits, env, env_first, mirror, pull_policy, mounts, security, sidecar, proxy)}


def call_webhook(name, obj):
    """The object after another webhook."""
    out = exact.copy(obj)
    WEBHOOKS[name](kube.template(out)['spec'])
    return out


# ---- controllers and small commands: each changes the live object ----

def restart(obj, number):
    meta = kube.template(obj).setdefault('metadata', {}) or {}
    meta.setdefault('annotations', {})['kubectl.kubernetes.io/restartedAt'] = 'T%d' % number
    kube.template(obj)['metadata'] = meta


def reloader_annotation(obj, number):
    meta = kube.template(obj).setdefault('metadata', {})
    meta.setdefault('annotations', {})['reloader.stakater.com/last-reloaded-from'] = json.dumps({'hash': number})


def reloader_env(obj, number):
    c = kube.template(obj)['spec']['containers'][0]
    entry = {'name': 'STAKATER_SHOP_DB_SECRET', 'value': '%040x' % number}
    names = [e['name'] for e in c.get('env') or []]
    if entry['name'] in names:
        c['env'][names.index(entry['name'])] = entry
    else:
        c['env'] = list(c.get('env') or []) + [entry]


def set_env(obj, number):
    """kubectl set env: into every container, injected ones as well."""
    for c in _all(kube.template(obj)['spec']):
        c['env'] = [e for e in c.get('env') or [] if e['name'] != 'SET_BY_HAND'] + [
            {'name': 'SET_BY_HAND', 'value': str(number)}]


def label(obj, number):
    obj['metadata'].setdefault('labels', {})['touched'] = 'n%d' % number


CONTROLLERS = {f.__name__: f for f in (restart, reloader_annotation, reloader_env, set_env, label)}


def undone(live, revision):
    """kubectl rollout undo: a Deployment gets template and annotations of the revision, the others the template."""
    obj = exact.copy(live)
    obj['spec']['template'] = exact.copy(kube.template(revision))
    if obj['kind'] == 'Deployment':
        kept = {k: v for k, v in (obj['metadata'].get('annotations') or {}).items() if k == kube.LAST_APPLIED}
        restored = {k: v for k, v in (revision['metadata'].get('annotations') or {}).items() if k != kube.LAST_APPLIED}
        obj['metadata'].pop('annotations', None)
        if kept or restored:
            obj['metadata']['annotations'] = {**restored, **kept}
    return obj
