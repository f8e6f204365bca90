// About: the current run as a picture: its groups and their members.
// Parameters: none
// Rows: run (node), found (relationship), group (node), inside (relationship: to the larger group),
//  includes (relationship), account (node)
MATCH (:Store {single: 1})-[:CURRENT]->(run:Run)-[found:FOUND]->(group:Group)
WITH run, found, group
ORDER BY group.share DESC, group.id
LIMIT 20
OPTIONAL MATCH (group)-[inside:INSIDE]->(:Group)
OPTIONAL MATCH (group)-[includes:INCLUDES]->(account:Account)
RETURN run, found, group, inside, includes, account
LIMIT 300
