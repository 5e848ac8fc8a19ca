-- A small network and some work on every table that there was at revision 0005, as that version wrote them: an order with
-- images, an order alone, and items cancelled, arriving, claimed, preliminary, verified, added to, reported at home, and not
-- mapped. All of it is synthetic.
INSERT INTO trust (ods_code, name) VALUES
  ('RXA', 'Alder Vale (synthetic)'),
  ('RXB', 'Birch Moor (synthetic)');
INSERT INTO announced_study (id, trust_ods, study_instance_uid, accession_number, available_instances, available_whole, expected_instances, answered_at, times_asked, ask_again_at, first_heard_at) OVERRIDING SYSTEM VALUE VALUES
  (1, 'RXA', '2.25.9', '000200', NULL, NULL, 2, NULL, 0, NULL, '2026-06-10 10:00:05.305672+00');
INSERT INTO reporter (id, code, name, profession, grade, subspecialties, suspended_at) OVERRIDING SYSTEM VALUE VALUES
  (1, 'reed', 'Dr Ruth Reed', 'radiologist', 'consultant', '{"neuro": 4}', NULL),
  (2, 'hart', 'Hana Hart', 'radiographer', 'advanced', '{}', NULL),
  (3, 'cole', 'Casey Cole', 'radiographer', 'reporting', '{}', NULL),
  (4, 'tran', 'Dr Thuy Tran', 'radiologist', 'trainee', '{}', NULL);
INSERT INTO app_user (id, name, roles, trust_ods, reporter_id, created_at, disabled_at) OVERRIDING SYSTEM VALUE VALUES
  (1, 'pat', '{pacs_manager}', 'RXA', NULL, '2026-06-10 10:00:05.280594+00', NULL);
INSERT INTO api_token (id, user_id, token_digest, created_at, expires_at, revoked_at) OVERRIDING SYSTEM VALUE VALUES
  (1, 1, '\x646967657374', '2026-06-10 10:00:05.286432+00', '2026-06-11 10:00:05.286432+00', NULL);
INSERT INTO engagement (id, code, reporter_id, payer, kind, assignment_number, band, whole_time_equivalent, valid_from, valid_until) OVERRIDING SYSTEM VALUE VALUES
  (1, 'reed-rxa', 1, 'RXA', 'substantive', 'A-1', NULL, NULL, '2020-01-01', NULL),
  (2, 'hart-rxa', 2, 'RXA', 'substantive', 'A-2', '7', NULL, '2020-01-01', NULL),
  (3, 'cole-rxa', 3, 'RXA', 'substantive', 'A-3', '7', NULL, '2020-01-01', NULL),
  (4, 'tran-rxb', 4, 'RXB', 'substantive', 'B-4', NULL, NULL, '2020-01-01', NULL);
INSERT INTO patient (id, trust_ods, issuer, identifier, nhs_number, nhs_number_status, family_name, given_name, name_key, birth_date, sex, updated_at, stated_by_ris) OVERRIDING SYSTEM VALUE VALUES
  (1, 'RXA', 'RXA', 'H100', '9990000018', 'present-untraced', 'Test', 'Tilda', 'TEST^TILDA', '1980-06-11', 'F', '2026-06-10 10:00:00.286997+00', '{birth_date,family_name,given_name,name_key,nhs_number,nhs_number_status,sex}'),
  (3, 'RXA', 'RXA', 'H200', NULL, 'not-sent', 'Only', 'Tilda', 'ONLY^TILDA', '1980-06-11', 'F', '2026-06-10 10:00:01.746628+00', '{birth_date,family_name,given_name,name_key,sex}'),
  (4, 'RXA', 'RXA', 'H300', '9990000018', 'present-untraced', 'Test', 'Tilda', 'TEST^TILDA', '1980-06-11', 'F', '2026-06-10 10:00:01.793036+00', '{birth_date,family_name,given_name,name_key,nhs_number,nhs_number_status,sex}'),
  (5, 'RXA', 'RXA', 'H400', '9990000018', 'present-untraced', 'Test', 'Tilda', 'TEST^TILDA', '1980-06-11', 'F', '2026-06-10 10:00:01.84245+00', '{birth_date,family_name,given_name,name_key,nhs_number,nhs_number_status,sex}'),
  (6, 'RXA', 'TEST', 'P-Verified', NULL, 'not-sent', 'Verified', 'Sam', 'VERIFIED^SAM', '1970-01-01', 'O', '2026-06-10 10:00:01.988238+00', '{}'),
  (7, 'RXA', 'TEST', 'P-Prelim', NULL, 'not-sent', 'Prelim', 'Sam', 'PRELIM^SAM', '1970-01-01', 'O', '2026-06-10 10:00:02.450732+00', '{}'),
  (8, 'RXA', 'TEST', 'P-Added', NULL, 'not-sent', 'Added', 'Sam', 'ADDED^SAM', '1970-01-01', 'O', '2026-06-10 10:00:02.75783+00', '{}'),
  (9, 'RXA', 'TEST', 'P-Claimed', NULL, 'not-sent', 'Claimed', 'Sam', 'CLAIMED^SAM', '1970-01-01', 'O', '2026-06-10 10:00:03.51538+00', '{}'),
  (10, 'RXB', 'TEST', 'P-Unmapped', NULL, 'not-sent', 'Unmapped', 'Sam', 'UNMAPPED^SAM', '1970-01-01', 'O', '2026-06-10 10:00:03.944456+00', '{}'),
  (11, 'RXB', 'TEST', 'P-Ready', NULL, 'not-sent', 'Ready', 'Sam', 'READY^SAM', '1970-01-01', 'O', '2026-06-10 10:00:04.45696+00', '{}'),
  (12, 'RXA', 'TEST', 'P-Arriving', NULL, 'not-sent', 'Arriving', 'Sam', 'ARRIVING^SAM', '1970-01-01', 'O', '2026-06-10 10:00:04.725529+00', '{}');
INSERT INTO profile (id, key, exam_groups, unmapped, age_from, age_to, setting, flags, ionising, created_at) OVERRIDING SYSTEM VALUE VALUES
  (1, 'exams=3|age=18-|setting=emergency|flags=', '{3}', false, 18, NULL, 'emergency', '{}', true, '2026-06-10 10:00:01.632558+00'),
  (2, 'exams=4|age=18-|setting=gp|flags=', '{4}', false, 18, NULL, 'gp', '{}', true, '2026-06-10 10:00:02.063739+00'),
  (3, 'exams=+unmapped|age=18-|setting=gp|flags=', '{}', true, 18, NULL, 'gp', '{}', true, '2026-06-10 10:00:04.08997+00');
