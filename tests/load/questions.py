"""
What the load client asks: the reviews of tests/cases, each with the answers that the decision gives to it.

A uid is left out of both, so that the client can put in a new one each time.
"""
import base64
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import golden  # noqa: E402
from support import core, exact  # noqa: E402

UID = b'6c6f6164-0000-4000-8000-756964756964'  # stands where a uid will
LARGE = (32 * 1024, 256 * 1024)                # bytes of two more reviews


class Recorder(core.Core):
    """A decision that remembers what it was asked."""

    def __init__(self, build):
        super().__init__(build)
        self.asked = {}

    def exchange(self, phase, config, body):
        self.asked[phase, body] = None
        return super().exchange(phase, config, body)


def reviews(build, scratch):
    """(phase, body) of all cases, and of some larger ones."""
    with Recorder(build) as pipe:
        for folder in golden.folders(''):
            _, failures = golden.run_folder(folder, pipe, scratch, False)
            if failures:
                raise SystemExit('the golden cases must pass first: %s' % failures[0])
    first = next(body for phase, body in pipe.asked if phase == 'mutate' and b'inject.zerotouch.io/bindings' in body)
    return [*pipe.asked, *((phase, enlarged(first, size)) for phase in golden.PHASES for size in LARGE)]


def enlarged(body, size):
    """The review with an annotation of about that many bytes, which nobody reads."""
    review = exact.loads(body)
    review['request']['object']['metadata'].setdefault('annotations', {})['example.com/filling'] = 'x' * size
    return exact.dumps(review)


def with_mark(body):
    """The body with UID as its uid; as it is when it has none."""
    try:
        review = exact.loads(body)
        if isinstance(review['request']['uid'], str) and review['request']['uid']:
            review['request']['uid'] = UID.decode()
            return exact.dumps(review)
    except (exact.NotJson, KeyError, RecursionError, TypeError):
        pass
    return body


def gapped(text):
    return [base64.b64encode(part).decode() for part in text.split(UID)]


def write(build, asked, path, configs=('managed',)):
    """Writes the questions, each with its answers under the configurations."""
    with core.Core(build) as pipe, open(path, 'w', encoding='ascii') as out:
        for phase, body in asked:
            body = with_mark(body)
            answers = []
            for config in configs:
                a = pipe.raw(phase, config, body)
                answer = {'status': a.status, 'body': gapped(a.body)}
                if answer not in answers:
                    answers.append(answer)
            out.write(json.dumps({'path': '/' + phase, 'body': gapped(body), 'answers': answers}) + '\n')
