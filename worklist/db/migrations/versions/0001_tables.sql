-- The tables of the first schema, frozen. Change the metadata and write a new migration instead.

CREATE SCHEMA IF NOT EXISTS audit;

SET LOCAL check_function_bodies = off;

CREATE FUNCTION radpool_now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT statement_timestamp() + (SELECT moved_by FROM public.test_clock) $$;

CREATE TABLE audit.lane (
  lane SMALLINT NOT NULL,
  entries BIGINT NOT NULL,
  head BYTEA NOT NULL,
  CONSTRAINT lane_pkey PRIMARY KEY (lane)
);

COMMENT ON TABLE audit.lane IS 'The 64 hash chains and their heads.';

CREATE TABLE config_version (
  id INTEGER GENERATED ALWAYS AS IDENTITY,
  imported_at TIMESTAMP WITH TIME ZONE DEFAULT radpool_now() NOT NULL,
  imported_by TEXT NOT NULL,
  file_name TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  document JSONB NOT NULL,
  CONSTRAINT config_version_pkey PRIMARY KEY (id)
);

COMMENT ON TABLE config_version IS 'Every network configuration that was ever imported, whole, with who and when.';

CREATE TABLE consumer_checkpoint (
  consumer TEXT NOT NULL,
  position BIGINT NOT NULL,
  moved_at TIMESTAMP WITH TIME ZONE DEFAULT radpool_now() NOT NULL,
  CONSTRAINT consumer_checkpoint_pkey PRIMARY KEY (consumer)
);

COMMENT ON TABLE consumer_checkpoint IS 'The position up to which each consumer''s effects are in the database.';

CREATE TABLE event (
  transaction xid8 DEFAULT pg_current_xact_id() NOT NULL,
  id BIGINT GENERATED ALWAYS AS IDENTITY (CACHE 1),
  at TIMESTAMP WITH TIME ZONE DEFAULT radpool_now() NOT NULL,
  kind TEXT NOT NULL,
  schema_version SMALLINT NOT NULL,
  trust_ods TEXT,
  item_id BIGINT,
  item_version INTEGER,
  reading_id BIGINT,
  dimensions JSONB DEFAULT '{}' NOT NULL,
  CONSTRAINT event_pkey PRIMARY KEY (id, at)
)
 PARTITION BY RANGE (at);

COMMENT ON TABLE event IS 'Every change, appended in its own transaction; carries no identifiers.';

CREATE INDEX event_item_idx ON event (item_id);

CREATE TABLE event_position (
  position BIGINT NOT NULL,
  event_id BIGINT NOT NULL,
  event_at TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT event_position_pkey PRIMARY KEY (position),
  CONSTRAINT event_position_event_id_key UNIQUE (event_id)
);

COMMENT ON TABLE event_position IS 'Dense order of committed events, given by the one sequencer; insert-only.';

CREATE TABLE exam (
  code TEXT NOT NULL,
  description TEXT NOT NULL,
  modality TEXT NOT NULL,
  body_region TEXT NOT NULL,
  subspecialty TEXT NOT NULL,
  laterality TEXT NOT NULL,
  reporting_minutes NUMERIC(6, 2) NOT NULL,
  snomed_code TEXT,
  ionising BOOLEAN NOT NULL,
  confidence TEXT NOT NULL,
  source TEXT NOT NULL,
  confirmed_by TEXT,
  valid_from DATE NOT NULL,
  valid_to DATE,
  CONSTRAINT exam_pkey PRIMARY KEY (code)
);

COMMENT ON TABLE exam IS 'The exam catalogue; minutes are the reporting minutes that one exam is valued at.';

CREATE TABLE exam_group (
  id INTEGER GENERATED ALWAYS AS IDENTITY,
  key TEXT NOT NULL,
  exam_codes TEXT[] NOT NULL,
  ionising BOOLEAN NOT NULL,
  CONSTRAINT exam_group_pkey PRIMARY KEY (id),
  CONSTRAINT exam_group_key_key UNIQUE (key)
);

COMMENT ON TABLE exam_group IS 'Exam codes that no scope of practice tells apart; rows are never changed.';

CREATE TABLE outsource_price (
  modality TEXT NOT NULL,
  valid_from DATE NOT NULL,
  amount_pence INTEGER NOT NULL,
  source TEXT NOT NULL,
  CONSTRAINT outsource_price_pkey PRIMARY KEY (modality, valid_from)
);

COMMENT ON TABLE outsource_price IS 'Reference price of a report bought outside, for comparison only.';

CREATE TABLE parked_event (
  consumer TEXT NOT NULL,
  position BIGINT NOT NULL,
  reason TEXT NOT NULL,
  parked_at TIMESTAMP WITH TIME ZONE DEFAULT radpool_now() NOT NULL,
  CONSTRAINT parked_event_pkey PRIMARY KEY (consumer, position)
);

COMMENT ON TABLE parked_event IS 'Events that a consumer could not apply, set aside for a person.';

CREATE TABLE plan_run (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  ran_at TIMESTAMP WITH TIME ZONE DEFAULT radpool_now() NOT NULL,
  solver TEXT NOT NULL,
  readings INTEGER NOT NULL,
  assigned INTEGER NOT NULL,
  changed INTEGER NOT NULL,
  seconds NUMERIC(10, 4) NOT NULL,
  unassigned_by_reason JSONB NOT NULL,
  CONSTRAINT plan_run_pkey PRIMARY KEY (id)
);

COMMENT ON TABLE plan_run IS 'One run of the planner and what it could not place, by reason.';

CREATE TABLE profile (
  id INTEGER GENERATED ALWAYS AS IDENTITY,
  key TEXT NOT NULL,
  exam_groups INTEGER[] NOT NULL,
  unmapped BOOLEAN NOT NULL,
  age_from INTEGER,
  age_to INTEGER,
  setting TEXT,
  flags TEXT[] DEFAULT '{}' NOT NULL,
  ionising BOOLEAN NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT radpool_now() NOT NULL,
  CONSTRAINT profile_pkey PRIMARY KEY (id),
  CONSTRAINT profile_key_key UNIQUE (key)
);

COMMENT ON TABLE profile IS 'What clinical eligibility can depend on; rows are never changed. Null age or setting: not known.';