INSERT INTO item (id, trust_ods, patient_id, state, version, modality, age_years, exam_date, setting, urgency, flags, clock_start_at, clock_start_source, due_at, hard_limit_at, target_rule, reporting_minutes, profile_id, created_at, ready_at, reported_at, arriving, completed_by) OVERRIDING SYSTEM VALUE VALUES
  (1, 'RXA', 1, 'ready', 3, 'XR', 45, '2026-06-10', 'emergency', 'emergency', '{}', '2026-06-10 08:00:00+00', 'AcquisitionDateTime', '2026-06-10 09:00:00+00', '2026-06-10 20:00:00+00', 'emergency', 2.00, 1, '2026-06-10 10:00:00.306832+00', '2026-06-10 10:00:01.674193+00', NULL, false, 'quiet-period'),
  (2, 'RXA', 3, 'ordered', 1, NULL, NULL, NULL, NULL, NULL, '{}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-06-10 10:00:01.747778+00', NULL, NULL, false, NULL),
  (3, 'RXA', 4, 'reported_elsewhere', 2, NULL, NULL, NULL, NULL, NULL, '{}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-06-10 10:00:01.794303+00', NULL, '2026-06-10 09:30:00+00', false, NULL),
  (4, 'RXA', 5, 'cancelled', 2, NULL, NULL, NULL, NULL, NULL, '{}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-06-10 10:00:01.848421+00', NULL, NULL, false, NULL),
  (5, 'RXA', 6, 'verified', 4, 'XR', 56, '2026-06-10', 'gp', 'routine', '{}', '2026-06-10 09:00:00+00', 'AcquisitionDateTime', '2026-06-24 09:00:00+00', '2026-07-08 09:00:00+00', 'routine', 1.50, 2, '2026-06-10 10:00:01.998592+00', '2026-06-10 10:00:02.078936+00', '2026-06-10 10:00:02.378556+00', false, 'quiet-period'),
  (6, 'RXA', 7, 'preliminary', 4, 'XR', 56, '2026-06-10', 'gp', 'routine', '{}', '2026-06-10 09:00:00+00', 'AcquisitionDateTime', '2026-06-24 09:00:00+00', '2026-07-08 09:00:00+00', 'routine', 1.50, 2, '2026-06-10 10:00:02.460436+00', '2026-06-10 10:00:02.551309+00', NULL, false, 'quiet-period'),
  (7, 'RXA', 8, 'addendum', 5, 'XR', 56, '2026-06-10', 'gp', 'routine', '{}', '2026-06-10 09:00:00+00', 'AcquisitionDateTime', '2026-06-24 09:00:00+00', '2026-07-08 09:00:00+00', 'routine', 1.50, 2, '2026-06-10 10:00:02.765254+00', '2026-06-10 10:00:02.900788+00', '2026-06-10 10:00:03.241455+00', false, 'quiet-period'),
  (8, 'RXA', 9, 'in_progress', 3, 'XR', 56, '2026-06-10', 'gp', 'routine', '{}', '2026-06-10 09:00:00+00', 'AcquisitionDateTime', '2026-06-24 09:00:00+00', '2026-07-08 09:00:00+00', 'routine', 1.50, 2, '2026-06-10 10:00:03.52606+00', '2026-06-10 10:00:03.656072+00', NULL, false, 'quiet-period'),
  (9, 'RXB', 10, 'ready', 2, 'XR', 56, '2026-06-10', 'gp', 'routine', '{}', '2026-06-10 09:00:00+00', 'AcquisitionDateTime', '2026-06-24 09:00:00+00', '2026-07-08 09:00:00+00', 'routine', 15.00, 3, '2026-06-10 10:00:03.959241+00', '2026-06-10 10:00:04.285981+00', NULL, false, 'quiet-period'),
  (10, 'RXB', 11, 'ready', 2, 'XR', 56, '2026-06-10', 'gp', 'routine', '{}', '2026-06-10 09:00:00+00', 'AcquisitionDateTime', '2026-06-24 09:00:00+00', '2026-07-08 09:00:00+00', 'routine', 1.50, 2, '2026-06-10 10:00:04.474889+00', '2026-06-10 10:00:04.598441+00', NULL, false, 'quiet-period'),
  (11, 'RXA', 12, 'arriving', 1, NULL, NULL, NULL, NULL, NULL, '{}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-06-10 10:00:04.734627+00', NULL, NULL, false, NULL);
INSERT INTO reading (id, item_id, purpose, state, trust_ods, profile_id, due_at, reporting_minutes, free_from, token, for_radiologist) OVERRIDING SYSTEM VALUE VALUES
  (1, 1, 'first', 'open', 'RXA', 1, '2026-06-10 09:00:00+00', 2.00, '2026-06-10 10:00:01.714422+00', 0, false),
  (2, 5, 'first', 'done', 'RXA', 2, '2026-06-24 09:00:00+00', 1.50, '2026-06-10 10:15:02.260083+00', 1, false),
  (3, 6, 'first', 'open', 'RXA', 2, '2026-06-24 09:00:00+00', 1.50, '2026-06-10 10:15:02.631183+00', 1, false),
  (4, 7, 'first', 'done', 'RXA', 2, '2026-06-24 09:00:00+00', 1.50, '2026-06-10 10:15:03.011274+00', 1, false),
  (5, 8, 'first', 'open', 'RXA', 2, '2026-06-24 09:00:00+00', 1.50, '2026-06-10 10:15:03.753126+00', 1, false),
  (6, 9, 'first', 'open', 'RXB', 3, '2026-06-24 09:00:00+00', 15.00, '2026-06-10 10:00:04.326269+00', 0, false),
  (7, 10, 'first', 'open', 'RXB', 2, '2026-06-24 09:00:00+00', 1.50, '2026-06-10 10:00:04.618285+00', 0, false);
INSERT INTO reporting_session (id, code, reporter_id, engagement_id, kind, starts_at, ends_at, location, trusts, modalities, outside_job_plan_attested, cancelled_at) OVERRIDING SYSTEM VALUE VALUES
  (1, 'reed-planned', 1, 1, 'job_planned', '2026-06-10 08:00:00+00', '2026-06-10 16:00:00+00', 'site', NULL, NULL, false, NULL),
  (3, 'tran-planned', 4, 4, 'job_planned', '2026-06-10 08:00:00+00', '2026-06-10 12:00:00+00', 'site', NULL, NULL, false, NULL),
  (2, 'hart-insourced', 2, 2, 'insourced', '2026-06-10 09:00:00+00', '2026-06-10 13:00:00+00', 'site', NULL, NULL, true, '2026-06-10 10:00:01.916572+00'),
  (4, 'S-HART', 2, 2, 'insourced', '2026-06-10 10:00:00+00', '2026-06-10 14:00:00+00', 'home', NULL, NULL, true, NULL);
INSERT INTO assignment (reading_id, item_id, reporter_id, session_id, rank, valid_until, why, assigned_at) VALUES
  (1, 1, 1, 1, 1, '2026-06-10 16:00:00+00', 'within your scope; 3 in the network may read it; job-planned session', '2026-06-10 10:00:05.029667+00'),
  (6, 9, 1, 1, 2, '2026-06-10 16:00:00+00', 'within your scope; 1 in the network may read it; job-planned session', '2026-06-10 10:00:05.030345+00'),
  (7, 10, 1, 1, 3, '2026-06-10 16:00:00+00', 'within your scope; 3 in the network may read it; job-planned session', '2026-06-10 10:00:05.030587+00');
INSERT INTO claim (id, reading_id, item_id, reporter_id, session_id, token, claimed_at, expires_at, ended_at, end_reason, end_detail) OVERRIDING SYSTEM VALUE VALUES
  (1, 2, 5, 2, 4, 1, '2026-06-10 10:00:02.260083+00', '2026-06-10 10:15:02.260083+00', '2026-06-10 10:00:02.348379+00', 'reported', NULL),
  (2, 3, 6, 2, 4, 1, '2026-06-10 10:00:02.631183+00', '2026-06-10 10:15:02.631183+00', NULL, NULL, NULL),
  (3, 4, 7, 2, NULL, 1, '2026-06-10 10:00:03.011274+00', '2026-06-10 10:15:03.011274+00', '2026-06-10 10:00:03.19322+00', 'reported', NULL),
  (4, 5, 8, 2, 4, 1, '2026-06-10 10:00:03.753126+00', '2026-06-10 10:15:03.753126+00', NULL, NULL, NULL);
INSERT INTO config_version (id, imported_at, imported_by, file_name, sha256, document) OVERRIDING SYSTEM VALUE VALUES
  (1, '2026-06-10 10:00:00.587565+00', 'test', 'network.toml', '283f560ac899f352cfc5120fe561885c937619b10df5f87c1b3ab6660521b281', '{}');
INSERT INTO consumer_checkpoint (consumer, "position", moved_at) VALUES
  ('pay', 32, '2026-06-10 10:00:04.881764+00');
