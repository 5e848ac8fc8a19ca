-- Grants of what turnaround is worked out from. Run by the owner role after the tables exist.
GRANT SELECT, INSERT, UPDATE, DELETE ON exam_end TO radpool_app;
