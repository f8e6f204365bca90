// About: the numbers of accounts, by id.
// Parameters: account (list of text)
// Rows: account (list), ix (list): of those that are there
UNWIND $account AS id
MATCH (account:Account {id: id})
RETURN collect(account.id) AS account, collect(account.ix) AS ix
