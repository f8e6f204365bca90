// About: accounts of a range of numbers, packed into one row of lists.
// Parameters: low (integer), high (integer: the first number not read)
// Rows: account (list), ix (list), batch (list: of the load that met the account first)
MATCH (account:Account)
WHERE $low <= account.ix < $high
RETURN collect(account.id) AS account, collect(account.ix) AS ix, collect(account.batch) AS batch
