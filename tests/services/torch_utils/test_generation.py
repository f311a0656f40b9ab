"""Seeds, stopping of single rows, and cancellation of models without stopping criteria."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="NOT TESTED: torch is not installed")


def test_a_seed_fixes_the_noise_and_the_global_generators_are_restored() -> None:
    import numpy as np

    from omnigap_services.torch_utils.generation import seeded

    def draw() -> tuple[float, float]:
        return float(torch.rand(())), float(np.random.random())

    torch.manual_seed(5)
    np.random.seed(5)
    expected = draw()
    torch.manual_seed(5)
    np.random.seed(5)
    found = []
    for seed in (1, 1, 2, None, 0):
        with seeded(seed):
            found.append(draw())
    assert found[0] == found[1] != found[2]
    assert found[3] == found[4]
    assert draw() == expected
    with seeded(2**64 + 3):
        draw()


def test_rows_stop_one_by_one_and_beams_together_with_their_request() -> None:
    from omnigap_services.torch_utils.generation import StopRows

    seen: list[Any] = []
    stop = StopRows([lambda: False, lambda: True], seen.append)
    ids = torch.zeros((2, 3), dtype=torch.long)
    assert stop(ids, None).tolist() == [False, True]
    assert stop(torch.zeros((6, 3), dtype=torch.long), None).tolist() == [False] * 3 + [True] * 3
    assert [row.shape[0] for row in seen] == [2, 6]


def test_a_model_without_stopping_criteria_is_cancelled_before_its_next_forward_pass() -> None:
    pytest.importorskip("transformers", reason="NOT TESTED: transformers is not installed")
    from omnigap_services.torch_utils.versions import let_torchvision_import

    let_torchvision_import()
    from transformers import LlamaConfig, LlamaForCausalLM

    from omnigap_services.torch_utils.generation import CancellationHook, GenerationCancelledError

    config = LlamaConfig(
        vocab_size=8, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, pad_token_id=0
    )
    model = LlamaForCausalLM(config)
    hook = CancellationHook(model)
    ids = torch.zeros((1, 2), dtype=torch.long)
    calls: list[None] = []

    def cancelled() -> bool:
        calls.append(None)
        return len(calls) > 4

    with pytest.raises(GenerationCancelledError), hook.stop_when(cancelled):
        model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=1_000, eos_token_id=None)
    assert len(calls) == 5
    model(ids)
