// About: why two accounts belong together: the shortest chains of evidence between them in the
//  current run, the strongest weakest link first.
// Parameters: account (text), other (text)
// Rows: path (path), steps (integer), weakest_bits (float)
// Example: :param account => 'alice'
// Example: :param other => 'bob'
MATCH (:Store {single: 1})-[:CURRENT]->(run:Run)
WITH run, head(COLLECT { MATCH (one:Account {id: $account}) RETURN one }) AS one,
  head(COLLECT { MATCH (two:Account {id: $other}) RETURN two }) AS two
MATCH path = SHORTEST 10 (one)
  (()-[tie:ACTS_WITH WHERE tie.run = run.id]-()){1,6}
  (two)
WITH path, reduce(least = tie[0].bits, t IN tie |
  CASE WHEN t.bits < least THEN t.bits ELSE least END) AS weakest_bits
ORDER BY weakest_bits DESC
WITH nodes(path) AS chain, collect({path: path, weakest_bits: weakest_bits})[0] AS best
RETURN best.path AS path, size(chain) - 1 AS steps, best.weakest_bits AS weakest_bits
ORDER BY steps, weakest_bits DESC
LIMIT 5
