"""What is no TLS, no TLS that the server speaks, and TLS that no good client speaks."""
import concurrent.futures
import contextlib
import os
import random
import struct

import harness
from harness import gnutls
from harness.wire import Wire
from scenario import Scenario, half

COUNT = 10000  # ClientHellos with changed bytes
FLOOD = 10000  # records in a row
SEED = 1
THREADS = 8
ALERT, HANDSHAKE = 0x15, 0x16


def record(kind, body, version=0x0303):
    return struct.pack('>BHH', kind, version, len(body)) + body


def old_hello(version):
    """A ClientHello of a version without extensions: SSL 3.0 is 0x0300, TLS 1.0 0x0301, TLS 1.1 0x0302."""
    body = struct.pack('>H', version) + bytes(32) + b'\0' + b'\x00\x04\x00\x2f\x00\x35' + b'\x01\0'
    return record(HANDSHAKE, b'\x01' + struct.pack('>I', len(body))[1:] + body, version)


def special(hello):
    """What is sent as it is, by name."""
    body = hello[5:]
    return {
        'nothing': b'', 'HTTP': harness.head('/mutate', len(harness.BODY)) + harness.BODY,
        'HTTP/2': b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + bytes(100), 'SSH': b'SSH-2.0-OpenSSH_9.2\r\n',
        'SSL 2.0': b'\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10' + bytes(35),
        'SSL 3.0': old_hello(0x300), 'TLS 1.0': old_hello(0x301), 'TLS 1.1': old_hello(0x302),
        'an unknown version': old_hello(0x7f7f),
        'a record of 64 KiB': struct.pack('>BHH', HANDSHAKE, 0x301, 0xffff) + bytes(0xffff),
        'a record one byte too long': struct.pack('>BHH', HANDSHAKE, 0x301, 16385 + 2048) + bytes(16385 + 2048),
        'a handshake message of 16 MiB': record(HANDSHAKE, b'\x01\xff\xff\xff' + bytes(16000)) + 100 * record(
            HANDSHAKE, bytes(16000)),
        'a fatal alert': record(ALERT, b'\x02\x28'), 'warnings': FLOOD * record(ALERT, b'\x01\x5a'),
        'empty handshake records': FLOOD * record(HANDSHAKE, b''),
        'empty records of data': FLOOD * record(0x17, b''), 'empty alerts': FLOOD * record(ALERT, b''),
        'changes of cipher': hello + FLOOD * record(0x14, b'\x01'),
        'heartbeats': hello + FLOOD * record(0x18, b'\x01\x40\x00'),
        'early data': hello + 500 * record(0x17, os.urandom(16000)),
        'a ClientHello byte by byte': b''.join(record(HANDSHAKE, body[i:i + 1]) for i in range(len(body))),
        'two ClientHellos': hello + hello, 'a ClientHello and its end': hello + record(ALERT, b'\x01\x00'),
        'a Finished that is none': hello + record(0x14, b'\x01') + record(0x17, os.urandom(53)),
    }


# What is done after a good handshake: GnuTLS's version, and what.
SESSIONS = {
    'a renegotiation': ('TLS1.2', lambda s: s.shake_hands()),
    'new keys over and over': ('TLS1.3', lambda s: [s.update_keys() for _ in range(FLOOD)]),
    'empty records in a session': ('TLS1.3', lambda s: [s.send_nothing() for _ in range(FLOOD)]),
    'warnings in a session of TLS 1.2': ('TLS1.2', lambda s: [s.alert(gnutls.WARNING, 90) for _ in range(FLOOD)]),
    'warnings in a session of TLS 1.3': ('TLS1.3', lambda s: [s.alert(gnutls.WARNING, 90) for _ in range(FLOOD)]),
    'a fatal alert in a session': ('TLS1.3', lambda s: s.alert(gnutls.FATAL, 80)),
}


def changed(hello, seed):
    """Some bytes changed, inserted, left out, or the end cut off."""
    rng = random.Random(seed)
    out = bytearray(hello)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        at = rng.randrange(len(out))
        how = rng.randrange(4)
        if how == 0:
            out[at] = rng.randrange(256)
        elif how == 1:
            out[at] ^= 1 << rng.randrange(8)
        elif how == 2:
            out[at:at] = bytes(rng.randrange(256) for _ in range(rng.choice((1, 4, 100))))
        else:
            del out[at:at + rng.choice((1, 2, 50))]
        out = out or bytearray(b'\x16')
    if rng.random() < 0.5:
        out[3:5] = struct.pack('>H', max(len(out) - 5, 0) & 0xffff)  # so that the record is whole
    return bytes(out)


class Garbage(Scenario):
    title = '%d changed ClientHellos, old versions, floods of records, and sessions that misbehave' % COUNT
    options = ('--request-timeout', '5')

    def fault(self, stage):
        wire = Wire(stage.server, stage.context)
        hello = wire.hello()
        wire.sock.close()
        named = special(hello)
        inputs = [(name, named[name]) for name in named for _ in range(stage.scale)] + \
            [('seed %d' % seed, changed(hello, seed)) for seed in range(SEED, SEED + COUNT * stage.scale)]
        with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
            answers = list(pool.map(lambda pair: self.answer(stage, pair[1]), inputs))
        wrong = [(name, answer) for (name, _), answer in zip(inputs, answers)
                 if answer[:1] not in (b'', bytes([ALERT]), bytes([HANDSHAKE])) or b'HTTP/' in answer]
        stage.judge('garbage has no answer but an alert or a handshake', not wrong, '%d of %d have another: %r' % (
            len(wrong), len(inputs), wrong[:3]))
        for name, (version, misbehave) in SESSIONS.items():
            before = stage.server.cpu()
            for _ in range(stage.scale):
                with contextlib.suppress(gnutls.Failed), gnutls.Session(stage.server, version) as session:
                    misbehave(session)
            stage.figure('%s: %.2f s of CPU' % (name, (stage.server.cpu() - before) / stage.scale))
        lines = sum(' level=warn ' in line for line in stage.server.log().split('\n'))
        stage.figure('%d warnings in the log' % lines)

    def answer(self, stage, data):
        s = stage.server.connect()
        with contextlib.suppress(OSError):  # it may be refused before its end
            s.sendall(data)
        return half(s)