CREATE INDEX profile_exam_groups_idx ON profile USING gin (exam_groups);

CREATE TABLE profile_cut (
  id INTEGER GENERATED ALWAYS AS IDENTITY,
  age_cuts INTEGER[] NOT NULL,
  group_of_exam JSONB NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT radpool_now() NOT NULL,
  CONSTRAINT profile_cut_pkey PRIMARY KEY (id)
);

COMMENT ON TABLE profile_cut IS 'How the scopes in force cut ages and exam codes; the newest row is used for new work.';

CREATE TABLE rate_card (
  id INTEGER GENERATED ALWAYS AS IDENTITY,
  code TEXT NOT NULL,
  version INTEGER NOT NULL,
  name TEXT NOT NULL,
  valid_from DATE NOT NULL,
  valid_to DATE,
  approved_by TEXT[] NOT NULL,
  additional_exam_percent INTEGER NOT NULL,
  CONSTRAINT rate_card_pkey PRIMARY KEY (id),
  CONSTRAINT rate_card_code_version_key UNIQUE (code, version)
);

COMMENT ON TABLE rate_card IS 'The network''s rates; a change is a new version.';

CREATE TABLE reporter (
  id INTEGER GENERATED ALWAYS AS IDENTITY,
  code TEXT NOT NULL,
  name TEXT NOT NULL,
  profession TEXT NOT NULL,
  grade TEXT NOT NULL,
  subspecialties JSONB DEFAULT '{}' NOT NULL,
  suspended_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT reporter_pkey PRIMARY KEY (id),
  CONSTRAINT reporter_code_key UNIQUE (code)
);

COMMENT ON TABLE reporter IS 'A radiologist, reporting radiographer or other who reports; subspecialties with proficiency 1 to 5.';

CREATE TABLE scope_of_practice (
  id INTEGER GENERATED ALWAYS AS IDENTITY,
  code TEXT NOT NULL,
  version INTEGER NOT NULL,
  name TEXT NOT NULL,
  exam_codes TEXT[] NOT NULL,
  min_age_years INTEGER,
  max_age_years INTEGER,
  settings TEXT[],
  excluded_flags TEXT[] DEFAULT '{}' NOT NULL,
  classifies_unmapped BOOLEAN DEFAULT false NOT NULL,
  signed_by TEXT NOT NULL,
  valid_from DATE NOT NULL,
  valid_until DATE NOT NULL,
  CONSTRAINT scope_of_practice_pkey PRIMARY KEY (id),
  CONSTRAINT scope_of_practice_code_version_key UNIQUE (code, version)
);

COMMENT ON TABLE scope_of_practice IS 'A network-wide scope, its exam list expanded and frozen at signing. Null settings: any, also unknown.';

CREATE TABLE sequencer_mark (
  "only" BOOLEAN DEFAULT true NOT NULL,
  settled_event_id BIGINT NOT NULL,
  candidate_event_id BIGINT NOT NULL,
  candidate_horizon BIGINT NOT NULL,
  CONSTRAINT sequencer_mark_pkey PRIMARY KEY ("only")
);

COMMENT ON TABLE sequencer_mark IS 'How far the sequencer has looked; one row.';

COMMENT ON COLUMN sequencer_mark.settled_event_id IS 'Up to here all have positions.';

CREATE TABLE test_clock (
  "only" BOOLEAN DEFAULT true NOT NULL,
  enabled BOOLEAN NOT NULL,
  moved_by INTERVAL NOT NULL,
  CONSTRAINT test_clock_pkey PRIMARY KEY ("only")
);

COMMENT ON TABLE test_clock IS 'What radpool_now() adds to the database''s clock; moves only while enabled.';

CREATE TABLE trust (
  ods_code TEXT NOT NULL,
  name TEXT NOT NULL,
  CONSTRAINT trust_pkey PRIMARY KEY (ods_code)
);

COMMENT ON TABLE trust IS 'A trust of the network; the key of every division of data.';

CREATE TABLE app_user (
  id INTEGER GENERATED ALWAYS AS IDENTITY,
  name TEXT NOT NULL,
  roles TEXT[] NOT NULL,
  trust_ods TEXT,
  reporter_id INTEGER,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT radpool_now() NOT NULL,
  disabled_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT app_user_pkey PRIMARY KEY (id),
  CONSTRAINT app_user_name_key UNIQUE (name),
  CONSTRAINT app_user_trust_ods_fkey FOREIGN KEY(trust_ods) REFERENCES trust (ods_code),
  CONSTRAINT app_user_reporter_id_fkey FOREIGN KEY(reporter_id) REFERENCES reporter (id)
);

COMMENT ON TABLE app_user IS 'A local account.';

CREATE TABLE audit.entry (
  lane SMALLINT NOT NULL,
  sequence BIGINT NOT NULL,
  at TIMESTAMP WITH TIME ZONE NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  items BIGINT[] NOT NULL,
  payload TEXT,
  payload_digest BYTEA NOT NULL,
  link BYTEA NOT NULL,
  CONSTRAINT entry_pkey PRIMARY KEY (lane, sequence, at),
  CONSTRAINT entry_lane_fkey FOREIGN KEY(lane) REFERENCES audit.lane (lane)
)
 PARTITION BY RANGE (at);

COMMENT ON TABLE audit.entry IS 'Every read of a patient''s item and every change, chained; insert-only.';

COMMENT ON COLUMN audit.entry.payload IS 'Canonical JSON; may be deleted by retention, its digest stays.';

CREATE INDEX entry_at_idx ON audit.entry (at);

CREATE INDEX entry_items_idx ON audit.entry USING gin (items);

CREATE TABLE engagement (
  id INTEGER GENERATED ALWAYS AS IDENTITY,
  code TEXT NOT NULL,
  reporter_id INTEGER NOT NULL,
  payer TEXT NOT NULL,
  kind TEXT NOT NULL,
  assignment_number TEXT,
  band TEXT,
  whole_time_equivalent NUMERIC(4, 2),
  valid_from DATE NOT NULL,
  valid_until DATE,
  CONSTRAINT engagement_pkey PRIMARY KEY (id),
  CONSTRAINT engagement_code_key UNIQUE (code),
  CONSTRAINT engagement_reporter_id_fkey FOREIGN KEY(reporter_id) REFERENCES reporter (id),
  CONSTRAINT engagement_payer_fkey FOREIGN KEY(payer) REFERENCES trust (ods_code)
);

