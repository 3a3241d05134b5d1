"""Motion capture that others publish: fetched politely, resumed where it stopped, checked against what came first."""
