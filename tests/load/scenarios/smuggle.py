"""Requests whose end two systems could see in different places, by the thousand, made at random from odd parts."""
import concurrent.futures
import json
import random
import re

import harness
from harness import review
from harness.wire import Wire
from scenario import Scenario, half

COUNT = 3000
SEED = 1
ODDITY = 0.05  # share of places that are odd
THREADS = 16  # the server waits for a while before it gives a half-closed connection up

HIDDEN = json.dumps(review(uid='hidden')).encode()
NEXT = json.dumps(review(uid='next')).encode()
# The body of the outer request: should its end be seen too early, what follows is a request.
BODY = b'[\r\n\r\n' + harness.head('/mutate', len(HIDDEN)) + HIDDEN + b'\r\n\r\n0\r\n\r\n' + \
    harness.head('/mutate', len(HIDDEN)) + HIDDEN + b'\r\n]'

# Of each, the first is right.
VERSIONS = ('HTTP/1.1', 'HTTP/1.0', 'HTTP/0.9', 'HTTP/2.0', 'HTTP/1.2', 'http/1.1', 'HTTP/1.1 ', 'HTTP/11', '')
TARGETS = ('/mutate', 'https://localhost/mutate', '//localhost/mutate', '*', 'mutate', '/mutate#x', '/mut\0ate',
                              '/mutate HTTP/1.1\r\nX: y', 'localhost:443', '/mutate?\x7f')
METHODS = ('POST', 'post', 'GET', 'CONNECT', 'PRI', 'PO\0ST', '\r\nPOST', ' POST', 'POST\t')
ENDS = (b'\r\n', b'\n', b'\r', b'\r\r\n', b'\n\r', b'\0\r\n', b' \r\n', b'\x0b\r\n')
ODD = (
    'Content-Length: %(less)d', 'Content-Length: %(size)d', 'content-length: 0', 'Content-Length: +%(size)d',
    'Content-Length: 0x%(size)x', 'Content-Length: %(size)d, %(size)d', 'Content-Length: -1', 'Content-Length:',
    'Content-Length: 0%(less)d', 'Content-Length: %(less)d ', 'Content-Length: 18446744073709551616',
    'Content-Length: 18446744073709551615', 'Content-Length : %(less)d', 'Content-Length\t: %(less)d',
    ' Content-Length: %(less)d', '\tContent-Length: %(less)d', 'Content-Length\0: %(less)d', 'Content_Length: %(less)d',
    'X: y\nContent-Length: %(less)d', 'X: y\rContent-Length: %(less)d', 'X\r\n : y', ': y', 'Content-Length %(less)d',
    'Transfer-Encoding: chunked', 'Transfer-Encoding: Chunked', 'transfer-encoding: chunked', 'Transfer-Encoding: gzip',
    'Transfer-Encoding: identity', 'Transfer-Encoding: gzip, chunked', 'Transfer-Encoding: chunked, chunked',
    'Transfer-Encoding: chunked, identity', 'Transfer-Encoding : chunked', 'Transfer-Encoding\t:chunked',
    'Transfer-Encoding:\x0bchunked', 'Transfer-Encoding: \0chunked', 'Transfer-Encoding:\r\n chunked',
    ' Transfer-Encoding: chunked', 'Transfer_Encoding: chunked', 'Transfer-Encoding: xchunked', 'Transfer-Encoding:',
    'Transfer-Encoding: chunked;q=1', 'Transfer-Encoding: "chunked"', 'X: y\nTransfer-Encoding: chunked',
    'X: y\rTransfer-Encoding: chunked', 'X: \x01', 'X: \xff', 'Connection: close, Content-Length',
    'Connection: keep-alive', 'Upgrade: h2c', 'Expect: 100-continue', 'Expect: 200-ok', 'Host: other', 'TE: chunked',
    'Trailer: Content-Length',
)
SIZES = ('%x', '%X', '0%x', '%x;a=b', '%x;a="\n"', '%x ', ' %x', '+%x', '-%x', '0x%x', '%x\0', '%xg', '%x\t;a',
                        '1%016x', '%x;' + 'a' * 5000, '%x,', '%x.0', '')
