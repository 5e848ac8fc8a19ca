-- What a check changed, alerts of recalled reports. Run by the owner role.

ALTER TABLE report ADD COLUMN discrepancy TEXT;
ALTER TABLE report ADD CONSTRAINT report_discrepancy_check CHECK (discrepancy IN ('none', 'minor', 'material'));
COMMENT ON COLUMN report.discrepancy IS 'What it changes of the report that went out before it; null: not stated.';

ALTER TABLE alert ADD COLUMN settled_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE alert ADD COLUMN settled_by_report_id BIGINT;
ALTER TABLE alert ADD CONSTRAINT alert_settled_by_report_id_fkey FOREIGN KEY(settled_by_report_id)
  REFERENCES report (id);
COMMENT ON COLUMN alert.settled_at IS
  'When a report in place of the recalled one settled it, acknowledged or not.';
COMMENT ON COLUMN alert.settled_by_report_id IS 'Which report that was.';
ALTER TABLE alert DROP CONSTRAINT alert_kind_check;
ALTER TABLE alert ADD CONSTRAINT alert_kind_check CHECK (kind IN ('critical', 'urgent', 'cancer',
  'unexpected-significant', 'material-change', 'report-recalled'));
DROP INDEX alert_waiting_idx;
CREATE INDEX alert_waiting_idx ON alert (acknowledge_by, id) WHERE acknowledged_at IS NULL AND settled_at IS NULL;
ALTER TABLE alert_timer DROP CONSTRAINT alert_timer_kind_check;
ALTER TABLE alert_timer ADD CONSTRAINT alert_timer_kind_check CHECK (kind IN ('critical', 'urgent', 'cancer',
  'unexpected-significant', 'material-change', 'report-recalled'));

CREATE INDEX claim_reporter_idx ON claim (reporter_id, id);

ALTER TABLE item ADD COLUMN minutes_derivation TEXT[];
COMMENT ON COLUMN item.minutes_derivation IS 'How its reporting minutes were worked out, step by step.';

ALTER TABLE item_act ADD COLUMN detail JSONB;
COMMENT ON COLUMN item_act.detail IS 'What else was done: of a priority, which was given and which it had.';
