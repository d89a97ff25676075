"""Configuration, certificate and client CA replaced all the time, as the kubelet does it, and SIGHUP in between."""
import os
import re
import shutil
import signal
import subprocess
import time

import harness
import rig
from harness.authority import Authority, join
from scenario import Scenario

PACE = 0.1      # seconds between two replacements
SECONDS = 15
PROFILES = os.path.join(rig.HERE, '../../src/policy/load/profiles/%s.yaml')


class Replace(Scenario):
    title = 'configuration, certificate and client CA replaced every %g s, with SIGHUP in between' % PACE
    fresh = 0.3

    def start(self, bench, stack):
        self.folder = os.path.join(bench.scratch.name, 'replace')
        os.mkdir(self.folder)
        self.make_generations()
        names = ('config.yaml', 'tls.crt', 'tls.key', 'clients.crt')
        for name in names:
            os.symlink('..data/' + name, os.path.join(self.folder, name))
        config, certificate, key, clients = (os.path.join(self.folder, name) for name in names)
        self.questions = bench.ask(*(os.path.join(self.folder, g, 'config.yaml') for g in ('..0', '..1')))
        return [stack.enter_context(rig.Server(
            '--threads', '2', '--config', config, '--client-ca', clients,
            pair=(certificate, key, os.path.join(self.folder, 'pki', 'ca.crt'))))]

    def make_generations(self):
        """Two folders with all files. Both pairs have the same CA, and both know the clients'."""
        pki = os.path.join(self.folder, 'pki')
        one, two = (Authority(self.folder, name) for name in ('one', 'two'))
        self.client = one.issue('apiserver')
        kinds = (('init', 'managed', (one,)), ('renew', 'in-cluster', (two, one)))
        for i, (action, profile, clients) in enumerate(kinds):
            folder = os.path.join(self.folder, '..%d' % i)
            os.mkdir(folder)
            subprocess.run([harness.BINARY, 'certs', action, '--out', pki], check=True, stdout=subprocess.DEVNULL)
            for name in ('tls.crt', 'tls.key'):
                shutil.copy(os.path.join(pki, name), folder)
            shutil.copy(PROFILES % profile, os.path.join(folder, 'config.yaml'))
            join(os.path.join(folder, 'clients.crt'), *clients)
        self.swap(0)

    def swap(self, i):
        """What the kubelet does: a link is renamed over the other one."""
        data = os.path.join(self.folder, '..data')
        os.symlink('..%d' % (i % 2), data + '_tmp')
        os.rename(data + '_tmp', data)

    def load(self, bench, servers, *options):
        return super().load(bench, servers, *options, '-cert', self.client, questions=self.questions)

    def fault(self, stage):
        swaps = 0
        until = time.monotonic() + SECONDS * stage.scale
        while time.monotonic() < until:
            swaps += 1
            self.swap(swaps)
            time.sleep(PACE / 2)
            stage.server.send(signal.SIGHUP)
            time.sleep(PACE / 2)
        log = stage.server.log()
        loads = [len(re.findall(r'msg=reload what=%s (?:fingerprint|file)' % re.escape(what), log))
                 for what in ('configuration', 'certificate', 'client-ca')]
        stage.judge('all three were read anew again and again', min(loads) >= swaps // 8,
                    '%d replacements; configuration read %d times, certificate %d, client CA %d' % (swaps, *loads))
        # A certificate read before a swap and a key read after it do not match; the swap is noticed, and both are read.
        stage.figure('%d were refused' % log.count(' level=error msg=reload '))
        stage.judge('the last ones are in use', rig.wait_until(
            lambda: 'reload' not in stage.server.get('/readyz?verbose')[2].decode()), '')
