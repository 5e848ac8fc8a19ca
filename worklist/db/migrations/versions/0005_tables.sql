CREATE TABLE rules_version (
  only_one boolean NOT NULL DEFAULT true,
  version uuid NOT NULL DEFAULT gen_random_uuid(),
  CONSTRAINT rules_version_pkey PRIMARY KEY (only_one),
  CONSTRAINT rules_version_only_one_check CHECK (only_one)
);
COMMENT ON TABLE rules_version IS
  'Version of the exams, aliases, turnaround rules and profile cut in force; each change of them renews it.';
