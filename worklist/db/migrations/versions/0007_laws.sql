-- The laws of the exam catalogue's past, of a trust's own words, and what holds from the start. Run by the owner role.

-- What sources called exams may name people -----------------------------------------------------------------
ALTER TABLE exam_as_sent ENABLE ROW LEVEL SECURITY;
ALTER TABLE exam_as_sent FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON exam_as_sent TO radpool_app
  USING (trust_ods = current_trust()) WITH CHECK (trust_ods = current_trust());
CREATE POLICY offered ON exam_as_sent FOR SELECT TO radpool_app USING (offered_to_me(item_id));
CREATE POLICY maintenance ON exam_as_sent TO radpool_owner USING (true) WITH CHECK (true);

ALTER TABLE exam_alias ENABLE ROW LEVEL SECURITY;
ALTER TABLE exam_alias FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON exam_alias TO radpool_app
  USING (trust_ods IS NULL OR trust_ods = current_trust()) WITH CHECK (trust_ods IS NULL OR trust_ods = current_trust());
CREATE POLICY maintenance ON exam_alias TO radpool_owner USING (true) WITH CHECK (true);

-- Work is mapped by the words of every trust, whoever looks: what is read so stays in the process.
CREATE FUNCTION exam_aliases() RETURNS SETOF exam_alias
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS
$$ SELECT * FROM exam_alias ORDER BY id $$;
REVOKE EXECUTE ON FUNCTION exam_aliases() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION exam_aliases() TO radpool_app;

-- A word is closed once and otherwise never changed ---------------------------------------------------------
CREATE FUNCTION close_alias_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND OLD.closed_at IS NULL AND NEW.closed_at IS NOT NULL AND NEW.closed_by IS NOT NULL
     AND NEW.valid_to IS NOT NULL AND
     ROW(NEW.id, NEW.trust_ods, NEW.kind, NEW.value, NEW.exam_code, NEW.valid_from, NEW.opened_at, NEW.opened_by,
         NEW.reason, NEW.exception_id)
     IS NOT DISTINCT FROM
     ROW(OLD.id, OLD.trust_ods, OLD.kind, OLD.value, OLD.exam_code, OLD.valid_from, OLD.opened_at, OLD.opened_by,
         OLD.reason, OLD.exception_id) THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION '% on exam_alias is forbidden: a change closes one row and opens another', TG_OP
    USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER close_only BEFORE UPDATE OR DELETE ON exam_alias FOR EACH ROW EXECUTE FUNCTION close_alias_only();
CREATE TRIGGER append_only BEFORE TRUNCATE ON exam_alias EXECUTE FUNCTION forbid_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON exam_release EXECUTE FUNCTION forbid_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON exam_version EXECUTE FUNCTION forbid_change();

-- Each change of an exam's row has a number, and what it said before is kept ---------------------------------
CREATE FUNCTION number_exam() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.version := OLD.version;
  IF (to_jsonb(NEW) - 'release_id') IS DISTINCT FROM (to_jsonb(OLD) - 'release_id') THEN
    NEW.version := OLD.version + 1;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER numbers_exam BEFORE UPDATE ON exam FOR EACH ROW EXECUTE FUNCTION number_exam();

CREATE FUNCTION keep_exam_version() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  INSERT INTO exam_version (code, version, stated) VALUES (NEW.code, NEW.version, to_jsonb(NEW))
    ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
CREATE TRIGGER keeps_version AFTER INSERT OR UPDATE ON exam FOR EACH ROW EXECUTE FUNCTION keep_exam_version();
INSERT INTO exam_version (code, version, stated) SELECT code, version, to_jsonb(exam) FROM exam;

-- Minutes are of the rules that work is worked out by --------------------------------------------------------
CREATE TRIGGER renews_rules AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON minutes_rule
  FOR EACH STATEMENT EXECUTE FUNCTION renew_rules_version();
CREATE TRIGGER renews_rules AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON minutes_modifier
  FOR EACH STATEMENT EXECUTE FUNCTION renew_rules_version();

-- What was in force before it was configuration: a proposal that nobody has confirmed.
INSERT INTO minutes_modifier (kind, percent, source, valid_from) VALUES
  ('further-exam', 60, 'proposed default; in force before modifiers were configuration', '1900-01-01'),
  ('check', 50, 'proposed default; in force before modifiers were configuration', '1900-01-01');

-- What the application may do --------------------------------------------------------------------------------
REVOKE UPDATE, DELETE ON exam_alias FROM radpool_app;
GRANT UPDATE (valid_to, closed_at, closed_by) ON exam_alias TO radpool_app;
REVOKE DELETE ON exam FROM radpool_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON
  exam_as_sent, minutes_rule, minutes_modifier, item_to_work_out TO radpool_app;
GRANT SELECT, INSERT ON exam_release TO radpool_app;
GRANT SELECT ON exam_version TO radpool_app;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO radpool_app;
