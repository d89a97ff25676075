"""Which metrics and labels an expression of PromQL names. Whether it is one, promtool says."""
import re

TOKEN = re.compile(r'''
    (?P<space>\s+|\#[^\n]*)
  | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)
  | (?P<duration>\[[^\]]*\]|\d+(?:\.\d+)?(?:ms|[smhdwy])(?:\d+(?:ms|[smhdwy]))*)
  | (?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
  | (?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)
  | (?P<operator>=~|!~|!=|==|<=|>=|[-+*/%^<>=@(){},])
''', re.X)
GROUPING = {'by', 'without', 'on', 'ignoring', 'group_left', 'group_right'}
WORDS = {'and', 'or', 'unless', 'offset', 'bool', 'inf', 'nan'} | GROUPING


class Matcher:
    """label="value" and its like."""

    def __init__(self, label, operator, value):
        self.label, self.operator, self.value = label, operator, value
        self.text = label + operator + value

    def matches(self, value):
        """Does a series with this value match? What Grafana fills in matches everything."""
        wanted = self.value[1:-1]
        if '$' in wanted:
            return True
        found = re.fullmatch(wanted, value) is not None if '~' in self.operator else wanted == value
        return found != self.operator.startswith('!')


class Selector:
    """A metric with what stands in its braces."""

    def __init__(self, name):
        self.name, self.matchers = name, []


class Expression:
    """`selectors`, and in `grouped` the labels of by (...), on (...) and so on."""

    def __init__(self, text):
        self.text, self.selectors, self.grouped = text, [], set()
        tokens = self._tokens(text)
        at = 0
        while at < len(tokens):
            kind, token = tokens[at]
            following = tokens[at + 1][1] if at + 1 < len(tokens) else ''
            at += 1
            if kind == 'name' and token in GROUPING and following == '(':
                at = self._grouping(tokens, at + 1)
            elif kind == 'name' and token.lower() not in WORDS and following not in ('(', 'by', 'without'):
                self.selectors.append(Selector(token))
                if following == '{':
                    at = self._matchers(tokens, at + 1)

    @staticmethod
    def _tokens(text):
        tokens, at = [], 0
        while at < len(text):
            match = TOKEN.match(text, at)
            if not match:
                raise ValueError('no PromQL at %r' % text[at:at + 20])
            if match.lastgroup != 'space':
                tokens.append((match.lastgroup, match.group()))
            at = match.end()
        return tokens

    def _grouping(self, tokens, at):
        while tokens[at][1] != ')':
            if tokens[at][0] == 'name':
                self.grouped.add(tokens[at][1])
            at += 1
        return at + 1

    def _matchers(self, tokens, at):
        while tokens[at][1] != '}':
            if tokens[at][0] == 'name':
                self.selectors[-1].matchers.append(Matcher(*(tokens[at + i][1] for i in range(3))))
                at += 2
            at += 1
        return at + 1
