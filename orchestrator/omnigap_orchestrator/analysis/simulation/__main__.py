"""Prints the tables of the documentation: `python -m omnigap_orchestrator.analysis.simulation --draws 2000`."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence

from omnigap_orchestrator.analysis.simulation.agreeing import markdown_of_alike
from omnigap_orchestrator.analysis.simulation.claims import claims
from omnigap_orchestrator.analysis.simulation.coverage import SCENARIOS, SCORES, Coverage, simulate
from omnigap_orchestrator.analysis.simulation.heard import HEARD, markdown_of_heard, simulate_heard


def markdown(rows: Sequence[Coverage]) -> str:
    """The table of gaps for the documentation."""
    lines = [
        "| data | true gap | covered | +- (MC) | rejects no gap | McNemar rejects | mean width | intervals used |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        exact = "" if math.isnan(row.exact_rejections) else f"{row.exact_rejections:.1%}"
        lines.append(
            f"| {row.scenario.name} | {row.scenario.truth:+.2f} | {row.coverage:.1%} | {row.monte_carlo_error:.1%} "
            f"| {row.rejections:.1%} | {exact} | {row.width:.3f} | {_used(row)} |"
        )
    return "\n".join(lines)


def markdown_of_scores(rows: Sequence[Coverage]) -> str:
    """The table of scores for the documentation."""
    lines = ["| data | true accuracy | covered | +- (MC) | mean width | intervals used |", "|---|---|---|---|---|---|"]
    for row in rows:
        lines.append(
            f"| {row.scenario.name} | {row.scenario.truth:.0%} | {row.coverage:.1%} | {row.monte_carlo_error:.1%} "
            f"| {row.width:.3f} | {_used(row)} |"
        )
    return "\n".join(lines)


def _used(row: Coverage) -> str:
    return ", ".join(f"{name} {count / row.draws:.0%}" for name, count in row.methods)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    gaps, scores = ([simulate(each, arguments.draws, arguments.seed) for each in some] for some in (SCENARIOS, SCORES))
    heard = [simulate_heard(each, arguments.draws, arguments.seed) for each in HEARD]
    print(f"{markdown(gaps)}\n\n{markdown_of_scores(scores)}\n\n{markdown_of_heard(heard)}")
    print(f"\n{markdown_of_alike(arguments.draws, arguments.seed)}")
    print("\n| claim | simulated | +- (MC) | must be | holds |\n|---|---|---|---|---|")
    for claim in claims(arguments.draws, arguments.seed):
        holds = "yes" if claim.holds else "NO"
        print(f"| {claim.name} | {claim.value:+.2%} | {claim.error:.2%} | {claim.demand} | {holds} |")


if __name__ == "__main__":
    main()