INSERT INTO entitlement (id, reporter_id, trust_ods, basis, operator, system_access, valid_from, valid_until, signatory) OVERRIDING SYSTEM VALUE VALUES
  (1, 1, 'RXA', 'own_employer', true, true, '2020-01-01', '2030-12-31', 'Medical director'),
  (2, 1, 'RXB', 'mutual_recognition', true, true, '2020-01-01', '2030-12-31', 'Medical director'),
  (3, 2, 'RXA', 'own_employer', true, true, '2020-01-01', '2030-12-31', 'Head of imaging'),
  (4, 2, 'RXB', 'staff_passport', true, true, '2020-01-01', '2030-12-31', 'Head of imaging'),
  (5, 3, 'RXA', 'own_employer', true, true, '2020-01-01', '2030-12-31', 'Head of imaging'),
  (6, 4, 'RXA', 'mutual_recognition', true, true, '2020-01-01', '2030-12-31', 'Medical director'),
  (7, 4, 'RXB', 'own_employer', true, true, '2020-01-01', '2030-12-31', 'Medical director');
INSERT INTO event (transaction, id, at, kind, schema_version, trust_ods, item_id, item_version, reading_id, dimensions) OVERRIDING SYSTEM VALUE VALUES
  ('766', 1, '2026-06-10 10:00:00.962094+00', 'configuration.imported', 1, NULL, NULL, NULL, NULL, '{"rows": {"ris": 2, "exam": 5, "scope": 5, "trust": 2, "source": 2, "target": 3, "session": 3, "reporter": 4, "rate_card": 1, "outsource_price": 2}}'),
  ('772', 2, '2026-06-10 10:00:00.316812+00', 'item.opened', 1, 'RXA', 1, 1, NULL, '{"state": "ordered", "due_at": null, "minutes": null, "setting": null, "urgency": null, "arriving": false, "modality": null, "clock_start_at": null}'),
  ('772', 3, '2026-06-10 10:00:00.472403+00', 'item.order-taken', 1, 'RXA', 1, 1, NULL, '{"state": "ordered", "due_at": null, "control": "new", "minutes": null, "setting": null, "urgency": null, "arriving": false, "modality": null, "clock_start_at": null}'),
  ('773', 4, '2026-06-10 10:00:00.635321+00', 'item.images-arrived', 1, 'RXA', 1, 2, NULL, '{"state": "arriving", "due_at": null, "minutes": null, "setting": null, "urgency": null, "arriving": true, "modality": null, "clock_start_at": null}'),
  ('775', 5, '2026-06-10 10:00:01.679501+00', 'item.completed', 1, 'RXA', 1, 3, NULL, '{"state": "ready", "due_at": "2026-06-10T09:00:00+00:00", "minutes": 2.0, "setting": "emergency", "urgency": "emergency", "arriving": false, "modality": "XR", "completed_by": "quiet-period", "clock_start_at": "2026-06-10T08:00:00+00:00"}'),
  ('776', 6, '2026-06-10 10:00:01.757342+00', 'item.opened', 1, 'RXA', 2, 1, NULL, '{"state": "ordered", "due_at": null, "minutes": null, "setting": null, "urgency": null, "arriving": false, "modality": null, "clock_start_at": null}'),
  ('776', 7, '2026-06-10 10:00:01.780569+00', 'item.order-taken', 1, 'RXA', 2, 1, NULL, '{"state": "ordered", "due_at": null, "control": "new", "minutes": null, "setting": null, "urgency": null, "arriving": false, "modality": null, "clock_start_at": null}'),
  ('777', 8, '2026-06-10 10:00:01.795962+00', 'item.opened', 1, 'RXA', 3, 1, NULL, '{"state": "ordered", "due_at": null, "minutes": null, "setting": null, "urgency": null, "arriving": false, "modality": null, "clock_start_at": null}'),
  ('777', 9, '2026-06-10 10:00:01.824504+00', 'item.reported-at-home', 1, 'RXA', 3, 2, NULL, '{"fold": 0, "zone": "+0000", "state": "reported_elsewhere", "due_at": null, "minutes": null, "setting": null, "urgency": null, "arriving": false, "modality": null, "claims_ended": [], "clock_start_at": null, "reported_at_source": "OBR-22", "reported_at_as_sent": "202606100930"}'),
  ('778', 10, '2026-06-10 10:00:01.856417+00', 'item.opened', 1, 'RXA', 4, 1, NULL, '{"state": "ordered", "due_at": null, "minutes": null, "setting": null, "urgency": null, "arriving": false, "modality": null, "clock_start_at": null}'),
  ('778', 11, '2026-06-10 10:00:01.888299+00', 'item.cancelled', 1, 'RXA', 4, 2, NULL, '{"by": "home_ris", "state": "cancelled", "due_at": null, "minutes": null, "setting": null, "urgency": null, "arriving": false, "modality": null, "claims_ended": [], "clock_start_at": null}'),
  ('780', 12, '2026-06-10 10:00:02.003322+00', 'item.opened', 1, 'RXA', 5, 1, NULL, '{"state": "arriving", "due_at": null, "minutes": null, "setting": null, "urgency": null, "arriving": true, "modality": null, "clock_start_at": null}'),
  ('782', 13, '2026-06-10 10:00:02.085077+00', 'item.completed', 1, 'RXA', 5, 2, NULL, '{"state": "ready", "due_at": "2026-06-24T09:00:00+00:00", "minutes": 1.5, "setting": "gp", "urgency": "routine", "arriving": false, "modality": "XR", "completed_by": "quiet-period", "clock_start_at": "2026-06-10T09:00:00+00:00"}'),
  ('783', 14, '2026-06-10 10:00:02.279707+00', 'item.claimed', 1, 'RXA', 5, 3, 2, '{"claim": 1, "state": "in_progress", "due_at": "2026-06-24T09:00:00+00:00", "minutes": 1.5, "purpose": "first", "session": 4, "setting": "gp", "urgency": "routine", "arriving": false, "modality": "XR", "reporter": 2, "clock_start_at": "2026-06-10T09:00:00+00:00"}'),
  ('784', 15, '2026-06-10 10:00:02.380763+00', 'item.verified', 1, 'RXA', 5, 4, 2, '{"claim": 1, "state": "verified", "alerts": [], "due_at": "2026-06-24T09:00:00+00:00", "report": 1, "status": "verified", "minutes": 1.5, "payable": {"exams": [["XHANL", "XR", "1.50"]], "session_kind": "insourced", "first_opened_at": "2026-06-10T10:00:02.260083+00:00", "session_ends_at": "2026-06-10T14:00:00+00:00", "session_starts_at": "2026-06-10T10:00:00+00:00"}, "purpose": "first", "session": 4, "setting": "gp", "urgency": "routine", "arriving": false, "modality": "XR", "reporter": 2, "clock_start_at": "2026-06-10T09:00:00+00:00"}'),
  ('785', 16, '2026-06-10 10:00:02.465938+00', 'item.opened', 1, 'RXA', 6, 1, NULL, '{"state": "arriving", "due_at": null, "minutes": null, "setting": null, "urgency": null, "arriving": true, "modality": null, "clock_start_at": null}'),
  ('787', 17, '2026-06-10 10:00:02.556501+00', 'item.completed', 1, 'RXA', 6, 2, NULL, '{"state": "ready", "due_at": "2026-06-24T09:00:00+00:00", "minutes": 1.5, "setting": "gp", "urgency": "routine", "arriving": false, "modality": "XR", "completed_by": "quiet-period", "clock_start_at": "2026-06-10T09:00:00+00:00"}'),
  ('788', 18, '2026-06-10 10:00:02.6524+00', 'item.claimed', 1, 'RXA', 6, 3, 3, '{"claim": 2, "state": "in_progress", "due_at": "2026-06-24T09:00:00+00:00", "minutes": 1.5, "purpose": "first", "session": 4, "setting": "gp", "urgency": "routine", "arriving": false, "modality": "XR", "reporter": 2, "clock_start_at": "2026-06-10T09:00:00+00:00"}'),
  ('789', 19, '2026-06-10 10:00:02.697427+00', 'item.reported-preliminary', 1, 'RXA', 6, 4, 3, '{"claim": 2, "state": "preliminary", "alerts": [], "due_at": "2026-06-24T09:00:00+00:00", "report": 2, "status": "preliminary", "minutes": 1.5, "purpose": "first", "session": 4, "setting": "gp", "urgency": "routine", "arriving": false, "modality": "XR", "reporter": 2, "clock_start_at": "2026-06-10T09:00:00+00:00"}'),
  ('790', 20, '2026-06-10 10:00:02.767023+00', 'item.opened', 1, 'RXA', 7, 1, NULL, '{"state": "arriving", "due_at": null, "minutes": null, "setting": null, "urgency": null, "arriving": true, "modality": null, "clock_start_at": null}'),
  ('792', 21, '2026-06-10 10:00:02.921722+00', 'item.completed', 1, 'RXA', 7, 2, NULL, '{"state": "ready", "due_at": "2026-06-24T09:00:00+00:00", "minutes": 1.5, "setting": "gp", "urgency": "routine", "arriving": false, "modality": "XR", "completed_by": "quiet-period", "clock_start_at": "2026-06-10T09:00:00+00:00"}'),
  ('793', 22, '2026-06-10 10:00:03.02576+00', 'item.claimed', 1, 'RXA', 7, 3, 4, '{"claim": 3, "state": "in_progress", "due_at": "2026-06-24T09:00:00+00:00", "minutes": 1.5, "purpose": "first", "session": null, "setting": "gp", "urgency": "routine", "arriving": false, "modality": "XR", "reporter": 2, "clock_start_at": "2026-06-10T09:00:00+00:00"}'),
  ('794', 23, '2026-06-10 10:00:03.245461+00', 'item.verified', 1, 'RXA', 7, 4, 4, '{"claim": 3, "state": "verified", "alerts": [], "due_at": "2026-06-24T09:00:00+00:00", "report": 3, "status": "verified", "minutes": 1.5, "purpose": "first", "session": null, "setting": "gp", "urgency": "routine", "arriving": false, "modality": "XR", "reporter": 2, "clock_start_at": "2026-06-10T09:00:00+00:00"}'),
  ('795', 24, '2026-06-10 10:00:03.421993+00', 'item.added-to', 1, 'RXA', 7, 5, 4, '{"claim": 3, "state": "addendum", "alerts": [], "due_at": "2026-06-24T09:00:00+00:00", "report": 4, "status": "addendum", "minutes": 1.5, "purpose": "first", "session": null, "setting": "gp", "urgency": "routine", "arriving": false, "modality": "XR", "reporter": 2, "clock_start_at": "2026-06-10T09:00:00+00:00"}'),
  ('796', 25, '2026-06-10 10:00:03.535262+00', 'item.opened', 1, 'RXA', 8, 1, NULL, '{"state": "arriving", "due_at": null, "minutes": null, "setting": null, "urgency": null, "arriving": true, "modality": null, "clock_start_at": null}'),
  ('798', 26, '2026-06-10 10:00:03.65738+00', 'item.completed', 1, 'RXA', 8, 2, NULL, '{"state": "ready", "due_at": "2026-06-24T09:00:00+00:00", "minutes": 1.5, "setting": "gp", "urgency": "routine", "arriving": false, "modality": "XR", "completed_by": "quiet-period", "clock_start_at": "2026-06-10T09:00:00+00:00"}'),
  ('799', 27, '2026-06-10 10:00:03.765278+00', 'item.claimed', 1, 'RXA', 8, 3, 5, '{"claim": 4, "state": "in_progress", "due_at": "2026-06-24T09:00:00+00:00", "minutes": 1.5, "purpose": "first", "session": 4, "setting": "gp", "urgency": "routine", "arriving": false, "modality": "XR", "reporter": 2, "clock_start_at": "2026-06-10T09:00:00+00:00"}'),
  ('800', 28, '2026-06-10 10:00:03.966007+00', 'item.opened', 1, 'RXB', 9, 1, NULL, '{"state": "arriving", "due_at": null, "minutes": null, "setting": null, "urgency": null, "arriving": true, "modality": null, "clock_start_at": null}'),
  ('802', 29, '2026-06-10 10:00:04.292311+00', 'item.completed', 1, 'RXB', 9, 2, NULL, '{"state": "ready", "due_at": "2026-06-24T09:00:00+00:00", "minutes": 15.0, "setting": "gp", "urgency": "routine", "arriving": false, "modality": "XR", "completed_by": "quiet-period", "clock_start_at": "2026-06-10T09:00:00+00:00"}'),
  ('803', 30, '2026-06-10 10:00:04.479536+00', 'item.opened', 1, 'RXB', 10, 1, NULL, '{"state": "arriving", "due_at": null, "minutes": null, "setting": null, "urgency": null, "arriving": true, "modality": null, "clock_start_at": null}'),
  ('805', 31, '2026-06-10 10:00:04.603202+00', 'item.completed', 1, 'RXB', 10, 2, NULL, '{"state": "ready", "due_at": "2026-06-24T09:00:00+00:00", "minutes": 1.5, "setting": "gp", "urgency": "routine", "arriving": false, "modality": "XR", "completed_by": "quiet-period", "clock_start_at": "2026-06-10T09:00:00+00:00"}'),
  ('806', 32, '2026-06-10 10:00:04.740717+00', 'item.opened', 1, 'RXA', 11, 1, NULL, '{"state": "arriving", "due_at": null, "minutes": null, "setting": null, "urgency": null, "arriving": true, "modality": null, "clock_start_at": null}'),
  ('809', 33, '2026-06-10 10:00:04.842442+00', 'pay.posted', 1, 'RXA', 5, NULL, NULL, '{"pence": 300, "report": 1, "reporter": 2}'),
  ('812', 34, '2026-06-10 10:00:05.041436+00', 'plan.changed', 1, NULL, NULL, NULL, NULL, '{"changed": 3, "assigned": 3, "unassigned": {}}');