COMMENT ON TABLE engagement IS 'A post: who pays, under which assignment number.';

CREATE TABLE entitlement (
  id INTEGER GENERATED ALWAYS AS IDENTITY,
  reporter_id INTEGER NOT NULL,
  trust_ods TEXT NOT NULL,
  basis TEXT NOT NULL,
  operator BOOLEAN NOT NULL,
  system_access BOOLEAN NOT NULL,
  valid_from DATE NOT NULL,
  valid_until DATE NOT NULL,
  signatory TEXT NOT NULL,
  CONSTRAINT entitlement_pkey PRIMARY KEY (id),
  CONSTRAINT entitlement_reporter_id_fkey FOREIGN KEY(reporter_id) REFERENCES reporter (id),
  CONSTRAINT entitlement_trust_ods_fkey FOREIGN KEY(trust_ods) REFERENCES trust (ods_code)
);

COMMENT ON TABLE entitlement IS 'One performing employer''s written permission; operator covers ionising work under IR(ME)R 2017.';

CREATE INDEX entitlement_reporter_idx ON entitlement (reporter_id);

CREATE TABLE exam_alias (
  id INTEGER GENERATED ALWAYS AS IDENTITY,
  trust_ods TEXT,
  kind TEXT NOT NULL,
  value TEXT NOT NULL,
  exam_code TEXT NOT NULL,
  CONSTRAINT exam_alias_pkey PRIMARY KEY (id),
  CONSTRAINT exam_alias_kind_check CHECK (kind IN ('code', 'description')),
  CONSTRAINT exam_alias_trust_ods_kind_value_key UNIQUE NULLS NOT DISTINCT (trust_ods, kind, value),
  CONSTRAINT exam_alias_trust_ods_fkey FOREIGN KEY(trust_ods) REFERENCES trust (ods_code),
  CONSTRAINT exam_alias_exam_code_fkey FOREIGN KEY(exam_code) REFERENCES exam (code)
);

COMMENT ON TABLE exam_alias IS 'A trust''s own code or exact description for an exam (upper case, single spaces); null trust: everyone''s.';

CREATE TABLE patient (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  trust_ods TEXT NOT NULL,
  issuer TEXT DEFAULT '' NOT NULL,
  identifier TEXT,
  nhs_number TEXT,
  nhs_number_status TEXT DEFAULT 'not-sent' NOT NULL,
  family_name TEXT,
  given_name TEXT,
  name_key TEXT,
  birth_date DATE,
  sex TEXT,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT radpool_now() NOT NULL,
  CONSTRAINT patient_pkey PRIMARY KEY (id),
  CONSTRAINT patient_nhs_number_status_check CHECK (nhs_number_status IN ('not-sent', 'invalid', 'present-untraced')),
  CONSTRAINT patient_trust_ods_issuer_identifier_key UNIQUE (trust_ods, issuer, identifier),
  CONSTRAINT patient_trust_ods_fkey FOREIGN KEY(trust_ods) REFERENCES trust (ods_code)
);

COMMENT ON TABLE patient IS 'Patient identity; forced row-level security. Nothing is merged on the NHS number alone.';

COMMENT ON COLUMN patient.identifier IS 'PatientID as sent; null where none was sent (one row per study then).';

COMMENT ON COLUMN patient.name_key IS 'Upper-case FAMILY^GIVEN, for search by equality.';

CREATE TABLE profile_indexed (
  profile_id INTEGER NOT NULL,
  CONSTRAINT profile_indexed_pkey PRIMARY KEY (profile_id),
  CONSTRAINT profile_indexed_profile_id_fkey FOREIGN KEY(profile_id) REFERENCES profile (id)
);

COMMENT ON TABLE profile_indexed IS 'Profiles whose rows in reporter_profile are up to date.';

CREATE TABLE rate_window (
  rate_card_id INTEGER NOT NULL,
  name TEXT NOT NULL,
  days SMALLINT[] NOT NULL,
  starts TIME WITHOUT TIME ZONE NOT NULL,
  ends TIME WITHOUT TIME ZONE NOT NULL,
  bank_holidays BOOLEAN NOT NULL,
  multiplier_percent INTEGER NOT NULL,
  CONSTRAINT rate_window_pkey PRIMARY KEY (rate_card_id, name),
  CONSTRAINT rate_window_rate_card_id_fkey FOREIGN KEY(rate_card_id) REFERENCES rate_card (id)
);

COMMENT ON TABLE rate_window IS 'Hours by the Europe/London clock in which tariffs are multiplied.';

COMMENT ON COLUMN rate_window.days IS '0 is Monday.';

CREATE TABLE registration (
  reporter_id INTEGER NOT NULL,
  body TEXT NOT NULL,
  number TEXT NOT NULL,
  valid_until DATE NOT NULL,
  CONSTRAINT registration_pkey PRIMARY KEY (reporter_id, body),
  CONSTRAINT registration_reporter_id_fkey FOREIGN KEY(reporter_id) REFERENCES reporter (id)
);

COMMENT ON TABLE registration IS 'Professional registration (GMC, HCPC), good to the end of valid_until.';

CREATE TABLE reporter_indexed (
  reporter_id INTEGER NOT NULL,
  good_until TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT reporter_indexed_pkey PRIMARY KEY (reporter_id),
  CONSTRAINT reporter_indexed_reporter_id_fkey FOREIGN KEY(reporter_id) REFERENCES reporter (id)
);

COMMENT ON TABLE reporter_indexed IS 'Reporters whose rows in reporter_profile and reporter_trust are up to date, and until when.';

COMMENT ON COLUMN reporter_indexed.good_until IS 'When a date next changes what this reporter may report.';

CREATE TABLE reporter_profile (
  reporter_id INTEGER NOT NULL,
  profile_id INTEGER NOT NULL,
  level TEXT NOT NULL,
  valid_until TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT reporter_profile_pkey PRIMARY KEY (reporter_id, profile_id),
  CONSTRAINT reporter_profile_reporter_id_fkey FOREIGN KEY(reporter_id) REFERENCES reporter (id),
  CONSTRAINT reporter_profile_profile_id_fkey FOREIGN KEY(profile_id) REFERENCES profile (id)
);

