-- The exam catalogue with its past, a trust's own words for exams dated and attributed, minutes as dated
-- configuration, and what sources called exams, which may name people, under row-level security.

CREATE TABLE exam_release (
  id INTEGER GENERATED ALWAYS AS IDENTITY,
  catalogue TEXT NOT NULL,
  trust_ods TEXT,
  release TEXT NOT NULL,
  released_on DATE NOT NULL,
  retired_valid_days INTEGER NOT NULL,
  source TEXT NOT NULL,
  file_name TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  codes INTEGER NOT NULL,
  added INTEGER NOT NULL,
  changed INTEGER NOT NULL,
  retired INTEGER NOT NULL,
  imported_at TIMESTAMP WITH TIME ZONE DEFAULT radpool_now() NOT NULL,
  imported_by TEXT NOT NULL,
  CONSTRAINT exam_release_pkey PRIMARY KEY (id),
  CONSTRAINT exam_release_catalogue_check CHECK (catalogue IN ('national', 'trust')),
  CONSTRAINT exam_release_catalogue_trust_ods_release_key UNIQUE NULLS NOT DISTINCT (catalogue, trust_ods, release),
  CONSTRAINT exam_release_trust_ods_fkey FOREIGN KEY(trust_ods) REFERENCES trust (ods_code)
);
COMMENT ON TABLE exam_release IS 'Every release of the national catalogue and of a trust''s own that was imported; rows are never changed.';
COMMENT ON COLUMN exam_release.released_on IS 'From when it is in force; what it lacks is retired that day.';
COMMENT ON COLUMN exam_release.retired_valid_days IS 'How long a retired code stays valid.';

ALTER TABLE exam ALTER COLUMN subspecialty DROP NOT NULL, ALTER COLUMN reporting_minutes DROP NOT NULL,
  ADD COLUMN trust_ods TEXT, ADD COLUMN snomed_description TEXT, ADD COLUMN retired_on DATE,
  ADD COLUMN release_id INTEGER, ADD COLUMN version INTEGER DEFAULT 1 NOT NULL,
  ADD CONSTRAINT exam_trust_ods_fkey FOREIGN KEY(trust_ods) REFERENCES trust (ods_code),
  ADD CONSTRAINT exam_release_id_fkey FOREIGN KEY(release_id) REFERENCES exam_release (id);
COMMENT ON COLUMN exam.subspecialty IS 'The scope group; null: the network has given none yet.';
COMMENT ON COLUMN exam.reporting_minutes IS 'The network''s own; null: the minutes rules give them.';
COMMENT ON COLUMN exam.snomed_description IS 'SNOMED''s fully specified name.';
COMMENT ON COLUMN exam.retired_on IS 'From when it is in no release; valid_to is later by what is allowed.';
COMMENT ON COLUMN exam.release_id IS 'The last release that named it.';

CREATE TABLE exam_version (
  code TEXT NOT NULL,
  version INTEGER NOT NULL,
  stated JSONB NOT NULL,
  recorded_at TIMESTAMP WITH TIME ZONE DEFAULT radpool_now() NOT NULL,
  CONSTRAINT exam_version_pkey PRIMARY KEY (code, version)
);
COMMENT ON TABLE exam_version IS 'What the catalogue ever said of a code; written by the database with each change, never changed.';

-- Words that were mapped before hold for exams of any date.
ALTER TABLE exam_alias DROP CONSTRAINT exam_alias_trust_ods_kind_value_key, DROP CONSTRAINT exam_alias_kind_check,
  ADD COLUMN valid_from DATE DEFAULT '1900-01-01' NOT NULL, ADD COLUMN valid_to DATE,
  ADD COLUMN opened_at TIMESTAMP WITH TIME ZONE DEFAULT radpool_now() NOT NULL,
  ADD COLUMN opened_by TEXT NOT NULL DEFAULT 'configuration',
  ADD COLUMN reason TEXT NOT NULL DEFAULT 'configuration',
  ADD COLUMN exception_id BIGINT, ADD COLUMN closed_at TIMESTAMP WITH TIME ZONE, ADD COLUMN closed_by TEXT,
  ADD CONSTRAINT exam_alias_kind_check CHECK (kind IN ('code', 'snomed-code', 'description')),
  ADD CONSTRAINT exam_alias_exception_id_fkey FOREIGN KEY(exception_id) REFERENCES worklist_exception (id);
ALTER TABLE exam_alias ALTER COLUMN opened_by DROP DEFAULT, ALTER COLUMN reason DROP DEFAULT;
COMMENT ON TABLE exam_alias IS 'A trust''s own word for an exam (upper case, single spaces); null trust: everyone''s. A change closes one row and opens another. A word may name people: row-level security is forced.';
COMMENT ON COLUMN exam_alias.valid_from IS 'First local exam date that it is good for.';
COMMENT ON COLUMN exam_alias.valid_to IS 'Last one; null: it stays. Before valid_from: it was never right.';
COMMENT ON COLUMN exam_alias.exception_id IS 'What led to it.';
CREATE UNIQUE INDEX exam_alias_standing_idx ON exam_alias (trust_ods, kind, value) NULLS NOT DISTINCT WHERE closed_at IS NULL;
CREATE INDEX exam_alias_value_idx ON exam_alias (trust_ods, kind, value);

