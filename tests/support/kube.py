"""What a Kubernetes API server and kubectl do around an admission webhook, as far as the tests need it."""
import decimal

from support import exact

PREFIX = 'inject.zerotouch.io/'
STATUS = PREFIX + 'status'
RECORD = PREFIX + 'injected'
LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration'
RELOADER = 'secret.reloader.stakater.com/reload'


def plural(kind):
    kind = kind.lower()
    return kind[:-1] + 'ies' if kind.endswith('y') else kind + 's'


def review(operation, obj, old=None, uid='0c5f4ad1-0000-4000-8000-000000000001', user='tenant-a-developer',
           groups=('system:authenticated',), namespace=None, name=None, subresource=None, dry_run=False):
    """The AdmissionReview (a dict) that an API server sends; `namespace` and `name` default to the object's."""
    shown = obj or old or {}
    meta = shown.get('metadata')
    meta = meta if isinstance(meta, dict) else {}
    group, _, version = shown.get('apiVersion', 'v1').rpartition('/')
    gvk = {'group': group, 'version': version, 'kind': shown.get('kind', 'Unknown')}
    gvr = {'group': group, 'version': version, 'resource': plural(gvk['kind'])}
    namespace = meta.get('namespace') if namespace is None else namespace
    name = meta.get('name') if name is None else name
    request = {'uid': uid, 'kind': gvk, 'resource': gvr}
    if subresource:
        request['subResource'] = subresource
    request.update({'requestKind': gvk, 'requestResource': gvr})
    if subresource:
        request['requestSubResource'] = subresource
    if name:
        request['name'] = name
    if namespace:
        request['namespace'] = namespace
    request.update({'operation': operation, 'userInfo': {'username': user, 'groups': list(groups)},
                    'object': obj if operation != 'DELETE' else None,
                    'oldObject': old if operation != 'CREATE' else None, 'dryRun': dry_run,
                    'options': {'kind': operation.capitalize() + 'Options', 'apiVersion': 'meta.k8s.io/v1'}})
    return {'kind': 'AdmissionReview', 'apiVersion': 'admission.k8s.io/v1', 'request': request}


def merge_patch(target, patch):
    """RFC 7386; the target is not changed."""
    if not isinstance(patch, dict):
        return exact.copy(patch)
    out = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = merge_patch(out.get(key), value)
    return out


# ---- the pod template of a workload ----

TEMPLATE_PATHS = {'CronJob': ('spec', 'jobTemplate', 'spec', 'template')}
WORKLOADS = ('Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Job', 'CronJob', 'Rollout')


def template(obj):
    """The pod template, or None."""
    if obj.get('kind') not in WORKLOADS:
        return None
    for key in TEMPLATE_PATHS.get(obj['kind'], ('spec', 'template')):
        obj = obj.get(key) if isinstance(obj, dict) else None
    return obj if isinstance(obj, dict) else None


# ---- kubectl apply ----

# Kubernetes' patchMergeKey of the lists that have one; all other lists are replaced as a whole.
MERGE_KEYS = {'containers': 'name', 'initContainers': 'name', 'ephemeralContainers': 'name', 'env': 'name',
              'volumes': 'name', 'volumeMounts': 'mountPath', 'ports': 'containerPort', 'imagePullSecrets': 'name'}


def apply(last, new, live):
    """
    The object that `kubectl apply` sends: `live` with the difference from the manifest `last` to the manifest `new`,
    by strategic merge for built-in kinds and by JSON merge (all lists replaced) for custom resources.
    """
    custom = '.' in live['apiVersion'].partition('/')[0]
    return _apply_map(last, new, live, custom)


def undo(live, earlier):
    """
    What `kubectl rollout undo` sends: the pod template of an earlier state; of a Deployment its annotations as well,
    but for those that kubectl leaves out.
    """
    obj = exact.copy(live)
    obj['spec']['template'] = exact.copy(template(earlier))
    if obj['kind'] == 'Deployment':
        now, then = (o['metadata'].get('annotations') or {} for o in (live, earlier))
        obj['metadata']['annotations'] = {**{k: v for k, v in now.items() if k == LAST_APPLIED},
                                          **{k: v for k, v in then.items() if k != LAST_APPLIED}}
    return obj


def declare(obj, manifest):
    """What `kubectl apply` notes of the manifest, in the object that it sends."""
    obj['metadata'] = {**obj['metadata'], 'annotations': {**(obj['metadata'].get('annotations') or {}),
                                                          LAST_APPLIED: exact.dumps(manifest).decode()}}


def _apply_map(last, new, live, custom):
    out = dict(live)
    for key in last:
        if key not in new:
            out.pop(key, None)
    for key, value in new.items():
        if isinstance(value, dict) and isinstance(out.get(key), dict):
            before = last.get(key)
            out[key] = _apply_map(before if isinstance(before, dict) else {}, value, out[key], custom)
        elif isinstance(value, list) and isinstance(out.get(key), list) and key in MERGE_KEYS and not custom:
            out[key] = _apply_list(last.get(key) or [], value, out[key], MERGE_KEYS[key], custom)
        else:
            out[key] = exact.copy(value)
    return out


