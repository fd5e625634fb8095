"""An H.225.0 codec that has nothing in common with failover's: pycrate's, from tables that its authors made of the standard.

  make TYPE SEED COUNT     that many random messages, one in each line, in hex
  show TYPE                for each line of hex on the input: what it is, as JSON
  same TYPE                for each line of two messages in hex: whether they have the same value; where not, what differs

TYPE is `ras` (RasMessage) or `uuie` (H323-UserInformation).
"""
import json
import random
import sys

from pycrate_asn1dir.H225 import H323_MESSAGES
from pycrate_asn1rt.codecs import ASN1CodecPER

import messages

TYPES = {"ras": H323_MESSAGES.RasMessage, "uuie": H323_MESSAGES.H323_UserInformation}


def begin_additions_on_an_octet(name):
    """pycrate 0.8.1 encodes the additions of a SEQUENCE before the map that stands in front of them, and aligns the first one to
    where that map begins. It comes after the map, which ends on an octet."""
    original = getattr(ASN1CodecPER, name)

    def encode(value):
        if "_gen_ext" not in sys._getframe(1).f_locals:
            return original(value)
        ASN1CodecPER._off.append(0)
        try:
            return original(value)
        finally:
            ASN1CodecPER._off.pop()

    setattr(ASN1CodecPER, name, encode)


def decode(kind, octets):
    kind.from_aper(octets)
    return kind.get_val()


def encode(kind, value):
    kind.set_val(value)
    return kind.to_aper()


def plain(value):
    """As JSON has it: a CHOICE is an object with one member, octets are hex."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str):
        return {value[0]: plain(value[1])}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    return value


def difference(one, other, where=""):
    """Where two values differ first; none where they do not.

    The other one may end sooner: who reads a SEQUENCE skips the additions behind the last one that it knows.
    """
    if isinstance(one, dict) and isinstance(other, dict):
        kept = list(one)[: len(other)]
        if kept != list(other):
            return f"{where}: {list(one)} and {list(other)}"
        pairs = (difference(one[name], other[name], f"{where}.{name}") for name in kept)
        return next((found for found in pairs if found), None)
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = (difference(a, b, f"{where}[{at}]") for at, (a, b) in enumerate(zip(one, other)))
        return next((found for found in pairs if found), None)
    return None if one == other else f"{where}: {one} and {other}"


def main(what, name, *rest):
    kind = TYPES[name]
    if what == "make":
        seed, count = (int(word) for word in rest)
        for at in range(count):
            print(encode(kind, messages.make(kind, random.Random(f"{seed} {at}"))).hex())
    for line in sys.stdin if what in ("show", "same") else ():
        values = [plain(decode(kind, bytes.fromhex(word))) for word in line.split()]
        print(json.dumps(values[0]) if what == "show" else difference(*values) or "same")


for each in ("encode_unconst_open", "encode_unconst_buf"):
    begin_additions_on_an_octet(each)
main(*sys.argv[1:])
