"""`python -m omnigap_services.probe HOST:PORT`: the health check of a container."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from omnigap.channel import channel_options

# Below the timeout of the containers' health checks, 30 s, so that the reason is printed.
_TIMEOUT_S = 20.0


def status(address: str, timeout_s: float = _TIMEOUT_S) -> str:
    """`SERVING`, the name of another grpc.health.v1 status, or why there was no answer."""
    with grpc.insecure_channel(address, options=channel_options(address)) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=timeout_s)
        except grpc.RpcError as error:
            return f"no answer: {error.code().name}: {error.details()}"
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


def main(arguments: Sequence[str]) -> int:
    """Exit status 0 for SERVING, 1 for anything else, 2 for wrong arguments."""
    if len(arguments) != 1:
        print("usage: python -m omnigap_services.probe HOST:PORT", file=sys.stderr)
        return 2
    found = status(arguments[0])
    print(f"{arguments[0]}: {found}")
    return 0 if found == "SERVING" else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
