-- When an examination ended, as the home RIS says it; what is not offered for network reporting; what
-- people do with an item beside reading it.

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

CREATE TABLE item_act (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  trust_ods TEXT NOT NULL,
  item_id BIGINT NOT NULL,
  act TEXT NOT NULL,
  actor TEXT NOT NULL,
  reason TEXT,
  note TEXT,
  at TIMESTAMP WITH TIME ZONE DEFAULT radpool_now() NOT NULL,
  CONSTRAINT item_act_pkey PRIMARY KEY (id),
  CONSTRAINT item_act_trust_ods_fkey FOREIGN KEY(trust_ods) REFERENCES trust (ods_code),
  CONSTRAINT item_act_item_id_fkey FOREIGN KEY(item_id) REFERENCES item (id)
);
COMMENT ON TABLE item_act IS 'What a person did with an item beside reading it; forced row-level security.';
COMMENT ON COLUMN item_act.reason IS 'A code of the list; null where the act undoes another.';
COMMENT ON COLUMN item_act.note IS 'Free words may name people: row-level security is forced.';
CREATE INDEX item_act_item_idx ON item_act (item_id);
CREATE TABLE item_priority (
  item_id BIGINT NOT NULL,
  trust_ods TEXT NOT NULL,
  urgency TEXT NOT NULL,
  set_by TEXT NOT NULL,
  reason TEXT NOT NULL,
  set_at TIMESTAMP WITH TIME ZONE DEFAULT radpool_now() NOT NULL,
  ordered_urgency TEXT,
  ordered_at TIMESTAMP WITH TIME ZONE,
  outranked BOOLEAN DEFAULT false NOT NULL,
  CONSTRAINT item_priority_pkey PRIMARY KEY (item_id),
  CONSTRAINT item_priority_item_id_fkey FOREIGN KEY(item_id) REFERENCES item (id),
  CONSTRAINT item_priority_trust_ods_fkey FOREIGN KEY(trust_ods) REFERENCES trust (ods_code)
);
COMMENT ON TABLE item_priority IS 'The urgency that a person gave an item.';
COMMENT ON COLUMN item_priority.ordered_urgency IS 'What the newest order of then stated; only another one outranks it.';
COMMENT ON COLUMN item_priority.ordered_at IS 'When that order was made.';
COMMENT ON COLUMN item_priority.outranked IS 'A newer order has stated another urgency.';
CREATE TABLE act_reason (
  act TEXT NOT NULL,
  code TEXT NOT NULL,
  description TEXT NOT NULL,
  valid_from DATE NOT NULL,
  valid_to DATE,
  source TEXT NOT NULL,
  confirmed_by TEXT,
  CONSTRAINT act_reason_pkey PRIMARY KEY (act, code),
  CONSTRAINT act_reason_act_check CHECK (act IN ('hold', 'return-to-site', 'recall', 'outsource', 'cancel',
    'change-priority'))
);
COMMENT ON TABLE act_reason IS 'A network''s own reasons beside the fixed ones.';

ALTER TABLE item ADD COLUMN not_offered_rule TEXT, ADD COLUMN not_offered_reason TEXT, ADD COLUMN state_reason TEXT;
ALTER TABLE item DROP CONSTRAINT item_state_check;
ALTER TABLE item ADD CONSTRAINT item_state_check CHECK (state IN ('ordered', 'arriving', 'ready', 'on_hold',
  'in_progress', 'preliminary', 'verified', 'addendum', 'reported_elsewhere', 'cancelled', 'recalled', 'outsourced',
  'returned', 'not_offered'));
COMMENT ON COLUMN item.not_offered_rule IS 'The rule that keeps it from network reporting; null: none does.';
COMMENT ON COLUMN item.state_reason IS 'Why a person brought it into this state; null: no person did.';
ALTER TABLE reading DROP CONSTRAINT reading_purpose_check;
ALTER TABLE reading ADD CONSTRAINT reading_purpose_check CHECK (purpose IN ('first', 'check', 'second', 'sample',
  'addendum', 'amendment'));
ALTER TABLE report ADD COLUMN recalled_at TIMESTAMP WITH TIME ZONE;
COMMENT ON COLUMN report.recalled_at IS 'Since then it no longer stands.';
ALTER TABLE item_order ADD COLUMN requester TEXT, ADD COLUMN call_back TEXT,
  ADD COLUMN needed_by_at TIMESTAMP WITH TIME ZONE, ADD COLUMN needed_by_as_sent TEXT, ADD COLUMN needed_by_zone TEXT,
  ADD COLUMN needed_by_fold SMALLINT, ADD COLUMN needed_by_source TEXT, ADD COLUMN referral_date DATE;
COMMENT ON COLUMN item_order.requester IS 'Who asked, as named.';
COMMENT ON COLUMN item_order.call_back IS 'How the requester is reached.';
COMMENT ON COLUMN item_order.needed_by_at IS 'When the report is needed: clinic or multidisciplinary meeting.';
COMMENT ON COLUMN item_order.referral_date IS 'From which the faster diagnosis standard counts.';
ALTER TABLE target_rule ADD COLUMN clock TEXT DEFAULT 'report' NOT NULL,
  ADD CONSTRAINT target_rule_clock_check CHECK (clock IN ('report', 'check'));
