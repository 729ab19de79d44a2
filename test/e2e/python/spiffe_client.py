"""Follows the Workload API with the `spiffe` package and shakes hands with what it holds: prints what it has seen as JSON."""

import json
import ssl
import sys
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from spiffe import WorkloadApiClient, X509Source
from spiffe.errors import PySpiffeError


def context(side, svid, bundle, scratch):
    """A TLS context that shows the SVID and demands a peer of the bundle."""
    chain, key = scratch / "chain.pem", scratch / "key.pem"
    chain.write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in svid.cert_chain))
    key.write_bytes(svid.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    made = ssl.SSLContext(side)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_REQUIRED
    made.load_cert_chain(chain, key)
    made.load_verify_locations(
        cadata="".join(each.public_bytes(Encoding.PEM).decode() for each in bundle.x509_authorities)
    )
    return made


def handshake(svid, bundle, scratch):
    """Mutual TLS between two ends in memory; returns the SPIFFE ID and the serial that the client was shown."""
    wires = [ssl.MemoryBIO(), ssl.MemoryBIO()]
    client = context(ssl.PROTOCOL_TLS_CLIENT, svid, bundle, scratch).wrap_bio(wires[0], wires[1])
    server = context(ssl.PROTOCOL_TLS_SERVER, svid, bundle, scratch).wrap_bio(wires[1], wires[0], server_side=True)
    waiting = [client, server]
    for _ in range(20):
        for end in list(waiting):
            try:
                end.do_handshake()
                waiting.remove(end)
            except ssl.SSLWantReadError:
                pass
        if not waiting:
            shown = client.getpeercert()
            return dict(shown["subjectAltName"])["URI"], shown["serialNumber"]
    raise RuntimeError("the handshake does not end")


def main(socket, rotations):
    serials, ids, updates, handshakes, fetches = [], set(), [], 0, 0
    with WorkloadApiClient(socket) as client, X509Source(client, timeout_in_seconds=60) as source:
        source.subscribe_for_updates(lambda: updates.append(1))
        scratch = Path(tempfile.mkdtemp(dir=Path(socket.removeprefix("unix:")).parent))
        while len(serials) <= rotations:
            held = source.get_x509_context()
            svid = held.default_svid
            bundle = source.get_bundle_for_trust_domain(svid.spiffe_id.trust_domain)
            spiffe_id, serial = handshake(svid, bundle, scratch)
            handshakes += 1
            ids.add(spiffe_id)
            if serial not in serials:
                serials.append(serial)
            if handshakes % 10 == 1:
                fetched = client.fetch_x509_svid()
                ids.add(str(fetched.spiffe_id))
                ids.add(str(client.fetch_x509_context().default_svid.spiffe_id))
                domain = fetched.spiffe_id.trust_domain
                assert client.fetch_x509_bundles().get_bundle_for_trust_domain(domain) is not None
                fetches += 1
        try:
            client.fetch_jwt_svid(audience={"somebody"})
            jwt = "issued"
        except PySpiffeError as error:
            jwt = str(error)
    seen = {"serials": serials, "ids": sorted(ids), "updates": len(updates), "handshakes": handshakes}
    print(json.dumps({**seen, "fetches": fetches, "jwt": jwt}))


main(sys.argv[1], int(sys.argv[2]))
