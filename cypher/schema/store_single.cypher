// About: there is one store
// Parameters: none
// Rows: none
CREATE CONSTRAINT store_single IF NOT EXISTS
FOR (store:Store) REQUIRE store.single IS UNIQUE
