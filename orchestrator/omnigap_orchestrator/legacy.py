"""What run folders of 0.1.0 hold in another form."""

from __future__ import annotations

RULES_OF_0_1_0 = "88b72b64efabbe0d2e81750ed0ca321bab70684c5adc4443377beb9c7b5f1344"
"""The token of the scoring rules in 0.1.0, a hash over their source: these rules are `RULES_VERSION` 1."""