COMMENT ON TABLE reporter_profile IS 'Index of clinical eligibility; derived, never the judge.';

CREATE INDEX reporter_profile_profile_idx ON reporter_profile (profile_id);

CREATE TABLE reporter_trust (
  reporter_id INTEGER NOT NULL,
  trust_ods TEXT NOT NULL,
  ionising BOOLEAN NOT NULL,
  valid_until TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT reporter_trust_pkey PRIMARY KEY (reporter_id, trust_ods, ionising),
  CONSTRAINT reporter_trust_reporter_id_fkey FOREIGN KEY(reporter_id) REFERENCES reporter (id),
  CONSTRAINT reporter_trust_trust_ods_fkey FOREIGN KEY(trust_ods) REFERENCES trust (ods_code)
);

COMMENT ON TABLE reporter_trust IS 'Index of entitlement per performing trust, ionising work apart; derived, never the judge.';

CREATE TABLE ris (
  trust_ods TEXT NOT NULL,
  sending_facility TEXT NOT NULL,
  host TEXT,
  port INTEGER,
  dialect JSONB DEFAULT '{}' NOT NULL,
  CONSTRAINT ris_pkey PRIMARY KEY (sending_facility),
  CONSTRAINT ris_trust_ods_fkey FOREIGN KEY(trust_ods) REFERENCES trust (ods_code)
);

COMMENT ON TABLE ris IS 'A trust''s home RIS: where its messages come from and where ours go.';

CREATE TABLE scope_grant (
  id INTEGER GENERATED ALWAYS AS IDENTITY,
  reporter_id INTEGER NOT NULL,
  scope_id INTEGER NOT NULL,
  level TEXT NOT NULL,
  signatory TEXT NOT NULL,
  min_age_years INTEGER,
  max_age_years INTEGER,
  settings TEXT[],
  valid_from DATE NOT NULL,
  valid_until DATE NOT NULL,
  suspended_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT scope_grant_pkey PRIMARY KEY (id),
  CONSTRAINT scope_grant_reporter_id_scope_id_key UNIQUE (reporter_id, scope_id),
  CONSTRAINT scope_grant_level_check CHECK (level IN ('trainee', 'preceptee', 'autonomous')),
  CONSTRAINT scope_grant_reporter_id_fkey FOREIGN KEY(reporter_id) REFERENCES reporter (id),
  CONSTRAINT scope_grant_scope_id_fkey FOREIGN KEY(scope_id) REFERENCES scope_of_practice (id)
);

COMMENT ON TABLE scope_grant IS 'A scope given to a reporter, with limits that may only be narrower than the scope''s.';

CREATE TABLE source (
  ae_title TEXT NOT NULL,
  trust_ods TEXT NOT NULL,
  address TEXT,
  certificate_subject TEXT,
  quiet_seconds INTEGER,
  services JSONB DEFAULT '[]' NOT NULL,
  active BOOLEAN DEFAULT true NOT NULL,
  CONSTRAINT source_pkey PRIMARY KEY (ae_title),
  CONSTRAINT source_trust_ods_fkey FOREIGN KEY(trust_ods) REFERENCES trust (ods_code)
);

COMMENT ON TABLE source IS 'A PACS or modality that may send to us.';

COMMENT ON COLUMN source.address IS 'Peer address that the AE title is bound to; null binds it to a certificate.';

COMMENT ON COLUMN source.quiet_seconds IS 'Completeness policy; null takes the server''s setting.';

COMMENT ON COLUMN source.services IS 'Service to setting, urgency.';

CREATE TABLE target_rule (
  id INTEGER GENERATED ALWAYS AS IDENTITY,
  code TEXT NOT NULL,
  trust_ods TEXT,
  setting TEXT,
  urgency TEXT,
  modalities TEXT[],
  exam_codes TEXT[],
  target TEXT NOT NULL,
  hard_limit TEXT,
  valid_from DATE NOT NULL,
  valid_to DATE,
  source TEXT NOT NULL,
  confirmed_by TEXT,
  CONSTRAINT target_rule_pkey PRIMARY KEY (id),
  CONSTRAINT target_rule_code_valid_from_key UNIQUE (code, valid_from),
  CONSTRAINT target_rule_trust_ods_fkey FOREIGN KEY(trust_ods) REFERENCES trust (ods_code)
);

COMMENT ON TABLE target_rule IS 'Turnaround rules, dated; null conditions match everything; spans as text such as ''4 hours''.';

CREATE TABLE tariff (
  rate_card_id INTEGER NOT NULL,
  code TEXT NOT NULL,
  unit TEXT NOT NULL,
  amount_pence INTEGER NOT NULL,
  purposes TEXT[] NOT NULL,
  exam_codes TEXT[],
  modalities TEXT[],
  CONSTRAINT tariff_pkey PRIMARY KEY (rate_card_id, code),
  CONSTRAINT tariff_rate_card_id_fkey FOREIGN KEY(rate_card_id) REFERENCES rate_card (id)
);

COMMENT ON TABLE tariff IS 'What one unit of one kind of work pays, in pence, before the window''s multiplier.';

CREATE TABLE api_token (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  user_id INTEGER NOT NULL,
  token_digest BYTEA NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT radpool_now() NOT NULL,
  expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
  revoked_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT api_token_pkey PRIMARY KEY (id),
  CONSTRAINT api_token_user_id_fkey FOREIGN KEY(user_id) REFERENCES app_user (id),
  CONSTRAINT api_token_token_digest_key UNIQUE (token_digest)
);

COMMENT ON TABLE api_token IS 'Bearer tokens, by SHA-256; the token itself is shown once and never stored.';

CREATE INDEX api_token_user_idx ON api_token (user_id);

CREATE TABLE idempotency_key (
  user_id INTEGER NOT NULL,
  key TEXT NOT NULL,
  request_digest BYTEA NOT NULL,
  status SMALLINT NOT NULL,
  body JSONB,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT radpool_now() NOT NULL,
  CONSTRAINT idempotency_key_pkey PRIMARY KEY (user_id, key),
  CONSTRAINT idempotency_key_user_id_fkey FOREIGN KEY(user_id) REFERENCES app_user (id)
);

