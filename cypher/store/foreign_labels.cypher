// About: the labels of what is in the database. Looks at every node, up to a limit.
// Parameters: ours (list of text: labels that are not named), limit (integer: nodes looked at)
// Rows: labels (list of text), nodes (integer)
MATCH (node)
WITH node LIMIT $limit
UNWIND CASE WHEN size(labels(node)) = 0 THEN ['(no label)'] ELSE labels(node) END AS label
WITH label WHERE NOT label IN $ours
RETURN collect(DISTINCT label) AS labels, count(*) AS nodes
