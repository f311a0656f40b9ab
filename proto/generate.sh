#!/usr/bin/env bash
# Writes the Python stubs next to the .proto; `generate.sh --check` fails if the committed ones differ.
set -euo pipefail
cd "$(dirname "$0")"
python=${PYTHON:-python3}
out=.
if [[ ${1:-} == --check ]]; then out=$(mktemp -d); trap 'rm -rf "$out"' EXIT; fi
"$python" -m grpc_tools.protoc -I . --python_out="$out" --mypy_out=quiet:"$out" --grpc_python_out="$out" omnigap/v1/model_service.proto
if [[ ${1:-} == --check ]]; then
  for stub in omnigap/v1/*_pb2*; do
    diff -u "$stub" "$out/$stub" || { echo "$stub is not what its .proto generates: run proto/generate.sh" >&2; exit 1; }
  done
fi
