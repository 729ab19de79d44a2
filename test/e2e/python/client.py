"""A stock gRPC client: asks a CA server for one certificate and prints what it got as JSON.

Usage: client.py STUBS REQUEST, where STUBS is the directory of the generated stubs and REQUEST a file with a JSON object
{address, root, csr, token, seconds} of host:port, PEM, PEM, token and lifetime. With "raw", the bytes of a request in
hexadecimal are sent instead of a message.
"""

import json
import sys

sys.path.insert(0, sys.argv[1])

import grpc
from istio.security.v1alpha1 import ca_pb2, ca_pb2_grpc

with open(sys.argv[2]) as file:
    request = json.load(file)
credentials = grpc.ssl_channel_credentials(request["root"].encode())
metadata = [("authorization", "Bearer " + request["token"]), ("clusterid", "Kubernetes")]

with grpc.secure_channel(request["address"], credentials) as channel:
    try:
        if "raw" in request:
            call = channel.unary_unary("/istio.v1.auth.IstioCertificateService/CreateCertificate")
            call(bytes.fromhex(request["raw"]), metadata=metadata, timeout=10)
            answer = {"code": "OK"}
        else:
            message = ca_pb2.IstioCertificateRequest(csr=request["csr"], validity_duration=request["seconds"])
            message.metadata.update({"CertSigner": ""})
            stub = ca_pb2_grpc.IstioCertificateServiceStub(channel)
            answer = {"chain": list(stub.CreateCertificate(message, metadata=metadata, timeout=10).cert_chain)}
    except grpc.RpcError as error:
        answer = {"code": error.code().name, "details": error.details()}

json.dump(answer, sys.stdout)
