"""Documents for people: invoices as they are sent, with what was frozen when they were sealed."""
