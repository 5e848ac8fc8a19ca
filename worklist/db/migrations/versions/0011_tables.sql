-- Who reads at home. Run by the owner role.
CREATE TABLE home_reading (
  item_id BIGINT NOT NULL,
  trust_ods TEXT NOT NULL,
  being_read BOOLEAN NOT NULL,
  said_at TIMESTAMP WITH TIME ZONE NOT NULL,
  until TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT home_reading_pkey PRIMARY KEY (item_id),
  CONSTRAINT home_reading_item_id_fkey FOREIGN KEY(item_id) REFERENCES item (id),
  CONSTRAINT home_reading_trust_ods_fkey FOREIGN KEY(trust_ods) REFERENCES trust (ods_code)
);
COMMENT ON TABLE home_reading IS 'Whether somebody reads an item in its home RIS, by the newest message.';
COMMENT ON COLUMN home_reading.said_at IS 'When the home RIS made the newest message that says so.';
COMMENT ON COLUMN home_reading.until IS 'Believed until then, if nothing more is said.';
