"""DICOMweb intake (PS3.18, 10.5): bodies of instances or metadata in, headers out to the worklist's intake."""