INSERT INTO event_position ("position", event_id, event_at) VALUES
  (1, 1, '2026-06-10 10:00:00.962094+00'),
  (2, 2, '2026-06-10 10:00:00.316812+00'),
  (3, 3, '2026-06-10 10:00:00.472403+00'),
  (4, 4, '2026-06-10 10:00:00.635321+00'),
  (5, 5, '2026-06-10 10:00:01.679501+00'),
  (6, 6, '2026-06-10 10:00:01.757342+00'),
  (7, 7, '2026-06-10 10:00:01.780569+00'),
  (8, 8, '2026-06-10 10:00:01.795962+00'),
  (9, 9, '2026-06-10 10:00:01.824504+00'),
  (10, 10, '2026-06-10 10:00:01.856417+00'),
  (11, 11, '2026-06-10 10:00:01.888299+00'),
  (12, 12, '2026-06-10 10:00:02.003322+00'),
  (13, 13, '2026-06-10 10:00:02.085077+00'),
  (14, 14, '2026-06-10 10:00:02.279707+00'),
  (15, 15, '2026-06-10 10:00:02.380763+00'),
  (16, 16, '2026-06-10 10:00:02.465938+00'),
  (17, 17, '2026-06-10 10:00:02.556501+00'),
  (18, 18, '2026-06-10 10:00:02.6524+00'),
  (19, 19, '2026-06-10 10:00:02.697427+00'),
  (20, 20, '2026-06-10 10:00:02.767023+00'),
  (21, 21, '2026-06-10 10:00:02.921722+00'),
  (22, 22, '2026-06-10 10:00:03.02576+00'),
  (23, 23, '2026-06-10 10:00:03.245461+00'),
  (24, 24, '2026-06-10 10:00:03.421993+00'),
  (25, 25, '2026-06-10 10:00:03.535262+00'),
  (26, 26, '2026-06-10 10:00:03.65738+00'),
  (27, 27, '2026-06-10 10:00:03.765278+00'),
  (28, 28, '2026-06-10 10:00:03.966007+00'),
  (29, 29, '2026-06-10 10:00:04.292311+00'),
  (30, 30, '2026-06-10 10:00:04.479536+00'),
  (31, 31, '2026-06-10 10:00:04.603202+00'),
  (32, 32, '2026-06-10 10:00:04.740717+00'),
  (33, 33, '2026-06-10 10:00:04.842442+00'),
  (34, 34, '2026-06-10 10:00:05.041436+00');
