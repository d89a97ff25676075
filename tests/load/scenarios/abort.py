"""Clients that go at every byte: of the handshake, of a request's record, of a request in records of its own."""
import concurrent.futures
import itertools

import harness
from harness.wire import Wire
from scenario import Scenario, fin, half, rst

WAYS = (fin, rst, half)
THREADS = 16  # the server waits for a while before it gives a half-closed connection up
REQUEST = harness.head('/mutate', len(harness.BODY)) + harness.BODY


class Abort(Scenario):
    title = 'FIN, RST and half a close at every byte of a handshake and of a request of %d bytes' % len(REQUEST)

    def fault(self, stage):
        hello, last, record = self.sizes(stage)
        places = [(place, k) for place, size in ((self.in_hello, hello), (self.in_last, last),
                                                 (self.in_record, record), (self.in_request, len(REQUEST)))
                  for k in range(size + 1)]
        # In the length for CI the ways take turns; at length, each byte has all of them.
        if stage.scale > 1:
            tasks = [(place, k, way) for place, k in places for way in WAYS]
        else:
            tasks = [(place, k, way) for (place, k), way in zip(places, itertools.cycle(WAYS))]
        with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
            wrong = sum(pool.map(lambda task: task[0](stage, *task[1:]), tasks))
        stage.figure('%d connections; %d and %d bytes of handshake, %d of a record' % (len(tasks), hello, last, record))
        stage.judge('half a request has no answer, a whole one has its own', not wrong, '%d are wrong' % wrong)

    def sizes(self, stage):
        """How many bytes a client sends: first, to end the handshake, and as the record of a request."""
        wire = Wire(stage.server, stage.context)
        hello = wire.hello()
        wire.sock.sendall(hello)
        last = wire.finish()
        wire.sock.sendall(last)
        record = wire.seal(REQUEST)
        wire.sock.close()
        return len(hello), len(last), len(record)

    def in_hello(self, stage, k, way):
        wire = Wire(stage.server, stage.context)
        wire.sock.sendall(wire.hello()[:k])
        way(wire.sock)
        return 0

    def in_last(self, stage, k, way):
        wire = Wire(stage.server, stage.context)
        wire.sock.sendall(wire.hello())
        wire.sock.sendall(wire.finish()[:k])
        way(wire.sock)
        return 0

    def in_record(self, stage, k, way):
        wire = Wire(stage.server, stage.context).shake_hands()
        record = wire.seal(REQUEST)
        wire.sock.sendall(record[:k])
        return self.is_wrong(wire, way(wire.sock), way, k == len(record))

    def in_request(self, stage, k, way):
        wire = Wire(stage.server, stage.context).shake_hands()
        if k > 0:
            wire.sock.sendall(wire.seal(REQUEST[:k]))
        return self.is_wrong(wire, way(wire.sock), way, k == len(REQUEST))

    def is_wrong(self, wire, data, way, whole):
        """Only who waits for it sees an answer: a whole request must have its own, a part of one must have none."""
        if way is not half:
            return False
        text = wire.open(data)
        return (b'HTTP/1.1 200 ' in text) != whole