COMMENT ON TABLE idempotency_key IS 'The answer once given under a key, written in the act''s own transaction.';

CREATE TABLE item (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  trust_ods TEXT NOT NULL,
  patient_id BIGINT NOT NULL,
  state TEXT NOT NULL,
  version INTEGER DEFAULT 1 NOT NULL,
  modality TEXT,
  age_years SMALLINT,
  exam_date DATE,
  setting TEXT,
  urgency TEXT,
  flags TEXT[] DEFAULT '{}' NOT NULL,
  clock_start_at TIMESTAMP WITH TIME ZONE,
  clock_start_source TEXT,
  due_at TIMESTAMP WITH TIME ZONE,
  hard_limit_at TIMESTAMP WITH TIME ZONE,
  target_rule TEXT,
  reporting_minutes NUMERIC(7, 2),
  profile_id INTEGER,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT radpool_now() NOT NULL,
  ready_at TIMESTAMP WITH TIME ZONE,
  reported_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT item_pkey PRIMARY KEY (id),
  CONSTRAINT item_state_check CHECK (state IN ('ordered', 'arriving', 'ready', 'on_hold', 'in_progress', 'preliminary', 'verified', 'addendum', 'reported_elsewhere', 'cancelled')),
  CONSTRAINT item_trust_ods_fkey FOREIGN KEY(trust_ods) REFERENCES trust (ods_code),
  CONSTRAINT item_patient_id_fkey FOREIGN KEY(patient_id) REFERENCES patient (id),
  CONSTRAINT item_profile_id_fkey FOREIGN KEY(profile_id) REFERENCES profile (id)
);

COMMENT ON TABLE item IS 'One accession of one trust and where it stands; no identifiers.';

COMMENT ON COLUMN item.age_years IS 'Completed years at the exam date; null where not known.';

COMMENT ON COLUMN item.flags IS 'Exclusions known to hold.';

COMMENT ON COLUMN item.reported_at IS 'When a final report stood; stops the turnaround clock.';

CREATE INDEX item_patient_idx ON item (patient_id);

CREATE INDEX item_reported_idx ON item (reported_at) WHERE reported_at IS NOT NULL;

CREATE INDEX item_state_due_idx ON item (state, due_at, id);

CREATE INDEX item_trust_state_due_idx ON item (trust_ods, state, due_at, id);

CREATE TABLE reporting_session (
  id INTEGER GENERATED ALWAYS AS IDENTITY,
  code TEXT NOT NULL,
  reporter_id INTEGER NOT NULL,
  engagement_id INTEGER NOT NULL,
  kind TEXT NOT NULL,
  starts_at TIMESTAMP WITH TIME ZONE NOT NULL,
  ends_at TIMESTAMP WITH TIME ZONE NOT NULL,
  location TEXT NOT NULL,
  trusts TEXT[],
  modalities TEXT[],
  outside_job_plan_attested BOOLEAN DEFAULT false NOT NULL,
  cancelled_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT reporting_session_pkey PRIMARY KEY (id),
  CONSTRAINT reporting_session_kind_check CHECK (kind IN ('job_planned', 'insourced', 'on_call', 'duty')),
  CONSTRAINT reporting_session_location_check CHECK (location IN ('site', 'home')),
  CONSTRAINT reporting_session_no_overlap EXCLUDE USING gist (int4range(reporter_id, reporter_id, '[]') WITH &&, tstzrange(starts_at, ends_at) WITH &&) WHERE (cancelled_at IS NULL),
  CONSTRAINT reporting_session_code_key UNIQUE (code),
  CONSTRAINT reporting_session_reporter_id_fkey FOREIGN KEY(reporter_id) REFERENCES reporter (id),
  CONSTRAINT reporting_session_engagement_id_fkey FOREIGN KEY(engagement_id) REFERENCES engagement (id)
);

COMMENT ON TABLE reporting_session IS 'A person''s session of reporting; two of one person never overlap.';

CREATE INDEX reporting_session_starts_idx ON reporting_session (starts_at);

CREATE TABLE study (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  trust_ods TEXT NOT NULL,
  patient_id BIGINT NOT NULL,
  source_ae_title TEXT NOT NULL,
  modalities TEXT[] DEFAULT '{}' NOT NULL,
  series_count INTEGER DEFAULT 0 NOT NULL,
  instance_count INTEGER DEFAULT 0 NOT NULL,
  first_received_at TIMESTAMP WITH TIME ZONE DEFAULT radpool_now() NOT NULL,
  last_received_at TIMESTAMP WITH TIME ZONE DEFAULT radpool_now() NOT NULL,
  quiet_until TIMESTAMP WITH TIME ZONE,
  completed_at TIMESTAMP WITH TIME ZONE,
  facts JSONB DEFAULT '{}' NOT NULL,
  acquisition_ended_at TIMESTAMP WITH TIME ZONE,
  acquisition_ended_as_sent TEXT,
  acquisition_ended_zone TEXT,
  acquisition_ended_fold SMALLINT,
  acquisition_ended_source TEXT,
  CONSTRAINT study_pkey PRIMARY KEY (id),
  CONSTRAINT study_trust_ods_fkey FOREIGN KEY(trust_ods) REFERENCES trust (ods_code),
  CONSTRAINT study_patient_id_fkey FOREIGN KEY(patient_id) REFERENCES patient (id),
  CONSTRAINT study_source_ae_title_fkey FOREIGN KEY(source_ae_title) REFERENCES source (ae_title)
);

COMMENT ON TABLE study IS 'A study as received: counts and times, no identifiers.';

COMMENT ON COLUMN study.quiet_until IS 'Complete then if nothing more comes; null once it is.';

COMMENT ON COLUMN study.facts IS 'What the headers said, merged.';

CREATE INDEX study_patient_idx ON study (patient_id);

CREATE INDEX study_quiet_idx ON study (quiet_until) WHERE quiet_until IS NOT NULL;

