// About: the members of a group: what each holds, and what the group holds without it.
// Parameters: group (text: a group of the current run)
// Rows: account (text), share (float: part of 1), holdings (text, exact), share_without (float),
//  carries (boolean: without this member the group is below the line)
// Example: :param group => 'd73645a0c1f2'
MATCH (:Store {single: 1})-[:CURRENT]->(run:Run)
MATCH (found:Group {key: run.id + '/' + $group})
MATCH (found)-[includes:INCLUDES]->(account:Account)
RETURN account.id AS account, includes.share AS share, includes.holdings AS holdings,
  includes.share_without AS share_without, includes.share_without < found.line AS carries
ORDER BY share DESC, account
LIMIT 500
