"""Damage for property-based tests and for the long run of ``tests/soak``."""

import copy
import random

from hypothesis import strategies as st

# What entries are replaced by: wrong types, huge, deep, not finite, not showable.
POISON = [
    None, True, False, 0, -1, 0.5, -1e308, 1e308, 10**400, float('nan'), float('inf'),
    '', 'x', 'a\nb', '\x00', '\x1b[2J', '\ud800', '$x_{', '=1+1', '@a', '<b>', '|',
    '\u202e', 'y' * 30_000, [], [[]], {}, {'': {}}, [1, 2, 3], ['a', None],
    {'a': [1, {'b': None}]},
]  # fmt: skip

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


def paths(content, prefix=()):
    """All places of a JSON content, the whole first."""
    yield prefix
    items = content.items() if isinstance(content, dict) else ()
    items = enumerate(content) if isinstance(content, list) else items
    for key, value in items:
        yield from paths(value, (*prefix, key))


def put(content, path, value):
    """Replace one place of a JSON content."""
    if not path:
        return value
    content = copy.deepcopy(content)
    node = content
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return content


@st.composite
def mutate(draw, content):
    """A JSON content with one or two places replaced, or one left out."""
    for _ in range(draw(st.integers(1, 2))):
        path = draw(st.sampled_from(list(paths(content))[1:] or [()]))
        value = draw(st.sampled_from(POISON) | json_values)
        content = put(content, path, value)
        if not isinstance(content, dict):
            break
    return content


def random_json(content, rng: random.Random):
    """As :func:`mutate`, from a plain random generator."""
    for _ in range(rng.randint(1, 2)):
        path = rng.choice(list(paths(content)) if isinstance(content, dict) else [()])
        content = put(content, path, copy.deepcopy(rng.choice(POISON)))
    return content


def random_bytes(data: bytes, rng: random.Random) -> bytes:
    """Flip bits, cut, fill, repeat or insert a part of a file."""
    changed = bytearray(data)
    kind = rng.choice(['bit', 'bits', 'cut', 'zero', 'noise', 'twice', 'swap', 'head'])
    at = rng.randrange(max(len(changed), 1))
    span = rng.choice([1, 8, 64, 4096])
    if kind == 'bit':
        changed[at] ^= 1 << rng.randrange(8)
    elif kind == 'bits':
        for _ in range(20):
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    elif kind == 'cut':
        del changed[at:]
    elif kind == 'zero':
        changed[at : at + span] = bytes(len(changed[at : at + span]))
    elif kind == 'noise':
        changed[at : at + span] = rng.randbytes(len(changed[at : at + span]))
    elif kind == 'twice':
        changed[at:at] = changed[at : at + span]
    elif kind == 'swap':
        other = rng.randrange(len(changed))
        changed[at], changed[other] = changed[other], changed[at]
    else:
        head = min(512, len(changed))
        changed[rng.randrange(head)] = rng.randrange(256)
    return bytes(changed)
