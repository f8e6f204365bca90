// About: why a group was found: what was counted for it, and what naming it costs.
// Parameters: group (text: a group of the current run)
// Rows: reason (text), strength_bits, evidence_bits, cost_bits, p_value (floats), grade (text),
//  detectors (list of text)
// Example: :param group => 'd73645a0c1f2'
MATCH (:Store {single: 1})-[:CURRENT]->(run:Run)
MATCH (found:Group {key: run.id + '/' + $group})
UNWIND range(0, size(coalesce(found.reasons, [])) - 1) AS place
RETURN found.reasons[place] AS reason, found.strength_bits AS strength_bits,
  found.evidence_bits AS evidence_bits, found.cost_bits AS cost_bits, found.p_value AS p_value,
  found.grade AS grade, found.detectors AS detectors
ORDER BY place
LIMIT 50
