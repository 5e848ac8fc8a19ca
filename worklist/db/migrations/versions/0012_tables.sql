-- Orders field by field. Run by the owner role.
ALTER TABLE item_order ALTER COLUMN patient_id DROP NOT NULL;
COMMENT ON COLUMN item_order.patient_id IS 'Whom the order names; null: nobody.';
ALTER TABLE item_order ADD COLUMN stated JSONB DEFAULT '{}' NOT NULL;
COMMENT ON COLUMN item_order.stated IS 'What orders last said, by field: [when made, what the message does, its id, value].';
COMMENT ON TABLE item_order IS 'What orders said of an item, of each field the newest; what follows from it stands in item.';

ALTER TABLE exam_end ALTER COLUMN ended_at DROP NOT NULL;
ALTER TABLE exam_end ALTER COLUMN as_sent DROP NOT NULL;
ALTER TABLE exam_end ALTER COLUMN zone DROP NOT NULL;
ALTER TABLE exam_end ALTER COLUMN fold DROP NOT NULL;
ALTER TABLE exam_end ALTER COLUMN source DROP NOT NULL;
COMMENT ON COLUMN exam_end.ended_at IS 'Null: it says that no end is known any more.';

-- What the newest message of an accession said was all that counted: it is what was last said of each field.
UPDATE item_order o SET stated = jsonb_strip_nulls(jsonb_build_object(
    'control', v.said || jsonb_build_array(o.control),
    'setting', CASE WHEN o.setting IS NOT NULL THEN v.said || jsonb_build_array(o.setting) END,
    'urgency', CASE WHEN o.urgency IS NOT NULL THEN v.said || jsonb_build_array(o.urgency) END,
    'exams', CASE WHEN o.exams <> '[]' THEN v.said || jsonb_build_array(o.exams) END,
    'clinical_question',
      CASE WHEN o.clinical_question IS NOT NULL THEN v.said || jsonb_build_array(o.clinical_question) END,
    'placer_order_number',
      CASE WHEN v.placer IS NOT NULL THEN v.said || jsonb_build_array(v.placer) END,
    'requester', CASE WHEN o.requester IS NOT NULL THEN v.said || jsonb_build_array(o.requester) END,
    'call_back', CASE WHEN o.call_back IS NOT NULL THEN v.said || jsonb_build_array(o.call_back) END,
    'needed_by', CASE WHEN o.needed_by_at IS NOT NULL THEN v.said || jsonb_build_array(jsonb_build_array(
        to_char(o.needed_by_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'),
        o.needed_by_as_sent, o.needed_by_zone, o.needed_by_fold, o.needed_by_source)) END,
    'referral_date', CASE WHEN o.referral_date IS NOT NULL THEN v.said || jsonb_build_array(o.referral_date) END,
    'patient', CASE WHEN v.identifier IS NOT NULL
        THEN v.said || jsonb_build_array(jsonb_build_array(v.issuer, v.identifier)) END,
    'doubts', v.said || jsonb_build_array('[]'::jsonb)))
  FROM (
    SELECT w.item_id, i.placer_order_number AS placer, p.issuer, p.identifier, jsonb_build_array(
        to_char(w.message_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'), w.control,
        coalesce(w.message_ids[cardinality(w.message_ids)], '')) AS said
      FROM item_order w JOIN order_identity i ON i.item_id = w.item_id JOIN patient p ON p.id = w.patient_id) v
  WHERE v.item_id = o.item_id;
ALTER TABLE item_order DROP COLUMN message_ids;

-- Whose work a study is.
ALTER TABLE trust ADD COLUMN known_as TEXT[] DEFAULT '{}' NOT NULL;
COMMENT ON COLUMN trust.known_as IS 'By which issuers of accession numbers and institutions name it in headers, beside its code.';
ALTER TABLE source ADD COLUMN elsewhere TEXT[] DEFAULT '{}' NOT NULL;
COMMENT ON COLUMN source.elsewhere IS 'By which issuers and institutions name performers outside the network in headers.';
ALTER TABLE source ADD COLUMN old_after_days INTEGER;
COMMENT ON COLUMN source.old_after_days IS 'Studies older than this are work only with an order; null: any are.';

ALTER TABLE study ADD COLUMN performed_by TEXT;
COMMENT ON COLUMN study.performed_by IS 'Trust of the network that its headers name as performer, or `elsewhere`.';
ALTER TABLE study ADD COLUMN prior_because TEXT;
COMMENT ON COLUMN study.prior_because IS 'Why it is a prior and no work; null: it is not, or it has no image.';
ALTER TABLE study ADD CONSTRAINT study_prior_because_check
  CHECK (prior_because IN ('performed-elsewhere', 'of-another-trust', 'old-without-order'));
ALTER TABLE study_identity DROP CONSTRAINT study_identity_study_instance_uid_key;
ALTER TABLE study_identity ADD CONSTRAINT study_identity_study_instance_uid_trust_ods_key
  UNIQUE (study_instance_uid, trust_ods);

ALTER TABLE order_identity ADD COLUMN study_instance_uid TEXT;
COMMENT ON COLUMN order_identity.study_instance_uid IS 'Of the images, where its orders name one.';
CREATE INDEX order_identity_study_idx ON order_identity (trust_ods, study_instance_uid)
  WHERE study_instance_uid IS NOT NULL;

CREATE TABLE study_waiting (
  trust_ods TEXT NOT NULL,
  accession_number TEXT NOT NULL,
  study_id BIGINT NOT NULL,
  CONSTRAINT study_waiting_pkey PRIMARY KEY (trust_ods, accession_number, study_id),
  CONSTRAINT study_waiting_trust_ods_fkey FOREIGN KEY(trust_ods) REFERENCES trust (ods_code),
  CONSTRAINT study_waiting_study_id_fkey FOREIGN KEY(study_id) REFERENCES study (id)
);
CREATE INDEX study_waiting_study_idx ON study_waiting (study_id);
COMMENT ON TABLE study_waiting IS 'Accession numbers whose order would change whose work a study is; forced row-level security.';

CREATE TABLE study_to_place (
  study_id BIGINT NOT NULL,
  not_before TIMESTAMP WITH TIME ZONE DEFAULT radpool_now() NOT NULL,
  CONSTRAINT study_to_place_pkey PRIMARY KEY (study_id),
  CONSTRAINT study_to_place_study_id_fkey FOREIGN KEY(study_id) REFERENCES study (id)
);
CREATE INDEX study_to_place_next_idx ON study_to_place (not_before, study_id);
COMMENT ON TABLE study_to_place IS 'Studies of which it is to be worked out anew whose work they are, if anybody''s.';

-- Messages that were kept out.
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
