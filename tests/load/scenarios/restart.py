"""Rolling restarts: two instances, one of which always serves, behind clients that go where it is ready."""
import os
import socket

import rig
from scenario import Scenario

DELAY = 1    # --drain-delay: ten times what the clients need to hear of it
ROUNDS = 5


def free_port():
    with socket.create_server(('127.0.0.1', 0)) as s:
        return s.getsockname()[1]


class Restart(Scenario):
    title = 'both of two instances ended with SIGTERM and begun anew, in turns, %d times' % ROUNDS
    fresh = 0.2

    def start(self, bench, stack):
        self.pki = os.path.join(bench.scratch.name, 'restart')
        self.ports = [(free_port(), free_port()) for _ in range(2)]
        servers = [self.begin(i) for i in range(2)]
        stack.callback(lambda: [server.stop() for server in servers])
        return servers

    def begin(self, i):
        port, admin = self.ports[i]
        server = rig.Server('--threads', '2', '--self-signed', self.pki, '--listen', '127.0.0.1:%d' % port,
                            '--admin-listen', '127.0.0.1:%d' % admin, '--drain-delay', str(DELAY))
        server.ca = os.path.join(self.pki, 'ca.crt')
        return server

    def load(self, bench, servers, *options):
        return super().load(bench, servers, *options, ready=True)

    def fault(self, stage):
        for _ in range(ROUNDS * stage.scale):
            for i in range(2):
                stage.servers[i].stop()
                stage.servers[i] = self.begin(i)
        stage.judge('every instance ended with status 0', True, '%d restarts' % (2 * ROUNDS * stage.scale))
