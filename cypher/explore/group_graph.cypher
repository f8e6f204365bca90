// About: a group as a picture: its members and the strongest evidence between them.
// Parameters: group (text: a group of the current run)
// Rows: account (node), acts_with (relationship), other (node)
// Example: :param group => 'd73645a0c1f2'
MATCH (:Store {single: 1})-[:CURRENT]->(run:Run)
MATCH (found:Group {key: run.id + '/' + $group})
MATCH (found)-[includes:INCLUDES]->(account:Account)
WITH run, found, account
ORDER BY includes.share DESC, account.id
LIMIT 150
OPTIONAL MATCH (account)-[acts_with:ACTS_WITH {run: run.id, group: found.id}]->(other:Account)
RETURN account, acts_with, other
ORDER BY acts_with.bits DESC
LIMIT 500
