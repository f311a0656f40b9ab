"""Prints the tables of docs/simulation.md: `python -m omnigap_orchestrator.extras.simulation --draws 2000`."""

from __future__ import annotations

import argparse

from omnigap_orchestrator.extras.simulation.asr_correction import SPOKEN, markdown_of_spoken, simulate_spoken
from omnigap_orchestrator.extras.simulation.claims import claims
from omnigap_orchestrator.extras.simulation.coverage import (
    SCENARIOS,
    SCORES,
    markdown,
    markdown_of_agreement,
    markdown_of_scores,
    simulate,
)
from omnigap_orchestrator.extras.simulation.relative_gaps import RELATIVE, markdown_of_relative, simulate_relative


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    gaps, scores = ([simulate(each, arguments.draws, arguments.seed) for each in some] for some in (SCENARIOS, SCORES))
    spoken = [simulate_spoken(each, arguments.draws, arguments.seed) for each in SPOKEN]
    print(f"{markdown(gaps)}\n\n{markdown_of_scores(scores)}\n\n{markdown_of_spoken(spoken)}")
    print(f"\n{markdown_of_agreement(arguments.draws, arguments.seed)}")
    relative = [simulate_relative(each, arguments.draws, arguments.seed) for each in RELATIVE]
    print(f"\n{markdown_of_relative(relative)}")
    print("\n| claim | simulated | +- (MC) | requirement | holds |\n|---|---|---|---|---|")
    for claim in claims(arguments.draws, arguments.seed):
        holds = "yes" if claim.holds else "NO"
        print(f"| {claim.name} | {claim.value:+.2%} | {claim.error:.2%} | {claim.requirement} | {holds} |")


if __name__ == "__main__":
    main()