CREATE TABLE item_exam (
  item_id BIGINT NOT NULL,
  position SMALLINT NOT NULL,
  exam_code TEXT,
  code_as_sent TEXT,
  description_as_sent TEXT,
  mapped_by TEXT NOT NULL,
  CONSTRAINT item_exam_pkey PRIMARY KEY (item_id, position),
  CONSTRAINT item_exam_item_id_fkey FOREIGN KEY(item_id) REFERENCES item (id),
  CONSTRAINT item_exam_exam_code_fkey FOREIGN KEY(exam_code) REFERENCES exam (code)
);

COMMENT ON TABLE item_exam IS 'The exams of an item: as sent, and as the catalogue knows them.';

COMMENT ON COLUMN item_exam.exam_code IS 'Null: not mapped.';

CREATE TABLE item_exclusion (
  item_id BIGINT NOT NULL,
  reporter_id INTEGER NOT NULL,
  kind TEXT NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT radpool_now() NOT NULL,
  CONSTRAINT item_exclusion_pkey PRIMARY KEY (item_id, reporter_id, kind),
  CONSTRAINT item_exclusion_kind_check CHECK (kind IN ('has-read', 'referred', 'skipped', 'conflict-of-interest')),
  CONSTRAINT item_exclusion_item_id_fkey FOREIGN KEY(item_id) REFERENCES item (id),
  CONSTRAINT item_exclusion_reporter_id_fkey FOREIGN KEY(reporter_id) REFERENCES reporter (id)
);

COMMENT ON TABLE item_exclusion IS 'What concerns one item and one person: this reporter is not offered this item.';

CREATE TABLE item_order (
  item_id BIGINT NOT NULL,
  trust_ods TEXT NOT NULL,
  patient_id BIGINT NOT NULL,
  control TEXT NOT NULL,
  setting TEXT,
  urgency TEXT,
  exams JSONB DEFAULT '[]' NOT NULL,
  clinical_question TEXT,
  message_at TIMESTAMP WITH TIME ZONE NOT NULL,
  message_ids TEXT[] NOT NULL,
  received_at TIMESTAMP WITH TIME ZONE DEFAULT radpool_now() NOT NULL,
  CONSTRAINT item_order_pkey PRIMARY KEY (item_id),
  CONSTRAINT item_order_control_check CHECK (control IN ('new', 'change', 'cancel')),
  CONSTRAINT item_order_item_id_fkey FOREIGN KEY(item_id) REFERENCES item (id),
  CONSTRAINT item_order_trust_ods_fkey FOREIGN KEY(trust_ods) REFERENCES trust (ods_code),
  CONSTRAINT item_order_patient_id_fkey FOREIGN KEY(patient_id) REFERENCES patient (id)
);

COMMENT ON TABLE item_order IS 'What the newest order message says of an item; what follows from it stands in item.';

COMMENT ON COLUMN item_order.patient_id IS 'Whom the order names.';

COMMENT ON COLUMN item_order.exams IS 'As sent: [code, scheme, words].';

COMMENT ON COLUMN item_order.clinical_question IS 'Free words may name people: row-level security is forced.';

COMMENT ON COLUMN item_order.message_at IS 'When the home RIS made the newest message taken.';

COMMENT ON COLUMN item_order.message_ids IS 'Ids of the messages of that instant that were taken.';

CREATE TABLE item_study (
  item_id BIGINT NOT NULL,
  study_id BIGINT NOT NULL,
  CONSTRAINT item_study_pkey PRIMARY KEY (item_id, study_id),
  CONSTRAINT item_study_item_id_fkey FOREIGN KEY(item_id) REFERENCES item (id),
  CONSTRAINT item_study_study_id_fkey FOREIGN KEY(study_id) REFERENCES study (id)
);

COMMENT ON TABLE item_study IS 'Studies and items are many to many.';

CREATE INDEX item_study_study_idx ON item_study (study_id);

CREATE TABLE order_identity (
  item_id BIGINT NOT NULL,
  trust_ods TEXT NOT NULL,
  accession_number TEXT,
  placer_order_number TEXT,
  CONSTRAINT order_identity_pkey PRIMARY KEY (item_id),
  CONSTRAINT order_identity_trust_ods_accession_number_key UNIQUE (trust_ods, accession_number),
  CONSTRAINT order_identity_item_id_fkey FOREIGN KEY(item_id) REFERENCES item (id),
  CONSTRAINT order_identity_trust_ods_fkey FOREIGN KEY(trust_ods) REFERENCES trust (ods_code)
);

COMMENT ON TABLE order_identity IS 'Order identity apart from the item; forced row-level security.';

COMMENT ON COLUMN order_identity.accession_number IS 'As text: leading zeros are significant.';

CREATE TABLE reading (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  item_id BIGINT NOT NULL,
  purpose TEXT NOT NULL,
  state TEXT NOT NULL,
  trust_ods TEXT NOT NULL,
  profile_id INTEGER NOT NULL,
  due_at TIMESTAMP WITH TIME ZONE NOT NULL,
  reporting_minutes NUMERIC(7, 2) NOT NULL,
  free_from TIMESTAMP WITH TIME ZONE DEFAULT radpool_now() NOT NULL,
  token BIGINT DEFAULT 0 NOT NULL,
  for_radiologist BOOLEAN DEFAULT false NOT NULL,
  CONSTRAINT reading_pkey PRIMARY KEY (id),
  CONSTRAINT reading_purpose_check CHECK (purpose IN ('first', 'check', 'second', 'sample', 'addendum')),
  CONSTRAINT reading_state_check CHECK (state IN ('open', 'held', 'done', 'withdrawn')),
  CONSTRAINT reading_item_id_fkey FOREIGN KEY(item_id) REFERENCES item (id),
  CONSTRAINT reading_trust_ods_fkey FOREIGN KEY(trust_ods) REFERENCES trust (ods_code),
  CONSTRAINT reading_profile_id_fkey FOREIGN KEY(profile_id) REFERENCES profile (id)
);

COMMENT ON TABLE reading IS 'What a person claims of an item. Free when open and free_from has passed.';

COMMENT ON COLUMN reading.token IS 'Fencing token of the newest claim.';

COMMENT ON COLUMN reading.for_radiologist IS 'Referred on to one.';

CREATE INDEX reading_due_idx ON reading (due_at, id) WHERE state = 'open';

CREATE INDEX reading_item_idx ON reading (item_id);

