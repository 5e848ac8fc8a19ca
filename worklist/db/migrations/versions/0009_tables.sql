-- Messages to home RIS, when reports are available at home, pay held without a report. Run by the owner role.

ALTER TABLE ris ADD COLUMN locks TEXT DEFAULT 'unprotected' NOT NULL;
ALTER TABLE ris ADD CONSTRAINT ris_locks_check CHECK (locks IN ('honoured', 'diverted', 'unprotected'));
COMMENT ON COLUMN ris.locks IS 'What it does about ours.';
ALTER TABLE ris ADD COLUMN sends_reports BOOLEAN DEFAULT false NOT NULL;
COMMENT ON COLUMN ris.sends_reports IS 'It sends the reports that are written in it: until then they are not available at home.';

ALTER TABLE item ADD COLUMN verified_at TIMESTAMP WITH TIME ZONE;
COMMENT ON COLUMN item.verified_at IS 'When a report was verified here.';
COMMENT ON COLUMN item.reported_at IS 'When a final report was available at home; stops the turnaround clock.';
ALTER TABLE item ADD COLUMN reported_source TEXT;
COMMENT ON COLUMN item.reported_source IS 'What says so: the RIS''s acknowledgement, its own report, a person, we.';

ALTER TABLE held_pay ALTER COLUMN report_id DROP NOT NULL;
ALTER TABLE held_pay ADD COLUMN claim_id BIGINT;
ALTER TABLE held_pay ADD CONSTRAINT held_pay_claim_id_fkey FOREIGN KEY(claim_id) REFERENCES claim (id);
ALTER TABLE held_pay ADD CONSTRAINT held_pay_claim_id_key UNIQUE (claim_id);
COMMENT ON COLUMN held_pay.claim_id IS 'Of work that was ended before a report.';

CREATE TABLE delivery (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  trust_ods TEXT NOT NULL,
  destination TEXT NOT NULL,
  notice TEXT NOT NULL,
  item_id BIGINT NOT NULL,
  report_id BIGINT,
  reporter_id INTEGER,
  event_position BIGINT NOT NULL,
  control_id TEXT NOT NULL,
  made_at TIMESTAMP WITH TIME ZONE NOT NULL,
  state TEXT DEFAULT 'waiting' NOT NULL,
  attempts INTEGER DEFAULT 0 NOT NULL,
  next_attempt_at TIMESTAMP WITH TIME ZONE DEFAULT radpool_now() NOT NULL,
  last_attempt_at TIMESTAMP WITH TIME ZONE,
  last_answer TEXT,
  ended_at TIMESTAMP WITH TIME ZONE,
  ended_by TEXT,
  CONSTRAINT delivery_pkey PRIMARY KEY (id),
  CONSTRAINT delivery_state_check CHECK (state IN ('waiting', 'acknowledged', 'dead', 'settled')),
  CONSTRAINT delivery_notice_check CHECK (notice IN ('lock-taken', 'lock-released', 'reported', 'report', 'recalled')),
  CONSTRAINT delivery_event_position_destination_key UNIQUE (event_position, destination),
  CONSTRAINT delivery_trust_ods_fkey FOREIGN KEY(trust_ods) REFERENCES trust (ods_code),
  CONSTRAINT delivery_destination_fkey FOREIGN KEY(destination) REFERENCES ris (sending_facility),
  CONSTRAINT delivery_item_id_fkey FOREIGN KEY(item_id) REFERENCES item (id),
  CONSTRAINT delivery_report_id_fkey FOREIGN KEY(report_id) REFERENCES report (id),
  CONSTRAINT delivery_reporter_id_fkey FOREIGN KEY(reporter_id) REFERENCES reporter (id),
  CONSTRAINT delivery_control_id_key UNIQUE (control_id)
);
CREATE INDEX delivery_dead_idx ON delivery (trust_ods) WHERE state = 'dead';
CREATE INDEX delivery_item_idx ON delivery (item_id, id);
CREATE INDEX delivery_line_idx ON delivery (destination, next_attempt_at) WHERE state = 'waiting';
CREATE INDEX delivery_report_idx ON delivery (report_id);
COMMENT ON TABLE delivery IS 'Messages to home RIS, in order for each item; the words are written when they are sent.';
COMMENT ON COLUMN delivery.reporter_id IS 'Whom the notice names.';
COMMENT ON COLUMN delivery.control_id IS 'MSH-10: a message sent again keeps it.';
COMMENT ON COLUMN delivery.made_at IS 'MSH-7: when what it tells happened.';
COMMENT ON COLUMN delivery.attempts IS 'Since it was last put in line.';
COMMENT ON COLUMN delivery.last_answer IS 'What the RIS answered, by codes; never a value.';
COMMENT ON COLUMN delivery.ended_at IS 'When it was acknowledged, given up or settled by a person.';
