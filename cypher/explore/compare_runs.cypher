// About: a past run next to the current one: which groups are new, which stayed, which are gone
//  (no rows where the members of the past run were pruned).
// Parameters: run (text: a past run)
// Rows: group (text: of the current run), share (float), past_group (text), past_share (float),
//  line (float), both, came, went (integers: members), change (text: new, stayed, gone)
// Example: :param run => 'r20260501-3f9a1c'
MATCH (:Store {single: 1})-[:CURRENT]->(now:Run)
WITH now, head(COLLECT { MATCH (past:Run {id: $run}) RETURN past }) AS past
WHERE past IS NOT NULL AND NOT coalesce(past.pruned, false)
CALL (past, now) {
  MATCH (now)-[:FOUND]->(group:Group)
  OPTIONAL MATCH (group)-[:INCLUDES]->(account:Account)<-[:INCLUDES]-(before:Group)<-[:FOUND]-(past)
  WHERE before.line = group.line
  WITH group, before, count(account) AS both
  ORDER BY both DESC, before.id
  WITH group, collect({before: before, both: both})[0] AS best
  RETURN group, best.before AS before, best.both AS both
  UNION ALL
  MATCH (past)-[:FOUND]->(before:Group)
  WHERE NOT EXISTS {
    MATCH (before)-[:INCLUDES]->(:Account)<-[:INCLUDES]-(after:Group)<-[:FOUND]-(now)
    WHERE after.line = before.line
  }
  RETURN null AS group, before, 0 AS both
}
RETURN group.id AS group, group.share AS share, before.id AS past_group, before.share AS past_share,
  coalesce(group.line, before.line) AS line, both, coalesce(group.size, 0) - both AS came,
  coalesce(before.size, 0) - both AS went,
  CASE WHEN before IS NULL THEN 'new' WHEN group IS NULL THEN 'gone' ELSE 'stayed' END AS change
ORDER BY coalesce(share, 0.0) DESC, past_share DESC, group, past_group
LIMIT 200