CREATE UNIQUE INDEX reading_one_first_idx ON reading (item_id) WHERE purpose = 'first' AND state <> 'withdrawn';

CREATE INDEX reading_pool_idx ON reading (profile_id, trust_ods, due_at, id) WHERE state = 'open';

CREATE TABLE series (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  study_id BIGINT NOT NULL,
  series_digest UUID NOT NULL,
  modality TEXT,
  instance_count INTEGER DEFAULT 0 NOT NULL,
  CONSTRAINT series_pkey PRIMARY KEY (id),
  CONSTRAINT series_study_id_series_digest_key UNIQUE (study_id, series_digest),
  CONSTRAINT series_study_id_fkey FOREIGN KEY(study_id) REFERENCES study (id)
);

COMMENT ON TABLE series IS 'A series of a study, by a digest of its UID.';

CREATE TABLE study_identity (
  study_id BIGINT NOT NULL,
  trust_ods TEXT NOT NULL,
  study_instance_uid TEXT NOT NULL,
  CONSTRAINT study_identity_pkey PRIMARY KEY (study_id),
  CONSTRAINT study_identity_study_id_fkey FOREIGN KEY(study_id) REFERENCES study (id),
  CONSTRAINT study_identity_trust_ods_fkey FOREIGN KEY(trust_ods) REFERENCES trust (ods_code),
  CONSTRAINT study_identity_study_instance_uid_key UNIQUE (study_instance_uid)
);

COMMENT ON TABLE study_identity IS 'Study UID apart from the study; forced row-level security.';

CREATE TABLE worklist_exception (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  kind TEXT NOT NULL,
  trust_ods TEXT,
  source_ae_title TEXT,
  item_id BIGINT,
  detail TEXT DEFAULT '' NOT NULL,
  occurrences INTEGER DEFAULT 1 NOT NULL,
  opened_at TIMESTAMP WITH TIME ZONE DEFAULT radpool_now() NOT NULL,
  last_seen_at TIMESTAMP WITH TIME ZONE DEFAULT radpool_now() NOT NULL,
  closed_at TIMESTAMP WITH TIME ZONE,
  closed_by TEXT,
  outcome TEXT,
  CONSTRAINT worklist_exception_pkey PRIMARY KEY (id),
  CONSTRAINT worklist_exception_trust_ods_fkey FOREIGN KEY(trust_ods) REFERENCES trust (ods_code),
  CONSTRAINT worklist_exception_item_id_fkey FOREIGN KEY(item_id) REFERENCES item (id)
);

COMMENT ON TABLE worklist_exception IS 'What a person must look at, with the reason; never a header value.';

CREATE INDEX worklist_exception_item_idx ON worklist_exception (item_id) WHERE closed_at IS NULL;

CREATE UNIQUE INDEX worklist_exception_open_idx ON worklist_exception (kind, source_ae_title, item_id, detail) NULLS NOT DISTINCT WHERE closed_at IS NULL;

CREATE TABLE assignment (
  reading_id BIGINT NOT NULL,
  item_id BIGINT NOT NULL,
  reporter_id INTEGER NOT NULL,
  session_id INTEGER NOT NULL,
  rank INTEGER NOT NULL,
  valid_until TIMESTAMP WITH TIME ZONE NOT NULL,
  why TEXT NOT NULL,
  assigned_at TIMESTAMP WITH TIME ZONE DEFAULT radpool_now() NOT NULL,
  CONSTRAINT assignment_pkey PRIMARY KEY (reading_id),
  CONSTRAINT assignment_reading_id_fkey FOREIGN KEY(reading_id) REFERENCES reading (id),
  CONSTRAINT assignment_item_id_fkey FOREIGN KEY(item_id) REFERENCES item (id),
  CONSTRAINT assignment_reporter_id_fkey FOREIGN KEY(reporter_id) REFERENCES reporter (id),
  CONSTRAINT assignment_session_id_fkey FOREIGN KEY(session_id) REFERENCES reporting_session (id)
);

COMMENT ON TABLE assignment IS 'The plan in force: who should read it, in what order, until when.';

CREATE INDEX assignment_item_idx ON assignment (item_id);

CREATE INDEX assignment_reporter_idx ON assignment (reporter_id, rank);

CREATE TABLE claim (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  reading_id BIGINT NOT NULL,
  item_id BIGINT NOT NULL,
  reporter_id INTEGER NOT NULL,
  session_id INTEGER,
  token BIGINT NOT NULL,
  claimed_at TIMESTAMP WITH TIME ZONE DEFAULT radpool_now() NOT NULL,
  expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
  ended_at TIMESTAMP WITH TIME ZONE,
  end_reason TEXT,
  end_detail TEXT,
  CONSTRAINT claim_pkey PRIMARY KEY (id),
  CONSTRAINT claim_end_reason_check CHECK (end_reason IN ('reported', 'released', 'skipped', 'referred', 'superseded', 'withdrawn')),
  CONSTRAINT claim_reading_id_token_key UNIQUE (reading_id, token),
  CONSTRAINT claim_reading_id_fkey FOREIGN KEY(reading_id) REFERENCES reading (id),
  CONSTRAINT claim_item_id_fkey FOREIGN KEY(item_id) REFERENCES item (id),
  CONSTRAINT claim_reporter_id_fkey FOREIGN KEY(reporter_id) REFERENCES reporter (id),
  CONSTRAINT claim_session_id_fkey FOREIGN KEY(session_id) REFERENCES reporting_session (id)
);

COMMENT ON TABLE claim IS 'A lease on a reading with its fencing token; at most one live per reading.';

CREATE INDEX claim_item_idx ON claim (item_id);

CREATE UNIQUE INDEX claim_one_live_idx ON claim (reading_id) WHERE ended_at IS NULL;

CREATE INDEX claim_reporter_live_idx ON claim (reporter_id) WHERE ended_at IS NULL;

CREATE TABLE instance (
  series_id BIGINT NOT NULL,
  sop_digest UUID NOT NULL,
  CONSTRAINT instance_pkey PRIMARY KEY (series_id, sop_digest),
  CONSTRAINT instance_series_id_fkey FOREIGN KEY(series_id) REFERENCES series (id)
);

