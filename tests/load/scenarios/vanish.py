"""Clients that are gone from one moment to the next, in every state of a connection."""
import ctypes
import itertools
import json
import socket
import struct

import harness
import rig
from harness.wire import Wire
from scenario import CLIENTS, Scenario, close_all, rst

COUNT = 20       # clients in each state
TIMEOUT = 3      # --request-timeout
SO_ATTACH_FILTER = 26
KEPT = CLIENTS + 25  # connections that the normal clients may have

HEAD = harness.head('/mutate', len(harness.BODY))
LARGE = json.dumps(harness.review(uid='x' * (harness.BODY_LIMIT - 10000))).encode()  # its answer is as large


def raw(server, _):
    return server.connect()


def half_a_hello(server, context):
    wire = Wire(server, context)
    wire.sock.sendall(wire.hello()[:200])
    return wire.sock


def hello(server, context):
    wire = Wire(server, context)
    wire.sock.sendall(wire.hello())
    return wire.sock


def sent(*parts):
    """A connection that has sent these after its handshake."""
    def begin(server, context):
        s = server.tls(context)
        for part in parts:
            s.sendall(part)
        return s
    return begin


def answered(server, context):
    s = sent(HEAD, harness.BODY)(server, context)
    harness.read_response(s)
    return s


STATES = {
    'connected': raw, 'half a hello': half_a_hello, 'hello': hello, 'half a head': sent(HEAD[:50]), 'head': sent(HEAD),
    'half a body': sent(HEAD, harness.BODY[:100]),
    'large answer': sent(harness.head('/mutate', len(LARGE)), LARGE),
}
# What the server has done its part for, and keeps for its 120 s.
IDLE_STATES = {
    'handshake': sent(), 'answered': answered, 'request': sent(HEAD, harness.BODY),
    'two requests': sent(HEAD, harness.BODY, HEAD, harness.BODY),
}


def drop(sock):
    """From now on, the kernel drops all that comes for this socket: nothing is acknowledged, nothing refused."""
    program = ctypes.create_string_buffer(struct.pack('HBBI', 0x06, 0, 0, 0))  # BPF: return 0 bytes
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack('@HP', 1, ctypes.addressof(program)))


class Vanish(Scenario):
    title = '%d clients in each of %d states are reset, then as many vanish without a packet' % (
        COUNT, len(STATES) + len(IDLE_STATES))
    options = ('--request-timeout', str(TIMEOUT))

    def fault(self, stage):
        for _ in range(stage.scale):
            states = itertools.chain(STATES.values(), IDLE_STATES.values())
            for begin in states:
                for _ in range(COUNT):
                    rst(begin(stage.server, stage.context))
            stage.judge('what was reset is given back', rig.wait_until(lambda: self.count(stage) <= KEPT),
                        '%d connections' % self.count(stage))
            gone = []
            try:
                for begin in STATES.values():
                    for _ in range(COUNT):
                        gone.append(begin(stage.server, stage.context))
                        drop(gone[-1])
                stage.judge('what has vanished is given back', rig.wait_until(lambda: self.count(stage) <= KEPT),
                            '%d connections within %d s' % (self.count(stage), harness.WAIT))
                for begin in IDLE_STATES.values():
                    for _ in range(COUNT):
                        gone.append(begin(stage.server, stage.context))
                        drop(gone[-1])
            finally:
                for s in gone:
                    rst(s)
                close_all(gone)

    def count(self, stage):
        return stage.server.metric('connhook_connections')