INSERT INTO exam (code, description, modality, body_region, subspecialty, laterality, reporting_minutes, snomed_code, ionising, confidence, source, confirmed_by, valid_from, valid_to) VALUES
  ('XCHES', 'XR Chest', 'XR', 'chest', 'chest', 'none', 2.00, NULL, true, 'seen', 'test', NULL, '2020-01-01', NULL),
  ('XHANL', 'XR Hand Lt', 'XR', 'hand', 'msk_appendicular', 'none', 1.50, NULL, true, 'likely', 'test', NULL, '2020-01-01', NULL),
  ('XKNEL', 'XR Knee Lt', 'XR', 'knee', 'msk_appendicular', 'none', 1.50, NULL, true, 'likely', 'test', NULL, '2020-01-01', NULL),
  ('CHEAD', 'CT Head', 'CT', 'head', 'neuro', 'none', 8.00, NULL, true, 'likely', 'test', NULL, '2020-01-01', NULL),
  ('MHEAD', 'MRI Head', 'MR', 'head', 'neuro', 'none', 15.00, NULL, false, 'seen', 'test', NULL, '2020-01-01', NULL);
INSERT INTO exam_alias (id, trust_ods, kind, value, exam_code) OVERRIDING SYSTEM VALUE VALUES
  (1, 'RXA', 'code', 'HAND', 'XHANL'),
  (2, NULL, 'description', 'X-RAY CHEST', 'XCHES');
INSERT INTO exam_group (id, key, exam_codes, ionising) OVERRIDING SYSTEM VALUE VALUES
  (1, 'c45eaa9b8d1bd704eead8394caf745146ebdc67ada985024ab178366b8f1e0b0', '{CHEAD}', true),
  (2, '19d8c16bce701aee323b074cf8b5e3a0d7c55e04889120e81dd2be2890e06b6b', '{MHEAD}', false),
  (3, 'b82e0c532aef0fc846305a302943c81bca49d1fd4f2c2a959d6c9ab2985ac14e', '{XCHES}', true),
  (4, '416029dfe5dc32434ab2fde6cd316be5bbe4f52d0bdb2bed1c1112ec80be0fa5', '{XHANL,XKNEL}', true);
INSERT INTO forced_completion (id, trust_ods, item_id, actor, reason, note, at) OVERRIDING SYSTEM VALUE VALUES
  (1, 'RXA', 1, 'pat', 'whole', NULL, '2026-06-10 10:00:05.307519+00');
INSERT INTO source (ae_title, trust_ods, address, certificate_subject, quiet_seconds, services, active, completeness, claim_while_arriving, query, swept_at) VALUES
  ('PACS_A', 'RXA', '127.0.0.1', NULL, 0, '[{"name": "Emergency Department", "setting": "emergency", "urgency": "emergency"}, {"name": "General Practice", "setting": "gp", "urgency": "routine"}, {"name": "Ward 4", "setting": "inpatient", "urgency": null}]', true, NULL, NULL, NULL, NULL),
  ('PACS_B', 'RXB', '127.0.0.1', NULL, 0, '[{"name": "General Practice", "setting": "gp", "urgency": "routine"}]', true, NULL, NULL, NULL, NULL);
INSERT INTO study (id, trust_ods, patient_id, source_ae_title, modalities, series_count, instance_count, first_received_at, last_received_at, quiet_until, completed_at, facts, acquisition_ended_at, acquisition_ended_as_sent, acquisition_ended_zone, acquisition_ended_fold, acquisition_ended_source, judge_at_instances, look_at, completed_by) OVERRIDING SYSTEM VALUE VALUES
  (1, 'RXA', 1, 'PACS_A', '{DX}', 1, 1, '2026-06-10 10:00:00.552791+00', '2026-06-10 10:00:00.601325+00', NULL, '2026-06-10 10:00:00.723727+00', '{"service": ["Emergency Department"], "modality": ["DX"], "requested": [["XCHES", "NICIP", "XR Chest"]], "study_date": ["2026-06-10"], "description": ["XR Chest"]}', '2026-06-10 08:00:00+00', '20260610080000', '+0000', 0, 'AcquisitionDateTime', 2, NULL, 'quiet-period'),
  (2, 'RXA', 6, 'PACS_A', '{DX}', 1, 1, '2026-06-10 10:00:01.94347+00', '2026-06-10 10:00:01.974395+00', NULL, '2026-06-10 10:00:02.027847+00', '{"service": ["General Practice"], "modality": ["DX"], "requested": [["XHANL", "LOCAL", "XHANL"]], "study_date": ["2026-06-10"]}', '2026-06-10 09:00:00+00', '20260610090000', '+0000', 0, 'AcquisitionDateTime', 2, NULL, 'quiet-period'),
  (3, 'RXA', 7, 'PACS_A', '{DX}', 1, 1, '2026-06-10 10:00:02.413699+00', '2026-06-10 10:00:02.435326+00', NULL, '2026-06-10 10:00:02.500447+00', '{"service": ["General Practice"], "modality": ["DX"], "requested": [["XHANL", "LOCAL", "XHANL"]], "study_date": ["2026-06-10"]}', '2026-06-10 09:00:00+00', '20260610090000', '+0000', 0, 'AcquisitionDateTime', 2, NULL, 'quiet-period'),
  (4, 'RXA', 8, 'PACS_A', '{DX}', 1, 1, '2026-06-10 10:00:02.731683+00', '2026-06-10 10:00:02.749778+00', NULL, '2026-06-10 10:00:02.780491+00', '{"service": ["General Practice"], "modality": ["DX"], "requested": [["XHANL", "LOCAL", "XHANL"]], "study_date": ["2026-06-10"]}', '2026-06-10 09:00:00+00', '20260610090000', '+0000', 0, 'AcquisitionDateTime', 2, NULL, 'quiet-period'),
  (5, 'RXA', 9, 'PACS_A', '{DX}', 1, 1, '2026-06-10 10:00:03.446358+00', '2026-06-10 10:00:03.488322+00', NULL, '2026-06-10 10:00:03.562225+00', '{"service": ["General Practice"], "modality": ["DX"], "requested": [["XHANL", "LOCAL", "XHANL"]], "study_date": ["2026-06-10"]}', '2026-06-10 09:00:00+00', '20260610090000', '+0000', 0, 'AcquisitionDateTime', 2, NULL, 'quiet-period'),
  (6, 'RXB', 10, 'PACS_B', '{DX}', 1, 1, '2026-06-10 10:00:03.799736+00', '2026-06-10 10:00:03.913993+00', NULL, '2026-06-10 10:00:04.02156+00', '{"service": ["General Practice"], "modality": ["DX"], "study_date": ["2026-06-10"]}', '2026-06-10 09:00:00+00', '20260610090000', '+0000', 0, 'AcquisitionDateTime', 2, NULL, 'quiet-period'),
  (7, 'RXB', 11, 'PACS_B', '{DX}', 1, 1, '2026-06-10 10:00:04.404494+00', '2026-06-10 10:00:04.436593+00', NULL, '2026-06-10 10:00:04.525231+00', '{"service": ["General Practice"], "modality": ["DX"], "requested": [["XHANL", "LOCAL", "XHANL"]], "study_date": ["2026-06-10"]}', '2026-06-10 09:00:00+00', '20260610090000', '+0000', 0, 'AcquisitionDateTime', 2, NULL, 'quiet-period'),
  (8, 'RXA', 12, 'PACS_A', '{DX}', 1, 1, '2026-06-10 10:00:04.669196+00', '2026-06-10 10:00:04.706373+00', '2026-06-10 10:10:04.706373+00', NULL, '{"service": ["General Practice"], "modality": ["DX"], "requested": [["XHANL", "LOCAL", "XHANL"]], "study_date": ["2026-06-10"]}', '2026-06-10 09:00:00+00', '20260610090000', '+0000', 0, 'AcquisitionDateTime', 1, NULL, NULL);