COMMENT ON TABLE instance IS 'Each object received, by a digest of its UID: what makes counts exact under re-sends.';

CREATE TABLE report (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  reading_id BIGINT NOT NULL,
  item_id BIGINT NOT NULL,
  claim_id BIGINT NOT NULL,
  reporter_id INTEGER NOT NULL,
  status TEXT NOT NULL,
  superseded BOOLEAN NOT NULL,
  alerts TEXT[] DEFAULT '{}' NOT NULL,
  received_at TIMESTAMP WITH TIME ZONE DEFAULT radpool_now() NOT NULL,
  CONSTRAINT report_pkey PRIMARY KEY (id),
  CONSTRAINT report_status_check CHECK (status IN ('preliminary', 'verified', 'addendum')),
  CONSTRAINT report_reading_id_fkey FOREIGN KEY(reading_id) REFERENCES reading (id),
  CONSTRAINT report_item_id_fkey FOREIGN KEY(item_id) REFERENCES item (id),
  CONSTRAINT report_claim_id_fkey FOREIGN KEY(claim_id) REFERENCES claim (id),
  CONSTRAINT report_reporter_id_fkey FOREIGN KEY(reporter_id) REFERENCES reporter (id)
);

COMMENT ON TABLE report IS 'That a report was given, by whom and with what standing; its words are in report_text.';

COMMENT ON COLUMN report.superseded IS 'Sent under a superseded token: kept for a person to judge.';

CREATE INDEX report_item_idx ON report (item_id);

CREATE TABLE held_pay (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  report_id BIGINT NOT NULL,
  reporter_id INTEGER NOT NULL,
  reason TEXT NOT NULL,
  event_position BIGINT NOT NULL,
  held_at TIMESTAMP WITH TIME ZONE DEFAULT radpool_now() NOT NULL,
  settled_at TIMESTAMP WITH TIME ZONE,
  settled_by TEXT,
  outcome TEXT,
  CONSTRAINT held_pay_pkey PRIMARY KEY (id),
  CONSTRAINT held_pay_report_id_key UNIQUE (report_id),
  CONSTRAINT held_pay_report_id_fkey FOREIGN KEY(report_id) REFERENCES report (id),
  CONSTRAINT held_pay_reporter_id_fkey FOREIGN KEY(reporter_id) REFERENCES reporter (id)
);

COMMENT ON TABLE held_pay IS 'Work whose pay is in doubt, for a person to decide; the report itself stands.';

CREATE TABLE pay_line (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  kind TEXT NOT NULL,
  reading_id BIGINT NOT NULL,
  report_id BIGINT NOT NULL,
  claim_id BIGINT NOT NULL,
  reporter_id INTEGER NOT NULL,
  session_id INTEGER NOT NULL,
  engagement_id INTEGER NOT NULL,
  payer TEXT NOT NULL,
  host TEXT NOT NULL,
  tariff_code TEXT NOT NULL,
  units NUMERIC(11, 4) NOT NULL,
  rate_pence INTEGER NOT NULL,
  multiplier_percent INTEGER NOT NULL,
  "window" TEXT NOT NULL,
  amount_pence BIGINT NOT NULL,
  rate_card_id INTEGER NOT NULL,
  derivation TEXT[] NOT NULL,
  event_position BIGINT NOT NULL,
  reverses BIGINT,
  earned_at TIMESTAMP WITH TIME ZONE NOT NULL,
  posted_at TIMESTAMP WITH TIME ZONE DEFAULT radpool_now() NOT NULL,
  CONSTRAINT pay_line_pkey PRIMARY KEY (id),
  CONSTRAINT pay_line_kind_check CHECK (kind IN ('earning', 'reversal', 'correction')),
  CONSTRAINT pay_line_event_position_tariff_code_kind_key UNIQUE (event_position, tariff_code, kind),
  CONSTRAINT pay_line_reading_id_fkey FOREIGN KEY(reading_id) REFERENCES reading (id),
  CONSTRAINT pay_line_report_id_fkey FOREIGN KEY(report_id) REFERENCES report (id),
  CONSTRAINT pay_line_claim_id_fkey FOREIGN KEY(claim_id) REFERENCES claim (id),
  CONSTRAINT pay_line_reporter_id_fkey FOREIGN KEY(reporter_id) REFERENCES reporter (id),
  CONSTRAINT pay_line_session_id_fkey FOREIGN KEY(session_id) REFERENCES reporting_session (id),
  CONSTRAINT pay_line_engagement_id_fkey FOREIGN KEY(engagement_id) REFERENCES engagement (id),
  CONSTRAINT pay_line_payer_fkey FOREIGN KEY(payer) REFERENCES trust (ods_code),
  CONSTRAINT pay_line_host_fkey FOREIGN KEY(host) REFERENCES trust (ods_code),
  CONSTRAINT pay_line_rate_card_id_fkey FOREIGN KEY(rate_card_id) REFERENCES rate_card (id),
  CONSTRAINT pay_line_reverses_fkey FOREIGN KEY(reverses) REFERENCES pay_line (id)
);

COMMENT ON TABLE pay_line IS 'The ledger: appended, never edited or deleted; a correction is a reversal and a new line.';

CREATE UNIQUE INDEX pay_line_once_idx ON pay_line (report_id, tariff_code) WHERE kind = 'earning';

CREATE INDEX pay_line_reporter_idx ON pay_line (reporter_id, earned_at);

CREATE UNIQUE INDEX pay_line_reversed_once_idx ON pay_line (reverses) WHERE reverses IS NOT NULL;

CREATE TABLE report_text (
  report_id BIGINT NOT NULL,
  trust_ods TEXT NOT NULL,
  item_id BIGINT NOT NULL,
  body TEXT NOT NULL,
  CONSTRAINT report_text_pkey PRIMARY KEY (report_id),
  CONSTRAINT report_text_report_id_fkey FOREIGN KEY(report_id) REFERENCES report (id),
  CONSTRAINT report_text_trust_ods_fkey FOREIGN KEY(trust_ods) REFERENCES trust (ods_code),
  CONSTRAINT report_text_item_id_fkey FOREIGN KEY(item_id) REFERENCES item (id)
);

COMMENT ON TABLE report_text IS 'Words of a report written here, kept until the home RIS has them; forced row-level security.';

