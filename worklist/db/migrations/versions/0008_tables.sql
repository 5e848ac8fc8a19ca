-- When an examination ended, as the home RIS says it; what is not offered for network reporting.

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
CREATE TABLE not_offered_rule (
  id INTEGER GENERATED ALWAYS AS IDENTITY,
  code TEXT NOT NULL,
  trust_ods TEXT,
  modalities TEXT[],
  exam_codes TEXT[],
  settings TEXT[],
  reason TEXT NOT NULL,
  valid_from DATE NOT NULL,
  valid_to DATE,
  source TEXT NOT NULL,
  confirmed_by TEXT,
  CONSTRAINT not_offered_rule_pkey PRIMARY KEY (id),
  CONSTRAINT not_offered_rule_reason_check CHECK (reason IN ('evaluated-locally', 'reported-by-operator', 'screening')),
  CONSTRAINT not_offered_rule_code_valid_from_key UNIQUE (code, valid_from),
  CONSTRAINT not_offered_rule_trust_ods_fkey FOREIGN KEY(trust_ods) REFERENCES trust (ods_code)
);
COMMENT ON TABLE not_offered_rule IS
  'What is not offered for network reporting, dated; null conditions match everything.';

ALTER TABLE item ADD COLUMN not_offered_rule TEXT, ADD COLUMN not_offered_reason TEXT;
ALTER TABLE item DROP CONSTRAINT item_state_check;
ALTER TABLE item ADD CONSTRAINT item_state_check CHECK (state IN ('ordered', 'arriving', 'ready', 'on_hold',
  'in_progress', 'preliminary', 'verified', 'addendum', 'reported_elsewhere', 'cancelled', 'not_offered'));
COMMENT ON COLUMN item.not_offered_rule IS 'The rule that keeps it from network reporting; null: none does.';