LINES = (b'\r\n', b'\n', b'\r', b'\r\r\n', b'', b'\r\nX')
LAST = (b'0\r\n\r\n', b'0\n\n', b'00000\r\n\r\n', b'0;a\r\n\r\n', b'0\r\nContent-Length: 5\r\n\r\n', b'0\r\n\r',
                              b'0\r\nX: y\r\n\r\n', b'-0\r\n\r\n', b'0x0\r\n\r\n', b'0\r\n', b'0\r\nHost\r\n\r\n')


class Maker:
    """A stream of bytes from a seed: the outer request, oddly made, and the next one, made well."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.odd = 0

    def pick(self, choices):
        """Most often the first."""
        if self.random.random() >= ODDITY:
            return choices[0]
        self.odd += 1
        return self.random.choice(choices[1:])

    def chunks(self):
        cut = self.random.randrange(1, len(BODY))
        out = b''
        for part in (BODY[:cut], BODY[cut:]):
            size = self.pick(SIZES)
            out += (size % len(part) if '%' in size else size).encode('latin-1') + self.pick(LINES) + part + \
                self.pick(LINES)
        return out + self.pick(LAST)

    def stream(self):
        sizes = {'size': len(BODY), 'less': BODY.index(b'POST')}
        chunked = self.random.random() < 0.5
        lines = ['%s %s %s' % (self.pick(METHODS), self.pick(TARGETS), self.pick(VERSIONS)), 'Host: localhost',
                 'Content-Type: application/json',
                 'Transfer-Encoding: chunked' if chunked else 'Content-Length: %d' % len(BODY)]
        for _ in range(self.random.choice((0, 0, 1, 1, 1, 2))):
            lines.insert(self.random.randrange(1, len(lines) + 1), self.random.choice(ODD) % sizes)
            self.odd += 1
        head = b''.join(line.encode('latin-1') + self.pick(ENDS) for line in lines) + self.pick(ENDS)
        return head + (self.chunks() if chunked else BODY) + harness.head('/mutate', len(NEXT)) + NEXT


def answers(data):
    """(status, body) of each response, as far as they can be told apart."""
    while match := re.match(rb'HTTP/1\.[01] (\d{3}) (.*?\r\n)\r\n', data, re.S):
        length = re.search(rb'(?i)\ncontent-length: (\d+)\r\n', match.group(2))
        end = match.end() + (int(length.group(1)) if length else 0)
        if match.group(1) != b'100':
            yield int(match.group(1)), data[match.end():end]
        data = data[end:]


def fault_in(data, odd):
    """What is wrong with the answers to a stream; '' when nothing is."""
    found = list(answers(data))
    statuses = [status for status, _ in found]
    if b'hidden' in data:
        return 'what stood in a body was answered'
    if statuses.count(200) > 1 or (200 in statuses and b'"next"' not in found[statuses.index(200)][1]):
        return 'another request than the next one was answered'
    if 200 in statuses and statuses.index(200) != 1:
        return 'the next request is answer number %d' % (statuses.index(200) + 1)
    if not odd and statuses != [400, 200]:
        return 'a good request is not taken'
    return ''


class Smuggle(Scenario):
    title = '%d requests with odd framing, each with others in its body: none of these may be answered' % COUNT

    def fault(self, stage):
        taken = 0
        faults = []

        def ask(seed):
            maker = Maker(seed)
            stream = maker.stream()
            wire = Wire(stage.server, stage.context).shake_hands()
            try:
                wire.sock.sendall(wire.seal(stream))
            except OSError:  # it was refused before its end
                pass
            data = wire.open(half(wire.sock))
            return seed, stream, data, fault_in(data, maker.odd)

        with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
            for seed, stream, data, fault in pool.map(ask, range(SEED, SEED + COUNT * stage.scale)):
                taken += b'"next"' in data
                if fault:
                    faults.append('seed %d: %s: %r -> %r' % (seed, fault, stream[:400], data[:400]))
        stage.figure('%d were taken as one request, %d refused' % (taken, COUNT * stage.scale - taken))
        stage.judge('one request is never two', not faults, '%d are' % len(faults))
        for fault in faults[:5]:
            stage.figure(fault)
