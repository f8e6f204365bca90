// About: the open cases of the review queue, the largest share first; looks at every case.
// Parameters: none
// Rows: case, level, state, owner (text, or null), grade, change (text), share (float), size (integer),
//  due (text, or null: no clock runs), groups (list of text)
MATCH (case:Case)
WHERE case.state <> 'closed'
RETURN case.key AS case, case.level AS level, case.state AS state, case.owner AS owner,
  case.grade AS grade, case.change AS change, case.share AS share, case.size AS size,
  case.due AS due, COLLECT { MATCH (case)-[:ABOUT]->(group:Group) RETURN DISTINCT group.id } AS groups
ORDER BY share DESC, case
LIMIT 100
