"""JSON and YAML whose numbers keep their text, so that 1.50 or 2^53+1 is compared as it was written."""
import json
import re

import yaml

NUMBER = re.compile(r'-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?')


class Number:
    """A JSON number: equal when its text is."""
    __slots__ = ('text',)

    def __init__(self, text):
        self.text = str(text)

    def __eq__(self, other):
        return isinstance(other, Number) and self.text == other.text

    def __hash__(self):
        return hash(self.text)

    def __repr__(self):
        return self.text


def copy(value):
    """A deep copy of a JSON value."""
    if isinstance(value, dict):
        return {k: copy(v) for k, v in value.items()}
    if isinstance(value, list):
        return [copy(v) for v in value]
    return value


class NotJson(ValueError):
    pass


def _pairs(pairs):
    d = dict(pairs)
    if len(d) != len(pairs):
        raise NotJson('duplicate key in %s' % [k for k, _ in pairs])
    return d


def _constant(text):
    raise NotJson('%s is not JSON' % text)


def loads(data):
    """Strict JSON from bytes."""
    try:
        return json.loads(data.decode('utf-8'), parse_int=Number, parse_float=Number, parse_constant=_constant,
                          object_pairs_hook=_pairs)
    except ValueError as e:
        raise NotJson('%s in %.200r' % (e, data)) from None


# A number leaves the encoder as a marked string, and the mark then comes off: the C encoder stays in use.
_MARK = re.compile('"\ue000([^"\ue000]*)\ue000"')


def _encode(value):
    if isinstance(value, Number):
        return '\ue000%s\ue000' % value.text
    raise TypeError(type(value))


def dumps(value):
    """Compact JSON as bytes."""
    text = json.dumps(value, ensure_ascii=False, separators=(',', ':'), default=_encode)
    return _MARK.sub(r'\1', text).encode('utf-8')


class _Loader(yaml.CSafeLoader):
    """YAML as Kubernetes reads it: no dates, no base 60, no duplicate keys."""


class _Dumper(yaml.CSafeDumper):
    def ignore_aliases(self, data):
        return True


# A resolver table of our own: of YAML 1.1's implicit types, only those that JSON has.
_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
        ('null', r'^(~|null|Null|NULL|)$', ['~', 'n', 'N', '']),
        ('bool', r'^(yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF|y|Y|n|N)$',
         list('yYnNtTfFoO')),
        ('int', r'^[-+]?(0|[1-9][0-9]*)$', list('-+0123456789')),
        ('float', r'^[-+]?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?$', list('-+0123456789'))):
    _Loader.add_implicit_resolver('tag:yaml.org,2002:' + _tag, re.compile(_pattern), _first)


def _construct_number(loader, node):
    text = node.value.lstrip('+')
    if not NUMBER.fullmatch(text):
        raise yaml.constructor.ConstructorError(None, None, 'not a JSON number: %s' % text, node.start_mark)
    return Number(text)


def _construct_map(loader, node):
    loader.flatten_mapping(node)
    d = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        key = key.text if isinstance(key, Number) else key
        if key in d:
            raise yaml.constructor.ConstructorError(None, None, 'duplicate key %r' % key, key_node.start_mark)
        d[key] = loader.construct_object(value_node, deep=True)
    return d


_Loader.add_constructor('tag:yaml.org,2002:int', _construct_number)
_Loader.add_constructor('tag:yaml.org,2002:float', _construct_number)
_Loader.add_constructor('tag:yaml.org,2002:map', _construct_map)
_Dumper.add_representer(Number, lambda d, v: d.represent_scalar('tag:yaml.org,2002:float', v.text)
                        if re.search(r'[.eE]', v.text) else d.represent_scalar('tag:yaml.org,2002:int', v.text))


def _represent_str(dumper, text):
    lines = text.count('\n') > 1 and not re.search(r'[ \t]\n', text)
    return dumper.represent_scalar('tag:yaml.org,2002:str', text, style='|' if lines else None)


_Dumper.add_representer(str, _represent_str)


def yaml_load(text):
    return yaml.load(text, Loader=_Loader)


def _long(texts):
    return sum(len(t) if isinstance(t, str) else 4 for t in texts) > 70


def _represent_list(dumper, items):
    return dumper.represent_sequence('tag:yaml.org,2002:seq', items, flow_style=False if _long(items) else None)


def _represent_map(dumper, items):
    long = _long(list(items) + list(items.values()))
    return dumper.represent_mapping('tag:yaml.org,2002:map', items.items(), flow_style=False if long else None)


_Dumper.add_representer(list, _represent_list)
_Dumper.add_representer(dict, _represent_map)


def yaml_dump(value):
    """YAML with the innermost lists and maps on one line, long ones excepted."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=116, default_flow_style=None)
