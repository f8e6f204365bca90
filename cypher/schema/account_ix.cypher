// About: a number is given to one account; finds it by its number
// Parameters: none
// Rows: none
CREATE CONSTRAINT account_ix IF NOT EXISTS
FOR (account:Account) REQUIRE account.ix IS UNIQUE
