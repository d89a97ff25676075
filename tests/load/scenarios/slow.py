"""Clients that send a byte now and then, so that no connection is ever idle (slow loris)."""
import itertools
import ssl
import time

import harness
from harness.wire import Wire
from scenario import Scenario, close_all

COUNT = 500
PACE = 0.1      # seconds between two bytes of a client
SLICES = 20     # parts of that time, in each of which as many of the clients send: they know nothing of each other
TIMEOUT = 5     # --request-timeout
SLACK = 3       # seconds that a busy machine may need beyond it
SECONDS = 15
PARTS = ('handshake', 'head', 'body')


class Client:
    """Trickles one part of a request; `answer` is what came until the server ended it."""

    def __init__(self, stage, part):
        self.part, self.answer, self.ended = part, b'', False
        head, body = harness.head('/mutate', len(harness.BODY)), harness.BODY
        if part == 'handshake':
            wire = Wire(stage.server, stage.context)
            self.sock, self.rest = wire.sock, wire.hello()
        else:
            self.sock, self.rest = stage.tls(), head + body
        self.began = None
        if part == 'body':
            self.began = time.monotonic()
            self.sock.sendall(head)
            self.rest = body
        self.sock.setblocking(False)
        self.at = 0

    def step(self):
        """One byte more, and a look at what the server says."""
        self.began = self.began or time.monotonic()
        try:
            self.at += self.sock.send(self.rest[self.at:self.at + 1])
            while True:
                data = self.sock.recv(65536)
                self.answer += data
                if not data:
                    self.ended = True
                    break
        except (BlockingIOError, ssl.SSLWantReadError):
            pass
        except OSError:
            self.ended = True
        return self.ended


class Slow(Scenario):
    title = '%d clients that trickle a byte every %g s of handshakes, heads and bodies' % (COUNT, PACE)
    options = ('--request-timeout', str(TIMEOUT))
    elsewhere = True

    def fault(self, stage):
        parts = itertools.cycle(PARTS)
        clients, lives, wrong = [], [], 0
        until = time.monotonic() + SECONDS * stage.scale
        try:
            for turn in itertools.count():
                began = time.monotonic()
                if began >= until:
                    break
                for client in [client for client in clients[turn % SLICES::SLICES] if client.step()]:
                    lives.append(time.monotonic() - client.began)
                    wrong += client.part != 'handshake' and not client.answer.startswith(b'HTTP/1.1 408 ')
                    client.sock.close()
                    clients.remove(client)
                # New ones come one at a time, so that the others are not kept waiting by their handshakes.
                if len(clients) < COUNT:
                    clients.append(Client(stage, next(parts)))
                time.sleep(max(0, began + PACE / SLICES - time.monotonic()))
        finally:
            close_all(client.sock for client in clients)
        longest = max(lives, default=float('inf'))
        stage.judge('the server ends each in time', longest < TIMEOUT + SLACK,
                    '%d ended, the longest lived %.1f s of %d' % (len(lives), longest, TIMEOUT))
        stage.judge('they are told why', not wrong, '%d without a 408' % wrong)
