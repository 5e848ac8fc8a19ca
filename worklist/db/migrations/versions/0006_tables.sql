CREATE TABLE patient_merge (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  trust_ods TEXT NOT NULL,
  kind TEXT NOT NULL,
  retired_id BIGINT NOT NULL,
  surviving_id BIGINT NOT NULL,
  message_at TIMESTAMP WITH TIME ZONE NOT NULL,
  stated_by TEXT NOT NULL,
  message_id TEXT,
  note TEXT,
  recorded_at TIMESTAMP WITH TIME ZONE DEFAULT radpool_now() NOT NULL,
  standing BOOLEAN DEFAULT false NOT NULL,
  unmerged_at TIMESTAMP WITH TIME ZONE,
  unmerged_by TEXT,
  CONSTRAINT patient_merge_pkey PRIMARY KEY (id),
  CONSTRAINT patient_merge_kind_check CHECK (kind IN ('merge', 'change', 'unlink')),
  CONSTRAINT patient_merge_retired_id_surviving_id_kind_message_at_key
    UNIQUE (retired_id, surviving_id, kind, message_at),
  CONSTRAINT patient_merge_trust_ods_fkey FOREIGN KEY(trust_ods) REFERENCES trust (ods_code),
  CONSTRAINT patient_merge_retired_id_fkey FOREIGN KEY(retired_id) REFERENCES patient (id),
  CONSTRAINT patient_merge_surviving_id_fkey FOREIGN KEY(surviving_id) REFERENCES patient (id)
);
COMMENT ON TABLE patient_merge IS 'Merges of patients and what ended them, as said; forced row-level security.';
COMMENT ON COLUMN patient_merge.kind IS 'An unlink separates the two, in whichever direction they were merged.';
COMMENT ON COLUMN patient_merge.message_at IS 'When it was said, by whoever said it.';
COMMENT ON COLUMN patient_merge.stated_by IS 'The home RIS, or a person by the name of the account.';
COMMENT ON COLUMN patient_merge.message_id IS 'The message''s own id; null: a person said it.';
COMMENT ON COLUMN patient_merge.note IS 'Free words may name people: row-level security is forced.';
COMMENT ON COLUMN patient_merge.standing IS 'Whether it merges the two now.';
COMMENT ON COLUMN patient_merge.unmerged_at IS 'When what ended it was said.';
CREATE INDEX patient_merge_surviving_idx ON patient_merge (surviving_id);
CREATE UNIQUE INDEX patient_merge_one_standing_idx ON patient_merge (retired_id) WHERE standing;

ALTER TABLE patient ADD COLUMN nhs_number_trace TEXT, ADD COLUMN stated JSONB DEFAULT '{}' NOT NULL,
  ADD COLUMN merged_into BIGINT,
  ADD CONSTRAINT patient_merged_into_fkey FOREIGN KEY (merged_into) REFERENCES patient (id),
  DROP CONSTRAINT patient_nhs_number_status_check,
  ADD CONSTRAINT patient_nhs_number_status_check
    CHECK (nhs_number_status IN ('not-sent', 'invalid', 'present-untraced', 'verified'));
CREATE INDEX patient_merged_idx ON patient (merged_into) WHERE merged_into IS NOT NULL;

-- What was stated before times were kept was stated when the record was last written: a newer message takes its place.
UPDATE patient p SET stated = s.stated FROM (
  SELECT q.id, jsonb_object_agg(v.name, jsonb_build_array(v.value, to_char(q.updated_at AT TIME ZONE 'UTC',
         'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'), '')) AS stated
  FROM patient q CROSS JOIN LATERAL (VALUES ('family_name', q.family_name), ('given_name', q.given_name),
       ('nhs_number', q.nhs_number), ('birth_date', q.birth_date::text), ('sex', q.sex)) AS v (name, value)
  WHERE v.value IS NOT NULL AND v.name = ANY (q.stated_by_ris) GROUP BY q.id) s
WHERE s.id = p.id;

ALTER TABLE item ADD COLUMN merged_from_id BIGINT,
  ADD CONSTRAINT item_merged_from_id_fkey FOREIGN KEY (merged_from_id) REFERENCES patient (id);
CREATE INDEX item_merged_from_idx ON item (merged_from_id) WHERE merged_from_id IS NOT NULL;
CREATE INDEX item_order_patient_idx ON item_order (patient_id);

COMMENT ON COLUMN patient.stated_by_ris IS 'Columns that a message of the home RIS stated: headers do not change those.';
COMMENT ON COLUMN patient.nhs_number_trace IS 'NHS number status indicator as the home RIS sent it: 01 is verified.';
COMMENT ON COLUMN patient.stated IS 'What the home RIS last stated under this identifier, by column: [value, when made, message].';
COMMENT ON COLUMN patient.merged_into IS 'Who survives, at the end of the chain.';
COMMENT ON COLUMN item.merged_from_id IS 'Whom it names, while that one is merged into another; null: patient_id is whom it names.';
