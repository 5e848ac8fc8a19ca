-- When an examination ended, as the home RIS says it.

CREATE TABLE exam_end (
  item_id BIGINT NOT NULL,
  trust_ods TEXT NOT NULL,
  message_at TIMESTAMP WITH TIME ZONE NOT NULL,
  ended_at TIMESTAMP WITH TIME ZONE NOT NULL,
  as_sent TEXT NOT NULL,
  zone TEXT NOT NULL,
  fold SMALLINT NOT NULL,
  source TEXT NOT NULL,
  heard_at TIMESTAMP WITH TIME ZONE DEFAULT radpool_now() NOT NULL,
  CONSTRAINT exam_end_pkey PRIMARY KEY (item_id),
  CONSTRAINT exam_end_item_id_fkey FOREIGN KEY(item_id) REFERENCES item (id),
  CONSTRAINT exam_end_trust_ods_fkey FOREIGN KEY(trust_ods) REFERENCES trust (ods_code)
);
COMMENT ON TABLE exam_end IS
  'When an item''s examination ended, by the newest message of the home RIS that says so.';
COMMENT ON COLUMN exam_end.message_at IS 'When the message was made that says so.';
