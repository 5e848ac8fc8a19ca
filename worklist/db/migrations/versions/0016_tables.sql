-- Whom a RIS's messages are believed from, and how it takes ours. Run by the owner role.
ALTER TABLE ris
  ADD COLUMN address TEXT,
  ADD COLUMN certificate_subject TEXT,
  ADD COLUMN tls BOOLEAN DEFAULT false NOT NULL;
COMMENT ON COLUMN ris.address IS 'Address or network that its messages come from; null: any.';
COMMENT ON COLUMN ris.certificate_subject IS 'Certificate that it is bound to; null: none.';
COMMENT ON COLUMN ris.tls IS 'It takes messages over TLS.';
