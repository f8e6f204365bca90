// About: what speaks against a group: innocent explanations that are open, and how much hangs on
//  its largest member.
// Parameters: group (text: a group of the current run)
// Rows: doubt (text), p_value (float), grade (text), share (float), line (float),
//  share_without_largest (float)
// Example: :param group => 'd73645a0c1f2'
MATCH (:Store {single: 1})-[:CURRENT]->(run:Run)
MATCH (found:Group {key: run.id + '/' + $group})
WITH found, COLLECT {
  MATCH (found)-[includes:INCLUDES]->(:Account)
  RETURN includes.share_without ORDER BY includes.share_without LIMIT 1
} AS smallest
UNWIND CASE
  WHEN size(found.doubts) > 0 THEN found.doubts
  ELSE ['No innocent explanation is open.']
END AS doubt
RETURN doubt, found.p_value AS p_value, found.grade AS grade, found.share AS share,
  found.line AS line, smallest[0] AS share_without_largest
LIMIT 50
