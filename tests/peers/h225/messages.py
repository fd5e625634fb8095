"""Makes messages of H.225.0 at random, within their types: what a peer may send that nobody thought of.

Every optional field and addition comes up, and every alternative of every choice; deep values keep to what they must have.
"""
from pycrate_asn1rt.asnobj import (
    TYPE_BIT_STR, TYPE_BOOL, TYPE_CHOICE, TYPE_INT, TYPE_NULL, TYPE_OCT_STR, TYPE_OID, TYPE_SEQ, TYPE_SEQ_OF,
    TYPE_SET, TYPE_SET_OF, TYPE_STR_BMP, TYPE_STR_IA5, TYPE_STR_NUM, TYPE_STR_PRINT, TYPE_ENUM, TYPE_STR_VIS,
    TYPE_STR_GENE,
)

# Beyond this depth nothing optional is written.
DEEP = 6
LONGEST = 4
# H.235's: signatures over values of any type, which nobody here reads.
LEFT_OUT = {"cryptoTokens", "h235Key"}
ALPHABETS = {
    TYPE_STR_IA5: "az09#*,", TYPE_STR_PRINT: "azAZ09", TYPE_STR_NUM: "0123456789", TYPE_STR_BMP: "aZ0\u00eb\u260e",
    TYPE_STR_VIS: "az", TYPE_STR_GENE: "az",
}


def bounds(constraint, low, high):
    """The values that a constraint allows, `low` to `high` where it has none."""
    if constraint is None:
        return low, high
    lowest = constraint.lb if constraint.lb is not None else low
    highest = constraint.ub if constraint.ub is not None else max(high, lowest)
    return lowest, highest


def size(kind, chance):
    lowest, highest = bounds(kind._const_sz, 0, LONGEST)
    return chance.randint(lowest, min(highest, lowest + LONGEST))


def text(kind, chance):
    letters = ALPHABETS[kind.TYPE]
    if kind._const_alpha is not None:
        letters = [letter for letter in "0123456789#*," if kind._const_alpha.in_root(letter)] or letters
    return "".join(chance.choice(letters) for _ in range(size(kind, chance)))


def sequence(kind, chance, depth):
    optional = kind._root_opt or []
    value = {}
    for name in kind._root:
        if name in LEFT_OUT:
            continue
        if name not in optional or (depth < DEEP and chance.random() < 0.4):
            value[name] = make(kind._cont[name], chance, depth + 1)
    if depth < DEEP and chance.random() < 0.6:
        for name in kind._ext or []:
            if name not in LEFT_OUT and chance.random() < 0.3:
                value[name] = make(kind._cont[name], chance, depth + 1)
    return value


def choice(kind, chance, depth):
    names = list(kind._root) + list(kind._ext or [])
    if depth >= DEEP:
        # The first one that ends by itself, or else any.
        names = [n for n in names if kind._cont[n].TYPE not in (TYPE_SEQ, TYPE_CHOICE, TYPE_SEQ_OF, TYPE_SET)] or names
    name = chance.choice(names)
    return (name, make(kind._cont[name], chance, depth + 1))


def number(kind, chance):
    lowest, highest = bounds(kind._const_val, -70000, 70000)
    return chance.choice([lowest, highest, chance.randint(lowest, highest)])


def make(kind, chance, depth=0):
    """A value of `kind`."""
    what = kind.TYPE
    if what in (TYPE_SEQ, TYPE_SET):
        return sequence(kind, chance, depth)
    if what == TYPE_CHOICE:
        return choice(kind, chance, depth)
    if what in (TYPE_SEQ_OF, TYPE_SET_OF):
        few = size(kind, chance) if depth < DEEP else bounds(kind._const_sz, 0, 0)[0]
        return [make(kind._cont, chance, depth + 1) for _ in range(few)]
    if what == TYPE_INT:
        return number(kind, chance)
    if what == TYPE_BOOL:
        return chance.random() < 0.5
    if what == TYPE_NULL:
        return 0
    if what == TYPE_OCT_STR:
        return chance.randbytes(size(kind, chance))
    if what == TYPE_BIT_STR:
        bits = size(kind, chance)
        return (chance.getrandbits(bits) if bits else 0, bits)
    if what == TYPE_OID:
        return (0, 0, 8, 2250, 0, chance.randint(1, 300))
    if what == TYPE_ENUM:
        return chance.choice(list(kind._root) + list(kind._ext or []))
    if what in ALPHABETS:
        return text(kind, chance)
    raise TypeError(f"{kind.fullname()}: {what} is not made here")
