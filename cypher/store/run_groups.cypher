// About: drafts of the groups that a run found.
// Parameters: run (text), groups (list of maps: key, id, line, share, holdings, strength_bits,
//  evidence_bits, cost_bits, p_value, grade, detectors, reasons, doubts, size; all but key, id
//  and size may be null)
// Rows: none
MATCH (draft:Draft {key: $run})
UNWIND $groups AS row
CREATE (draft)-[:FOUND]->(:Draft {
  key: row.key, id: row.id, run: $run, line: row.line, share: row.share, holdings: row.holdings,
  strength_bits: row.strength_bits, evidence_bits: row.evidence_bits, cost_bits: row.cost_bits,
  p_value: row.p_value, grade: row.grade, detectors: row.detectors, reasons: row.reasons,
  doubts: row.doubts, size: row.size
})
