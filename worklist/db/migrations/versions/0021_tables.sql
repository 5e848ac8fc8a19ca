-- Exclusion flags with three states. Run by the owner role.
CREATE TABLE flag_rule (
  id INTEGER GENERATED ALWAYS AS IDENTITY,
  code TEXT NOT NULL,
  flag TEXT NOT NULL,
  state TEXT NOT NULL,
  trust_ods TEXT,
  exam_codes TEXT[],
  modalities TEXT[],
  settings TEXT[],
  urgencies TEXT[],
  min_age_years INTEGER,
  max_age_years INTEGER,
  words TEXT[],
  valid_from DATE NOT NULL,
  valid_to DATE,
  source TEXT NOT NULL,
  confirmed_by TEXT,
  CONSTRAINT flag_rule_pkey PRIMARY KEY (id),
  CONSTRAINT flag_rule_state_check CHECK (state IN ('yes', 'no')),
  CONSTRAINT flag_rule_words_check CHECK (words IS NULL OR state = 'yes'),
  CONSTRAINT flag_rule_code_valid_from_key UNIQUE (code, valid_from),
  CONSTRAINT flag_rule_trust_ods_fkey FOREIGN KEY(trust_ods) REFERENCES trust (ods_code)
);
COMMENT ON TABLE flag_rule IS 'What tells whether an exclusion flag is so of an item, dated; null conditions match everything.';
COMMENT ON COLUMN flag_rule.words IS 'Looked for in the clinical question; they only tell that a flag is so.';
CREATE TABLE item_flag (
  item_id BIGINT NOT NULL,
  trust_ods TEXT NOT NULL,
  flag TEXT NOT NULL,
  state TEXT NOT NULL,
  looked_at TEXT NOT NULL,
  stated_by TEXT NOT NULL,
  stated_at TIMESTAMP WITH TIME ZONE DEFAULT radpool_now() NOT NULL,
  CONSTRAINT item_flag_pkey PRIMARY KEY (item_id, flag),
  CONSTRAINT item_flag_state_check CHECK (state IN ('yes', 'no')),
  CONSTRAINT item_flag_item_id_fkey FOREIGN KEY(item_id) REFERENCES item (id),
  CONSTRAINT item_flag_trust_ods_fkey FOREIGN KEY(trust_ods) REFERENCES trust (ods_code)
);
COMMENT ON TABLE item_flag IS 'What a person said last of an item''s exclusion flag; the acts before stand in item_act.';
COMMENT ON COLUMN item_flag.looked_at IS 'Digest of the exams and clinical question that it was said of.';
ALTER TABLE item
  ADD COLUMN cleared_flags TEXT[] DEFAULT '{}' NOT NULL,
  ADD COLUMN flags_by JSONB DEFAULT '{}' NOT NULL;
COMMENT ON COLUMN item.cleared_flags IS 'Exclusions known not to hold.';
COMMENT ON COLUMN item.flags_by IS 'Which rule says so, or a person.';
ALTER TABLE profile
  ADD COLUMN cleared_flags TEXT[] DEFAULT '{}' NOT NULL,
  ADD COLUMN unknown_flags TEXT[] DEFAULT '{}' NOT NULL;
ALTER TABLE profile_cut ADD COLUMN flags_of_group JSONB DEFAULT '{}' NOT NULL;
COMMENT ON COLUMN profile_cut.flags_of_group IS
  'Exclusion flags that tell a group''s work apart; under the empty name those of unmapped work.';
-- What is not known closes a limited scope from now on: the index of who may report what is made anew.
DELETE FROM reporter_profile;
DELETE FROM reporter_indexed;
DELETE FROM profile_indexed;