CREATE TABLE exam_as_sent (
  item_id BIGINT NOT NULL,
  position SMALLINT NOT NULL,
  trust_ods TEXT NOT NULL,
  code TEXT,
  scheme TEXT,
  description TEXT,
  CONSTRAINT exam_as_sent_pkey PRIMARY KEY (item_id, position),
  CONSTRAINT exam_as_sent_item_id_fkey FOREIGN KEY(item_id) REFERENCES item (id),
  CONSTRAINT exam_as_sent_trust_ods_fkey FOREIGN KEY(trust_ods) REFERENCES trust (ods_code)
);
COMMENT ON TABLE exam_as_sent IS 'What a source called the exams of an item. May name people: row-level security is forced.';
INSERT INTO exam_as_sent (item_id, position, trust_ods, code, description)
  SELECT x.item_id, x.position, i.trust_ods, x.code_as_sent, x.description_as_sent
  FROM item_exam x JOIN item i ON i.id = x.item_id;

ALTER TABLE item_exam DROP COLUMN code_as_sent, DROP COLUMN description_as_sent,
  ADD COLUMN exam_version INTEGER, ADD COLUMN alias_id INTEGER, ADD COLUMN reporting_minutes NUMERIC(6, 2),
  ADD COLUMN minutes_by TEXT,
  ADD CONSTRAINT item_exam_alias_id_fkey FOREIGN KEY(alias_id) REFERENCES exam_alias (id);
COMMENT ON TABLE item_exam IS 'The exams of an item as the catalogue knows them; what they were called stands in exam_as_sent.';
COMMENT ON COLUMN item_exam.exam_version IS 'Version of the exam''s row that it was mapped by.';
COMMENT ON COLUMN item_exam.alias_id IS 'The trust''s own word that mapped it.';
COMMENT ON COLUMN item_exam.reporting_minutes IS 'What it is valued at by itself.';
COMMENT ON COLUMN item_exam.minutes_by IS 'Whose minutes: `network`, a minutes rule, or `none`.';
CREATE INDEX item_exam_alias_idx ON item_exam (alias_id) WHERE alias_id IS NOT NULL;
CREATE INDEX item_exam_unmapped_idx ON item_exam (item_id) WHERE exam_code IS NULL;

CREATE TABLE minutes_rule (
  id INTEGER GENERATED ALWAYS AS IDENTITY,
  code TEXT NOT NULL,
  modality TEXT NOT NULL,
  exam_codes TEXT[],
  body_regions TEXT[],
  minutes NUMERIC(6, 2) NOT NULL,
  confidence TEXT NOT NULL,
  source TEXT NOT NULL,
  confirmed_by TEXT,
  valid_from DATE NOT NULL,
  valid_to DATE,
  CONSTRAINT minutes_rule_pkey PRIMARY KEY (id),
  CONSTRAINT minutes_rule_code_valid_from_key UNIQUE (code, valid_from)
);
COMMENT ON TABLE minutes_rule IS 'Reporting minutes of exams that have none of their own, dated; null conditions match everything.';
CREATE TABLE minutes_modifier (
  id INTEGER GENERATED ALWAYS AS IDENTITY,
  kind TEXT NOT NULL,
  percent NUMERIC(5, 1) NOT NULL,
  below_years SMALLINT,
  source TEXT NOT NULL,
  confirmed_by TEXT,
  valid_from DATE NOT NULL,
  valid_to DATE,
  CONSTRAINT minutes_modifier_pkey PRIMARY KEY (id),
  CONSTRAINT minutes_modifier_kind_check CHECK (kind IN ('further-exam', 'paediatric', 'relevant-prior', 'second-opinion', 'check')),
  CONSTRAINT minutes_modifier_kind_valid_from_key UNIQUE (kind, valid_from)
);
COMMENT ON TABLE minutes_modifier IS 'What changes the value of work, as a percentage of it, dated.';
CREATE TABLE item_to_work_out (
  item_id BIGINT NOT NULL,
  asked_at TIMESTAMP WITH TIME ZONE DEFAULT radpool_now() NOT NULL,
  why TEXT NOT NULL,
  not_before TIMESTAMP WITH TIME ZONE DEFAULT radpool_now() NOT NULL,
  CONSTRAINT item_to_work_out_pkey PRIMARY KEY (item_id),
  CONSTRAINT item_to_work_out_item_id_fkey FOREIGN KEY(item_id) REFERENCES item (id)
);
COMMENT ON TABLE item_to_work_out IS 'Items that a new mapping or catalogue may change, until they are worked out again; no identifiers.';
CREATE INDEX item_to_work_out_next_idx ON item_to_work_out (not_before, item_id);
