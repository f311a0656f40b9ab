"""From a run's folder to its public files: results, controls, summary, report and manifest."""