INSERT INTO series (id, study_id, series_digest, modality, instance_count) OVERRIDING SYSTEM VALUE VALUES
  (1, 1, '12524dc5-08ee-4c8e-6d8d-e43e4879b5f5', 'DX', 1),
  (2, 2, 'f78aa065-7ddc-57c0-bc95-3dbdf9f1f11f', 'DX', 1),
  (3, 3, '0192e7d1-512a-b520-4b41-17af411f8912', 'DX', 1),
  (4, 4, 'c4e40ab3-b8f2-747b-44a6-ab425f835ac3', 'DX', 1),
  (5, 5, '8966a930-602d-6912-a037-1efdf60172aa', 'DX', 1),
  (6, 6, '3a15ec74-93a0-2815-035f-97017eb930e1', 'DX', 1),
  (7, 7, '120d4980-d9b4-9f95-bbe3-d59b3e0f22e0', 'DX', 1),
  (8, 8, '084b16ae-3f66-c684-7cc3-e49e8615ca94', 'DX', 1);
INSERT INTO header_statement (id, trust_ods, study_id, series_id, source_ae_title, digest, is_image, modality, stated, objects) OVERRIDING SYSTEM VALUE VALUES
  (1, 'RXA', 1, 1, 'PACS_A', 'e865da58-f740-4236-31b3-275030112c60', true, 'DX', '{"Modality": "DX", "PatientID": "H100", "StudyDate": "2026-06-10", "PatientSex": "F", "PatientName": "Test^Tilda", "AccessionNumber": "000123", "PatientBirthDate": "1980-06-11", "IssuerOfPatientID": "RXA", "TimezoneOffsetFromUTC": "+0000", "OtherPatientIDsSequence": "9990000018"}', 1),
  (2, 'RXA', 2, 2, 'PACS_A', '6c2f86ed-3594-0f1a-e5e7-9175edf6ecd3', true, 'DX', '{"Modality": "DX", "PatientID": "P-Verified", "StudyDate": "2026-06-10", "PatientSex": "O", "PatientName": "Verified^Sam", "AccessionNumber": "A1", "PatientBirthDate": "1970-01-01", "IssuerOfPatientID": "TEST", "TimezoneOffsetFromUTC": "+0000"}', 1),
  (3, 'RXA', 3, 3, 'PACS_A', '28da56f7-7148-26bf-6fd9-ff18bd9cfbf9', true, 'DX', '{"Modality": "DX", "PatientID": "P-Prelim", "StudyDate": "2026-06-10", "PatientSex": "O", "PatientName": "Prelim^Sam", "AccessionNumber": "A2", "PatientBirthDate": "1970-01-01", "IssuerOfPatientID": "TEST", "TimezoneOffsetFromUTC": "+0000"}', 1),
  (4, 'RXA', 4, 4, 'PACS_A', '5c75d7e2-9efe-af9e-a05b-233e4ac003ef', true, 'DX', '{"Modality": "DX", "PatientID": "P-Added", "StudyDate": "2026-06-10", "PatientSex": "O", "PatientName": "Added^Sam", "AccessionNumber": "A3", "PatientBirthDate": "1970-01-01", "IssuerOfPatientID": "TEST", "TimezoneOffsetFromUTC": "+0000"}', 1),
  (5, 'RXA', 5, 5, 'PACS_A', '8721a899-35e6-0bf4-29fd-783597694b41', true, 'DX', '{"Modality": "DX", "PatientID": "P-Claimed", "StudyDate": "2026-06-10", "PatientSex": "O", "PatientName": "Claimed^Sam", "AccessionNumber": "A4", "PatientBirthDate": "1970-01-01", "IssuerOfPatientID": "TEST", "TimezoneOffsetFromUTC": "+0000"}', 1),
  (6, 'RXB', 6, 6, 'PACS_B', 'd7a5934d-2008-2ee9-31b1-7f9ba2aff484', true, 'DX', '{"Modality": "DX", "PatientID": "P-Unmapped", "StudyDate": "2026-06-10", "PatientSex": "O", "PatientName": "Unmapped^Sam", "AccessionNumber": "B1", "PatientBirthDate": "1970-01-01", "IssuerOfPatientID": "TEST", "TimezoneOffsetFromUTC": "+0000"}', 1),
  (7, 'RXB', 7, 7, 'PACS_B', '299dbf94-a863-8668-2c47-a7ea292a60a8', true, 'DX', '{"Modality": "DX", "PatientID": "P-Ready", "StudyDate": "2026-06-10", "PatientSex": "O", "PatientName": "Ready^Sam", "AccessionNumber": "B2", "PatientBirthDate": "1970-01-01", "IssuerOfPatientID": "TEST", "TimezoneOffsetFromUTC": "+0000"}', 1),
  (8, 'RXA', 8, 8, 'PACS_A', '643472e6-3e87-b525-3022-fe1cfe1f74dc', true, 'DX', '{"Modality": "DX", "PatientID": "P-Arriving", "StudyDate": "2026-06-10", "PatientSex": "O", "PatientName": "Arriving^Sam", "AccessionNumber": "A5", "PatientBirthDate": "1970-01-01", "IssuerOfPatientID": "TEST", "TimezoneOffsetFromUTC": "+0000"}', 1);
INSERT INTO report (id, reading_id, item_id, claim_id, reporter_id, status, superseded, alerts, received_at) OVERRIDING SYSTEM VALUE VALUES
  (1, 2, 5, 1, 2, 'verified', false, '{}', '2026-06-10 10:00:02.336612+00'),
  (2, 3, 6, 2, 2, 'preliminary', false, '{}', '2026-06-10 10:00:02.691315+00'),
  (3, 4, 7, 3, 2, 'verified', false, '{}', '2026-06-10 10:00:03.186413+00'),
  (4, 4, 7, 3, 2, 'addendum', false, '{}', '2026-06-10 10:00:03.409463+00');
INSERT INTO held_pay (id, report_id, reporter_id, reason, event_position, held_at, settled_at, settled_by, outcome) OVERRIDING SYSTEM VALUE VALUES
  (1, 2, 2, 'no tariff', 1, '2026-06-10 10:00:05.340193+00', NULL, NULL, NULL);
INSERT INTO idempotency_key (user_id, key, request_digest, status, body, created_at) VALUES
  (1, 'k', '\x646967657374', 200, '{}', '2026-06-10 10:00:05.288929+00');
INSERT INTO instance (series_id, sop_digest, header_id) VALUES
  (1, '2c788969-5aa5-7eff-449b-bb6a39729680', 1),
  (2, 'da880cfc-ab26-23cd-ba6c-71215fdc6154', 2),
  (3, '37f158ab-9d5e-57ce-b179-da1452832848', 3),
  (4, '33566aae-3396-6520-cc28-cf8704b6d52e', 4),
  (5, '24ee8a57-43f9-11e8-af38-b189f7b325a0', 5),
  (6, '55ace9a0-cdb2-0bf6-3f96-b7ac5046dd76', 6),
  (7, 'f967cbdb-f7f7-c227-420c-c59b69d9c362', 7),
  (8, 'b9b7e288-08b3-f7eb-91df-6f0fb515909a', 8);
INSERT INTO item_exam (item_id, "position", exam_code, code_as_sent, description_as_sent, mapped_by) VALUES
  (1, 0, 'XCHES', 'XCHES', 'XR Chest', 'requested-code'),
  (5, 0, 'XHANL', 'XHANL', 'XHANL', 'requested-code'),
  (6, 0, 'XHANL', 'XHANL', 'XHANL', 'requested-code'),
  (7, 0, 'XHANL', 'XHANL', 'XHANL', 'requested-code'),
  (8, 0, 'XHANL', 'XHANL', 'XHANL', 'requested-code'),
  (9, 0, NULL, NULL, NULL, 'unmapped'),
  (10, 0, 'XHANL', 'XHANL', 'XHANL', 'requested-code');
INSERT INTO item_exclusion (item_id, reporter_id, kind, created_at) VALUES
  (5, 2, 'has-read', '2026-06-10 10:00:02.356316+00'),
  (7, 2, 'has-read', '2026-06-10 10:00:03.200293+00');
