"""Reads of the server's keys that readers and writers share: documents, many keys at once, all keys of a kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from asknown.addresses import StoreAddress
from asknown.online.remote.store import Document
from asknown.online.valkey.connect import Server, pack
from asknown.online.valkey.errors import explained
from asknown.online.valkey.names import Names

_AT_ONCE = b"1000"  # keys that one step of a scan looks at


def pack_get(names: Sequence[bytes]) -> bytes:
    """The command that gets all these keys at once."""
    parts = [b"$%d\r\n%b\r\n" % (len(name), name) for name in names]
    return b"*%d\r\n$4\r\nMGET\r\n%b" % (len(names) + 1, b"".join(parts))


def read_documents(server: Server, names: Names) -> dict[str, Document]:
    """All documents, by name, in one state of the store."""
    found = server.call(b"HGETALL", names.documents)
    return {name.decode(): read_document(packed) for name, packed in zip(found[::2], found[1::2], strict=True)}


def read_document(packed: bytes) -> Document:
    """A document of the hash of all documents."""
    version, _, body = packed.decode().partition("\0")
    return Document(version, body)


def write_document(document: Document) -> bytes:
    """A document as the hash of all documents has it."""
    return f"{document.version}\0{document.body}".encode()


def scan_names(server: Server, address: StoreAddress, prefix: bytes) -> Iterator[list[bytes]]:
    """The rest after ``prefix`` in the names of all keys that begin with it. A name may come twice."""
    cursor, width = b"0", len(prefix)
    while True:
        with explained(address):
            cursor, found = server.ask(pack(b"SCAN", cursor, b"MATCH", prefix + b"*", b"COUNT", _AT_ONCE))
        if found:
            yield [name[width:] for name in found]
        if cursor == b"0":
            return
