"""Reading of an answer: what it states, however much reasoning, markup or explanation surrounds it.

`read` runs the steps in their order with the reader of an answer type: `letter`, `number`, `date`, `label` or `entity`.
"""

from omnigap_orchestrator.scoring.reading.found import Found, Passage, Reader, Reading, Step
from omnigap_orchestrator.scoring.reading.markup import marked_answers, plain_text
from omnigap_orchestrator.scoring.reading.read import read
from omnigap_orchestrator.scoring.reading.thinking import remove_thinking

__all__ = ["Found", "Passage", "Reader", "Reading", "Step", "marked_answers", "plain_text", "read", "remove_thinking"]
