"""Reports: what the records add up to. Read only; pure functions of records, and the questions."""
