// About: how many accounts there are, and how many of them are whole. Looks at every account.
// Parameters: none
// Rows: accounts (integer), numbered (integer)
MATCH (account:Account)
RETURN count(*) AS accounts,
  count(CASE WHEN account.ix IS NOT NULL AND account.id IS NOT NULL AND account.batch IS NOT NULL
    THEN 1 END) AS numbered
