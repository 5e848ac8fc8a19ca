"""The RIS side: HL7 v2 messages over MLLP in, orders and results out to the worklist."""
