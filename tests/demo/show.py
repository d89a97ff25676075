#!/usr/bin/python3
"""
The story that tests/demo/run tells: sends reviews to both servers with curl and prints what came back.

    show.py WORK      the folder with tls/ca.crt, managed.log and in-cluster.log
"""
import base64
import difflib
import json
import os
import subprocess
import sys
import textwrap
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from support import core, exact, kube  # noqa: E402: the path comes first

START_SECONDS = 5  # until a server listens, and how often we look
START_POLL = 0.02
COLUMNS = 110
COLOUR = sys.stdout.isatty()


def paint(code, text):
    return '\033[%sm%s\033[0m' % (code, text) if COLOUR else text


def address(work, name):
    """Where a server listens, from the line it logs once it does."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        with open('%s/%s.log' % (work, name), encoding='utf-8') as log:
            text = log.read()
        for line in text.splitlines(keepends=True):
            if line.endswith('\n') and '"listening"' in line:
                return json.loads(line)['tls']
        time.sleep(START_POLL)
    sys.exit('the %s server did not start:\n%s' % (name, text))


def post(work, where, path, review):
    """The response, over HTTPS with our own CA."""
    url = 'https://%s%s?timeout=5s' % (where, path)
    done = subprocess.run(['curl', '--silent', '--show-error', '--cacert', work + '/tls/ca.crt', '--header',
                           'Content-Type: application/json', '--data-binary', '@-', url],
                          input=exact.dumps(review), stdout=subprocess.PIPE, check=True)
    return url, exact.loads(done.stdout)['response']


def heading(number, text, configuration):
    print('\n' + paint('1', '%d. %s' % (number, text)) + '   [configuration: %s]\n' % configuration)


def wrapped(label, text):
    print(textwrap.fill('%s: %s' % (label, text), COLUMNS, initial_indent='  ', subsequent_indent='      '))


def verdict(url, response):
    word = paint('32', 'allowed') if response['allowed'] else paint('31', 'denied, %s' % response['status']['code'])
    print('  POST %s -> %s' % (url, word))
    for text in response.get('warnings', []):
        wrapped('warning', text)
    if not response['allowed']:
        wrapped('message', response['status']['message'])


def plain(value):
    """YAML as people write manifests; what does not fit on a terminal's line is cut."""
    return [line if len(line) <= COLUMNS else line[:COLUMNS - 4] + ' ...'
            for line in exact.yaml_dump(value).splitlines()]


def shown(obj):
    """What a tenant looks at: the annotations that connhook reads and writes, and the pod template's spec."""
    return {'metadata': {'annotations': {k: v for k, v in obj['metadata']['annotations'].items()
                                         if k.startswith((kube.PREFIX, 'secret.reloader'))}},
            'spec': {'template': {'spec': kube.template(obj)['spec']}}}


def marked(before, after):
    """The manifest afterwards, with + before each line that connhook has added."""
    for line in difflib.ndiff(plain(shown(before)), plain(shown(after))):
        if line.startswith('+'):
            print(paint('32', '  + ' + line[2:]))
        elif line.startswith('-'):
            print(paint('31', '  - ' + line[2:]))
        elif line.startswith(' '):
            print('    ' + line[2:])


def workload(work, number, servers, configuration, name):
    with open('%s/../cases/services/%s/object.yaml' % (HERE, name), encoding='utf-8') as f:
        obj = exact.yaml_load(f.read())
    heading(number, '%s: its tenant commits a Deployment that names what it needs' % name, configuration)
    for key, value in obj['metadata']['annotations'].items():
        if key.startswith(kube.PREFIX):
            print('  %s: %s' % (key, value))
    print()
    url, response = post(work, servers[configuration], '/mutate', kube.review('CREATE', obj))
    verdict(url, response)
    if 'patch' not in response:
        sys.exit('there should be a patch: %s' % response)
    patch = exact.loads(base64.b64decode(response['patch']))
    result = core.apply(patch, obj)
    verdict(*post(work, servers[configuration], '/validate', kube.review('CREATE', result)))
    print('\n  What the API server stores; + is what connhook added:\n')
    marked(obj, result)


def claim(work, number, servers, configuration, title, obj):
    heading(number, title, configuration)
    for line in plain(obj):
        print('    ' + line)
    print()
    verdict(*post(work, servers[configuration], '/validate', kube.review('CREATE', obj)))


def main():
    work = sys.argv[1]
    servers = {name: address(work, name) for name in ('managed', 'in-cluster')}
    print('connhook answers admission reviews over HTTPS, once for each architecture of the platform.')
    workload(work, 1, servers, 'managed', 'identity-service')
    workload(work, 2, servers, 'in-cluster', 'agent-executor')
    claim(work, 3, servers, 'managed', 'A tenant asks for a database inside the cluster', {
        'apiVersion': 'database.bizmatters.io/v1alpha1', 'kind': 'PostgresInstance',
        'metadata': {'name': 'agent-executor-db', 'namespace': 'intelligence-deepagents'}, 'spec': {'size': 'medium'}})
    claim(work, 4, servers, 'managed', 'A cache whose connection secret has another name', {
        'apiVersion': 'cache.bizmatters.io/v1alpha1', 'kind': 'DragonflyInstance',
        'metadata': {'name': 'identity-cache', 'namespace': 'platform-identity'},
        'spec': {'size': 'small', 'writeConnectionSecretToRef': {'name': 'identity-redis'}}})


if __name__ == '__main__':
    main()
