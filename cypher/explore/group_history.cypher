// About: a group in earlier runs: the groups there that have two or more of its members.
// Parameters: group (text: a group of the current run)
// Rows: run (text), as_of (as saved), past_group (text), line, share (floats), both, came, went
//  (integers: members in both, only in the current group, only in the past one)
// Example: :param group => 'd73645a0c1f2'
MATCH (:Store {single: 1})-[:CURRENT]->(run:Run)
MATCH (found:Group {key: run.id + '/' + $group})
MATCH (found)-[:INCLUDES]->(account:Account)<-[:INCLUDES]-(before:Group)<-[:FOUND]-(past:Run)
WHERE past <> run
WITH found, past, before, count(account) AS both
WHERE both >= 2
RETURN past.id AS run, past.as_of AS as_of, before.id AS past_group, before.line AS line,
  before.share AS share, both, found.size - both AS came, before.size - both AS went
ORDER BY past.number DESC, both DESC, past_group
LIMIT 100
