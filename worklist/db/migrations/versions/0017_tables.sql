-- What orders state that were made after a person's priority. Run by the owner role.
ALTER TABLE item_priority ADD COLUMN stated_since TEXT[] DEFAULT '{}' NOT NULL;
-- Which other urgency outranked it was not kept: the newest that is ordered, else one that no order states.
UPDATE item_priority p SET stated_since = ARRAY[coalesce(
  (SELECT o.urgency FROM item_order o WHERE o.item_id = p.item_id AND o.urgency IS DISTINCT FROM p.ordered_urgency),
  'another')] WHERE p.outranked;
ALTER TABLE item_priority DROP COLUMN outranked;
COMMENT ON COLUMN item_priority.stated_since IS
  'What orders state that were made after the act: any but ordered_urgency outranks it.';