INSERT INTO item_order (item_id, trust_ods, patient_id, control, setting, urgency, exams, clinical_question, message_at, message_ids, received_at) VALUES
  (1, 'RXA', 1, 'new', NULL, NULL, '[["XCHES", "NICIP", "XR Chest"]]', NULL, '2026-06-10 09:00:00+00', '{M0-new}', '2026-06-10 10:00:00.335599+00'),
  (2, 'RXA', 3, 'new', NULL, NULL, '[["XCHES", "NICIP", "XR Chest"]]', NULL, '2026-06-10 09:01:00+00', '{M1-new}', '2026-06-10 10:00:01.767781+00'),
  (4, 'RXA', 5, 'cancel', NULL, NULL, '[["XCHES", "NICIP", "XR Chest"]]', NULL, '2026-06-10 09:02:00+00', '{M2-cancel}', '2026-06-10 10:00:01.871284+00');
INSERT INTO item_study (item_id, study_id) VALUES
  (1, 1),
  (5, 2),
  (6, 3),
  (7, 4),
  (8, 5),
  (9, 6),
  (10, 7),
  (11, 8);
INSERT INTO order_identity (item_id, trust_ods, accession_number, placer_order_number) VALUES
  (1, 'RXA', '000123', NULL),
  (2, 'RXA', '000200', NULL),
  (3, 'RXA', '000300', NULL),
  (4, 'RXA', '000400', NULL),
  (5, 'RXA', 'A1', NULL),
  (6, 'RXA', 'A2', NULL),
  (7, 'RXA', 'A3', NULL),
  (8, 'RXA', 'A4', NULL),
  (9, 'RXB', 'B1', NULL),
  (10, 'RXB', 'B2', NULL),
  (11, 'RXA', 'A5', NULL);
INSERT INTO outsource_price (modality, valid_from, amount_pence, source) VALUES
  ('XR', '2025-01-01', 550, 'test'),
  ('CT', '2025-01-01', 4750, 'test');
INSERT INTO parked_event (consumer, "position", reason, parked_at) VALUES
  ('pay', 1, 'ValueError', '2026-06-10 10:00:05.291467+00');
INSERT INTO rate_card (id, code, version, name, valid_from, valid_to, approved_by, additional_exam_percent) OVERRIDING SYSTEM VALUE VALUES
  (1, 'network', 1, 'Test rates', '2025-01-01', NULL, '{"Approver One","Approver Two"}', 100);
INSERT INTO pay_line (id, kind, reading_id, report_id, claim_id, reporter_id, session_id, engagement_id, payer, host, tariff_code, units, rate_pence, multiplier_percent, "window", amount_pence, rate_card_id, derivation, event_position, reverses, earned_at, posted_at) OVERRIDING SYSTEM VALUE VALUES
  (1, 'earning', 2, 1, 1, 2, 4, 2, 'RXA', 'RXA', 'xr', 1.0000, 300, 100, 'standard', 300, 1, '{"Rate card network version 1, in force from 2025-01-01","First opened 2026-06-10 11:00:02 BST: window standard, 100%","xr: 1 exam x 300p x 100% (standard) = 300p","Total: 300p"}', 15, NULL, '2026-06-10 10:00:02.380763+00', '2026-06-10 10:00:04.833608+00');
INSERT INTO performed_step (id, trust_ods, step_digest, source_ae_title, create_digest, set_digests, status, discontinuation_reason, ended_at, ended_as_sent, ended_zone, ended_fold, ended_source, updated_at) OVERRIDING SYSTEM VALUE VALUES
  (1, 'RXA', 'd47e7d90-7437-4f94-a5e7-823daf6cbfa8', 'PACS_A', NULL, '{}', 'COMPLETED', NULL, NULL, NULL, NULL, NULL, NULL, '2026-06-10 10:00:05.324447+00');
INSERT INTO performed_series (step_id, series_digest, instances) VALUES
  (1, 'a20448e1-708e-4756-ba25-f47759c1dd21', 2);
INSERT INTO performed_step_study (step_id, announced_study_id) VALUES
  (1, 1);
INSERT INTO plan_run (id, ran_at, solver, readings, assigned, changed, seconds, unassigned_by_reason) OVERRIDING SYSTEM VALUE VALUES
  (1, '2026-06-10 10:00:05.0357+00', 'greedy', 3, 3, 3, 0.1383, '{}');
INSERT INTO profile_cut (id, age_cuts, group_of_exam, created_at) OVERRIDING SYSTEM VALUE VALUES
  (1, '{0,16,18}', '{"CHEAD": 1, "MHEAD": 2, "XCHES": 3, "XHANL": 4, "XKNEL": 4}', '2026-06-10 10:00:00.866213+00');
INSERT INTO profile_indexed (profile_id) VALUES
  (1),
  (2),
  (3);
INSERT INTO rate_window (rate_card_id, name, days, starts, ends, bank_holidays, multiplier_percent) VALUES
  (1, 'evening', '{0,1,2,3,4}', '19:00:00', '23:00:00', false, 125);
INSERT INTO registration (reporter_id, body, number, valid_until) VALUES
  (1, 'GMC', '9000001', '2030-12-31'),
  (2, 'HCPC', 'RA9000002', '2030-12-31'),
  (3, 'HCPC', 'RA9000003', '2030-12-31'),
  (4, 'GMC', '9000004', '2030-12-31');
INSERT INTO report_text (report_id, trust_ods, item_id, body) VALUES
  (1, 'RXA', 5, 'No fracture.'),
  (2, 'RXA', 6, 'No fracture.'),
  (3, 'RXA', 7, 'No fracture.'),
  (4, 'RXA', 7, 'No fracture.');
INSERT INTO reporter_indexed (reporter_id, good_until) VALUES
  (1, '2031-01-01 00:00:00+00'),
  (2, '2031-01-01 00:00:00+00'),
  (3, '2031-01-01 00:00:00+00'),
  (4, '2031-01-01 00:00:00+00');
INSERT INTO reporter_profile (reporter_id, profile_id, level, valid_until) VALUES
  (1, 1, 'autonomous', '2031-01-01 00:00:00+00'),
  (3, 1, 'preceptee', '2031-01-01 00:00:00+00'),
  (4, 1, 'trainee', '2031-01-01 00:00:00+00'),
  (1, 2, 'autonomous', '2031-01-01 00:00:00+00'),
  (2, 2, 'autonomous', '2031-01-01 00:00:00+00'),
  (4, 2, 'trainee', '2031-01-01 00:00:00+00'),
  (1, 3, 'autonomous', '2031-01-01 00:00:00+00');
INSERT INTO reporter_trust (reporter_id, trust_ods, ionising, valid_until) VALUES
  (1, 'RXA', false, '2031-01-01 00:00:00+00'),
  (1, 'RXA', true, '2031-01-01 00:00:00+00'),
  (1, 'RXB', false, '2031-01-01 00:00:00+00'),
  (1, 'RXB', true, '2031-01-01 00:00:00+00'),
  (2, 'RXA', false, '2031-01-01 00:00:00+00'),
  (2, 'RXA', true, '2031-01-01 00:00:00+00'),
  (2, 'RXB', false, '2031-01-01 00:00:00+00'),
  (2, 'RXB', true, '2031-01-01 00:00:00+00'),
  (3, 'RXA', false, '2031-01-01 00:00:00+00'),
  (3, 'RXA', true, '2031-01-01 00:00:00+00'),
  (4, 'RXA', false, '2031-01-01 00:00:00+00'),
  (4, 'RXA', true, '2031-01-01 00:00:00+00'),
  (4, 'RXB', false, '2031-01-01 00:00:00+00'),
  (4, 'RXB', true, '2031-01-01 00:00:00+00');
INSERT INTO ris (trust_ods, sending_facility, host, port, dialect) VALUES
  ('RXA', 'RIS_A', NULL, NULL, '{}'),
  ('RXB', 'RIS_B', NULL, NULL, '{}');
