// About: removes accounts that a dead load made: all from a number on, some at a time.
// Parameters: first (integer), limit (integer)
// Rows: cleared (integer)
MATCH (account:Account)
WHERE account.ix >= $first
WITH account LIMIT $limit
DETACH DELETE account
RETURN count(*) AS cleared
