"""What the server says about the model: its tensors, whether it batches and streams, a hash of its configuration."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from omnigap.errors import ContractError
from omnigap.vocabulary import Reason


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input or output.

    Attributes:
        datatype: Triton's name: BYTES, FP32, INT16, ...
        dims: without the batch dimension; -1 where any size goes.
        optional: an input that a request may leave out.
    """

    name: str
    datatype: str
    dims: tuple[int, ...]
    optional: bool = False

    def __str__(self) -> str:
        return f"{self.name} {self.datatype} {list(self.dims)}"


@dataclass(frozen=True, slots=True)
class Signature:
    """A model as its server describes it.

    Attributes:
        version: of the model, a number as text.
        server: name and version of the server.
        batched: requests carry a leading batch dimension (`max_batch_size` over 0).
        decoupled: a request may get any number of responses, over a stream.
        config_sha256: over the model's whole configuration.
    """

    model: str
    version: str
    server: str
    backend: str
    batched: bool
    decoupled: bool
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    config_sha256: str


def signature_of(server: Any, metadata: Any, config: Any, version: str) -> Signature:
    """Out of Triton's own messages: ServerMetadataResponse, ModelMetadataResponse and ModelConfig.

    Args:
        version: that was asked for; empty: the newest that is ready.

    Raises:
        ContractError: UPSTREAM_UNAVAILABLE where no version of the model is ready.
    """
    if not version and not metadata.versions:
        raise ContractError(Reason.UPSTREAM_UNAVAILABLE, f"the model {metadata.name!r} has no version that is ready")
    return Signature(
        model=metadata.name,
        version=version or max(metadata.versions, key=int),
        server=f"{server.name} {server.version}",
        backend=config.backend or config.platform,
        batched=config.max_batch_size > 0,
        decoupled=config.model_transaction_policy.decoupled,
        inputs=tuple(_tensors(config.input)),
        outputs=tuple(_tensors(config.output)),
        # Maps are the one part of a message whose order is not its own: deterministic serialisation sorts them.
        config_sha256=hashlib.sha256(config.SerializeToString(deterministic=True)).hexdigest(),
    )


def _tensors(found: Iterable[Any]) -> list[Tensor]:
    return [
        Tensor(tensor.name, _datatype(tensor), tuple(tensor.dims), getattr(tensor, "optional", False))
        for tensor in found
    ]


def _datatype(tensor: Any) -> str:
    """`BYTES` for `TYPE_STRING`, `FP32` for `TYPE_FP32`."""
    kind = tensor.DESCRIPTOR.fields_by_name["data_type"].enum_type.values_by_number[tensor.data_type].name
    return "BYTES" if kind == "TYPE_STRING" else str(kind).removeprefix("TYPE_")