INSERT INTO scope_of_practice (id, code, version, name, exam_codes, min_age_years, max_age_years, settings, excluded_flags, classifies_unmapped, signed_by, valid_from, valid_until) OVERRIDING SYSTEM VALUE VALUES
  (1, 'msk-xr', 1, 'Musculoskeletal X-ray, 16 and over', '{XHANL,XKNEL}', 16, NULL, NULL, '{}', false, 'Clinical lead', '2025-01-01', '2030-12-31'),
  (2, 'chest-xr', 1, 'Chest X-ray, 16 and over', '{XCHES}', 16, NULL, NULL, '{}', false, 'Clinical lead', '2025-01-01', '2030-12-31'),
  (3, 'ct-head', 1, 'CT head, adults, from emergency departments and wards', '{CHEAD}', 18, NULL, '{emergency,inpatient}', '{}', false, 'Clinical lead', '2025-01-01', '2030-12-31'),
  (4, 'general', 1, 'General radiology', '{CHEAD,MHEAD,XCHES,XHANL,XKNEL}', NULL, NULL, NULL, '{}', false, 'Clinical lead', '2025-01-01', '2030-12-31'),
  (5, 'duty', 1, 'Duty radiologist: unmapped work', '{}', NULL, NULL, NULL, '{}', true, 'Clinical lead', '2025-01-01', '2030-12-31');
INSERT INTO scope_grant (id, reporter_id, scope_id, level, signatory, min_age_years, max_age_years, settings, valid_from, valid_until, suspended_at) OVERRIDING SYSTEM VALUE VALUES
  (1, 1, 4, 'autonomous', 'Clinical lead', NULL, NULL, NULL, '2025-01-01', '2030-12-31', NULL),
  (2, 1, 5, 'autonomous', 'Clinical lead', NULL, NULL, NULL, '2025-01-01', '2030-12-31', NULL),
  (3, 2, 1, 'autonomous', 'Clinical lead', NULL, NULL, NULL, '2025-01-01', '2030-12-31', NULL),
  (4, 3, 2, 'preceptee', 'Clinical lead', NULL, NULL, NULL, '2025-01-01', '2030-12-31', NULL),
  (5, 3, 3, 'autonomous', 'Clinical lead', NULL, NULL, NULL, '2025-01-01', '2030-12-31', NULL),
  (6, 4, 4, 'trainee', 'Clinical lead', NULL, NULL, NULL, '2025-01-01', '2030-12-31', NULL);
INSERT INTO study_identity (study_id, trust_ods, study_instance_uid, stated) VALUES
  (1, 'RXA', '2.25.1', '{"PatientID": "H100", "PatientSex": "F", "PatientName": "Test^Tilda", "PatientBirthDate": "1980-06-11", "IssuerOfPatientID": "RXA", "OtherPatientIDsSequence": "9990000018"}'),
  (2, 'RXA', '2.25.889778836281893993161265510755070159', '{"PatientID": "P-Verified", "PatientSex": "O", "PatientName": "Verified^Sam", "PatientBirthDate": "1970-01-01", "IssuerOfPatientID": "TEST"}'),
  (3, 'RXA', '2.25.969128013130736409591690809708593187', '{"PatientID": "P-Prelim", "PatientSex": "O", "PatientName": "Prelim^Sam", "PatientBirthDate": "1970-01-01", "IssuerOfPatientID": "TEST"}'),
  (4, 'RXA', '2.25.822145555788551235310916839861795347', '{"PatientID": "P-Added", "PatientSex": "O", "PatientName": "Added^Sam", "PatientBirthDate": "1970-01-01", "IssuerOfPatientID": "TEST"}'),
  (5, 'RXA', '2.25.309686742003344178302036151187856130', '{"PatientID": "P-Claimed", "PatientSex": "O", "PatientName": "Claimed^Sam", "PatientBirthDate": "1970-01-01", "IssuerOfPatientID": "TEST"}'),
  (6, 'RXB', '2.25.155486127433181745373774036307030508', '{"PatientID": "P-Unmapped", "PatientSex": "O", "PatientName": "Unmapped^Sam", "PatientBirthDate": "1970-01-01", "IssuerOfPatientID": "TEST"}'),
  (7, 'RXB', '2.25.24584205455666663408999893621647886', '{"PatientID": "P-Ready", "PatientSex": "O", "PatientName": "Ready^Sam", "PatientBirthDate": "1970-01-01", "IssuerOfPatientID": "TEST"}'),
  (8, 'RXA', '2.25.155775796181904461923541376833879204', '{"PatientID": "P-Arriving", "PatientSex": "O", "PatientName": "Arriving^Sam", "PatientBirthDate": "1970-01-01", "IssuerOfPatientID": "TEST"}');
INSERT INTO target_rule (id, code, trust_ods, setting, urgency, modalities, exam_codes, target, hard_limit, valid_from, valid_to, source, confirmed_by) OVERRIDING SYSTEM VALUE VALUES
  (1, 'emergency', NULL, NULL, 'emergency', NULL, NULL, '1 hour', '12 hours', '2023-08-09', NULL, 'test', NULL),
  (2, 'routine', NULL, NULL, 'routine', NULL, NULL, '14 calendar days', NULL, '2023-08-09', NULL, 'test', NULL),
  (3, 'inpatient', NULL, 'inpatient', NULL, NULL, NULL, '4 hours', '24 hours', '2023-08-09', NULL, 'test', NULL);
INSERT INTO tariff (rate_card_id, code, unit, amount_pence, purposes, exam_codes, modalities) VALUES
  (1, 'xr', 'per_exam', 300, '{first}', NULL, '{XR}'),
  (1, 'ct-mr', 'per_exam', 4000, '{first}', NULL, '{CT,MR}'),
  (1, 'ct-head', 'per_exam', 1500, '{first}', '{CHEAD}', NULL),
  (1, 'check', 'per_minute_value', 100, '{check}', NULL, NULL);
INSERT INTO worklist_exception (id, kind, trust_ods, source_ae_title, item_id, detail, occurrences, opened_at, last_seen_at, closed_at, closed_by, outcome, announced_study_id) OVERRIDING SYSTEM VALUE VALUES
  (1, 'unmapped-exam', 'RXB', NULL, 9, 'no code or exact description of the catalogue; a duty radiologist classifies it', 1, '2026-06-10 10:00:04.17815+00', '2026-06-10 10:00:04.17815+00', NULL, NULL, NULL, NULL);
SELECT setval('announced_study_id_seq', 1, true);
SELECT setval('api_token_id_seq', 1, true);
SELECT setval('app_user_id_seq', 1, true);
SELECT setval('claim_id_seq', 4, true);
SELECT setval('config_version_id_seq', 1, true);
SELECT setval('engagement_id_seq', 4, true);
SELECT setval('entitlement_id_seq', 7, true);
SELECT setval('event_id_seq', 34, true);
SELECT setval('exam_alias_id_seq', 2, true);
SELECT setval('exam_group_id_seq', 4, true);
SELECT setval('forced_completion_id_seq', 1, true);
SELECT setval('header_statement_id_seq', 8, true);
SELECT setval('held_pay_id_seq', 1, true);
SELECT setval('item_id_seq', 11, true);
SELECT setval('patient_id_seq', 12, true);
SELECT setval('pay_line_id_seq', 1, true);
SELECT setval('performed_step_id_seq', 1, true);
SELECT setval('plan_run_id_seq', 1, true);
SELECT setval('profile_cut_id_seq', 1, true);
SELECT setval('profile_id_seq', 3, true);
SELECT setval('rate_card_id_seq', 1, true);
SELECT setval('reading_id_seq', 7, true);
SELECT setval('report_id_seq', 4, true);
SELECT setval('reporter_id_seq', 4, true);
SELECT setval('reporting_session_id_seq', 4, true);
SELECT setval('scope_grant_id_seq', 6, true);
SELECT setval('scope_of_practice_id_seq', 5, true);
SELECT setval('series_id_seq', 8, true);
SELECT setval('study_id_seq', 8, true);
SELECT setval('target_rule_id_seq', 3, true);
SELECT setval('worklist_exception_id_seq', 1, true);
