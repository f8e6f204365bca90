"""What all detectors share: forest, crossing sweep, refinement, judge, doubt."""