def _apply_list(last, new, live, key, custom):
    before = {e.get(key): e for e in last}
    wanted = {e.get(key): e for e in new}
    place = {e.get(key): i for i, e in enumerate(live)}
    mine = [_apply_map(before.get(e.get(key), {}), e, live[place[e.get(key)]], custom) if e.get(key) in place
            else exact.copy(e) for e in new]
    server = [e for e in live if e.get(key) not in wanted and e.get(key) not in before]
    # As strategic merge does with $setElementOrder: an entry only the server has stays before what it stood before.
    out = []
    while server or mine:
        known = mine and mine[0].get(key) in place
        if not mine or (server and known and place[server[0].get(key)] < place[mine[0].get(key)]):
            out.append(server.pop(0))
        else:
            out.append(mine.pop(0))
    return out


# ---- defaults ----

def stored(obj):
    """
    The object as the API server keeps it: defaults added, empty fields left out, quantities in canonical form. An
    object of a shape that it would refuse comes back as it is.
    """
    try:
        return _stored(exact.copy(obj))
    except (AttributeError, TypeError):
        return exact.copy(obj)


def _stored(obj):
    t = template(obj)
    spec = t.get('spec') if t else None
    if not isinstance(spec, dict) or obj.get('kind') == 'Rollout':
        return obj
    for field in ('initContainers', 'containers'):
        for c in spec.get(field) or []:
            _default_container(c)
        if not spec.get(field):
            spec.pop(field, None)
    if not spec.get('imagePullSecrets'):
        spec.pop('imagePullSecrets', None)
    spec.setdefault('restartPolicy', 'Never' if obj['kind'] in ('Job', 'CronJob') else 'Always')
    spec.setdefault('terminationGracePeriodSeconds', exact.Number('30'))
    spec.setdefault('dnsPolicy', 'ClusterFirst')
    spec.setdefault('securityContext', {})
    spec.setdefault('schedulerName', 'default-scheduler')
    t.setdefault('metadata', {}).setdefault('creationTimestamp', None)
    return obj


def _default_container(c):
    c.setdefault('resources', {})
    c.setdefault('terminationMessagePath', '/dev/termination-log')
    c.setdefault('terminationMessagePolicy', 'File')
    if not c.get('imagePullPolicy'):
        c['imagePullPolicy'] = pull_policy(str(c.get('image', '')))
    for key in [k for k, v in c.items() if v is None or v == [] or v == '']:
        del c[key]
    for entry in c.get('env', []):
        if entry.get('value') == '':
            del entry['value']
        ref = (entry.get('valueFrom') or {}).get('fieldRef')
        if ref:
            ref.setdefault('apiVersion', 'v1')
    for port in c.get('ports', []):
        port.setdefault('protocol', 'TCP')
    resources = c['resources']
    for which in ('limits', 'requests'):
        for name, value in (resources.get(which) or {}).items():
            resources[which][name] = quantity(value.text if isinstance(value, exact.Number) else value)
    for name, value in (resources.get('limits') or {}).items():
        resources.setdefault('requests', {}).setdefault(name, value)


def pull_policy(image):
    """The API server's default of imagePullPolicy."""
    if not image:
        return 'IfNotPresent'
    last = image.rpartition('/')[2]
    return 'Always' if '@' not in image and (':' not in last or last.endswith(':latest')) else 'IfNotPresent'


_BINARY = ('', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei')
_DECIMAL = {'n': -9, 'u': -6, 'm': -3, '': 0, 'k': 3, 'M': 6, 'G': 9, 'T': 12, 'P': 15, 'E': 18}


def quantity(text):
    """The canonical form of a quantity: "1000m" is "1", "1024Mi" is "1Gi", "0.5" is "500m"."""
    digits = text.rstrip('numkKMGTPEi')
    suffix = text[len(digits):]
    if suffix.endswith('i'):
        power = _BINARY.index(suffix)
        value = decimal.Decimal(digits) * 1024 ** power
        if value != value.to_integral_value() or abs(value) < 1024:
            return _decimal(value)
        value, power = int(value), 0
        while value and value % 1024 == 0 and power < len(_BINARY) - 1:
            value, power = value // 1024, power + 1
        return '%d%s' % (value, _BINARY[power])
    if 'e' in digits or 'E' in digits:
        return text
    return _decimal(decimal.Decimal(digits).scaleb(_DECIMAL[suffix]))


def _decimal(value):
    if value == 0:
        return '0'
    for suffix, power in sorted(_DECIMAL.items(), key=lambda item: -item[1]):
        scaled = value.scaleb(-power)
        if scaled == scaled.to_integral_value():
            return '%d%s' % (scaled, suffix)
    return str(value)
