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
