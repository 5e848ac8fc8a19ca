"""Who a patient is by the home RIS's word: what it states of whom and when, and which records are one person."""
