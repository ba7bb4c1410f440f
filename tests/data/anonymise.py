"""Makes access_2015-05.log.gz from the public log: `python anonymise.py apache_logs.gz access_2015-05.log.gz`.

Every client address becomes an address of 198.18.0.0/15 (RFC 2544: reserved, never routed), the same one each time and
no two the same. Lines, their order and their repeats stay; the broken line stays broken.
"""

import gzip
import hashlib
import ipaddress
import sys
from pathlib import Path

FICTIONAL = ipaddress.ip_network("198.18.0.0/15")


def anonymise(text: bytes) -> bytes:
    """Replace the address that starts each line."""
    known: dict[bytes, bytes] = {}
    taken: set[int] = set()
    lines = []
    for line in text.splitlines(keepends=True):
        address, rest = line.split(b" ", 1)
        if address not in known:
            known[address] = fictional(address, taken)
        lines.append(known[address] + b" " + rest)
    return b"".join(lines)


def fictional(address: bytes, taken: set[int]) -> bytes:
    """The address whose number is the hash of the real one, or the next free one."""
    number = int.from_bytes(hashlib.sha256(address).digest()[:8]) % FICTIONAL.num_addresses
    while number in taken:
        number = (number + 1) % FICTIONAL.num_addresses
    taken.add(number)
    return str(FICTIONAL[number]).encode("ascii")


if __name__ == "__main__":
    source, target = (Path(name) for name in sys.argv[1:])
    target.write_bytes(gzip.compress(anonymise(gzip.decompress(source.read_bytes())), mtime=0))
