"""What weir should have said, worked out in another language by another method.

Given the raw records of an input as they lie in Kafka, `card_fraud.CardFraud` and
`processor.judge` compute every alert with every field, and every dead letter with its reason. There
are no running sums, no chunks and no cursors here: each question is answered by looking through the
user's events again. The rules are written out in Python, not read from the topology file. Nothing
in here imports or calls weir.
"""