ALTER TABLE item ADD COLUMN report_due_at TIMESTAMP WITH TIME ZONE;
COMMENT ON COLUMN item.report_due_at IS 'When the report was due, where due_at is when its check is.';

CREATE TABLE pause_rule (
  id INTEGER GENERATED ALWAYS AS IDENTITY,
  code TEXT NOT NULL,
  trust_ods TEXT,
  act TEXT NOT NULL,
  reasons TEXT[] NOT NULL,
  valid_from DATE NOT NULL,
  valid_to DATE,
  source TEXT NOT NULL,
  confirmed_by TEXT,
  CONSTRAINT pause_rule_pkey PRIMARY KEY (id),
  CONSTRAINT pause_rule_act_check CHECK (act IN ('hold', 'return-to-site')),
  CONSTRAINT pause_rule_code_valid_from_key UNIQUE (code, valid_from),
  CONSTRAINT pause_rule_trust_ods_fkey FOREIGN KEY(trust_ods) REFERENCES trust (ods_code)
);
COMMENT ON TABLE pause_rule IS
  'For which acts and reasons the turnaround clock may stand still, dated; never that of the backstop.';
CREATE TABLE clock_pause (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  trust_ods TEXT NOT NULL,
  item_id BIGINT NOT NULL,
  rule TEXT NOT NULL,
  act TEXT NOT NULL,
  reason TEXT NOT NULL,
  actor TEXT NOT NULL,
  began_at TIMESTAMP WITH TIME ZONE DEFAULT radpool_now() NOT NULL,
  ended_at TIMESTAMP WITH TIME ZONE,
  ended_with TEXT,
  CONSTRAINT clock_pause_pkey PRIMARY KEY (id),
  CONSTRAINT clock_pause_trust_ods_fkey FOREIGN KEY(trust_ods) REFERENCES trust (ods_code),
  CONSTRAINT clock_pause_item_id_fkey FOREIGN KEY(item_id) REFERENCES item (id)
);
COMMENT ON TABLE clock_pause IS
  'When an item''s turnaround clock stood still, by which rule, why, and who saw to it.';
COMMENT ON COLUMN clock_pause.ended_with IS 'The move that ended it.';
CREATE INDEX clock_pause_item_idx ON clock_pause (item_id);
CREATE UNIQUE INDEX clock_pause_one_idx ON clock_pause (item_id) WHERE ended_at IS NULL;

CREATE TABLE alert (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  trust_ods TEXT NOT NULL,
  item_id BIGINT NOT NULL,
  report_id BIGINT NOT NULL,
  kind TEXT NOT NULL,
  raised_at TIMESTAMP WITH TIME ZONE DEFAULT radpool_now() NOT NULL,
  acknowledge_by TIMESTAMP WITH TIME ZONE NOT NULL,
  escalated_at TIMESTAMP WITH TIME ZONE,
  acknowledged_at TIMESTAMP WITH TIME ZONE,
  acknowledged_by TEXT,
  CONSTRAINT alert_pkey PRIMARY KEY (id),
  CONSTRAINT alert_kind_check CHECK (kind IN ('critical', 'urgent', 'cancer', 'unexpected-significant')),
  CONSTRAINT alert_report_id_kind_key UNIQUE (report_id, kind),
  CONSTRAINT alert_trust_ods_fkey FOREIGN KEY(trust_ods) REFERENCES trust (ods_code),
  CONSTRAINT alert_item_id_fkey FOREIGN KEY(item_id) REFERENCES item (id),
  CONSTRAINT alert_report_id_fkey FOREIGN KEY(report_id) REFERENCES report (id)
);
COMMENT ON TABLE alert IS
  'What a report alerts to, and who acknowledged it; no identifiers, the notes are in item_act.';
COMMENT ON COLUMN alert.escalated_at IS 'When it was put before people because nobody had acknowledged it.';
CREATE INDEX alert_waiting_idx ON alert (acknowledge_by, id) WHERE acknowledged_at IS NULL;
CREATE INDEX alert_item_idx ON alert (item_id);
CREATE TABLE alert_timer (
  id INTEGER GENERATED ALWAYS AS IDENTITY,
  kind TEXT NOT NULL,
  trust_ods TEXT,
  within TEXT NOT NULL,
  valid_from DATE NOT NULL,
  valid_to DATE,
  source TEXT NOT NULL,
  confirmed_by TEXT,
  CONSTRAINT alert_timer_pkey PRIMARY KEY (id),
  CONSTRAINT alert_timer_kind_check CHECK (kind IN ('critical', 'urgent', 'cancer', 'unexpected-significant')),
  CONSTRAINT alert_timer_kind_trust_ods_valid_from_key UNIQUE NULLS NOT DISTINCT (kind, trust_ods, valid_from),
  CONSTRAINT alert_timer_trust_ods_fkey FOREIGN KEY(trust_ods) REFERENCES trust (ods_code)
);
COMMENT ON TABLE alert_timer IS
  'Within what time an alert must be acknowledged, dated; spans as text such as ''4 hours''.';
