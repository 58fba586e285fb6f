"""Elementary functions of one number, as arithmetic that vectorises."""
