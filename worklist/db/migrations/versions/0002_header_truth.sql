-- What the headers of a study state, with its provenance. Run by the owner role.

ALTER TABLE patient ADD COLUMN stated_by_ris TEXT[] DEFAULT '{}' NOT NULL;
COMMENT ON COLUMN patient.stated_by_ris IS 'Columns that an order or report of the home RIS stated: headers do not change those.';

ALTER TABLE study_identity ADD COLUMN stated JSONB DEFAULT '{}' NOT NULL;
COMMENT ON COLUMN study_identity.stated IS 'What counts of the patient by the study''s headers: its voice in the patient''s record.';
COMMENT ON TABLE study_identity IS 'Study UID and patient as stated, apart from the study; forced row-level security.';

CREATE TABLE header_statement (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  trust_ods TEXT NOT NULL,
  study_id BIGINT NOT NULL,
  series_id BIGINT NOT NULL,
  source_ae_title TEXT NOT NULL,
  digest UUID NOT NULL,
  is_image BOOLEAN NOT NULL,
  modality TEXT,
  stated JSONB NOT NULL,
  objects INTEGER DEFAULT 0 NOT NULL,
  CONSTRAINT header_statement_pkey PRIMARY KEY (id),
  CONSTRAINT header_statement_trust_ods_fkey FOREIGN KEY(trust_ods) REFERENCES trust (ods_code),
  CONSTRAINT header_statement_study_id_fkey FOREIGN KEY(study_id) REFERENCES study (id),
  CONSTRAINT header_statement_series_id_fkey FOREIGN KEY(series_id) REFERENCES series (id),
  CONSTRAINT header_statement_source_ae_title_fkey FOREIGN KEY(source_ae_title) REFERENCES source (ae_title),
  CONSTRAINT header_statement_series_id_digest_key UNIQUE (series_id, digest),
  CONSTRAINT header_statement_series_id_id_key UNIQUE (series_id, id)
);
CREATE INDEX header_statement_study_idx ON header_statement (study_id);
COMMENT ON TABLE header_statement IS 'Which values came from how many objects of which series and source; forced row-level security.';
COMMENT ON COLUMN header_statement.digest IS 'Of all that the header says, and of its source.';
COMMENT ON COLUMN header_statement.modality IS 'As stated, or that of an image''s SOP class; null where neither tells.';
COMMENT ON COLUMN header_statement.stated IS 'What objects of one study must agree on, by DICOM keyword.';
COMMENT ON COLUMN header_statement.objects IS 'How many objects say so.';

-- What was received before counts as stated as it was taken: one header for each series.
UPDATE study_identity d SET stated = jsonb_strip_nulls(jsonb_build_object(
    'PatientID', p.identifier, 'IssuerOfPatientID', nullif(p.issuer, ''), 'OtherPatientIDsSequence', p.nhs_number,
    'PatientName', CASE WHEN p.family_name IS NOT NULL OR p.given_name IS NOT NULL
                        THEN coalesce(p.family_name, '') || '^' || coalesce(p.given_name, '') END,
    'PatientBirthDate', p.birth_date, 'PatientSex', p.sex))
  FROM study s JOIN patient p ON p.id = s.patient_id WHERE s.id = d.study_id;
INSERT INTO header_statement (trust_ods, study_id, series_id, source_ae_title, digest, is_image, modality, stated, objects)
  SELECT s.trust_ods, s.id, e.id, s.source_ae_title, e.series_digest, coalesce(e.modality = ANY (s.modalities), false), e.modality,
         d.stated || jsonb_strip_nulls(jsonb_build_object('Modality', e.modality, 'AccessionNumber', (
           SELECT min(o.accession_number) FROM item_study i JOIN order_identity o ON o.item_id = i.item_id
           WHERE i.study_id = s.id))),
         e.instance_count
  FROM study s JOIN study_identity d ON d.study_id = s.id JOIN series e ON e.study_id = s.id;

ALTER TABLE instance ADD COLUMN header_id BIGINT;
UPDATE instance i SET header_id = h.id FROM header_statement h WHERE h.series_id = i.series_id;
ALTER TABLE instance ALTER COLUMN header_id SET NOT NULL;
ALTER TABLE instance DROP CONSTRAINT instance_pkey;
ALTER TABLE instance ADD CONSTRAINT instance_pkey PRIMARY KEY (series_id, sop_digest, header_id);
ALTER TABLE instance DROP CONSTRAINT instance_series_id_fkey;
ALTER TABLE instance ADD CONSTRAINT instance_series_id_header_id_fkey
  FOREIGN KEY(series_id, header_id) REFERENCES header_statement (series_id, id);
COMMENT ON TABLE instance IS 'Each object received, by a digest of its UID, once for each header that it came with: counts are exact.';
