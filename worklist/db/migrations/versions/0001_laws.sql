-- Functions, triggers, row-level security and grants of the first schema. Run by the owner role after the
-- tables exist; the roles radpool_owner and radpool_app exist before.

-- Whose rows a transaction may see -----------------------------------------------------------------------
CREATE FUNCTION current_trust() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT nullif(current_setting('radpool.trust', true), '') $$;

CREATE FUNCTION current_reporter() RETURNS integer LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT nullif(current_setting('radpool.reporter', true), '')::integer $$;

CREATE FUNCTION network_wide() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT coalesce(current_setting('radpool.network', true), '') = 'on' $$;

-- Names are qualified: this runs with the caller's search path, where a temporary table would stand first.
CREATE FUNCTION offered_to_me(item bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT public.current_reporter() IS NOT NULL AND (
    EXISTS (SELECT FROM public.claim c WHERE c.item_id = item AND c.reporter_id = public.current_reporter()
            AND (c.ended_at IS NULL OR c.end_reason = 'reported'))
    OR EXISTS (SELECT FROM public.assignment a WHERE a.item_id = item AND a.reporter_id = public.current_reporter()
               AND a.valid_until > public.radpool_now()))
$$;

-- What is one's own may be written; what is offered, or seen network-wide, may only be read.
ALTER TABLE patient ENABLE ROW LEVEL SECURITY;
ALTER TABLE patient FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON patient TO radpool_app
  USING (trust_ods = current_trust()) WITH CHECK (trust_ods = current_trust());
CREATE POLICY offered ON patient FOR SELECT TO radpool_app
  USING (current_reporter() IS NOT NULL
         AND EXISTS (SELECT FROM public.item i WHERE i.patient_id = patient.id AND offered_to_me(i.id)));
CREATE POLICY maintenance ON patient TO radpool_owner USING (true) WITH CHECK (true);

ALTER TABLE order_identity ENABLE ROW LEVEL SECURITY;
ALTER TABLE order_identity FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON order_identity TO radpool_app
  USING (trust_ods = current_trust()) WITH CHECK (trust_ods = current_trust());
CREATE POLICY offered ON order_identity FOR SELECT TO radpool_app USING (network_wide() OR offered_to_me(item_id));
CREATE POLICY maintenance ON order_identity TO radpool_owner USING (true) WITH CHECK (true);

ALTER TABLE item_order ENABLE ROW LEVEL SECURITY;
ALTER TABLE item_order FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON item_order TO radpool_app
  USING (trust_ods = current_trust()) WITH CHECK (trust_ods = current_trust());
CREATE POLICY offered ON item_order FOR SELECT TO radpool_app USING (offered_to_me(item_id));
CREATE POLICY maintenance ON item_order TO radpool_owner USING (true) WITH CHECK (true);

ALTER TABLE study_identity ENABLE ROW LEVEL SECURITY;
ALTER TABLE study_identity FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON study_identity TO radpool_app
  USING (trust_ods = current_trust()) WITH CHECK (trust_ods = current_trust());
CREATE POLICY offered ON study_identity FOR SELECT TO radpool_app
  USING (network_wide()
         OR (current_reporter() IS NOT NULL
             AND EXISTS (SELECT FROM public.item_study s
                         WHERE s.study_id = study_identity.study_id AND offered_to_me(s.item_id))));
CREATE POLICY maintenance ON study_identity TO radpool_owner USING (true) WITH CHECK (true);

ALTER TABLE report_text ENABLE ROW LEVEL SECURITY;
ALTER TABLE report_text FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON report_text TO radpool_app
  USING (trust_ods = current_trust()) WITH CHECK (trust_ods = current_trust());
CREATE POLICY offered ON report_text FOR SELECT TO radpool_app USING (offered_to_me(item_id));
CREATE POLICY maintenance ON report_text TO radpool_owner USING (true) WITH CHECK (true);

-- Which trust owns a study UID, without showing the study: a UID has one owner, the performer.
CREATE FUNCTION study_owner(uid text) RETURNS TABLE (study_id bigint, trust_ods text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS
$$ SELECT s.study_id, s.trust_ods FROM study_identity s WHERE s.study_instance_uid = uid $$;

-- What is appended is never changed -----------------------------------------------------------------------
CREATE FUNCTION forbid_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% on % is forbidden: rows are appended, a correction is a new row', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON event FOR EACH ROW EXECUTE FUNCTION forbid_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON event_position EXECUTE FUNCTION forbid_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON pay_line EXECUTE FUNCTION forbid_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON rate_card EXECUTE FUNCTION forbid_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tariff EXECUTE FUNCTION forbid_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON rate_window EXECUTE FUNCTION forbid_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON exam_group EXECUTE FUNCTION forbid_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON profile EXECUTE FUNCTION forbid_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON config_version EXECUTE FUNCTION forbid_change();

-- Retention may empty a payload; nothing else of an audit entry ever changes.
CREATE FUNCTION audit.only_payload_may_go() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND NEW.payload IS NULL AND
     ROW(NEW.lane, NEW.sequence, NEW.at, NEW.actor, NEW.action, NEW.items, NEW.payload_digest, NEW.link)
     IS NOT DISTINCT FROM
     ROW(OLD.lane, OLD.sequence, OLD.at, OLD.actor, OLD.action, OLD.items, OLD.payload_digest, OLD.link) THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION '% on audit.entry is forbidden: the audit is appended', TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit.entry
  FOR EACH ROW EXECUTE FUNCTION audit.only_payload_may_go();

-- The audit chains ----------------------------------------------------------------------------------------
ALTER TABLE audit.lane SET (fillfactor = 10);
INSERT INTO audit.lane (lane, entries, head)
  SELECT n, 0, sha256(convert_to('radpool audit lane ' || n, 'UTF8')) FROM generate_series(0, 63) n;

-- The actor's length stands before it, so that no text can move between actor and action unseen.
CREATE FUNCTION audit.link_of(previous bytea, lane smallint, sequence bigint, at timestamptz, actor text, action text,
                              items bigint[], payload_digest bytea) RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT sha256(previous || convert_to(concat_ws(E'\x1f', lane, sequence, (extract(epoch FROM at) * 1000000)::bigint,
                length(actor), actor, action, array_to_string(items, ',')), 'UTF8') || payload_digest)
$$;

-- Appends one entry to a lane that no other transaction holds, so that writers do not queue behind each other.
-- To be called last in the act's transaction: the lane stays locked until its commit. A transaction that appends
-- again stays in its lane, so that nobody ever holds one lane and waits for another. Relations and types are named
-- with their schema, so that a caller's temporary ones cannot stand before them; SET search_path would do the same,
-- but costs each call as much as all its statements. (link_of is not IMMUTABLE so that it is inlined here.)
CREATE FUNCTION audit.append(actor text, action text, items bigint[], payload text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
  free audit.lane;
  start pg_catalog.int2 := floor(random() * 64);
  mine pg_catalog.int2 := nullif(current_setting('radpool.audit_lane', true), '');
  moment pg_catalog.timestamptz := public.radpool_now();
  digest pg_catalog.bytea := sha256(convert_to(payload, 'UTF8'));
  new_link pg_catalog.bytea;
BEGIN
  IF mine IS NOT NULL THEN
    SELECT * INTO free FROM audit.lane l WHERE l.lane = mine FOR UPDATE;
  END IF;
  IF NOT FOUND THEN
    SELECT * INTO free FROM audit.lane l WHERE l.lane >= start ORDER BY l.lane LIMIT 1 FOR UPDATE SKIP LOCKED;
  END IF;
  IF NOT FOUND THEN
    SELECT * INTO free FROM audit.lane l ORDER BY l.lane LIMIT 1 FOR UPDATE SKIP LOCKED;
  END IF;
  IF NOT FOUND THEN
    SELECT * INTO free FROM audit.lane l WHERE l.lane = start FOR UPDATE;
  END IF;
  mine := set_config('radpool.audit_lane', free.lane::pg_catalog.text, true);
  new_link := audit.link_of(free.head, free.lane, free.entries + 1, moment, actor, action, items, digest);
  INSERT INTO audit.entry (lane, sequence, at, actor, action, items, payload, payload_digest, link)
    VALUES (free.lane, free.entries + 1, moment, actor, action, items, payload, digest, new_link);
  UPDATE audit.lane l SET entries = free.entries + 1, head = new_link WHERE l.lane = free.lane;
END $$;

-- Month partitions ----------------------------------------------------------------------------------------
CREATE TABLE event_default PARTITION OF event DEFAULT;
CREATE TABLE audit.entry_default PARTITION OF audit.entry DEFAULT;

-- A month whose rows lie in the default partition already (the clock was moved) keeps them there.
CREATE FUNCTION ensure_month_partitions(months_ahead integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, audit, pg_temp SET timezone = 'UTC' AS $$
DECLARE
  made integer := 0;
  first timestamptz;
  following timestamptz;
  name text;
BEGIN
  PERFORM pg_advisory_xact_lock(7223002);
  FOR n IN 0..months_ahead LOOP
    first := date_trunc('month', radpool_now(), 'UTC') + make_interval(months => n);
    following := first + interval '1 month';
    name := to_char(first AT TIME ZONE 'UTC', '"_"YYYY"_"MM');
    IF to_regclass('public.event' || name) IS NULL
       AND NOT EXISTS (SELECT FROM public.event_default e WHERE e.at >= first AND e.at < following) THEN
      EXECUTE format('CREATE TABLE public.%I PARTITION OF public.event FOR VALUES FROM (%L) TO (%L)',
                     'event' || name, first, following);
      made := made + 1;
    END IF;
    IF to_regclass('audit.entry' || name) IS NULL
       AND NOT EXISTS (SELECT FROM audit.entry_default e WHERE e.at >= first AND e.at < following) THEN
      EXECUTE format('CREATE TABLE audit.%I PARTITION OF audit.entry FOR VALUES FROM (%L) TO (%L)',
                     'entry' || name, first, following);
      made := made + 1;
    END IF;
  END LOOP;
  RETURN made;
END $$;

INSERT INTO test_clock (enabled, moved_by) VALUES (false, interval '0');
INSERT INTO sequencer_mark (settled_event_id, candidate_event_id, candidate_horizon) VALUES (0, 0, 0);
SELECT ensure_month_partitions(2);

-- What the application may do -----------------------------------------------------------------------------
GRANT USAGE ON SCHEMA public, audit TO radpool_app;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO radpool_app;
GRANT SELECT ON audit.lane, audit.entry TO radpool_app;
GRANT INSERT, UPDATE, DELETE ON
  trust, source, ris, exam, exam_alias, target_rule, patient, study, study_identity, series, instance, item,
  order_identity, item_order, item_exam, item_study, worklist_exception, reading, reporter, registration, engagement,
  entitlement, scope_of_practice, scope_grant, reporting_session, reporter_profile, reporter_trust, profile_indexed, reporter_indexed, claim,
  assignment, plan_run, item_exclusion, report, report_text, consumer_checkpoint, parked_event,
  idempotency_key, app_user, api_token, outsource_price, held_pay
  TO radpool_app;
GRANT INSERT ON config_version, exam_group, profile, profile_cut, event, event_position, rate_card, tariff, rate_window, pay_line
  TO radpool_app;
GRANT UPDATE ON sequencer_mark TO radpool_app;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO radpool_app;
REVOKE EXECUTE ON FUNCTION audit.append(text, text, bigint[], text), ensure_month_partitions(integer),
  study_owner(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.append(text, text, bigint[], text), ensure_month_partitions(integer),
  study_owner(text) TO radpool_app;
