"""Muon for the layers' matrices and AdamW for everything else, in float32.

torch.optim.Muon orthogonalises in bfloat16, one matrix at a time: slow on a CPU without bfloat16 units. Here matrices
of equal shape go together. Muon: K. Jordan et al. 2024; the scale of an update follows J. Liu et al., arXiv:2502.16982;
the coefficients are those of the Polar Express, N. Amsel et al., arXiv:2505.16932.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Muon", "build_optimizers"]

_COEFFICIENTS = (
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
    (3.3184196573706015, -2.488488024314874, 0.51004894012372),
)
_MOMENTUM = 0.95
_MUON_FACTOR = 2.0
"""Muon's learning rate over AdamW's."""


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised; the update's size matches AdamW's at the same learning rate."""

    def __init__(self, parameters: Iterable[Tensor], lr: float, weight_decay: float = 0.0) -> None:
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay})
        self.threads = ThreadPoolExecutor(2)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One update of every matrix that has a gradient, two groups of matrices at a time."""
        for group in self.param_groups:
            shapes: dict[tuple[int, ...], list[Tensor]] = defaultdict(list)
            for parameter in group["params"]:
                shapes[tuple(sorted(parameter.shape))].append(parameter)
            parts = [(group, parameters[half::2]) for parameters in shapes.values() for half in (0, 1)]
            list(self.threads.map(lambda part: self._update(*part), parts))

    @torch.no_grad()
    def _update(self, group: dict[str, Any], parameters: list[Tensor]) -> None:
        updates = []
        for parameter in parameters:
            momentum = self.state[parameter].setdefault("momentum", torch.zeros_like(parameter))
            momentum.lerp_(parameter.grad, 1 - _MOMENTUM)
            update = parameter.grad.lerp(momentum, _MOMENTUM)
            updates.append(update.T if _tall(parameter) else update)
        for parameter, update in zip(parameters, _orthogonal(torch.stack(updates)), strict=True):
            size = group["lr"] * 0.2 * max(parameter.shape) ** 0.5
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
            parameter.add_(update.T if _tall(parameter) else update, alpha=-size)


def _tall(matrix: Tensor) -> bool:
    return matrix.shape[0] > matrix.shape[1]


def _orthogonal(matrices: Tensor) -> Tensor:
    """The nearest half-orthogonal matrices to [count, small, large], roughly."""
    x = matrices / (matrices.norm(dim=(1, 2), keepdim=True) * 1.02 + 1e-7)
    for a, b, c in _COEFFICIENTS:
        square = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x


def build_optimizers(network: nn.Module, lr: float) -> list[torch.optim.Optimizer]:
    """Muon over the layers' matrices, AdamW over the rest; each group keeps its peak rate in `peak`."""
    trained = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
    matrices = [p for name, p in trained if p.ndim == 2 and ".layers." in name]
    chosen = set(map(id, matrices))
    rest = [p for _, p in trained if id(p) not in chosen]
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(rest, lr=lr, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    ]
    optimizers.append(Muon(matrices, lr=_MUON_FACTOR * lr, weight_decay=0.01))
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["peak"] = group["lr"]
    return optimizers
