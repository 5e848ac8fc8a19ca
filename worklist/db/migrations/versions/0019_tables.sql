-- Messages that were kept out. Run by the owner role.
CREATE TABLE kept_message (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  trust_ods TEXT NOT NULL,
  item_id BIGINT NOT NULL,
  kind TEXT NOT NULL,
  digest UUID NOT NULL,
  fact JSONB NOT NULL,
  kept_at TIMESTAMP WITH TIME ZONE DEFAULT radpool_now() NOT NULL,
  due BOOLEAN DEFAULT false NOT NULL,
  taken_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT kept_message_pkey PRIMARY KEY (id),
  CONSTRAINT kept_message_kind_check CHECK (kind IN ('order', 'report', 'reading')),
  CONSTRAINT kept_message_item_id_digest_key UNIQUE (item_id, digest),
  CONSTRAINT kept_message_trust_ods_fkey FOREIGN KEY(trust_ods) REFERENCES trust (ods_code),
  CONSTRAINT kept_message_item_id_fkey FOREIGN KEY(item_id) REFERENCES item (id)
);
CREATE INDEX kept_message_due_idx ON kept_message (id) WHERE due;
COMMENT ON TABLE kept_message IS 'Messages that named somebody else than their accession''s patient; forced row-level security.';
COMMENT ON COLUMN kept_message.digest IS 'Of all that it says: it is kept once.';
COMMENT ON COLUMN kept_message.fact IS 'What it says, as it was read; no words of a report.';
COMMENT ON COLUMN kept_message.due IS 'It is to be taken again.';
