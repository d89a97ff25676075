"""Bodies at the limit, one byte above and far above, announced and in chunks."""
import json

import harness
from harness import BODY_LIMIT
from scenario import Scenario, is_reviewed

CHUNK = 64 * 1024
FAR = 64 * 1024 * 1024
ROUNDS = 10


def announced(body):
    yield harness.head('/mutate', len(body))
    yield body


def chunked(body):
    yield harness.head('/mutate', None, 'Transfer-Encoding: chunked')
    for i in range(0, len(body), CHUNK):
        part = body[i:i + CHUNK]
        yield b'%x\r\n%s\r\n' % (len(part), part)
    yield b'0\r\n\r\n'


class Bodies(Scenario):
    title = 'bodies of %d bytes, one more, %d MiB and 2^63, with Content-Length and in chunks' % (BODY_LIMIT, FAR >> 20)

    def fault(self, stage):
        good, above, far = harness.review_of_size(BODY_LIMIT), b' ' * (BODY_LIMIT + 1), b' ' * FAR
        for name, send in (('with a length', announced), ('in chunks', chunked)):
            self.judge(stage, 'at the limit, ' + name, lambda: send(good), 200)
            self.judge(stage, 'one byte above, ' + name, lambda: send(above), 413)
            self.judge(stage, 'far above, ' + name, lambda: send(far), 413)
        self.judge(stage, 'beyond all numbers', lambda: [harness.head('/mutate', 2 ** 63)], 413)

    def judge(self, stage, name, parts, status):
        count = ROUNDS * stage.scale
        right = sum(self.is_right(stage, parts(), status) for _ in range(count))
        stage.judge('%s: %d, and the connection %s' % (name, status, 'stays' if status == 200 else 'ends'),
                    right == count, '%d of %d' % (right, count))

    def is_right(self, stage, parts, status):
        """Is the answer right, and what has become of the connection?"""
        with stage.tls() as s:
            try:
                for part in parts:
                    s.sendall(part)
            except OSError:  # the server has said what it has to say, and listens no more
                pass
            answer = harness.read_response(s)
            if answer is None or answer[0] != status:
                return False
            if status == 200:
                return json.loads(answer[2])['response']['allowed'] and is_reviewed(s)
            return answer[1]['Connection'] == 'close' and harness.read_all(s) == b''
