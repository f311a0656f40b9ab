"""Prints the tables of docs/simulation.md: `python -m omnigap_orchestrator.extras.simulation --draws 2000`."""

from __future__ import annotations

import argparse

from omnigap_orchestrator.extras.simulation.agreements import markdown_of_agreement
from omnigap_orchestrator.extras.simulation.asr_correction import SPOKEN, markdown_of_spoken, simulate_spoken
from omnigap_orchestrator.extras.simulation.claims import claims
from omnigap_orchestrator.extras.simulation.coverage import SCENARIOS, SCORES, markdown, markdown_of_scores, simulate
from omnigap_orchestrator.extras.simulation.rare_losses import RARE_ERRORS, RARE_LOSSES, markdown_of_hidden
from omnigap_orchestrator.extras.simulation.relative_gaps import RELATIVE, markdown_of_relative, simulate_relative


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    draws, seed = arguments.draws, arguments.seed
    # Printed as they come: all tables take about half an hour.
    for gaps in (SCENARIOS, RARE_LOSSES):
        print(f"{markdown([simulate(each, draws, seed) for each in gaps])}\n", flush=True)
    for scores in (SCORES, RARE_ERRORS):
        print(f"{markdown_of_scores([simulate(each, draws, seed) for each in scores])}\n", flush=True)
    print(f"{markdown_of_hidden(draws, seed)}\n", flush=True)
    print(f"{markdown_of_spoken([simulate_spoken(each, draws, seed) for each in SPOKEN])}\n", flush=True)
    print(f"{markdown_of_agreement(draws, seed)}\n", flush=True)
    print(markdown_of_relative([simulate_relative(each, draws, seed) for each in RELATIVE]), flush=True)
    print("\n| claim | simulated | +- (MC) | requirement | holds |\n|---|---|---|---|---|")
    for claim in claims(draws, seed):
        holds = "yes" if claim.holds else "NO"
        print(f"| {claim.name} | {claim.value:+.2%} | {claim.error:.2%} | {claim.requirement} | {holds} |")


if __name__ == "__main__":
    main()
