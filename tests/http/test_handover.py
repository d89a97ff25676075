#!/usr/bin/python3
"""--handover: from one configuration to another, while other instances still inject by the other one."""
import base64
import copy
import json
import os
import shutil
import signal
import tempfile
import time
import unittest

import harness
from harness import DEPLOYMENT, Server, review

OLD, NEW = 'old', 'new'
KNOWN_SECONDS = 120     # HANDOVER_SECONDS
ACCEPTED_SECONDS = 360  # HANDOVER_ACCEPT_SECONDS


def configuration(name, more=''):
    return ('apiVersion: connhook.zerotouch.io/v1alpha1\nkind: InjectorConfig\nbindings:\n'
            '- name: db\n  secretName: "{app}-%s"\n%s' % (name, more))


def injected(name):
    """The Deployment as an instance with that configuration makes it."""
    made = copy.deepcopy(DEPLOYMENT)
    made['spec']['template']['spec']['containers'][0]['envFrom'] = [
        {'secretRef': {'name': 'identity-service-' + name, 'optional': False}}]
    return made


class Handover(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix='connhook-handover-')
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.config = self.write('config.yaml', configuration(NEW))

    def write(self, name, text):
        path = os.path.join(self.directory, name)
        with open(path + '.new', 'w', encoding='utf-8') as file:
            file.write(text)
        os.rename(path + '.new', path)
        return path

    def replaced(self, seconds, previous=configuration(OLD)):
        """The configuration OLD gave way to NEW so long ago."""
        self.write('previous.yaml', previous)
        self.write('replaced', '%d\n' % (time.time() - seconds))

    def server(self):
        return Server('--config', self.config, '--handover', self.directory)

    def ask(self, server, path, made):
        status, _, body = server.post(path, json.dumps(review(made)).encode())
        self.assertEqual(status, 200)
        return json.loads(body)['response']

    def used(self, server):
        """The configuration that it injects by."""
        response = self.ask(server, '/mutate', DEPLOYMENT)
        patch = base64.b64decode(response['patch']).decode()
        return next(name for name in (OLD, NEW) if 'identity-service-' + name in patch)

    def accepted(self, server):
        """What it finds complete; never what nobody has injected into, or something else."""
        for made in (DEPLOYMENT, injected('forged')):
            response = self.ask(server, '/validate', made)
            self.assertFalse(response['allowed'])
            self.assertIn('injection-complete', response['status']['message'])
        return [name for name in (OLD, NEW) if self.ask(server, '/validate', injected(name))['allowed']]

    def check(self, server, used, *accepted):
        self.assertEqual((self.used(server), self.accepted(server)), (used, list(accepted)))

    def test_without_a_change(self):
        with self.server() as server:
            self.check(server, NEW, NEW)

    def test_a_new_instance_uses_the_previous_one_until_all_know_the_new(self):
        self.replaced(0)
        with self.server() as server:
            self.check(server, OLD, OLD, NEW)
            start = len(server.lines)
            self.replaced(KNOWN_SECONDS + 10)
            server.send(signal.SIGHUP)
            server.wait_log('msg=reload what=configuration', start)
            self.check(server, NEW, OLD, NEW)

    def test_after_a_while_the_previous_one_is_forgotten(self):
        self.replaced(ACCEPTED_SECONDS + 10)
        with self.server() as server:
            self.check(server, NEW, NEW)

    def test_a_running_instance_remembers_the_previous_one(self):
        self.write('config.yaml', configuration(OLD))
        with self.server() as server:
            self.check(server, OLD, OLD)
            start = len(server.lines)
            self.write('config.yaml', configuration(NEW))
            server.wait_log('msg=reload what=configuration', start)
            self.check(server, OLD, OLD, NEW)
            self.replaced(KNOWN_SECONDS - 10)
            self.write('config.yaml', configuration('newest'))      # before it was ever used
            server.wait_log('msg=reload what=configuration', start + 1)
            self.assertEqual(self.used(server), OLD)

    def test_a_layout_is_no_change(self):
        self.replaced(0, '# another comment\n' + configuration(NEW))
        with self.server() as server:
            self.check(server, NEW, NEW)

    def test_a_binding_that_only_one_knows(self):
        self.replaced(KNOWN_SECONDS + 10, configuration(OLD, '- {name: jwt, secretName: "{app}-jwt"}\n'))
        made = injected(OLD)
        made['metadata']['annotations']['inject.zerotouch.io/bindings'] = 'db,jwt'
        made['spec']['template']['spec']['containers'][0]['envFrom'].append(
            {'secretRef': {'name': 'identity-service-jwt', 'optional': False}})
        with self.server() as server:
            self.assertTrue(self.ask(server, '/validate', made)['allowed'])
            self.assertFalse(self.ask(server, '/mutate', made)['allowed'])

    def test_what_the_other_one_exempts(self):
        self.replaced(KNOWN_SECONDS + 10, configuration(OLD, 'exempt: {namespaces: [tenant-a]}\n'))
        with self.server() as server:
            self.assertTrue(self.ask(server, '/validate', DEPLOYMENT)['allowed'])

    def test_files_that_cannot_be_used(self):
        for name, previous, when, sentence in (
                ('a bad configuration', 'kind: Other\n', '%d' % time.time(), 'the previous configuration:1:1'),
                ('no moment', configuration(OLD), 'today', 'holds no moment'),
                ('a long one', configuration(OLD), '1' * 100, 'holds no moment'),
                ('a far one', configuration(OLD), '%d' % (time.time() + 3600), None)):
            with self.subTest(name):
                self.write('previous.yaml', previous)
                self.write('replaced', when)
                with self.server() as server:
                    self.check(server, NEW, NEW)
                    if sentence:
                        server.wait_log('msg=handover .*' + sentence)

    def test_the_moment_alone(self):
        self.write('replaced', '%d' % time.time())
        with self.server() as server:
            self.check(server, NEW, NEW)
            server.wait_log('msg=handover .*previous.yaml')


if __name__ == '__main__':
    harness.main()
