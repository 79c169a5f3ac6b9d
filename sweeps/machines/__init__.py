"""Ray on this machine or on a cluster."""
