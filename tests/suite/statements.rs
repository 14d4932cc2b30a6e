//! How often SQLite prepares our statements anew.

use beck::server::statements;
use rusqlite::{Connection, StatementStatus};

/// How often a statement with a bound LIMIT was prepared anew.
fn prepared_anew(connection: &Connection) -> i32 {
    connection.execute_batch("CREATE TABLE t(n INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2)").unwrap();
    let mut select = connection.prepare("SELECT n FROM t ORDER BY n LIMIT ?1").unwrap();
    for limit in (1..=2).cycle().take(20) {
        let found: Vec<i64> =
            select.query_map([limit], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        assert_eq!(found.len(), limit);
    }
    select.get_status(StatementStatus::RePrepare)
}

#[test]
fn another_bound_value_prepares_no_statement_anew() {
    let connection = Connection::open_in_memory().unwrap();
    assert!(
        prepared_anew(&connection) >= 19,
        "SQLite does not do this any more: it need not be switched off"
    );
    let connection = Connection::open_in_memory().unwrap();
    statements::keep(&connection, 8).unwrap();
    assert_eq!(prepared_anew(&connection), 0);
}
