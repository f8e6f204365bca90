// About: an account is there once; finds it by its id
// Parameters: none
// Rows: none
CREATE CONSTRAINT account_id IF NOT EXISTS
FOR (account:Account) REQUIRE account.id IS UNIQUE
