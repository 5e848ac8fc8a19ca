"""Exclusion flags: what of an item closes a limited scope of practice; yes, no, or not known.

Rules of the network tell them by what is coded, a person by the clinical question. It must not know scopes or people.
"""
