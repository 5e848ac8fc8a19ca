"""The composition root: reads settings, joins the parts, starts processes."""
