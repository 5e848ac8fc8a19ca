-- What sources say of studies beside their objects, why a study was held to be complete, and work that is
-- offered while its images still come.

CREATE TABLE announced_study (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  trust_ods TEXT NOT NULL,
  study_instance_uid TEXT NOT NULL,
  accession_number TEXT,
  available_instances INTEGER,
  available_whole BOOLEAN,
  expected_instances INTEGER,
  answered_at TIMESTAMP WITH TIME ZONE,
  times_asked INTEGER DEFAULT 0 NOT NULL,
  ask_again_at TIMESTAMP WITH TIME ZONE,
  first_heard_at TIMESTAMP WITH TIME ZONE DEFAULT radpool_now() NOT NULL,
  CONSTRAINT announced_study_pkey PRIMARY KEY (id),
  CONSTRAINT announced_study_trust_ods_study_instance_uid_key UNIQUE (trust_ods, study_instance_uid),
  CONSTRAINT announced_study_trust_ods_fkey FOREIGN KEY(trust_ods) REFERENCES trust (ods_code)
);
COMMENT ON TABLE announced_study IS 'A study that a source spoke of, come or not; forced row-level security.';
COMMENT ON COLUMN announced_study.accession_number IS 'As a step or the source itself states it.';
COMMENT ON COLUMN announced_study.available_instances IS 'The most that a notice named as available.';
COMMENT ON COLUMN announced_study.available_whole IS 'Whether that notice named nothing as not available.';
COMMENT ON COLUMN announced_study.expected_instances IS 'What the source answered when asked; null: it tells no count.';
COMMENT ON COLUMN announced_study.answered_at IS 'When the source last answered.';
COMMENT ON COLUMN announced_study.ask_again_at IS 'Not asked about before then.';
CREATE TABLE performed_step (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  trust_ods TEXT NOT NULL,
  step_digest UUID NOT NULL,
  source_ae_title TEXT NOT NULL,
  create_digest UUID,
  set_digests UUID[] DEFAULT '{}' NOT NULL,
  status TEXT NOT NULL,
  discontinuation_reason TEXT,
  ended_at TIMESTAMP WITH TIME ZONE,
  ended_as_sent TEXT,
  ended_zone TEXT,
  ended_fold SMALLINT,
  ended_source TEXT,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT radpool_now() NOT NULL,
  CONSTRAINT performed_step_pkey PRIMARY KEY (id),
  CONSTRAINT performed_step_status_check CHECK (status IN ('IN PROGRESS', 'COMPLETED', 'DISCONTINUED')),
  CONSTRAINT performed_step_trust_ods_step_digest_key UNIQUE (trust_ods, step_digest),
  CONSTRAINT performed_step_trust_ods_fkey FOREIGN KEY(trust_ods) REFERENCES trust (ods_code),
  CONSTRAINT performed_step_source_ae_title_fkey FOREIGN KEY(source_ae_title) REFERENCES source (ae_title)
);
COMMENT ON TABLE performed_step IS 'A performed procedure step (MPPS), by a digest of its UID.';
COMMENT ON COLUMN performed_step.create_digest IS 'What its N-CREATE said; null while none has come.';
COMMENT ON COLUMN performed_step.discontinuation_reason IS 'Code and scheme, no words.';
CREATE TABLE performed_series (
  step_id BIGINT NOT NULL,
  series_digest UUID NOT NULL,
  instances INTEGER NOT NULL,
  CONSTRAINT performed_series_pkey PRIMARY KEY (step_id, series_digest),
  CONSTRAINT performed_series_step_id_fkey FOREIGN KEY(step_id) REFERENCES performed_step (id)
);
COMMENT ON TABLE performed_series IS 'How many objects of each series a step says that it made.';
CREATE TABLE performed_step_study (
  step_id BIGINT NOT NULL,
  announced_study_id BIGINT NOT NULL,
  CONSTRAINT performed_step_study_pkey PRIMARY KEY (step_id, announced_study_id),
  CONSTRAINT performed_step_study_step_id_fkey FOREIGN KEY(step_id) REFERENCES performed_step (id),
  CONSTRAINT performed_step_study_announced_study_id_fkey FOREIGN KEY(announced_study_id) REFERENCES announced_study (id)
);
COMMENT ON TABLE performed_step_study IS 'Steps and studies are many to many.';
CREATE INDEX performed_step_study_study_idx ON performed_step_study (announced_study_id);
CREATE TABLE forced_completion (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  trust_ods TEXT NOT NULL,
  item_id BIGINT NOT NULL,
  actor TEXT NOT NULL,
  reason TEXT NOT NULL,
  note TEXT,
  at TIMESTAMP WITH TIME ZONE DEFAULT radpool_now() NOT NULL,
  CONSTRAINT forced_completion_pkey PRIMARY KEY (id),
  CONSTRAINT forced_completion_trust_ods_fkey FOREIGN KEY(trust_ods) REFERENCES trust (ods_code),
  CONSTRAINT forced_completion_item_id_fkey FOREIGN KEY(item_id) REFERENCES item (id)
);
COMMENT ON TABLE forced_completion IS 'That a person said of an item that its images are complete.';
COMMENT ON COLUMN forced_completion.note IS 'Free words may name people: row-level security is forced.';
CREATE INDEX forced_completion_item_idx ON forced_completion (item_id);

-- Studies that were judged before are judged again when more of them comes.
ALTER TABLE study ADD COLUMN judge_at_instances INTEGER, ADD COLUMN look_at TIMESTAMP WITH TIME ZONE,
  ADD COLUMN completed_by TEXT;
UPDATE study SET judge_at_instances = instance_count + 1, completed_by = 'quiet-period' WHERE completed_at IS NOT NULL;
UPDATE study SET judge_at_instances = instance_count WHERE completed_at IS NULL;
ALTER TABLE study ALTER COLUMN judge_at_instances SET DEFAULT 1;
DROP INDEX study_quiet_idx;
CREATE INDEX study_counted_idx ON study (id) WHERE instance_count >= judge_at_instances;
CREATE INDEX study_quiet_idx ON study (greatest(quiet_until, look_at)) WHERE quiet_until IS NOT NULL;

ALTER TABLE item ADD COLUMN arriving BOOLEAN DEFAULT false NOT NULL, ADD COLUMN completed_by TEXT;
ALTER TABLE worklist_exception ADD COLUMN announced_study_id BIGINT,
  ADD CONSTRAINT worklist_exception_announced_study_id_fkey FOREIGN KEY (announced_study_id)
  REFERENCES announced_study (id);
ALTER TABLE source ADD COLUMN completeness JSONB, ADD COLUMN claim_while_arriving JSONB;

COMMENT ON COLUMN study.quiet_until IS 'Quiet from then on if nothing more comes; null once it is complete.';
COMMENT ON COLUMN study.judge_at_instances IS 'Judged as soon as it has this many objects, quiet or not; null: only when quiet.';
COMMENT ON COLUMN study.look_at IS 'Not judged before, although it is quiet: what its source said is waited for.';
COMMENT ON COLUMN study.completed_by IS 'What made it complete.';
COMMENT ON COLUMN item.arriving IS 'Offered; images still come.';
COMMENT ON COLUMN item.completed_by IS 'What made its last study complete.';
COMMENT ON COLUMN worklist_exception.announced_study_id IS 'Of a study that never came.';
COMMENT ON COLUMN source.completeness IS 'Signals beside the quiet period, and the longest wait for them.';
COMMENT ON COLUMN source.claim_while_arriving IS 'Settings and urgencies; null takes the default.';
