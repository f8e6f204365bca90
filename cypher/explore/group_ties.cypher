// About: the strongest evidence between two members of a group, pair by pair.
// Parameters: group (text: a group of the current run)
// Rows: account (text), other (text), bits (float), families (list of text)
// Example: :param group => 'd73645a0c1f2'
MATCH (:Store {single: 1})-[:CURRENT]->(run:Run)
MATCH (found:Group {key: run.id + '/' + $group})
MATCH (found)-[:INCLUDES]->(one:Account)
MATCH (one)-[tie:ACTS_WITH {run: run.id, group: found.id}]->(two:Account)
RETURN one.id AS account, two.id AS other, tie.bits AS bits, tie.families AS families
ORDER BY bits DESC, account, other
LIMIT 200
