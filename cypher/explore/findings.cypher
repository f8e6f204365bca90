// About: the groups of the current run, the largest share first.
// Parameters: none
// Rows: group (text), line, share (floats: parts of 1), holdings (text, exact), members (integer),
//  grade (text), strength_bits, p_value (floats), detectors (list of text),
//  inside (text: the larger group that it is part of)
MATCH (:Store {single: 1})-[:CURRENT]->(run:Run)-[:FOUND]->(found:Group)
RETURN found.id AS group, found.line AS line, found.share AS share, found.holdings AS holdings,
  found.size AS members, found.grade AS grade, found.strength_bits AS strength_bits,
  found.p_value AS p_value, found.detectors AS detectors,
  head(COLLECT { MATCH (found)-[:INSIDE]->(larger:Group) RETURN larger.id }) AS inside
ORDER BY share DESC, group
LIMIT 100
