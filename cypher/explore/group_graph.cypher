// About: a group as a picture: its members and, for each of them, the two strongest ties to others.
// Parameters: group (text: a group of the current run)
// Rows: found (node: the group), includes (relationship), account (node), acts_with (relationship
//  or null), other (node or null)
// Example: :param group => 'd73645a0c1f2'
MATCH (:Store {single: 1})-[:CURRENT]->(run:Run)
MATCH (found:Group {key: run.id + '/' + $group})
MATCH (found)-[includes:INCLUDES]->(account:Account)
WITH run, found, includes, account
ORDER BY includes.share DESC, account.id
LIMIT 150
CALL (run, found, account) {
  OPTIONAL MATCH (account)-[tie:ACTS_WITH {run: run.id, group: found.id}]-(other:Account)
  RETURN tie, other
  ORDER BY tie.bits DESC, other.id
  LIMIT 2
}
RETURN found, includes, account, tie AS acts_with, other
