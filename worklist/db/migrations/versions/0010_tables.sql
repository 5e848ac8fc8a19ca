-- Feeds. Run by the owner role.
CREATE TABLE feed (
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  trust_ods TEXT NOT NULL,
  last_heard_at TIMESTAMP WITH TIME ZONE DEFAULT radpool_now() NOT NULL,
  quiet_since TIMESTAMP WITH TIME ZONE,
  CONSTRAINT feed_pkey PRIMARY KEY (kind, name),
  CONSTRAINT feed_kind_check CHECK (kind IN ('dicom', 'hl7')),
  CONSTRAINT feed_trust_ods_fkey FOREIGN KEY(trust_ods) REFERENCES trust (ods_code)
);
COMMENT ON TABLE feed IS 'What sends, and whether silence of it is to be told.';
COMMENT ON COLUMN feed.name IS 'AE title of a source, or sending facility of a RIS.';
COMMENT ON COLUMN feed.quiet_since IS 'Since when it has been quiet for longer than is usual; null: it is not.';
CREATE TABLE feed_hour (
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  hour TIMESTAMP WITH TIME ZONE NOT NULL,
  heard INTEGER NOT NULL,
  CONSTRAINT feed_hour_pkey PRIMARY KEY (kind, name, hour),
  CONSTRAINT feed_hour_kind_name_fkey FOREIGN KEY(kind, name) REFERENCES feed (kind, name)
);
COMMENT ON TABLE feed_hour IS 'How much a feed sent in each hour of the last weeks.';
COMMENT ON COLUMN feed_hour.hour IS 'The UTC hour.';
COMMENT ON COLUMN feed_hour.heard IS 'How many messages or objects came in it.';
